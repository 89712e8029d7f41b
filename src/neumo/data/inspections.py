"""What decoding shows of every image, computed once per content."""

from __future__ import annotations

import json
from contextlib import suppress
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
from neumo.store import Store
from neumo.threads import in_threads

HASH_SIZE = 16  # 16 x 16 coefficients: a perceptual hash of 256 bits
_BATCH = 256  # images between two commits: what a kill -9 costs at most
_COLUMNS = ("mode", "width", "height", "problems", "unreadable", "phash", *EXPOSURE)
_Row = tuple[Any, ...]
_SPACE = {"neumo": __version__, "pixels": pixels_id(), "phash": HASH_SIZE, "columns": _COLUMNS}
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
    with Store(cache_folder() / "inspections.sqlite", _to_bytes, _from_bytes) as store:
        seen: dict[str, _Row] = {}
        with suppress(NeumoError):  # then nothing is remembered, which only costs time
            seen = store.get_many(_SPACE, list(paths))
        new = [sha256 for sha256 in paths if sha256 not in seen]
        batch: dict[str, _Row] = {}
        try:
            files = (Path(paths[sha256]) for sha256 in new)
            work = track(in_threads(_inspect, files), "Inspecting images", len(new)) if new else iter(())
            for sha256, found in zip(new, work, strict=True):
                seen[sha256] = found
                if not found[_COLUMNS.index("unreadable")]:  # another version of a library may read it
                    batch[sha256] = found
                if len(batch) == _BATCH:
                    _keep(store, batch)
        finally:
            _keep(store, batch)
    rows = pd.DataFrame(
        [seen[sha256] for sha256 in table["sha256"]], index=table.index, columns=list(_COLUMNS)
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


def _inspect(path: Path) -> _Row:
    """What is seen of an image, a value for each of `_COLUMNS`."""
    import imagehash
    from PIL import Image

    from neumo.images.read import inspect_radiograph

    try:
        found = inspect_radiograph(path)
    except UnreadableImageError as error:
        return ("", 0, 0, (), str(error).removeprefix(f"{error.path}: "), b"", *[None] * len(EXPOSURE))
    bits = imagehash.phash(Image.fromarray(found.pixels), HASH_SIZE).hash
    numbers = exposure(found.pixels)
    phash = np.packbits(bits).tobytes()
    seen = (found.mode, found.width, found.height, found.problems, "", phash)
    return (*seen, *(numbers[name] for name in EXPOSURE))


def _to_bytes(row: _Row) -> bytes:
    told = dict(zip(_COLUMNS, row, strict=True))
    return json.dumps({**told, "phash": told["phash"].hex()}).encode()


def _from_bytes(data: bytes) -> _Row:
    told = json.loads(data)
    told |= {"problems": tuple(told["problems"]), "phash": bytes.fromhex(told["phash"])}
    return tuple(told[name] for name in _COLUMNS)


def _keep(store: Store[_Row], batch: dict[str, _Row]) -> None:
    """Write a batch down and empty it; a full disk only costs the next audit time, so it stops nothing."""
    with suppress(NeumoError):
        store.put_many(_SPACE, batch)
    batch.clear()
