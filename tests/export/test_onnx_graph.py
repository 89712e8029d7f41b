"""The ONNX writer: ONNX Runtime against Keras, for every layer that keras.applications has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neumo.errors import NeumoError
from neumo.export.onnx_graph import _RULES, to_onnx
from neumo.features.graph import convert
from tests.features.test_graph import BLOCKS, SIDE, _network

onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the extra test")


def _graph(network: Any) -> Any:
    graph = convert(network)
    graph.input(0).tensor.set_names({"x"})
    graph.output(0).tensor.set_names({"y"})
    return graph


def _run(graph: Any, pictures: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(to_onnx(graph, {}).SerializeToString())
    return session.run(["y"], {"x": np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))})[0]


@pytest.mark.parametrize("block", BLOCKS)
def test_equals_keras(block: Callable[[Any], Any]) -> None:
    network = _network(block)
    pictures = np.random.default_rng(0).normal(0, 2, (3, SIDE, SIDE, 3)).astype(np.float32)
    true = np.asarray(network.predict(pictures, verbose=0))
    found = _run(_graph(network), pictures)
    if true.ndim == 4:
        found = found.transpose(0, 2, 3, 1)
    assert true.std() > 1e-3
    np.testing.assert_allclose(found, true, rtol=1e-4, atol=1e-4 * np.abs(true).max())


def test_the_blocks_have_every_operation() -> None:
    seen = {node.get_type_name() for block in BLOCKS for node in _graph(_network(block)).get_ordered_ops()}
    in_front = {"Convert", "Divide", "Subtract", "Squeeze"}  # of the scaling, see test_export.py
    assert set(_RULES) <= seen | in_front


@pytest.mark.parametrize("name", ["ResNet50", "EfficientNetB0", "DenseNet121"])
def test_whole_networks_equal_keras(name: str) -> None:
    from neumo.backend import keras

    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3)
    )
    pictures = np.random.default_rng(0).normal(0, 2, (2, 64, 64, 3)).astype(np.float32)
    true = np.asarray(network.predict(pictures, verbose=0))
    found = _run(_graph(network), pictures)
    assert true.std() > 0
    np.testing.assert_allclose(found, true, atol=1e-4 * np.abs(true).max())


def test_what_is_not_covered_is_told() -> None:
    import openvino
    import openvino.opset15 as ops

    x = ops.parameter([-1, 4], np.float32)
    graph = openvino.Model([ops.cum_sum(x, np.int64(1))], [x], "sums")
    graph.input(0).tensor.set_names({"x"})
    graph.output(0).tensor.set_names({"y"})
    with pytest.raises(NeumoError, match="got the operation CumSum, expected one of Add"):
        to_onnx(graph, {})
