"""A CSV or Parquet file that lists images with their labels."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from neumo.data.cells import are_lateral, cleaned, contradictions, each, or_none
from neumo.data.columns import columns, could_be_labels, load, naming_images
from neumo.data.dicom_ids import as_number, element_of
from neumo.data.image_files import Named, images_in, is_dicom, tell_left_out
from neumo.data.joined import Joined
from neumo.data.labels import (
    assign,
    cause_from,
    class_names,
    is_negative,
    is_number,
    is_whole,
    plain,
    quoted,
    speaking,
    tell_pneumonia_as_negative,
)
from neumo.data.patients import cause_of, names_people, patients_in, pseudonym
from neumo.data.places import Places, relative
from neumo.data.published.known import NO_LABEL, joined, to_go_on
from neumo.data.published.nih import by_lists
from neumo.data.table import (
    NORMAL,
    PNEUMONIA,
    UNLABELLED,
    Dataset,
    counts,
    new_table,
    official_part,
)
from neumo.errors import NeumoError, UnreadableImageError


def paths(file: Path, path_column: str | None = None, lateral: set[str] | None = None) -> list[Named]:
    """The images that a listing names, with labels or without; whether they are there is not looked at.

    A row without a path has an error in its place. Images of lateral rows are added to `lateral`. A table of
    `neumo.data.published` is read as its set is, and names an image once for all its readers.

    Raises:
        NeumoError: the file cannot be read or has no column of paths.
    """
    tables = joined(file, NO_LABEL) if path_column is None else None
    frame, file = (tables.frame, tables.file) if tables else (load(file), file)
    chosen = columns(frame, file, ("path",), path=naming_images(frame, file, path=path_column))
    column, view = chosen["path"], chosen["view"]
    if tables:
        frame = frame.drop_duplicates(column, ignore_index=True)
    if view is not None and (n := int(are_lateral(frame[view]).sum())):
        tell_lateral(file, n, f" (column {view!r}); classifiers know frontal ones")
    where = Places(file.parent, strict=False, element=element_of(column))
    named = frame[column].str.strip().fillna("")
    where.look_over(listed := [*filter(None, named)])
    _tell_identified(where, file, listed)
    found: list[Named] = []
    for row, path in enumerate(named, 1):
        if path and where.identified and not where.is_there(where.find(path)):
            got = f"{where.instead_of(path)} in row {row}"
            found.append(UnreadableImageError(file, got, "one image that has it"))
        elif path:
            found.append(str(where.find(path)))
        else:
            got = f"no path in row {row} (column {column!r})"
            found.append(UnreadableImageError(file, got, "one in every row"))
    if view is not None and lateral is not None:
        sideways = zip(found, are_lateral(frame[view]), strict=True)
        lateral |= {one for one, is_so in sideways if is_so and isinstance(one, str)}
    return found


def survey(
    tables: Path | Joined,
    *,
    path_column: str | None = None,
    label_column: str | None = None,
    patient_column: str | None = None,
    positive: Sequence[str] | None = None,
    skip_missing: bool | None = None,
) -> Dataset:
    """Read a listing, one table or several as one.

    Paths are taken relative to the file's folder (or, where none is there, to the working folder, which a
    line on standard error says), else as the end of a path anywhere below the file's folder, with or without
    suffix, where there is one such path only. Where none is and the column is called like one of
    `neumo.data.dicom_ids.ELEMENTS`, it is the DICOM image whose header says so: the only one, or the only
    frontal one. Rows that name one image with one label again (one row per finding, say) are read once. A
    column ``sha256`` is held against the files. Rows that a column of views calls lateral or oblique are left
    out; so are, with `skip_missing`, rows without a label or whose image is missing. Several findings of an
    image stand between bars ("Effusion|Pneumonia") or in a list ("['effusion', 'pneumonia']"). Where a column
    has patients, a blank there is who a DICOM header says, else unknown; only without is `patients_in` asked
    of all images. Without a column of parts, the lists of NIH ChestX-ray14 beside the file are.

    Raises:
        NeumoError: the file cannot be read, columns are missing or a label in `positive` is not there.
    """
    one = tables if isinstance(tables, Joined) else Joined(load(tables), tables, _name_of(tables))
    frame, file = one.frame, one.file
    path_column = naming_images(frame, file, path=path_column, label=label_column, patient=patient_column)
    column = columns(frame, file, path=path_column, label=label_column, patient=patient_column)
    if column["patient"] is None:  # one column can be both
        column["patient"] = columns(frame, file, (), label=label_column)["patient"]
    given = cleaned(frame, column, positive)
    lateral = are_lateral(given["view"])
    if lateral.all():
        raise NeumoError(f"{file}: got lateral views only (column {column['view']!r}), expected frontal ones")
    beyond = given["path"][lateral].dropna()
    frontal = given[~lateral]
    given, faults = _complete(frontal, column, file, skip_missing or one.blanks)
    unlabelled = frontal["path"].drop(given.index).dropna()
    label, class_of, unclear = _labels(given["label"], positive, file, column["label"] or "")
    if unclear and not positive and (told := to_go_on(file, frame.columns)):
        faults, unclear = [f"{unclear[0]}; {told}", *unclear[1:], *faults], []
    if not positive and label_column is None:
        faults += _contrary(frame, column, label, file)
    where = Places(file.parent, element=element_of(column["path"]))
    where.look_over(listed := [*given["path"].dropna()])
    _tell_identified(where, file, listed)
    path, missing, lost = _located(given["path"], where, file, skip_missing)
    every = pd.DataFrame(
        {
            "path": path,
            "label": _any_of(label, given["label"], path, class_of, file) if positive else label,
            "by itself": label,
            "named": given["label"],
            "cause": given["cause"],
            "patient": _patients(given["patient"], path, column["patient"] or ""),
            "official": _official(given["official"], path, file, column["official"]),
            "sha256": given["sha256"],
        }
    )
    there = every[path.notna()]
    faults += unclear + lost + contradictions(there, file)
    for what in ("patient", "official"):
        faults += contradictions(there, file, what)
        there = there.assign(**{what: there.groupby("path")[what].transform("first")})
    # of an image with several rows, one that made it positive, whose cause it has
    telling = there["by itself"].sort_values(ascending=False, kind="stable").index
    first = there.loc[telling].drop_duplicates("path").loc[lambda rows: rows.index.sort_values()]
    table = new_table(first.assign(cause=_causes(first)))
    listed_paths = {*table["path"], *(str(where.find(name)) for name in beyond), *map(where.here, unlabelled)}
    named = {*unlabelled}  # some by their name only, which is looked for nowhere
    folders = filter(os.path.isdir, {Path(listed).parent for listed in listed_paths})
    beside = sorted({p for folder in folders for p in images_in(folder, deep=False)})
    return Dataset(
        table=table,
        name=one.name,
        layout="listing",
        root=file.parent,
        rows=len(frame),
        listed_counts=counts(every["label"]),
        missing=list(missing),
        lateral=list(beyond),
        unlisted=[
            relative(p, file.parent)
            for p in beside
            if str(p) not in listed_paths and p.name not in named and p.stem not in named
        ],
        repeated=[relative(Path(p), file.parent) for p in there["path"][there["path"].duplicated()].unique()],
        negative_name=class_of[NORMAL],
        positive_name=class_of[PNEUMONIA],
        faults=(*faults, *_changed(first, table, file)),
    )


def _name_of(file: Path) -> str:
    return Path(file.stem).stem if file.suffix.lower() == ".gz" else file.stem


def _complete(
    given: pd.DataFrame, column: dict[str, str | None], file: Path, skip_missing: bool | None
) -> tuple[pd.DataFrame, list[str]]:
    """The rows that have a label, or all, and a fault for each that lacks a path or a label."""
    faults = [
        f"{file}: got no path in row {row + 1} (column {column['path']!r}), expected one in every row"
        for row in given.index[given["path"].isna()]
    ]
    unlabelled = given["label"].isna()
    if skip_missing and not unlabelled.all():
        _tell_rows(file, int(unlabelled.sum()), f"without a label (column {column['label']!r})")
        return given[~unlabelled], faults
    return given, faults + [
        f"{file}: got no label in row {row + 1} (column {column['label']!r}), expected one in every row; "
        "leave such rows out with --skip-missing"
        for row in given.index[unlabelled]
    ]


def _labels(
    named: pd.Series, positive: Sequence[str] | None, file: Path, heading: str
) -> tuple[pd.Series, dict[int, str], list[str]]:
    """Rows' labels by themselves, what 0 and 1 are called, and a fault for what is neither."""
    names = named.dropna().unique()
    label_of, faults = assign(names, positive, f"{file} (column {heading!r})", heading)
    if not positive and (numbers := [*filter(is_number, names)]):
        shares = not all(map(is_whole, numbers))
        faults = [] if shares else faults
        ask = "or to be told which are positive, with --positive NAME"
        what = "as a share is no class" if shares else ask
        for row in named.index[named.notna() & ~named.map(plain, na_action="ignore").isin(["0", "1"])]:
            got = f"got the label {named[row]!r} in row {row + 1}"
            faults.append(f"{file}: {got}, expected 0 or 1, {what}")
            label_of[named[row]] = UNLABELLED
    label = named.map(label_of).fillna(UNLABELLED).astype("int8")
    class_of = dict(zip((NORMAL, PNEUMONIA), class_names(label_of, positive, heading), strict=True))
    return label, class_of, faults


