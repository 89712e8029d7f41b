"""Work in threads: all of it, in order, a bounded part ahead, none after the end."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from neumo.threads import in_threads


def test_keeps_the_order_whatever_takes_longest() -> None:
    def work(x: int) -> int:
        time.sleep(0.002 * (x % 3 == 0))
        return x * x

    assert list(in_threads(work, range(300), threads=4)) == [x * x for x in range(300)]
    assert list(in_threads(work, [])) == []
    assert list(in_threads(work, range(3), ahead=100)) == [0, 1, 4]


def test_works_on_several_at_a_time() -> None:
    """Each waits for the others: with fewer threads than that it would never end."""
    together = threading.Barrier(3, timeout=30)
    assert len(list(in_threads(lambda _: together.wait(), range(9), threads=3))) == 9


@pytest.mark.parametrize("ahead", [1, 2, 7])
def test_takes_a_bounded_number_ahead(ahead: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    stream = in_threads(lambda x: x, items(), ahead=ahead)
    for number in range(20):
        assert next(stream) == number
        assert len(taken) == number + 1 + ahead
    stream.close()  # type: ignore[attr-defined]
    assert len(taken) == 20 + ahead


def test_an_error_comes_where_its_result_would_have_been() -> None:
    begun: list[int] = []

    def work(x: int) -> int:
        begun.append(x)
        if x == 50:
            raise ValueError(x)
        return x

    stream = in_threads(work, range(2_000), threads=2, ahead=10)
    assert [next(stream) for _ in range(50)] == list(range(50))
    with pytest.raises(ValueError, match="50"):
        next(stream)
    assert len(begun) <= 61


@pytest.mark.parametrize("end", ["closed", "interrupted"])
def test_what_has_not_begun_when_it_ends_is_not_done(end: str) -> None:
    go, begun = threading.Event(), []

    def work(x: int) -> int:
        begun.append(x)
        assert x == 0 or go.wait(30)
        return x

    stream = in_threads(work, range(100), threads=2, ahead=50)
    assert next(stream) == 0
    threading.Timer(0.2, go.set).start()  # the two that have begun hold up the end until then
    if end == "closed":
        stream.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(KeyboardInterrupt):
            stream.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    assert len(begun) <= 4
