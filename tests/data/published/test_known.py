"""Public data sets are read as they unpack, where no file of their own is needed for it."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

import neumo
from neumo.data.sources import survey
from neumo.errors import NeumoError
from tests.data.pictures import draw


def test_rsna(tmp_path: Path, dicom_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = pydicom.dcmread(dicom_folder / "dx_1024_implicit_little_endian.dcm")
    images = {
        "train": ["0004cfab-14fd-4e49-80ba-63a80b6bddd6", "000db696-cf54-4385-b10b-6b16fbb3f985", "00436515"],
        "test": ["0000a175-0e68-4ca4-b1af-167204a7e0bc"],
    }
    for part, names in images.items():
        (tmp_path / f"stage_2_{part}_images").mkdir()
        for number, name in enumerate(names):
            header.PatientID, header.InstanceNumber = name, number
            header.save_as(tmp_path / f"stage_2_{part}_images" / f"{name}.dcm")
    healthy, other, ill = images["train"]
    (tmp_path / "stage_2_train_labels.csv").write_text(
        f"patientId,x,y,width,height,Target\n{healthy},,,,,0\n{other},,,,,0\n"
        f"{ill},264.0,152.0,213.0,379.0,1\n{ill},562.0,152.0,256.0,453.0,1\n"
    )
    (tmp_path / "stage_2_detailed_class_info.csv").write_text(
        f"patientId,class\n{healthy},Normal\n{other},No Lung Opacity / Not Normal\n{ill},Lung Opacity\n"
        f"{ill},Lung Opacity\n"
    )
    (tmp_path / "stage_2_sample_submission.csv").write_text(
        f"patientId,PredictionString\n{images['test'][0]},0.5 0 0 100 100\n"
    )
    found = neumo.read(tmp_path)
    assert (found.table["patient"].tolist(), found.table["label"].tolist()) == (images["train"], [0, 0, 1])
    assert (found.rows, found.missing, found.unlisted) == (4, [], [])
    assert capsys.readouterr().err.splitlines() == [
        f"neumo: {tmp_path}: reads stage_2_train_labels.csv, of 3 tables there",
        f"neumo: {tmp_path}/stage_2_train_labels.csv: takes column 'patientId' for paths, as it names images",
    ]
    given = neumo.read(tmp_path, label_column="class", positive="Lung Opacity")
    assert given.table["label"].tolist() == [0, 0, 1]
    assert given.name == "stage_2_detailed_class_info"


PADCHEST = """\
,ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,\
MethodProjection,Pediatric,Report,MethodLabel,Labels,Localizations,LabelsLocalizationsBySentence,labelCUIS
0,a_k6ga29.png,0,20140915,20536686,839860488694,1930.0,F,POSTEROANTERIOR,PA,D,No,sin hallazgo .,Physician,\
"['normal']",[],"[['normal']]",[]
1,b_00-001-001.png,0,20120320,37855396,100,1926.0,M,ANTEROPOSTERIOR,AP_horizontal,D,No,neumon bas,Physician,\
"['pneumonia', 'infiltrates']","['loc basal']","[['pneumonia', 'loc basal'], ['infiltrates']]","['C0032285']"
2,b_00-004-133.png,54,20120320,37855396,100,1926.0,M,LATERAL,L,D,No,neumon bas,Physician,\
"['pneumonia', 'infiltrates']","['loc basal']","[['pneumonia', 'loc basal'], ['infiltrates']]","['C0032285']"
3,c_00-075-001.png,54,20120320,37855397,101,1926.0,M,POSTEROANTERIOR,PA,D,No,sin cambi,Physician,\
"['unchanged', 'cardiomegaly']",[],"[['unchanged'], ['cardiomegaly']]",[]
4,d_00-075-002.png,54,20120320,37855398,102,1926.0,M,POSTEROANTERIOR,PA,D,No,,RNN_model,,,,
"""
"""Of the columns of DICOM headers, most are left out here."""


def test_padchest(tmp_path: Path) -> None:
    file = tmp_path / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
    file.write_text(PADCHEST)
    for seed, name in enumerate(("0/a_k6ga29", "0/b_00-001-001", "54/b_00-004-133", "54/c_00-075-001")):
        draw(tmp_path / f"{name}.png", seed)
    draw(tmp_path / "54" / "d_00-075-002.png", 9)
    told = r"as this is PadChest, go on with neumo audit \S+ --positive pneumonia --skip-missing"
    with pytest.raises(NeumoError, match=rf"got classes that name pneumonia .*; {told}"):
        neumo.read(tmp_path)
    with pytest.raises(NeumoError, match=r"no label in row 5 \(column 'Labels'\), .* --skip-missing"):
        neumo.read(tmp_path, positive="pneumonia")
    found = neumo.read(tmp_path, positive="pneumonia", skip_missing=True)
    assert found.table["label"].tolist() == [0, 1, 0]
    assert found.table["patient"].tolist() == ["839860488694", "100", "101"]
    assert (found.lateral, found.unlisted) == (["b_00-004-133.png"], [])


def test_covid_19_radiography_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "COVID-19_Radiography_Dataset"
    for seed, name in enumerate(("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")):
        draw(folder / name / "images" / f"{name}-1.png", seed)
        draw(folder / name / "masks" / f"{name}-1.png", 100 + seed)
        (folder / f"{name}.metadata.xlsx").write_bytes(b"PK\3\4")
    (folder / "README.md.txt").write_text("COVID-19 CHEST X-RAY DATABASE\n")
    for data in (folder, tmp_path):
        found = neumo.read(data)
        assert found.table["path"].map(lambda path: Path(path).parent.name).unique().tolist() == ["images"]
        causes = ["covid", "lung_opacity", "", "viral pneumonia"]
        assert (found.table["label"].tolist(), found.table["cause"].tolist()) == ([1, 1, 0, 1], causes)
        assert capsys.readouterr().err == f"neumo: {folder}: leaves out 4 images in folders of masks\n"


@pytest.mark.parametrize("name", ["Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv"])
def test_nih_chest_x_ray_14(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    findings = ["Cardiomegaly", "Cardiomegaly|Emphysema", "No Finding", "Infiltration|Pneumonia", "Pneumonia"]
    images = ["00000001_000", "00000001_001", "00000002_000", "00000013_005", "00000061_015"]
    rows = []
    for i, (image, finding) in enumerate(zip(images, findings, strict=True)):
        draw(tmp_path / f"images_00{1 + i // 3}" / "images" / f"{image}.png", i)
        rows.append(
            f"{image}.png,{finding},{int(image[-3:])},{int(image[:8])},58,M,PA,2682,2749,0.143,0.143,\n"
        )
    headings = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"
    )
    (tmp_path / name).write_text(headings + "".join(rows))
    (tmp_path / "BBox_List_2017.csv").write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000013_005.png,Infiltrate,225.1,547.0,86.8,79.2,,,\n"
    )
    (tmp_path / "train_val_list.txt").write_text("".join(f"{image}.png\n" for image in images[:3]))
    (tmp_path / "test_list.txt").write_text("".join(f"{image}.png\n" for image in images[3:]))
    with pytest.raises(NeumoError, match=r"Data_Entry_2017.*: got classes that name pneumonia .*--positive"):
        neumo.read(tmp_path)
    command = rf"neumo audit \S+{name} --positive Pneumonia( |$)"
    with pytest.raises(NeumoError, match=rf"as this is NIH ChestX-ray14, go on with {command}"):
        neumo.read(tmp_path)
    capsys.readouterr()
    found = neumo.read(tmp_path, positive="Pneumonia")
    assert found.table["label"].tolist() == [0, 0, 0, 1, 1]
    assert found.table["official"].tolist() == ["train"] * 3 + ["test"] * 2
    assert found.table["patient"].tolist() == ["1", "1", "2", "13", "61"]
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"neumo: {tmp_path}: reads {name}, of 2 tables there"
    (tmp_path / name).unlink()
    assert survey(tmp_path, positive="Infiltrate").name == "BBox_List_2017"
