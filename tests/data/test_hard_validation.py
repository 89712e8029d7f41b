from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from neumo.data.hard_validation import with_hard_validation
from neumo.errors import NeumoError
from tests.data.pictures import draw

N = 40


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Forty blurred pictures as pneumonia, thirty sharp and ten blurred as normal; patients of two images."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    paths = []
    for i in range(2 * N):
        paths.append(draw(folder / f"{i:03}.png", i, 64))
        if i < 30:  # sharp
            noise = random.integers(0, 40, (64, 64))
            pixels = np.asarray(Image.open(paths[-1])).astype(int) // 2 + noise
            Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    label = np.arange(2 * N) // N
    return pd.DataFrame(
        {
            "path": [str(path) for path in paths],
            "label": label,
            "patient": [f"p{i // 2}" for i in range(2 * N)],
            "sha256": [f"{i:064}" for i in range(2 * N)],
            "part": ["test" if i % N in (0, 1, 38, 39) else "train" for i in range(2 * N)],
        },
        index=range(1000, 1000 + 2 * N),
    )


def test_normal_images_that_resemble_pneumonia_are_held_out(table: pd.DataFrame) -> None:
    hard = with_hard_validation(table, 8 / 36)
    held = hard.index[(hard["part"] == "validation") & (hard["label"] == 0)]
    assert list(held - 1000) == list(range(30, 38))


def test_a_group_resembles_pneumonia_as_much_as_its_images_do_together(table: pd.DataFrame) -> None:
    groups = pd.Series(pd.NA, table.index, dtype="object")
    groups[[1030, *range(1002, 1012)]] = "mostly sharp"
    hard = with_hard_validation(table, 6 / 36, groups=groups)
    held = hard.index[(hard["part"] == "validation") & (hard["label"] == 0)]
    assert list(held - 1000) == list(range(32, 38))


def test_the_test_part_stays_and_is_not_read(table: pd.DataFrame) -> None:
    unread = table.assign(path=table["path"].where(table["part"] != "test", "absent.png"))
    hard = with_hard_validation(unread, 0.2)
    assert hard.index.equals(table.index)
    assert ((hard["part"] == "test") == (table["part"] == "test")).all()
    assert hard.drop(columns="part").equals(unread.drop(columns="part"))


def test_no_patient_is_on_both_sides_and_fractions_are_met(table: pd.DataFrame) -> None:
    for seed in range(4):
        hard = with_hard_validation(table, 0.25, seed)
        sides = hard.groupby("patient")["part"].nunique()
        assert (sides == 1).all()
        counts = hard[hard["part"] == "validation"].groupby("label").size()
        assert all(abs(n - 0.25 * 36) <= 1 for n in counts)


def test_pneumonia_gives_its_own_share_that_of_patients_with_both_classes_included(
    table: pd.DataFrame,
) -> None:
    """A third of 36 normal and of 18 pneumonia images; four of the latter come with normal ones held out."""
    fewer = table.drop(range(1044, 1062))
    groups = pd.Series(pd.NA, fewer.index, dtype="object")
    groups[[1030, 1062, 1064]] = "one"
    for seed in range(4):
        hard = with_hard_validation(fewer, 1 / 3, seed, groups=groups)
        held = hard[hard["part"] == "validation"]
        assert {1062, 1063, 1064, 1065} <= set(held.index)
        assert held.groupby("label").size().to_dict() == {0: 12, 1: 6}


def test_groups_stay_together(table: pd.DataFrame) -> None:
    groups = pd.Series(pd.NA, table.index, dtype="object")
    groups[[1002, 1030, 1060]] = "one"  # of three patients
    hard = with_hard_validation(table, 0.2, groups=groups)
    assert hard.loc[[1002, 1003, 1030, 1031, 1060, 1061], "part"].nunique() == 1


def test_the_seed_draws_pneumonia_only_and_the_order_of_rows_nothing(table: pd.DataFrame) -> None:
    first, other = (with_hard_validation(table, 0.2, seed) for seed in (0, 1))
    again = with_hard_validation(table.sample(frac=1, random_state=3), 0.2, 0)
    assert again["part"].reindex(table.index).equals(first["part"])
    normal = table["label"] == 0
    assert first["part"][normal].equals(other["part"][normal])
    assert not first["part"][~normal].equals(other["part"][~normal])


def test_an_earlier_validation_part_goes_back_into_the_draw(table: pd.DataFrame) -> None:
    first = with_hard_validation(table, 0.2, 1)
    assert with_hard_validation(first, 0.2, 0)["part"].equals(with_hard_validation(table, 0.2, 0)["part"])


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_a_fraction_lies_between_0_and_1(table: pd.DataFrame, fraction: float) -> None:
    with pytest.raises(NeumoError, match=rf"validation fraction: got {fraction}, expected a number between"):
        with_hard_validation(table, fraction)


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_a_fraction_that_leaves_a_side_empty_is_refused(table: pd.DataFrame, fraction: float) -> None:
    with pytest.raises(NeumoError, match=rf"got a fraction of {fraction} of 72 images"):
        with_hard_validation(table, fraction)
