"""A radiograph as another technician, detector or day might have taken it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from PIL import Image
from PIL.Image import Resampling

from neumo.errors import as_number
from neumo.images.generate import affine


@dataclass(frozen=True)
class Augmentation:
    """How far an image is changed for fine-tuning, at random.

    Everything here could happen to a frontal chest radiograph of the same child: position and distance,
    collimation, exposure, film and detector, letters and markers. Mirroring could not: the heart lies on the
    left, and situs inversus is rare (1 in 10,000) and a finding of its own. Stretch is strong because images
    are squeezed to a square, and in CoronaHack how far tells the classes apart (docs/official-test-set.md).

    Attributes:
        rotation: degrees, to either side.
        shift: share of the width and height, to either side.
        zoom: factor in size is between 1 / (1 + zoom) and 1 + zoom.
        stretch: factor of height against width, likewise.
        blur: resolution is divided by 1 to 1 + blur, in half of the images.
        gamma: exponent of the grey levels is between 1 / (1 + gamma) and 1 + gamma.
        contrast: factor of the grey levels around their mean, likewise.
        brightness: added grey levels, to either side.
        noise: most grey levels, standard deviation, of normal noise.
        border: most share of each side that a collimator blackens.
        corners: probability, of each corner, that a patch is blanked where letters and markers are.
        corner: most share of width and height of such a patch.

    Raises:
        NeumoError: a value that is no number, negative, or a share above 1.
    """

    rotation: float = 7.0
    shift: float = 0.06
    zoom: float = 0.12
    stretch: float = 0.5
    blur: float = 1.5
    gamma: float = 0.4
    contrast: float = 0.25
    brightness: float = 20.0
    noise: float = 5.0
    border: float = 0.06
    corners: float = 0.2
    corner: float = 0.25

    def __post_init__(self) -> None:
        for name in (item.name for item in fields(self)):
            called, reach = f"augmentation, {name}", getattr(self, name)
            if name in _SHARES:
                reach = as_number(called, reach, lambda share: 0 <= share <= 1, "a share from 0 to 1")
            else:
                reach = as_number(called, reach, lambda most: 0 <= most < math.inf, "0 or more")
            object.__setattr__(self, name, reach)

    def times(self, factor: float) -> Augmentation:
        """The same so many times as far; shares stay at most 1."""
        reach = {item.name: factor * getattr(self, item.name) for item in fields(self)}
        return Augmentation(**reach | {name: min(reach[name], 1.0) for name in _SHARES})


_SHARES = ("shift", "border", "corners", "corner")


def augment(pixels: np.ndarray, by: Augmentation, seed: int) -> np.ndarray:
    """Change one image at random.

    Args:
        pixels: uint8 (height, width).
        by: how far.
        seed: not negative; the same seed gives the same image.

    Returns:
        Uint8 (height, width).
    """
    random = np.random.default_rng(seed)
    moved = _blur(affine(pixels, *_place(pixels.shape, by, random)), by, random)
    moved = _expose(moved, by, random)
    _collimate(moved, by, random)
    return moved


def _factor(random: np.random.Generator, reach: float) -> float:
    return math.exp(random.uniform(-1, 1) * math.log1p(reach))


def _place(
    shape: tuple[int, ...], by: Augmentation, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Position in the original = matrix @ position in the changed image + offset, both (row, column)."""
    size = np.array(shape)
    angle = math.radians(random.uniform(-by.rotation, by.rotation))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    stretch = math.sqrt(_factor(random, by.stretch))
    matrix = turn * (_factor(random, by.zoom) * np.array([stretch, 1 / stretch]))
    centre = (size - 1) / 2
    return matrix, centre + random.uniform(-by.shift, by.shift, 2) * size - matrix @ centre


def _blur(pixels: np.ndarray, by: Augmentation, random: np.random.Generator) -> np.ndarray:
    hit, factor = random.random(), random.uniform(1, 1 + by.blur)
    if hit < 0.5 or not by.blur:
        return pixels
    image = Image.fromarray(pixels)
    coarse = image.resize((round(image.width / factor), round(image.height / factor)), Resampling.BILINEAR)
    return np.asarray(coarse.resize(image.size, Resampling.BILINEAR))


def _expose(pixels: np.ndarray, by: Augmentation, random: np.random.Generator) -> np.ndarray:
    grey = 255 * (np.arange(256) / 255) ** _factor(random, by.gamma)
    mean = grey[pixels].mean()
    grey = (grey - mean) * _factor(random, by.contrast) + mean + random.uniform(-by.brightness, by.brightness)
    noise = random.uniform(0, by.noise)
    exposed = grey.astype(np.float32)[pixels]
    exposed += np.float32(noise) * random.standard_normal(pixels.shape, np.float32)
    return np.rint(exposed.clip(0, 255)).astype(np.uint8)


def _collimate(pixels: np.ndarray, by: Augmentation, random: np.random.Generator) -> None:
    """Blacken borders, and blank corners, in place."""
    height, width = pixels.shape
    sides = random.uniform(-by.border, by.border, 4).clip(0)  # half of the sides stay as they are
    top, bottom, left, right = (sides * (height, height, width, width)).astype(int)
    pixels[:top], pixels[height - bottom :], pixels[:, :left], pixels[:, width - right :] = 0, 0, 0, 0
    for vertical in (slice(None), slice(None, None, -1)):
        for horizontal in (slice(None), slice(None, None, -1)):
            hit, rows, columns = random.random(), *random.uniform(0.05, max(by.corner, 0.05), 2)
            if hit < by.corners:
                corner = pixels[vertical, horizontal][: int(rows * height), : int(columns * width)]
                corner[:] = random.integers(256)
