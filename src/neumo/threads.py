"""The same work on many items, several at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS = min(32, os.cpu_count() or 1)
AHEAD = 32 + 4 * THREADS
"""Items that are worked on before they are asked for: enough for a stall of the disk, and 224 x 224 pixels of
each are a few megabytes."""


def in_threads(
    function: Callable[[T], R], items: Iterable[T], *, threads: int = THREADS, ahead: int = AHEAD
) -> Iterator[R]:
    """Yield ``function(item)`` for every item, in order; threads run a bounded number of items ahead.

    Threads are enough where the work is reading, hashing or decoding: all three let go of Python's lock.
    An error that `function` raises comes where its result would have been. After it, after Ctrl-C, or when
    the iterator is closed, what has not begun is not done.

    Args:
        function: what to do with one item.
        items: taken one by one, `ahead` of what is yielded.
        threads: items that are worked on at the same time.
        ahead: items, and results not yet asked for, that are held at most.

    Example:
        >>> list(in_threads(abs, [-1, 2, -3]))
        [1, 2, 3]
    """
    rest = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[R]] = deque(pool.submit(function, item) for item in islice(rest, ahead))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(rest, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
