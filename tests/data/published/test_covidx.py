"""COVIDx is read by its makers' lists."""

from __future__ import annotations

from pathlib import Path

import pytest

import neumo
from neumo.data.sources import survey
from neumo.errors import NeumoError
from tests.data.found import found_at
from tests.data.pictures import draw

TRAIN = """\
379 1-s2.0-S0929664620300449-gr2_lrg-a.jpg positive cohen
COVID 334 COVID(334).png positive sirm
379 1-s2.0-S0929664620300449-gr2_lrg-b.jpg positive cohen
c0f74558-587b-4959-9f87-15d6cb1a1a4c c0f74558-587b-4959-9f87-15d6cb1a1a4c.png negative rsna
sub-S03936 sub-S03936_ses-E08636_run-1_bp-chest_vp-ap_dx.png negative bimcv
"""
TEST = """\
419639-003251 MIDRC-RICORD-1C-419639-003251-46647-0.png positive ricord
47c78742-4998-4878-aec4-37b11b1354ac 47c78742-4998-4878-aec4-37b11b1354ac.png negative rsna
"""


def covidx(folder: Path, lists: dict[str, str]) -> Path:
    """Lists by their names, and their images in the folders of their parts."""
    for name, rows in lists.items():
        (folder / f"{name}.txt").write_text(rows)
        for seed, row in enumerate(rows.splitlines()):
            image = next(word for word in row.split() if word.endswith((".png", ".jpg")))
            draw(folder / name.split("_")[0] / image, seed + len(name))
    return folder


@pytest.mark.parametrize("version", ["", "_COVIDx9B", "_COVIDx_CXR-3B"])
def test_the_lists_are_one(version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    covidx(tmp_path, {f"train{version}": TRAIN, f"test{version}": TEST})
    found = neumo.read(tmp_path)
    assert found.table["label"].tolist() == [1, 1, 1, 0, 0, 1, 0]
    assert found.table["official"].tolist() == ["train"] * 5 + ["test"] * 2
    assert found.table["patient"].tolist()[:3] == ["379", "COVID 334", "379"]
    assert (found.name, found.unlisted) == ("COVIDx", [])
    assert (found.negative_name, found.positive_name) == ("not covid-19", "covid-19")
    both = f"train{version}.txt and test{version}.txt"
    said = "takes positive for COVID-19; other pneumonia is among the negative images"
    assert capsys.readouterr().err.splitlines() == [
        f"neumo: {tmp_path}: reads {both}, one after the other",
        f"neumo: {tmp_path / both}: {said}",
    ]
    assert len(neumo.read(tmp_path / f"train{version}.txt").table) == 5


def test_three_classes_and_a_validation_list(tmp_path: Path) -> None:
    train = (
        TRAIN.replace("positive", "COVID-19")
        .replace("negative rsna", "normal")
        .replace("negative", "pneumonia")
    )
    test = TEST.replace("positive", "pneumonia").replace("negative", "normal")
    found = neumo.read(
        covidx(tmp_path, {"train": train, "test": test, "val": test.replace("47c78742", "57c78742")})
    )
    assert found.table["label"].tolist() == [1, 1, 1, 0, 1, 1, 0, 1, 0]
    assert found.table["official"].tolist() == ["train"] * 7 + ["test"] * 2
    assert (found.negative_name, found.positive_name) == ("normal", "covid-19 or pneumonia")


def test_images_beside_the_lists(tmp_path: Path) -> None:
    covidx(tmp_path, {"train": TRAIN, "test": TEST})
    for part in ("train", "test"):
        for image in (tmp_path / part).iterdir():
            image.rename(tmp_path / image.name)
        (tmp_path / part).rmdir()
    assert len(neumo.read(tmp_path).table) == 7


def test_lists_of_two_versions_are_asked_about(tmp_path: Path) -> None:
    covidx(tmp_path, {"train_COVIDx9A": TRAIN, "test_COVIDx9A": TEST, "train_COVIDx9B": TRAIN})
    with pytest.raises(NeumoError, match=r"several versions \(.*_COVIDx9A.txt, train_COVIDx9B.txt\)"):
        survey(tmp_path)


def test_a_row_that_is_none(tmp_path: Path) -> None:
    covidx(tmp_path, {"train": TRAIN, "test": TEST})
    (tmp_path / "train.txt").write_text(TRAIN + "\nand so on\n")
    with pytest.raises(NeumoError, match=r"train.txt: got 'and so on' in row 6, expected a patient"):
        survey(tmp_path)


def test_lists_of_another_kind_are_none_of_these(tmp_path: Path) -> None:
    for name in ("normal", "pneumonia"):
        draw(tmp_path / name / "1.png", len(name))
    (tmp_path / "train.txt").write_text("normal/1.png 0\n")
    assert survey(tmp_path).layout == "class-folders"


def test_a_list_names_its_images(tmp_path: Path) -> None:
    covidx(tmp_path, {"train": TRAIN, "test": TEST})
    found = found_at(tmp_path / "test.txt")
    assert found == [str(tmp_path / "test" / row.split()[1]) for row in TEST.splitlines()]
