from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from neumo.images.exposure import EXPOSURE, exposure
from neumo.images.read import read_radiograph


@pytest.fixture(scope="module")
def radiograph(coronahack: Path) -> Image.Image:
    return Image.fromarray(read_radiograph(sorted(coronahack.rglob("*.jpeg"))[0]))


def test_has_every_number(radiograph: Image.Image) -> None:
    assert exposure(np.asarray(radiograph)).keys() == EXPOSURE.keys()


def test_are_what_they_are_called() -> None:
    pixels = np.full((100, 200), 100, np.uint8)
    pixels[5:95, 10:190] = 0  # all but a border of a twentieth
    pixels[50, 100] = 250
    found = exposure(pixels)
    assert found["border"] == pytest.approx(100)
    assert found["brightness"] == pytest.approx(pixels.mean())
    assert found["contrast"] == pytest.approx(pixels.std(), rel=1e-5)
    assert found["black"] == pytest.approx((90 * 180 - 1) / 20000)
    assert found["white"] == pytest.approx(1 / 20000)


def test_blurring_lowers_sharpness_alone(radiograph: Image.Image) -> None:
    before = exposure(np.asarray(radiograph))
    after = exposure(np.asarray(radiograph.filter(ImageFilter.GaussianBlur(2))))
    assert after["sharpness"] < 0.7 * before["sharpness"]
    assert after["brightness"] == pytest.approx(before["brightness"], abs=1)


def test_a_longer_exposure_darkens(radiograph: Image.Image) -> None:
    pixels = np.asarray(radiograph)
    darker = (255 * (pixels / 255) ** 1.5).astype(np.uint8)
    assert exposure(darker)["brightness"] < exposure(pixels)["brightness"] - 10
    assert exposure(darker)["black"] > exposure(pixels)["black"]
