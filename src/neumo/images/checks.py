"""What is odd about the pixels of an image that should be a frontal chest radiograph."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image

BLANK = 8  # grey levels between the 1st and the 99th percentile of a picture: nothing to see
ROWS = 16  # one of so many rows is looked at first; where it is spread enough, so is the whole picture

MEANING = {
    "unfamiliar": "does not look like a frontal chest radiograph as in the training data",
    "inverted": "looks like a negative (bone black); scored after inverting its greys",
    "upside-down": "looks upside down; scored after turning it around",
    "blank": "has nothing to see: all of it is one grey",
    "colour": "is in colour, as no radiograph is",
    "transparent": "is transparent in places, which are taken as black",
    "tiny": "is smaller than half of what the classifier looks at",
    "lateral": "is tagged as a lateral, oblique or decubitus view; the classifier knows upright frontal ones",
    "elsewhere": "is tagged as a radiograph of another part of the body",
    "raw": "is tagged as raw values of a detector, not as the picture that is read",
    "age": "is tagged with an age of the patient that the training data do not have",
}
"""Every warning a prediction can carry, as a sentence whose subject is the image."""

TURNED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "inverted": lambda pixels: 255 - pixels,
    "upside-down": lambda pixels: np.ascontiguousarray(pixels[..., ::-1, ::-1]),
}
"""What makes a radiograph again of pictures, uint8 (..., height, width), that are wrong in this way."""


def look(pixels: np.ndarray) -> tuple[str, ...]:
    """Warnings that the pixels alone give.

    Args:
        pixels: grey levels, uint8 (height, width).
    """
    if _spread(pixels[::ROWS], pixels.size // 100 + 1):
        return ()
    shares = np.cumsum(Image.fromarray(pixels).histogram()) / pixels.size  # faster than numpy.bincount
    low, high = np.searchsorted(shares, (0.01, 0.99))
    return ("blank",) * bool(high - low < BLANK)


def _spread(pixels: np.ndarray, each: int) -> bool:
    """Whether so many pixels are darker than so many others by `BLANK` or more."""
    ordered = np.partition(pixels, (each - 1, -each), axis=None)
    return int(ordered[-each]) - int(ordered[each - 1]) >= BLANK


def with_lateral(warnings: tuple[str, ...], known: bool) -> tuple[str, ...]:
    """Warnings of an image, "lateral" among them where it is known to be such a view."""
    return ("lateral", *warnings) if known and "lateral" not in warnings else warnings


def as_scored(pixels: np.ndarray, warnings: Iterable[str]) -> np.ndarray:
    """An image as it was scored.

    Args:
        pixels: as they were read, uint8 (height, width).
        warnings: of its finding.
    """
    for name in TURNED.keys() & set(warnings):
        pixels = TURNED[name](pixels)
    return pixels


def as_read(heat: np.ndarray, warnings: Iterable[str]) -> np.ndarray:
    """A heat map of an image as it was scored, (height, width), laid over the image as it was read."""
    return TURNED["upside-down"](heat) if "upside-down" in set(warnings) else heat
