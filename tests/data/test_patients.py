from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import pandas as pd
import pydicom
import pytest

from neumo.data.patients import cause_of, dicom_patient, is_nobody, patient_of, patients_in


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person1_virus_6.jpeg", "person1"),
        ("person447_virus_921_1.jpeg", "person447"),
        ("test/person1000_bacteria_2931.jpeg", "person1000"),
        ("NORMAL-11419-0001.jpeg", "11419"),
        ("BACTERIA-5660566-0008.jpeg", "5660566"),
        ("VIRUS-40699-0002.jpeg", "40699"),
        ("normal-12-0001.png", None),
        ("NORMAL-12-1.png", None),
        ("IM-0115-0001.jpeg", "IM-0115"),
        ("IM-0439-0001-0002.jpeg", "IM-0439"),
        ("NORMAL2-IM-0421-0001.jpeg", "NORMAL2-IM-0421"),
        (
            "streptococcus-pneumoniae-pneumonia-temporal-evolution-1-day3.jpg",
            "streptococcus-pneumoniae-pneumonia-temporal-evolution-1",
        ),
        (
            "SARS-10.1148rg.242035193-g04mr34g09a-Fig9a-day17.jpeg",
            "SARS-10.1148rg.242035193-g04mr34g09",
        ),
        ("kjr-21-e24-g002-l-a.jpg", None),
        ("1-s2.0-S0929664620300449-gr2_lrg-b.jpg", None),
        ("FE9F9A5D-2830-46F9-851B-1FF4534959BE.jpeg", None),
        ("chest.png", None),
        ("day3.png", None),
    ],
)
def test_patient_of_a_file_name(name: str, patient: str | None) -> None:
    assert patient_of(name) == patient


def test_panels_of_one_figure_over_days_are_one_patient() -> None:
    days = [f"SARS-10.1148rg.242035193-g04mr34g09{p}-Fig9{p}-day{d}.jpeg" for p, d in [("a", 17), ("c", 27)]]
    other = "SARS-10.1148rg.242035193-g04mr34g07b-Fig7b-day12.jpeg"
    assert patient_of(days[0]) == patient_of(days[1]) != patient_of(other)


def test_170_person_numbers_are_in_both_official_parts(coronahack: Path) -> None:
    rows = pd.read_csv(coronahack / "Chest_xray_Corona_Metadata.csv")
    patient = rows["X_ray_image_name"].map(patient_of)
    parts = rows.groupby(patient)["Dataset_type"].nunique()
    assert (parts == 2).sum() == 170


@pytest.mark.parametrize(
    ("path", "patient"),
    [
        ("train/patient00001/study1/view1_frontal.jpg", "patient00001"),  # CheXpert
        ("files/p10/p10000032/s50414267/02aa804e-bde0afdd.jpg", "p10000032"),  # MIMIC-CXR
        ("sub-S03068/ses-E06/mod-rx/sub-S03068_ses-E06_run-1_bp-chest_vp-ap_cr.png", "sub-S03068"),  # BIMCV
        ("patient00002/IM-0001-0001.jpg", "patient00002"),
        ("p10/a.jpg", None),
        ("12/a.jpg", None),
        ("images_001/a.jpg", None),
        ("patients/a.jpg", None),
        ("sub-set/a.jpg", None),
        ("12/person1_virus_6.jpeg", "person1"),
    ],
)
def test_patient_of_a_folder(path: str, patient: str | None) -> None:
    assert patients_in([path, "patient00009/a.jpg"]) == [patient, "patient00009"]


def test_a_folder_around_all_images_is_no_patient() -> None:
    """Universities number the homes of their users so."""
    assert patients_in(["/home/p12345678/a/1.png", "/home/p12345678/b/2.png"]) == [None, None]
    assert patients_in([]) == []


@pytest.mark.parametrize(
    "word", ["unknown", "-", "-1", "-1.0", "_", "N/A", "not_available", "Anonymous^Patient", "<removed>"]
)
def test_words_for_nobody(word: str) -> None:
    assert is_nobody(word)
    assert is_nobody(word, typed=False)


@pytest.mark.parametrize("word", ["NA", "null", "0", "X"])
def test_words_that_a_table_may_call_a_patient(word: str) -> None:
    assert not is_nobody(word)
    assert is_nobody(word, typed=False)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("person1_virus_6.jpeg", "virus"),
        ("person78_bacteria_378.jpeg", "bacteria"),
        ("BACTERIA-5660566-0008.jpeg", "bacteria"),
        ("VIRUS-40699-0002.jpeg", "virus"),
        ("NORMAL-11419-0001.jpeg", None),
        ("virus-isolate.jpeg", None),
        ("IM-0115-0001.jpeg", None),
    ],
)
def test_cause_of_a_file_name(name: str, cause: str | None) -> None:
    assert cause_of(name) == cause