def _contrary(
    frame: pd.DataFrame, column: Mapping[str, str | None], label: pd.Series, file: Path
) -> list[str]:
    """A fault for each other column that could be the labels and says something else of a row.

    As 0 for pneumonia beside its name, a diagnosis on admission beside what was found, or 0 and 1 of
    another matter.

    Args:
        frame: the table.
        column: what is held -> heading.
        label: the labels that were found, on the index of `frame` or a part of it.
        file: of the table.
    """
    faults, first = [], column["label"] or ""
    for heading in (name for name in could_be_labels(frame) if name not in column.values()):
        said = cleaned(frame, {"label": heading}, None)["label"]
        if (label_of := speaking(said.dropna().unique(), heading)) is None:
            continue
        other = said.map(label_of).reindex(label.index)
        if len(rows := label.index[other.notna() & label.ne(UNLABELLED) & other.ne(label)]):
            here, there = (frame[name][rows[0]].strip() for name in (first, heading))
            got = f"got {here!r} for {first!r} and {there!r} for {heading!r} in row {rows[0] + 1}"
            more = f" (and {len(rows) - 1:,} more such rows)" if rows[1:].size else ""
            faults.append(
                f"{file}: {got}{more}, expected no contradiction, or to be told where the labels are, with "
                "--label-column"
            )
    return faults


