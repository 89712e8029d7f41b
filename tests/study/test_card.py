from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import neumo
from neumo.results.results import Results
from neumo.study.card import limits, of_run, results_for_card, told


@pytest.fixture
def results(two_runs: tuple[Path, Path]) -> Results:
    return Results.load(two_runs[1] / "results.json")


def test_results_are_those_of_the_run(results: Results) -> None:
    found = results_for_card(results)
    assert list(found) == ["random", "official", "patient"]
    for protocol, one in found.items():
        tests = [run.test for run in results.tested(protocol) if run.test is not None]
        assert one["seeds"] == [0, 1]
        for metric, figures in one["metrics"].items():
            seeds = [test["metrics"][metric] for test in tests]
            assert figures["mean"] == pytest.approx(np.mean([seed["value"] for seed in seeds]))
            assert figures["sd"] == pytest.approx(np.std([seed["value"] for seed in seeds], ddof=1))
            assert figures["high"] == pytest.approx(np.mean([seed["high"] for seed in seeds]))
        assert np.sum(one["confusion"]) == pytest.approx(np.mean([test["n"] for test in tests]))
        bins = one["calibration"]
        assert sum(bins["count"]) == pytest.approx(np.mean([test["n"] for test in tests]))
        pneumonias = np.nansum(np.array(bins["count"]) * np.array(bins["observed"], float))
        assert pneumonias == pytest.approx(np.sum(one["confusion"][1]))
        for cause, figures in one["by_cause"].items():
            each = [run.by_cause[cause]["sensitivity"] for run in results.tested(protocol)]
            assert figures["sensitivity"] == pytest.approx(np.mean(each))


def test_each_seed_counts_alike(results: Results) -> None:
    third = copy.deepcopy(results.tested("patient")[-1])
    third.seed = 2
    (third.test or {})["confusion"] = [[0, 900], [30, 0]]
    results.runs.append(third)
    first, second = (np.array((run.test or {})["confusion"]) for run in results.tested("patient")[:2])
    mean = (first + second + [[0, 900], [30, 0]]) / 3
    np.testing.assert_allclose(results_for_card(results)["patient"]["confusion"], mean)


def test_a_cause_that_one_seed_did_not_draw_is_of_the_others(results: Results) -> None:
    first, second = results.tested("patient")
    cause = next(iter(first.by_cause))
    del first.by_cause[cause]
    found = results_for_card(results)["patient"]["by_cause"][cause]
    assert found["sensitivity"] == second.by_cause[cause]["sensitivity"]


def test_is_json_with_the_command_and_the_means(results: Results) -> None:
    found = json.loads(json.dumps(told(results, results.runs[0]), allow_nan=False))
    assert found["command"] == results.command
    results.command = (
        "neumo train '/home/jane doe/chests' --weights /home/doe/a.weights.h5 --seed 0 --out RUN"
    )
    assert told(results, results.runs[0])["command"] == (
        "neumo train 'chests' --weights a.weights.h5 --seed 0 --out RUN"
    )
    results.command = "neumo study '--weights=/home/jane doe/a.h5' --out=/home/doe/RUN \"/home/o'doe/chests\""
    assert told(results, results.runs[0])["command"] == ("neumo study '--weights=a.h5' --out=RUN \"chests\"")
    results.command = "neumo.Study('/home/doe/chests', seeds=(0, 1)).run('/home/doe/RUN')"
    assert told(results, results.runs[0])["command"] == "neumo.Study('chests', seeds=(0, 1)).run('RUN')"
    assert found["test"]["patient"]["auc"] == found["results"]["patient"]["metrics"]["auc"]["mean"]


def test_says_what_file_it_started_from_but_not_where_that_lay(two_runs: tuple[Path, Path]) -> None:
    results = Results.load(two_runs[1] / "results.json")
    data = neumo.read(two_runs[0].parent / "phantoms")
    started = {"name": "A + B", "weights_id": "0"}
    settings = {**results.settings, "weights": "/home/jane doe/a.weights.h5 + imagenet"}
    card = of_run(results.runs[0], data, started, settings, ([0, 1], [0.1, 0.9]))
    assert card["training"]["settings"]["weights"] == "a.weights.h5 + imagenet"
    assert settings["weights"].startswith("/home")
    assert "/home" not in json.dumps(card)


def test_its_own_figures_are_those_of_its_one_run(results: Results) -> None:
    own = next(run for run in results.tested("patient") if run.seed == 1)
    found = json.loads(json.dumps(told(results, own)["own"], allow_nan=False))
    assert (found["protocol"], found["seed"]) == ("patient", 1)
    assert own.test is not None
    assert found["images"] == own.test["n"] == np.sum(found["confusion"])
    assert found["metrics"]["auc"]["value"] == own.test["metrics"]["auc"]["value"]
    mean = told(results, own)["test"]["patient"]["auc"]
    assert found["metrics"]["auc"]["value"] != pytest.approx(mean, abs=1e-6)


def test_limits_fit_the_data(results: Results) -> None:
    assert any("drawn by a program" in one for one in limits(results, results.runs[0]))
    results.dataset |= {"synthetic": False, "layout": "coronahack"}
    assert any("one to five years" in one for one in limits(results, results.runs[0]))
    results.dataset["layout"] = "class-folders"
    results.skipped = {"patient": "no patients"}
    said = " ".join(limits(results, results.runs[0]))
    assert "not known to neumo" in said
    assert "patients kept apart" in said
    assert "one to five years" not in said
    assert "of 18 to 90 years" not in said
    results.dataset["ages"] = [18, 90]
    assert "of 18 to 90 years" in " ".join(limits(results, results.runs[0]))
    assert told(results, results.runs[0])["ages"] == [18, 90]


def test_the_share_is_of_what_its_own_network_was_trained_on(results: Results) -> None:
    own = dataclasses.replace(results.runs[-1], counts={"train": {"normal": 1, "pneumonia": 3}})
    assert "75% of its training radiographs" in " ".join(limits(results, own))
    results.settings["prevalence"] = 0.1
    assert "where 10% do. Where fewer do" in " ".join(limits(results, own))
    results.settings["prevalence"] = 0.003
    own = dataclasses.replace(own, counts={"train": {"normal": 3, "pneumonia": 997}})
    assert "99.7% of its training radiographs" in " ".join(limits(results, own))
    assert "where 0.3% do. Where fewer do" in " ".join(limits(results, own))


def test_a_tiny_test_part_is_told(results: Results) -> None:
    for run in results.runs:
        run.counts["test"] = {"normal": 200, "pneumonia": 15}
    assert "very few" not in " ".join(limits(results, results.runs[0]))
    next(run for run in results.runs if run.test is not None).counts["test"]["normal"] = 3
    assert "very few radiographs, 3 of one class" in " ".join(limits(results, results.runs[0]))
