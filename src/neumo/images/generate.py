"""A radiograph slightly moved, as the study generates images of its smaller class."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from neumo.errors import as_number


@dataclass(frozen=True)
class Transforms:
    """How far a generated image may be from its original.

    Names and meanings are those of Keras' ImageDataGenerator, the defaults those of the study. What the study
    leaves off is off for a reason:

    - A horizontal flip puts the heart on the right and the liver on the left: dextrocardia, situs inversus.
    - A vertical flip puts the diaphragm above the lungs, and fluid and gas against gravity.
    - Shear leans the spine against the ribs, which no positioning of a patient does.
    - A vertical shift takes the apices or the costophrenic angles out of the picture, where disease hides.

    Attributes:
        rotation_range: largest rotation to either side in DEGREES: the study's 0.2 is a fifth of a degree.
        width_shift_range: largest shift to either side, as a fraction of the width.
        height_shift_range: largest shift up or down, as a fraction of the height.
        shear_range: largest shear to either side, in degrees.
        zoom_range: height and width are scaled by one factor each, from 1 - zoom_range to 1 + zoom_range; a
            factor above 1 shows more of the surroundings.
        horizontal_flip: whether half of the images are mirrored left to right.
        vertical_flip: whether half of the images are turned upside down.

    Raises:
        NeumoError: a range that is negative, no number or too large to mean anything.
    """

    rotation_range: float = 0.2
    width_shift_range: float = 0.025
    height_shift_range: float = 0.0
    shear_range: float = 0.0
    zoom_range: float = 0.1
    horizontal_flip: bool = False
    vertical_flip: bool = False

    def __post_init__(self) -> None:
        for name, limit in _LIMITS.items():
            unit = "fraction below 1" if limit == 1 else f"number of degrees below {limit}"
            expected = f"a {unit}, 0 or more"
            object.__setattr__(self, name, as_number(name, getattr(self, name), _below(limit), expected))

    def describe(self) -> str:
        """One plain sentence, for the report page."""
        zoom, rise = self.zoom_range, self.height_shift_range
        moves = {
            f"rotated by up to {self.rotation_range:g} degrees": self.rotation_range,
            f"shifted sideways by up to {self.width_shift_range:.1%} of the width": self.width_shift_range,
            f"shifted up or down by up to {rise:.1%} of the height": rise,
            f"sheared by up to {self.shear_range:g} degrees": self.shear_range,
            f"scaled by {1 - zoom:g} to {1 + zoom:g} in height and in width": zoom,
            "mirrored left to right in half of the cases": self.horizontal_flip,
            "turned upside down in half of the cases": self.vertical_flip,
        }
        done = [move for move, reach in moves.items() if reach]
        text = " and ".join(filter(None, [", ".join(done[:-1]), *done[-1:]])) or "left as it is"
        return f"Each generated image is its original {text}."


def _below(limit: float) -> Callable[[float], bool]:
    return lambda reach: 0 <= reach < limit


_LIMITS = {
    "rotation_range": 180,
    "width_shift_range": 1,
    "height_shift_range": 1,
    "shear_range": 90,
    "zoom_range": 1,
}


def copy_seed(sha256: str, copy: int) -> int:
    """The seed, below 2**32, of generated image `copy` (1, 2, ...) of the file with this hash."""
    return int.from_bytes(hashlib.sha256(f"{sha256}:{copy}".encode()).digest()[:4], "big")


def generate(pixels: np.ndarray, transforms: Transforms, seed: int) -> np.ndarray:
    """Move one image at random.

    The draws are those of ``ImageDataGenerator.get_random_transform(shape, seed)`` in Keras, the geometry is
    that of its ``apply_affine_transform`` with ``fill_mode="nearest"``, rounded to whole grey levels. One
    difference: a width shift goes sideways here, as Keras documents it; the code of Keras 3 shifts up or
    down (https://github.com/keras-team/keras/issues/17398).

    Args:
        pixels: uint8, shape (height, width).
        transforms: how far.
        seed: 0 <= seed < 2**32; the same seed gives the same image.

    Returns:
        uint8, shape (height, width).
    """
    # RandomState, not Generator: NumPy promises that its stream never changes, and Keras draws from it
    random = np.random.RandomState(seed)

    def draw(reach: float) -> float:
        return random.uniform(-reach, reach) if reach else 0.0

    size = np.array(pixels.shape)  # rows, columns
    angle = math.radians(draw(transforms.rotation_range))
    shift = np.array([draw(transforms.height_shift_range), draw(transforms.width_shift_range)]) * size
    shear = math.radians(draw(transforms.shear_range))
    reach = transforms.zoom_range
    zoom = random.uniform(1 - reach, 1 + reach, 2) if reach else np.ones(2)
    mirror, upend = random.random_sample(2) < 0.5

    # position in the original = matrix @ position in the generated image + offset, both (row, column)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = rotation @ np.array([[1, -math.sin(shear)], [0, math.cos(shear)]]) * zoom
    centre = (size - 1) / 2
    offset = centre + rotation @ shift - matrix @ centre
    moved = affine(pixels, matrix, offset)
    if mirror and transforms.horizontal_flip:
        moved = moved[:, ::-1]
    if upend and transforms.vertical_flip:
        moved = moved[::-1]
    return np.ascontiguousarray(moved)


def affine(pixels: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Move an image: SciPy's ``affine_transform(pixels, matrix, offset, order=1, mode="nearest")``.

    In half of SciPy's time. Pillow cannot fill with the nearest pixel, so the edge is repeated as far as the
    corners reach out. It is given floats because it would cut 8-bit results off instead of rounding them.

    Args:
        pixels: uint8 (height, width).
        matrix: (2, 2); position in `pixels` = matrix @ position in the result + offset, both (row, column).
        offset: (2,).

    Returns:
        Uint8 (height, width).
    """
    height, width = pixels.shape
    corners = matrix @ np.array([[0, 0, height, height], [0, width, 0, width]]) + offset[:, None]
    outside = np.maximum(-corners, corners - np.array([[height], [width]])).max()
    margin = max(0, math.ceil(outside)) + 2
    image = Image.fromarray(np.pad(pixels, margin, mode="edge").astype(np.float32))
    # Pillow wants (x, y), measured from the corner of the first pixel instead of its centre
    (yy, yx), (xy, xx) = matrix
    y, x = offset + margin + 0.5 - matrix @ (0.5, 0.5)
    moved = image.transform(
        (width, height), Image.Transform.AFFINE, (xx, xy, x, yx, yy, y), Image.Resampling.BILINEAR
    )
    return np.rint(np.asarray(moved)).astype(np.uint8)
