from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from neumo.evaluation.metrics import METRICS
from neumo.report import draw_result
from neumo.report.drawing import Drawing, protocol_sides
from neumo.report.page import repeated_losses, write_page
from neumo.report.template import per_hundred, took
from neumo.results import published
from neumo.results.results import Results

VOID = {"meta", "link", "img", "br", "hr", "input"}
NOTICE = "A research tool, not a medical device."


class Page(HTMLParser):
    """The page's elements, in order, with their text; unbalanced elements are an error."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.section = ""
        self.by_section: dict[str, list[str]] = {}
        self.source = file.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag in ("section", "header"):
            self.section = dict(attrs).get("id") or self.section
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)
            self.by_section.setdefault(self.section, []).append(data)

    def said(self, section: str | None = None) -> str:
        return " ".join(" ".join(self.text if section is None else self.by_section[section]).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(results: Results, folder: Path) -> Page:
    """The page without figures, which take long to draw."""
    return Page(write_page(results, folder, drawings={}))


@pytest.fixture(scope="module")
def page(study: Results, drawings: dict[str, Drawing], tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_page(study, tmp_path_factory.mktemp("page"), drawings))


def test_loads_nothing(page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "srcset", "poster", "data", "action"):
            assert attributes.get(name, "data:").startswith("data:")
        for name in ("href", "xlink:href"):
            if tag != "a":
                assert attributes.get(name, "#").startswith(("#", "data:"))
        assert tag not in ("script", "iframe", "object", "embed", "base")
        assert not [name for name in attributes if name.startswith("on")]
        assert "http" not in attributes.get("style", "")
    style = re.search(r"<style>(.*?)</style>", page.source, re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import|http", style[1])


def test_ids_are_unique_and_every_link_has_its_target(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [
        attributes[name][1:]
        for _, attributes in page.elements
        for name in ("href", "xlink:href")
        if attributes.get(name, "").startswith("#")
    ]
    links += re.findall(r"url\(#([^)]+)\)", page.source)
    assert len(links) > 100
    assert set(links) <= set(ids)


def test_is_small(page: Page) -> None:
    assert len(page.source.encode()) < 3_000_000


def test_notice_comes_first(page: Page) -> None:
    body = page.said()[page.said().index("Skip to the summary") + len("Skip to the summary") :]
    assert body.strip().startswith(NOTICE)
    assert body.rstrip().endswith(NOTICE)


def test_says_synthetic_only_where_it_is(results: Results, page: Page, tmp_path: Path) -> None:
    assert results.dataset["synthetic"]
    assert "SYNTHETIC DATA." in page.said()
    results.dataset["synthetic"] = False
    assert "SYNTHETIC" not in page_of(results, tmp_path).said()


def test_ladder_has_every_number(study: Results, page: Page) -> None:
    said = page.said("ladder")
    for step, report in published.STEPS.items():
        if report is not None:
            assert f"{report.loss:.4f}" in said
            assert f"{report.accuracy:.4f}" in said
        for what in ("loss", "accuracy"):
            ours = [run.validation[what] for run in study.ladder(step)]
            assert len(ours) == 2
            mean, sd = np.mean(ours), np.std(ours, ddof=1)
            assert f"{mean:.3f} ± {sd:.3f} {min(ours):.3f} to {max(ours):.3f}" in said
        assert f"{study.ladder(step)[0].parameters['trainable']:,}" in said
    assert f"{published.TEST.loss:.4f}" in said
    assert f"{published.TEST.accuracy:.4f}" in said
    assert "0.2127†" in said
    assert published.BACKBONE in said
    assert study.backbone["name"] in said


def test_test_table_has_every_metric_with_its_interval(study: Results, page: Page) -> None:
    said = page.said("test")
    for protocol in ("random", "patient", "official"):
        for metric, title in METRICS.items():
            assert title in said
            found = [run.test["metrics"][metric] for run in study.tested(protocol) if run.test]
            assert len(found) == 2
            value, low, high = (np.mean([one[part] for one in found]) for part in ("value", "low", "high"))
            sd = np.std([one["value"] for one in found], ddof=1)
            assert f"{value:.3f} ± {sd:.3f} {low:.3f} to {high:.3f}" in said
            for one in found:
                assert f"{one['value']:.3f}" in said


def test_has_every_figure_and_picture(study: Results, page: Page) -> None:
    labels = [attributes["aria-label"] for attributes in page.all("svg")]
    # data 2, ladder, steps 5, validation, ROC, precision-recall, matrices 3, calibration, causes, protocols
    assert len(labels) == 17
    assert all(len(label) > 30 for label in labels)
    pictures = page.all("img")
    assert all(
        picture["alt"] and picture["src"].startswith("data:image/jpeg;base64,") for picture in pictures
    )
    wrong = {
        (protocol, mistake["path"])
        for protocol in ("random", "patient", "official")
        for run in study.tested(protocol)
        for mistake in run.mistakes
    }
    shown = sum(
        min(12, sum(name == protocol for name, _ in wrong)) for protocol in ("random", "patient", "official")
    )
    assert len(pictures) == 2 * 3 + shown
    assert shown > 0


def test_names_the_readings_the_command_and_the_versions(study: Results, page: Page) -> None:
    for one in published.CONTRADICTIONS:
        assert one.says in page.said("readings")
        assert one.taken in page.said("readings")
        assert one.other in page.said("readings")
    assert study.command in page.said("run")
    for name, version in study.environment.items():
        assert f"{name} {version}" in page.said("run")
    assert "The last run took 2 minutes" in page.said("run")
    assert study.dataset["citation"] in page.said("cite")


def test_validation_drawn_both_ways(study: Results, page: Page) -> None:
    for drawn in ("before-balancing", "after-balancing"):
        ours = [
            run.validation["accuracy"]
            for run in study.runs
            if run.validation_drawn == drawn and run.protocol == "random" and run.step == "early stopping"
        ]
        assert f"{np.mean(ours):.3f}" in page.said("validation")


def test_escapes_names(results: Results, tmp_path: Path) -> None:
    nasty = "<script>alert('x')<!--\"&amp;.jpeg"
    for run in results.tested("random"):
        run.mistakes = [
            {**run.mistakes[0], "path": f"/data/{nasty}", "cause": "<b>", "patient": '"><img src=x>'}
        ]
    results.contact_sheet[0]["path"] = f"/data/{nasty}"
    results.dataset["name"] = results.audit["name"] = "<i>set</i>"
    results.audit["missing"] = [nasty]
    results.skipped = {"official": "<script>"}
    results.runs = [run for run in results.runs if run.protocol != "official"]
    page = page_of(results, tmp_path)
    assert not page.all("script")
    assert not page.all("i")
    assert "src=x" not in [picture["src"] for picture in page.all("img")]
    for section in ("mistakes", "generated", "data"):
        assert nasty in page.said(section)


def test_classes_are_called_as_the_data_call_them(
    study: Results, drawings: dict[str, Drawing], tmp_path: Path
) -> None:
    called = {**study.dataset, "positive_name": "tuberculosis", "negative_name": "clear"}
    results = dataclasses.replace(study, dataset=called)
    page = page_of(results, tmp_path)
    assert not re.findall("pneumonia|normal", page.said("test") + page.said("terms"))
    assert "of 100 tuberculosis" in page.said("test")
    assert page.said("summary").count("Tuberculosis on chest radiographs") == 1
    sides = protocol_sides(results)
    for drawing in (
        draw_result.calibration(sides),
        draw_result.confusion(sides[0]),
        draw_result.by_cause(sides[:1]),
    ):
        assert "pneumonia" not in drawing.alt
        assert re.search("tuberculosis|clear", drawing.alt)


def test_one_seed(results: Results, tmp_path: Path) -> None:
    results.runs = [run for run in results.runs if run.seed == 0]
    results.settings["seeds"] = [0]
    page = page_of(results, tmp_path)
    assert "± 0.000" not in page.said()
    assert "over the seeds" not in page.said("ladder")
    assert f"{results.ladder('base')[0].validation['loss']:.3f}" in page.said("ladder")


def test_protocols_that_were_not_possible(results: Results, tmp_path: Path) -> None:
    results.runs = [run for run in results.runs if run.protocol == "random"]
    results.skipped = {"patient": "no patient is known", "official": "it has no test set of its own"}
    page = page_of(results, tmp_path)
    for section in ("summary", "protocols"):
        assert "no patient is known" in page.said(section)
        assert "it has no test set of its own" in page.said(section)
    assert "These data allow the random split alone" in page.said("summary")


def test_no_patients(results: Results, tmp_path: Path) -> None:
    results.audit["patients"] = {
        "known": 0,
        "unknown": results.audit["images"],
        "count": 0,
        "most_images": 0,
        "across_classes": 0,
        "across_official": 0,
        "names_across_official": [],
    }
    for run in results.runs:
        run.mistakes = [{**mistake, "patient": None} for mistake in run.mistakes]
    page = page_of(results, tmp_path)
    assert "patients not known" in page.said("data")
    assert "None" not in page.said("mistakes")


def test_radiographs_that_are_gone(results: Results, tmp_path: Path) -> None:
    for run in results.runs:
        run.mistakes = [{**mistake, "path": "/gone" + mistake["path"]} for mistake in run.mistakes]
    for shown in results.contact_sheet:
        shown["path"] = "/gone" + shown["path"]
    page = page_of(results, tmp_path)
    assert not page.all("img")
    assert Path(results.contact_sheet[0]["path"]).name in page.said("generated")
    assert "not on this disk" in page.said("mistakes")
    assert Path(results.tested("random")[0].mistakes[0]["path"]).name in page.said("mistakes")


def test_is_drawn_from_the_file_alone(page: Page, results: Results, tmp_path: Path) -> None:
    again = write_page(results, tmp_path).read_text(encoding="utf-8")
    assert again == page.source


def test_writes_nothing_else(results: Results, tmp_path: Path) -> None:
    page_of(results, tmp_path / "new" / "folder")
    assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == ["report.html"]


def test_numbers_in_words() -> None:
    assert [per_hundred(share) for share in (0.957, 0.9961, 1.0, 0.004, 0.9996, 0.0004, 0.0)] == [
        "96 of 100",
        "99.6 of 100",
        "100 of 100",
        "0.4 of 100",
        "99.96 of 100",
        "0.04 of 100",
        "0 of 100",
    ]
    assert [took(seconds) for seconds in (0.42, 61.2, 600, 9000)] == [
        "0.42 seconds",
        "61 seconds",
        "10 minutes",
        "2.5 hours",
    ]


def test_marks_the_loss_that_the_report_repeats() -> None:
    assert repeated_losses() == {"regularised"}


def test_says_which_readings_this_run_took(results: Results, tmp_path: Path) -> None:
    assert "This run took something else for epochs: 6 (by default 15)." in page_of(results, tmp_path).said(
        "readings"
    )
    results.settings |= {"epochs": 15, "copies": 1, "validation_drawn": "after-balancing"}
    results.settings["transforms"]["rotation_range"] = 20.0
    said = page_of(results, tmp_path).said("readings")
    assert "validation drawn: after-balancing (by default before-balancing), copies: 1 (by default 2)" in said
    assert "rotation range: 20.0 (by default 0.2)" in said
    results.settings |= {"copies": 2, "validation_drawn": "before-balancing"}
    results.settings["transforms"]["rotation_range"] = 0.2
    assert "This run took the defaults throughout." in page_of(results, tmp_path).said("readings")


def test_says_where_the_split_was_given(results: Results, page: Page, tmp_path: Path) -> None:
    assert "The split was given" not in page.said()
    results.settings["given_split"] = "/home/me/<mine>.csv"
    assert "The split was given, by <mine>.csv ;" in page_of(results, tmp_path).said("ladder")


def test_no_operating_point_and_no_mistake_is_rounded_to_certainty(results: Results, tmp_path: Path) -> None:
    for run in results.tested("random"):
        run.threshold["threshold"] = 0.00031
        run.mistakes = [{**run.mistakes[0], "probability": 0.99996}]
    page = page_of(results, tmp_path)
    assert "Random split 0.00031" in page.said("test")
    assert "probability > 0.999, truth" in page.said("mistakes")
