"""Tables that name images by what stands in DICOM headers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pydicom
import pytest
from PIL import Image

import neumo
from neumo.data.dicom_ids import element_of, identified, read_header
from neumo.data.image_files import find_each
from neumo.data.sources import survey
from neumo.errors import NeumoError, UnreadableImageError

IDS = ["1.2.3.1", "1.2.3.2", "1.2.3.3", "1.2.3.4"]


def put(
    original: pydicom.Dataset, path: Path, uid: str, *, accession: str, patient: str = "", view: str = "PA"
) -> Path:
    """A small radiograph with these identifiers."""
    header = pydicom.Dataset()
    header.update(original)
    header.file_meta = original.file_meta
    header.SOPInstanceUID, header.AccessionNumber, header.PatientID = uid, accession, patient
    header.ViewPosition = view
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path)
    return path


@pytest.fixture
def original(dicom_folder: Path) -> pydicom.Dataset:
    return pydicom.dcmread(dicom_folder / "cr_pa_1024_jpeg_baseline_monochrome2.dcm")


@pytest.fixture
def files(original: pydicom.Dataset, tmp_path: Path) -> list[Path]:
    """Four radiographs of four studies and two patients, in folders whose names say nothing."""
    return [
        put(original, tmp_path / f"{i}" / "IM-0001.dcm", uid, accession=f"A{i}", patient=f"P{i // 2}")
        for i, uid in enumerate(IDS)
    ]


def table(folder: Path, **columns: list[str]) -> Path:
    pd.DataFrame(columns).to_csv(folder / "labels.csv", index=False)
    return folder / "labels.csv"


CLASSES = ["normal", "pneumonia", "normal", "pneumonia"]


@pytest.mark.parametrize(
    "heading", ["SOPInstanceUID", "sop_instance_uid", "SOP Instance UID", "Accession Number"]
)
@pytest.mark.parametrize("given", [False, True])
def test_images_are_found_by_headers(
    heading: str, given: bool, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = [f"A{i}" for i in range(4)] if "Acc" in heading else IDS
    file = table(tmp_path, **{heading: values[::-1], "label": CLASSES})
    data = neumo.read(file, path_column=heading if given else None)
    assert data.table["path"].tolist() == [str(path) for path in files[::-1]]
    assert data.table["label"].tolist() == [0, 1, 0, 1]
    assert data.table["patient"].nunique() == 2
    told = f"neumo: {file}: looks for '{heading}' in DICOM headers, as no file is called so\n"
    assert capsys.readouterr().err == "" if given else told
    assert find_each([file], heading if given else None) == [str(path) for path in files[::-1]]
    assert given or neumo.read(tmp_path).rows == 4


def test_names_of_files_go_first(files: list[Path], tmp_path: Path) -> None:
    for path, uid in zip(files, IDS[::-1], strict=True):
        path.rename(path.with_name(f"{uid}.dcm"))
    data = neumo.read(table(tmp_path, SOPInstanceUID=IDS, label=CLASSES))
    assert [Path(path).stem for path in data.table["path"]] == IDS


def test_of_several_images_the_frontal_one_counts(
    original: pydicom.Dataset, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(original, tmp_path / "5" / "a.dcm", "1.2.3.5", accession="A1", view="LL")
    file = table(tmp_path, accession_number=["A0", "A1", "A2", "A3"], label=CLASSES)
    assert neumo.read(file).table["path"].tolist() == [str(path) for path in files]
    assert f"neumo: {file}: leaves out the lateral views of 1 AccessionNumber\n" in capsys.readouterr().err


def test_lateral_views_of_what_a_table_does_not_name_are_not_told(
    original: pydicom.Dataset, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder can be a whole archive, of which a table names a few studies."""
    put(original, tmp_path / "5" / "a.dcm", "1.2.3.5", accession="A1", view="LL")
    file = table(tmp_path, accession_number=["A0", "A2"], label=CLASSES[:2])
    assert neumo.read(file).table["path"].tolist() == [str(files[0]), str(files[2])]
    assert find_each([file]) == [str(files[0]), str(files[2])]
    assert "leaves out" not in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["0", "9"])
