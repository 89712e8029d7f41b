"""The forward pass of a Keras network by PyTorch's own functions.

Keras on PyTorch computes channels last by transposing around every convolution, which costs most of the time
on a CPU. Here the same layers with the same variables, trainable ones included, run through PyTorch in its
own order of axes; convolutions take the batch normalisation that follows them into their kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from neumo.backend import keras


def scaled(pixels: Tensor, channels: Tensor) -> Tensor:
    """A network's input: float32 (n, 3, height, width), channels last in memory.

    Args:
        pixels: uint8 (n, height, width).
        channels: `neumo.features.scaling.Scaling.channels`, float32 (2, 3), on the same device.
    """
    mean, std = channels[:, :, None, None]
    return ((pixels[:, None].float() - mean) / std).contiguous(memory_format=torch.channels_last)


def forward(network: keras.Model) -> Callable[[Tensor], Tensor]:
    """What computes a network, with gradients.

    Batch normalisations use their stored statistics, as in a frozen network; gamma and beta can be trained.
    Dropout and stochastic depth do nothing.

    Args:
        network: functional, channels last; its variables are read at each call.

    Returns:
        Function from (n, channels, height, width), or (n, d), to what the network gives.

    Raises:
        NotImplementedError: a layer, or a way of using one, that is not covered.
    """
    normalised = _normalised(network)
    for layer in network.operations:
        if type(layer).__name__ not in _LAYERS:
            raise NotImplementedError(f"{layer.name}: got a {type(layer).__name__} layer")

    def operation(layer: Any) -> Callable[..., Any]:
        kind = type(layer).__name__
        if layer.name in normalised:
            return lambda x, **_: _conv(layer, x, normalised[layer.name])
        if kind == "BatchNormalization" and layer in normalised.values():
            return lambda x, **_: x
        return lambda *inputs, **_: _LAYERS[kind](layer, *inputs)

    return lambda x: network._run_through_graph(x, operation_fn=operation)


def _normalised(network: keras.Model) -> dict[str, Any]:
    """Name of a convolution -> the batch normalisation that alone takes its result."""
    found = {}
    for layer in network.layers:
        if type(layer).__name__ in ("Conv2D", "DepthwiseConv2D"):
            takers = {node.operation for node in layer._outbound_nodes if node.operation in network.layers}
            linear = layer.activation is keras.activations.linear
            if linear and [type(taker).__name__ for taker in takers] == ["BatchNormalization"]:
                found[layer.name] = takers.pop()
    return found


def _factor(norm: Any) -> tuple[Tensor, Tensor]:
    """A batch normalisation with stored statistics as a factor and a summand per channel."""
    factor = torch.rsqrt(norm.moving_variance.value + norm.epsilon)
    if norm.scale:
        factor = factor * norm.gamma.value
    summand = -norm.moving_mean.value * factor
    return factor, summand + norm.beta.value if norm.center else summand


def _conv(layer: Any, x: Tensor, norm: Any = None) -> Tensor:
    depthwise = type(layer).__name__ == "DepthwiseConv2D"
    kernel = layer.kernel.value
    if depthwise:
        kernel = kernel.permute(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])
    else:
        kernel = kernel.permute(3, 2, 0, 1)
    bias = layer.bias.value if layer.use_bias else None
    if norm is not None:
        factor, summand = _factor(norm)
        kernel = kernel * factor[:, None, None, None]
        bias = summand if bias is None else summand + bias * factor
    groups = x.shape[1] if depthwise else layer.groups
    y = _padded(
        layer,
        x,
        lambda x, pad: functional.conv2d(x, kernel, bias, layer.strides, pad, layer.dilation_rate, groups),
    )
    return layer.activation(y) if layer.activation is not keras.activations.linear else y


def _padded(layer: Any, x: Tensor, compute: Callable[[Tensor, tuple[int, int]], Tensor]) -> Tensor:
    """Compute with the padding that Keras calls "same": an odd pixel goes below and to the right."""
    if layer.padding == "valid":
        return compute(x, (0, 0))
    reach = [(k - 1) * d + 1 for k, d in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    missing = [
        max((-(-side // stride) - 1) * stride + size - side, 0)
        for side, stride, size in zip(x.shape[2:], layer.strides, reach, strict=True)
    ]
    before = [gap // 2 for gap in missing]
    after = [gap - gap // 2 for gap in missing]
    if before == after:
        return compute(x, (before[0], before[1]))
    return compute(functional.pad(x, (before[1], after[1], before[0], after[0])), (0, 0))


def _batch_norm(layer: Any, x: Tensor) -> Tensor:
    factor, summand = (_per_channel(part, x) for part in _factor(layer))
    return x * factor + summand


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    return values[:, None, None] if x.ndim == 4 else values


def _normalization(layer: Any, x: Tensor) -> Tensor:
    mean, variance = (part.reshape(-1, 1, 1).to(x.device) for part in (layer.mean, layer.variance))
    return (x - mean) / variance.sqrt().clamp_min(1e-7)  # Keras' epsilon


def _rescaling(layer: Any, x: Tensor) -> Tensor:
    """By a number, or by one per channel, of which no tensor is made: a GPU would wait for it."""
    parts = (layer.scale, layer.offset)
    if all(isinstance(part, int | float) for part in parts):
        return x * layer.scale + layer.offset
    scale, offset = (np.broadcast_to(part, x.shape[1]).tolist() for part in parts)
    channels = [x[:, c] * scale[c] + offset[c] for c in range(len(scale))]
    return torch.stack(channels, -1).movedim(-1, 1)  # channels last in memory


def _relu(layer: Any, x: Tensor) -> Tensor:
    if layer.negative_slope or layer.threshold:
        raise NotImplementedError(f"{layer.name}: got ReLU leaky or shifted, expected plain or clipped")
    if layer.max_value is None:
        return torch.relu(x)
    return functional.hardtanh(x, 0.0, float(layer.max_value))  # as clamp, whose gradient takes five passes


def _max_pool(layer: Any, x: Tensor) -> Tensor:
    if layer.padding != "valid":
        raise NotImplementedError(f"{layer.name}: got padding {layer.padding}, expected valid")
    return functional.max_pool2d(x, layer.pool_size, layer.strides)


def _average_pool(layer: Any, x: Tensor) -> Tensor:
    if layer.padding != "valid":
        raise NotImplementedError(f"{layer.name}: got padding {layer.padding}, expected valid")
    return functional.avg_pool2d(x, layer.pool_size, layer.strides)


def _zero_pad(layer: Any, x: Tensor) -> Tensor:
    (top, bottom), (left, right) = layer.padding
    return functional.pad(x, (left, right, top, bottom))


def _dense(layer: Any, x: Tensor) -> Tensor:
    if x.ndim != 2:
        raise NotImplementedError(f"{layer.name}: got Dense on an image, expected it on a vector")
    y = x @ layer.kernel.value
    return layer.activation(y + layer.bias.value if layer.use_bias else y)


def _fold(operation: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def fold(_: Any, *inputs: Any) -> Any:
        first, *others = inputs[0] if isinstance(inputs[0], list | tuple) else inputs
        for other in others:
            first = operation(first, other)
        return first

    return fold


def _reshape(layer: Any, x: Tensor) -> Tensor:
    if tuple(layer.target_shape[:2]) != (1, 1):
        raise NotImplementedError(f"{layer.name}: got shape {layer.target_shape}, expected (1, 1, channels)")
    return x[:, :, None, None]


_LAYERS: dict[str, Callable[..., Any]] = {
    "Activation": lambda layer, x: layer.activation(x),
    "Add": _fold(torch.add),
    "AveragePooling2D": _average_pool,
    "BatchNormalization": _batch_norm,
    "Concatenate": lambda layer, xs: torch.cat(list(xs), 1),
    "Conv2D": _conv,
    "Dense": _dense,
    "DepthwiseConv2D": _conv,
    "Dropout": lambda layer, x: x,
    "GlobalAveragePooling2D": lambda layer, x: x.mean((2, 3), keepdim=layer.keepdims),
    "InputLayer": lambda layer, x: x,
    "MaxPooling2D": _max_pool,
    "Multiply": _fold(torch.mul),
    "Normalization": _normalization,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "ZeroPadding2D": _zero_pad,
}
