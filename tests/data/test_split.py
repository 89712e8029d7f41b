"""The three protocols, against scikit-learn, brute force and the real data."""

from __future__ import annotations

import hashlib
import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedShuffleSplit

from neumo.data.split import (
    PROTOCOLS,
    every_split,
    part_counts,
    patients_on_both_sides,
    split,
    together,
    with_validation,
)
from neumo.errors import NeumoError


def make_table(normal: int, pneumonia: int, patients: int, seed: int = 0, repeated: int = 0) -> pd.DataFrame:
    """A table without files: `patients` per class, a tenth of the patients unknown, a fifth official test."""
    rng = np.random.default_rng(seed)
    n = normal + pneumonia
    label = np.repeat([0, 1], [normal, pneumonia])
    patient = pd.Series([f"{'np'[k]}{i}" for k, i in zip(label, rng.integers(0, patients, n), strict=True)])
    content = np.arange(n)
    for row in rng.choice(
        n - 1, repeated, replace=False
    ):  # the next image of the same class has the same bytes
        content[row + 1] = content[row] if label[row] == label[row + 1] else content[row + 1]
    return pd.DataFrame(
        {
            "path": [f"/data/{seed}/images/{i}.png" for i in range(n)],
            "label": label.astype("int8"),
            "cause": np.where(label == 0, "", "virus"),
            "patient": patient.where(rng.random(n) > 0.1),
            "official": np.where(np.arange(n) % 5 == 0, "test", "train"),
            "sha256": [hashlib.sha256(b"%d %d" % (seed, i)).hexdigest() for i in content],
        }
    ).astype({"patient": "str", "official": "str"})


