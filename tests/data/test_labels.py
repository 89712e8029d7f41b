from __future__ import annotations

from collections.abc import Sequence

import pytest

from neumo.data.labels import (
    assign,
    cause_from,
    class_names,
    one_name,
    plain,
    quoted,
    tell_pneumonia_as_negative,
)
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


@pytest.mark.parametrize(
    ("names", "heading", "hint"),
    [
        ("01", "Pneumonia", "; 1 is pneumonia there, so leave --positive out, or write --positive 1"),
        (
            ["0.0", "1.0"],
            "label",
            "; 1.0 is pneumonia there, so leave --positive out, or write --positive 1.0",
        ),
        (
            ["no", "yes"],
            "Edema",
            "; yes is edema there, .* --positive yes; another finding's .* --label-column",
        ),
        ("01", "No Finding", ""),
        (["a", "b"], "Pneumonia", ""),
    ],
)
def test_what_to_write_of_a_column_of_0_and_1(names: Sequence[str], heading: str, hint: str) -> None:
    with pytest.raises(NeumoError, match=rf"got no class 'pneumonia' .*, expected one of '\w.*'{hint}$"):
        assign(names, ["pneumonia"], "here", heading)


def test_without_a_normal_class_nothing_is_guessed() -> None:
    label, faults = assign(["a", "b"], None, "here")
    assert label == {"a": -1, "b": -1}
    assert len(faults) == 1


def test_positive_may_be_a_whole_label_of_several_findings() -> None:
    names = ["No Finding", "Infiltration|Pneumonia", "Pneumonia"]
    label, _ = assign(names, ["infiltration|pneumonia"], "here")
    assert label == {"No Finding": 0, "Infiltration|Pneumonia": 1, "Pneumonia": 0}
    assert class_names(label, ["infiltration|pneumonia"])[1] == "infiltration|pneumonia"


NIH = ["No Finding", "Cardiomegaly", "Effusion", "Effusion|Pneumonia", "Pneumonia"]


def test_pneumonia_among_many_other_findings_is_to_be_named() -> None:
    label, [fault] = assign(NIH, None, "here")
    assert label == {name: 0 if name == "No Finding" else -1 for name in NIH}
    assert "'Effusion|Pneumonia', 'Pneumonia'" in fault
    assert "'Cardiomegaly', 'Effusion'" in fault
    assert fault.endswith("--positive NAME")


@pytest.mark.parametrize(
    ("names", "called"),
    [
        (["Normal", "COVID", "Lung_Opacity", "Viral Pneumonia"], "covid or lung_opacity or viral pneumonia"),
        (["0", "bacteria", "virus", "pneumonia", "fungal pneumonia"], "pneumonia"),
        (["normal", "a", "b", "c", "d"], "abnormal"),
    ],
)
def test_without_positive_what_is_clear_is_named_for_what_it_is(names: list[str], called: str) -> None:
    label, faults = assign(names, None, "here")
    assert not faults
    assert class_names(label, None) == (names[0].lower() if names[0] != "0" else "normal", called)


@pytest.mark.parametrize(
    ("names", "positive", "called"),
    [
        (NIH, "pneumonia", ("cardiomegaly or effusion or no finding", "pneumonia")),
        ([*NIH, "Mass"], "PNEUMONIA", ("not pneumonia", "pneumonia")),
        (
            [*NIH, "Mass"],
            ["mass", "effusion"],
            ("cardiomegaly or no finding or pneumonia", "effusion or mass"),
        ),
        (list("abcdef"), list("bcdef"), ("a", "b, c, d or 2 others")),
        (["normal", "healthy", "control", "none", "x"], "x", ("normal", "x")),
    ],
)
def test_with_positive_the_names_are_what_was_asked_for(
    names: list[str], positive: str | list[str], called: tuple[str, str]
) -> None:
    label, _ = assign(names, positive, "here")
    assert class_names(label, positive) == called


