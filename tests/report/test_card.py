from __future__ import annotations

import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

import neumo
from neumo.classifier.findings import notice
from neumo.errors import NeumoError
from neumo.evaluation.operating_point import choose_threshold
from neumo.report.card import card_html, card_markdown, in_english
from neumo.report.spanish import PHRASES, in_spanish
from neumo.results.results import Results
from neumo.study.card import told


class Balanced(HTMLParser):
    """The text of a fragment and its tags; an element that is not closed is an error."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


@pytest.fixture
def card(two_runs: tuple[Path, Path]) -> dict[str, Any]:
    results = Results.load(two_runs[1] / "results.json")
    return {
        "name": "Phantoms, linear",
        "notice": "A research tool, not a medical device: nothing here is a diagnosis.",
        "positive": "pneumonia",
        "negative": "normal",
        "threshold": {"threshold": 0.31, "rule": "the best", "sensitivity": 0.98, "specificity": 0.75},
        "temperature": 1.25,
        "backbone": {"name": "MobileNetV2-0.35"},
        "data": {"name": "Phantoms", "images": 120, "citation": "Cite me, 2026.", "synthetic": True},
        "training": {"protocol": "random", "seed": 0, "step": "linear", "counts": {"train": {"normal": 30}}},
        "made_by": {"neumo": "0.1.0", "python": "3.11"},
        **told(results, results.runs[0]),
    }


@pytest.mark.parametrize("show", [card_markdown, card_html])
def test_tells_everything(card: dict[str, Any], show: Any) -> None:
    said = show(card)
    said = Balanced(said).text if show is card_html else re.sub(r"\\(.)", r"\1", said)
    for protocol in card["results"].values():
        for figures in protocol["metrics"].values():
            for part in ("mean", "sd", "low", "high"):
                assert f"{figures[part]:.3f}" in said
        for cause, figures in protocol["by_cause"].items():
            assert cause in said
            assert f"{figures['sensitivity']:.3f}" in said
    for part in (
        *card["limits"],
        card["command"],
        "Cite me, 2026.",
        "0.31",
        "the best",
        "98.0%",
        "1.250",
        "seed 0",
    ):
        assert part in said
    assert "SYNTHETIC" in said
    assert "Official test set" in said
    itself = said.partition("This classifier is one of them, of seed 0.")[2]
    for figures in card["own"]["metrics"].values():
        for part in ("value", "low", "high"):
            assert f"{figures[part]:.3f}" in itself


@pytest.mark.parametrize("rule", ["0.5, the default", "the best on the validation part"])
def test_the_operating_point_is_told_as_it_was_chosen(card: dict[str, Any], rule: str) -> None:
    card["threshold"]["rule"] = rule
    said = re.sub(r"\\(.)", r"\1", card_markdown(card))
    assert f"on (rule: {rule}). No test part had a say in it." in said
    assert "chosen on the validation part" not in said


def test_notice_is_on_top(card: dict[str, Any]) -> None:
    assert card_markdown(card).splitlines()[2].startswith("> **A research tool, not a medical device")
    assert Balanced(card_html(card)).text.split()[:3] == ["A", "research", "tool,"]


ENGLISH = re.compile(r"\b(the|of|and|to|for|from|which|it|its|that|with|on|is|are|not|called|radiographs?)\b")


@pytest.mark.parametrize("layout", ["coronahack", "class-folders"])
def test_all_of_it_is_in_spanish(card: dict[str, Any], two_runs: tuple[Path, Path], layout: str) -> None:
    results = Results.load(two_runs[1] / "results.json")
    results.dataset |= {"layout": layout, "synthetic": False, "ages": [18, 90]}
    results.skipped = {"patient": "no patients"}
    results.settings["prevalence"] = 0.003
    rules = [
        choose_threshold([0, 1], [0.1, 0.9]).rule,
        choose_threshold([0, 1], [0.1, 0.9], threshold=0.35).rule,
        choose_threshold([0, 1], [0.1, 0.9], threshold=0.00005).rule,
        replace(choose_threshold([0, 1], [0.1, 0.9], sensitivity=0.9).rule, hard=True, changes=6),
        replace(choose_threshold([0, 1], [0.1, 0.9], balanced=True).rule, changes=6, matched=True),
        replace(choose_threshold([0, 1], [0.1, 0.9], balanced=True).rule, changes=6, reach=3),
    ]
    for rule in [*map(asdict, rules), *map(str, rules)]:  # as this neumo and as older ones hold them
        whole = {**card, **told(results, results.runs[0]), "threshold": {**card["threshold"], "rule": rule}}
        whole |= {"shift": 0.2, "training": {**card["training"], "counts": results.runs[0].counts}}
        empty: dict[str, Any] = {}
        for one in (whole, {**whole, "data": {**card["data"], "synthetic": False}}, empty):
            spanish = Balanced(card_html(one, in_spanish)).text
            for kept in (card["name"], card["data"]["citation"], str(one.get("command", "linear"))):
                spanish = spanish.replace(kept, "")
            spanish = re.sub(r"A classifier|Guangzhou Women and.*Center", "", spanish)
            assert not ENGLISH.findall(spanish), spanish
            assert "neumonía" in spanish
            numbers = [
                sorted(re.findall(r"\d+", Balanced(card_html(one, say)).text))
                for say in (in_english, in_spanish)
            ]
            assert numbers[0] == numbers[1]


def test_the_rule_of_the_classifier_that_neumo_brings_is_told_in_both_languages() -> None:
    card = neumo.load().card
    english, spanish = (Balanced(card_html(card, say)).text for say in (in_english, in_spanish))
    told = (
        "best sensitivity and specificity together on the validation part, as it is and changed in 6 ways, "
        "up to 3 times as far as in training"
    )
    assert f"0.7738 on (rule: {told}). No test part" in english
    told = (
        "la mejor suma de sensibilidad y especificidad en la parte de validación, tal cual y modificada de "
        "6 maneras, hasta 3 veces más que en el entrenamiento"
    )
    assert f"0,7738 (regla: {told}). Ninguna" in spanish


def test_no_pneumonia_is_in_spanish(card: dict[str, Any]) -> None:
    """What a 0 is called that need not be healthy."""
    assert "«sin neumonía»" in Balanced(card_html({**card, "negative": "no pneumonia"}, in_spanish)).text


@pytest.mark.parametrize("synthetic", [False, True])
def test_the_notice_is_in_spanish(card: dict[str, Any], synthetic: bool) -> None:
    said = Balanced(card_html({**card, "notice": notice(synthetic)}, in_spanish)).text
    assert "nada de esto es un diagnóstico" in said
    assert ("se entrenó con radiografías SINTÉTICAS" in said) == synthetic
    assert "A research tool" not in said


def test_what_is_data_is_not_translated(card: dict[str, Any]) -> None:
    data = {**card["data"], "name": "rsna-pneumonia", "citation": "Pneumonia, called {x}. made by test: 2018"}
    changed = {**card, "positive": "no pneumonia {0}", "negative": "Limits", "data": data}
    said = Balanced(card_html(changed, in_spanish)).text
    for kept in ("(rsna-pneumonia)", data["citation"], "«no pneumonia {0}»", "Limits, considerada Limits"):
        assert kept in said


SHARE = (
    "74% of its training radiographs have pneumonia. Where fewer do, more of its alarms are false, and its "
    "probabilities are too high."
)


def test_numbers_are_as_spanish_writes_them(card: dict[str, Any]) -> None:
    changed = {
        **card,
        "data": {
            **card["data"],
            "images": 5840,
            "citation": "A. Doe, 2018, doi:10.1/x.2 (CC BY 4.0), as in the X data set.",
        },
        "threshold": {
            "threshold": 0.7324,
            "rule": "0.35, as asked for",
            "sensitivity": 0.963,
            "specificity": 1,
        },
        "shift": -0.25,
        "limits": [SHARE],
        "training": {**card["training"], "protocol": "official", "counts": {"train": {"normal": 1073}}},
    }
    said = Balanced(card_html(changed, in_spanish)).text
    for part in (
        "5.840 radiografías",
        "0,7324 (regla: 0,35, como se pidió)",
        "el 96,3\u00a0% de",
        "el 100,0\u00a0% de",
        "de 1,250 y se desplazaron -0,250",
        "El 74\u00a0% de",
        "protocolo: oficial, semilla 0",
        "1.073 normal",
        "MobileNetV2-0.35",
        "neumo 0.1.0",
        card["command"],
        "doi:10.1/x.2 (CC BY 4.0), como en el conjunto de datos X.",
    ):
        assert part in said, part
    for protocol in card["results"].values():
        for figures in protocol["metrics"].values():
            assert f"{figures['mean']:.3f}".replace(".", ",") in said
    result_section = said[said.index("Resultados") : said.index("Entrenamiento")]
    assert not re.search(r"\d\.\d(?!\d\d\b)", result_section)
    assert 'aria-label="Resultados"' in card_html(changed, in_spanish)
    assert "protocol: official" in Balanced(card_html(changed)).text


@pytest.mark.parametrize("name", ["2018.1", "1,000", "50%"])
def test_a_name_is_no_number_in_spanish(name: str) -> None:
    cited = f"{name}, as in the {name} data set."
    assert in_spanish(cited) == f"{name}, como en el conjunto de datos {name}."
    share = in_spanish("74% of its training radiographs have 50%. " + SHARE.partition(". ")[2])
    nearly = "99.6%" + SHARE.removeprefix("74%")
    assert in_spanish(nearly).startswith("El 99,6\u00a0% de sus radiografías")
    assert share.startswith("El 74\u00a0% de sus radiografías de entrenamiento tiene «50%».")


def test_phrases_have_the_same_fields_in_spanish() -> None:
    for english, spanish in PHRASES.items():
        fields = [
            sorted(field for _, field, _, _ in Formatter().parse(text) if field)
            for text in (english, spanish)
        ]
        assert fields[0] == fields[1], english


def test_escapes_what_the_data_set_is_called(card: dict[str, Any]) -> None:
    nasty = "<script>alert('x')</script> [a](javascript:b) | `c` *d*"
    results = card["results"]
    results["random"]["by_cause"] = {nasty: next(iter(results["patient"]["by_cause"].values()))}
    changed = {
        **card,
        **dict.fromkeys(("name", "notice", "positive", "negative", "command"), nasty),
        "data": {**card["data"], "name": nasty, "citation": nasty},
        "limits": [nasty],
        "threshold": {**card["threshold"], "rule": nasty},
        "made_by": {nasty: nasty},
    }
    html = Balanced(card_html(changed))
    assert "script" not in html.tags
    assert nasty in html.text
    plain = card_markdown(changed)
    without_command = plain[: plain.index("```")] + plain[plain.rindex("```") :]
    for special in ("<script", "[a]", "`c`", " *d*"):
        assert not re.search(rf"(?<!\\){re.escape(special)}", without_command)
    rows = [line for line in plain.splitlines() if line.startswith("| \\<script")]
    assert rows
    bars = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert bars == {3, 5}  # of the two kinds of table: the name's own bar ends no cell


def test_a_fence_holds_a_command_with_backticks(card: dict[str, Any]) -> None:
    plain = card_markdown({**card, "command": "neumo ```x```"})
    assert "\n````\nneumo ```x```\n````\n" in plain


def test_shows_an_older_or_smaller_card(card: dict[str, Any]) -> None:
    for name in ("results", "limits", "command", "temperature"):
        del card[name]
    for said in (card_markdown(card), Balanced(card_html(card)).text):
        assert f"{card['test']['patient']['auc']:.3f}" in said
        assert "does not say what is known of its limits" in said
    assert card_markdown({"name": "bare"}).startswith("# bare")
    Balanced(card_html({}))
    rates = {"threshold": 0.5, "sensitivity": 0.9996, "specificity": 1.0}
    assert "99.96% of pneumonia and leaves 100.0%" in card_markdown({"threshold": rates})
    assert "Made from an unknown number of chest radiographs" in card_markdown({"name": "bare"})


@pytest.mark.parametrize(
    "field",
    [("own", "images"), ("own", "metrics"), ("results", "patient", "confusion")],
)
@pytest.mark.parametrize("odd", ["many", [1], {"a": 1}])
def test_a_card_that_somebody_spoilt_is_one_line(
    card: dict[str, Any], field: tuple[str, ...], odd: Any
) -> None:
    *above, last = field
    inner = card
    for name in above:
        inner = inner[name]
    inner[last] = odd
    for show in (card_markdown, card_html):
        with pytest.raises(NeumoError, match=r"^Phantoms, linear: got a card that cannot be told [^\n]+$"):
            show(card)
