"""Several tables of one data set, as one."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from neumo.data.columns import columns, is_headed, load
from neumo.data.table import official_part


@dataclass(frozen=True)
class Joined:
    """Tables of one data set that are read as one.

    Attributes:
        frame: as from `neumo.data.columns.load`; the index counts the rows that messages name from 0.
        file: what messages call the tables, in the folder that paths are relative to.
        name: of the data set.
        blanks: whether rows without a label are what the publisher means and are left out unasked.
    """

    frame: pd.DataFrame
    file: Path
    name: str
    blanks: bool = False


def stacked(tables: Sequence[Path], name: str, given: Mapping[str, str | None]) -> Joined | None:
    """Tables of one folder that are called alike but for the part of the data set ("train.csv", "test.csv").

    All of them have their paths and their labels under the same headings. Where none of the headings is one
    of parts, the tables' names say the part; where a folder called as the part lies beside them, it is where
    images are looked for that have a name only and are in it.

    Args:
        tables: with a column of paths and one of labels, see `neumo.data.columns.is_listing`.
        name: of the data set.
        given: names of columns, by what they hold.

    Returns:
        The rows of one table after those of the other; None where the tables are not so.
    """
    words = [_part_word(table) for table in tables]
    rest = {(table.parent, before, after) for table, (before, _, after) in zip(tables, words, strict=True)}
    parts = [word for _, word, _ in words]
    if len(rest) > 1 or "" in parts or len(set(parts)) < len(parts):
        return None
    frames = [load(table) for table in tables]
    found = [columns(frame, table, (), **given) for frame, table in zip(frames, tables, strict=True)]
    path, label, official = (found[0][what] for what in ("path", "label", "official"))
    if path is None or label is None or any((one["path"], one["label"]) != (path, label) for one in found):
        return None
    heading = official or "official"
    if not any(one["official"] for one in found):
        frames = [frame.assign(**{heading: part}) for frame, part in zip(frames, parts, strict=True)]
    elif any(one["official"] != official for one in found):
        return None
    for frame, part in zip(frames, parts, strict=True):
        frame[path] = in_folder(frame[path], tables[0].parent, part)
    return one_after_another(tables, frames, name)


def headed(data: Path, names: Collection[str], headings: Collection[str]) -> list[Path]:
    """The tables of these names in a folder, or the one that is given, that have all of these headings."""
    there = [data] if data.is_file() else [data / name for name in names]
    return [table for table in there if table.name in names and is_headed(table, headings)]


def one_after_another(
    tables: Sequence[Path],
    frames: Sequence[pd.DataFrame],
    name: str,
    *,
    parts: Sequence[str] | None = None,
    blanks: bool = False,
) -> Joined:
    """Tables of the same headings, the rows of one after those of the other, which is told; or one alone.

    Args:
        tables: as messages call them.
        frames: their rows.
        name: of the data set.
        parts: of the data set that they are, for a column ``official``; a table alone has none.
        blanks: as in `Joined`.
    """
    if len(tables) == 1:
        return Joined(frames[0], tables[0], name, blanks)
    if parts is not None:
        frames = [frame.assign(official=part) for frame, part in zip(frames, parts, strict=True)]
    called = f"{', '.join(table.name for table in tables[:-1])} and {tables[-1].name}"
    folder = tables[0].parent
    print(f"neumo: {folder}: reads {called}, one after the other", file=sys.stderr)
    return Joined(pd.concat(frames, ignore_index=True), folder / called, name, blanks)


def in_folder(path: pd.Series, root: Path, folder: str) -> pd.Series:
    """Paths with a folder before those that are only the name, with suffix or without, of a file in it."""
    if not (root / folder).is_dir():
        return path
    names = os.listdir(root / folder)  # noqa: PTH208 - of many files, faster
    times = Counter(os.path.splitext(name)[0] for name in names)  # noqa: PTH122 - likewise
    whole = {stem: name for name in names if times[stem := os.path.splitext(name)[0]] == 1}  # noqa: PTH122
    there = path.str.strip().map(whole | {name: name for name in names})
    return path.mask(there.notna(), f"{folder}/" + there.astype("str"))


def _part_word(table: Path) -> tuple[str, str, str]:
    """A table's name before the one word of it that is a part's, that and what follows; "" without one."""
    found = [
        word for word in re.finditer(r"[^\W_]+", table.name.split(".")[0]) if official_part(word.group())
    ]
    if len(found) != 1:
        return table.name, "", ""
    return table.name[: found[0].start()], found[0].group(), table.name[found[0].end() :]
