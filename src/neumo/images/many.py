"""Any number of radiographs, read ahead in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from neumo.errors import UnreadableImageError
from neumo.images.read import Inspection, inspect_radiograph
from neumo.threads import in_threads

Read = tuple[str | Path, Inspection | UnreadableImageError]
"""A path as it was given, with what is in the file or why it cannot be read."""

KEPT_BACK = 256
"""Errors that a batch holds at most, so that they are told of in order."""


def inspect_many(paths: Iterable[str | Path | UnreadableImageError]) -> Iterator[Read]:
    """Inspect files in threads, a bounded number ahead; one that cannot be read does not stop the others.

    An error among them, of a file that could not even be looked for, comes out in its place.
    """
    return in_threads(_inspect, paths)


def in_batches(read: Iterable[Read], size: int) -> Iterator[list[Read]]:
    """Group what was read, in order: `size` images and the errors among them; fewer where errors abound."""
    batch: list[Read] = []
    images = 0
    for one in read:
        batch.append(one)
        images += isinstance(one[1], Inspection)
        if images == size or len(batch) - images == KEPT_BACK:
            yield batch
            batch, images = [], 0
    if batch:
        yield batch


def _inspect(path: str | Path | UnreadableImageError) -> Read:
    if isinstance(path, UnreadableImageError):
        return path.path, path
    try:
        return path, inspect_radiograph(path)
    except UnreadableImageError as error:
        error.__cause__ = error.__context__ = None  # they hold the file, and it may wait long
        return path, error.with_traceback(None)
    except PermissionError:
        return path, UnreadableImageError(path, "no permission", "a file that this user may read")
