"""MIMIC-CXR-JPG is read as PhysioNet has it."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

import neumo
from neumo.data.sources import survey
from neumo.errors import NeumoError
from tests.data.pictures import draw

CHEXPERT = """subject_id,study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,\
Fracture,Lung Lesion,Lung Opacity,\
No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices
10000032,50414267,,,,,,,,,1.0,,,,,
10000032,53189527,,,,,,,,,,,,1.0,,
10000764,57375967,,,1.0,,,,,,,,,-1.0,,
10000898,50771383,,,,1.0,,,,,,,,0.0,,
11000898,54205396,,,,,,,,,,1.0,,,,
"""
METADATA = """dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,\
StudyDate,StudyTime,ProcedureCodeSequence_CodeMeaning,\
ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning
02aa804e,10000032,50414267,BOTH,PA,3056,2544,21800506,213014.531,BOTH,postero-anterior,Erect
174413ec,10000032,50414267,BOTH,LATERAL,3056,2544,21800506,213014.531,BOTH,lateral,Erect
2a2277a9,10000032,53189527,BOTH,AP,3056,2544,21800626,165500.312,BOTH,antero-posterior,
e084de3b,10000032,53189527,BOTH,,3056,2544,21800626,165500.312,BOTH,left lateral,Erect
096052b7,10000764,57375967,BOTH,AP,2022,2022,21321015,85711,BOTH,antero-posterior,Erect
2edf2a51,10000898,50771383,,,2539,2705,21880324,72308,,,
3f2f2b52,11000898,54205396,BOTH,PA,3056,2544,21880325,72308,BOTH,postero-anterior,Erect
""".replace("BOTH", "CHEST (PA AND LAT)")
SPLIT = """dicom_id,study_id,subject_id,split
02aa804e,50414267,10000032,train
174413ec,50414267,10000032,train
2a2277a9,53189527,10000032,train
e084de3b,53189527,10000032,train
096052b7,57375967,10000764,validate
2edf2a51,50771383,10000898,test
3f2f2b52,54205396,11000898,test
"""
TABLES = {"chexpert": CHEXPERT, "metadata": METADATA, "split": SPLIT}


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    """As ``wget`` leaves it, in a folder around it."""
    folder = tmp_path / "physionet.org" / "2.0.0"
    for seed, row in enumerate(METADATA.splitlines()[1:]):
        name, subject, study = row.split(",")[:3]
        draw(folder / "files" / f"p{subject[:2]}" / f"p{subject}" / f"s{study}" / f"{name}.jpg", seed)
    for what, text in TABLES.items():
        (folder / f"mimic-cxr-2.0.0-{what}.csv.gz").write_bytes(gzip.compress(text.encode()))
    (folder / "mimic-cxr-2.0.0-negbio.csv.gz").write_bytes(gzip.compress(CHEXPERT.encode()))
    (folder / "LICENSE.txt").write_text("The PhysioNet Credentialed Health Data License\n")
    return folder


def test_labels_views_parts_and_patients_are_joined(mimic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = neumo.read(mimic)
    table = found.table.set_index(found.table["path"].map(lambda path: Path(path).stem))
    assert table["label"].to_dict() == {"02aa804e": 0, "2a2277a9": 1, "2edf2a51": 0}
    assert table["official"].to_dict() == {"02aa804e": "train", "2a2277a9": "train", "2edf2a51": "test"}
    assert table["patient"].tolist() == ["10000032", "10000032", "10000898"]
    assert [Path(name).stem for name in found.lateral] == ["174413ec", "e084de3b"]
    assert (found.name, found.rows, found.missing, found.unlisted) == ("MIMIC-CXR-JPG", 7, [], [])
    assert (found.negative_name, found.positive_name) == ("no pneumonia", "pneumonia")
    file = mimic / "mimic-cxr-2.0.0-metadata.csv.gz"
    tables = ", ".join(f"mimic-cxr-2.0.0-{what}.csv.gz" for what in TABLES)
    assert capsys.readouterr().err.splitlines() == [
        f"neumo: {mimic}: joins {tables} by study and image",
        f"neumo: {file}: counts 1 rows that tell no view as frontal",
        f"neumo: {file}: takes 1 rows that are uncertain ('Pneumonia' is -1) for unlabelled",
        f"neumo: {file}: counts 2 rows of 'No Finding' as no pneumonia",
        f"neumo: {file}: leaves out 2 rows without a label (column 'Pneumonia')",
        f"neumo: {mimic}: 2 rows are lateral views; left out",
    ]


@pytest.mark.parametrize("above", [0, 1, 2])
def test_the_folder_or_one_around_it_or_a_table(above: int, mimic: Path) -> None:
    data = mimic if not above else mimic.parents[above - 1]
    assert len(neumo.read(data).table) == 3
    for table in TABLES:
        assert len(neumo.read(mimic / f"mimic-cxr-2.0.0-{table}.csv.gz").table) == 3


def test_another_finding(mimic: Path) -> None:
    draw(mimic / "files" / "p10" / "p10000764" / "s57375967" / "096052b7.jpg", 9)
    text = CHEXPERT.replace("10000898,50771383,,,,1.0", "10000898,50771383,,,0.0,1.0")
    (mimic / "mimic-cxr-2.0.0-chexpert.csv").write_text(text)
    found = neumo.read(mimic, label_column="Consolidation")
    assert found.table["label"].tolist() == [1, 0]
    assert found.positive_name == "consolidation"


def test_uncompressed_tables_and_images_that_were_not_fetched(mimic: Path) -> None:
    for what, text in TABLES.items():
        (mimic / f"mimic-cxr-2.0.0-{what}.csv.gz").unlink()
        (mimic / f"mimic-cxr-2.0.0-{what}.csv").write_text(text)
    (mimic / "files" / "p10" / "p10000032" / "s50414267" / "02aa804e.jpg").unlink()
    with pytest.raises(NeumoError, match=r"02aa804e.jpg: got no such file, .* in row 1 of .*metadata.csv"):
        neumo.read(mimic)
    assert len(neumo.read(mimic, skip_missing=True).table) == 2


def test_a_table_that_is_not_there(mimic: Path) -> None:
    (mimic / "mimic-cxr-2.0.0-metadata.csv.gz").unlink()
    with pytest.raises(NeumoError, match=r"chexpert.csv.gz without mimic-cxr-2.0.0-metadata.csv, expected"):
        survey(mimic)
    (mimic / "own.csv").write_text("path,label\nfiles/p11/p11000898/s54205396/3f2f2b52.jpg,1\n")
    assert survey(mimic).name == "own"


def test_a_table_of_ones_own_beside_them_is_asked_about(mimic: Path) -> None:
    (mimic / "own.csv").write_text("path,label\nfiles/p11/p11000898/s54205396/3f2f2b52.jpg,1\n")
    with pytest.raises(
        NeumoError, match=r"got the tables of MIMIC-CXR-JPG and own.csv, expected one of them"
    ):
        survey(mimic)
    assert survey(mimic / "own.csv").name == "own"


def test_a_study_that_is_listed_twice(mimic: Path) -> None:
    (mimic / "mimic-cxr-2.0.0-chexpert.csv").write_text(CHEXPERT + CHEXPERT.splitlines()[1] + "\n")
    with pytest.raises(NeumoError, match=r"chexpert.csv: got subject_id and study_id of row 6 again"):
        survey(mimic)


def test_images_in_one_folder_of_another_format(mimic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    as_published = neumo.read(mimic).table
    (mimic / "png").mkdir()
    for image in [*(mimic / "files").rglob("*.jpg")]:
        image.rename(mimic / "png" / f"{image.stem}.png")
    shutil.rmtree(mimic / "files")
    capsys.readouterr()
    found = neumo.read(mimic)
    assert found.table["sha256"].tolist() == as_published["sha256"].tolist()
    assert (found.missing, found.unlisted) == ([], [])
    said = "looks for images by their names anywhere below, as there is no folder such as files/p10"
    assert f"neumo: {mimic}: {said}\n" in capsys.readouterr().err
