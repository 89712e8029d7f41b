"""Generated rows: how many, of which images, in which part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neumo.data.balance import balance, balance_then_validate, copied
from neumo.data.split import part_counts, split
from neumo.errors import NeumoError
from tests.data.test_split import make_table

STUDY = split(make_table(1576, 4334, 1500), validation_fraction=0)
SMALL = split(make_table(60, 100, 30), "patient")


def test_the_study_balances_to_3783_and_3467() -> None:
    assert part_counts(balance(STUDY)) == {
        "train": {"normal": 3783, "pneumonia": 3467},
        "test": {"normal": 315, "pneumonia": 867},
    }


@pytest.mark.parametrize("copies", [0, 1, 2, 5])
@pytest.mark.parametrize("rare", [0, 1])
def test_only_training_images_of_the_rarer_class_are_generated_from(copies: int, rare: int) -> None:
    divided = SMALL.assign(label=SMALL["label"] ^ rare)
    balanced = balance(divided, copies)
    pd.testing.assert_frame_equal(balanced[: len(divided)], divided.assign(copy=0))
    generated = balanced[len(divided) :]
    originals = divided[(divided["part"] == "train") & (divided["label"] == rare)]
    assert sorted(zip(generated["path"], generated["copy"], strict=True)) == sorted(
        (path, copy) for path in originals["path"] for copy in range(1, copies + 1)
    )
    for column in ("label", "sha256", "patient", "part"):
        known = originals.set_index("path")[column].fillna("")
        assert (generated[column].fillna("") == known[generated["path"]].to_numpy()).all()
    assert balanced["copy"].dtype.kind == "i"
    assert list(balanced.index) == list(range(len(balanced)))


def test_nothing_is_generated_where_neither_class_is_rarer() -> None:
    even = split(make_table(50, 50, 20))
    assert (balance(even)["copy"] == 0).all()


def test_rarer_is_judged_by_the_training_part() -> None:
    divided = SMALL.copy()
    pneumonia = divided.index[divided["label"] == 1]
    divided.loc[pneumonia[10:], "part"] = "test"
    divided.loc[pneumonia[:10], "part"] = "train"
    balanced = balance(divided)
    assert set(balanced["label"][balanced["copy"] > 0]) == {1}


def test_validation_after_balancing_has_copies_of_one_image_on_both_sides() -> None:
    with_validation = split(make_table(1576, 4334, 1500), validation_fraction=0.2)
    for divided in (STUDY, with_validation):  # the same draw of the test part
        balanced = balance_then_validate(divided, validation_fraction=0.2, seed=1)
        counts = part_counts(balanced)
        assert counts["test"] == {"normal": 315, "pneumonia": 867}
        assert counts["train"]["normal"] + counts["validation"]["normal"] == 3783
        assert counts["train"]["pneumonia"] + counts["validation"]["pneumonia"] == 3467
        assert sum(counts["validation"].values()) == 1450  # a fifth of 7,250
        assert abs(counts["validation"]["normal"] - 3783 / 5) <= 1
        assert (balanced["copy"][balanced["part"] == "test"] == 0).all()
        assert (balanced["copy"][balanced["part"] == "validation"] > 0).any()
        normal = balanced[(balanced["part"] != "test") & (balanced["label"] == 0)]
        sides = normal.groupby("path")["part"].nunique()
        # three rows of each image, a fifth to validation: both sides with probability 1 - 0.8**3 - 0.2**3
        assert abs((sides == 2).mean() - 0.48) < 0.05
        assert not normal.duplicated(["path", "copy"]).any()


def test_validation_after_balancing_follows_the_seed() -> None:
    same = balance_then_validate(SMALL, seed=1)["part"]
    assert same.equals(balance_then_validate(SMALL, seed=1)["part"])
    assert not same.equals(balance_then_validate(SMALL, seed=2)["part"])
    shuffled = balance_then_validate(SMALL.sample(frac=1, random_state=0), seed=1)
    keys = ["path", "copy"]
    again = shuffled.sort_values(keys)["part"].to_numpy()
    assert np.array_equal(again, balance_then_validate(SMALL, seed=1).sort_values(keys)["part"].to_numpy())


def test_images_are_generated_from_the_rarer_class_if_there_is_one() -> None:
    train = SMALL["part"] == "train"
    chosen = copied(SMALL, train)
    assert set(chosen["part"]) == {"train"}
    assert len(chosen) == SMALL["label"][train].value_counts().min()
    assert set(chosen["label"]) == {SMALL["label"][train].value_counts().idxmin()}
    even = SMALL.groupby(["part", "label"]).head(3)
    assert copied(even, even["part"] == "train").empty
    assert len(balance(even)) == len(even)


def test_arguments_that_cannot_be_are_told() -> None:
    with pytest.raises(NeumoError, match="generated images per original: got -1, expected 0 or more"):
        balance(SMALL, -1)
    for fraction in (0, 1, -0.1):
        told = f"validation fraction: got {fraction}, expected a number between 0 and 1"
        with pytest.raises(NeumoError, match=told):
            balance_then_validate(SMALL, validation_fraction=fraction)
    with pytest.raises(NeumoError, match=r"validation fraction: got 0.001: The test_size = 1 should be"):
        balance_then_validate(SMALL, validation_fraction=0.001)


def test_what_is_not_divided_is_told() -> None:
    with pytest.raises(NeumoError, match=r"^table: got no column part, expected .* as neumo\.split gives it"):
        balance(SMALL.drop(columns="part"))