@pytest.mark.parametrize(
    ("heading", "called"),
    [
        ("label", ("no pneumonia", "pneumonia")),
        ("Finding Labels", ("no pneumonia", "pneumonia")),
        ("has_pneumonia", ("no pneumonia", "pneumonia")),
        ("Tuberculosis", ("not tuberculosis", "tuberculosis")),
        ("COVID-19", ("not covid-19", "covid-19")),
        ("covid positive", ("not covid positive", "covid positive")),
        ("abnormal", ("not abnormal", "abnormal")),
        ("Not Normal", ("normal", "not normal")),  # denies what is normal, so 1 is positive
        ("not_healthy", ("healthy", "not healthy")),
        ("normal_vs_pneumonia", ("no pneumonia", "pneumonia")),
    ],
)
def test_a_column_of_0_and_1_is_called_by_its_heading(heading: str, called: tuple[str, str]) -> None:
    label, faults = assign(["0", "1"], None, "here", heading)
    assert (label, faults) == ({"0": 0, "1": 1}, [])
    assert class_names(label, None, heading) == called
    if heading == "Tuberculosis":
        assert class_names(assign(["0", "1"], ["0"], "here", heading)[0], ["0"], heading) == called[::-1]
        assert class_names(assign(["no", "Yes"], None, "here", heading)[0], None, heading) == called


@pytest.mark.parametrize(
    ("heading", "called"),
    [
        ("No Finding", ("no finding", "finding")),
        ("NoFinding", ("nofinding", "finding")),
        ("is_normal", ("is normal", "not normal")),
        ("negative", ("negative", "not negative")),
    ],
)
def test_1_for_normal_is_refused_until_it_is_said(heading: str, called: tuple[str, str]) -> None:
    label, [fault] = assign(["0.0", "1.0"], None, "here", heading)
    assert label == {"0.0": -1, "1.0": -1}
    assert fault == (
        f"here: got 1.0 for {heading!r}, expected it for the positive class; "
        "make 0.0 that with --positive 0.0"
    )
    label, faults = assign(["0.0", "1.0"], ["0"], "here", heading)
    assert (label, faults) == ({"0.0": 1, "1.0": 0}, [])
    assert class_names(label, ["0"], heading) == called


@pytest.mark.parametrize(
    ("no", "yes"),
    [
        ("no", "s\u00ed"),
        ("N", "S"),
        ("N", "J"),
        ("n", "o"),
        ("negativo", "positivo"),
        ("negativ", "positiv"),
        ("nein", "ja"),
        ("N\u00e3o", "Sim"),
        ("NON", "OUI"),
    ],
)
def test_yes_and_no_in_other_languages_are_held_against_the_heading(no: str, yes: str) -> None:
    label, [fault] = assign([no, yes], None, "here", "sano")
    assert (label, fault.endswith(f"--positive {no}")) == ({no: -1, yes: -1}, True)
    label, faults = assign([no, yes], None, "here", "neumon\u00eda")
    assert (label, faults) == ({no: 0, yes: 1}, [])
    assert class_names(label, None, "neumon\u00eda") == ("no pneumonia", "pneumonia")


def test_not_something_is_negative() -> None:
    assert assign(["not pneumonia", "pneumonia"], None, "x")[0] == {"not pneumonia": 0, "pneumonia": 1}
    assert assign(["normal", "not normal"], None, "x")[0] == {"normal": 0, "not normal": 1}


def test_plain() -> None:
    assert plain(" No__Finding ") == "no finding"
    assert plain("1.0") == "1"
    assert plain("1.05") == "1.05"


def test_cause_from() -> None:
    assert cause_from("COVID-19") == "covid-19"
    assert cause_from("1.0") == cause_from("Positive") == cause_from("0") == "unknown"


def test_one_name() -> None:
    assert one_name(["B", "a"], "pneumonia") == "a or b"
    assert one_name(["1"], "pneumonia") == one_name(list("abcd"), "pneumonia") == "pneumonia"


def test_quoted_is_cut() -> None:
    assert quoted(["a", "b"]) == "'a', 'b'"
    assert quoted(map(str, range(100)), most=2) == "'0', '1' ... (100 in all)"


@pytest.mark.parametrize(
    ("heading", "classes"),
    [
        ("Negative for Pneumonia", ("pneumonia", "negative for pneumonia")),
        ("pneumonia_absent", ("pneumonia", "pneumonia absent")),
        ("Absence of pneumonia", ("pneumonia", "absence of pneumonia")),
        ("NEG_PNEUMONIA", ("pneumonia", "neg pneumonia")),
        ("pneumonia-free", ("pneumonia", "pneumonia-free")),
        ("normal_lungs", ("not normal lungs", "normal lungs")),
        ("Clear", ("not clear", "clear")),
        ("Control", ("not control", "control")),
        ("NoFinding", ("finding", "nofinding")),
        ("nofinding", ("not nofinding", "nofinding")),
        ("nonpneumonia", ("pneumonia", "nonpneumonia")),
    ],
)
def test_a_heading_that_denies_is_not_taken_at_its_word(heading: str, classes: tuple[str, str]) -> None:
    label, [fault] = assign(["0", "1"], None, "here", heading)
    assert label == {"0": -1, "1": -1}
    assert fault.endswith("make 0 that with --positive 0")
    assert class_names(assign(["0", "1"], ["0"], "here", heading)[0], ["0"], heading) == classes[::-1]


