"""An OpenVINO graph written anew as ONNX, channels first as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neumo.errors import NeumoError

if TYPE_CHECKING:
    import onnx
    import openvino

OPSET, IR = 20, 10
"""The oldest with an operation for GELU, and the IR version of that time: runtimes since May 2024 read it."""


def to_onnx(graph: openvino.Model, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Write a graph as ONNX, node by node.

    Covered is what `neumo.features.graph.convert` makes of keras.applications, with the scaling in front.

    Args:
        graph: one input and one output, which have names; the first axis of both is free.
        metadata: for the model's own metadata.

    Raises:
        NeumoError: an operation that is not covered.
    """
    from onnx import checker, helper

    writer, names = _Writer(), dict[tuple[str, int], str]()
    for node in graph.get_ordered_ops():
        inputs = [names[given.get_node().get_name(), given.get_index()] for given in node.input_values()]
        kind = node.get_type_name()
        if kind == "Parameter":
            name = node.output(0).get_any_name()
        elif kind == "Constant":
            name = writer.constant(node.data)
        elif kind == "Result":
            name = graph.output(0).get_any_name()
            writer.nodes.append(helper.make_node("Identity", inputs, [name]))
        elif kind in _RULES:
            name = _RULES[kind](writer, node, inputs)
        else:
            raise NeumoError(f"classifier: got the operation {kind}, expected one of {', '.join(_RULES)}")
        names[node.get_name(), 0] = name
    model = helper.make_model(
        helper.make_graph(
            writer.nodes,
            graph.get_friendly_name(),
            [_port(graph.input(0))],
            [_port(graph.output(0))],
            writer.initializers(),
        ),
        producer_name="neumo",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
    )
    helper.set_model_props(model, dict(metadata))
    checker.check_model(model, full_check=True)
    return model


def _port(port: Any) -> Any:
    """An input or output of the whole graph; how many images there are is left open."""
    from onnx import helper

    sides = ["n", *(side.get_length() for side in list(port.get_partial_shape())[1:])]
    return helper.make_tensor_value_info(port.get_any_name(), _kind(port.get_element_type()), sides)


def _kind(element_type: Any) -> int:
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(np.dtype(element_type.to_dtype()))


class _Writer:
    """Collects nodes of ONNX with their constants."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self._constants: dict[str, np.ndarray] = {}

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        from onnx import helper

        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: Any) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants[name] = np.asarray(values)
        return name

    def values(self, name: str) -> np.ndarray:
        """Of a constant.

        Raises:
            NeumoError: it is computed.
        """
        if name not in self._constants:
            raise NeumoError(f"classifier: got weights that are computed ({name}), expected constants")
        return self._constants[name]

    def initializers(self) -> list[Any]:
        from onnx import numpy_helper

        used = {name for node in self.nodes for name in node.input}
        return [
            numpy_helper.from_array(np.ascontiguousarray(values), name)
            for name, values in self._constants.items()
            if name in used
        ]


Rule = Callable[[_Writer, Any, list[str]], str]
"""Where to write, OpenVINO's node, names of its inputs: the name of its output."""


def _same(kind: str, **attributes: Any) -> Rule:
    return lambda write, node, inputs: write.node(kind, inputs, **attributes)


def _with_axes(kind: str) -> Rule:
    def rule(write: _Writer, node: Any, inputs: list[str]) -> str:
        axes = write.constant(np.atleast_1d(write.values(inputs[1])).astype(np.int64))
        has = node.get_attributes()
        keep = {"keepdims": int(has["keep_dims"])} if "keep_dims" in has else {}
        return write.node(kind, [inputs[0], axes], **keep)

    return rule


def _window(node: Any) -> dict[str, Any]:
    """Strides, dilations and padding, which OpenVINO has computed from "same" where sizes are known."""
    has = node.get_attributes()
    options = {"strides": list(has["strides"]), "pads": [*has["pads_begin"], *has["pads_end"]]}
    return options | ({"dilations": list(has["dilations"])} if "dilations" in has else {})


def _grouped(write: _Writer, node: Any, inputs: list[str]) -> str:
    filters = write.values(inputs[1])  # groups, outputs and inputs of a group, height, width
    flat = write.constant(filters.reshape(-1, *filters.shape[2:]))
    return write.node("Conv", [inputs[0], flat], group=len(filters), **_window(node))


def _pool(write: _Writer, node: Any, inputs: list[str]) -> str:
    has = node.get_attributes()
    options = _window(node) | {"kernel_shape": list(has["kernel"])}
    if node.get_type_name() == "MaxPool":
        return write.node("MaxPool", inputs, **options)
    return write.node("AveragePool", inputs, count_include_pad=int(not has["exclude-pad"]), **options)


def _matmul(write: _Writer, node: Any, inputs: list[str]) -> str:
    turned = [node.get_attributes()[f"transpose_{side}"] for side in "ab"]
    return write.node(
        "MatMul",
        [
            write.node("Transpose", [name], perm=[1, 0]) if turn else name
            for name, turn in zip(inputs, turned, strict=True)
        ],
    )


def _clip(write: _Writer, node: Any, inputs: list[str]) -> str:
    limits = [write.constant(np.float32(node.get_attributes()[end])) for end in ("min", "max")]
    return write.node("Clip", [*inputs, *limits])


def _pad(write: _Writer, node: Any, inputs: list[str]) -> str:
    sides = np.concatenate([write.values(inputs[1]), write.values(inputs[2])]).astype(np.int64)
    return write.node("Pad", [inputs[0], write.constant(sides), *inputs[3:]])


def _layer_norm(write: _Writer, node: Any, inputs: list[str]) -> str:
    """MVN over the last axis, which is all that `neumo.features.graph` writes."""
    ones = write.constant(np.ones(node.get_output_partial_shape(0)[-1].get_length(), np.float32))
    return write.node("LayerNormalization", [inputs[0], ones], epsilon=node.get_attributes()["eps"])


_RULES: dict[str, Rule] = {
    "Add": _same("Add"),
    "AvgPool": _pool,
    "Clamp": _clip,
    "Concat": lambda write, node, inputs: write.node("Concat", inputs, axis=1),
    "Convert": lambda write, node, inputs: write.node(
        "Cast", inputs, to=_kind(node.get_output_element_type(0))
    ),
    "Convolution": lambda write, node, inputs: write.node("Conv", inputs, **_window(node)),
    "Divide": _same("Div"),
    "Gelu": _same("Gelu", approximate="none"),
    "GroupConvolution": _grouped,
    "HSwish": _same("HardSwish"),
    "MVN": _layer_norm,
    "MatMul": _matmul,
    "MaxPool": _pool,
    "Multiply": _same("Mul"),
    "Pad": _pad,
    "ReduceMean": _with_axes("ReduceMean"),
    "Relu": _same("Relu"),
    "Sigmoid": _same("Sigmoid"),
    "Squeeze": _with_axes("Squeeze"),
    "Subtract": _same("Sub"),
    "Swish": lambda write, node, inputs: write.node("Mul", [inputs[0], write.node("Sigmoid", inputs[:1])]),
    "Transpose": lambda write, node, inputs: write.node(
        "Transpose", inputs[:1], perm=write.values(inputs[1]).tolist()
    ),
    "Unsqueeze": _with_axes("Unsqueeze"),
}
