from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from neumo.evaluation.metrics import METRICS
from neumo.report.compare_page import write_comparison
from neumo.report.draw_compare import draw_comparison, run_looks
from neumo.report.template import signed, three
from neumo.results.comparison import Comparison, compare
from neumo.results.results import Results
from tests.browser import opened, painted
from tests.report.test_page import Page


@pytest.fixture(scope="module")
def comparison(two_runs: tuple[Path, Path]) -> Comparison:
    return compare(*two_runs, replicates=100)


@pytest.fixture(scope="module")
def page(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_comparison(comparison, tmp_path_factory.mktemp("compare")))


def test_has_every_number(comparison: Comparison, page: Page) -> None:
    for pair in comparison.pairs:
        for metric in ("accuracy", "auc", "sensitivity", "specificity"):
            one = pair.differences[metric]
            assert f"{signed(one.value)} {signed(one.low)} to {signed(one.high)}" in page.said("pairs")
        for test in pair.seeds:
            assert three(test.delong.first) in page.said("pairs")
    for run in comparison.runs:
        assert run.results.command in page.said("runs")
        for protocol in comparison.protocols:
            for metric, spread in run.spreads(protocol).items():
                assert METRICS[metric] in page.said("metrics")
                assert spread is not None
                assert f"{spread.mean:.3f} ± {spread.sd:.3f} {spread.low:.3f} to" in page.said("metrics")


def test_loads_nothing_and_says_what_it_is(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("script", "iframe", "object", "embed", "base")
        assert attributes.get("src", "data:").startswith("data:")
        for name in ("href", "xlink:href"):
            assert tag == "a" or attributes.get(name, "#").startswith(("#", "data:"))
    assert "SYNTHETIC DATA." in page.said()
    assert page.said().index("A research tool, not a medical device.") < page.said().index("Which run")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_table_fits_a_desktop(comparison: Comparison, tmp_path: Path) -> None:
    with opened(write_comparison(comparison, tmp_path), viewport={"width": 1200, "height": 900}) as page:
        page.evaluate("for (const hidden of document.querySelectorAll('details')) hidden.open = true")
        wide = "[...document.querySelectorAll('.scroll')].map(one => [one.clientWidth, one.scrollWidth])"
        widths = page.evaluate(wide)
    assert len(widths) > 3
    assert all(wanted <= there for there, wanted in widths)


def test_the_dots_of_the_protocols_are_printed(comparison: Comparison, tmp_path: Path) -> None:
    """Browsers print no backgrounds unless they are told to."""
    with opened(write_comparison(comparison, tmp_path)) as page:
        page.evaluate("document.body.innerHTML = '<span class=\"key random\">Random split</span>'")
        assert (0x00, 0x72, 0xB2) in painted(page.pdf(print_background=False))


def test_has_every_figure(comparison: Comparison, page: Page) -> None:
    labels = [attributes["aria-label"] for attributes in page.all("svg")]
    assert len(labels) == 1 + 3 * len(comparison.protocols)
    for pair in comparison.pairs:
        assert any(f"{pair.differences['auc'].value:+.3f}" in label for label in labels)


def test_differences_are_drawn_where_they_are(comparison: Comparison) -> None:
    figure = draw_comparison(comparison)["compare-differences"].figure
    for ax, metric in zip(figure.axes, ("accuracy", "auc"), strict=True):
        drawn = {round(float(x), 9) for line in ax.lines for x in np.asarray(line.get_xdata())}
        for pair in comparison.pairs:
            one = pair.differences[metric]
            assert {round(value, 9) for value in (one.value, one.low, one.high)} <= drawn


def test_names_are_escaped_and_cut_for_legends(two_runs: tuple[Path, Path], tmp_path: Path) -> None:
    nasty = "<b onclick=x>" + "long" * 10
    shutil.copytree(two_runs[0], tmp_path / nasty)
    results = Results.load(tmp_path / nasty / "results.json")
    results.command = "neumo <script>alert(1)</script>"
    results.save(tmp_path / nasty / "results.json")
    page = Page(write_comparison(compare(tmp_path / nasty, two_runs[1], replicates=10), tmp_path / "out", {}))
    assert nasty in page.said("runs")
    assert results.command in page.said("runs")
    assert not page.all("b")
    look = run_looks([nasty])[nasty]
    assert len(look.short) <= 24
    assert look.title == nasty


def test_long_names_stay_different_in_legends() -> None:
    names = [f"experiment-2026-11-frozen-{part}-of-the-study" for part in "abcdefghijkl"]
    short = [look.short for look in run_looks([*names, "coarse"]).values()]
    assert len(set(short)) == 13
    assert max(map(len, short)) <= 24
    assert short[-1] == "coarse"
