"""VinDr-CXR is read as PhysioNet has it."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

import neumo
from neumo.data.sources import survey
from neumo.errors import NeumoError
from tests.data.found import found_at

FINDINGS = """Aortic enlargement,Atelectasis,Calcification,Cardiomegaly,Clavicle fracture,Consolidation,Edema,
Emphysema,Enlarged PA,ILD,Infiltration,Lung Opacity,Lung cavity,Lung cyst,Mediastinal shift,Nodule/Mass,
Pleural effusion,Pleural thickening,Pneumothorax,Pulmonary fibrosis,Rib fracture,Other lesion,COPD,Lung tumor,
Pneumonia,Tuberculosis""".replace("\n", "").split(",")
BOXES = (
    "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n"
    "000434271f63a053c4128a0ba6352c7f,R6,No finding,,,,\n"
    "00053190460d56c53cc3e57321387478,R8,Pneumonia,1,2,3,4\n"
)
VOTES = {
    "000434271f63a053c4128a0ba6352c7f": (0, 0, 0),
    "00053190460d56c53cc3e57321387478": (1, 1, 0),
    "0005e8e3701dfb1dd93d53e2ff537b6e": (1, 1, 1),
    "0006e0a85696f6bb578e84fafa9a5607": (0, 1, 0),
    "0007d316f756b3fa0baea2ff514ce945": (1, 0),
}
CONSENSUS = {"002a34c58c5b758217ed1f584ccbcfe9": 0, "004f33259ee4aef671c2b95d54e4be68": 1}


def row(start: str, pneumonia: int) -> str:
    found = ",".join(str(pneumonia * (finding == "Pneumonia")) for finding in FINDINGS)
    return f"{start},{found},0,{1 - pneumonia}\n"


@pytest.fixture
def vindr(tmp_path: Path, dicom_folder: Path) -> Path:
    header = pydicom.dcmread(dicom_folder / "dx_1024_implicit_little_endian.dcm")
    header.PatientID = ""
    for part, names in (("train", VOTES), ("test", CONSENSUS)):
        (tmp_path / part).mkdir()
        for number, name in enumerate(names):
            header.InstanceNumber = number
            header.save_as(tmp_path / part / f"{name}.dicom")
    headings = ",".join(FINDINGS)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "image_labels_train.csv").write_text(
        f"image_id,rad_id,{headings},Other diseases,No finding\n"
        + "".join(row(f"{name},R{r}", said) for name, votes in VOTES.items() for r, said in enumerate(votes))
    )
    (tmp_path / "annotations" / "image_labels_test.csv").write_text(
        f"image_id,{headings},Other disease,No finding\n" + "".join(row(*one) for one in CONSENSUS.items())
    )
    for part in ("train", "test"):
        (tmp_path / "annotations" / f"annotations_{part}.csv").write_text(BOXES)
    return tmp_path


def assert_is_read(found: neumo.Dataset) -> None:
    labels = dict(
        zip(found.table["path"].map(lambda path: Path(path).stem), found.table["label"], strict=True)
    )
    assert labels == {**dict(zip(list(VOTES)[:4], (0, 1, 1, 0), strict=True)), **CONSENSUS}
    assert found.table["official"].tolist() == ["train"] * 4 + ["test"] * 2
    assert (found.name, found.rows, found.repeated, found.unlisted) == ("VinDr-CXR", 7, [], [])


def test_what_most_readers_say(vindr: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_is_read(neumo.read(vindr))
    tables = "image_labels_train.csv and image_labels_test.csv"
    assert capsys.readouterr().err.splitlines() == [
        f"neumo: {vindr}/annotations/image_labels_train.csv: takes what most readers say ('Pneumonia') "
        "of 2 images on which they differ, and 1 on which they are evenly divided for unlabelled",
        f"neumo: {vindr}: reads {tables}, one after the other",
        f"neumo: {vindr / tables}: leaves out 1 row without a label (column 'Pneumonia')",
    ]


def test_tables_beside_the_images(vindr: Path) -> None:
    for table in list((vindr / "annotations").iterdir()):
        table.rename(vindr / table.name)
    (vindr / "annotations").rmdir()
    assert_is_read(neumo.read(vindr))


def test_one_table_alone(vindr: Path) -> None:
    found = neumo.read(vindr / "annotations" / "image_labels_test.csv").table
    assert (found["label"].tolist(), found["official"].isna().all()) == ([0, 1], True)


def test_another_finding(vindr: Path) -> None:
    found = neumo.read(vindr, label_column="No finding", positive="0")
    assert sorted(found.table["label"]) == [0, 0, 0, 1, 1, 1]


def test_what_is_no_vote(vindr: Path) -> None:
    table = vindr / "annotations" / "image_labels_train.csv"
    table.write_text(table.read_text().replace("R0,0,0", "R0,2,0", 1))
    with pytest.raises(NeumoError, match=r"labels_train.csv: got '2' for 'Aortic enlargement' in row 1"):
        survey(vindr, label_column="Aortic enlargement")


def test_a_table_names_each_image_once(vindr: Path) -> None:
    found = found_at(vindr / "annotations" / "image_labels_train.csv")
    assert found == [str(vindr / "train" / f"{name}.dicom") for name in VOTES]
