"""What an interrupted trial left is not taken for a finished one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from neumo.results.results import Run
from neumo.study.kept import find_run, keeping_run


def run(loss: float) -> Run:
    choices: dict[str, Any] = {"counts": {}, "scaling": {}, "history": {}, "parameters": {}}
    return Run(
        protocol="random",
        step="base",
        seed=0,
        validation_drawn="before-balancing",
        best_epoch=1,
        validation={"loss": loss, "accuracy": 0.5},
        **choices,
    )


def predictions(probability: float, patient: str | None = "a") -> pd.DataFrame:
    row = {"path": "x", "sha256": "0", "label": 1, "cause": "null", "patient": patient}
    return pd.DataFrame([{**row, "probability": probability}])


def test_a_trial_is_found_by_its_key(tmp_path: Path) -> None:
    with keeping_run(tmp_path, "A", run(0.1), predictions(0.1)):
        (tmp_path / "network").write_text("A")
    found = find_run(tmp_path, "A")
    assert found is not None
    assert found[0] == run(0.1)
    pd.testing.assert_frame_equal(found[1], predictions(0.1).assign(sha256=0))
    assert find_run(tmp_path, "B") is None
    assert find_run(tmp_path / "nowhere", "A") is None


def test_half_a_trial_over_another_is_neither(tmp_path: Path) -> None:
    with keeping_run(tmp_path, "A", run(0.1), predictions(0.1)):
        (tmp_path / "network").write_text("A")
    (tmp_path / "predictions.csv").unlink()
    (tmp_path / "predictions.csv").mkdir()  # so that it cannot be written
    with pytest.raises(OSError, match="directory"), keeping_run(tmp_path, "B", run(0.9), predictions(0.9)):
        (tmp_path / "network").write_text("B")
    (tmp_path / "predictions.csv").rmdir()
    predictions(0.1).to_csv(tmp_path / "predictions.csv")
    assert find_run(tmp_path, "A") is None
    assert find_run(tmp_path, "B") is None


@pytest.mark.parametrize("patient", ["NA", "None", "null", "007", "a\rb", None])
def test_every_name_comes_back(patient: str | None, tmp_path: Path) -> None:
    with keeping_run(tmp_path, "A", run(0.1), predictions(0.1, patient)):
        pass
    found = find_run(tmp_path, "A")
    assert found is not None
    row = found[1].iloc[0]
    assert row["cause"] == "null"
    assert pd.isna(row["patient"]) if patient is None else row["patient"] == patient
