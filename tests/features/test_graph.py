"""Small networks that together have every layer of keras.applications, against Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neumo.features.graph import _LAYERS, convert

SIDE = 15  # odd: "same" padding is then unequal on both sides where strides are 2


def _layers() -> Any:
    from neumo.backend import keras

    return keras.layers


def _convolutions(x: Any) -> Any:
    layers = _layers()
    x = layers.Conv2D(8, (3, 5), strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(12, 3, padding="valid", groups=4, use_bias=False)(x)
    return layers.Conv2D(6, 3, padding="same", dilation_rate=2, activation="silu")(x)


def _depthwise(x: Any) -> Any:
    layers = _layers()
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)(x)
    x = layers.SeparableConv2D(10, 3, padding="valid", depth_multiplier=2, use_bias=False)(x)
    return layers.SeparableConv2D(7, 3, strides=2, padding="same", activation="sigmoid")(x)


def _normalisations(x: Any) -> Any:
    layers = _layers()
    x = layers.Rescaling([0.5, 0.25, 2.0], offset=[0.0, 1.0, -1.0])(x)
    x = layers.Normalization(mean=[1.0, 0.0, 0.5], variance=[4.0, 1.0, 0.25])(x)
    x = layers.BatchNormalization(epsilon=1e-2)(x)
    x = layers.BatchNormalization(scale=False, center=False)(x)
    x = layers.LayerNormalization(epsilon=1e-2)(x)
    x = layers.Rescaling(1 / 3)(x)
    return layers.LayerNormalization()(layers.GlobalAveragePooling2D()(x))


def _pools(x: Any) -> Any:
    layers = _layers()
    x = layers.ZeroPadding2D(((1, 2), (3, 0)))(x)
    branches = [
        pool(3, strides=2, padding=padding)(layers.ZeroPadding2D(((0, 1), (2, 1)))(start))
        for start in (x, layers.ReLU()(x))
        for pool in (layers.MaxPooling2D, layers.AveragePooling2D)
        for padding in ("same", "valid")
    ]
    same, valid = layers.Concatenate()(branches[::2]), layers.Concatenate(axis=3)(branches[1::2])
    pooled = [layers.GlobalAveragePooling2D()(branch) for branch in (same, valid)]
    return layers.Concatenate()(pooled)


def _squeeze_and_excite(x: Any) -> Any:
    layers = _layers()
    x = layers.Conv2D(8, 1)(x)
    gate = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Conv2D(8, 1, activation="sigmoid")(gate)])
    kept = layers.Conv2D(8, 1)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    hard = layers.ReLU(6.0)(kept + 3.0) * (1.0 / 6.0)
    return layers.Add()([layers.Dropout(0.5)(x * hard), x, x])


def _activations(x: Any) -> Any:
    layers = _layers()
    names = ("relu", "silu", "hard_silu", "gelu", "sigmoid", "linear")
    return layers.Concatenate()([*(layers.Activation(name)(x) for name in names), layers.ReLU()(x)])


def _convnext_block(x: Any) -> Any:
    from keras.src.applications.convnext import LayerScale, StochasticDepth

    from neumo.backend import keras

    layers = _layers()
    x = keras.Sequential([layers.Conv2D(6, 3, strides=3), layers.LayerNormalization()], name="stem")(x)
    y = layers.Dense(24, activation="gelu")(layers.Conv2D(6, 7, padding="same", groups=6)(x))
    return layers.Add()([x, StochasticDepth(0.5)(LayerScale(0.3, 6)(layers.Dense(6)(y)))])


def _inception_residual(x: Any) -> Any:
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    layers = _layers()
    x = layers.Conv2D(4, 3)(x)
    return CustomScaleLayer(0.17)([x, layers.Conv2D(4, 1)(x)])


def _head(x: Any) -> Any:
    layers = _layers()
    x = layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x))
    return layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(layers.Dense(5, activation="relu")(x)))


def _crop(x: Any) -> Any:
    return _layers().Cropping2D(((1, 0), (2, 3)))(x)


BLOCKS = [
    _convolutions,
    _depthwise,
    _normalisations,
    _pools,
    _squeeze_and_excite,
    _activations,
    _convnext_block,
    _inception_residual,
    _head,
]


def _network(block: Callable[[Any], Any]) -> Any:
    """The block between a picture and a vector, every weight random, as zeros and ones would hide errors."""
    from neumo.backend import keras

    picture = keras.Input((SIDE, SIDE, 3))
    output = block(picture)
    network = keras.Model(picture, output)
    random = np.random.default_rng(1)
    for weight in network.weights:
        weight.assign(random.uniform(0.2, 1.0, weight.shape) * random.choice([-1, 1], weight.shape))
        if weight.name == "moving_variance":
            weight.assign(random.uniform(0.2, 1.0, weight.shape))
    return network


@pytest.mark.parametrize("block", [*BLOCKS, _crop])
def test_equals_keras(block: Callable[[Any], Any]) -> None:
    import openvino

    network = _network(block)
    pictures = np.random.default_rng(0).normal(0, 2, (3, SIDE, SIDE, 3)).astype(np.float32)
    true = np.asarray(network.predict(pictures, verbose=0))
    compiled = openvino.Core().compile_model(convert(network), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled([np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))])[0]
    if true.ndim == 4:
        found = found.transpose(0, 2, 3, 1)
    assert found.shape == true.shape
    assert true.std() > 1e-3
    np.testing.assert_allclose(found, true, rtol=1e-4, atol=1e-4 * np.abs(true).max())


def test_the_blocks_have_every_layer() -> None:
    seen = {
        type(operation).__name__ for block in [*BLOCKS, _crop] for operation in _network(block).operations
    }
    assert set(_LAYERS) <= seen | {"LayerNormalization"}


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (lambda x: _layers().UpSampling2D()(x), "got a UpSampling2D layer"),
        (lambda x: _layers().Conv2D(3, 1, data_format="channels_first")(x), "got channels first"),
        (lambda x: _layers().ReLU(negative_slope=0.1)(x), "got ReLU leaky or shifted"),
        (lambda x: _layers().Activation("softplus")(x), "got activation softplus"),
        (lambda x: _layers().LayerNormalization(axis=1)(x), "got normalisation over axis"),
        (lambda x: _layers().Reshape((SIDE * SIDE, 3))(x), "got shape"),
    ],
)
def test_what_is_not_covered_is_told(block: Callable[[Any], Any], what: str) -> None:
    with pytest.raises(NotImplementedError, match=what):
        convert(_network(block))
