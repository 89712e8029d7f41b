"""Every choice of a study that changes its numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from neumo.data.split import SEEDS, is_seed
from neumo.errors import NeumoError, as_number, as_whole, told
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
            object.__setattr__(self, name, as_whole(name.replace("_", " "), getattr(self, name), least))
        self._number("test_fraction", lambda share: 0 < share < 1, "a share between 0 and 1")
        self._number("validation_fraction", lambda share: 0 < share < 1, "a share between 0 and 1")
        self._number("dropout", lambda rate: 0 <= rate < 1, "a rate from 0 to below 1")
        if self.sensitivity is not None:
            self._number("sensitivity", lambda share: 0 < share <= 1, "a share up to 1")
        self._one_of("validation_drawn", VALIDATION)
        self._one_of("precision", PRECISIONS_FOR_MANY)
        self._one_of("normalise", NORMALISE)
        if not isinstance(self.transforms, Transforms):
            raise NeumoError(f"transforms: got {told(self.transforms)}, expected neumo's Transforms")

    def _number(self, name: str, right: Callable[[Any], bool], expected: str) -> None:
        object.__setattr__(
            self, name, as_number(name.replace("_", " "), getattr(self, name), right, expected)
        )

    def _one_of(self, name: str, names: Sequence[str]) -> None:
        value = getattr(self, name)
        if not isinstance(value, str) or value not in names:
            got = value if isinstance(value, str) else told(value)
            raise NeumoError(f"{name.replace('_', ' ')}: got {got}, expected {' or '.join(names)}")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return dataclasses.asdict(self)