def test_a_header_without_pixels_stands_for_no_image(
    folder: str, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Orthanc keeps the part of a file before its pixels as a file of its own beside it."""
    data = files[1].read_bytes()
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "a").write_bytes(data[: data.index(b"\xe0\x7f\x10\x00OB")])
    file = table(tmp_path, AccessionNumber=[f"A{i}" for i in range(4)], label=CLASSES)
    assert neumo.read(file).table["path"].tolist() == [str(path) for path in files]
    assert f"have already, left out: {folder}/a\n" in capsys.readouterr().err


def test_of_several_frontal_images_none_is_labelled(
    original: pydicom.Dataset, files: list[Path], tmp_path: Path
) -> None:
    put(original, tmp_path / "5" / "a.dcm", "1.2.3.5", accession="A1", view="AP")
    file = table(tmp_path, AccessionNumber=["A0", "A1", "A2", "A3", "A77"], label=[*CLASSES, "normal"])
    several, none = survey(file).faults
    assert several.startswith(
        f"{file}: got 2 images of one AccessionNumber (1/IM-0001.dcm, 5/a.dcm) in row 2, expected one image"
    )
    assert none.startswith(f"{file}: got no DICOM file of the AccessionNumber in row 5, expected one image")
    left = neumo.read(file, skip_missing=True)
    assert left.table["path"].tolist() == [str(files[i]) for i in (0, 2, 3)]
    assert all(name.startswith("patient-") for name in left.missing)
    found = find_each([file])
    assert [isinstance(one, UnreadableImageError) for one in found] == [False, True, False, False, True]


def test_a_patient_of_several_images_names_none(files: list[Path], tmp_path: Path) -> None:
    faults = survey(table(tmp_path, PatientID=["P0", "P1"], label=CLASSES[:2])).faults
    assert "got 2 images of one PatientID (0/IM-0001.dcm, 1/IM-0001.dcm) in row 1" in faults[0]


def test_the_same_instance_twice_is_told(
    original: pydicom.Dataset, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(original, tmp_path / "5" / "a.dcm", IDS[1], accession="A1")
    data = neumo.read(table(tmp_path, SOPInstanceUID=IDS, label=CLASSES))
    assert data.table["path"].tolist() == [str(path) for path in files]
    said = "has files of SOP instances that others have already, left out: 5/a.dcm\n"
    assert f"neumo: {tmp_path}: {said}" in capsys.readouterr().err


def test_without_any_dicom_file_the_missing_are_told_as_ever(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    file = table(tmp_path, PatientID=["x", "y"], label=CLASSES[:2])
    with pytest.raises(NeumoError, match="got no column that is called like a path"):
        survey(file)
    assert f"{tmp_path / 'x'}: got no such file" in survey(file, path_column="PatientID").faults[0]


@pytest.mark.parametrize("modality", ["PR", "KO", "SR", "RTSTRUCT"])
def test_what_a_pacs_keeps_beside_an_image_is_none(
    modality: str, original: pydicom.Dataset, files: list[Path], tmp_path: Path
) -> None:
    report = pydicom.Dataset()
    report.update(original)
    report.file_meta, report.Modality = original.file_meta, modality
    put(report, tmp_path / "0" / "PR0001", "1.2.3.9", accession="A0")
    data = neumo.read(table(tmp_path, AccessionNumber=[f"A{i}" for i in range(4)], label=CLASSES))
    assert data.table["path"].tolist() == [str(path) for path in files]


def test_zeros_that_excel_took_away(original: pydicom.Dataset, tmp_path: Path) -> None:
    numbers = ["0012", "0013", "0014", "15", "016", "16"]
    files = [
        put(original, tmp_path / f"{i}.dcm", f"1.2.{i}", accession=number) for i, number in enumerate(numbers)
    ]
    data = neumo.read(table(tmp_path, Accession=["12", "13.0", "0014", "015"], label=CLASSES))
    assert data.table["path"].tolist() == [str(path) for path in files[:4]]
    data = neumo.read(table(tmp_path, Accession=["016", "16"], label=CLASSES[:2]))
    assert data.table["path"].tolist() == [str(path) for path in files[4:]]
    faults = survey(table(tmp_path, Accession=["12", "13", "14", "00016"], label=CLASSES)).faults
    assert len(faults) == 1
    assert "got no DICOM file of the AccessionNumber in row 4" in faults[0]


def test_few_files_of_a_long_table(files: list[Path], tmp_path: Path) -> None:
    file = table(tmp_path, Accession=[f"A{i}" for i in range(200, -1, -1)], label=(CLASSES * 51)[:201])
    data = neumo.read(file, skip_missing=True)
    assert data.table["path"].tolist() == [str(path) for path in files[::-1]]


def test_other_and_broken_files_are_passed_over(files: list[Path], tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.dcm").write_bytes(files[0].read_bytes()[:200])
    (tmp_path / "c.dcm").symlink_to(tmp_path / "gone.dcm")
    paths = [tmp_path / "a.png", tmp_path / "b.dcm", tmp_path / "c.dcm", *files]
    assert identified(paths, "SOPInstanceUID").files == {
        uid: [path] for uid, path in zip(IDS, files, strict=True)
    }
    assert read_header(tmp_path / "none.dcm", ["PatientID"]) is None
    assert element_of("Path") is element_of(None) is None


@pytest.mark.parametrize(("first", "second"), [("7", "8"), ("7.0", "8.0"), ("A-7", "b^c"), ("Ann Lee", "Bo")])
def test_who_is_in_a_table_and_in_a_header_is_one_patient(
    first: str, second: str, original: pydicom.Dataset, tmp_path: Path
) -> None:
    """A number in a column with blanks is 7.0 where pandas wrote it."""
    people = [first, first, second, second, "nobody else"]
    for i, one in enumerate(people):
        put(original, tmp_path / f"{i}.dcm", f"1.2.{i}", accession="", patient=one.removesuffix(".0"))
    file = table(
        tmp_path,
        path=[f"{i}.dcm" for i in range(5)],
        label=[*CLASSES, "normal"],
        patient=[first, "", "", second, ""],
    )
    found = neumo.read(file).table["patient"]
    assert found.notna().all()
    assert found.factorize()[0].tolist() == [0, 0, 1, 1, 2]
