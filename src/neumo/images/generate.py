"""A radiograph slightly moved, as the study generates images of its smaller class."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields

import numpy as np

from neumo.errors import NeumoError


@dataclass(frozen=True)
class Transforms:
    """How far a generated image may be from its original.

    Names and meanings are those of Keras' ImageDataGenerator, the defaults those of the study. What the study leaves
    off is off because a radiograph so changed is not one of a healthy person standing upright:

    - A horizontal flip puts the heart on the right (dextrocardia; with the liver on the left, situs inversus).
    - A vertical flip puts the diaphragm above the lungs; fluid and the gas in the stomach obey gravity.
    - Shear leans the spine and the rib cage, which no positioning of a patient does.
    - A vertical shift cuts the apices or the costophrenic angles off, where disease is looked for.

    Attributes:
        rotation_range: largest rotation in DEGREES, to either side; the study's 0.2 is a fifth of a degree.
        width_shift_range: largest shift to either side, as a fraction of the width.
        height_shift_range: largest shift up or down, as a fraction of the height.
        shear_range: largest shear angle in degrees, to either side.
        zoom_range: height and width are zoomed each by a factor of its own from [1 - zoom_range, 1 + zoom_range].
        horizontal_flip: mirror half of the images left to right.
        vertical_flip: mirror half of the images upside down.

    Raises:
        NeumoError: a range that is negative or not a number, a shift or zoom of 1 or more.
    """

    rotation_range: float = 0.2
    width_shift_range: float = 0.025
    height_shift_range: float = 0.0
    shear_range: float = 0.0
    zoom_range: float = 0.1
    horizontal_flip: bool = False
    vertical_flip: bool = False

    def __post_init__(self) -> None:
        for name in (item.name for item in fields(self) if item.name.endswith("_range")):
            value = getattr(self, name)
            limit = 180.0 if name == "rotation_range" else 90.0 if name == "shear_range" else 1.0
            if not (math.isfinite(value) and 0 <= value < limit):
                unit = "degrees" if limit > 1 else "as a fraction"
                raise NeumoError(f"{name}: got {value}, expected 0 or more and less than {limit:g} ({unit})")

    def describe(self) -> str:
        """One plain sentence, for the report page."""
        some = [
            f"rotated by up to {self.rotation_range:g} degrees" * (self.rotation_range > 0),
            f"shifted sideways by up to {self.width_shift_range:.3g} of the width"
            * (self.width_shift_range > 0),
            f"shifted up or down by up to {self.height_shift_range:.3g} of the height"
            * (self.height_shift_range > 0),
            f"sheared by up to {self.shear_range:g} degrees" * (self.shear_range > 0),
            f"zoomed by {1 - self.zoom_range:g} to {1 + self.zoom_range:g} in height and in width"
            * (self.zoom_range > 0),
            "mirrored left to right half of the time" * self.horizontal_flip,
            "mirrored upside down half of the time" * self.vertical_flip,
        ]
        return "Each generated image is its original " + (", ".join(filter(None, some)) or "unchanged") + "."


def copy_seed(sha256: str, copy: int) -> int:
    """The seed of generated image `copy` (1, 2, ...) of the file with this hash: below 2**32, the same in every run."""
    return int.from_bytes(hashlib.sha256(f"{sha256}:{copy}".encode()).digest()[:4], "big")


def generate(pixels: np.ndarray, transforms: Transforms, seed: int) -> np.ndarray:
    """Move one image at random.

    The draws, the geometry and the filling (the nearest pixel of the edge) are those of
    ``ImageDataGenerator(...).random_transform(x, seed)`` in Keras, so that equal seeds give equal images.

    Args:
        pixels: uint8, shape (height, width).
        transforms: how far.
        seed: 0 <= seed < 2**32.

    Returns:
        uint8, shape (height, width).
    """
    from scipy.ndimage import affine_transform

    # RandomState, not Generator: NumPy promises that its stream never changes, and it is what Keras draws from
    random = np.random.RandomState(seed)

    def draw(reach: float) -> float:
        return random.uniform(-reach, reach) if reach else 0.0

    height, width = pixels.shape
    angle = math.radians(draw(transforms.rotation_range))
    down = draw(transforms.height_shift_range) * height
    right = draw(transforms.width_shift_range) * width
    shear = math.radians(draw(transforms.shear_range))
    zoom = transforms.zoom_range
    zoom_y, zoom_x = random.uniform(1 - zoom, 1 + zoom, 2) if zoom else (1.0, 1.0)
    mirror, upend = random.random_sample(2) < 0.5

    cos, sin = math.cos(angle), math.sin(angle)
    rotation = np.array([[cos, -sin], [sin, cos]])
    matrix = rotation @ np.array([[1, -math.sin(shear)], [0, math.cos(shear)]]) @ np.diag([zoom_y, zoom_x])
    centre = np.array([height, width]) / 2 - 0.5
    offset = centre - matrix @ centre + rotation @ np.array([down, right])
    moved = affine_transform(pixels, matrix, offset, order=1, mode="nearest")
    if mirror and transforms.horizontal_flip:
        moved = moved[:, ::-1]
    if upend and transforms.vertical_flip:
        moved = moved[::-1]
    return np.ascontiguousarray(moved)
