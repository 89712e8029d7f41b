"""Own recipes: values that mean nothing are refused before anything is trained."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from neumo.errors import NeumoError
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
