"""Data on disk, in any of the layouts that neumo knows -> the table."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from neumo.data import class_folders, listing
from neumo.data.columns import is_listing
from neumo.data.image_files import is_image, is_table, radiographs_in
from neumo.data.joined import Joined, stacked
from neumo.data.labels import plain, quoted
from neumo.data.patients import cause_of, patients_in
from neumo.data.published import coronahack, medmnist
from neumo.data.published.known import is_detail, joined
from neumo.data.table import NORMAL, PNEUMONIA, UNLABELLED, Dataset, new_table, official_part
from neumo.errors import NeumoError, told
from neumo.files import ARRAYS, expanded

EXPECTED = (
    "expected the CoronaHack archive, a folder with one sub-folder of images per class (divided into train "
    "and test or not), or a CSV or Parquet file with a path and a label column"
)


def read(
    data: str | Path,
    *,
    path_column: str | None = None,
    label_column: str | None = None,
    patient_column: str | None = None,
    positive: str | Sequence[str] | None = None,
    skip_missing: bool | None = None,
) -> Dataset:
    """Read a data set that a classifier can be trained on.

    The layout is recognised: the CoronaHack archive (its CSV or any of its folders), class folders with or
    without ``train`` and ``test`` around them (as of Kermany et al. 2018), a CSV or Parquet file with one
    row per image, a folder that holds one, PneumoniaMNIST's archive of arrays, or the several tables of a set
    that `neumo.data.published` knows (MIMIC-CXR-JPG, CheXpert, VinDr-CXR, COVIDx). Files in DICOM count as
    images everywhere. Rows that a column of views calls lateral are left out, which a line on standard error
    says.

    Args:
        data: a folder or a file.
        path_column: of a CSV or Parquet file, the column with the images' paths; the usual names are known.
        label_column: the column with the labels.
        patient_column: the column with the patients; without one, DICOM headers, folders and names are asked.
        positive: names of the classes that are positive, all others being negative; needed only where
            no class is called normal, healthy, negative, no finding or 0.
        skip_missing: leave out rows of a CSV or Parquet file without a label or whose image is missing, and
            links in class folders to what is not there; by default that is an error. Images that the
            CoronaHack archive is known to lack are always left out.

    Returns:
        The data set; `Dataset.table` has one row per image that is there.

    Raises:
        NeumoError: the data cannot be read or is not fit for training: no layout is recognised, a row has no
            path or no label, an image is missing, there is one class only.

    Example:
        >>> read("coronahack").table["label"].value_counts()
    """
    dataset = survey(
        data,
        path_column=path_column,
        label_column=label_column,
        patient_column=patient_column,
        positive=positive,
        skip_missing=skip_missing,
    )
    if dataset.faults:
        more = f" (and {len(dataset.faults) - 1:,} more; neumo audit lists all)" if dataset.faults[1:] else ""
        raise NeumoError(dataset.faults[0] + more)
    if dataset.lateral:
        listing.tell_lateral(data, len(dataset.lateral), "; left out")
    return dataset


def survey(
    data: str | Path,
    *,
    path_column: str | None = None,
    label_column: str | None = None,
    patient_column: str | None = None,
    positive: str | Sequence[str] | None = None,
    skip_missing: bool | None = None,
) -> Dataset:
    """Read a data set as `read` does, but list what makes it unfit for training in `Dataset.faults`.

    Single images and folders of images without classes are read as well, with the label -1.

    Raises:
        NeumoError: there is nothing to look at: no such file, no image, a table that cannot be read, or none
            that has a column that is asked for.
    """
    if not isinstance(data, str | os.PathLike):
        raise NeumoError(f"data: got {told(data)}, expected the path of a folder or a file")
    path = Path(os.path.abspath(expanded(data)))  # noqa: PTH100 - links are not followed, '..' is
    if not path.exists():
        raise NeumoError(f"{data}: got no such file or folder, {EXPECTED}")
    wanted = [positive] if isinstance(positive, str) else list(positive or ()) or None
    given = {"path": path_column, "label": label_column, "patient": patient_column}
    columns_given = any(given.values())

    def as_listing(tables: Path | Joined) -> Dataset:
        return listing.survey(
            tables,
            path_column=path_column,
            label_column=label_column,
            patient_column=patient_column,
            positive=wanted,
            skip_missing=skip_missing,
        )

    if not columns_given and (csv := coronahack.find_csv(path)):
        if wanted and not {plain(name) for name in wanted} <= {"pneumonia", "pnemonia"}:
            raise NeumoError(
                f"{csv}: got --positive {quoted(wanted)}, expected none as CoronaHack itself lists pneumonia"
            )
        return _checked(coronahack.survey(csv))
    if path_column is None and (known := joined(path, label_column)):
        return _checked(as_listing(known))
    if path.is_file():
        if is_table(path):
            return _checked(as_listing(path))
        _refuse_columns(path, given)
        if path.suffix.lower() == ARRAYS:
            return _checked(medmnist.survey(path, wanted))
        if is_image(path):
            return _unlabelled(path.parent, [path], path.name)
        raise NeumoError(f"{path}: got a file that is neither an image nor a table, {EXPECTED}")

    root, classes = class_folders.find(path)
    if class_folders.are_named(classes, wanted) and not columns_given:
        return _checked(class_folders.survey(root, classes, wanted, skip_missing))
    inside = [p for folder in dict.fromkeys((path, root)) for p in sorted(folder.iterdir())]
    tables = passed = [p for p in inside if is_table(p) and p.suffix.lower() != ".txt"]
    if not (columns_given and len(tables) == 1):  # a column that is not there is to be told
        named = [p for p in tables if is_listing(p, given)]
        tables = named or [p for p in tables if is_listing(p, given, search=True)]
    tables = [p for p in tables if not is_detail(p, tables)]
    if len(tables) == 1:
        if len(passed) > 1:
            print(f"neumo: {path}: reads {tables[0].name}, of {len(passed)} tables there", file=sys.stderr)
        return _checked(as_listing(tables[0]))
    if len(tables) > 1 and (parts := stacked(tables, path.name, given)):
        return _checked(as_listing(parts))
    if len(tables) > 1:
        names = ", ".join(p.name for p in tables)
        raise NeumoError(f"{path}: got several tables ({names}), expected one of them to be named instead")
    _refuse_columns(path, given)
    if classes and (wanted or not class_folders.are_heaps(classes)):
        return _with_hint(_checked(class_folders.survey(root, classes, wanted, skip_missing)), passed)
    if images := radiographs_in(path):
        return _with_hint(_unlabelled(path, images, path.name), passed)
    raise NeumoError(f"{path}: got a folder without images, {EXPECTED}")


def _refuse_columns(path: Path, given: Mapping[str, str | None]) -> None:
    """See that no column is asked for where no table is read, as what it says would be left out unseen."""
    if asked := " and ".join(f"--{what}-column {name!r}" for what, name in given.items() if name):
        raise NeumoError(
            f"{path}: got {asked} and no table that has it beside paths and labels, expected a CSV or "
            "Parquet file"
        )


def _with_hint(dataset: Dataset, passed: list[Path]) -> Dataset:
    """Say in the first fault which tables beside the images were passed over, and how to name one."""
    if not passed or not dataset.faults:
        return dataset
    names = f"{', '.join(p.name for p in passed[:3])}{' ...' * (len(passed) > 3)}"
    hint = f"; or name a table ({names}) with --path-column and --label-column"
    return replace(dataset, faults=(dataset.faults[0] + hint, *dataset.faults[1:]))


def _checked(dataset: Dataset) -> Dataset:
    """Add what any layout can have: faults, and the note of `neumo phantom` that `neumo split` passes on."""
    around = [dataset.root.parent] if official_part(dataset.root.name) else []
    if any((folder / coronahack.SYNTHETIC_NAME).is_file() for folder in (dataset.root, *around)):
        dataset = replace(dataset, synthetic=True, citation=coronahack.DRAWN, ages=None)
    there = set(dataset.table["label"])
    if dataset.table.empty:
        return dataset.with_faults(
            f"{dataset.root}: got {dataset.rows:,} rows but none of their images, expected images"
        )
    if len(there & {NORMAL, PNEUMONIA}) < 2 and not dataset.faults:
        name = dataset.label_name(min(there))
        return dataset.with_faults(
            f"{dataset.root}: got one class only ({name}), expected normal and pneumonia images"
        )
    return dataset


def _unlabelled(root: Path, listed: list[Path], name: str) -> Dataset:
    images = [p for p in listed if p.is_file()]
    missing = [p for p in listed if not p.is_file()]
    if not images:
        raise NeumoError(f"{root}: got links only whose files are not there, expected images")
    found = pd.DataFrame(
        {
            "path": [str(p) for p in images],
            "label": UNLABELLED,
            "cause": [cause_of(p) or "unknown" for p in images],
            "patient": patients_in(images),
            "official": pd.NA,
        }
    )
    what = root / name if len(images) == 1 else root
    got = "an image" if len(images) == 1 else f"{len(images):,} images"
    return Dataset(
        table=new_table(found),
        name=name,
        layout="images",
        root=root,
        rows=len(listed),
        listed_counts={UNLABELLED: len(listed)},
        missing=[p.relative_to(root).as_posix() for p in missing],
        faults=(f"{what}: got {got} without a label; {EXPECTED}",),
    )
