"""A classifier and radiographs that several tests of explanations share."""

from __future__ import annotations

import numpy as np
import pytest

from neumo.classifier import Classifier, new_classifier
from neumo.phantom.radiograph import draw_radiograph

CARD = {
    "name": "test",
    "positive": "pneumonia",
    "negative": "normal",
    "scaling": {"mean": 121.0, "std": 58.0},
    "threshold": {"threshold": 0.5, "rule": "0.5, the default"},
    "data": {"name": "phantoms", "synthetic": True},
}


@pytest.fixture(scope="session")
def radiographs() -> np.ndarray:
    """Eight phantoms, uint8 (8, 224, 224), every second one with a focal consolidation."""
    return np.stack(
        [draw_radiograph("bacteria" if i % 2 else "", patient=i, size=224, seed=5)[0] for i in range(8)]
    )


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """The embedded default's backbone under a deep head whose batch normalisation has seen something."""
    from neumo.features.backbones import backbone
    from neumo.features.graph import convert
    from neumo.training.head import build_head
    from neumo.training.steps import STEPS

    base = backbone("MobileNetV2-0.35", "phantom").build()
    head = build_head(STEPS[-1], 1280, seed=3)
    random = np.random.default_rng(0)
    for weight in head.weights:
        if "moving" in weight.name:
            weight.assign(random.uniform(0.2, 2.0, weight.shape).astype(np.float32))
    return new_classifier(CARD, convert(base), base, head)
