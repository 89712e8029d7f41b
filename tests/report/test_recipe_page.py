"""The page of a recipe, without its figures, which take long to draw."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from neumo.report.recipe_page import write_recipe
from neumo.results.results import Results
from neumo.training.recipes import recipe
from tests.report.test_page import Page

CARD = {"name": "test", "training": {"protocol": "patient", "seed": 0}}


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neumo.report.recipe_page.draw", lambda results: {})


def page_of(results: Results, folder: Path) -> Page:
    results.settings["recipe"] = dataclasses.asdict(recipe("gentle"))
    return Page(write_recipe(results, CARD, folder))


def test_summary_says_what_stands_below_each_figure(results: Results, tmp_path: Path) -> None:
    found = [run.test["metrics"]["auc"] for run in results.tested("patient") if run.test]
    value, low, high = (np.mean([one[part] for one in found]) for part in ("value", "low", "high"))
    sd = np.std([one["value"] for one in found], ddof=1)
    said = page_of(results, tmp_path).said("summary")
    assert "Mean ± standard deviation over 2 seeds, below it the mean 95 % interval ." in said
    assert f"{value:.3f} ± {sd:.3f} {low:.3f} to {high:.3f}" in said


def test_one_seed_has_its_intervals(results: Results, tmp_path: Path) -> None:
    results.runs = [run for run in results.runs if run.seed == 0]
    results.settings["seeds"] = [0]
    said = page_of(results, tmp_path).said("summary")
    assert "Below each figure its 95 % interval ." in said
    for one in results.tested("official"):
        assert one.test is not None
        auc = one.test["metrics"]["auc"]
        assert f"{auc['value']:.3f} {auc['low']:.3f} to {auc['high']:.3f}" in said
    assert "±" not in said


def test_says_what_its_terms_mean(results: Results, tmp_path: Path) -> None:
    page = page_of(results, tmp_path)
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = {link["href"][1:] for link in page.all("a")}
    assert links <= ids
    assert {"term-accuracy", "term-auc", "term-sensitivity", "term-specificity", "term-interval"} <= links
    assert "Area under the ROC curve" in page.said("terms")
