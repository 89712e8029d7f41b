"""The backward pass from a logit to the maps that are pooled last, as a graph of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from neumo.errors import NeumoError

if TYPE_CHECKING:
    import openvino


def pooled_maps(network: openvino.Model, logit: Any) -> list[tuple[Any, Any]]:
    """The maps that a network pools last, with the gradient of its logit.

    Args:
        network: ends, between its last global average poolings and the logit, in what heads are made of.
        logit: an output in it, (n, 1).

    Returns:
        For every pooling (an ensemble has several) its maps, (n, channels, rows, columns), and the logit's
        gradient by their means, (n, channels). Both are outputs in the same graph.

    Raises:
        NeumoError: there is no such pooling, or another operation on the way.
    """
    ops = _ops()
    gradients = {_key(logit): ops.broadcast(np.float32(1), ops.shape_of(logit)).output(0)}
    pooled = []
    for node in reversed(network.get_ordered_ops()):
        parts = [gradients.pop(_key(output), None) for output in node.outputs()]
        if not any(parts):
            continue
        kind, inputs = node.get_type_name(), [given.get_source_output() for given in node.inputs()]
        if kind == "ReduceMean" and len(inputs[0].get_partial_shape()) == 4:
            pooled.append((inputs[0], parts[0]))
            continue
        if kind not in _BACKWARD or len(node.get_output_partial_shape(0)) != 2:
            raise NeumoError(
                f"classifier: got {kind} between the last maps and the probability, expected global average "
                "pooling, dense layers and a sigmoid; Grad-CAM cannot explain this network"
            )
        for given, share in zip(inputs, _BACKWARD[kind](node, inputs, parts[0]), strict=False):
            key = _key(given)
            if share is not None and given.get_node().get_type_name() != "Constant":
                gradients[key] = ops.add(gradients[key], share).output(0) if key in gradients else share
    return pooled


def _ops() -> Any:
    import openvino.opset15 as ops

    return ops


def _key(output: Any) -> tuple[str, int]:
    return output.get_node().get_name(), output.get_index()


Backward = Callable[[Any, list[Any], Any], list[Any]]
"""Node, what it takes, the gradient of what it gives: the gradient of each thing it takes, None for none."""


def _multiply(node: Any, inputs: list[Any], g: Any) -> list[Any]:
    return [_ops().multiply(g, other).output(0) for other in reversed(inputs)]


def _matmul(node: Any, inputs: list[Any], g: Any) -> list[Any]:
    turned = node.get_attributes()["transpose_b"]
    return [_ops().matmul(g, inputs[1], False, not turned).output(0), None]


def _concat(node: Any, inputs: list[Any], g: Any) -> list[Any]:
    lengths = [given.get_partial_shape()[1].get_length() for given in inputs]
    return list(_ops().variadic_split(g, 1, lengths).outputs())


def _mvn(node: Any, inputs: list[Any], g: Any) -> list[Any]:
    """Y = (x - mean) / deviation: dx = (g - mean(g) - y mean(g y)) / deviation."""
    ops = _ops()

    def mean(x: Any) -> Any:
        return ops.reduce_mean(x, [-1], keep_dims=True)

    x, y = inputs[0], node.output(0)
    off = ops.subtract(x, mean(x))
    deviation = ops.sqrt(ops.add(mean(ops.multiply(off, off)), np.float32(node.get_attributes()["eps"])))
    along = ops.multiply(y, mean(ops.multiply(g, y)))
    return [ops.divide(ops.subtract(ops.subtract(g, mean(g)), along), deviation).output(0), None]


def _times(derivative: Callable[[Any, Any, Any], Any]) -> Backward:
    """Backward of a function of single numbers, from its derivative made of node, x and y."""
    return lambda node, inputs, g: [_ops().multiply(g, derivative(node, inputs[0], node.output(0))).output(0)]


def _step(node: Any, x: Any, y: Any) -> Any:
    return _ops().convert(_ops().greater(x, np.float32(0)), "f32")


def _window(node: Any, x: Any, y: Any) -> Any:
    ops, limits = _ops(), node.get_attributes()
    above, below = ops.greater(x, np.float32(limits["min"])), ops.less(x, np.float32(limits["max"]))
    return ops.convert(ops.logical_and(above, below), "f32")


def _sigmoid(node: Any, x: Any, y: Any) -> Any:
    return _ops().multiply(y, _ops().subtract(np.float32(1), y))


def _swish(node: Any, x: Any, y: Any) -> Any:
    ops = _ops()
    s = ops.sigmoid(x)
    return ops.add(s, ops.multiply(y, ops.subtract(np.float32(1), s)))


def _hswish(node: Any, x: Any, y: Any) -> Any:
    """Of x min(max(x + 3, 0), 6) / 6: the slope of x (x + 3) / 6 between -3 and 3, 0 before and 1 after."""
    ops = _ops()
    middle = ops.divide(ops.add(x, np.float32(1.5)), np.float32(3))
    after = ops.select(ops.less(x, np.float32(3)), middle, np.float32(1))
    return ops.select(ops.greater(x, np.float32(-3)), after, np.float32(0))


def _gelu(node: Any, x: Any, y: Any) -> Any:
    """Of x P(x), P and p being the normal distribution and its density: P + x p."""
    ops = _ops()
    half = np.float32(0.5)
    whole = ops.multiply(half, ops.add(np.float32(1), ops.erf(ops.multiply(x, np.float32(math.sqrt(0.5))))))
    density = ops.multiply(
        np.float32(1 / math.sqrt(2 * math.pi)),
        ops.exp(ops.multiply(np.float32(-0.5), ops.multiply(x, x))),
    )
    return ops.add(whole, ops.multiply(x, density))


_BACKWARD: dict[str, Backward] = {
    "Add": lambda node, inputs, g: [g, g],
    "Clamp": _times(_window),
    "Concat": _concat,
    "FakeQuantize": lambda node, inputs, g: [g],  # straight through its steps
    "Gelu": _times(_gelu),
    "HSwish": _times(_hswish),
    "MatMul": _matmul,
    "Multiply": _multiply,
    "MVN": _mvn,
    "Relu": _times(_step),
    "Sigmoid": _times(_sigmoid),
    "Swish": _times(_swish),
}