def _located(
    listed: pd.Series, where: Places, file: Path, skip_missing: bool | None
) -> tuple[pd.Series, pd.Series, list[str]]:
    """Where each row's image is, NA where it is not; those that are missing as listed; a fault for each."""
    path = listed.map(where.find, na_action="ignore")
    if n := len(where.moved):
        print(f"neumo: {file}: takes {n:,} paths that were written elsewhere from here on", file=sys.stderr)
    there = path.map(where.is_there, na_action="ignore").eq(True)
    missing = listed[listed.notna() & ~there]
    faults = []
    if skip_missing:
        _tell_rows(file, len(missing), "whose image is missing")
    else:
        lost = zip(missing.index, missing, path[missing.index], strict=True)
        faults = [_lost(row, name, place, where, file) for row, name, place in lost]
    if where.identified is not None and where.element != "SOPInstanceUID":
        missing = missing.map(pseudonym)
    return path.where(there).map(str, na_action="ignore").astype("str"), missing, faults


def _lost(row: int, name: str, path: Path, where: Places, file: Path) -> str:
    """The fault of a row whose image is missing."""
    got, leave = where.instead_of(name), "leave such rows out with --skip-missing"
    if where.identified is None:
        return f"{path}: got {got}, expected an image as listed in row {row + 1} of {file}; {leave}"
    return f"{file}: got {got} in row {row + 1}, expected one image that has it; {leave}"


