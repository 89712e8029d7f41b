"""Images of many requests are computed together, in full batches where there is work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import numpy as np
import pytest

from neumo.classifier.findings import Finding
from neumo.errors import UnreadableImageError
from neumo.images.read import Inspection, inspect_radiograph
from neumo.serve.batching import Batching, Examined
from neumo.serve.limits import Admission, Limits, Upload
from tests.serve.conftest import drawn

FILES = [drawn(i, size=224) for i in range(4)]


class Engine:
    """Gives an image's mean grey level; computes when it is let."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.sizes: list[int] = []

    def __call__(self, pixels: np.ndarray, images: Sequence[Inspection]) -> list[Finding]:
        self.sizes.append(len(pixels))
        assert self.free.wait(20)
        return [Finding(float(image.mean()) / 255, 0.0) for image in pixels]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def admission() -> Admission:
    return Admission(Limits())


@pytest.fixture
def batching(engine: Engine) -> Iterator[Batching]:
    made = Batching(engine, batch=8, workers=1, readers=2, max_pixels=10**6)
    yield made
    engine.free.set()
    made.stop()


def upload(admission: Admission, data: bytes) -> Upload:
    made = admission.admit()
    made.write(data)
    made.file.seek(0)
    return made


def wait_until(true: object) -> None:
    until = time.monotonic() + 20
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.005)


def test_what_waits_is_computed_together(batching: Batching, engine: Engine, admission: Admission) -> None:
    engine.free.clear()
    first = batching.examine(upload(admission, FILES[0]))
    wait_until(lambda: engine.sizes == [1])  # alone, as nothing else was there
    rest = [batching.examine(upload(admission, FILES[i % 4])) for i in range(20)]
    wait_until(lambda: len(batching._waiting) == 20)
    engine.free.set()
    found = [one.result(20) for one in [first, *rest]]
    assert engine.sizes == [1, 8, 8, 4]
    means = [found[1 + i].finding.probability for i in range(4)]
    assert [one.finding.probability for one in found[1:]] == [means[i % 4] for i in range(20)]
    assert len(set(means)) > 1
    assert found[0] == Examined(found[0].finding, 224, 224)
    assert (admission.images, admission.bytes) == (0, 0)


def test_a_batch_waits_for_what_is_being_read(
    batching: Batching, engine: Engine, admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = threading.Event()

    def read_later(*given: Any, **options: Any) -> Inspection:
        assert sent.wait(20)
        return inspect_radiograph(*given, **options)

    monkeypatch.setattr("neumo.serve.batching.PATIENCE", 20.0)
    monkeypatch.setattr("neumo.serve.batching.inspect_radiograph", read_later)
    found = [batching.examine(upload(admission, FILES[i % 4])) for i in range(6)]
    sent.set()
    for one in found:
        one.result(10)
    assert engine.sizes == [6]


def test_an_unreadable_file_takes_no_place(batching: Batching, engine: Engine, admission: Admission) -> None:
    with pytest.raises(UnreadableImageError):
        batching.examine(upload(admission, b"text")).result(20)
    assert engine.sizes == []
    assert (admission.images, admission.bytes) == (0, 0)


def test_what_nobody_waits_for_is_not_computed(
    batching: Batching, engine: Engine, admission: Admission
) -> None:
    engine.free.clear()
    first = batching.examine(upload(admission, FILES[0]))
    wait_until(lambda: engine.sizes == [1])
    others: list[Future[Examined]] = [batching.examine(upload(admission, FILES[1])) for _ in range(5)]
    wait_until(lambda: len(batching._waiting) == 5)
    for one in others[:4]:
        assert one.cancel()
    engine.free.set()
    first.result(20)
    others[4].result(20)
    assert engine.sizes == [1, 1]
    with pytest.raises(CancelledError):
        others[0].result()
    wait_until(lambda: (admission.images, admission.bytes) == (0, 0))


def test_stopping_finishes_what_was_taken(engine: Engine, admission: Admission) -> None:
    batching = Batching(engine, batch=8, workers=2, readers=2, max_pixels=10**6)
    found = [batching.examine(upload(admission, FILES[i % 4])) for i in range(30)]
    batching.stop()
    assert all(one.done() and one.exception() is None for one in found)
    assert not any(worker.is_alive() for worker in batching._workers)


def test_bytes_are_let_go_once_a_file_is_read(
    batching: Batching, engine: Engine, admission: Admission
) -> None:
    engine.free.clear()
    waiting = [batching.examine(upload(admission, FILES[0])) for _ in range(3)]
    wait_until(lambda: admission.bytes == 0)
    assert admission.images == 3
    engine.free.set()
    for one in waiting:
        one.result(20)
    assert admission.images == 0
