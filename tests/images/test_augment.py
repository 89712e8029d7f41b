"""A changed image is still a chest radiograph of the same child, the heart on the same side."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neumo.errors import NeumoError
from neumo.images.augment import Augmentation, augment
from neumo.phantom.radiograph import draw_radiograph

NONE = Augmentation(**dict.fromkeys((field.name for field in dataclasses.fields(Augmentation)), 0.0))


@pytest.fixture(scope="module")
def radiograph() -> np.ndarray:
    return draw_radiograph("bacteria", patient=3)[0]


def test_nothing_changes_nothing(radiograph: np.ndarray) -> None:
    assert np.array_equal(augment(radiograph, NONE, 5), radiograph)


def test_the_same_seed_gives_the_same_image(radiograph: np.ndarray) -> None:
    first = augment(radiograph, Augmentation(), 1)
    assert np.array_equal(first, augment(radiograph, Augmentation(), 1))
    assert not np.array_equal(first, augment(radiograph, Augmentation(), 2))
    assert (first.dtype, first.shape) == (np.uint8, radiograph.shape)


def test_left_stays_left_and_up_stays_up() -> None:
    heart = np.zeros((224, 224), np.uint8)
    heart[130:180, 130:190] = 200
    by = dataclasses.replace(Augmentation(), corners=0.0, brightness=0.0)
    for seed in range(60):
        rows, columns = np.nonzero(augment(heart, by, seed) > 100)
        assert rows.mean() > 112
        assert columns.mean() > 112


@pytest.mark.parametrize(("name", "reach"), [("gamma", 0.5), ("contrast", 0.3), ("brightness", 30.0)])
def test_exposure_keeps_the_order_of_grey_levels(radiograph: np.ndarray, name: str, reach: float) -> None:
    changed = augment(radiograph, dataclasses.replace(NONE, **{name: reach}), 4)
    assert not np.array_equal(changed, radiograph)
    order = np.argsort(radiograph.ravel(), kind="stable")
    assert (np.diff(changed.ravel()[order].astype(int)) >= 0).all()


def test_noise_is_as_strong_as_it_says() -> None:
    grey = np.full((224, 224), 128, np.uint8)
    found = [augment(grey, dataclasses.replace(NONE, noise=6.0), seed).std() for seed in range(60)]
    assert max(found) < 6.2
    assert np.mean(found) == pytest.approx(3.0, abs=0.5)


def test_a_shift_moves_as_far_as_it_says() -> None:
    dot = np.zeros((201, 201), np.uint8)
    dot[100, 100] = 255
    found = np.array(
        [np.argwhere(augment(dot, dataclasses.replace(NONE, shift=0.1), s))[0] - 100 for s in range(100)]
    )
    assert 15 < np.abs(found).max() <= 21


def test_blur_takes_detail_away_and_nothing_else() -> None:
    stripes = np.tile(np.array([90, 110], np.uint8), (100, 50))
    found = [augment(stripes, dataclasses.replace(NONE, blur=2.0), seed) for seed in range(40)]
    flat = [one.std() < 5 for one in found]
    assert 10 < sum(flat) < 30
    assert all(abs(one.mean() - 100) < 1.5 for one in found)
    assert sum(np.array_equal(one, stripes) for one in found) >= 10


def moments(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean position (row, column) of what is bright, and the covariance of its positions."""
    bright = np.argwhere(pixels > 100)
    return bright.mean(axis=0), np.cov(bright.T)


def test_a_rotation_turns_about_the_centre_as_far_as_it_says() -> None:
    bar = np.zeros((201, 161), np.uint8)
    bar[95:106, 20:141] = 200
    _, before = moments(bar)
    angles = []
    for seed in range(60):
        centre, covariance = moments(augment(bar, dataclasses.replace(NONE, rotation=20.0), seed))
        np.testing.assert_allclose(centre, (100, 80), atol=0.3)
        across, along = np.linalg.eigvalsh(covariance)
        assert (across, along) == pytest.approx((before[0, 0], before[1, 1]), rel=0.05)
        angles.append(np.degrees(np.arctan2(2 * covariance[0, 1], covariance[1, 1] - covariance[0, 0]) / 2))
    assert -20.5 < min(angles) < -17
    assert 17 < max(angles) < 20.5


def test_zoom_scales_about_the_centre_as_far_as_it_says() -> None:
    disc = np.hypot(*(np.indices((201, 201)) - 100)) < 40
    scales = []
    for seed in range(60):
        changed = augment(200 * disc.astype(np.uint8), dataclasses.replace(NONE, zoom=0.5), seed)
        centre, covariance = moments(changed)
        np.testing.assert_allclose(centre, (100, 100), atol=0.3)
        assert covariance[0, 0] == pytest.approx(covariance[1, 1], rel=0.02)
        scales.append(np.sqrt((changed > 100).sum() / disc.sum()))
    assert 0.66 < min(scales) < 0.7
    assert 1.43 < max(scales) < 1.51


def test_stretch_changes_height_against_width() -> None:
    disc = np.hypot(*(np.indices((201, 201)) - 100)) < 40
    ratios = []
    for seed in range(60):
        changed = augment(200 * disc.astype(np.uint8), dataclasses.replace(NONE, stretch=0.5), seed) > 100
        assert changed.sum() == pytest.approx(disc.sum(), rel=0.02)
        ratios.append(changed.any(axis=1).sum() / changed.any(axis=0).sum())
    assert 0.63 < min(ratios) < 0.75
    assert 1.35 < max(ratios) < 1.55


def test_borders_and_corners_are_blanked() -> None:
    grey = np.full((100, 100), 90, np.uint8)
    bordered = augment(grey, dataclasses.replace(NONE, border=0.1), 0)
    assert set(np.unique(bordered)) == {0, 90}
    assert (bordered[11:89, 11:89] == 90).all()
    cornered = augment(grey, dataclasses.replace(NONE, corners=1.0, corner=0.3), 0)
    assert (cornered[[0, 0, -1, -1], [0, -1, 0, -1]] != 90).all()
    assert (cornered[31:69] == 90).all()
    assert (cornered[:, 31:69] == 90).all()


def test_the_same_farther() -> None:
    farther = Augmentation(rotation=7, noise=4.5, border=0.1, corners=0.4).times(3)
    assert (farther.rotation, farther.noise, farther.corners) == (21, 13.5, 1)
    assert farther.border == pytest.approx(0.3)
    assert Augmentation().times(1) == Augmentation()
    assert Augmentation().times(0) == NONE


@pytest.mark.parametrize(
    ("name", "value"), [("rotation", -1), ("gamma", -2), ("stretch", None), ("noise", "5"), ("corners", 3)]
)
def test_reaches_that_mean_nothing_are_told(name: str, value: object) -> None:
    with pytest.raises(NeumoError, match=f"augmentation, {name}: got .*, expected "):
        Augmentation(**{name: value})  # type: ignore[arg-type]
