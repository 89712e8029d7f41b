"""A CSV or Parquet file that lists images with their labels."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from neumo.data.image_files import Named, images_in, is_dicom, is_image, is_mask, tell_left_out
from neumo.data.labels import UNKNOWN, assign, cause_from, class_names, is_negative, plain, quoted
from neumo.data.patients import cause_of, dicom_patient, patient_of
from neumo.data.table import (
    NORMAL,
    PNEUMONIA,
    UNLABELLED,
    Dataset,
    counts,
    new_table,
)
from neumo.errors import NeumoError, UnreadableImageError
from neumo.images.dicom_view import LATERAL

USUAL = {  # in order of preference, compared without case, spaces and punctuation
    "path": "path filepath file filename image imagepath imagefile imagename img imgpath imageindex imageid "
    "xrayimagename dicom dicompath dicomfile",
    "label": "label class classname target diagnosis finding findinglabel findinglabels findings labels "
    "category pneumonia y",
    "patient": "patient patientid subject subjectid person personid",
    "cause": "cause pathogen etiology aetiology label1viruscategory",
    "official": "official split datasettype subset partition set",
    "sha256": "sha256",
    "view": "view viewposition frontallateral projection",
}
_OFFICIAL = {
    **dict.fromkeys(["train", "training", "val", "valid", "validate", "validation", "dev"], "train"),
    **dict.fromkeys(["test", "testing"], "test"),
}
_SIDEWAYS = {*LATERAL, "L", "COSTAL", "EXCLUDE", "AXIAL", "CORONAL", "SAGITTAL"}
"""What a column of views says, in upper case, of rows that are not frontal (COSTAL, EXCLUDE: PadChest)."""

TRIED = 20
"""Values of a column that are looked for as files; more than half must be there."""


def load(file: Path) -> pd.DataFrame:
    """A CSV (separator comma, semicolon, tab or bar) or Parquet file as a frame of strings, NA where empty.

    Raises:
        NeumoError: the file is neither, or has no rows.
    """
    try:
        if file.suffix.lower() in {".parquet", ".pq"}:
            frame = pd.read_parquet(file)
            frame = frame.map(_joined, na_action="ignore").astype(dict.fromkeys(frame.columns, "str"))
        else:
            with file.open(encoding="utf-8-sig") as lines:
                header = lines.readline()
            separator = max(",;\t|", key=header.count)
            frame = pd.read_csv(
                file,
                sep=separator,
                dtype="str",
                encoding="utf-8-sig",
                skipinitialspace=True,
                keep_default_na=False,  # a class may be called None, a patient NA
                na_values=[""],
                index_col=False,  # a separator too many at the end of rows is none of a column
            )
    except OSError as error:
        if type(error).__module__.startswith("pyarrow") or error.errno is None:
            raise NeumoError(f"{file}: {_unreadable(file, error)}") from error
        raise
    except (ValueError, ImportError) as error:  # pandas and pyarrow parsing errors, text that is not UTF-8
        raise NeumoError(f"{file}: {_unreadable(file, error)}") from error
    frame.columns = [str(column).strip() for column in frame.columns]
    frame = frame.loc[:, ~frame.columns.duplicated()]
    if frame.empty:
        raise NeumoError(f"{file}: got no rows, expected one row per image with a path and a label")
    return frame


def columns(
    frame: pd.DataFrame, file: Path, needed: Sequence[str] = ("path", "label"), **given: str | None
) -> dict[str, str | None]:
    """Which column is which: as `given`, else by the `USUAL` names; those `needed` are always there.

    Raises:
        NeumoError: a given column is not there, or there is none for one that is needed.
    """
    by_plain_name = {re.sub(r"[\W_]+", "", str(c).lower()): str(c) for c in reversed(frame.columns)}
    chosen: dict[str, str | None] = {}
    for what, usual in USUAL.items():
        name = given.get(what)
        if name is not None and name not in frame.columns:
            raise NeumoError(
                f"{file}: got no column {name!r}, expected --{what}-column to name one of the columns found: "
                f"{quoted(frame.columns)}"
            )
        taken = set(chosen.values()) | set(given.values())
        guess = (by_plain_name[u] for u in usual.split() if u in by_plain_name)
        chosen[what] = name or next((column for column in guess if column not in taken), None)
    for what in needed:
        if chosen[what] is None:
            raise NeumoError(
                f"{file}: got no column that is called like a {what}, expected one among the columns found "
                f"({quoted(frame.columns)}) to be named with --{what}-column"
            )
    return chosen


def _naming_images(
    frame: pd.DataFrame, file: Path, *, quiet: bool = False, **given: str | None
) -> str | None:
    """The path column that is `given` or called so, else one whose values name images; unless `quiet` told.

    As a patient's number does in data of one file for each. Of several, it is the one of most values.
    """
    known = columns(frame, file, (), **given)
    if known["path"] is not None:
        return known["path"]
    where = _Places(file.parent, strict=False)
    others = {name for what, name in known.items() if what != "patient"}
    values = {str(c): _filled(frame[c]).dropna().unique() for c in frame.columns if c not in others}
    for column in sorted(values, key=lambda column: -len(values[column])):
        first = [where.find(value) for value in values[column][:TRIED]]
        there = sum(os.path.isfile(path) and is_image(path) for path in first)  # noqa: PTH113 - too long
        if 2 * there > len(first):
            if not quiet:
                print(
                    f"neumo: {file}: takes column {column!r} for paths, as it names images", file=sys.stderr
                )
            return column
    return None


def is_one(file: Path, given: Mapping[str, str | None], *, search: bool = False) -> bool:
    """Whether a file is a table with a column of labels and one of paths, `given` or called so.

    Args:
        file: what it is about.
        given: names of columns, by what they hold.
        search: a column whose values name images is one of paths, too.
    """
    try:
        frame = load(file)
        path = _naming_images(frame, file, quiet=True, **given) if search else given.get("path")
        columns(frame, file, ("path", "label"), **{**given, "path": path})
    except (NeumoError, OSError):
        return False
    return True


def paths(file: Path, path_column: str | None = None) -> list[Named]:
    """The images that a listing names, with labels or without; whether they are there is not looked at.

    A row without a path has an error in its place.

    Raises:
        NeumoError: the file cannot be read or has no column of paths.
    """
    frame = load(file)
    chosen = columns(frame, file, ("path",), path=_naming_images(frame, file, path=path_column))
    column, view = chosen["path"], chosen["view"]
    if view is not None and (n := int(_lateral(frame[view]).sum())):
        tell_lateral(file, n, f" (column {view!r}); classifiers know frontal ones")
    where = _Places(file.parent, strict=False)
    found: list[Named] = []
    for row, path in enumerate(frame[column].str.strip().fillna(""), 1):
        if path:
            found.append(str(where.find(path)))
        else:
            got = f"no path in row {row} (column {column!r})"
            found.append(UnreadableImageError(file, got, "one in every row"))
    return found


def survey(
    file: Path,
    *,
    path_column: str | None = None,
    label_column: str | None = None,
    patient_column: str | None = None,
    positive: Sequence[str] | None = None,
    skip_missing: bool | None = None,
) -> Dataset:
    """Read a listing.

    Paths are taken relative to the file's folder, else to the working folder, else as the end of a path
    anywhere below the file's folder, with or without suffix, where there is one such path only. Rows that
    name one image with one label again (one row per finding, say) are read once. A column ``sha256`` is
    held against the files. Rows that a column of views calls lateral or oblique are left out; so are, with
    `skip_missing`, rows without a label or whose image is missing. Several findings of an image stand between
    bars ("Effusion|Pneumonia") or in a list ("['effusion', 'pneumonia']").

    Raises:
        NeumoError: the file cannot be read, columns are missing or a label in `positive` is not there.
    """
    frame = load(file)
    path_column = _naming_images(frame, file, path=path_column, label=label_column, patient=patient_column)
    column = columns(frame, file, path=path_column, label=label_column, patient=patient_column)
    if column["patient"] is None:  # one column can be both
        column["patient"] = columns(frame, file, (), label=label_column)["patient"]
    column = {what: name for what, name in column.items() if name is not None}
    given = pd.DataFrame({what: _filled(frame[name], but=("nan", "NaN")) for what, name in column.items()})
    given = given.reindex(columns=list(USUAL)).astype("str")
    given["label"] = _filled(given["label"].map(_between_bars, na_action="ignore").astype("str"))
    given["label"] = given["label"].mask(given["label"].map(plain, na_action="ignore").isin(list(UNKNOWN)))
    lateral = _lateral(given["view"])
    if lateral.all():
        raise NeumoError(f"{file}: got lateral views only (column {column['view']!r}), expected frontal ones")
    beyond = given["path"][lateral].dropna()
    given = given[~lateral]
    faults = [
        f"{file}: got no path in row {row + 1} (column {column['path']!r}), expected one in every row"
        for row in given.index[given["path"].isna()]
    ]
    unlabelled = given["label"].isna()
    if skip_missing and not unlabelled.all():
        tell_left_out(file, int(unlabelled.sum()), f"without a label (column {column['label']!r})")
        given = given[~unlabelled]
    else:
        faults += [
            f"{file}: got no label in row {row + 1} (column {column['label']!r}), expected one in every row; "
            "leave such rows out with --skip-missing"
            for row in given.index[unlabelled]
        ]
    names = given["label"].dropna().unique()
    heading = column["label"] or ""
    label_of, unclear = assign(names, positive, f"{file} (column {heading!r})", heading)
    faults += unclear
    if not positive and any(re.fullmatch(r"-?\d+", plain(name)) for name in names):
        for row in given.index[
            given["label"].notna() & ~given["label"].map(plain, na_action="ignore").isin(["0", "1"])
        ]:
            faults.append(f"{file}: got the label {given['label'][row]!r} in row {row + 1}, expected 0 or 1")
            label_of[given["label"][row]] = UNLABELLED
    negative_name, positive_name = class_names(label_of, positive, heading)
    label = given["label"].map(label_of).fillna(UNLABELLED).astype("int8")
    named_part = given["official"].str.lower()
    for name, n in named_part[named_part.notna() & ~named_part.isin(list(_OFFICIAL))].value_counts().items():
        counted = f"as part of no test set {n:,} rows whose column {column['official']!r} says {name!r}"
        print(f"neumo: {file}: counts {counted}", file=sys.stderr)

    where = _Places(file.parent)
    path = given["path"].map(where.find, na_action="ignore")
    named = given["path"].notna()
    there = path.map(where.is_there, na_action="ignore").eq(True)
    missing = given["path"][named & ~there]
    if not skip_missing:
        faults += [
            f"{path[row]}: got {where.instead_of(missing[row])}, expected an image as listed in row "
            f"{row + 1} of {file}; leave such rows out with --skip-missing"
            for row in missing.index
        ]
    if positive:
        label = _any_of(label, given["label"], path)
    found = pd.DataFrame(
        {
            "path": path[there].map(str),
            "label": label[there],
            "cause": [
                "" if value == NORMAL else (cause or cause_of(p) or cause_from(text or "1")).lower()
                for value, cause, p, text in zip(
                    label[there],
                    _or_none(given["cause"][there]),
                    path[there],
                    _or_none(given["label"][there]),
                    strict=True,
                )
            ],
            "patient": [
                patient or patient_of(p) or (dicom_patient(p) if is_dicom(p) else None)
                for patient, p in zip(_or_none(given["patient"][there]), path[there], strict=True)
            ],
            "official": given["official"][there].str.lower().map(_OFFICIAL),
        }
    )
    first = found.drop_duplicates("path")
    faults += contradictions(found, file)
    table = new_table(first)
    faults += [
        f"{path}: got SHA-256 {got[:12]}..., expected {listed[:12]}... as row {row + 1} of {file} lists it"
        for row, path, got, listed in zip(
            first.index, table["path"], table["sha256"], _or_none(given["sha256"][first.index]), strict=True
        )
        if listed and listed.lower() != got
    ]
    listed_paths = set(table["path"])
    listed_paths |= {str(where.find(name)) for name in beyond}
    beside = sorted(
        {p for folder in {Path(q).parent for q in listed_paths} for p in images_in(folder, deep=False)}
    )
    return Dataset(
        table=table,
        name=file.stem,
        layout="listing",
        root=file.parent,
        rows=len(frame),
        listed_counts=counts(label),
        missing=list(missing),
        lateral=list(beyond),
        unlisted=[_relative(p, file.parent) for p in beside if str(p) not in listed_paths],
        repeated=[
            _relative(Path(p), file.parent) for p in found["path"][found["path"].duplicated()].unique()
        ],
        positive_name=positive_name,
        negative_name=negative_name,
        faults=tuple(faults),
    )


def contradictions(found: pd.DataFrame, file: Path) -> list[str]:
    """A fault for each row that names an image with another label than the first row that does.

    Args:
        found: columns path and label; the index counts the rows of the file from 0.
        file: that lists them.
    """
    first = found.drop_duplicates("path")
    earlier = found["path"].map(first.set_index("path")["label"])
    return [
        f"{path}: got another label in row {row + 1} of {file} than in an earlier row, expected one label"
        for row, path in zip(found.index, found["path"], strict=True)
        if earlier[row] != found["label"][row]
    ]


def tell_lateral(data: str | Path, n: int, what: str) -> None:
    """Say on standard error how many rows are lateral views, and what of it."""
    which = "row is a lateral view" if n == 1 else "rows are lateral views"
    print(f"neumo: {data}: {n:,} {which}{what}", file=sys.stderr)


def _any_of(label: pd.Series, named: pd.Series, path: pd.Series) -> pd.Series:
    """Labels where an image with a row per finding is positive if one is; "normal" beside it stays."""
    positive = label.eq(PNEUMONIA).groupby(path).transform("any").eq(True)
    other = named.map(lambda name: not is_negative(name), na_action="ignore").eq(True)
    return label.mask(positive & other, PNEUMONIA)


def _joined(cell: object) -> object:
    """The findings of a cell that is a list, as in Parquet, between bars; other cells as they are."""
    return cell if isinstance(cell, str) or not hasattr(cell, "__iter__") else "|".join(map(str, cell))


def _between_bars(label: str) -> str:
    """Findings that are written as a list, as PadChest has them, between bars; other labels as they are."""
    if not (label.startswith("[") and label.endswith("]")):
        return label
    return "|".join(one for one in (part.strip(" '\"") for part in label[1:-1].split(",")) if one)


def _lateral(views: pd.Series) -> pd.Series:
    upper = views.str.strip().str.upper()
    return upper.isin(_SIDEWAYS) | upper.str.contains(r"\b(?:LATERAL\w*|LAT|OBLIQUE)\b").eq(True)


class _Places:
    """Where the images of a listing can be; not `strict`: passing over what cannot be looked into."""

    def __init__(self, folder: Path, *, strict: bool = True) -> None:
        self.folder = folder
        self._is_file = Path.is_file if strict else os.path.isfile
        self._faults: list[UnreadableImageError] | None = None if strict else []
        self.by_name: dict[str, list[Path]] | None = None
        self._several: dict[str, list[Path]] = {}

    def find(self, listed: str) -> Path:
        for name in (listed, listed.replace("\\", "/")):
            for base in (self.folder, Path.cwd()):
                if self.is_there(path := base / name):
                    return path
        if self.by_name is None:
            self.by_name = {}
            images = images_in(self.folder, faults=self._faults)
            for path in (one for one in images if not is_mask(one, self.folder)):
                for key in {path.name, path.stem}:
                    self.by_name.setdefault(key, []).append(path)
        for name in dict.fromkeys((listed, re.sub(r"^(\d+)\.0$", r"\1", listed))):  # a number among gaps
            wanted = PurePosixPath(name.replace("\\", "/")).parts
            moved = name.startswith("/") or PureWindowsPath(name).is_absolute()  # the table, or the images
            same = self.by_name.get(wanted[-1], []) if wanted else []
            for n in range(len(wanted), 0, -1) if moved else [len(wanted)]:
                ends = [p for p in same if p.parts[-n:-1] == wanted[-n:-1]]
                if len(ends) == 1:
                    return ends[0]
                if ends:
                    self._several[listed] = ends
                    break
        return self.folder / listed

    def is_there(self, path: Path) -> bool:
        """Whether this is a file."""
        try:
            return self._is_file(path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return False
            raise

    def instead_of(self, listed: str) -> str:
        """What there is where a listed image is missing, for a message."""
        ends = self._several.get(listed, [])
        shown = ", ".join(_relative(path, self.folder) for path in ends[:3])
        return f"{len(ends)} files that end so ({shown})" if ends else "no such file"


def _filled(values: pd.Series, but: Sequence[str] = ()) -> pd.Series:
    """Texts without spaces around them, NA where nothing is left or one of `but`."""
    bare = values.str.strip()
    return bare.mask(bare.isin(["", *but]))


def _or_none(values: pd.Series) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in values]


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _unreadable(file: Path, error: Exception) -> str:
    why = " ".join(str(error).split())
    if file.suffix.lower() in {".parquet", ".pq"}:
        return f"got something that is not Parquet ({why}), expected a Parquet file"
    if isinstance(error, UnicodeDecodeError):
        return "got bytes that are not UTF-8 text, expected a CSV with a path and a label column"
    if isinstance(error, pd.errors.EmptyDataError):
        return "got an empty file, expected a CSV with a path and a label column"
    return f"got text that is not a table ({why}), expected a CSV with a path and a label column"
