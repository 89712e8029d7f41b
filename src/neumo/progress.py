"""Progress bars for long work."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` one by one under a bar that is titled `what`.

    The bar is drawn on standard error, so that standard output stays clean for programs, and only when
    standard error is a terminal. Bars nest: one bar inside the loop of another is drawn below it.

    Args:
        items: what to go through.
        what: the bar's title, for example ``"Reading radiographs"``.
        total: how many items there are; taken from ``len(items)`` where it has one.
    """
    bar = advance(what, len(items) if total is None and hasattr(items, "__len__") else total)  # type: ignore[arg-type]
    with bar:
        for item in items:
            yield item
            bar.step()


class advance:  # noqa: N801 - used as a function: `with advance("Fitting", 40) as bar: bar.step()`
    """A bar that the caller moves itself, for work that ends in batches.

    Example:
        >>> with advance("Computing features", total=32) as bar:
        ...     bar.step(16)
        ...     bar.step(16)
    """

    _live = None
    _depth = 0

    def __init__(self, what: str, total: int | None = None) -> None:
        self.what = what
        self.total = total

    def __enter__(self) -> advance:
        if advance._live is None:
            advance._live = _new_display()
            advance._live.start()
        advance._depth += 1
        self._task = advance._live.add_task(self.what, total=self.total)
        return self

    def step(self, n: int = 1) -> None:
        """Move the bar on by `n` items."""
        assert advance._live is not None
        advance._live.advance(self._task, n)

    def __exit__(self, *_: object) -> None:
        assert advance._live is not None
        advance._depth -= 1
        if advance._depth == 0:
            advance._live.stop()
            advance._live = None
        else:
            advance._live.remove_task(self._task)


def _new_display():  # type: ignore[no-untyped-def]  # rich is imported only where a bar is drawn
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        redirect_stdout=sys.stdout.isatty(),  # else what goes into a file would be drawn above the bar
        disable=not console.is_terminal,
        transient=True,
    )
