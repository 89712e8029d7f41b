"""A split in a file: as CSV or Parquet, for other tools or for the same division again."""

from __future__ import annotations

from collections.abc import Iterable
from os.path import commonpath
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from neumo.data.split import CLASSES, PARTS, lacking
from neumo.data.table import check_table
from neumo.errors import NeumoError
from neumo.files import whole_file, write_csv

_COLUMNS = ["path", "sha256", "label", "part"]


def save_split(split: pd.DataFrame, file: str | Path) -> None:
    """Save a split as CSV or Parquet, by the suffix of `file`: columns path, sha256, label, part.

    Paths are relative to the folder that holds all images, so that the file holds on another machine.

    Raises:
        NeumoError: another suffix, or `split` is not divided.
    """
    check_table(split, *_COLUMNS)
    saved = split[["sha256", "label", "part"]].assign(path=_relative(split["path"], _root(split)))[_COLUMNS]
    _check_suffix(file)
    if Path(file).suffix.lower() == ".csv":
        write_csv(saved, file)
    else:
        with whole_file(file) as part:
            saved.to_parquet(part, index=False)


def load_split(file: str | Path, table: pd.DataFrame, left_out: Iterable[str] = ()) -> pd.DataFrame:
    """Give `table` the column `part` that was saved, after a check that it is about the same images.

    Args:
        file: written by `save_split`; its column `part` may have been edited.
        table: the images as read now, in any order, wherever the data set lies.
        left_out: paths of the data set's images that are not in `table`, such as unreadable ones; they may be
            in the file.

    Raises:
        NeumoError: the file cannot be read or lacks a column; a part has another name than those in `PARTS`;
            an image is in one of the two only, has other bytes or another label; a part lacks a class.
    """
    check_table(table, "path", "sha256", "label")
    saved = _read(file)
    first = 2 if Path(file).suffix.lower() == ".csv" else 0  # a CSV's first row stands on line 2
    where = "line" if first else "row"
    if wrong := [
        f"{where} {i + first}: {part!r}" for i, part in enumerate(saved["part"]) if part not in PARTS
    ]:
        raise NeumoError(f"{file}: got as part {_some(wrong)}, expected {', '.join(PARTS)}")
    if twice := [
        f"{where} {i + first}: {saved['path'][i]}" for i in np.flatnonzero(saved["path"].duplicated())
    ]:
        raise NeumoError(f"{file}: got an image a second time ({_some(twice)}), expected each once")

    root = _root(table)
    paths = _relative(table["path"], root)
    known = saved[~saved["path"].isin(_relative(left_out, root))].set_index("path")
    sha256 = dict(zip(paths, table["sha256"], strict=True))
    label = dict(zip(paths, table["label"].astype(str), strict=True))
    wrong = [f"{path} (not in the data set)" for path in known.index if path not in sha256]
    wrong += [f"{path} (not in the split)" for path in paths if path not in known.index]
    for path, its_sha256, its_label in zip(known.index, known["sha256"], known["label"], strict=True):
        if path in sha256 and its_sha256 != sha256[path]:
            wrong.append(f"{path} (other bytes)")
        elif path in label and its_label != label[path]:
            wrong.append(f"{path} (label {its_label} in the split, {label[path]} in the data set)")
    if wrong:
        raise NeumoError(
            f"{file}: got a split that differs in {len(wrong)} images, expected one of this data set: "
            f"{_some(wrong)}"
        )
    part = known["part"].reindex(paths).to_numpy()
    divided = table.assign(part=pd.Series(part, index=table.index, dtype="str"))
    if gap := lacking(divided, [p for p in PARTS if p != "validation" or (divided["part"] == p).any()]):
        raise NeumoError(
            f"{file}: got a {gap[0]} part without {CLASSES[gap[1]]} images, expected both classes"
        )
    return divided


def _root(table: pd.DataFrame) -> PurePath:
    """The folder that holds all images."""
    return PurePath(commonpath([PurePath(path).parent for path in table["path"]]))


def _relative(paths: Iterable[str], root: PurePath) -> list[str]:
    """Those of the paths that lie in a folder, from there on, with forward slashes."""
    return [path.relative_to(root).as_posix() for path in map(PurePath, paths) if path.is_relative_to(root)]


def _read(file: str | Path) -> pd.DataFrame:
    """A saved split with all its columns as str."""
    _check_suffix(file)
    if not Path(file).is_file():
        raise NeumoError(f"{file}: got no such file, expected a saved split")
    try:
        if Path(file).suffix.lower() == ".csv":
            saved = pd.read_csv(file, dtype=str, keep_default_na=False)
        else:
            saved = pd.read_parquet(file)
    except PermissionError:
        raise
    except (ValueError, OSError) as error:  # what the parsers of pandas and pyarrow raise
        raise NeumoError(f"{file}: got an unreadable file ({error}), expected a saved split") from None
    if missing := [column for column in _COLUMNS if column not in saved]:
        raise NeumoError(
            f"{file}: got no column {', '.join(missing)}, expected the columns {', '.join(_COLUMNS)}"
        )
    return saved[_COLUMNS].astype("str").fillna("").reset_index(drop=True)


def _check_suffix(file: str | Path) -> None:
    if Path(file).suffix.lower() not in (".csv", ".parquet"):
        raise NeumoError(f"{file}: got the suffix {Path(file).suffix!r}, expected .csv or .parquet")


def _some(names: list[str], most: int = 20) -> str:
    return "; ".join(names[:most]) + (f"; and {len(names) - most} more" if len(names) > most else "")
