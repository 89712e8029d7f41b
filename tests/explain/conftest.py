"""Shorter names of what these tests share with others."""

from __future__ import annotations

import numpy as np
import pytest

from neumo.classifier.classifier import Classifier


@pytest.fixture(scope="session")
def classifier(phantom_classifier: Classifier) -> Classifier:
    """A whole classifier, untrained."""
    return phantom_classifier


@pytest.fixture(scope="session")
def radiographs(phantoms: np.ndarray) -> np.ndarray:
    """Eight phantoms, uint8 (8, 224, 224)."""
    return phantoms
