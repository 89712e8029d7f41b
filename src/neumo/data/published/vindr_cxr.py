"""VinDr-CXR: a table of what each of three readers says of the training images, beside one of consensus."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

from neumo.data.columns import load
from neumo.data.joined import Joined, headed, in_folder, one_after_another
from neumo.errors import NeumoError

NAME = "VinDr-CXR"
OWN = re.compile(r"(image_labels|annotations)_(train|test)\.csv")
"""The names of the makers' tables."""

_TABLES = {"image_labels_train.csv": "train", "image_labels_test.csv": "test"}
_FOLDER = "annotations"
_HEADINGS = {"image_id", "Aortic enlargement", "Pneumonia", "No finding"}


def find(data: Path) -> list[Path]:
    """The tables in a folder or in ``annotations`` there, or the one that is given; none of another set."""
    return headed(data, _TABLES, _HEADINGS) or headed(data / _FOLDER, _TABLES, _HEADINGS)


def read(tables: list[Path], label_column: str | None) -> Joined:
    """The images of both tables, each with what most of its readers say.

    Raises:
        NeumoError: a reader says anything but 0 and 1.
    """
    finding = label_column or "Pneumonia"
    root = tables[0].parent
    root = root.parent if root.name == _FOLDER else root
    frames = []
    for table in tables:
        part, frame = _TABLES[table.name], load(table)
        if finding in frame:
            frame = _majority(frame, table, finding)
        frames.append(frame.assign(image_id=in_folder(frame["image_id"], root, part)))
    parts = [_TABLES[table.name] for table in tables]
    return one_after_another([root / one.name for one in tables], frames, NAME, parts=parts, blanks=True)


def _majority(frame: pd.DataFrame, table: Path, finding: str) -> pd.DataFrame:
    """One row for each image, its finding 1 or 0 as most rows say, NA where as many say one as the other."""
    said = pd.to_numeric(frame[finding], errors="coerce")
    if (other := ~said.isin((0, 1))).any():
        row = int(other.to_numpy().argmax())
        raise NeumoError(
            f"{table}: got {frame[finding][row]!r} for {finding!r} in row {row + 1}, expected 0 or 1"
        )
    share = said.groupby(frame["image_id"]).mean()
    split, even = int((~share.isin((0, 1))).sum()), int(share.eq(0.5).sum())
    if split:
        print(
            f"neumo: {table}: takes what most readers say ({finding!r}) of {split - even:,} images on which "
            f"they differ, and {even:,} on which they are evenly divided for unlabelled",
            file=sys.stderr,
        )
    label = share.gt(0.5).map({True: "1", False: "0"}).mask(share.eq(0.5))
    first = frame.drop_duplicates("image_id")
    return first.assign(**{finding: first["image_id"].map(label).astype("str")})
