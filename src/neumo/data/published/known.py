"""The public data sets that neumo knows by the names of their tables."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from neumo.data.columns import is_listing
from neumo.data.image_files import is_table
from neumo.data.joined import Joined
from neumo.data.published import chexpert, covidx, mimic_cxr, nih, padchest, vindr_cxr
from neumo.errors import NeumoError

_SETS = (mimic_cxr, chexpert, vindr_cxr, covidx)
_ASKING = (nih, padchest)
"""Those of one table like any other's, of which has to be said what is positive."""

_DEPTH = 5

_DETAILS = {
    "stage_2_detailed_class_info.csv": "stage_2_train_labels.csv",  # RSNA's pneumonia detection challenge
    "BBox_List_2017.csv": "Data_Entry_2017",  # NIH ChestX-ray14: boxes of a thousand images
}
"""Tables that say more of some images, and what the name of that of all labels beside them begins with."""

NO_LABEL = " "
"""A column of labels that no table has: only the images are asked for."""


def joined(data: Path, label_column: str | None = None) -> Joined | None:
    """The tables of a known data set as one, given one of them or a folder; None of another data set.

    A folder that only wraps another one is passed through.

    Raises:
        NeumoError: the set is there in part, its tables do not fit together, or there is another one beside
            them that could be read instead.
    """
    for _ in range(_DEPTH):
        for known in _SETS:
            if tables := known.find(data):
                if data.is_dir():
                    _refuse_others(data, known.NAME, known.OWN)
                return known.read(tables, label_column)
        names = os.listdir(data) if data.is_dir() else []  # noqa: PTH208 - of many files, faster
        inside = [name for name in names if not name.startswith(".")]
        if len(inside) != 1 or not (data / inside[0]).is_dir():
            return None
        data = data / inside[0]
    return None


def to_go_on(table: Path, headings: Iterable[str]) -> str:
    """How to go on with a table of which has to be said what is positive, "" of one that is not known."""
    for known in _ASKING:
        if known.TABLE.fullmatch(table.name) and known.HEADINGS.issubset(headings):
            command = f"neumo audit {shlex.quote(str(table))} {known.OPTIONS}"
            return f"as this is {known.NAME}, go on with {command}"
    return ""


def is_detail(table: Path, tables: Sequence[Path]) -> bool:
    """Whether a table of a public data set says more of images that another one here has the labels of."""
    main = _DETAILS.get(table.name)
    return main is not None and any(other.name.startswith(main) for other in tables)


def _refuse_others(folder: Path, name: str, own: re.Pattern[str]) -> None:
    others = [p for p in sorted(folder.iterdir()) if is_table(p) and p.suffix.lower() != ".txt"]
    for other in others:
        if not own.match(other.name) and is_listing(other, {}):
            raise NeumoError(
                f"{folder}: got the tables of {name} and {other.name}, expected one of them to be named"
            )
