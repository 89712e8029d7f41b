"""How an operating point was chosen is read back as it was written, by this neumo and by older ones."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import product

import pytest

import neumo
from neumo.evaluation.rule import Rule, in_words, read_rule

RULES = [
    Rule("default", 0.5),
    *(Rule("threshold", value) for value in (0.35, 5e-05, 0.123456789012)),
    *(
        replace(rule, hard=hard, changes=changes, matched=matched, reach=reach)
        for rule in (Rule("balanced"), Rule("sensitivity", 0.9), Rule("sensitivity", 1.0))
        for hard, (changes, reach), matched in product((False, True), ((0, 1), (6, 1), (6, 3)), (False, True))
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_is_read_back(rule: Rule) -> None:
    assert read_rule(json.loads(json.dumps(asdict(rule)))) == rule
    assert read_rule(str(rule)) == rule
    assert in_words(asdict(rule)) == in_words(str(rule)) == str(rule)


def test_each_rule_is_told_in_words_of_its_own() -> None:
    assert len({str(rule) for rule in RULES}) == len(RULES)


def test_the_rule_of_the_classifier_that_neumo_brings() -> None:
    stored = neumo.load().card["threshold"]["rule"]
    assert read_rule(stored) == Rule("balanced", changes=6, reach=3)
    assert in_words(stored).endswith("changed in 6 ways, up to 3 times as far as in training")


@pytest.mark.parametrize(
    "stored",
    [
        "the best",
        "1.2.3, as asked for",
        "0.350, as asked for",
        "best of all together on the validation part",
        {"by": "luck"},
        {"by": "luck", "value": 0.5},
        {"by": "threshold"},
        {"by": "threshold", "value": "<b>"},
        {"by": "sensitivity", "value": None},
        {"by": ["balanced"]},
        {"by": "balanced", "changes": "x"},
        {"by": "balanced", "reach": "x"},
        {"rule": "the best"},
        ["balanced"],
        None,
    ],
)
def test_what_is_none_is_told_as_it_stands(stored: object) -> None:
    assert read_rule(stored) is None
    assert in_words(stored) == str(stored)
