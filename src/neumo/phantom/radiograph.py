"""One synthetic radiograph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neumo.phantom.film import Exposure, attenuation, burn_in, choose_exposure, develop
from neumo.phantom.pneumonia import Strength, consolidation, interstitial
from neumo.phantom.thorax import Map, Thorax, grow_anatomy, project, strike_pose

LESIONS = {"bacteria": consolidation, "virus": interstitial}


def draw_radiograph(
    cause: str = "",
    *,
    patient: int = 0,
    image: int = 0,
    size: int = 256,
    difficulty: float = 0.5,
    official: str = "train",
    seed: int = 0,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw a frontal chest radiograph and the mask of its lesion.

    The same arguments give the same pixels, in any order of calls. `difficulty` changes the lesion only, and
    nothing but the lesion depends on `cause`.

    Args:
        cause: ``""`` (normal), ``"bacteria"`` (focal consolidation) or ``"virus"`` (diffuse interstitial
            pattern).
        patient: number of the patient; the anatomy depends on it.
        image: number of the patient's image; pose, exposure and noise depend on it.
        size: height and width in pixels.
        difficulty: 0 (plain lesions) to 1 (hardly visible ones).
        official: ``"train"`` or ``"test"``: the official test set was exposed a little differently.
        seed: of the whole data set.

    Returns:
        Pixels, uint8 (size, size), and the region of the lesion, bool (size, size), inside the lungs: where
        fluid is at least 0.2 times as thick as at its thickest. All False in a normal image.

    Example:
        >>> pixels, lesion = draw_radiograph("bacteria", patient=7)
        >>> pixels.shape, bool(lesion.any())
        ((256, 256), True)
    """
    anatomy = grow_anatomy(np.random.default_rng([seed, patient, 0]))
    chance = np.random.default_rng([seed, patient, image, 1])
    thorax = project(anatomy, strike_pose(chance), size)
    exposure = choose_exposure(chance, anatomy.depth, official)
    filled = np.zeros_like(thorax.lung)
    if cause:
        ill = np.random.default_rng([seed, patient, 2]), np.random.default_rng([seed, patient, image, 3])
        filled = LESIONS[cause](thorax, Strength.at(difficulty), *ill)
    pixels = develop(attenuation(thorax, filled), exposure, chance)
    return burn_in(pixels, exposure), _outline(filled * thorax.lung, thorax, exposure)


def _outline(fluid: Map, thorax: Thorax, exposure: Exposure) -> NDArray[np.bool_]:
    """The region of a lesion, its gaps closed, in the open field and the lungs."""
    from scipy.ndimage import uniform_filter

    size = len(fluid)
    dense = uniform_filter(fluid, size // 20)
    field = exposure.field(size)
    lesion = np.zeros(fluid.shape, np.bool_)
    lesion[field] = ((dense > 0.2 * dense.max()) & thorax.lungs)[field]
    return lesion