def _tell_identified(where: Places, file: Path, listed: Sequence[str]) -> None:
    """Say on standard error which DICOM files count for nothing where a table names images by identifiers."""
    found = where.identified
    if found and found.twice:
        names = ", ".join(relative(path, file.parent) for path in found.twice[:3])
        said = f"has files of SOP instances that others have already, left out: {names}"
        print(f"neumo: {file.parent}: {said}{' ...' * (len(found.twice) > 3)}", file=sys.stderr)
    if found and (narrowed := found.narrowed & set(map(found.identifier, listed))):
        of = f"{len(narrowed):,} {where.element}{'s' * (len(narrowed) != 1)}"
        print(f"neumo: {file}: leaves out the lateral views of {of}", file=sys.stderr)


def _patients(listed: pd.Series, path: pd.Series, heading: str) -> pd.Series:
    """Whose each image is: as listed, a blank being a DICOM header's; without, as `patients_in` knows.

    Who is listed for one image and in the header of another is one patient, listed as ``7.0`` or as 7.
    """
    asked = path.dropna()
    of_header: dict[str, str] = {}
    if listed.notna().any():
        people = listed.dropna().unique()
        by_name = names_people(heading, people)
        called = {one: pseudonym(one) if by_name else one for one in people}
        of_header = {
            pseudonym(spelt, "dicom"): called[one] for one in people for spelt in (as_number(one), one)
        }
        listed = listed.map(called)
        asked = asked[listed[asked.index].isna()]
        asked = asked[asked.map(lambda name: is_dicom(Path(name))).astype(bool)]
    known = [one and of_header.get(one, one) for one in patients_in(list(asked))]
    return listed.fillna(pd.Series(known, asked.index, dtype="str"))


def _official(listed: pd.Series, path: pd.Series, file: Path, heading: str | None) -> pd.Series:
    """The data set's own division: as listed, else as NIH's lists of file names beside the table have it."""
    if heading is None:
        return by_lists(path, file)
    part = listed.map(official_part, na_action="ignore").astype("str")
    if len(other := listed[listed.notna() & part.isna()]):
        said = f"whose column {heading!r} says {quoted(other.unique(), 3)}"
        print(f"neumo: {file}: counts as part of no test set {len(other):,} rows {said}", file=sys.stderr)
    return part


def _causes(rows: pd.DataFrame) -> list[str]:
    """What made each image positive, "" for the others."""
    told = zip(rows["label"], or_none(rows["cause"]), rows["path"], or_none(rows["named"]), strict=True)
    return [
        "" if label == NORMAL else (cause or cause_of(path) or cause_from(named or "1")).lower()
        for label, cause, path, named in told
    ]


def _changed(listed: pd.DataFrame, table: pd.DataFrame, file: Path) -> list[str]:
    """A fault for each image whose bytes are not those that its row has the SHA-256 of."""
    rows = zip(listed.index, table["path"], table["sha256"], or_none(listed["sha256"]), strict=True)
    return [
        f"{path}: got SHA-256 {got[:12]}..., expected {known[:12]}... as row {row + 1} of {file} lists it"
        for row, path, got, known in rows
        if known and known.lower() != got
    ]


def tell_lateral(data: str | Path, n: int, what: str) -> None:
    """Say on standard error how many rows are lateral views, and what of it."""
    which = "row is a lateral view" if n == 1 else "rows are lateral views"
    print(f"neumo: {data}: {n:,} {which}{what}", file=sys.stderr)


def _tell_rows(file: Path, n: int, which: str) -> None:
    """Say on standard error how many rows are left out, if any, and which."""
    tell_left_out(file, n, f"row{'s' * (n != 1)} {which}")


def _any_of(
    label: pd.Series, named: pd.Series, path: pd.Series, class_of: Mapping[int, str], file: Path
) -> pd.Series:
    """Labels where an image with a row per finding is positive if one is; "normal" beside it stays."""
    positive = label.eq(PNEUMONIA).groupby(path).transform("any").eq(True)
    other = each(named, is_negative).eq(False)
    found = label.mask(positive & other, PNEUMONIA)
    negative = path.notna() & found.eq(NORMAL)
    tell_pneumonia_as_negative(file, zip(path[negative], named[negative].map(str), strict=True))
    if n := path[found.ne(label)].nunique():
        said = f"{class_of[PNEUMONIA]} {n:,} images that some rows call so and others not"
        print(f"neumo: {file}: counts as {said}", file=sys.stderr)
    return found
