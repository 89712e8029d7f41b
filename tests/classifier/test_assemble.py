"""A classifier put together from its parts."""

from __future__ import annotations

from neumo.backend import keras
from neumo.classifier.assemble import new_classifier
from neumo.classifier.findings import NOTICE
from neumo.features.graph import convert
from tests.classifier.conftest import CARD


def test_a_classifier_of_real_radiographs_is_not_called_synthetic(
    base: keras.Model, head: keras.Model
) -> None:
    card = {**CARD, "data": {"name": "real", "synthetic": False}}
    assert new_classifier(card, convert(base), base, head).card["notice"] == NOTICE
