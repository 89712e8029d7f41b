"""Generated images are what Keras' ImageDataGenerator would draw."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from neumo.backend import keras
from neumo.errors import NeumoError
from neumo.images.generate import Transforms, affine, copy_seed, generate
from neumo.images.read import read_radiograph

STRONG = Transforms(
    rotation_range=25, width_shift_range=0.3, height_shift_range=0.2, shear_range=15, zoom_range=0.4
)


@pytest.fixture(scope="module")
def radiograph(coronahack: Path) -> np.ndarray:
    return read_radiograph(next(coronahack.rglob("IM-0001-0001.jpeg")))


def by_keras(pixels: np.ndarray, transforms: Transforms, seed: int) -> np.ndarray:
    generator = keras.src.legacy.preprocessing.image.ImageDataGenerator(
        **asdict(transforms), fill_mode="nearest", data_format="channels_last"
    )
    moved: np.ndarray = generator.random_transform(pixels[..., None].astype(np.float32), seed=seed)
    return moved[..., 0]


@pytest.mark.filterwarnings("ignore:Please import `affine_transform`:DeprecationWarning")
@pytest.mark.parametrize("transforms", [Transforms(), STRONG], ids=["study", "strong"])
@pytest.mark.parametrize("seed", [0, 1, 2, 2**32 - 1])
def test_moves_as_keras_does(radiograph: np.ndarray, transforms: Transforms, seed: int) -> None:
    # Keras 3 swaps the axes (keras issue 17398): on the transposed image it does what it documents
    expected = by_keras(radiograph.T, transforms, seed).T
    assert np.abs(expected - radiograph).mean() > 1
    assert np.abs(generate(radiograph, transforms, seed) - expected).max() < 0.52


@pytest.mark.parametrize("seed", range(8))
def test_flips_as_keras_does(radiograph: np.ndarray, seed: int) -> None:
    flips = Transforms(0, 0, 0, 0, 0, horizontal_flip=True, vertical_flip=True)
    np.testing.assert_array_equal(generate(radiograph, flips, seed), by_keras(radiograph, flips, seed))


def test_never_flips_by_default() -> None:
    marked = np.zeros((224, 224), np.uint8)
    marked[40:60, 40:60] = 255
    for seed in range(20):
        assert generate(marked, Transforms(), seed)[:112, :112].sum() > 300 * 255


def test_width_shift_goes_sideways() -> None:
    upright = np.zeros((40, 60), np.uint8)
    upright[:, 30] = 255
    lying = np.zeros((40, 60), np.uint8)
    lying[20] = 255
    sideways = Transforms(0, width_shift_range=0.2, zoom_range=0)
    for seed in range(5):
        np.testing.assert_array_equal(generate(lying, sideways, seed), lying)
        moved = generate(upright, sideways, seed)
        reach = abs(moved.mean(axis=0) @ np.arange(60) / moved.mean(axis=0).sum() - 30)
        assert 0 < reach <= 0.2 * 60


def test_nothing_on_changes_nothing(radiograph: np.ndarray) -> None:
    np.testing.assert_array_equal(generate(radiograph, Transforms(0, 0, 0, 0, 0), 3), radiograph)


def test_seed_decides(radiograph: np.ndarray) -> None:
    first = generate(radiograph, Transforms(), 5)
    np.testing.assert_array_equal(first, generate(radiograph, Transforms(), 5))
    assert (first != generate(radiograph, Transforms(), 6)).mean() > 0.1
    assert first.dtype == np.uint8
    assert first.flags.c_contiguous


def test_seed_of_a_copy_never_changes() -> None:
    assert copy_seed("ab" * 32, 1) == 0xE6C3F977
    assert len({copy_seed("ab" * 32, copy) for copy in range(100)}) == 100
    assert all(0 <= copy_seed(f"{image:064x}", 1) < 2**32 for image in range(100))


@pytest.mark.parametrize("angle", [0.0, 3.0, 45.0, 100.0])
def test_affine_is_scipys(angle: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 83), dtype=np.uint8)
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    matrix, offset = np.array([[1.3 * cos, -sin], [sin, 0.8 * cos]]), np.array([31.3, -20.7])
    expected = affine_transform(pixels.astype(float), matrix, offset, order=1, mode="nearest")
    assert np.abs(affine(pixels, matrix, offset) - expected).max() < 0.52


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rotation_range", -0.2, "number of degrees below 180"),
        ("rotation_range", float("nan"), "number of degrees below 180"),
        ("rotation_range", 180, "number of degrees below 180"),
        ("width_shift_range", 1.0, "fraction below 1"),
        ("height_shift_range", float("inf"), "fraction below 1"),
        ("height_shift_range", 1.0, "fraction below 1"),
        ("shear_range", 90, "number of degrees below 90"),
        ("zoom_range", 1.0, "fraction below 1"),
    ],
)
def test_senseless_ranges_are_refused(name: str, value: float, expected: str) -> None:
    with pytest.raises(NeumoError, match=f"{name}: got {value}, expected a {expected}, 0 or more"):
        replace(Transforms(), **{name: value})  # type: ignore[arg-type]


def test_any_range_below_its_limit_will_do() -> None:
    widest = Transforms(179.9, 0.999, 0.999, 89.9, 0.999)
    assert generate(np.full((9, 9), 7, np.uint8), widest, 0).tolist() == [[7] * 9] * 9


def test_describes_itself() -> None:
    assert Transforms().describe() == (
        "Each generated image is its original rotated by up to 0.2 degrees, shifted sideways by up to 2.5% "
        "of the width and scaled by 0.9 to 1.1 in height and in width."
    )
    assert "shifted up or down by up to 10.0% of the height and sheared by up to 5 degrees." in (
        Transforms(height_shift_range=0.1, shear_range=5, zoom_range=0).describe()
    )
    assert "left as it is" in Transforms(0, 0, 0, 0, 0).describe()
    assert "mirrored left to right" in Transforms(horizontal_flip=True).describe()
