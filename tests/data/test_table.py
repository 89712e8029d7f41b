from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from neumo.data.sources import read
from neumo.data.table import new_table, official_part, sha256_of
from neumo.errors import NeumoError
from tests.data.pictures import draw


def test_sha256_of_a_known_text(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_new_table_keeps_types_without_rows() -> None:
    empty = pd.DataFrame({name: [] for name in ("path", "label", "cause", "patient", "official")})
    assert list(new_table(empty).dtypes.astype(str)) == ["str", "int8", "str", "str", "str", "str"]


def test_images_are_chosen_by_name(tmp_path: Path) -> None:
    for name in ("person1_virus_1", "other"):
        draw(tmp_path / "sick" / f"{name}.png")
    draw(tmp_path / "normal" / "IM-1.png")
    dataset = read(tmp_path, positive=["sick"])
    assert [Path(p).stem for p in dataset.named("^(person|IM)").table["path"]] == ["IM-1", "person1_virus_1"]
    with pytest.raises(NeumoError, match="no file name matches"):
        dataset.named("^x")
    with pytest.raises(NeumoError, match="expected a regular expression"):
        dataset.named("(")


def test_ages_are_noted(tmp_path: Path) -> None:
    draw(tmp_path / "pneumonia" / "a.png")
    draw(tmp_path / "normal" / "b.png")
    dataset = read(tmp_path)
    assert dataset.ages is None
    assert dataset.aged(18, 90).ages == (18, 90)
    for wrong in ((5, 1), (-1, 5), (1, 131)):
        with pytest.raises(NeumoError, match=f"got {wrong[0]} to {wrong[1]}"):
            dataset.aged(*wrong)


def test_is_shown_in_one_short_line(tmp_path: Path) -> None:
    for name in ("a", "b"):
        draw(tmp_path / "set" / "sick" / f"{name}.png")
    draw(tmp_path / "set" / "normal" / "IM-1.png")
    dataset = read(tmp_path / "set", positive=["sick"])
    assert repr(dataset) == "<Dataset 'set': 3 images: 1 normal, 2 sick>"
    known = replace(dataset, table=dataset.table.assign(patient=["a", "b", "b"]), synthetic=True)
    assert repr(known) == "<Dataset 'set': 3 images of 2 patients: 1 normal, 2 sick (SYNTHETIC)>"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *[
            (name, "train")
            for name in ("train", "training_set", "Training set", "train_data", "val_set", "DEV")
        ],
        *[(name, "train") for name in ("trainset", "Validation images", "valid-data-set", " TRAIN ")],
        *[(name, "test") for name in ("test_set", "testset", "test-images", "Testing Data", "test.set")],
        *[
            (name, None)
            for name in ("external_test", "test2", "tested", "data", "", "set", "Normal", "trainee")
        ],
    ],
)
def test_what_data_sets_call_their_parts(name: str, part: str | None) -> None:
    assert official_part(name) == part
