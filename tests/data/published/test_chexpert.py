"""CheXpert is read as it unpacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import neumo
from neumo.errors import NeumoError
from tests.data.pictures import draw

HEADINGS = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,"
    "Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,"
    "Fracture,Support Devices\n"
)
TRAIN = """\
train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0
train/patient00002/study2/view1_frontal.jpg,Female,87,Frontal,AP,,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,
train/patient00002/study1/view1_frontal.jpg,Female,83,Frontal,AP,,,,1.0,,,-1.0,-1.0,,,,,1.0,
train/patient00002/study1/view2_lateral.jpg,Female,83,Lateral,,,,,1.0,,,-1.0,,,,,,1.0,
train/patient00003/study1/view1_frontal.jpg,Male,41,Frontal,AP,,,,,,1.0,,0.0,,0.0,,,,
train/patient00005/study1/view1_frontal.jpg,Male,33,Frontal,PA,,,,,,,,1.0,,0.0,,,,1.0
train/patient00005/study1/view2_lateral.jpg,Male,33,Lateral,,,,,,,,,1.0,,0.0,,,,1.0
"""
VALID = """\
valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,0.0,1.0,1.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0
valid/patient64542/study1/view1_frontal.jpg,Male,70,Frontal,PA,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,0.0,0.0,0.0,0.0,0.0,1.0
"""


@pytest.fixture(params=["CheXpert-v1.0-small", "CheXpert-v1.0", "renamed"])
def chexpert(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / request.param
    named = "CheXpert-v1.0" if request.param == "CheXpert-v1.0" else "CheXpert-v1.0-small"
    for seed, row in enumerate((TRAIN + VALID).splitlines()):
        draw(folder / row.split(",")[0], seed)
    for name, rows in (("train.csv", TRAIN), ("valid.csv", VALID)):
        listed = "".join(f"{named}/{row}\n" for row in rows.splitlines())
        (folder / name).write_text(HEADINGS + listed)
    return folder


def test_both_tables_are_read_and_valid_is_the_test(
    chexpert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = neumo.read(chexpert)
    table = found.table.set_index("patient")
    assert table["label"].to_dict() == {
        "patient00001": 0,
        "patient00003": 0,
        "patient00005": 1,
        "patient64541": 0,
        "patient64542": 1,
    }
    assert table["official"].tolist() == ["train"] * 3 + ["test"] * 2
    assert (found.name, found.rows, len(found.lateral), found.unlisted) == ("CheXpert", 9, 2, [])
    both = chexpert / "train.csv and valid.csv"
    assert capsys.readouterr().err.splitlines() == [
        f"neumo: {chexpert}: reads train.csv and valid.csv, one after the other",
        f"neumo: {both}: counts valid.csv as the data set's own test set",
        f"neumo: {both}: takes 1 rows that are uncertain ('Pneumonia' is -1) for unlabelled",
        f"neumo: {both}: counts 1 rows of 'No Finding' as no pneumonia",
        f"neumo: {both}: leaves out 2 rows without a label (column 'Pneumonia')",
        f"neumo: {chexpert}: 2 rows are lateral views; left out",
    ]
    assert neumo.read(chexpert.parent).table.equals(found.table)


def test_one_table_is_read_alone(chexpert: Path) -> None:
    found = neumo.read(chexpert / "train.csv").table
    assert found["patient"].tolist() == ["patient00001", "patient00003", "patient00005"]
    assert found["official"].isna().all()


def test_a_class_that_is_the_column_is_told_to_be_left_out(chexpert: Path) -> None:
    hint = r"; 1\S* is pneumonia there, so leave --positive out, or write --positive 1"
    with pytest.raises(NeumoError, match=rf"got no class 'pneumonia' \(--positive\).*{hint}"):
        neumo.read(chexpert, positive="pneumonia")


def test_another_finding_is_taken_as_it_is(chexpert: Path) -> None:
    found = neumo.read(chexpert, label_column="Lung Opacity")
    assert found.table["patient"].tolist() == ["patient00002"] * 2 + ["patient64541", "patient64542"]
    assert (found.table["label"].tolist(), found.positive_name) == ([1, 1, 1, 0], "lung opacity")


def test_no_finding_is_no_pneumonia_only_where_nothing_is_said_of_one(chexpert: Path) -> None:
    for text in ("1.0", "-1.0"):
        rows = TRAIN.replace("AP,1.0,,,,,,,,,0.0", f"AP,1.0,,,,,,,{text},,0.0")
        listed = "".join(f"CheXpert-v1.0-small/{row}\n" for row in rows.splitlines())
        (chexpert / "train.csv").write_text(HEADINGS + listed)
        table = neumo.read(chexpert).table.set_index("patient")
        assert table["label"].get("patient00001") == (1 if text == "1.0" else None)


def test_tables_of_later_labelers_are_not_read(chexpert: Path) -> None:
    alone = neumo.read(chexpert).table
    for name in ("train_cheXbert.csv", "train_visualCheXbert.csv"):
        (chexpert / name).write_text((chexpert / "train.csv").read_text().replace(",1.0", ",0.0"))
    assert neumo.read(chexpert).table.equals(alone)


BATCHES = [f"CheXpert-v1.0 batch {what}" for what in ("1 (validate & csv)", "2 (train 1)", "3 (train 2)")]


def _in_batches(folder: Path, tables_in: str) -> None:
    """As the set is handed out now: patients 1 and 2 in the second batch, the others in the third."""
    for seed, row in enumerate((TRAIN + VALID).splitlines()):
        path = row.split(",")[0]
        inner = path.removeprefix("train/")
        batch = BATCHES[0 if inner == path else 1 if inner < "patient00003" else 2]
        draw(folder / batch / inner, seed)
    for name, rows in (("train.csv", TRAIN), ("valid.csv", VALID)):
        listed = "".join(f"CheXpert-v1.0/{row}\n" for row in rows.splitlines())
        (folder / tables_in / name).write_text(HEADINGS + listed)


@pytest.mark.parametrize("tables_in", ["", BATCHES[0]])
def test_batches_as_they_are_handed_out(tables_in: str, tmp_path: Path) -> None:
    _in_batches(tmp_path, tables_in)
    found = neumo.read(tmp_path)
    patients = ["patient00001", "patient00003", "patient00005", "patient64541", "patient64542"]
    assert found.table["patient"].tolist() == patients
    assert found.table["official"].tolist() == ["train"] * 3 + ["test"] * 2
    assert (found.missing, found.name) == ([], "CheXpert")
    alone = neumo.read(tmp_path / tables_in / "valid.csv")
    assert alone.table["patient"].tolist() == patients[3:]
    if tables_in:
        assert neumo.read(tmp_path / tables_in).table.equals(found.table)


def test_a_patient_in_two_batches_is_not_guessed(tmp_path: Path) -> None:
    _in_batches(tmp_path, "")
    shutil.copytree(tmp_path / BATCHES[1] / "patient00001", tmp_path / BATCHES[2] / "patient00001")
    with pytest.raises(NeumoError, match=r"train/patient00001/study1/view1_frontal.jpg: got no such file"):
        neumo.read(tmp_path)


@pytest.mark.parametrize("folder", ["", "valid", "other"])
def test_the_makers_test_set_alone(folder: str, tmp_path: Path) -> None:
    for seed, row in enumerate(VALID.splitlines()):
        draw(tmp_path / folder / row.split(",")[0].removeprefix("valid/"), seed)
    rows = "".join(f"CheXpert-v1.0/{row}\n" for row in VALID.splitlines())
    (tmp_path / "valid.csv").write_text(HEADINGS + rows)
    if folder == "other":
        with pytest.raises(NeumoError, match=r"patient64541/study1/view1_frontal.jpg: got no such file"):
            neumo.read(tmp_path)
    else:
        assert neumo.read(tmp_path).table["label"].tolist() == [0, 1]
