"""What decoding shows of every image, computed once per content."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neumo import __version__
from neumo.errors import NeumoError, UnreadableImageError
from neumo.files import cache_folder
from neumo.images.exposure import EXPOSURE, exposure
from neumo.images.read import pixels_id
from neumo.progress import track
from neumo.threads import in_threads

HASH_SIZE = 16  # 16 x 16 coefficients: a perceptual hash of 256 bits
_AT_ONCE = 500  # images in one query; SQLite takes at least 999 values
_BATCH = 256  # images between two commits: what a kill -9 costs at most
_KIND = f"{__version__} {json.dumps(pixels_id())} phash {HASH_SIZE} exposure"
"""What is remembered depends on this, beside an image's bytes."""


def inspect_images(table: pd.DataFrame) -> pd.DataFrame:
    """Decode every image of the table in threads and tell what was seen.

    What was seen of an image is kept in ``inspections.sqlite`` in `neumo.files.cache_folder` by
    the SHA-256 of its file, so a second call decodes nothing but what could not be read.

    Args:
        table: columns path, sha256.

    Returns:
        On the table's index: mode (str), width and height (pixels), problems (tuple of str, see
        `neumo.images.read.Inspection`), unreadable (str, why it cannot be decoded, else ""), phash (bytes,
        32 of them: `imagehash.phash` of the image at 224 x 224; b"" where it cannot be decoded), and the
        numbers of `neumo.images.exposure.EXPOSURE` of the same (NaN where it cannot be decoded).
    """
    paths = dict(zip(table["sha256"], table["path"], strict=True))  # images of one content are decoded once
    with _memory() as memory:
        seen = _remembered(memory, list(paths))
        new = [sha256 for sha256 in paths if sha256 not in seen]
        batch: list[tuple[str, str, str]] = []
        try:
            files = (Path(paths[sha256]) for sha256 in new)
            work = track(in_threads(_inspect, files), "Inspecting images", len(new)) if new else iter(())
            for sha256, found in zip(new, work, strict=True):
                seen[sha256] = _row(found)
                if not found["unreadable"]:  # another version of a library may read it
                    batch.append((sha256, _KIND, json.dumps(found)))
                if len(batch) == _BATCH:
                    _keep(memory, batch)
        finally:
            _keep(memory, batch)
    rows = pd.DataFrame(
        [seen[sha256] for sha256 in table["sha256"]], index=table.index, columns=list(_NOTHING)
    )
    return rows.astype(dict.fromkeys(EXPOSURE, "float64"))


def readable(table: pd.DataFrame, seen: pd.DataFrame, *, skip: bool) -> pd.Series:
    """Which rows of a table have an image that can be decoded, bool on its index.

    Args:
        table: column path.
        seen: from `inspect_images`.
        skip: whether the others may be left out.

    Raises:
        NeumoError: there are others, and they may not.
    """
    good = seen["unreadable"] == ""
    if not good.all() and not skip:
        first, n = seen.index[~good][0], (~good).sum()
        more = f" (and {n - 1:,} more)" if n > 1 else ""
        raise NeumoError(
            f"{table['path'][first]}: {seen['unreadable'][first]}{more}; "
            "--skip-unreadable leaves such images out"
        )
    return good


_NOTHING: dict[str, Any] = {
    "mode": "",
    "width": 0,
    "height": 0,
    "problems": [],
    "unreadable": "",
    "phash": "",
    **dict.fromkeys(EXPOSURE),
}


def _remembered(memory: sqlite3.Connection, wanted: list[str]) -> dict[str, tuple[Any, ...]]:
    """Rows by SHA-256 of those images that were seen before."""
    found: dict[str, tuple[Any, ...]] = {}
    for some in (wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)):
        marks = ",".join("?" * len(some))
        known = memory.execute(
            f"SELECT sha256, seen FROM inspections WHERE kind = ? AND sha256 IN ({marks})", (_KIND, *some)
        )
        found |= {sha256: _row(json.loads(seen)) for sha256, seen in known}
    return found


def _row(found: dict[str, Any]) -> tuple[Any, ...]:
    """What was seen, in the order of `_NOTHING`: a hundred thousand of them are held."""
    told = {**found, "problems": tuple(found["problems"]), "phash": bytes.fromhex(found["phash"])}
    return tuple(told[name] for name in _NOTHING)


def _inspect(path: Path) -> dict[str, Any]:
    import imagehash
    from PIL import Image

    from neumo.images.read import inspect_radiograph

    try:
        found = inspect_radiograph(path)
    except UnreadableImageError as error:
        return {**_NOTHING, "unreadable": str(error).removeprefix(f"{error.path}: ")}
    bits = imagehash.phash(Image.fromarray(found.pixels), HASH_SIZE).hash
    return {
        "mode": found.mode,
        "width": found.width,
        "height": found.height,
        "problems": list(found.problems),
        "unreadable": "",
        "phash": np.packbits(bits).tobytes().hex(),
        **exposure(found.pixels),
    }


def _keep(memory: sqlite3.Connection, batch: list[tuple[str, str, str]]) -> None:
    """Write a batch down and empty it; a full disk only costs the next audit time, so it stops nothing."""
    with suppress(sqlite3.OperationalError), memory:
        memory.executemany("INSERT OR REPLACE INTO inspections VALUES (?, ?, ?)", batch)
    batch.clear()


@contextmanager
def _memory() -> Iterator[sqlite3.Connection]:
    """The cache's database; in memory where it cannot be written, made anew (a line says so) where broken."""
    file = cache_folder() / "inspections.sqlite"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        database = _open(str(file))
    except (sqlite3.OperationalError, OSError):  # locked, read-only, full
        database = _open(":memory:")
    except sqlite3.DatabaseError as error:
        print(f"neumo: {file}: got a broken cache ({error}); it is made anew", file=sys.stderr)
        with suppress(FileNotFoundError):  # another process has moved it already
            file.replace(file.with_suffix(".broken"))
        for end in ("-wal", "-shm"):  # else SQLite would write what is left in them into the new file
            file.with_name(file.name + end).unlink(missing_ok=True)
        database = _open(str(file))
    with closing(database):
        yield database


def _open(file: str) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=60)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS inspections (sha256, kind, seen, PRIMARY KEY (sha256, kind))"
        )
        database.commit()
        if (found := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(found)
    except sqlite3.Error:
        database.close()
        raise
    return database
