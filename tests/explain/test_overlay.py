"""The picture of a heat map, against Pillow's own compositing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from neumo.classifier.findings import NOTICE, SYNTHETIC, Prediction
from neumo.explain.overlay import colour_table, coloured, overlay, side_by_side
from neumo.images.checks import MEANING

HEAT = np.linspace(0, 1, 224, dtype=np.float32)[None].repeat(224, axis=0)  # hotter to the right


@pytest.fixture
def grey() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (224, 224), np.uint8)


@pytest.mark.parametrize("opacity", [0.3, 0.5, 1.0])
def test_equals_a_layer_of_that_opacity(grey: np.ndarray, opacity: float) -> None:
    layer = coloured(HEAT)
    layer[..., 3] = np.rint(opacity * layer[..., 3])
    base = Image.fromarray(grey).convert("RGBA")
    expected = np.asarray(Image.alpha_composite(base, Image.fromarray(layer)).convert("RGB"), int)
    assert np.abs(overlay(grey, HEAT, opacity) - expected).max() <= 1
    assert overlay(grey, HEAT, opacity).dtype == np.uint8


def test_what_is_not_hot_or_not_shown_stays_as_it_is(grey: np.ndarray) -> None:
    plain = grey[..., None].repeat(3, axis=-1)
    np.testing.assert_array_equal(overlay(grey, HEAT, 0), plain)
    np.testing.assert_array_equal(overlay(grey, 0 * HEAT), plain)
    assert (overlay(grey, HEAT, 1)[:, -1] == colour_table()[-1, :3]).all()


def test_colours_get_evenly_brighter() -> None:
    """CIE lightness (of sRGB, by the standard's formula) rises by about the same from degree to degree."""
    linear = ((colour_table()[:, :3] / 255 + 0.055) / 1.055) ** 2.4
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    lightness = 116 * np.cbrt(luminance) - 16
    steps = np.diff(lightness[16::16])
    assert steps.min() > 0.5 * steps.mean()


def test_heat_lies_where_it_was_found_at_any_size() -> None:
    grey = np.zeros((300, 500), np.uint8)
    heat = np.zeros((224, 224), np.float32)
    heat[32:64, 160:192] = 1  # middle at 48, 176: 64, 393 in the radiograph
    lit = overlay(grey, heat).sum(axis=-1)
    rows, columns = np.nonzero(lit > 0.5 * lit.max())
    assert (rows.mean(), columns.mean()) == pytest.approx((48 / 224 * 300, 176 / 224 * 500), abs=2)


@pytest.mark.parametrize(
    ("height", "width", "positive"),
    [
        (224, 224, "pneumonia"),
        (700, 500, "pneumonia"),
        (60, 90, "pneumonia"),
        (224, 224, "bacterial pneumonia or consolidation of unknown cause"),
    ],
)
def test_says_beside_the_original_what_was_found(
    height: int, width: int, positive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, tuple[float, ...]]] = []
    write = ImageDraw.ImageDraw.text

    def text(draw: Any, xy: Any, words: str, *rest: Any, **options: Any) -> None:
        box = draw.textbbox(xy, words, font=rest[1], anchor=options.get("anchor"))
        written.append((words, box))
        write(draw, xy, words, *rest, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    grey = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    name = "a" * 150 + ".png"
    found = Prediction(
        f"folder/{name}", 0.1234, 0.5, "normal", f"{NOTICE} {SYNTHETIC}", warnings=("unfamiliar",)
    )
    picture = side_by_side(grey, HEAT, found, positive)
    lines = " ".join(words for words, _ in written)
    for said in (
        f"normal: probability of {positive} 0.123",
        f"for {positive}",
        NOTICE,
        SYNTHETIC,
        MEANING["unfamiliar"],
    ):
        assert said in lines
    assert name in lines.replace(" ", "")
    assert "folder" not in lines
    for words, (left, top, right, bottom) in written:
        assert 0 <= left < right <= picture.width, words
        assert 0 <= top < bottom <= picture.height, words
    pixels = np.asarray(picture)
    row, column = _place(pixels, grey)
    np.testing.assert_array_equal(pixels[row : row + height, column : column + width, 0], grey)
    right = column + width + 13 if min(height, width) < 500 else column + width + 500 // 36
    np.testing.assert_array_equal(pixels[row : row + height, right : right + width], overlay(grey, HEAT))


def _place(pixels: np.ndarray, grey: np.ndarray) -> tuple[int, int]:
    """Row and column of the radiograph in the picture."""
    height, width = grey.shape
    for row in range(pixels.shape[0] - height + 1):
        for column in range(40):
            if (pixels[row, column : column + width, 0] == grey[0]).all():
                return row, column
    raise AssertionError("the radiograph is not in the picture")
