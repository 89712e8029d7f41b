from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neumo.images.read import read_radiograph
from neumo.images.stretch import STRETCH, stretch


@pytest.fixture
def radiograph(coronahack: Path) -> np.ndarray:
    return read_radiograph(next(coronahack.rglob("IM-0115-0001.jpeg")))


def numbers(pixels: np.ndarray) -> dict[str, float]:
    return dict(zip(STRETCH, stretch(pixels), strict=True))


def squeezed(pixels: np.ndarray, to: int, box: tuple[float, float, float, float]) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((to, to), Image.Resampling.BILINEAR, box=box))


def test_the_steps_of_a_ramp_are_known() -> None:
    across = np.arange(40, dtype=np.uint8)[None] * 4 + np.zeros((40, 1), np.uint8)
    found = numbers(across + np.arange(40, dtype=np.uint8)[:, None] * 2)
    assert found["horizontal"] == pytest.approx(4)
    assert found["vertical"] == pytest.approx(2)
    assert found["stretch"] == pytest.approx(np.log(2))
    assert found["detail"] == pytest.approx(0)


def test_the_laplacian_of_one_point_is_known() -> None:
    pixels = np.zeros((12, 12), np.uint8)
    pixels[6, 6] = 100
    assert numbers(pixels)["detail"] == pytest.approx((400 + 4 * 100) / 10**2)
    spread = 100 * (1 / 144 * 143 / 144) ** 0.5
    assert numbers(pixels)["fineness"] == pytest.approx(8 / spread)


def test_squeezing_the_width_raises_the_stretch(radiograph: np.ndarray) -> None:
    wide = squeezed(radiograph, 160, (0, 32, 224, 192))  # 224 x 160 pixels made square
    high = squeezed(radiograph, 160, (32, 0, 192, 224))
    middle = numbers(squeezed(radiograph, 160, (32, 32, 192, 192)))["stretch"]
    assert numbers(high)["stretch"] + 0.1 < middle < numbers(wide)["stretch"] - 0.1


def test_exposure_does_not_change_the_stretch_blur_takes_fineness_away(radiograph: np.ndarray) -> None:
    assert numbers(radiograph // 2)["stretch"] == pytest.approx(numbers(radiograph)["stretch"], abs=0.02)
    small = Image.fromarray(radiograph).resize((96, 96), Image.Resampling.BILINEAR)
    blurred = numbers(np.asarray(small.resize((224, 224), Image.Resampling.BILINEAR)))
    assert blurred["fineness"] < 0.7 * numbers(radiograph)["fineness"]


def test_an_even_picture_has_finite_numbers() -> None:
    assert stretch(np.full((8, 8), 7, np.uint8)).tolist() == [0, 0, 0, 0, 0]
