"""Every layout becomes the same table; what is unfit for training is told in one line."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from neumo.data.audit import audit
from neumo.data.layout import lay_out
from neumo.data.sources import read, survey
from neumo.data.table import COLUMNS, Dataset
from neumo.errors import NeumoError
from neumo.files import claim
from tests.data.pictures import draw


def assert_table(dataset: Dataset) -> None:
    """What must hold of every table."""
    table = dataset.table
    assert table.dtypes.astype(str).to_dict() == COLUMNS
    assert table.index.equals(pd.RangeIndex(len(table)))
    assert table["path"].is_unique
    assert table[["path", "label", "cause", "sha256"]].notna().all(axis=None)
    assert set(table["official"].dropna()) <= {"train", "test"}
    assert (table["cause"][table["label"] == 0] == "").all()
    assert (table["cause"][table["label"] == 1] != "").all()
    for path, sha256 in zip(table["path"][:20], table["sha256"][:20], strict=True):
        assert Path(path).is_absolute()
        assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == sha256


def labels(dataset: Dataset) -> dict[str, int]:
    """File name -> label."""
    return {Path(p).name: int(v) for p, v in zip(dataset.table["path"], dataset.table["label"], strict=True)}


def by_name(dataset: Dataset, column: str) -> dict[str, str | None]:
    values = dataset.table[column].astype(object).where(dataset.table[column].notna(), None)
    return {Path(p).name: value for p, value in zip(dataset.table["path"], values, strict=True)}


class TestCoronaHack:
    def test_is_read_as_listed(self, coronahack: Path) -> None:
        dataset = read(coronahack)
        assert_table(dataset)
        assert (dataset.name, dataset.layout, dataset.synthetic) == ("CoronaHack", "coronahack", False)
        assert (dataset.rows, dataset.listed_counts) == (5910, {0: 1576, 1: 4334})
        assert (len(dataset.table), len(dataset.missing), len(dataset.unlisted)) == (5903, 7, 16)
        official = dataset.table["official"].value_counts().to_dict()
        assert official == {"train": 5279, "test": 624}
        causes = dataset.table["cause"][dataset.table["official"] == "test"].value_counts().to_dict()
        assert causes == {"bacteria": 242, "": 234, "virus": 148}
        assert "Kermany" in dataset.citation
        assert dataset.ages == (1, 5)

    @pytest.mark.parametrize(
        "inside", ["Chest_xray_Corona_Metadata.csv", "Coronahack-Chest-XRay-Dataset", "."]
    )
    def test_is_found_from_inside(self, inside: str, archive: Path) -> None:
        dataset = read(archive / inside)
        assert dataset.layout == "coronahack"
        assert labels(dataset) == {"IM-0001-0001.jpeg": 0, "person1_virus_6.jpeg": 1}

    def test_is_found_from_the_doubled_folder(self, archive: Path) -> None:
        doubled = archive / "Coronahack-Chest-XRay-Dataset" / "Coronahack-Chest-XRay-Dataset"
        assert read(doubled).root == archive

    def test_is_found_in_a_folder_around_it(self, archive: Path) -> None:
        (archive.parent / "__MACOSX").mkdir()
        assert read(archive.parent).root == archive

    def test_with_a_single_folder(self, archive: Path) -> None:
        outer = archive / "Coronahack-Chest-XRay-Dataset"
        for part in ("train", "test"):
            (outer / outer.name / part).rename(outer / part)
        (outer / outer.name).rmdir()
        assert len(read(archive).table) == 2

    def test_missing_and_unlisted_are_named_and_left_out(self, archive: Path) -> None:
        dataset = read(archive)
        where = "Coronahack-Chest-XRay-Dataset/Coronahack-Chest-XRay-Dataset"
        assert dataset.missing == [f"{where}/train/person2_bacteria_3.jpeg"]
        assert dataset.unlisted == [f"{where}/test/extra.jpeg"]
        assert dataset.listed_counts == {0: 1, 1: 2}

    def test_synthetic_says_so(self, archive: Path) -> None:
        (archive / "SYNTHETIC.txt").write_text("drawn")
        dataset = read(archive)
        assert (dataset.layout, dataset.synthetic, dataset.ages) == ("phantom", True, None)

    def test_positive_is_not_ignored(self, archive: Path) -> None:
        with pytest.raises(NeumoError, match="got --positive 'virus', expected none"):
            read(archive, positive="virus")
        assert len(read(archive, positive=["Pneumonia"]).table) == 2

    def test_without_images(self, archive: Path) -> None:
        shutil.rmtree(archive / "Coronahack-Chest-XRay-Dataset")
        with pytest.raises(NeumoError, match=r"without its images, expected a folder 'train' or 'test'"):
            read(archive)

    def test_nan_label_names_the_row(self, archive: Path) -> None:
        csv = archive / "Chest_xray_Corona_Metadata.csv"
        csv.write_text(csv.read_text().replace("Normal", ""))
        with pytest.raises(NeumoError, match=r"Metadata.csv: got the label nan in row 1, expected Normal"):
            read(archive)

    def test_names_from_the_root_on(self, archive: Path) -> None:
        csv = archive / "Chest_xray_Corona_Metadata.csv"
        csv.write_text(csv.read_text().replace("person2_bacteria_3", "/gone/person2_bacteria_3"))
        assert read(archive).missing == ["/gone/person2_bacteria_3.jpeg"]

    def test_rows_that_contradict_each_other(self, archive: Path) -> None:
        csv = archive / "Chest_xray_Corona_Metadata.csv"
        listed = csv.read_text()
        csv.write_text(listed + "3,person1_virus_6.jpeg,Pnemonia,TEST,,Virus\n")
        assert len(read(archive).table) == 2
        csv.write_text(listed + "3,person1_virus_6.jpeg,Normal,TEST,,\n")
        with pytest.raises(NeumoError, match=r"virus_6.jpeg: got another label in row 4 of"):
            read(archive)

    @pytest.fixture
    def archive(self, tmp_path: Path) -> Path:
        root = tmp_path / "archive"
        images = root / "Coronahack-Chest-XRay-Dataset" / "Coronahack-Chest-XRay-Dataset"
        draw(images / "train" / "IM-0001-0001.jpeg", 1)
        draw(images / "test" / "person1_virus_6.jpeg", 2)
        draw(images / "test" / "extra.jpeg", 3)
        (root / "Chest_xray_Corona_Metadata.csv").write_text(
            ",X_ray_image_name,Label,Dataset_type,Label_2_Virus_category,Label_1_Virus_category\n"
            "0,IM-0001-0001.jpeg,Normal,TRAIN,,\n"
            "1,person1_virus_6.jpeg,Pnemonia,TEST,,Virus\n"
            "2,person2_bacteria_3.jpeg,Pnemonia,TRAIN,,bacteria\n"
        )
        return root


class TestClassFolders:
    @pytest.fixture
    def kermany(self, tmp_path: Path) -> Path:
        root = tmp_path / "chest_xray"
        draw(root / "train" / "NORMAL" / "IM-0115-0001.jpeg", 1)
        draw(root / "train" / "PNEUMONIA" / "person1_bacteria_2.jpeg", 2)
        draw(root / "val" / "PNEUMONIA" / "person9_virus_3.jpeg", 3)
        draw(root / "test" / "NORMAL" / "NORMAL2-IM-0421-0001.jpeg", 4)
        draw(root / "test" / "PNEUMONIA" / "person1_virus_6.jpeg", 5)
        return root

    def test_kermany(self, kermany: Path) -> None:
        dataset = read(kermany)
        assert_table(dataset)
        assert (dataset.name, dataset.layout) == ("Kermany 2018", "class-folders")
        assert dataset.ages == (1, 5)
        assert (dataset.negative_name, dataset.positive_name) == ("normal", "pneumonia")
        assert by_name(dataset, "official") == {
            "IM-0115-0001.jpeg": "train",
            "person1_bacteria_2.jpeg": "train",
            "person9_virus_3.jpeg": "train",
            "NORMAL2-IM-0421-0001.jpeg": "test",
            "person1_virus_6.jpeg": "test",
        }
        assert by_name(dataset, "cause")["person9_virus_3.jpeg"] == "virus"
        assert by_name(dataset, "patient")["NORMAL2-IM-0421-0001.jpeg"] == "NORMAL2-IM-0421"

    def test_kermany_as_its_makers_publish_it(self, tmp_path: Path) -> None:
        """Names of the disease, a randomised number of the patient, and one of the image."""
        root = tmp_path / "chest_xray"
        for i, part in enumerate(("train", "test")):
            for k, (folder, name) in enumerate(
                (("NORMAL", f"NORMAL-{i}1419"), ("PNEUMONIA", f"VIRUS-{i}40699"))
            ):
                for number in (1, 2):
                    draw(root / part / folder / f"{name}-000{number}.jpeg", 8 * i + 2 * k + number)
        draw(root / "train" / "PNEUMONIA" / "BACTERIA-227418-0003.jpeg", 20)
        dataset = read(root)
        assert (dataset.name, dataset.ages) == ("Kermany 2018", (1, 5))
        assert dataset.table["patient"].nunique() == 5
        assert dataset.table["cause"].value_counts().to_dict() == {"": 4, "virus": 4, "bacteria": 1}

    def test_kermany_with_images_of_others_is_not_it(self, kermany: Path) -> None:
        draw(kermany / "train" / "PNEUMONIA" / "my own.jpeg", 9)
        dataset = read(kermany)
        assert (dataset.name, dataset.citation, dataset.ages) == ("chest_xray", "", None)

    @pytest.mark.parametrize("loose", [0, 2])
    def test_a_part_without_classes_does_not_hide_those_beside_it(
        self, loose: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for i, name in enumerate(["NORMAL/a", "NORMAL/b", "PNEUMONIA/c", "PNEUMONIA/d"]):
            draw(tmp_path / f"{name}.png", i)
        (tmp_path / "test").mkdir()
        for i in range(loose):
            draw(tmp_path / "test" / f"{i}.png", 10 + i)
        dataset = read(tmp_path)
        assert (dataset.layout, dataset.table["label"].tolist()) == ("class-folders", [0, 0, 1, 1])
        assert dataset.table["official"].isna().all()
        told = capsys.readouterr().err
        assert ("leaves out 2 images beside the class folders" in told) == bool(loose)

    def test_parts_without_classes_are_no_classes(self, tmp_path: Path) -> None:
        for i, name in enumerate(["train/a", "train/b", "test/c", "heap/d"]):
            draw(tmp_path / f"{name}.png", i)
        assert survey(tmp_path).layout == "images"

    @pytest.mark.parametrize("name", ["validate", "VALID", "dev"])
    def test_a_validation_part_counts_as_training(self, name: str, kermany: Path) -> None:
        (kermany / "val").rename(kermany / name)
        assert by_name(read(kermany), "official")["person9_virus_3.jpeg"] == "train"

    def test_kermany_as_kaggle_packs_it(self, kermany: Path) -> None:
        """The archive holds everything twice, with what macOS leaves beside it."""
        shutil.copytree(kermany, kermany.parent / "copy")
        (kermany.parent / "copy").rename(kermany / "chest_xray")
        junk = kermany / "__MACOSX" / "train" / "NORMAL"
        junk.mkdir(parents=True)
        (junk / "._IM-0115-0001.jpeg").write_bytes(b"junk")
        (kermany / "train" / "NORMAL" / "._IM-0115-0001.jpeg").write_bytes(b"junk")
        (kermany / "train" / ".DS_Store").write_bytes(b"junk")
        dataset = read(kermany)
        assert len(dataset.table) == 5
        assert not dataset.unlisted

    def test_doubled_folder_alone(self, kermany: Path, tmp_path: Path) -> None:
        (tmp_path / "outer").mkdir()
        kermany.rename(tmp_path / "outer" / "chest_xray")
        (tmp_path / "outer" / "__MACOSX").mkdir()
        assert len(read(tmp_path / "outer").table) == 5

    def test_one_folder_per_class(self, tmp_path: Path) -> None:
        draw(tmp_path / "Healthy" / "a.png", 1)
        draw(tmp_path / "COVID-19" / "deep" / "b.tif", 2)
        draw(tmp_path / "Tuberculosis" / "c.bmp", 3)
        (tmp_path / "Tuberculosis" / "notes.txt").write_text("no image")
        draw(tmp_path / "loose.png", 4)
        dataset = read(tmp_path)
        assert_table(dataset)
        assert labels(dataset) == {"a.png": 0, "b.tif": 1, "c.bmp": 1}
        assert by_name(dataset, "cause") == {"a.png": "", "b.tif": "covid-19", "c.bmp": "tuberculosis"}
        assert dataset.table["official"].isna().all()
        assert dataset.ages is None
        assert dataset.unlisted == ["loose.png"]
        assert (dataset.negative_name, dataset.positive_name) == ("healthy", "covid-19 or tuberculosis")

    def test_dicom_without_a_suffix_counts(self, dicom_folder: Path, tmp_path: Path) -> None:
        for folder in ("normal", "pneumonia"):
            (tmp_path / folder).mkdir()
        source = dicom_folder / "dx_1024_implicit_little_endian.dcm"
        shutil.copy(source, tmp_path / "normal" / "IM000001")
        shutil.copy(source, tmp_path / "pneumonia" / "1.2.840.113619.2")
        (tmp_path / "normal" / "README").write_text("no image")
        dataset = read(tmp_path)
        assert labels(dataset) == {"IM000001": 0, "1.2.840.113619.2": 1}
        assert dataset.table["patient"].str.startswith("dicom-").all()

    def test_unknown_names_ask_for_positive(self, tmp_path: Path) -> None:
        draw(tmp_path / "a" / "1.png", 1)
        draw(tmp_path / "b" / "2.png", 2)
        with pytest.raises(NeumoError, match=r"got the classes 'a', 'b', expected .* --positive"):
            read(tmp_path)
        assert labels(read(tmp_path, positive="B")) == {"1.png": 0, "2.png": 1}
        with pytest.raises(NeumoError, match=r"no class 'c' .* expected one of 'a', 'b'"):
            read(tmp_path, positive=["c"])

    def test_what_neumo_wrote_is_no_class(self, tmp_path: Path) -> None:
        """Neither the results of a study nor a split, which is data where it is named itself."""
        draw(tmp_path / "normal" / "1.png", 1)
        draw(tmp_path / "sick" / "2.png", 2)
        draw(claim(tmp_path / "run", "study") / "figures" / "roc.png", 3)
        images = [draw(tmp_path / "source" / f"{i}.png", i) for i in range(4)]
        rows = pd.DataFrame({"path": map(str, images), "label": [0, 1, 0, 1]})
        rows["sha256"] = [hashlib.sha256(image.read_bytes()).hexdigest() for image in images]
        lay_out(rows.assign(part=["train", "train", "test", "test"]), tmp_path / "split")
        assert len(read(tmp_path / "split").table) == 4
        shutil.rmtree(tmp_path / "source")
        dataset = read(tmp_path)
        assert labels(dataset) == {"1.png": 0, "2.png": 1}
        assert dataset.positive_name == "sick"

    def test_a_link_to_nothing_is_a_missing_image(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        draw(tmp_path / "normal" / "1.png", 1)
        draw(tmp_path / "sick" / "2.png", 2)
        (tmp_path / "sick" / "3.png").symlink_to(tmp_path / "nowhere.png")
        dataset = survey(tmp_path)
        assert labels(dataset) == {"1.png": 0, "2.png": 1}
        assert (dataset.missing, dataset.rows, dataset.listed_counts) == (["sick/3.png"], 3, {0: 1, 1: 2})
        with pytest.raises(NeumoError, match=r"sick/3.png: got a link to a file that .* --skip-missing"):
            read(tmp_path)
        assert capsys.readouterr().err == ""
        assert len(read(tmp_path, skip_missing=True).table) == 2
        said = f"neumo: {tmp_path}: leaves out 1 images that are links to nothing, pipes or devices\n"
        assert capsys.readouterr().err == said
        (tmp_path / "normal" / "4.png").symlink_to(tmp_path / "normal" / "4.png")
        loose = survey(tmp_path / "normal")
        assert (labels(loose), loose.missing) == ({"1.png": -1}, ["4.png"])
        (tmp_path / "normal" / "1.png").unlink()
        with pytest.raises(NeumoError, match="got links only"):
            survey(tmp_path / "normal")

    def test_a_class_does_not_reach_another(self, tmp_path: Path) -> None:
        draw(tmp_path / "NORMAL" / "1.png", 1)
        draw(tmp_path / "PNEUMONIA" / "2.png", 2)
        (tmp_path / "NORMAL" / "all").symlink_to("..")
        assert labels(read(tmp_path)) == {"1.png": 0, "2.png": 1}
        (tmp_path / "NORMAL" / "more").symlink_to("../PNEUMONIA")
        with pytest.raises(
            NeumoError, match=r"2.png: got the same file as .*2.png, expected it in one class"
        ):
            read(tmp_path)

    def test_a_pipe_is_told(self, tmp_path: Path) -> None:
        draw(tmp_path / "NORMAL" / "1.png", 1)
        draw(tmp_path / "PNEUMONIA" / "2.png", 2)
        os.mkfifo(tmp_path / "NORMAL" / "pipe.png")
        with pytest.raises(NeumoError, match=r"pipe.png: got a pipe or device, expected an image"):
            read(tmp_path)

    def test_one_class_only(self, tmp_path: Path) -> None:
        draw(tmp_path / "NORMAL" / "1.png")
        with pytest.raises(NeumoError, match=r"got one class only \(normal\), expected"):
            read(tmp_path)

    def test_a_column_that_no_table_has_is_not_ignored(self, tmp_path: Path) -> None:
        for i, name in enumerate(("normal/1", "sick/2", "normal/3", "sick/4")):
            draw(tmp_path / f"{name}.png", i)
        for tables in ((), ("ages.csv", "sites.csv")):
            for table in tables:
                (tmp_path / table).write_text("path,label,person\nnormal/1.png,normal,7\n")
            with pytest.raises(
                NeumoError, match=r"got --patient-column 'persn' and no table that has it beside paths and"
            ):
                read(tmp_path, patient_column="persn")
            assert len(read(tmp_path).table) == 4

    def test_positive_naming_every_class_is_one_class_only(self, tmp_path: Path) -> None:
        draw(tmp_path / "a" / "1.png", 1)
        draw(tmp_path / "b" / "2.png", 2)
        with pytest.raises(NeumoError, match="got one class only"):
            read(tmp_path, positive=["a", "b"])


class TestListing:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        draw(tmp_path / "images" / "a.png", 1)
        draw(tmp_path / "images" / "b.png", 2)
        draw(tmp_path / "images" / "c.png", 3)
        return tmp_path

    def written(self, folder: Path, text: str, name: str = "table.csv") -> Path:
        (folder / name).write_text(text)
        return folder / name

    def test_usual_names(self, folder: Path) -> None:
        file = self.written(
            folder,
            "Patient ID,Image Path,Finding,Split\n"
            "7,images/a.png,No Finding,train\n"
            "8,images/b.png,Pneumonia,test\n",
        )
        dataset = read(file)
        assert_table(dataset)
        assert labels(dataset) == {"a.png": 0, "b.png": 1}
        assert by_name(dataset, "patient") == {"a.png": "7", "b.png": "8"}
        assert by_name(dataset, "official") == {"a.png": "train", "b.png": "test"}
        assert by_name(dataset, "cause") == {"a.png": "", "b.png": "pneumonia"}
        assert dataset.unlisted == ["images/c.png"]
        assert dataset.layout == "listing"

    def test_a_folder_that_holds_one(self, folder: Path) -> None:
        self.written(folder, "path,label\nimages/a.png,0\nimages/b.png,1\n")
        assert labels(read(folder)) == {"a.png": 0, "b.png": 1}

    def test_findings_of_which_few_name_pneumonia(self, folder: Path) -> None:
        draw(folder / "images" / "d.png", 4)
        draw(folder / "images" / "e.png", 5)
        file = self.written(
            folder,
            "Image Index,Finding Labels\na.png,No Finding\nb.png,Infiltration|Pneumonia\nc.png,Cardiomegaly\n"
            "d.png,Effusion\ne.png,Mass\n",
        )
        with pytest.raises(NeumoError, match=r"table.csv .*: got classes that name pneumonia .*--positive"):
            read(file)
        for asked in ("Pneumonia", "Infiltration|Pneumonia"):
            dataset = read(file, positive=asked)
            assert [name for name, label in labels(dataset).items() if label] == ["b.png"]
            assert (dataset.negative_name, dataset.positive_name) == (f"not {asked.lower()}", asked.lower())

    def test_0_and_1_under_a_heading(self, folder: Path) -> None:
        file = self.written(folder, "path,Tuberculosis,No Finding\nimages/a.png,0,1\nimages/b.png,1,0\n")
        dataset = read(file, label_column="Tuberculosis")
        assert labels(dataset) == {"a.png": 0, "b.png": 1}
        assert (dataset.negative_name, dataset.positive_name) == ("not tuberculosis", "tuberculosis")
        with pytest.raises(NeumoError, match=r"got 1 for 'No Finding', expected .* --positive 0"):
            read(file, label_column="No Finding")
        dataset = read(file, label_column="No Finding", positive="0")
        assert labels(dataset) == {"a.png": 0, "b.png": 1}
        assert (dataset.negative_name, dataset.positive_name) == ("no finding", "finding")

    @pytest.mark.parametrize("separator", [";", "\t", "|"])
    def test_other_separators(self, separator: str, folder: Path) -> None:
        text = "path,label\nimages/a.png,normal\nimages/b.png,pneumonia\n".replace(",", separator)
        assert labels(read(self.written(folder, text))) == {"a.png": 0, "b.png": 1}

    @pytest.mark.parametrize("values", [[0, 1], [0.0, 1.0], [False, True], ["normal", "virus"]])
    def test_parquet(self, values: list[object], folder: Path) -> None:
        frame = pd.DataFrame({"file": ["images/a.png", "images/b.png"], "y": values})
        frame.to_parquet(folder / "table.parquet")
        assert labels(read(folder / "table.parquet")) == {"a.png": 0, "b.png": 1}

    def test_given_columns(self, folder: Path) -> None:
        file = self.written(folder, "wo,was,wer\nimages/a.png,gesund,x\nimages/b.png,krank,y\n")
        dataset = read(file, path_column="wo", label_column="was", patient_column="wer", positive="krank")
        assert labels(dataset) == {"a.png": 0, "b.png": 1}
        assert by_name(dataset, "patient") == {"a.png": "x", "b.png": "y"}
        assert labels(read(folder, path_column="wo", label_column="was", positive="krank")) == labels(dataset)

    def test_names_alone_are_looked_for_below(self, folder: Path) -> None:
        file = self.written(folder, "image_id,label\na,0\nb.png,1\n")
        assert labels(read(file)) == {"a.png": 0, "b.png": 1}

    def test_an_ambiguous_name_is_missing(self, folder: Path) -> None:
        draw(folder / "other" / "a.png", 9)
        with pytest.raises(
            NeumoError, match=r"a.png: got 2 files that end so \(images/a.png, other/a.png\), expected"
        ):
            read(self.written(folder, "path,label\na.png,0\nb.png,1\n"))

    def test_windows_paths(self, folder: Path) -> None:
        file = self.written(folder, "path,label\nimages\\a.png,0\nimages\\b.png,1\n")
        assert labels(read(file)) == {"a.png": 0, "b.png": 1}

    def test_a_saved_split(self, folder: Path) -> None:
        sha256 = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (folder / "images").iterdir()}
        file = self.written(
            folder,
            f"path,sha256,label,part\na.png,{sha256['a.png']},0,train\nb.png,{sha256['b.png']},1,test\n",
        )
        dataset = read(file)
        assert labels(dataset) == {"a.png": 0, "b.png": 1}
        assert dataset.table["official"].isna().all()

    def test_other_bytes_than_listed(self, folder: Path) -> None:
        file = self.written(folder, f"path,sha256,label\nimages/a.png,{'0' * 64},0\nimages/b.png,,1\n")
        with pytest.raises(NeumoError, match=r"a.png: got SHA-256 .*, expected 000000000000... as row 1"):
            read(file)

    def test_a_missing_image_is_an_error_unless_skipped(self, folder: Path) -> None:
        file = self.written(folder, "path,label\nimages/a.png,0\nimages/b.png,1\nimages/gone.png,1\n")
        with pytest.raises(NeumoError, match=r"gone.png: got no such file, .* row 3 of .*table.csv"):
            read(file)
        dataset = read(file, skip_missing=True)
        assert labels(dataset) == {"a.png": 0, "b.png": 1}
        assert (dataset.rows, dataset.missing) == (3, ["images/gone.png"])
        assert dataset.listed_counts == {0: 1, 1: 2}

    @pytest.mark.parametrize("row", ["images/c.png,", ",1", "images/c.png,NaN", "images/c.png,  "])
    def test_an_empty_cell_names_the_row(self, row: str, folder: Path) -> None:
        file = self.written(folder, f"path,label\nimages/a.png,0\nimages/b.png,1\n{row}\n")
        with pytest.raises(NeumoError, match=r"table.csv: got no (path|label) in row 3 \(column"):
            read(file)

    def test_numbers_other_than_0_and_1(self, folder: Path) -> None:
        file = self.written(folder, "path,label\nimages/a.png,0\nimages/b.png,1\nimages/c.png,2\n")
        with pytest.raises(
            NeumoError, match=r"got the label '2' in row 3, expected 0 or 1, or .* --positive"
        ):
            read(file)
        assert labels(read(file, positive=["1", "2"])) == {"a.png": 0, "b.png": 1, "c.png": 1}

    def test_repeated_rows(self, folder: Path) -> None:
        file = self.written(folder, "path,label\nimages/a.png,0\nimages/b.png,1\nimages/b.png,1\n")
        dataset = read(file)
        assert (len(dataset.table), dataset.rows, dataset.repeated) == (2, 3, ["images/b.png"])
        file = self.written(folder, "path,label\nimages/a.png,0\nimages/b.png,1\nimages/b.png,0\n")
        with pytest.raises(NeumoError, match=r"b.png: got another label in row 3"):
            read(file)

    def test_without_the_columns_lists_those_found(self, folder: Path) -> None:
        file = self.written(folder, "path,grade\nimages/a.png,0\n")
        with pytest.raises(NeumoError, match=r"'path', 'grade'.*--label-column"):
            read(file)
        with pytest.raises(NeumoError, match=r"got no column 'nope', .*'path', 'grade'"):
            read(file, label_column="nope")
        with pytest.raises(NeumoError, match=r"got no column 'nope', .*'path', 'grade'"):
            read(folder, label_column="nope")

    def test_one_class_only(self, folder: Path) -> None:
        with pytest.raises(NeumoError, match="got one class only"):
            read(self.written(folder, "path,label\nimages/a.png,1\nimages/b.png,1\n"))

    @pytest.mark.parametrize(
        ("name", "content", "told"),
        [
            ("prose.csv", b"Dear colleague,\nthe images follow by post.\n\nYours\n", "expected"),
            ("empty.csv", b"", "got an empty file"),
            ("head.csv", b"path,label\n", "got no rows"),
            ("binary.csv", b"\x89PNG\r\n\x1a\n\xff\xfe\x00", "got bytes that are not UTF-8 text"),
            ("ragged.csv", b"path,label\na,b,c,d\ne\n1,2,3,4,5,6\n", "got 4 values in row 1, expected 2"),
            ("table.parquet", b"path,label\na.png,0\n", "got something that is not Parquet"),
        ],
    )
    def test_what_is_no_table(self, name: str, content: bytes, told: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(NeumoError) as error:
            read(tmp_path / name)
        assert name in str(error.value)
        assert told in str(error.value)
        assert "\n" not in str(error.value)


class TestNothingToRead:
    def test_no_such_path(self, tmp_path: Path) -> None:
        with pytest.raises(NeumoError, match="nowhere: got no such file or folder, expected"):
            read(tmp_path / "nowhere")
        with pytest.raises(NeumoError, match=r"^~nobody-of-this-name/x: got no such file or folder"):
            read("~nobody-of-this-name/x")

    def test_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(NeumoError, match="got a folder without images, expected"):
            survey(tmp_path)

    def test_a_file_of_another_kind(self, tmp_path: Path) -> None:
        (tmp_path / "notes.docx").write_text("words")
        with pytest.raises(NeumoError, match=r"notes.docx: got a file that is neither an image nor a table"):
            survey(tmp_path / "notes.docx")

    def test_images_without_labels_can_be_looked_at_only(self, tmp_path: Path) -> None:
        draw(tmp_path / "a.png")
        for data in (tmp_path, tmp_path / "a.png"):
            dataset = survey(data)
            assert labels(dataset) == {"a.png": -1}
            with pytest.raises(NeumoError, match="got an image without a label; expected"):
                read(data)

    def test_a_name_that_is_not_utf8(self, tmp_path: Path) -> None:
        draw(tmp_path / "a.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
        with pytest.raises(
            NeumoError, match=r"caf\\xe9.png: got a file name that is not UTF-8, expected one"
        ):
            survey(tmp_path)

    def test_several_tables(self, tmp_path: Path) -> None:
        draw(tmp_path / "a.png")
        for name in ("one.csv", "two.csv"):
            (tmp_path / name).write_text("path,label\na.png,0\n")
        with pytest.raises(NeumoError, match=r"got several tables \(one.csv, two.csv\)"):
            read(tmp_path)


@pytest.mark.parametrize("data", [None, 3, ["CoronaHack"], pd.DataFrame({"path": ["a.png"], "label": [0]})])
def test_what_is_no_path_is_told(data: object) -> None:
    for look in (read, audit):
        with pytest.raises(NeumoError, match=r"^data: got .*, expected the path of a folder or a file$"):
            look(data)  # type: ignore[arg-type]
