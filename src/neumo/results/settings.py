"""Every choice of a study that changes its numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from neumo.data.split import SEEDS, is_seed
from neumo.errors import NeumoError
from neumo.features.gpu import PRECISIONS_FOR_MANY
from neumo.images.generate import Transforms

VALIDATION = ("before-balancing", "after-balancing")
NORMALISE = ("dataset", "imagenet")


@dataclass(frozen=True)
class Settings:
    """The study's choices; the defaults are the report's, or neumo's where the report is silent.

    Attributes:
        backbone: name of the frozen network, see `neumo.features.backbones`.
        weights: "imagenet", "none", "phantom" or a weights file, see there.
        seeds: one whole study per seed: of the split, the initial weights and the order of the images.
        epochs: how often each training image is seen, at most.
        batch_size: images per step of Adam.
        test_fraction: share of the images in the test part, where neumo draws it.
        validation_fraction: share of the rest in the validation part.
        validation_drawn: "before-balancing", or "after-balancing" for the report's likely way.
        copies: generated images per training image of the rarer class.
        transforms: how generated images are moved.
        dropout: rate after each dense layer, from step 4 on.
        normalise: what step 2 normalises the pixels with: mean and variance of the training part
            ("dataset", the report's way) or what the backbone was trained with ("imagenet").
        precision: what features are computed in: "auto", "gpu", "f32", "bf16" or "int8", see
            `neumo.features.gpu.resolve_for_many`.
        sensitivity: what the operating point must reach on validation; None for a threshold of 0.5.

    Raises:
        NeumoError: a value out of range.
    """

    backbone: str = "ResNet50"
    weights: str = "imagenet"
    seeds: tuple[int, ...] = (0,)
    epochs: int = 15
    batch_size: int = 32
    test_fraction: float = 0.2
    validation_fraction: float = 0.2
    validation_drawn: str = "before-balancing"
    copies: int = 2
    transforms: Transforms = field(default_factory=Transforms)
    dropout: float = 0.5
    normalise: str = "dataset"
    precision: str = "auto"
    sensitivity: float | None = None

    def __post_init__(self) -> None:
        given = list(self.seeds) if isinstance(self.seeds, Iterable) else self.seeds
        seeds = isinstance(given, list) and given and all(map(is_seed, given))
        if not seeds or len(set(given)) < len(given):
            raise NeumoError(f"seeds: got {given}, expected different {SEEDS}")
        object.__setattr__(self, "seeds", tuple(map(int, given)))  # of NumPy, JSON knows none
        object.__setattr__(self, "weights", str(self.weights))  # a path
        for name, least in (("epochs", 1), ("batch_size", 1), ("copies", 0)):
            value = getattr(self, name)
            self._range(name, isinstance(value, Integral) and int(value) >= least, f"{least} or more, whole")
            object.__setattr__(self, name, int(value))
        self._range("test_fraction", 0 < self.test_fraction < 1, "a share between 0 and 1")
        self._range("validation_fraction", 0 < self.validation_fraction < 1, "a share between 0 and 1")
        self._range("dropout", 0 <= self.dropout < 1, "a rate from 0 to below 1")
        self._range("sensitivity", self.sensitivity is None or 0 < self.sensitivity <= 1, "a share up to 1")
        self._range("validation_drawn", self.validation_drawn in VALIDATION, " or ".join(VALIDATION))
        self._range("precision", self.precision in PRECISIONS_FOR_MANY, " or ".join(PRECISIONS_FOR_MANY))
        self._range("normalise", self.normalise in NORMALISE, " or ".join(NORMALISE))

    def _range(self, name: str, right: bool, expected: str) -> None:
        value = getattr(self, name)
        if not right or (isinstance(value, float) and math.isnan(value)):
            raise NeumoError(f"{name.replace('_', ' ')}: got {value}, expected {expected}")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return dataclasses.asdict(self)
