"""The published study's own numbers, with the places where it contradicts itself.

Source: the report of a course project, University of Granada, December 2021, on the CoronaHack chest X-ray
data set, with ResNet50 and ImageNet weights.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class PublishedStep:
    """What the report gives for one step of its ladder, on its validation data."""

    loss: float
    accuracy: float


STEPS: dict[str, PublishedStep | None] = {
    "base": PublishedStep(loss=0.5011, accuracy=0.8288),
    "normalised": PublishedStep(loss=0.2127, accuracy=0.9061),
    "deeper": PublishedStep(loss=0.1492, accuracy=0.9429),
    "regularised": PublishedStep(loss=0.2127, accuracy=0.9388),
    "early stopping": None,
}
"""Validation loss and accuracy by step; the report gives none for the last."""

TEST = PublishedStep(loss=0.2654, accuracy=0.9459)
"""The final model on the report's test set, looked at once."""

BACKBONE = "ResNet50"
WEIGHTS = "imagenet"


def to_dict() -> dict[str, Any]:
    """The report's figures, JSON-able: "steps" (name -> "loss" and "accuracy", or None) and "test"."""
    steps = {name: None if step is None else asdict(step) for name, step in STEPS.items()}
    return {"backbone": BACKBONE, "weights": WEIGHTS, "steps": steps, "test": asdict(TEST)}


@dataclass(frozen=True)
class Contradiction:
    """A place where the report does not agree with itself, or does not say."""

    says: str
    taken: str
    other: str


CONTRADICTIONS = (
    Contradiction(
        says="It speaks of one generated image per normal radiograph, and counts 3,783 normal ones after "
        "balancing: 3,783 = 3 x 1,261, the original and two more.",
        taken="two generated images per normal training radiograph",
        other="--copies 1",
    ),
    Contradiction(
        says="rotation_range is 0.2, which reads like a fraction of a turn; in Keras the unit is degrees.",
        taken="a fifth of a degree, as Keras does it",
        other="--rotation 20 (degrees)",
    ),
    Contradiction(
        says="5,933 image files, 5,910 rows in the table: 23 files have no label.",
        taken="only files with a row",
        other="none: a radiograph without a label cannot train or test anything",
    ),
    Contradiction(
        says="The validation loss of step 4 (0.2127) repeats that of step 2, while its accuracy does not: "
        "probably a slip in copying.",
        taken="the number as printed, marked as doubtful",
        other="none",
    ),
    Contradiction(
        says="It does not say how the validation data were drawn. Drawn after balancing, copies of one "
        "radiograph sit on both sides.",
        taken="validation drawn before balancing, from the training part",
        other="--validation after-balancing; this page shows what it does",
    ),
    Contradiction(
        says="All radiographs are mixed and split at random, the data set's own test set included, so that "
        "images of one patient sit on both sides.",
        taken="the report's way for the ladder, with the patient and official protocols beside it",
        other='neumo.train(data, protocol="patient") or "official"',
    ),
    Contradiction(
        says="It does not give the dropout rate, nor the activation of the dense layers.",
        taken="dropout 0.5, ReLU",
        other="--dropout RATE",
    ),
)
