"""A decoded picture of any mode as 8-bit grey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, SAMPLEFORMAT, TiffImageFile

from neumo.errors import UnreadableImageError

UNSIGNED, SIGNED = (1,), (2,)  # SampleFormat of a TIFF; unsigned is also one that does not say


def to_grey(path: Path, image: Image.Image) -> Image.Image:
    """A decoded picture as 8-bit grey, mode "L"; what is transparent is black.

    Raises:
        UnreadableImageError: its colour space is no radiograph's, or a pixel is no number.
    """
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    signed = tags.get(SAMPLEFORMAT) == SIGNED
    if image.mode == "F" or image.mode.startswith("I") or (image.mode == "L" and signed):
        values = np.asarray(image)
        if image.mode == "L":
            values = values.view(np.int8)  # Pillow takes 8 bits for unsigned
        if tags and image.mode == "I" and tags.get(SAMPLEFORMAT, UNSIGNED) == UNSIGNED:
            values = values.view(np.uint32)  # and 32 for signed
        return Image.fromarray(_to_uint8(path, values, inverted=tags.get(PHOTOMETRIC_INTERPRETATION) == 0))
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, "black")
        return Image.alpha_composite(black, image.convert("RGBA")).convert("L")
    if image.mode not in ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"):
        raise UnreadableImageError(path, f"a picture in mode {image.mode}", "a grey or RGB picture")
    if image.mode == "L":
        return image
    return image.convert("RGB").convert("L") if image.mode == "CMYK" else image.convert("L")


def _to_uint8(path: Path, values: np.ndarray, inverted: bool) -> np.ndarray:
    """Values of more than 8 bits as uint8.

    White is the largest value of the smallest bit depth that holds the brightest pixel: 65,535 for a 16-bit
    picture, 4,095 for a 12-bit detector's values in a 16-bit file, 1 for fractions. Negative values have no
    such convention; among them black is the smallest value and white the largest.
    """
    fractions = values.dtype.kind == "f"
    if not np.isfinite(values).all():
        raise UnreadableImageError(path, "pixels that are no numbers (NaN or infinite)", "finite grey values")
    black, white = float(values.min()), float(values.max())
    if black >= 0:
        black = 0.0
        white = 1.0 if fractions and white <= 1 else 2.0 ** max(8, int(white).bit_length()) - 1
    grey = np.rint((values.astype(np.float32) - black) * (255 / max(white - black, 1e-9))).astype(np.uint8)
    return 255 - grey if inverted else grey
