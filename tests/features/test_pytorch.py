"""A network in PyTorch's order of axes gives what Keras gives, with the same gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neumo.backend import keras
from neumo.features.backbones import backbone, smooth_noise
from neumo.features.pytorch import forward


@pytest.mark.parametrize("name", ["MobileNetV2-0.35", "ResNet50", "DenseNet121", "EfficientNetB0"])
def test_it_gives_what_keras_gives(name: str) -> None:
    network = backbone(name, "none").build()
    images = smooth_noise(2, np.random.default_rng(3))
    truth = np.asarray(network.predict(images, verbose=0))
    with torch.no_grad():
        found = forward(network)(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
    assert np.abs(found - truth).max() < 1e-3 * np.abs(truth).max()


def small() -> keras.Model:
    """With all that is special: "same" padding with strides, batch normalisation not after a convolution."""
    layers = keras.layers
    x = given = keras.Input((13, 12, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Add()([layers.BatchNormalization(scale=False)(y), y, x])
    x = layers.Conv2D(5, 1, activation="relu")(layers.BatchNormalization()(x))
    network = keras.Model(given, layers.GlobalAveragePooling2D()(x))
    random = np.random.default_rng(0)
    for weight in network.weights:
        value = random.standard_normal(weight.shape)
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)
    return network


@pytest.mark.parametrize("shape", [(8, 7, 3), (3,)])
def test_rescaling_by_a_number_for_each_channel(shape: tuple[int, ...]) -> None:
    """As Keras' EfficientNet has it, with ImageNet weights alone."""
    given = keras.Input(shape)
    network = keras.Model(given, keras.layers.Rescaling([2.0, 3.0, 4.0], offset=[0.0, 1.0, 0.5])(given))
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    truth = np.moveaxis(network.predict(x, verbose=0), -1, 1)
    found = forward(network)(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy()
    np.testing.assert_allclose(found, truth, rtol=1e-6)


def test_gradients_reach_every_trainable_variable() -> None:
    network = small()
    x = np.random.default_rng(1).standard_normal((4, 13, 12, 3)).astype(np.float32)
    weights = [weight.value for weight in network.trainable_weights]
    truth = torch.autograd.grad(network(torch.from_numpy(x), training=False).square().sum(), weights)
    nchw = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    found = torch.autograd.grad(forward(network)(nchw).square().sum(), weights)
    for one, other in zip(found, truth, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_variables_are_read_at_each_call() -> None:
    network = small()
    compute, x = forward(network), torch.ones(1, 3, 13, 12)
    with torch.no_grad():
        before = compute(x)
        network.layers[1].kernel.assign(network.layers[1].kernel * 2)
        assert not torch.allclose(before, compute(x))


def test_an_unknown_layer_is_told() -> None:
    given = keras.Input((8, 8, 3))
    network = keras.Model(given, keras.layers.UpSampling2D()(given))
    with pytest.raises(NotImplementedError, match="UpSampling2D"):
        forward(network)


def test_an_unknown_operation_is_told() -> None:
    given = keras.Input((8, 8, 3))
    with pytest.raises(NotImplementedError, match="Subtract"):
        forward(keras.Model(given, 1 - given))


def test_a_dense_layer_on_an_image_is_told() -> None:
    """It would take the last axis for the channels; where the image is as wide as they are many, silently."""
    given = keras.Input((8, 3, 3))
    compute = forward(keras.Model(given, keras.layers.Dense(3)(given)))
    with pytest.raises(NotImplementedError, match="got Dense on an image"):
        compute(torch.ones(1, 3, 8, 3))
