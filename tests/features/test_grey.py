from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neumo.backend import keras
from neumo.features.graph import convert
from neumo.features.grey import with_grey_input
from neumo.features.scaling import RAW, Scaling

SCALINGS = [
    RAW,
    Scaling(121.5, 58),
    Scaling((103.9, 116.8, 123.7), (1, 1, 1)),
    Scaling((99, 120, 141), (50, 58, 66)),
]


def plain(x: Any) -> Any:
    """Zeros are padded by the convolution."""
    return keras.layers.Conv2D(5, 3, strides=2, padding="same")(x)


def padded(x: Any) -> Any:
    """As ResNet50 starts."""
    x = keras.layers.ZeroPadding2D(((3, 1), (2, 3)))(x)
    return keras.layers.Conv2D(5, 7, strides=2, activation="relu")(x)


def normalised(x: Any) -> Any:
    """As EfficientNet starts."""
    x = keras.layers.Rescaling(1 / 255, offset=-0.1)(x)
    x = keras.layers.Normalization(mean=[0.48, 0.45, 0.40], variance=[0.052, 0.050, 0.051])(x)
    return keras.layers.Conv2D(4, 3, padding="same")(keras.layers.ZeroPadding2D(1)(x))


def two_ways(x: Any) -> Any:
    """As an ensemble of networks starts."""
    return keras.layers.Concatenate()([plain(x), keras.layers.Conv2D(3, 3, strides=2, padding="same")(x)])


def depthwise(x: Any) -> Any:
    """Channels that are not summed: nothing can be folded."""
    return keras.layers.DepthwiseConv2D(3, padding="same")(x)


def pad_then_scale(x: Any) -> Any:
    """The padded zeros are scaled too: nothing can be folded."""
    return keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(0.5, offset=7)(keras.layers.ZeroPadding2D(2)(x)))


def build(start: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    given = keras.Input((20, 24, 3))
    return keras.Model(given, start(given))


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("start", [plain, padded, normalised, two_ways, depthwise, pad_then_scale])
def test_equals_keras_borders_included(start: Any, scaling: Scaling) -> None:
    import openvino

    network = build(start)
    grey = np.random.default_rng(0).integers(0, 256, (3, 20, 24), dtype=np.uint8)
    for batch in (3, -1):
        folded = openvino.compile_model(with_grey_input(convert(network), scaling, batch), "CPU")
        true = np.asarray(network.predict(scaling(grey), verbose=0))
        np.testing.assert_allclose(
            folded([grey])[0].transpose(0, 2, 3, 1), true, rtol=1e-4, atol=1e-4 * true.std()
        )


@pytest.mark.parametrize(
    ("start", "scaling", "planes"),
    [
        (padded, SCALINGS[1], {1}),
        (padded, SCALINGS[3], {2}),
        (normalised, SCALINGS[1], {2}),
        (two_ways, SCALINGS[0], {1}),
        (pad_then_scale, SCALINGS[0], {3}),
    ],
)
def test_convolutions_see_as_few_planes_as_do(start: Any, scaling: Scaling, planes: set[int]) -> None:
    graph = with_grey_input(convert(build(start)), scaling, 2)
    first = [node for node in graph.get_ops() if node.get_type_name() == "Convolution"]
    assert {node.get_input_shape(1)[1] for node in first} == planes


def test_the_graph_is_left_as_it_is() -> None:
    graph = convert(build(padded))
    with_grey_input(graph, SCALINGS[3], 2)
    assert graph.input(0).get_partial_shape().to_string() == "[?,3,20,24]"
    (convolution,) = (node for node in graph.get_ops() if node.get_type_name() == "Convolution")
    assert tuple(convolution.get_input_shape(1)) == (5, 3, 7, 7)
