"""The grey input of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neumo.features.scaling import Scaling

if TYPE_CHECKING:
    import openvino

REVISION = 1  # raise it when `with_grey_input` makes other numbers than before


def with_grey_input(graph: openvino.Model, scaling: Scaling, batch: int) -> openvino.Model:
    """Let a network take grey levels as they are.

    What it makes of three copies of one plane is folded into its first convolution where there is one: its
    filters are summed over the channels, as every channel is a factor times the plane plus a summand. Where
    all channels have the same two, one plane is all the convolution needs; else a second one, of ones, takes
    the differences. Zeros padded around the scaled image stay zeros in both, so borders stay exact.

    Args:
        graph: from scaled channels, float32 (n, 3, height, width); it is left as it is.
        scaling: how grey levels become them.
        batch: n; -1 leaves it open.

    Returns:
        A graph from uint8 (batch, height, width) to what the network gives.
    """
    import openvino

    ops, graph = _ops(), graph.clone()
    channels = graph.get_parameters()[0].output(0)
    height, width = (side.get_length() for side in list(channels.get_partial_shape())[2:])
    grey = ops.parameter([batch, height, width], np.uint8, name="grey")
    plane = ops.unsqueeze(ops.convert(grey, "f32"), 1)
    mean, std = scaling.channels.astype(float)
    for given in channels.get_target_inputs():
        _feed(given, plane, 1 / std, -mean / std)
    return openvino.Model(graph.get_results(), [grey], graph.friendly_name)


def first_convolutions(graph: openvino.Model) -> list[str]:
    """The names of the convolutions that `with_grey_input` would fold the input into."""
    takers = graph.get_parameters()[0].output(0).get_target_inputs()
    found = [_convolution(taker, np.ones(3), np.zeros(3)) for taker in takers]
    return [start[0].get_node().get_friendly_name() for start in found if start is not None]


def _feed(given: Any, plane: Any, factor: np.ndarray, summand: np.ndarray) -> None:
    """Feed an operation with three channels, ``factor * plane + summand``, or the convolution behind it."""
    found = _convolution(given, factor, summand)
    if found is None:
        # tiled first, as OpenVINO drops a multiplication by ones even where it makes three planes of one
        given.replace_source_output(_affine(_ops().tile(plane, [1, 3, 1, 1]), factor, summand))
        return
    convolution, filters, pad, factor, summand = found
    a, b = factor.mean(), summand.mean()
    shares = np.stack([factor / a, summand - factor / a * b])
    planes = 1 if np.ptp(factor) == np.ptp(summand) == 0 else 2
    summed = np.einsum("oc...,kc->ok...", filters, shares[:planes]).astype(np.float32)
    convolution.get_node().input(1).replace_source_output(_ops().constant(summed).output(0))
    x = _affine(plane, np.array([a, 0])[:planes], np.array([b, 1])[:planes])
    if pad is not None:
        x = _ops().pad(x, pad.input_value(1), pad.input_value(2), "constant", np.float32(0)).output(0)
    convolution.replace_source_output(x)


def _convolution(
    given: Any, factor: np.ndarray, summand: np.ndarray
) -> tuple[Any, np.ndarray, Any, np.ndarray, np.ndarray] | None:
    """The input of the convolution that channels reach with nothing but scaling and padding on the way.

    Returns:
        It; its filters; the padding or None; and what the scaling on the way makes of factor and summand.
        None where anything else is on the way.
    """
    pad = None
    while given is not None:
        node, by = given.get_node(), _constant(given)
        kind = node.get_type_name()
        if kind == "Convolution" and given.get_index() == 0 and by is not None:
            return given, by, pad, factor, summand
        if kind == "Pad" and pad is None:
            pad = node
        elif kind in ("Multiply", "Add") and pad is None and by is not None and by.size in (1, 3):
            by = np.broadcast_to(by.ravel().astype(float), 3)
            factor, summand = (factor * by, summand * by) if kind == "Multiply" else (factor, summand + by)
        else:
            return None
        takers = list(node.output(0).get_target_inputs())
        given = takers[0] if len(takers) == 1 else None
    return None


def _affine(plane: Any, factor: np.ndarray, summand: np.ndarray) -> Any:
    ops = _ops()
    factors, summands = (part.astype(np.float32).reshape(1, -1, 1, 1) for part in (factor, summand))
    return ops.add(ops.multiply(plane, factors), summands).output(0)


def _constant(given: Any) -> np.ndarray | None:
    """The other input of a node of two inputs, if it is a constant."""
    node = given.get_node()
    others = [node.input_value(i).get_node() for i in range(node.get_input_size()) if i != given.get_index()]
    return others[0].data if len(others) == 1 and others[0].get_type_name() == "Constant" else None


def _ops() -> Any:
    import openvino.opset15 as ops

    return ops
