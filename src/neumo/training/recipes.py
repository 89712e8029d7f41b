"""The ways of training that neumo knows besides the study's ladder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any

from neumo.errors import NeumoError, as_number, as_whole, told
from neumo.features.backbones import SIZE
from neumo.images.augment import Augmentation


@dataclass(frozen=True)
class Recipe:
    """How a network is fine-tuned on radiographs.

    Attributes:
        name: what it is called by.
        meaning: it in one sentence.
        trainable_fraction: share of the backbone's layers, from the top, that are trained; the rest stays as
            it was.
        epochs: how often each training image of the rarer class is seen.
        batch_size: images per step.
        learning_rate: highest one of the backbone; it rises in the first tenth of the steps and falls to zero
            along a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983).
        head_learning_rate: the same for the output layer.
        weight_decay: decoupled, as in AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101).
        dropout: of the features before the output layer.
        label_smoothing: labels are this far from 0 and 1 (Szegedy et al. 2016, arXiv:1512.00567); half of
            what Keras calls so.
        ema_rate: the weights that are kept are an exponential moving average, which goes this share of the
            way to the last ones in each step; 1 minus the momentum, or decay, of other libraries. With 0
            they are the mean of all steps.
        views: changed images of each radiograph, one of which, or itself, is seen in an epoch.
        augmentation: how they are changed.
        members: networks that are trained, whose logits are averaged.
        distilled: one more network learns from the members what they say of each changed image, and stands
            for them (Hinton et al. 2015, arXiv:1503.02531).
        tta_shift: pixels (test-time augmentation); each image is also judged moved this far to either side,
            and the logits are averaged.
        matched: images are drawn by `neumo.data.resemblance.overlap_weights`, so that how they were stretched
            and resampled does not tell the classes apart.

    Raises:
        NeumoError: a value out of range.
    """

    name: str
    meaning: str
    trainable_fraction: float = 0.6
    epochs: int = 14
    batch_size: int = 32
    learning_rate: float = 5e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.02
    dropout: float = 0.2
    label_smoothing: float = 0.02
    ema_rate: float = 0.01
    views: int = 6
    augmentation: Augmentation = field(default_factory=Augmentation)
    members: int = 1
    distilled: bool = False
    tta_shift: int = 0
    matched: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.augmentation, Augmentation):
            raise NeumoError(f"augmentation: got {told(self.augmentation)}, expected neumo's Augmentation")
        for name, least in _WHOLE.items():
            object.__setattr__(self, name, as_whole(_said(name), getattr(self, name), least))
        for name, (right, expected) in _NUMBERS.items():
            object.__setattr__(self, name, as_number(_said(name), getattr(self, name), right, expected))

    def identity(self) -> dict[str, Any]:
        """All that one trained network depends on, JSON-able; recipes that train the same ones share them."""
        others = {"name", "meaning", "members", "distilled", "tta_shift"}
        if not self.matched:
            others.add("matched")  # networks of versions that could not match classes stay found
        return {key: value for key, value in asdict(self).items() if key not in others}


_WHOLE = {"epochs": 1, "batch_size": 1, "views": 0, "members": 1, "tta_shift": 0}

_NUMBERS: dict[str, tuple[Callable[[float], bool], str]] = {
    "trainable_fraction": (lambda share: 0 < share <= 1, "a share above 0 and at most 1"),
    "learning_rate": (lambda rate: 0 <= rate < inf, "0 or more"),
    "head_learning_rate": (lambda rate: 0 <= rate < inf, "0 or more"),
    "weight_decay": (lambda decay: 0 <= decay < inf, "0 or more"),
    "dropout": (lambda rate: 0 <= rate < 1, "a rate from 0 to below 1"),
    "label_smoothing": (lambda distance: 0 <= distance < 0.5, "a distance from 0 to below 0.5"),
    "ema_rate": (lambda share: 0 <= share <= 1, "a share from 0 to 1"),
    "tta_shift": (lambda pixels: pixels < SIZE, f"fewer pixels than the {SIZE} of an image"),
}


def _said(name: str) -> str:
    return f"recipe, {name.replace('_', ' ')}"


GENTLE = Augmentation(
    rotation=5.0,
    shift=0.05,
    zoom=0.1,
    stretch=0.12,
    blur=0.0,
    gamma=0.25,
    contrast=0.2,
    brightness=15.0,
    noise=2.0,
    border=0.03,
    corners=0.1,
)

RECIPES = (
    Recipe("fine-tuned", "The upper layers of the backbone are trained on changed images."),
    Recipe(
        "whole",
        "All layers of the backbone are trained, on images changed anew each epoch.",
        trainable_fraction=1.0,
        views=1000,
    ),
    Recipe(
        "scratch",
        "All layers of a backbone that knows nothing yet (--weights none) are trained, for long.",
        trainable_fraction=1.0,
        views=1000,
        epochs=60,
        learning_rate=2e-3,
    ),
    Recipe(
        "exposed",
        "As fine-tuned, on images whose exposure is changed more, their stretch less, and never blurred.",
        augmentation=Augmentation(stretch=0.12, blur=0.0, gamma=0.6, contrast=0.4, brightness=30.0),
    ),
    Recipe(
        "gentle",
        "All but the lowest layers are trained for long, on images that are changed little.",
        trainable_fraction=0.85,
        epochs=25,
        augmentation=GENTLE,
    ),
    Recipe(
        "gentle-whole",
        "As gentle, but all layers are trained: for a machine with a GPU.",
        trainable_fraction=1.0,
        epochs=25,
        augmentation=GENTLE,
    ),
    Recipe(
        "broad",
        "As fine-tuned, for fewer epochs, on images that are changed in more ways: for larger backbones.",
        epochs=8,
        learning_rate=3e-4,
        augmentation=Augmentation(gamma=0.6, contrast=0.4, brightness=30.0, noise=12.0),
    ),
    Recipe(
        "matched",
        "As fine-tuned, on images drawn so that how they were stretched does not tell the classes apart.",
        matched=True,
    ),
    Recipe("shifted", "A fine-tuned network also judges the image moved to either side.", tta_shift=8),
    Recipe("ensemble", "Three fine-tuned networks are averaged.", members=3),
    Recipe(
        "distilled",
        "One network learns what three fine-tuned ones say of changed images.",
        members=3,
        distilled=True,
    ),
)


def recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        NeumoError: there is none.
    """
    for one in RECIPES:
        if one.name == name:
            return one
    raise NeumoError(f"recipe: got {name!r}, expected {' or '.join(one.name for one in RECIPES)}")