@pytest.mark.parametrize(
    "name", ["Pneumonia/Viral/COVID-19", "Effusion, Pneumonia", "Effusion;Pneumonia", "pneumonia|effusion"]
)
def test_positive_is_found_in_any_list_of_findings(name: str) -> None:
    names = ["No Finding", name, "Tuberculosis", "no pneumonia, effusion"]
    assert assign(names, ["Pneumonia"], "here")[0] == dict(zip(names, [0, 1, 0, 0], strict=True))


def test_a_class_that_denies_something_is_not_called_positive() -> None:
    """RSNA's classes, and those of COVID-QU-Ex."""
    for denying in ("No Lung Opacity / Not Normal", "Non-COVID"):
        names = ["Normal", "Lung Opacity", denying]
        label, [fault] = assign(names, None, "here")
        assert label == {"Normal": 0, "Lung Opacity": -1, denying: -1}
        assert fault.startswith(f"here: got a class that is called after what it is not ('{denying}')")
        assert assign(names, ["Lung Opacity"], "here") == (dict(zip(names, [0, 1, 0], strict=True)), [])
    names = ["Normal", "NORMAL study", "Healthy lungs", "Pneumonia"]
    _, [fault] = assign(names, None, "here")
    assert fault.startswith(
        "here: got a class that could be a normal one ('Healthy lungs', 'NORMAL study'), exp"
    )
    _, [fault] = assign([*names, "Non-COVID"], None, "here")
    assert fault.startswith("here: got a class that is called after what it is not ('Non-COVID'), exp")
    assert assign(["Non-pneumonia", "Pneumonia"], None, "here")[0] == {"Non-pneumonia": 0, "Pneumonia": 1}


@pytest.mark.parametrize(
    ("name", "told"), [("-1", "-1"), ("-1.0", "-1"), ("1.", "1"), ("0.0", "0"), ("-", ""), ("_a - b", "a b")]
)
def test_numbers_keep_their_sign(name: str, told: str) -> None:
    assert plain(name) == told


def test_yes_and_no_under_a_neutral_heading_are_called_pneumonia_and_no_pneumonia() -> None:
    for names in (["false", "true"], ["no", "yes"]):
        label, _ = assign(names, None, "here", "label")
        assert class_names(label, None, "label") == ("no pneumonia", "pneumonia")


@pytest.mark.parametrize("name", ["COVID-negative", "Negative for pneumonia", "nonpneumonia"])
def test_no_class_that_denies_is_positive_beside_normal(name: str) -> None:
    label, faults = assign(["Normal", "COVID-positive", name], None, "here")
    assert label["Normal"] == 0
    assert label[name] == -1
    assert len(faults) == 1


def test_a_list_of_normal_findings_is_normal() -> None:
    names = ["Normal/No finding", "COVID-19, viral"]
    assert assign(names, None, "here") == (dict(zip(names, [0, 1], strict=True)), [])


@pytest.mark.parametrize(
    ("normal", "ill"),
    [
        (["normal", "sano"], "neumon\u00eda"),
        (["Sanos"], "NEUMONIA"),
        (["sin neumonia"], "neumoni\u0301a"),  # as macOS writes a name
        (["gesund", "Unauff\u00e4llig"], "Lungenentz\u00fcndung"),
        (["Keine Pneumonie"], "Pneumonie"),
        (["sain", "sans pneumonie"], "pneumonie"),
        (["Saud\u00e1vel"], "Pneumonia"),
        (["sano", "normale"], "polmonite"),
    ],
)
def test_normal_and_pneumonia_in_other_languages(normal: list[str], ill: str) -> None:
    label, faults = assign([*normal, ill], None, "here")
    assert (label, faults) == ({**dict.fromkeys(normal, 0), ill: 1}, [])
    assert class_names(assign([normal[0], ill, f"viral {ill}"], None, "x")[0], None)[1].startswith(
        ill.lower()
    )
    assert class_names(assign(["0", "1"], None, "here", ill)[0], None, ill)[1] == "pneumonia"
    assert assign(["0", "1"], None, "here", normal[0])[1]  # where 1 is not the positive class


