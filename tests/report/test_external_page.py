from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neumo.evaluation.external import External
from neumo.evaluation.metrics import METRICS
from neumo.evaluation.shift import PROPERTIES
from neumo.report.draw_external import draw_external
from neumo.report.drawing import Drawing
from neumo.report.external_page import write_external
from tests.report.test_page import Page


@pytest.fixture(scope="module")
def drawings(evaluated: External) -> dict[str, Drawing]:
    return draw_external(evaluated)


@pytest.fixture(scope="module")
def page(evaluated: External, drawings: dict[str, Drawing], tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(
        write_external(evaluated, tmp_path_factory.mktemp("page"), drawings, command="neumo evaluate x")
    )


def test_has_every_number(evaluated: External, page: Page) -> None:
    assert evaluated.unseen is not None
    for judged in (evaluated.all, evaluated.unseen):
        for metric, one in judged.evaluation.metrics.items():
            assert METRICS[metric] in page.said("metrics")
            assert f"{one.value:.3f} {one.low:.3f} to {one.high:.3f}" in page.said("metrics")
    for metric, value in evaluated.card["test"]["official"].items():
        assert metric in METRICS
        assert f"{value:.3f}" in page.said("metrics")
    for moved in evaluated.shift.properties:
        assert PROPERTIES[moved.name] in page.said("shift")
        assert f"{moved.gap:.3f}" in page.said("shift")
    assert evaluated.shift.verdict in page.said("shift")
    assert evaluated.caution[0] in page.said("summary")
    assert "neumo evaluate x" in page.said("how")


def test_loads_nothing_and_says_what_it_is(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("script", "iframe", "object", "embed", "base")
        assert attributes.get("src", "data:").startswith("data:")
    assert "SYNTHETIC DATA." in page.said()
    assert "A research tool, not a medical device." in page.said()[:200]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_figure_is_on_the_page(page: Page, drawings: dict[str, Drawing]) -> None:
    labels = {attributes["aria-label"] for attributes in page.all("svg")}
    assert labels == {drawing.alt for drawing in drawings.values()}
    assert {"roc", "calibration", "confusion-all", "confusion-unseen", "distance", "gaps"} <= set(drawings)


def test_distances_are_drawn_as_they_are(evaluated: External, drawings: dict[str, Drawing]) -> None:
    """The curve at the median of all new images says one half."""
    new = evaluated.predictions[evaluated.predictions["seen"] == ""]
    curve = next(
        line for line in drawings["distance"].figure.axes[0].lines if line.get_label() == "this source"
    )
    reached = np.interp(
        new["distance"].median(), np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    )
    assert reached == pytest.approx(0.5, abs=0.02)


def test_leaves_every_prediction(evaluated: External, page: Page, tmp_path: Path) -> None:
    write_external(evaluated, tmp_path, {})
    kept = pd.read_csv(tmp_path / "predictions.csv")
    assert kept["probability"].tolist() == pytest.approx(evaluated.predictions["probability"].tolist())
    assert (tmp_path / "results.json").is_file()


def test_the_classifier_is_quoted_in_its_own_words(evaluated: External, tmp_path: Path) -> None:
    data = dataclasses.replace(evaluated.dataset, positive_name="covid-19", negative_name="healthy")
    found = dataclasses.replace(evaluated, dataset=data)
    drawn = draw_external(found)
    assert "healthy" in drawn["confusion-all"].alt
    assert "called normal" in drawn["confusion-all"].alt
    text = " ".join(Page(write_external(found, tmp_path, drawn)).said().split())
    assert "Of the healthy radiographs, the share called normal." in text
    assert "called healthy" not in text
    assert "called covid-19" not in text


def test_names_are_escaped(evaluated: External, tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>"
    changed = dataclasses.replace(
        evaluated,
        card={**evaluated.card, "name": nasty, "positive": nasty},
        dataset=dataclasses.replace(evaluated.dataset, name=nasty, citation=nasty),
    )
    page = Page(write_external(changed, tmp_path, {}, command=nasty))
    assert not page.all("script")
    assert page.said("how").count(nasty) >= 3
