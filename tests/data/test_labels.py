from __future__ import annotations

import pytest

from neumo.data.labels import assign, cause_from, plain, quoted, together
from neumo.errors import NeumoError


@pytest.mark.parametrize(
    "name", ["NORMAL", "No_Finding", "no-finding", "Healthy", "0", "0.0", "False", "negative"]
)
def test_names_of_the_normal_class(name: str) -> None:
    assert assign([name, "other"], None, "here") == ({name: 0, "other": 1}, [])


def test_positive_makes_all_others_negative() -> None:
    label, faults = assign(["Normal", "COVID-19", "Viral Pneumonia"], ["viral_pneumonia"], "here")
    assert label == {"Normal": 0, "COVID-19": 0, "Viral Pneumonia": 1}
    assert not faults


def test_positive_is_found_among_several_findings() -> None:
    label, _ = assign(["No Finding", "Effusion|Pneumonia", "Effusion"], ["Pneumonia"], "here")
    assert label == {"No Finding": 0, "Effusion|Pneumonia": 1, "Effusion": 0}


def test_positive_that_does_not_occur() -> None:
    with pytest.raises(NeumoError, match=r"here: got no class 'flu' .* expected one of 'a', 'b'"):
        assign(["a", "b"], ["flu"], "here")


def test_without_a_normal_class_nothing_is_guessed() -> None:
    label, faults = assign(["a", "b"], None, "here")
    assert label == {"a": -1, "b": -1}
    assert len(faults) == 1


def test_plain() -> None:
    assert plain(" No__Finding ") == "no finding"
    assert plain("1.0") == "1"
    assert plain("1.05") == "1.05"


def test_cause_from() -> None:
    assert cause_from("COVID-19") == "covid-19"
    assert cause_from("1.0") == cause_from("Positive") == "unknown"


def test_together() -> None:
    assert together(["B", "a"], "pneumonia") == "a or b"
    assert together(["1"], "pneumonia") == together(list("abcd"), "pneumonia") == "pneumonia"


def test_quoted_is_cut() -> None:
    assert quoted(["a", "b"]) == "'a', 'b'"
    assert quoted(map(str, range(100)), most=2) == "'0', '1' ... (100 in all)"
