from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from neumo.data.audit import Audit, audit
from neumo.data.sources import read, survey
from tests.data.pictures import draw


@pytest.fixture(scope="module")
def real(coronahack: Path) -> Audit:
    return audit(read(coronahack))


class TestCoronaHack:
    def test_rows_and_files(self, real: Audit) -> None:
        assert (real.rows, real.images) == (5910, 5903)
        assert real.classes == [
            {"name": "normal", "label": 0, "listed": 1576, "images": 1576},
            {"name": "pneumonia", "label": 1, "listed": 4334, "images": 4327},
        ]
        assert (len(real.missing), len(real.unlisted), real.repeated) == (7, 16, [])
        assert real.modes == {"RGB": 5903}
        assert set(real.sizes["width"].values()) == {224}

    def test_composition_adds_up(self, real: Audit) -> None:
        of = {(c["class"], c["cause"], c["official"]): c["images"] for c in real.composition}
        assert sum(of.values()) == 5903
        assert of["normal", "", "test"] == 234
        assert of["pneumonia", "virus", "test"] == 148
        assert of["pneumonia", "bacteria", "test"] == 242

    def test_imbalance(self, real: Audit) -> None:
        assert real.imbalance is not None
        assert real.imbalance["minority"] == "normal"
        assert real.imbalance["share"] == pytest.approx(1576 / 5903)
        assert real.imbalance["ratio"] == pytest.approx(4327 / 1576)

    def test_30_byte_identical_groups_none_across_classes(self, real: Audit) -> None:
        assert (real.identical["count"], real.identical["images"]) == (30, 62)
        assert real.identical["across_classes"] == real.identical["across_official"] == 0

    def test_the_one_radiograph_that_was_published_twice(self, real: Audit) -> None:
        files = [[Path(file).name for file in group["files"]] for group in real.near_identical["groups"]]
        assert [sorted(names) for names in files] == [
            ["E63574A7-4188-4C8D-8D17-9D67A18A1AFA.jpeg", "F4341CE7-73C9-45C6-99C8-8567A5484B63.jpeg"]
        ]

    def test_170_patients_in_both_official_parts(self, real: Audit) -> None:
        assert real.patients["across_official"] == len(real.patients["names_across_official"]) == 170
        assert "person1" in real.patients["names_across_official"]
        assert real.patients["known"] + real.patients["unknown"] == 5903

    def test_nothing_is_unfit(self, real: Audit) -> None:
        assert real.undecodable == []
        assert real.faults == []

    def test_to_dict_is_json(self, real: Audit) -> None:
        found = real.to_dict()
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        assert set(found) == {field.name for field in dataclasses.fields(Audit)}

    def test_every_key_is_documented(self, real: Audit) -> None:
        assert Audit.__doc__ is not None
        parts = [real.to_dict(), *real.classes, *real.composition, real.imbalance or {}, real.patients]
        parts += [real.identical, *real.identical["groups"], *real.odd, *real.sizes.values()]
        for part in parts:
            for key in part:
                assert f"{key}:" in Audit.__doc__ or f'"{key}"' in Audit.__doc__, key


