"""Results on the terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import stdev

import pytest

from neumo.cli.tables import show, show_recipe, spread
from neumo.results.results import Results
from neumo.training.steps import STEPS


def test_several_seeds_give_mean_and_standard_deviation() -> None:
    assert spread([0.9, 0.92, 0.97]) == f"0.930±{stdev([0.9, 0.92, 0.97]):.3f}"


@pytest.mark.parametrize(("value", "shown"), [(0.94591, "0.9459"), (1.0, "1.0000")])
def test_one_seed_gives_the_value(value: float, shown: str) -> None:
    assert spread([value]) == shown


@pytest.fixture
def results(two_runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Results:
    """Of two seeds, climbing the ladder, with the figures of a run that was only tested."""
    monkeypatch.setenv("COLUMNS", "80")
    found = Results.load(two_runs[1] / "results.json")
    first = found.ladder("linear")
    for step in STEPS[:-1]:
        found.runs += [replace(run, step=step.name, test=None) for run in first]
    for run in found.runs:
        if run.step == "linear":
            run.step = STEPS[-1].name
        run.validation = {"loss": 0.2345, "accuracy": 0.27 if run.step == "base" else 0.99}
        run.counts["validation"]["generated"] = 0
    return found


def test_two_seeds_fit_eighty_columns(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    results.dataset |= {"layout": "coronahack", "synthetic": False}
    show(results)
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= 80
    for name in ("random", "official", "patient"):
        values = [run.test["metrics"]["sensitivity"]["value"] for run in results.tested(name) if run.test]
        (line,) = [line for line in printed.splitlines() if line.startswith("│ Sensitivity ")]
        assert spread(values) in line
    assert "│ Calibration error (ECE) │" in printed
    assert "report's" in printed
    assert "The ladder, on validation (mean ± sd over 2 seeds)" in printed
    assert "SYNTHETIC" not in printed
    assert printed.endswith("A research tool, not a medical device.\n")


def test_the_report_stands_beside_its_own_data_only(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    show(results)
    assert "report's" not in capsys.readouterr().out
    show_recipe(results)
    assert "report's" not in capsys.readouterr().out


def test_a_step_that_learned_nothing_is_named(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    show(results)
    assert "Worse than the same answer for every image: base." in capsys.readouterr().out
    for accuracy, worse in ((0.61, True), (0.62, False)):  # of 80 pneumonias and 50, as 80 / 130 is 0.615
        for run in results.runs:
            run.counts["validation"] = {"normal": 20, "pneumonia": 80, "generated": 30}
            run.validation = {"loss": 0.2345, "accuracy": accuracy}
        show(results)
        assert ("Worse than" in capsys.readouterr().out) == worse


def test_one_seed_and_what_was_left_out_are_told(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    results.settings["seeds"] = [0]
    results.skipped = {"patient": "patient: got no patients [/none], expected some"}
    show_recipe(results)
    printed = capsys.readouterr().out
    assert "on the test part of each protocol (1 seed)" in printed
    assert "Left out: patient: got no patients [/none], expected some" in printed
    assert "SYNTHETIC radiographs" in printed
