"""Own recipes: values that mean nothing are refused before anything is trained."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

import neumo
from neumo.errors import NeumoError
from neumo.images.augment import Augmentation
from neumo.training.recipes import RECIPES, recipe


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", "3"),
        ("batch_size", 0),
        ("views", -1),
        ("members", 0),
        ("tta_shift", -8),
        ("tta_shift", 224),
        ("trainable_fraction", 0),
        ("trainable_fraction", 1.1),
        ("learning_rate", -1e-3),
        ("learning_rate", math.nan),
        ("head_learning_rate", math.inf),
        ("weight_decay", -0.1),
        ("dropout", 1),
        ("label_smoothing", 0.5),
        ("ema_rate", -0.1),
        ("ema_rate", 1.5),
        ("augmentation", None),
    ],
)
def test_out_of_range(name: str, value: object) -> None:
    with pytest.raises(NeumoError, match=f"{name.replace('_', ' ')}: got .*, expected "):
        dataclasses.replace(recipe("fine-tuned"), **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("one", RECIPES, ids=lambda one: one.name)
def test_numbers_of_numpy_are_the_same_recipe(one: object) -> None:
    as_numpy = {
        name: np.float64(value) if isinstance(value, float) else np.int64(value)
        for name, value in vars(one).items()
        if type(value) in (int, float)
    }
    again = dataclasses.replace(one, **as_numpy)  # type: ignore[type-var]
    assert json.dumps(dataclasses.asdict(again)) == json.dumps(dataclasses.asdict(one))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 1),
        ("batch_size", 1),
        ("views", 0),
        ("members", 1),
        ("tta_shift", 0),
        ("tta_shift", 223),
        ("trainable_fraction", 1),
        ("learning_rate", 0),
        ("head_learning_rate", 0),
        ("weight_decay", 0),
        ("dropout", 0),
        ("label_smoothing", 0),
        ("ema_rate", 0),
        ("ema_rate", 1),
    ],
)
def test_the_last_value_in_range(name: str, value: int) -> None:
    assert getattr(dataclasses.replace(recipe("fine-tuned"), **{name: value}), name) == value  # type: ignore[arg-type]


def test_the_shipped_classifier_would_be_trained_so_again() -> None:
    card = neumo.load().card
    told = card["training"]["settings"]["recipe"]
    assert f"--recipe {told['name']} --validation stressed " in card["command"]
    assert dataclasses.asdict(recipe(told["name"])) == told


def test_the_recipes_are_what_the_documentation_says() -> None:
    """docs/recipes.md: the table, the paragraph below it, and "At home and abroad"."""
    default = recipe("fine-tuned")
    assert (default.trainable_fraction, default.epochs) == (0.6, 14)
    broad = recipe("broad")
    assert broad.epochs < default.epochs
    otherwise: dict[str, dict[str, Any]] = {
        "exposed": {},
        "matched": {"matched": True},
        "shifted": {"tta_shift": 8},
        "ensemble": {"members": 3},
        "distilled": {"members": 3, "distilled": True},
        "whole": {"trainable_fraction": 1},
        "scratch": {"trainable_fraction": 1, "epochs": 60},
        "gentle": {"trainable_fraction": 0.85, "epochs": 25},
        "gentle-whole": {"trainable_fraction": 1, "epochs": 25},
        "broad": {"epochs": broad.epochs},
    }
    assert {one.name for one in RECIPES} == {"fine-tuned", *otherwise}
    told_elsewhere = {name: getattr(default, name) for name in ("learning_rate", "views", "augmentation")}
    for name, other in otherwise.items():
        one = recipe(name)
        assert dataclasses.replace(one, name="", meaning="", **told_elsewhere) == (
            dataclasses.replace(default, name="", meaning="", **other)
        )
        times = one.learning_rate / one.head_learning_rate
        assert times == pytest.approx({"broad": 1 / 3, "scratch": 2}.get(name, 1 / 2), rel=0.11)
        assert (one.views >= one.epochs) == (name in ("whole", "scratch")), "changed anew each epoch"
        more, less = (_further(one.augmentation, default.augmentation, sign) for sign in (1, -1))
        if name.startswith("gentle"):
            assert not more
            assert len(less) > 8
        else:
            exposure = {"gamma", "contrast", "brightness"}
            assert more == {"exposed": exposure, "broad": {*exposure, "noise"}}.get(name, set())
            assert less == {"exposed": {"stretch", "blur"}}.get(name, set())
    assert recipe("exposed").augmentation.blur == 0
    assert recipe("gentle").augmentation == recipe("gentle-whole").augmentation


def _further(one: Augmentation, other: Augmentation, sign: int) -> set[str]:
    """What is changed further by the first; with -1 less far."""
    return {name for name, most in vars(one).items() if sign * most > sign * getattr(other, name)}


def test_recipes_share_the_networks_that_both_train() -> None:
    """docs/recipes.md: `ensemble` after `fine-tuned` trains two more networks, not three."""
    own = recipe("fine-tuned").identity()
    same = {one.name for one in RECIPES if json.dumps(one.identity()) == json.dumps(own)}
    assert same == {"fine-tuned", "shifted", "ensemble", "distilled"}
