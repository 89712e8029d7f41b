"""The same work on many files, several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from neumo.progress import track

T = TypeVar("T")
R = TypeVar("R")


def in_threads(function: Callable[[T], R], items: Sequence[T], what: str) -> Iterator[R]:
    """Yield ``function(item)`` for every item, in order, under a progress bar titled `what`.

    Threads are enough where the work is reading, hashing or decoding: all three let go of Python's lock.
    Ctrl-C, or an error that `function` raises, ends it at once: what has not begun is not done.
    """
    with ThreadPoolExecutor(min(32, 2 * (os.cpu_count() or 1))) as pool:
        try:
            yield from track(pool.map(function, items), what, total=len(items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
