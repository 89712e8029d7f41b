"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SHIPPED = Path(__file__).with_name("pneumonia.neumo")
"""The classifier that neumo brings; docs/shipped-classifier.md is its card."""

ARRAYS = ".npz"
"""The suffix of an archive of arrays: a ZIP archive that is data, and no classifier."""

MARK = ".neumo-"
"""What a file's name begins with that says what neumo wrote its folder for: a verb's results, or a split."""

SPLIT_MARK = f"{MARK}split.json"
"""In the folder of a split, which alone is data; see `neumo.data.layout`."""


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there when the block ends well.

    A reader sees the old file or the new one, never half of one, whenever the writer is killed.

    Example:
        >>> with whole_file("results.json") as part:
        ...     part.write_text("{}")

    Raises:
        OSError: the folder cannot be written or the disk is full; the old file is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path, path.suffix)
    try:
        with named(path, part):
            yield part
            settle(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table without its index as CSV in UTF-8, whole or not at all; a missing cell is empty.

    Where a cell has a carriage return, as a file's name may, lines end in two characters: Python before 3.13
    leaves one bare where they end in a line feed alone, and readers take it for the end of a row.

    Raises:
        OSError: as `whole_file`.
    """
    text = table.to_csv(index=False)
    if "\r" in text:
        text = table.to_csv(index=False, lineterminator="\r\n")
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def part_of(path: Path, suffix: str) -> Path:
    """A temporary path beside `path` that no other process writes to; it ends in `suffix`."""
    return path.with_name(f".{path.name}.{os.getpid()}.part{suffix}")


def settle(part: Path, path: Path) -> None:
    """Give a file that is written its name, once the disk has all of it."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)


@contextmanager
def named(path: str | Path, part: Path | None = None) -> Iterator[None]:
    """Name the file that is written in errors of the system that name none, as that of a full disk.

    Or that name `part`, its temporary path, which nobody knows.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None or error.filename in (part, str(part)):
            error.filename = str(path)
        raise


def expanded(path: str | Path) -> Path:
    """A path whose ``~`` or ``~name`` stands for a user's folder; as it is where the system knows of none."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises a RuntimeError there


def same_file(path: str | Path, other: str | Path) -> bool:
    """Whether two paths lead to one file; not where one of them leads nowhere or cannot be followed."""
    try:
        return os.path.samefile(path, other)  # noqa: PTH121
    except (OSError, ValueError):  # a NUL in a name
        return False


def size_on_disk(folder: Path, pattern: str) -> int:
    """Bytes of the files with such names in a folder, without those that another process just takes away."""
    size = 0
    with suppress(FileNotFoundError):  # the folder itself
        for file in folder.glob(pattern):
            with suppress(FileNotFoundError):
                size += file.stat().st_size
    return size


def lock(file: IO[bytes], *, wait: bool) -> bool:
    """Keep other processes from locking the same file, until it is closed or this process ends.

    Args:
        file: open for writing.
        wait: until it is free.

    Returns:
        Whether it is locked now; always true on Windows, which has no such locks.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def cache_folder() -> Path:
    """The folder for everything that can be computed again: ``$NEUMO_CACHE`` or the user's cache folder."""
    import platformdirs

    folder = os.environ.get("NEUMO_CACHE")
    return expanded(folder) if folder else Path(platformdirs.user_cache_dir("neumo"))


def claim(folder: str | Path, verb: str) -> Path:
    """Make a folder for what a verb writes, or see that an earlier call of the verb made it.

    Raises:
        NeumoError: it is a file, or has files that are not of this verb.
    """
    from neumo.errors import NeumoError

    folder, marker = Path(folder), f"{MARK}{verb}"
    if folder.exists() and not folder.is_dir():
        raise NeumoError(f"{folder}: got a file, expected a folder for the results")
    if folder.exists() and any(folder.iterdir()) and not (folder / marker).is_file():
        expected = f"expected a new one or one of a neumo {verb}"
        raise NeumoError(f"{folder}: got a folder with other files, {expected}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / marker).write_text(
        f"neumo {verb} writes its results here, and over what it wrote before.\n", encoding="utf-8"
    )
    return folder


@contextmanager
def claimed(folder: str | Path, verb: str) -> Iterator[Path]:
    """The same as `claim`, and no other process may write there until the block ends.

    Raises:
        NeumoError: also, another one is writing there.
    """
    from neumo.errors import NeumoError

    folder = claim(folder, verb)
    with (folder / f"{MARK}{verb}").open("ab") as marker:
        if not lock(marker, wait=False):
            raise NeumoError(f"{folder}: got a run that is still writing there, expected it to be done; wait")
        yield folder
