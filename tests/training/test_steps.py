"""The ladder is the report's."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from neumo.errors import NeumoError
from neumo.training.steps import STEPS, step


def test_five_steps_in_the_reports_order() -> None:
    assert [s.name for s in STEPS] == ["base", "normalised", "deeper", "regularised", "early stopping"]


@pytest.mark.parametrize(
    ("name", "adds"),
    [
        ("normalised", {"normalise": True}),
        ("deeper", {"dense": (100, 50)}),
        ("regularised", {"batch_norm": True, "dropout": 0.5}),
        ("early stopping", {"early_stopping": True}),
    ],
)
def test_each_step_adds_what_its_title_says_and_nothing_else(name: str, adds: dict[str, object]) -> None:
    after = asdict(step(name))
    before = asdict(STEPS[[s.name for s in STEPS].index(name) - 1])
    changed = {k: v for k, v in after.items() if v != before[k] and k not in ("name", "title")}
    assert changed == adds


def test_unknown_step_names_those_known() -> None:
    with pytest.raises(NeumoError, match=r"got 'wider', expected one of 'base', .*'early stopping'"):
        step("wider")
