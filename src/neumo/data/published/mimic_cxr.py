"""MIMIC-CXR-JPG: labels by study, views by image and parts by image, in three tables."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

from neumo.data.columns import filled, load
from neumo.data.image_files import is_table
from neumo.data.joined import Joined
from neumo.data.published.chexpert import labelled
from neumo.errors import NeumoError

NAME = "MIMIC-CXR-JPG"
OWN = re.compile(r"mimic-cxr-2\.|LICENSE|README|SHA256SUMS")
"""What the names of the makers' tables and texts begin with."""

_TABLES = {
    "chexpert": ("subject_id", "study_id", "No Finding", "Pneumonia"),
    "metadata": ("subject_id", "study_id", "dicom_id", "ViewPosition"),
    "split": ("dicom_id", "split"),
}
"""What each table is called after the name of the set, and the columns that are needed of it."""
_STUDY = ["subject_id", "study_id"]


def find(data: Path) -> list[Path]:
    """The three tables, given one of them or their folder; none of another data set.

    Raises:
        NeumoError: one of them is there, others are not, nor is a table that could be read instead.
    """
    folder = data.parent if data.is_file() else data
    there = [_table(folder, what) for what in _TABLES]
    found = [table for table in there if table]
    if not found or (data.is_file() and data not in found):
        return []
    if len(found) == len(_TABLES):
        return found
    if data.is_dir() and any(is_table(p) and not OWN.match(p.name) for p in folder.iterdir()):
        return []
    lacks = next(what for what, table in zip(_TABLES, there, strict=True) if table is None)
    raise NeumoError(
        f"{folder}: got {found[0].name} without mimic-cxr-2.0.0-{lacks}.csv, expected the three tables of "
        f"MIMIC-CXR-JPG ({', '.join(_TABLES)}) side by side, compressed or not"
    )


def read(tables: list[Path], label_column: str | None) -> Joined:
    """The images of the table of views with the labels of their study and the makers' part.

    Their names are of no other image, so they are looked for by them where the makers' folders are not kept.

    Raises:
        NeumoError: a table lacks a column, or names a study or an image twice.
    """
    loaded = {}
    for table, (what, needed) in zip(tables, _TABLES.items(), strict=True):
        loaded[what] = frame = load(table)
        if lacking := [column for column in needed if column not in frame]:
            raise NeumoError(f"{table}: got no column {lacking[0]!r}, expected one as MIMIC-CXR-JPG has it")
    labels, images, parts = (loaded[what] for what in _TABLES)
    for table, frame, key in ((tables[0], labels, _STUDY), (tables[2], parts, ["dicom_id"])):
        if (again := frame.duplicated(key)).any():
            row = again.to_numpy().argmax()
            raise NeumoError(f"{table}: got {' and '.join(key)} of row {row + 1} again, expected each once")
    file = tables[1]
    print(
        f"neumo: {file.parent}: joins {', '.join(table.name for table in tables)} by study and image",
        file=sys.stderr,
    )
    labels = labels[[*_STUDY, *labels.columns.difference(images.columns, sort=False)]]
    frame = images.merge(labels, "left", _STUDY).merge(parts[["dicom_id", "split"]], "left", "dicom_id")
    subject, study, name = (frame[column].str.strip() for column in (*_STUDY, "dicom_id"))
    groups = "p" + subject.str[:2]
    if any((file.parent / "files" / group).is_dir() for group in groups.unique()):
        frame["path"] = "files/" + groups + "/p" + subject + "/s" + study + "/" + name + ".jpg"
    else:
        said = "looks for images by their names anywhere below, as there is no folder such as"
        print(f"neumo: {file.parent}: {said} files/{groups.min()}", file=sys.stderr)
        frame["path"] = name
    return Joined(labelled(_viewed(frame, file), file, label_column), file, NAME, blanks=True)


def _viewed(frame: pd.DataFrame, file: Path) -> pd.DataFrame:
    """Rows whose view is the code's meaning where the position is blank; how many have neither is told."""
    view = filled(frame["ViewPosition"])
    if "ViewCodeSequence_CodeMeaning" in frame:
        view = view.fillna(filled(frame["ViewCodeSequence_CodeMeaning"]))
    if n := int(view.isna().sum()):
        print(f"neumo: {file}: counts {n:,} rows that tell no view as frontal", file=sys.stderr)
    return frame.assign(ViewPosition=view)


def _table(folder: Path, what: str) -> Path | None:
    names = (f"mimic-cxr-2.0.0-{what}.csv{packed}" for packed in ("", ".gz"))
    return next((folder / name for name in names if (folder / name).is_file()), None)