TABLES = [
    make_table(40, 90, patients=30, seed=0),
    make_table(300, 200, patients=60, seed=1),
    make_table(157, 433, patients=200, seed=2),
    make_table(90, 70, patients=25, seed=7, repeated=12),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("table", TABLES)
def test_parts_cover_all_images_in_the_fractions_asked_for(table: pd.DataFrame, protocol: str) -> None:
    for seed, (test, validation) in enumerate([(0.2, 0.2), (0.35, 0.1), (0.2, 0.0)]):
        divided = split(table, protocol, test_fraction=test, validation_fraction=validation, seed=seed)
        pd.testing.assert_frame_equal(divided[list(table)], table)
        assert set(divided["part"]) == {"train", "test"} | ({"validation"} if validation else set())
        for label in (0, 1):
            part = divided["part"][divided["label"] == label].value_counts()
            n = part.sum()
            if protocol != "official":
                assert abs(part["test"] - test * n) <= 1
            if validation:
                assert abs(part["validation"] - validation * (n - part["test"])) <= 1


def test_the_study_random_split_of_5910_rows() -> None:
    table = make_table(1576, 4334, 1500)
    divided = split(table, "random", validation_fraction=0, seed=3)
    assert part_counts(divided) == {
        "train": {"normal": 1261, "pneumonia": 3467},
        "test": {"normal": 315, "pneumonia": 867},
    }


def test_random_is_the_stratified_draw_of_scikit_learn() -> None:
    table = TABLES[2].sort_values("sha256", ignore_index=True)
    draw = StratifiedShuffleSplit(1, test_size=0.3, random_state=11)
    _, expected = next(draw.split(table, table["label"]))
    divided = split(table, "random", test_fraction=0.3, seed=11)
    assert set(np.flatnonzero(divided["part"] == "test")) == set(expected)


@pytest.mark.parametrize("table", TABLES)
def test_patient_never_separates_a_group(table: pd.DataFrame) -> None:
    look_alike = pd.Series(pd.NA, index=table.index, dtype="Int64")
    look_alike[[1, 17, 33]] = 5
    for seed in range(5):
        divided = split(table, "patient", seed=seed, groups=look_alike)
        for column in ("patient", "sha256"):
            assert divided.groupby(column)["part"].nunique().max() == 1
        assert divided["part"][[1, 17, 33]].nunique() == 1
        assert patients_on_both_sides(divided) == 0


@pytest.mark.parametrize("table", TABLES)
def test_official_test_set_with_whole_patients_in_validation(table: pd.DataFrame) -> None:
    divided = split(table, "official", seed=2)
    assert ((divided["part"] == "test") == (table["official"] == "test")).all()
    rest = divided[divided["part"] != "test"]
    for column in ("patient", "sha256"):
        assert rest.groupby(column)["part"].nunique().max() == 1
    in_test = set(divided["patient"][divided["part"] == "test"].dropna())
    assert patients_on_both_sides(divided) == len(in_test & set(rest["patient"].dropna())) > 0


@pytest.mark.parametrize("table", TABLES)
def test_validation_of_a_given_split_keeps_patients_apart_where_that_does(table: pd.DataFrame) -> None:
    apart = split(table, "patient", validation_fraction=0, seed=1)
    completed = with_validation(apart, 0.2, seed=3)
    parts = completed.groupby(together(completed))["part"].nunique()
    assert (parts == 1).all()
    assert (completed["part"][apart["part"] == "test"] == "test").all()
    counts = part_counts(completed)
    for name in ("normal", "pneumonia"):
        of_train = counts["train"][name] + counts["validation"][name]
        assert counts["validation"][name] == pytest.approx(0.2 * of_train, abs=0.05 * of_train + 1)
    pd.testing.assert_frame_equal(with_validation(completed, 0.5), completed)

    mixed = split(table, "random", validation_fraction=0, seed=1)
    assert patients_on_both_sides(mixed)
    for given in (mixed, apart.assign(patient=pd.Series(pd.NA, index=apart.index, dtype="str"))):
        train = given[given["part"] == "train"].drop(columns="part")
        drawn = split(train, "random", test_fraction=0.2, validation_fraction=0, seed=3)
        chosen = set(drawn.index[drawn["part"] == "test"])
        found = with_validation(given, 0.2, seed=3)["part"]
        assert set(found.index[found == "validation"]) == chosen


def test_validation_of_a_given_split_needs_no_more_than_two_patients_of_a_class() -> None:
    table = make_table(4, 4, 1).assign(patient=[*"aabbccdd"], part="train")
    found = with_validation(table, 0.5)
    assert part_counts(found) == {part: {"normal": 2, "pneumonia": 2} for part in ("train", "validation")}


def test_images_that_the_data_set_does_not_divide_are_trained_on() -> None:
    table = TABLES[0].copy()
    table.loc[[1, 2, 3], "official"] = pd.NA
    assert set(split(table, "official", validation_fraction=0)["part"][[1, 2, 3]]) == {"train"}


def test_a_chain_of_links_makes_one_group() -> None:
    table = pd.DataFrame({"patient": ["a", "a", None, None, None, "b"], "sha256": list("112345")})
    table.loc[1, "sha256"] = "2"  # a - a by patient, the second = row 2 by bytes
    groups = pd.Series([None, None, 1, 1, None, None], index=table.index)  # row 2 - row 3 look alike
    ids = together(table, groups)
    assert len(set(ids[:4])) == 1
    assert len(set(ids)) == 3
    assert len(set(together(table))) == 4


def test_the_grouped_draw_is_the_nearest_that_whole_patients_allow() -> None:
    """Few patients of very different size: compared with every possible division."""
    rng = np.random.default_rng(0)
    for case in range(20):
        sizes = rng.integers(1, 12, size=(2, 5))
        rows = [(k, f"{k}-{i}") for k in (0, 1) for i in range(5) for _ in range(sizes[k][i])]
        table = make_table(sum(sizes[0]), sum(sizes[1]), 1, seed=case)
        table[["label", "patient"]] = pd.DataFrame(rows)
        divided = split(table, "patient", test_fraction=0.3, validation_fraction=0, seed=case)
        for label in (0, 1):
            n = sizes[label].sum()
            got = (divided["part"][divided["label"] == label] == "test").sum()
            possible = [sum(c) for r in range(1, 5) for c in itertools.combinations(sizes[label], r)]
            assert abs(got - round(0.3 * n)) == min(abs(p - round(0.3 * n)) for p in possible)


def test_patients_with_images_of_both_classes_stay_whole() -> None:
    table = make_table(120, 200, 50, seed=4)
    table["patient"] = [f"{i % 61}" for i in range(len(table))]
    divided = split(table, "patient")
    assert divided.groupby("patient")["part"].nunique().max() == 1
    for counts, label in ((divided[divided["label"] == k]["part"].value_counts(), k) for k in (0, 1)):
        assert abs(counts["test"] - 0.2 * counts.sum()) <= 2, label


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_seed_decides_and_the_order_of_the_rows_does_not(protocol: str) -> None:
    table = TABLES[3]
    divided = split(table, protocol, seed=5)
    assert divided["part"].equals(split(table, protocol, seed=5)["part"])
    assert not divided["part"].equals(split(table, protocol, seed=6)["part"])
    shuffled = table.sample(frac=1, random_state=0)
    assert split(shuffled, protocol, seed=5)["part"].sort_index().equals(divided["part"])
    elsewhere = shuffled.reset_index(drop=True).assign(path="/mnt" + shuffled["path"].to_numpy(object))
    moved = split(elsewhere, protocol, seed=5).sort_values("path")["part"].to_numpy()
    assert (moved == divided.sort_values("path")["part"].to_numpy()).all()


def test_any_image_can_be_drawn() -> None:
    table = TABLES[0]
    for protocol in ("random", "patient"):
        draws = [split(table, protocol, seed=seed)["part"] == "test" for seed in range(60)]
        drawn = np.sum(draws, axis=0)
        assert drawn.min() > 0, protocol
        assert drawn.max() < 60, protocol
        assert abs(drawn.mean() - 12) < 0.5


def test_every_protocol_has_one_sentence_of_meaning() -> None:
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name
        assert re.fullmatch(r"[A-Z][^.]+\.", protocol.meaning)


def test_every_split_is_made_or_says_why_not() -> None:
    table = TABLES[0]
    found, reasons = every_split(table, (0, 3), test_fraction=0.3)
    assert list(found) == [(name, seed) for seed in (0, 3) for name in PROTOCOLS]
    assert reasons == {}
    for (name, seed), divided in found.items():
        pd.testing.assert_frame_equal(divided, split(table, name, test_fraction=0.3, seed=seed))
    found, reasons = every_split(table.assign(patient=None, official=None))
    assert list(found) == [("random", 0)]
    assert "a test set of the data set's own" in str(reasons["official"])
    assert "images whose patient is known" in str(reasons["patient"])
    normal_test = table.assign(official=np.where(table["label"] == 0, "test", "train"))
    assert "of both classes each" in str(every_split(normal_test)[1]["official"])


def test_few_known_patients_are_not_called_kept_apart() -> None:
    table = TABLES[1]
    rows = np.arange(len(table))
    each = pd.Series([f"p{row}" for row in rows], table.index)
    half = table.assign(patient=each.where(rows % 2 == 1))
    assert patients_on_both_sides(split(half, "patient")) == 0
    few = table.assign(patient=each.where((rows % 2 == 1) & (rows > 1)))
    with pytest.raises(NeumoError, match="expected images whose patient is known, at least half of them"):
        split(few, "patient")
    given = split(few, "random", validation_fraction=0)
    assert (with_validation(given, 0.2)["part"] == "validation").any()


def test_a_protocol_is_left_out_where_one_seed_does_not_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(table: pd.DataFrame, name: str, *, seed: int, **_: float) -> pd.DataFrame:
        if (name, seed) == ("patient", 1):
            raise NeumoError("too few")
        return table

    monkeypatch.setattr("neumo.data.split.split", draw)
    found, reasons = every_split(TABLES[0], (0, 1, 2))
    assert sorted(found) == [(name, seed) for name in ("official", "random") for seed in (0, 1, 2)]
    assert {name: str(error) for name, error in reasons.items()} == {"patient": "too few"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"protocol": "hospital"}, "protocol: got 'hospital', expected one of random, official, patient"),
        ({"test_fraction": 0}, "test fraction: got 0, expected a number between 0 and 1"),
        ({"test_fraction": 1.5}, "test fraction: got 1.5"),
        ({"test_fraction": float("nan")}, "test fraction: got nan"),
        ({"test_fraction": "0.2"}, "test fraction: got '0.2'"),
        ({"groups": [1, 2]}, "groups: got a list, expected one for each of 130 rows"),
        ({"validation_fraction": 1}, "validation fraction: got 1, expected 0 or a number between 0 and 1"),
        ({"validation_fraction": -0.1}, "validation fraction: got -0.1"),
        ({"seed": 1.5}, "seed: got 1.5, expected one of the whole numbers"),
        ({"seed": 2**32}, "seed: got 4294967296, expected one of"),
        ({"seed": -1}, "seed: got -1, expected one of the whole numbers from 0 to 4294967295"),
        (
            {"groups": pd.Series([1, 2])},
            "groups: got 2 ids on another index, expected one for each of 130 rows",
        ),
        ({"test_fraction": 0.001}, "random protocol: got 40 normal images, expected enough"),
        ({"test_fraction": 0.999}, "random protocol: got 40 normal images, expected enough"),
    ],
)
def test_arguments_that_cannot_be_are_told(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(NeumoError, match=re.escape(told)):
        split(TABLES[0], **arguments)  # type: ignore[arg-type]


def test_classes_that_are_too_small_are_told() -> None:
    table = TABLES[0]
    with pytest.raises(NeumoError, match="got 0 normal and 90 pneumonia images, expected images of both"):
        split(table[table["label"] == 1])
    with pytest.raises(NeumoError, match="got 130 images without a label"):
        split(table.assign(label=-1))
    with pytest.raises(NeumoError, match="got 0 normal and 0 pneumonia"):
        split(table[:0])
    two = table[(table["label"] == 1) | (table.index < 2)]
    with pytest.raises(NeumoError, match="random protocol: got 2 normal images, expected enough"):
        split(two)
    one = table[(table["label"] == 0) | (table.index == table.index[table["label"] == 1][0])]
    with pytest.raises(NeumoError, match="random protocol: got 1 pneumonia images, expected enough"):
        split(one)
    one_child = table.assign(patient=table["patient"].where(table["label"] == 1, "n1"))
    with pytest.raises(NeumoError, match="got 40 normal images in 1 inseparable groups"):
        split(one_child, "patient")
    with pytest.raises(NeumoError, match="got 40 normal images in 1 inseparable groups"):
        split(one_child, "patient", test_fraction=0.8)
    two_children = one_child.assign(patient=one_child["patient"].where(one_child.index > 0, "n2"))
    assert part_counts(split(two_children, "patient", validation_fraction=0))["test"]["normal"] == 1
    with pytest.raises(
        NeumoError, match=r"got 40 normal images in 2 inseparable groups.*train, validation, test"
    ):
        split(two_children, "patient")


def test_real_data(coronahack: Path) -> None:
    from neumo.data.sources import read

    table = read(coronahack).table
    assert every_split(table)[1] == {}
    identical = pd.Series(pd.factorize(table["sha256"])[0], index=table.index)
    assert identical.nunique() < len(table)

    mixed = split(table, "random")
    assert part_counts(mixed)["test"] == {"normal": 315, "pneumonia": 866}
    assert patients_on_both_sides(mixed) > 300

    official = split(table, "official")
    assert part_counts(official)["test"] == {"normal": 234, "pneumonia": 390}
    assert patients_on_both_sides(official) == 170

    whole = split(table, "patient")
    assert part_counts(whole) == {
        "train": {"normal": 1009, "pneumonia": 2770},
        "validation": {"normal": 252, "pneumonia": 692},
        "test": {"normal": 315, "pneumonia": 865},
    }
    assert patients_on_both_sides(whole) == 0
    assert whole.groupby("sha256")["part"].nunique().max() == 1


def test_fractions_of_numpy_draw_the_same() -> None:
    half = split(TABLES[0], test_fraction=0.5, validation_fraction=0.25)
    same = split(TABLES[0], test_fraction=np.float32(0.5), validation_fraction=np.float32(0.25))  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(same, half)


@pytest.mark.parametrize("table", ["CoronaHack", [1, 2], TABLES[0].drop(columns="label")])
def test_what_is_no_table_is_told(table: object) -> None:
    with pytest.raises(NeumoError, match=r"^table: got .*, expected .*neumo\.read\(\.\.\.\)\.table") as told:
        split(table)  # type: ignore[arg-type]
    assert "\n" not in str(told.value)
