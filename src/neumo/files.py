"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    part = path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}")
    try:
        with named(path):
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def named(path: str | Path) -> Iterator[None]:
    """Name the file that is written in errors of the system that name none, as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def cache_folder() -> Path:
    """The folder for everything that can be computed again: ``$NEUMO_CACHE`` or the user's cache folder."""
    import platformdirs

    folder = os.environ.get("NEUMO_CACHE")
    return Path(folder).expanduser() if folder else Path(platformdirs.user_cache_dir("neumo"))