class TestFaults:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        root = tmp_path / "set"
        draw(root / "train" / "NORMAL" / "IM-0001-0001.png", 1)
        draw(root / "train" / "PNEUMONIA" / "person1_virus_1.png", 2)
        draw(root / "test" / "NORMAL" / "IM-0002-0001.png", 3)
        draw(root / "test" / "PNEUMONIA" / "person2_virus_2.png", 4)
        return root

    def test_none(self, folder: Path) -> None:
        found = audit(read(folder))
        assert found.identical["count"] == found.near_identical["count"] == 0
        assert found.patients["across_official"] == 0
        assert found.undecodable == found.odd == found.unlisted == found.faults == []
        assert audit(folder) == found

    def test_copies_across_classes_and_official_parts(self, folder: Path) -> None:
        original = folder / "train" / "NORMAL" / "IM-0001-0001.png"
        shutil.copy(original, folder / "test" / "NORMAL" / "copy.png")
        shutil.copy(original, folder / "train" / "PNEUMONIA" / "wrong.png")
        [group] = audit(read(folder)).identical["groups"]
        names = ["test/NORMAL/copy.png", "train/NORMAL/IM-0001-0001.png", "train/PNEUMONIA/wrong.png"]
        assert sorted(group["files"]) == names
        assert (group["classes"], group["official"]) == (["normal", "pneumonia"], ["test", "train"])
        assert (group["across_classes"], group["across_official"]) == (True, True)

    def test_a_copy_in_another_format_is_near_identical_only(self, folder: Path) -> None:
        original = folder / "train" / "NORMAL" / "IM-0001-0001.png"
        Image.open(original).save(folder / "test" / "NORMAL" / "copy.jpeg", quality=80)
        found = audit(read(folder))
        assert found.identical["count"] == 0
        assert found.near_identical["count"] == found.near_identical["across_official"] == 1
        assert found.near_identical["across_classes"] == 0

    def test_a_patient_in_both_official_parts(self, folder: Path) -> None:
        draw(folder / "test" / "PNEUMONIA" / "person1_bacteria_9.png", 5)
        found = audit(read(folder)).patients
        assert found["names_across_official"] == ["person1"]
        assert found["most_images"] == 2
        assert found["across_classes"] == 0

    def test_undecodable_and_odd_images(self, folder: Path) -> None:
        normal = folder / "train" / "NORMAL"
        (normal / "text.png").write_text("no image")
        draw(normal / "tiny.png", 5, 20)
        Image.new("L", (300, 200), 128).save(normal / "blank.png")
        Image.linear_gradient("L").convert("RGB").convert("HSV").convert("RGB").save(normal / "grey.png")
        Image.merge("RGB", [Image.linear_gradient("L"), *[Image.radial_gradient("L")] * 2]).save(
            normal / "red.png"
        )
        found = audit(read(folder))
        assert [image["file"] for image in found.undecodable] == ["train/NORMAL/text.png"]
        assert "expected" in found.undecodable[0]["reason"]
        problems = {Path(image["file"]).stem: image["problems"] for image in found.odd}
        assert problems == {"blank": ["blank"], "red": ["colour"], "tiny": ["tiny"]}
        assert (found.sizes["width"]["smallest"], found.sizes["width"]["largest"]) == (20, 300)

    @pytest.mark.parametrize(
        ("rows", "fault"),
        [
            ("a.png,0\n,1\n", "got no path in row 2"),
            ("a.png,0\nb.png,\n", "got no label in row 2"),
            ("a.png,0\ngone.png,1\n", "gone.png: got no such file"),
            ("a.png,0\nb.png,0\n", "one class only"),
            ("a.png,x\nb.png,y\n", "got the classes 'x', 'y'"),
            ("gone.png,0\nlost.png,1\n", "gone.png: got no such file"),
            ("a.png,0\na.png,1\n", "a.png: got another label in row 2"),
        ],
    )
    def test_a_faulty_listing_is_reported_not_refused(self, rows: str, fault: str, tmp_path: Path) -> None:
        draw(tmp_path / "a.png", 1)
        draw(tmp_path / "b.png", 2)
        (tmp_path / "table.csv").write_text(f"path,label\n{rows}")
        found = audit(survey(tmp_path / "table.csv"))
        assert any(fault in line for line in found.faults)
        assert found.rows == 2
        json.dumps(found.to_dict(), allow_nan=False)

    def test_unlabelled_images_count(self, dicom_folder: Path) -> None:
        found = audit(survey(dicom_folder))
        assert found.classes == [{"name": "unlabelled", "label": -1, "listed": 5, "images": 5}]
        assert found.modes == {"MONOCHROME1": 3, "MONOCHROME2": 2}
        [same] = found.near_identical["groups"]
        assert all("1955x1841" in file for file in same["files"])
        assert found.imbalance is None
