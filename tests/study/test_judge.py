"""What a trained classifier is worth is what the predictions of the test part say, patient by patient."""

from __future__ import annotations

import pandas as pd
import pytest

from neumo.study.judge import judge
from tests.study.test_kept import run

ROWS = pd.DataFrame(
    {
        "path": list("abcdefgh"),
        "label": [0, 0, 0, 1, 1, 1, 1, 1],
        "cause": ["", "", "", "virus", "virus", "bacteria", "bacteria", "bacteria"],
        "patient": ["1", "1", "2", "3", "3", "3", "4", None],
        "probability": [0.1, 0.35, 0.2, 0.25, 0.6, 0.7, 0.05, 0.9],
    }
)


def test_figures_are_those_of_the_chosen_threshold_and_of_patients() -> None:
    found = run(0.1)
    found.threshold = {"threshold": 0.3}
    judge(found, ROWS)
    assert found.test is not None
    assert found.test["confusion"] == [[2, 1], [2, 3]]  # b is a false alarm, d and g are missed
    assert found.test["metrics"]["auc"]["value"] == pytest.approx(11 / 15)  # pairs in the right order
    assert found.test["bootstrap"]["resampled"] == "patients"
    assert found.test["bootstrap"]["units"] == 5  # four, and the image whose patient nobody knows
    assert found.by_cause["virus"]["sensitivity"] == pytest.approx(1 / 2)
    assert found.by_cause["bacteria"]["sensitivity"] == pytest.approx(2 / 3)
    assert {mistake["path"] for mistake in found.mistakes} == {"b", "d", "g"}


def test_images_stand_for_themselves_where_no_patient_is_known() -> None:
    found = run(0.1)
    found.threshold = {"threshold": 0.3}
    judge(found, ROWS.assign(patient=None))
    assert found.test is not None
    assert found.test["bootstrap"]["resampled"] == "images"
    assert found.test["bootstrap"]["units"] == 8
