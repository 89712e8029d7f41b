"""A heat map laid over its radiograph."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from neumo.classifier.findings import chance, operating_point
from neumo.explain.cam import enlarge
from neumo.images.checks import MEANING

if TYPE_CHECKING:
    from neumo.classifier.findings import Prediction

COLOURS = "inferno"
"""Of matplotlib: evenly brighter from 0 to 1, also to the colour-blind and in grey print."""

OPAQUE = 0.4
"""Heat from which on a colour is as opaque as asked; below it fades out, so that the radiograph shows."""

PAPER, INK, QUIET = (16, 16, 18), (240, 240, 240), (170, 172, 178)


def overlay(grey: np.ndarray, heat: np.ndarray, opacity: float = 0.5) -> NDArray[np.uint8]:
    """Colour a radiograph where heat is.

    Args:
        grey: grey levels, uint8 (height, width).
        heat: 0 to 1, float32, of any size; it is stretched smoothly to that of the radiograph.
        opacity: of the hottest colours, 0 (the radiograph alone) to 1.

    Returns:
        uint8 (height, width, 3).
    """
    height, width = grey.shape
    levels = _levels(heat if heat.shape == grey.shape else enlarge(heat, height, width))
    table = colour_table().copy()
    table[:, 3] = np.rint(opacity * table[:, 3])
    colours = table[levels]
    top, mask = Image.fromarray(np.ascontiguousarray(colours[..., :3])), Image.fromarray(colours[..., 3])
    return np.array(Image.composite(top, Image.fromarray(grey).convert("RGB"), mask))


def coloured(heat: np.ndarray) -> NDArray[np.uint8]:
    """Heat of 0 to 1, (height, width), as colours to lay over the radiograph: RGBA, uint8 (height, width, 4).

    Laid over it with an opacity of 0.5, in a browser for example, they make what `overlay` makes.
    """
    return colour_table()[_levels(heat)]


@functools.cache
def colour_table() -> NDArray[np.uint8]:
    """Red, green, blue and opacity of 256 degrees of heat, uint8 (256, 4)."""
    import matplotlib

    degrees = np.linspace(0, 1, 256)
    table = matplotlib.colormaps[COLOURS](degrees, bytes=True)
    table[:, 3] = np.rint(255 * np.minimum(degrees / OPAQUE, 1))
    table.setflags(write=False)
    return table


def side_by_side(
    grey: np.ndarray, heat: np.ndarray, prediction: Prediction, positive: str, opacity: float = 0.5
) -> Image.Image:
    """The radiograph, beside it the same under its heat, a colour scale, and what the classifier says.

    Args:
        grey: grey levels, uint8 (height, width); each half of the picture has this size.
        heat: as in `overlay`.
        prediction: of this radiograph; its notice is written into the picture.
        positive: name of the class whose probability it is.
        opacity: as in `overlay`.
    """
    height, width = grey.shape
    text = max(13, min(height, width) // 36)
    gap = text
    small, large = _font(text), _font(round(1.5 * text))
    scale = 5 * text
    total = 2 * width + 4 * gap + scale
    decision = f"{prediction.decision}: probability of {positive} {chance(prediction.probability)}"
    above = [
        *((line, large, INK) for line in _wrapped(decision, large, total - 2 * gap)),
        *((line, small, QUIET) for line in _wrapped(_told(prediction), small, total - 2 * gap)),
    ]
    below = [(line, small, INK) for line in _wrapped(prediction.notice, small, total - 2 * gap)]
    top, bottom = (sum(_line(font) for _, font, _ in lines) + 2 * gap for lines in (above, below))
    left, right = gap, 2 * gap + width
    named = [
        (left, _wrapped("radiograph", small, width)),
        (right, _wrapped(f"what speaks for {positive}", small, total - right - gap)),
    ]
    captions = _line(small) * max(len(lines) for _, lines in named)
    canvas = Image.new("RGB", (total, top + captions + height + bottom), PAPER)
    draw = ImageDraw.Draw(canvas)
    _write(draw, above, gap, gap)
    _write(draw, below, gap, top + captions + height + gap)
    for x, lines in named:
        _write(draw, [(line, small, INK) for line in lines], x, top - gap // 2)
    canvas.paste(Image.fromarray(grey), (left, top + captions))
    canvas.paste(Image.fromarray(overlay(grey, heat, opacity)), (right, top + captions))
    _draw_scale(draw, right + width + gap, top + captions, text, height, small)
    return canvas


def _told(prediction: Prediction) -> str:
    told = [
        prediction.path.replace("\\", "/").rsplit("/", 1)[-1],
        f"operating point {operating_point(prediction.threshold)}",
    ]
    return "; ".join([*told, *(f"this image {MEANING.get(name, name)}" for name in prediction.warnings)])


def _levels(heat: np.ndarray) -> NDArray[np.uint8]:
    return np.rint(255 * np.clip(heat, 0, 1)).astype(np.uint8)


def _draw_scale(
    draw: ImageDraw.ImageDraw, x: int, y: int, text: int, height: int, font: ImageFont.FreeTypeFont
) -> None:
    """Every degree of heat from the bottom up, 0 to 1."""
    for row in range(height):
        colour = colour_table()[round(255 * (height - 1 - row) / max(height - 1, 1))]
        draw.line((x, y + row, x + text, y + row), tuple(colour[:3].tolist()))
    for degree, words in ((0, "0"), (0.5, "0.5"), (1, "1")):
        place = ("ld", "lm", "la")[round(2 * degree)]
        draw.text((x + 1.5 * text, y + (1 - degree) * (height - 1)), words, INK, font, anchor=place)


def _font(size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def _line(font: ImageFont.FreeTypeFont) -> int:
    return round(1.4 * font.size)


def _write(
    draw: ImageDraw.ImageDraw,
    lines: Sequence[tuple[str, ImageFont.FreeTypeFont, tuple[int, int, int]]],
    x: int,
    y: int,
) -> None:
    for line, font, colour in lines:
        draw.text((x, y), line, colour, font)
        y += _line(font)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The text in as few lines as fit."""
    for letters in range(len(text), 1, -1):
        lines = textwrap.wrap(text, letters)
        if all(font.getlength(line) <= width for line in lines):
            return lines
    return textwrap.wrap(text, 1)
