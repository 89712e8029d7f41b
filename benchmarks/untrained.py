"""A classifier that was never trained: for time, which does not depend on its weights."""

from __future__ import annotations

from neumo.classifier.assemble import new_classifier
from neumo.classifier.classifier import Classifier
from neumo.features.backbones import backbone
from neumo.features.networks import kept_graph
from neumo.training.head import build_head
from neumo.training.steps import STEPS


def untrained(backbone_name: str) -> Classifier:
    """A network with random filters and the head of the study's last step."""
    chosen = backbone(backbone_name, "none")
    card = {
        "name": "untrained",
        "positive": "pneumonia",
        "negative": "normal",
        "scaling": {"mean": 122.0, "std": 60.0},
        "threshold": {"threshold": 0.5, "rule": "none"},
        "data": {"name": "none", "synthetic": True},
        "backbone": {"name": backbone_name},
    }
    head = build_head(STEPS[-1], chosen.features, seed=0)
    return new_classifier(card, kept_graph(chosen), chosen.build(), head)
