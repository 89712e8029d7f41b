"""COVIDx: lists of patient, file name, class and source between blanks, one for each part."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from neumo.data.joined import Joined, in_folder, one_after_another
from neumo.errors import NeumoError

NAME = "COVIDx"
OWN = re.compile(r"(train|val|test)((?:_COVIDx.*)?)\.txt")
"""The names of the makers' lists: the part, and the version."""

_ROW = re.compile(r"(.*?)\s+(\S+\.(?:png|jpe?g))\s+(\S+)(?:\s+\S+)?\s*", re.IGNORECASE)
"""Patient ("COVID 334" has a blank in it), file name, class and, but in early versions, source."""
_EXPECTED = "expected a patient, a file name, a class and a source between blanks"


def find(data: Path) -> list[Path]:
    """The lists in a folder, or the one that is given; none of another data set.

    Raises:
        NeumoError: there are lists of several versions.
    """
    inside = [data] if data.is_file() else sorted(data.glob("*.txt"))
    lists = [p for p in inside if OWN.fullmatch(p.name) and _is_ours(p)]
    versions = {_named(p)[1]: p.name for p in lists}
    if len(versions) > 1:
        names = ", ".join(sorted(versions.values()))
        raise NeumoError(f"{data}: got lists of several versions ({names}), expected those of one")
    return sorted(lists, key=lambda p: ("train", "val", "test").index(_named(p)[0]))


def read(tables: list[Path], label_column: str | None) -> Joined:
    """The lists as one; an image lies in the folder of its list's part, where there is one.

    In versions with the classes positive and negative, these are of COVID-19, which is told.

    Raises:
        NeumoError: a row is not as those of such lists.
    """
    frames, parts = [], [_named(table)[0] for table in tables]
    for table, part in zip(tables, parts, strict=True):
        frame = _rows(table)
        frames.append(frame.assign(path=in_folder(frame["path"], table.parent, part)))
    one = one_after_another(tables, frames, NAME, parts=parts)
    if not one.frame["class"].isin(["positive", "negative"]).all():
        return one
    print(
        f"neumo: {one.file}: takes positive for COVID-19; other pneumonia is among the negative images",
        file=sys.stderr,
    )
    said = one.frame["class"].map({"positive": "COVID-19", "negative": "not COVID-19"})
    return replace(one, frame=one.frame.assign(**{"class": said}))


def _rows(table: Path) -> pd.DataFrame:
    lines = pd.Series(table.read_text("utf-8-sig", "replace").splitlines(), dtype="str")
    lines = lines[lines.str.strip() != ""].reset_index(drop=True)
    found = lines.str.extract(f"^{_ROW.pattern}$", flags=re.IGNORECASE)
    if (other := found[0].isna()).any():
        row = int(other.to_numpy().argmax())
        raise NeumoError(f"{table}: got {lines[row][:80]!r} in row {row + 1}, {_EXPECTED}")
    found.columns = ["patient", "path", "class"]
    return found


def _named(table: Path) -> tuple[str, str]:
    """The part and the version that a list's name says."""
    named = OWN.fullmatch(table.name)
    return (named[1], named[2]) if named else ("", "")


def _is_ours(table: Path) -> bool:
    try:
        with table.open(encoding="utf-8-sig") as file:
            return _ROW.fullmatch(file.readline().strip()) is not None
    except (OSError, UnicodeDecodeError):
        return False
