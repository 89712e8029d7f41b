"""NIH ChestX-ray14: a table of findings, and beside it lists of the files in each part."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

NAME = "NIH ChestX-ray14"
TABLE = re.compile(r"Data_Entry_2017\w*\.csv")
HEADINGS = {"Image Index", "Finding Labels", "Patient ID", "View Position"}
OPTIONS = "--positive Pneumonia"
"""What to say of its findings, as most of its images have another one than pneumonia."""

_LISTS = {"train_val_list.txt": "train", "test_list.txt": "test"}
"""What lies beside the table, and the part of the files that it names."""


def by_lists(path: pd.Series, file: Path) -> pd.Series:
    """The part of each image as the lists beside a table have it, which is told; NA where there are none.

    Args:
        path: where the images are, NA where they are not.
        file: the table.
    """
    part_of: dict[str, str] = {}
    lists = {part: file.parent / name for name, part in _LISTS.items()}
    if all(one.is_file() for one in lists.values()):
        for part, one in lists.items():
            lines = one.read_text("utf-8-sig", "replace").replace("\\", "/").splitlines()
            part_of |= {Path(line.strip()).stem: part for line in lines}
    found = path.map(lambda name: Path(name).stem, na_action="ignore").map(part_of).astype("str")
    if part_of:
        named = f"{found.notna().sum():,} of {path.notna().sum():,} images"
        print(f"neumo: {file}: is divided as {' and '.join(_LISTS)} say, which name {named}", file=sys.stderr)
    return found