class TestDicomPatient:
    @pytest.fixture
    def file(self, dicom_folder: Path) -> Path:
        return dicom_folder / "cr_pa_1024_jpeg_baseline_monochrome2.dcm"

    def identified(self, file: Path, tmp_path: Path, number: str | None) -> str | None:
        header = pydicom.dcmread(file)
        header.PatientID = number
        header.save_as(tmp_path / "image")
        return dicom_patient(tmp_path / "image")

    def test_is_the_same_for_one_id_only(self, file: Path, tmp_path: Path) -> None:
        first, again, other = (self.identified(file, tmp_path, n) for n in ("4711", " 4711 ", "4712"))
        assert first is not None
        assert first == again != other

    def test_does_not_tell_the_id(self, file: Path, tmp_path: Path) -> None:
        assert "4711" not in str(self.identified(file, tmp_path, "4711"))

    @pytest.mark.parametrize("name", ["IM-0001-0001.dcm", "NORMAL2-IM-0421-0001.dcm", "person1_virus_6.dcm"])
    def test_goes_before_the_name_of_the_file(self, name: str, file: Path, tmp_path: Path) -> None:
        """OsiriX numbers the images of every patient from IM-0001-0001 on."""
        known = self.identified(file, tmp_path, "4711")
        assert patients_in([(tmp_path / "image").rename(tmp_path / name)]) == [known]
        assert known is not None
        self.identified(file, tmp_path, "ANONYMOUS")
        assert patients_in([(tmp_path / "image").rename(tmp_path / name)]) == [None]

    def test_goes_before_its_folder(self, file: Path, tmp_path: Path) -> None:
        known = self.identified(file, tmp_path, "4711")
        for number, patient in (("4711", known), ("ANONYMOUS", "patient00001")):
            self.identified(file, tmp_path, number)
            (tmp_path / "patient00001").mkdir(exist_ok=True)
            (tmp_path / "image").replace(tmp_path / "patient00001" / "image")
            assert patients_in([tmp_path / "patient00001" / "image", tmp_path / "x.png"]) == [patient, None]

    @pytest.mark.parametrize("number", [None, "", "0000", "ANONYMOUS", "anonymized", "unknown"])
    def test_placeholders_are_nobody(self, number: str | None, file: Path, tmp_path: Path) -> None:
        assert self.identified(file, tmp_path, number) is None

    @pytest.mark.parametrize("number", ["xxx", "00-00", "-", "Anonymous^Patient", "<removed>", "N/A"])
    def test_other_placeholders_are_nobody(self, number: str, file: Path, tmp_path: Path) -> None:
        assert self.identified(file, tmp_path, number) is None

    @pytest.mark.parametrize("number", ["ANON0007", "anon-12", "Anonymous_017", "Canon-5", "Nonette", "X1"])
    def test_pseudonyms_are_somebody(self, number: str, file: Path, tmp_path: Path) -> None:
        known = self.identified(file, tmp_path, number)
        assert known is not None
        assert known != self.identified(file, tmp_path, number + "1")

    def test_a_file_that_is_not_dicom_has_none(self, tmp_path: Path) -> None:
        (tmp_path / "text.dcm").write_text("not DICOM")
        assert dicom_patient(tmp_path / "text.dcm") is None

    def test_without_a_preamble_it_is_the_same(self, dicom_folder: Path, tmp_path: Path) -> None:
        whole = self.identified(dicom_folder / "dx_1024_implicit_little_endian.dcm", tmp_path, "4711")
        content = (tmp_path / "image").read_bytes()
        (tmp_path / "image").write_bytes(content[144 + int.from_bytes(content[140:144], "little") :])
        assert (tmp_path / "image").read_bytes()[:2] == b"\x08\x00"
        assert dicom_patient(tmp_path / "image") == whole is not None

    def deflated(self, file: Path, name: Path, extra: int = 0) -> Path:
        """The header of a file, deflated, with an element of so many MiB of zeros after it."""
        header = pydicom.dcmread(file, stop_before_pixels=True)
        header.PatientID = "4711"
        header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        header.save_as(name, enforce_file_format=True)
        whole = name.read_bytes()
        header.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
        header.save_as(name, enforce_file_format=True)
        if extra:
            begins = 144 + int.from_bytes(whole[140:144], "little")
            deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
            element = struct.pack("<HH2sHI", 0x7FE1, 0x0010, b"OB", 0, extra * 2**20)
            packed = [deflate.compress(whole[begins:] + element)]
            packed += [deflate.compress(bytes(2**20)) for _ in range(extra)]
            start = name.read_bytes()
            begins = 144 + int.from_bytes(start[140:144], "little")
            name.write_bytes(start[:begins] + b"".join(packed) + deflate.flush())
        return name

    def test_a_deflated_file_has_one_and_a_broken_one_none(self, file: Path, tmp_path: Path) -> None:
        whole = self.deflated(file, tmp_path / "whole")
        assert dicom_patient(whole) == self.identified(file, tmp_path, "4711") is not None
        content = whole.read_bytes()
        begins = 144 + int.from_bytes(content[140:144], "little")
        whole.write_bytes(content[:begins] + b"\xff" * 500)
        assert dicom_patient(whole) is None

    def test_a_deflated_bomb_has_none_and_takes_little_memory(self, file: Path, tmp_path: Path) -> None:
        bomb = self.deflated(file, tmp_path / "bomb", extra=600)
        assert bomb.stat().st_size < 2**20
        tracemalloc.start()
        try:
            assert dicom_patient(bomb) is None
            assert tracemalloc.get_traced_memory()[1] < 500 * 2**20
        finally:
            tracemalloc.stop()
