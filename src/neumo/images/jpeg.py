"""JPEGs decoded straight to smaller pictures."""

from __future__ import annotations

import numpy as np
import simplejpeg
from PIL import Image

from neumo.images.jpeg_layout import frame, without

# Frames (ITU-T T.81, table B.1) that libjpeg-turbo can decode smaller. Of a lossless one it would write all
# rows and columns, past the end.
SCALED = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
ASIDES = {"ICC": 0xE2, "JFIF": 0xE0, "Adobe": 0xEE}  # markers of what libjpeg warns of in a whole picture


def decode_jpeg(
    data: bytes, space: str, height: int, width: int, size: int | None
) -> tuple[Image.Image, int]:
    """Decode a JPEG, by the largest step that leaves it as large as is asked.

    Not by Pillow, which keeps silent when libjpeg finds a hole in the data, fills it with grey and warns.

    Args:
        data: the file.
        space: "GRAY", or "RGBA" to get its colours, if it has any.
        height: that its header says, in pixels.
        width: likewise.
        size: of both sides that will be needed, in pixels; None for all there are.

    Returns:
        The picture, grey or RGB, and how many times smaller it is; parts of a pixel count for one.

    Raises:
        ValueError: it does not decode, or is not whole.
    """
    scale = _scale(height, width, size) if frame(data) in SCALED else 1
    pixels = _pixels(data, space, -(-height // scale), -(-width // scale))
    if space == "GRAY":
        return Image.fromarray(pixels[..., 0]), scale
    whole = pixels.view("<u4")[..., 0]  # a number for a pixel, red lowest: far faster than its channels
    if np.bitwise_or.reduce(whole ^ whole >> 8, axis=None) & 0xFFFF:
        return Image.fromarray(pixels[..., :3]), scale
    return Image.fromarray(whole.astype(np.uint8)), scale  # most colour JPEGs of radiographs hold grey alone


def _pixels(data: bytes, space: str, height: int, width: int) -> np.ndarray:
    """Uint8 (height, width, channels)."""
    try:
        return simplejpeg.decode_jpeg(data, space, min_height=height, min_width=width)
    except ValueError as error:
        odd = (marker for word, marker in ASIDES.items() if word in str(error))
        if len(rest := without(data, next(odd, 0))) < len(data):
            return _pixels(rest, space, height, width)
        if "extraneous bytes" not in str(error):  # left-over bytes between segments: the picture is whole
            raise
        return simplejpeg.decode_jpeg(data, space, min_height=height, min_width=width, strict=False)


def _scale(height: int, width: int, size: int | None) -> int:
    """How many times smaller a JPEG is decoded, so that it still has the asked size.

    libjpeg-turbo can also decode to 3/8, 5/8 and so on, but has vector code for 1/2 and 1/4 alone; 1/8 needs
    none.
    """
    if size is None:
        return 1
    return next((scale for scale in (8, 4, 2) if min(height, width) >= scale * size), 1)
