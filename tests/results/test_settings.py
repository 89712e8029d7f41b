"""Choices out of range are told in one line, by name."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from neumo.errors import NeumoError
from neumo.results.settings import Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seeds", ()),
        ("seeds", (1, 1)),
        ("seeds", (-1,)),
        ("seeds", 5),
        ("seeds", "0"),
        ("seeds", ([0],)),
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", None),
        ("batch_size", 0),
        ("copies", -1),
        ("copies", 1.5),
        ("test_fraction", 1.0),
        ("test_fraction", math.nan),
        ("validation_fraction", 0.0),
        ("dropout", 1.0),
        ("test_fraction", "0.2"),
        ("validation_fraction", None),
        ("dropout", (0.5,)),
        ("sensitivity", 1.5),
        ("sensitivity", "0.9"),
        ("precision", np.array(["f32", "bf16"])),
        ("transforms", {"rotation_range": 1}),
        ("validation_drawn", "whenever"),
        ("normalise", "somehow"),
    ],
)
def test_out_of_range(name: str, value: object) -> None:
    with pytest.raises(NeumoError, match=f"{name.replace('_', ' ')}: got .*, expected "):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_the_defaults_are_the_reports() -> None:
    choices = Settings()
    assert (choices.backbone, choices.weights, choices.epochs, choices.copies) == (
        "ResNet50",
        "imagenet",
        15,
        2,
    )
    assert json.loads(json.dumps(choices.to_dict()))["transforms"]["rotation_range"] == 0.2


def test_a_path_and_seeds_of_numpy_can_be_written_down(tmp_path: Path) -> None:
    choices = Settings(weights=tmp_path / "x.weights.h5", seeds=tuple(np.arange(2)))  # type: ignore[arg-type]
    written = json.loads(json.dumps(choices.to_dict()))
    assert (written["weights"], written["seeds"]) == (str(tmp_path / "x.weights.h5"), [0, 1])


def test_numbers_of_numpy_can_be_written_down() -> None:
    choices = Settings(dropout=np.float32(0.25), epochs=np.int64(3), sensitivity=np.float32(0.5))  # type: ignore[arg-type]
    written = json.loads(json.dumps(choices.to_dict()))
    assert (written["dropout"], written["epochs"], written["sensitivity"]) == (0.25, 3, 0.5)
