"""The pointing game (Zhang et al. 2016, arXiv:1608.00507): heat falls on the lesion."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import neumo
from neumo.explain.cam import heat_map
from neumo.phantom.dataset import make_phantoms
from neumo.phantom.radiograph import draw_radiograph

PATIENTS = 40
"""New ones, each with a focal consolidation."""


def test_the_hottest_place_is_on_the_lesion(tmp_path: Path) -> None:
    data = neumo.read(make_phantoms(tmp_path / "phantoms", patients=80))
    classifier = neumo.train(data, backbone="MobileNetV2-0.35", weights="phantom")
    drawn = [draw_radiograph("bacteria", patient=i, size=224, seed=9000) for i in range(PATIENTS)]
    pixels, lesions = (np.stack(one) for one in zip(*drawn, strict=True))
    heat = heat_map(classifier, pixels)
    hottest = heat.reshape(PATIENTS, -1).argmax(1)
    on_lesion = lesions.reshape(PATIENTS, -1)[np.arange(PATIENTS), hottest] & (heat.max((1, 2)) > 0)
    chance = lesions.mean()
    assert 0.02 < chance < 0.1
    assert on_lesion.mean() > 0.5
    others = np.roll(lesions, 1, axis=0).reshape(PATIENTS, -1)[np.arange(PATIENTS), hottest]
    assert on_lesion.mean() > 1.5 * others.mean()  # its own lesion, not where lesions usually are
