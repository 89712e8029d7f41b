"""CheXpert: a table of the training images beside one of 234 that its makers set apart."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd

from neumo.data.columns import filled, load
from neumo.data.joined import Joined, headed, one_after_another
from neumo.data.places import relative

NAME = "CheXpert"
OWN = re.compile(r"(train|valid)(_(visual)?CheXbert)?\.csv", re.IGNORECASE)
"""The names of the makers' tables, those of their later labelers among them, which are not read."""

_TABLES = {"train.csv": "train", "valid.csv": "test"}
"""The tables, and what neumo calls their parts: the makers' test set came later, and elsewhere."""
_BATCH = re.compile(r"CheXpert\b.* batch \d+ \(.+\)", re.IGNORECASE)
"""The names of the folders that the set is handed out in: the tables in the first, patients in the others."""

_HEADINGS = {"Path", "Frontal/Lateral", "AP/PA", "No Finding", "Pneumonia", "Support Devices"}


def find(data: Path) -> list[Path]:
    """The tables in a folder or in a batch's folder there, or the one given; none of another data set."""
    if tables := headed(data, _TABLES, _HEADINGS):
        return tables
    return next(filter(None, (headed(batch, _TABLES, _HEADINGS) for batch in _batches(data))), [])


def read(tables: list[Path], label_column: str | None) -> Joined:
    """Both tables as one, those of ``valid.csv`` as the test part; or the one that was named.

    They say ``train/patient00001/...``. Where there is no such folder, images are looked for in the batches'
    folders and beside the tables, in the only one there that has the patient.
    """
    root = tables[0].parent
    if _BATCH.fullmatch(root.name) and len(_batches(root.parent)) > 1:
        root = root.parent
    frames = []
    for table in tables:
        frame = load(table)
        here = frame["Path"].str.replace(r"^CheXpert[^/]*/(?=train/|valid/)", "", regex=True)
        frames.append(frame.assign(Path=_placed(here, root)))
    parts = [_TABLES[table.name] for table in tables]
    called = [root / table.name for table in tables]
    whole = one_after_another(called, frames, NAME, parts=parts, blanks=True)
    if tables[1:]:
        print(f"neumo: {whole.file}: counts valid.csv as the data set's own test set", file=sys.stderr)
    return replace(whole, frame=labelled(whole.frame, whole.file, label_column))


def _batches(folder: Path) -> list[Path]:
    """The folders of batches in a folder."""
    if not folder.is_dir():
        return []
    return [one for one in sorted(folder.iterdir()) if _BATCH.fullmatch(one.name) and one.is_dir()]


def _placed(listed: pd.Series, root: Path) -> pd.Series:
    """Paths from the folder on that has the patient, where that is not called as the table says."""
    found = listed
    for name in ("train", "valid"):
        asked = listed.str.startswith(f"{name}/").eq(True)
        if (root / name).is_dir() or not asked.any():
            continue
        times = Counter[str]()
        folder_of = {}
        for holder in (root, *_batches(root)):
            inner = holder / name if (holder / name).is_dir() else holder
            for patient in os.listdir(inner):  # noqa: PTH208 - of many folders, faster
                times[patient] += 1
                folder_of[patient] = relative(inner, root)
        only = {patient: folder for patient, folder in folder_of.items() if times[patient] == 1}
        rest = listed.str.removeprefix(f"{name}/")
        folder = rest.str.partition("/")[0].map(only).where(asked)
        moved = (folder + "/" + rest).str.removeprefix("./")
        found = moved.fillna(found)
    return found


def labelled(frame: pd.DataFrame, file: Path, label_column: str | None) -> pd.DataFrame:
    """Rows with the labels of CheXpert's labeler, 1, 0, -1 (uncertain) or none, as 1, 0 and none.

    Where no other column is asked for, an image without a word on pneumonia has none if the report has no
    finding at all. What is taken for what is told on standard error.

    Args:
        frame: columns "No Finding", "Pneumonia" and 12 more findings.
        file: that it is of.
        label_column: the finding that is asked for; None for pneumonia.
    """
    finding = label_column or "Pneumonia"
    if finding not in frame:
        return frame
    value = filled(frame[finding])
    uncertain = pd.to_numeric(value, errors="coerce").eq(-1)
    value = value.mask(uncertain)
    if n := int(uncertain.sum()):
        print(
            f"neumo: {file}: takes {n:,} rows that are uncertain ({finding!r} is -1) for unlabelled",
            file=sys.stderr,
        )
    if label_column is None:
        fine = value.isna() & ~uncertain & pd.to_numeric(frame["No Finding"], errors="coerce").eq(1)
        value = value.mask(fine, "0")
        if n := int(fine.sum()):
            print(f"neumo: {file}: counts {n:,} rows of 'No Finding' as no pneumonia", file=sys.stderr)
    return frame.assign(**{finding: value})