@pytest.mark.parametrize("ill", ["no sano", "nicht gesund", "anormal"])
def test_not_healthy_in_other_languages(ill: str) -> None:
    assert assign(["normal", ill], None, "here") == ({"normal": 0, ill: 1}, [])


@pytest.mark.parametrize("strange", ["Nomal", "Cardiomegaly", "Pleural effusion"])
@pytest.mark.parametrize("ill", ["Pneumonia", "neumon\u00eda", "COVID-19", "virus", "Lung_Opacity", "TB"])
def test_a_class_that_is_no_pneumonia_beside_one_that_is_asks(ill: str, strange: str) -> None:
    label, [fault] = assign(["Normal", strange, ill], None, "here")
    assert label == {"Normal": 0, strange: -1, ill: -1}
    assert fault == (
        f"here: got classes that name pneumonia or a kind of it ({ill!r}) and others that do not "
        f"({strange!r}), expected to be told which are positive, with --positive NAME"
    )
    assert assign(["Normal", strange], None, "here") == ({"Normal": 0, strange: 1}, [])
    assert assign(["Normal", strange, "Mass"], None, "here")[1] == []


def test_kinds_of_pneumonia_are_positive_together() -> None:
    for kinds in (
        ["COVID", "Lung_Opacity", "Viral Pneumonia"],
        ["covid", "virus", "bacteria"],
        ["Tuberculosis", "Consolidation|Effusion", "pneumonia"],
    ):
        assert assign(["normal", *kinds], None, "x") == ({"normal": 0, **dict.fromkeys(kinds, 1)}, [])


@pytest.mark.parametrize(
    "denied",
    ["Aucune pneumonie", "N\u00e3o pneumonia", "Nicht Pneumonie", "Pneumonia ausente", "Pneumonia ruled out"],
)
def test_a_pneumonia_that_is_denied_is_none(denied: str) -> None:
    label, faults = assign(["Normal", denied, "Pneumonia"], None, "here")
    assert label[denied] == 0 or (label[denied] == -1 and faults)
    assert assign(["Normal", "Abnormal", "Pneumonia"], None, "here")[1]


def test_negative_classes_that_have_the_word_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    fine = ["normal", "no pneumonia", "Non-pneumonia", "no pneumonia, effusion", "without pneumonia", "Mass"]
    tell_pneumonia_as_negative("here", [("a", name) for name in fine])
    assert capsys.readouterr().err == ""
    viral, spanish = "viral pneumonia", "Effusion|Neumon\u00eda"
    told = [("a", "Mass"), ("a", viral), ("b", viral), ("b", spanish), ("c", spanish), ("d", "normal")]
    tell_pneumonia_as_negative("here", told)
    assert capsys.readouterr().err == (
        "neumo: here: counts 3 images of 'Effusion|Neumon\u00eda', 'viral pneumonia' as negative; "
        "--positive NAME, which can be given several times, counts them in\n"
    )


@pytest.mark.parametrize(
    ("no", "yes", "neither"), [("no", "yes", "possible"), ("Nein", "Ja", "vielleicht"), ("N", "Y", "U")]
)
def test_what_is_neither_yes_nor_no_is_asked_for(no: str, yes: str, neither: str) -> None:
    label, [fault] = assign([no, yes, neither], None, "here", "Pneumonia")
    assert label == {no: 0, yes: 1, neither: -1}
    assert fault.startswith(f"here: got {yes!r} and a class that may be neither that nor its opposite ")
    assert f"({neither!r}), expected a blank instead, or" in fault
    assert assign([no, yes, "viral pneumonia"], None, "here", "Pneumonia")[1] == []
    assert assign([no, yes, neither], [yes, neither], "here") == ({no: 0, yes: 1, neither: 1}, [])


def test_codes_with_a_comma_between_are_several() -> None:
    """But a comma before nothing but zeros is a decimal one."""
    label, faults = assign(["0", "1,2", "2", "1", "2,0"], ["1"], "here")
    assert (label, faults) == ({"0": 0, "1,2": 1, "2": 0, "1": 1, "2,0": 0}, [])
    assert assign(["1,2", "2,0", "0,0"], ["2"], "here")[0] == {"1,2": 1, "2,0": 1, "0,0": 0}
    assert assign(["1,0", "0,0"], ["0"], "here")[0] == {"1,0": 0, "0,0": 1}
