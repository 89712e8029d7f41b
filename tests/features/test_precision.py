"""What networks are computed in, on processors with and without bf16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
import pytest

from neumo.errors import NeumoError
from neumo.features import precision
from neumo.features.backbones import Backbone
from neumo.features.compiled import compiled_folder, core
from neumo.features.engine import Engine
from neumo.features.grey import with_grey_input
from neumo.features.networks import kept_graph
from neumo.features.precision import FAITHFUL, resolve_precision, suited
from neumo.features.scaling import RAW
from tests.features.conftest import distance

Compile = Callable[[int, str], openvino.CompiledModel]


@pytest.fixture
def with_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that has it, for all that neumo knows."""
    monkeypatch.setattr(precision, "_granted", lambda wish: {"f32": "f32"}.get(wish, "bf16"))


def off_by(share: float) -> Compile:
    """A network whose features are so far away in bf16, and how it is compiled."""

    def compile(batch: int, wish: str) -> openvino.CompiledModel:
        import openvino.opset15 as ops

        pixels = ops.parameter([-1, 3, 64, 64], np.float32)
        features = ops.reshape(pixels, ops.constant([0, -1]), True)
        factor = 1 + share if wish == "bf16" else 1.0
        scaled = ops.multiply(features, ops.constant(np.float32(factor)))
        graph = openvino.Model([scaled], [pixels], "scaled")
        return core().compile_model(
            with_grey_input(graph, RAW, batch), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )

    return compile


@pytest.mark.parametrize(("share", "word"), [(0.0, "bf16"), (0.009, "bf16"), (0.011, "f32"), (0.17, "f32")])
def test_bf16_is_for_networks_that_give_nearly_the_same(share: float, word: str) -> None:
    assert FAITHFUL == 0.01
    assert suited(off_by(share)) == word


def test_features_that_are_no_numbers_are_not_nearly_the_same() -> None:
    assert suited(off_by(float("nan"))) == "f32"


def test_what_a_wish_stands_for(with_bf16: None) -> None:
    wishes = ("auto", "f32", "bf16", "int8")
    assert [resolve_precision(wish) for wish in wishes] == ["auto", "f32", "bf16", "int8"]


def test_the_engine_finds_out_once(
    with_bf16: None, mobilenet: Backbone, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def answer(compile: Compile) -> str:
        asked.append(compile)
        return "f32"

    monkeypatch.setattr("neumo.features.engine.suited", answer)
    graph, scaling = kept_graph(mobilenet), mobilenet.scaling
    true = Engine(graph, scaling, "f32")(pixels[:3])
    for _ in range(2):
        engine = Engine(graph, scaling, kept_as="a")
        np.testing.assert_array_equal(engine(pixels[:3]), true)
        np.testing.assert_array_equal(engine(pixels[:3]), true)
        assert engine.precision == "f32"
    assert len(asked) == 1
    (word,) = compiled_folder().glob("*.txt")
    word.write_text("nonsense")
    Engine(graph, scaling, kept_as="a")(pixels[:1])
    assert len(asked) == 2
    Engine(graph, scaling, kept_as="b")(pixels[:1])
    Engine(graph, RAW, kept_as="a")(pixels[:1])
    assert len(asked) == 4
    Engine(graph, scaling, "f32", kept_as="c")(pixels[:1])
    assert len(asked) == 4


def test_what_the_processor_itself_says(mobilenet: Backbone, pixels: np.ndarray, real_keras: Any) -> None:
    assert resolve_precision("f32") == "f32"
    assert resolve_precision("auto") in ("f32", "auto")
    true = np.asarray(real_keras.predict(mobilenet.scaling(pixels[:4]), verbose=0))
    assert distance(Engine(kept_graph(mobilenet), mobilenet.scaling)(pixels[:4]), true) < FAITHFUL
    try:
        resolve_precision("bf16")
    except NeumoError as error:
        assert "this processor does not compute in" in str(error)  # noqa: PT017 - either is right, by processor
    else:
        features = Engine(kept_graph(mobilenet), mobilenet.scaling, "bf16")(pixels[:4])
        assert 1e-2 < distance(features, true) < 0.5


def test_an_unknown_precision() -> None:
    with pytest.raises(NeumoError, match="precision: got 'fp16', expected auto or f32 or bf16 or int8"):
        resolve_precision("fp16")
