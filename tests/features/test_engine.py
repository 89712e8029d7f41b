from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from neumo.features import grey
from neumo.features.backbones import Backbone
from neumo.features.engine import Engine
from neumo.features.networks import kept_graph
from neumo.features.scaling import RAW, Scaling
from tests.features.conftest import distance


@pytest.fixture
def engine(mobilenet: Backbone) -> Engine:
    return Engine(kept_graph(mobilenet), mobilenet.scaling, "f32")


@pytest.mark.parametrize(
    "scaling", [RAW, Scaling(127.5, 127.5), Scaling((103.9, 116.8, 123.7), (58, 57, 59))]
)
def test_equals_keras(mobilenet: Backbone, real_keras: Any, pixels: np.ndarray, scaling: Scaling) -> None:
    features = Engine(kept_graph(mobilenet), scaling, "f32")(pixels[:5])
    true = np.asarray(real_keras.predict(scaling(pixels[:5]), verbose=0))
    assert features.shape == (5, 1280)
    assert features.dtype == np.float32
    assert distance(features, true) < 1e-4


def test_no_image_depends_on_its_neighbours(engine: Engine, pixels: np.ndarray) -> None:
    together = engine(pixels)
    for n in range(2, engine.batch + 1):
        np.testing.assert_array_equal(engine(pixels[:n]), together[:n])
    for place in range(engine.batch):
        batch = np.full((engine.batch, 224, 224), 255, np.uint8)
        batch[place] = pixels[0]
        np.testing.assert_array_equal(engine(batch)[place], together[0])


def test_an_image_by_itself_is_not_computed_as_a_full_batch(engine: Engine, pixels: np.ndarray) -> None:
    alone = engine(pixels[:1])
    assert list(engine._networks) == [1]
    assert distance(alone, engine(pixels)[:1]) < 1e-5
    assert list(engine._networks) == [1, engine.batch]


def test_a_stream_keeps_its_order(engine: Engine, pixels: np.ndarray) -> None:
    sizes = [1, 3, 4, 1, 4, 2, 2, 4, 3, 1, 4]
    picked = [np.arange(start, start + size) % len(pixels) for start, size in enumerate(sizes)]
    found = list(engine.map(pixels[places] for places in picked))
    together = engine(pixels)
    for features, places in zip(found, picked, strict=True):
        np.testing.assert_array_equal(features, together[places])


def test_a_stream_reads_only_a_few_batches_ahead(engine: Engine, pixels: np.ndarray) -> None:
    taken = 0

    def batches() -> Iterator[np.ndarray]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield pixels[:1]

    next(engine.map(batches()))
    assert taken <= 2 + engine.at_once


def test_requests_are_used_again_and_keep_no_radiograph(engine: Engine, pixels: np.ndarray) -> None:
    def idle() -> set[int]:
        return {id(request) for request in engine._requests(engine.batch)._idle}

    engine(pixels)
    before = idle()
    for request in engine._requests(engine.batch)._idle:
        assert not request.get_input_tensor().data.any()
    engine(pixels)
    assert before
    assert idle() == before


def test_threads_share_an_engine(engine: Engine, pixels: np.ndarray) -> None:
    together = engine(pixels)
    places = [np.arange(start, start + 9) % len(pixels) for start in range(40)]
    with ThreadPoolExecutor(6) as pool:
        for features, where in zip(pool.map(lambda at: engine(pixels[at]), places), places, strict=True):
            np.testing.assert_array_equal(features, together[where])


def test_streams_of_one_thread_do_not_wait_for_each_other(engine: Engine, pixels: np.ndarray) -> None:
    together = engine(pixels)
    streams = [engine.map(pixels[i : i + 1] for i in range(6)) for _ in range(2)]
    for i, both in enumerate(zip(*streams, strict=True)):
        for features in both:
            np.testing.assert_array_equal(features[0], together[i])


def test_nothing_in_nothing_out(engine: Engine) -> None:
    assert engine(np.empty((0, 224, 224), np.uint8)).shape == (0, 1280)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 224, 224), np.float32),
        np.zeros((1, 112, 112), np.uint8),
        np.zeros((1, 224, 224, 3), np.uint8),
    ],
)
def test_other_pixels_are_refused(engine: Engine, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        engine(wrong)


def test_a_batch_too_large_is_refused(engine: Engine) -> None:
    for size in (engine.batch + 1, 1000):
        with pytest.raises(ValueError, match="expected uint8"):
            next(engine.map([np.zeros((size, 224, 224), np.uint8)]))
    with pytest.raises(ValueError, match="expected uint8"):
        list(
            engine.map([np.zeros((size, 224, 224), np.uint8) for size in (1, engine.batch, engine.batch + 1)])
        )


def test_the_graph_is_left_as_it_is(mobilenet: Backbone, pixels: np.ndarray) -> None:
    graph = kept_graph(mobilenet)
    first = Engine(graph, Scaling(100, 50), "f32")(pixels[:2])
    again = Engine(graph, Scaling(100, 50), "f32")(pixels[:2])
    np.testing.assert_array_equal(first, again)
    assert graph.input(0).get_partial_shape().to_string() == "[?,3,224,224]"


def test_a_kept_network_is_not_used_by_a_neumo_that_makes_another_input(
    mobilenet: Backbone, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = kept_graph(mobilenet)
    before = Engine(graph, Scaling(100, 50), "f32", kept_as="a")(pixels[:1])
    other = grey.with_grey_input
    monkeypatch.setattr(grey, "with_grey_input", lambda graph, _, batch: other(graph, Scaling(0, 1), batch))
    monkeypatch.setattr(grey, "REVISION", grey.REVISION + 1)
    after = Engine(graph, Scaling(100, 50), "f32", kept_as="a")(pixels[:1])
    np.testing.assert_array_equal(after, Engine(graph, Scaling(0, 1), "f32")(pixels[:1]))
    assert np.abs(after - before).max() > 0.01
