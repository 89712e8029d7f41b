"""Synthetic radiographs show what they say they show."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from neumo.phantom.film import attenuation
from neumo.phantom.pneumonia import Strength, consolidation, interstitial
from neumo.phantom.radiograph import draw_radiograph
from neumo.phantom.thorax import Thorax, grow_anatomy, project, strike_pose

PATIENTS = range(8)
SIZE = 128


def thorax_of(patient: int) -> Thorax:
    rng = np.random.default_rng([9, patient])
    return project(grow_anatomy(rng), strike_pose(rng), SIZE)


def test_pixels_and_mask() -> None:
    pixels, lesion = draw_radiograph("bacteria", patient=3, size=200)
    assert (pixels.shape, pixels.dtype) == ((200, 200), np.uint8)
    assert (lesion.shape, lesion.dtype) == ((200, 200), np.bool_)
    assert lesion.any()
    assert not draw_radiograph("", patient=3)[1].any()


def test_same_bytes_in_another_process_and_order() -> None:
    script = (
        "import hashlib; from neumo.phantom.radiograph import draw_radiograph;"
        "print([hashlib.sha256(draw_radiograph(c, patient=p, image=1)[0]).hexdigest()"
        " for p in (5, 2) for c in ('virus', 'bacteria', '')])"
    )
    here = [
        hashlib.sha256(draw_radiograph(cause, patient=patient, image=1)[0].tobytes()).hexdigest()
        for patient in (2, 5)
        for cause in ("", "bacteria", "virus")
    ]
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(here[::-1])


def test_seed_patient_and_image_each_change_the_pixels() -> None:
    drawn = [
        draw_radiograph("virus", seed=seed, patient=patient, image=image)[0].tobytes()
        for seed in (0, 1)
        for patient in (0, 1)
        for image in (0, 1)
    ]
    assert len(set(drawn)) == 8


def test_nothing_but_the_lesion_tells_the_cause() -> None:
    """Marks, exposure, pose and anatomy are those of the normal image, and so is all that lies far away."""
    for patient in PATIENTS:
        normal, _ = draw_radiograph("", patient=patient)
        for cause in ("bacteria", "virus"):
            ill, lesion = draw_radiograph(cause, patient=patient)
            strip = slice(-10, None)  # the word SYNTHETIC
            np.testing.assert_array_equal(ill[strip, :40], normal[strip, :40])
            difference = np.abs(ill.astype(int) - normal)
            assert difference[lesion].mean() > 10 * difference[:25].mean()


def test_synthetic_is_burnt_in_alike_everywhere() -> None:
    corners = {
        draw_radiograph(cause, patient=patient, official=official)[0][-10:, :40].tobytes()
        for patient in range(3)
        for cause in ("", "bacteria", "virus")
        for official in ("train", "test")
    }
    assert len(corners) == 1
    letters = np.frombuffer(corners.pop(), np.uint8)
    assert letters.max() > 150
    assert np.median(letters) == 0


def test_difficulty_changes_the_lesion_only() -> None:
    np.testing.assert_array_equal(draw_radiograph("", difficulty=0)[0], draw_radiograph("", difficulty=1)[0])
    normal = [draw_radiograph("", patient=patient, size=SIZE)[0].astype(int) for patient in PATIENTS]
    for cause in ("bacteria", "virus"):
        contrast = []
        for difficulty in (0.0, 0.5, 1.0):
            brighter = []
            for patient in PATIENTS:
                ill, lesion = draw_radiograph(cause, patient=patient, difficulty=difficulty, size=SIZE)
                brighter.append((ill - normal[patient])[lesion].sum())
            contrast.append(np.mean(brighter))
        assert contrast[0] > 1.3 * contrast[1] > 1.3**2 * contrast[2] > 0


@pytest.mark.parametrize("patient", PATIENTS)
def test_anatomy(patient: int) -> None:
    thorax = thorax_of(patient)
    left_of_image = thorax.u < 0
    assert thorax.heart[~left_of_image].sum() > 1.5 * thorax.heart[left_of_image].sum()  # patient's left
    for side in (left_of_image, ~left_of_image):
        assert 0.08 < (thorax.lungs & side).mean() < 0.3
    # The right dome of the diaphragm stands higher than the left one.
    rows = [np.flatnonzero(thorax.lungs[:, column_of(thorax, u)]).max() for u in (-0.42, 0.42)]
    assert rows[0] < rows[1]


def column_of(thorax: Thorax, u: float) -> int:
    return int(np.abs(thorax.u[SIZE // 2] - u).argmin())


@pytest.mark.parametrize("patient", PATIENTS)
def test_densities(patient: int) -> None:
    """Air is darkest, lung next, then soft tissue; the spine is densest."""
    thorax = thorax_of(patient)
    beam = attenuation(thorax)
    assert beam.dtype == np.float32
    lung = np.median(beam[thorax.lungs])
    abdomen = np.median(beam[(thorax.v > 1.1) & (np.abs(thorax.u) < 0.6)])
    spine = np.median(beam[(np.abs(thorax.v - 0.9) < 0.1) & (np.abs(thorax.u) < 0.04)])
    assert beam.min() >= 0
    assert 0.4 * spine < lung < 0.75 * abdomen
    assert abdomen < spine


@pytest.mark.parametrize("patient", PATIENTS)
def test_lesions_lie_in_the_lungs(patient: int) -> None:
    thorax = thorax_of(patient)

    def chance() -> tuple[np.random.Generator, np.random.Generator]:
        return np.random.default_rng([patient, 1]), np.random.default_rng([patient, 2])

    focal = consolidation(thorax, Strength.at(0.5), *chance())
    diffuse = interstitial(thorax, Strength.at(0.5), *chance())
    for filled in (focal, diffuse):
        assert filled.dtype == np.float32
        assert 0 <= filled.min() < 0.15 < filled.max() <= 0.95
        assert not filled[~thorax.lungs].any()
    # Both lungs share in a diffuse pattern.
    fluid = [diffuse[thorax.u < 0].sum(), diffuse[thorax.u > 0].sum()]
    assert min(fluid) > 0.25 * max(fluid)
    # Fluid adds to the beam where it is, and nowhere else.
    added = attenuation(thorax, focal) - attenuation(thorax)
    assert (added[focal > 0] >= 0).all()
    assert added[focal > 0.3].min() > 0
    assert not added[focal == 0].any()


def test_consolidation_hides_the_heart_border() -> None:
    """The silhouette sign: with the air beside it the border of the heart goes."""
    thorax = thorax_of(0)
    full = np.where(thorax.lungs, np.float32(0.95), np.float32(0))
    row = int(np.abs(thorax.v[:, SIZE // 2] - 0.7).argmin())
    border = slice(column_of(thorax, 0.35), column_of(thorax, 0.75))

    def steepest(beam: np.ndarray) -> float:
        smooth = np.convolve(beam[row - 4 : row + 5].mean(0), np.ones(3) / 3, "same")
        return float(np.abs(np.diff(smooth[border])).max())

    assert steepest(attenuation(thorax, full)) < 0.4 * steepest(attenuation(thorax))


def test_the_official_test_set_is_exposed_differently() -> None:
    def grey(official: str) -> np.ndarray:
        return np.array([draw_radiograph("", patient=p, official=official)[0].mean() for p in range(16)])

    assert (grey("test") < grey("train")).mean() > 0.7


@pytest.mark.parametrize("cause", ["bacteria", "virus"])
def test_the_mask_lies_in_the_lungs_and_covers_most_of_the_lesion(cause: str) -> None:
    for patient in PATIENTS:
        ill, lesion = draw_radiograph(cause, patient=patient, size=SIZE, difficulty=0)
        normal, _ = draw_radiograph("", patient=patient, size=SIZE)
        chance = np.random.default_rng([0, patient, 0, 1])  # as draw_radiograph draws the pose
        thorax = project(grow_anatomy(np.random.default_rng([0, patient, 0])), strike_pose(chance), SIZE)
        assert lesion.any()
        assert not lesion[~thorax.lungs].any()
        brighter = ill.astype(int) - normal
        assert brighter[lesion].sum() > 0.6 * brighter.sum()
        assert lesion.mean() < 0.25
