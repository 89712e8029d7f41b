"""Tables of one data set are read as one; tables of several are not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

import neumo
from neumo.data.joined import in_folder
from neumo.data.sources import survey
from neumo.errors import NeumoError
from tests.data.pictures import draw


def in_parts(folder: Path, first: str = "train.csv", second: str = "test.csv") -> Path:
    """Two tables, each with the images 0.png and 1.png in the folder of its part."""
    for i, part in enumerate(("train", "test")):
        for name in "01":
            draw(folder / part / f"{name}.png", 2 * i + int(name))
    (folder / first).write_text("image,patient,label\n0.png,p1,0\n1.png,p2,1\n")
    (folder / second).write_text("image,label,reader\n0.png,1,x\n1.png,0,y\n")
    return folder


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("train.csv", "test.csv"),
        ("labels_train.csv.gz", "labels_test.csv.gz"),
        ("train-v1.csv", "test-v1.csv"),
    ],
)
def test_tables_called_by_their_parts_are_one(
    first: str, second: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_parts(tmp_path)
    for old, new in (("train.csv", first), ("test.csv", second)):
        content = (tmp_path / old).read_bytes()
        (tmp_path / old).unlink()
        if new.endswith(".gz"):
            content = gzip.compress(content)
        (tmp_path / new).write_bytes(content)
    found = neumo.read(tmp_path)
    rows = found.table[["path", "label", "official"]]
    wanted = [
        ("test", "0", 1, "test"),
        ("test", "1", 0, "test"),
        ("train", "0", 0, "train"),
        ("train", "1", 1, "train"),
    ]
    got = [
        (Path(p).parent.name, Path(p).stem, label, part) for p, label, part in rows.itertuples(index=False)
    ]
    assert sorted(got) == wanted
    assert found.table["patient"].isna().tolist().count(True) == 2
    assert (found.name, found.unlisted, found.rows) == (tmp_path.name, [], 4)
    assert capsys.readouterr().err == f"neumo: {tmp_path}: reads {second} and {first}, one after the other\n"


def test_a_column_of_parts_goes_before_the_tables_names(tmp_path: Path) -> None:
    in_parts(tmp_path)
    (tmp_path / "train.csv").write_text("image,label,split\n0.png,0,test\n1.png,1,train\n")
    with pytest.raises(NeumoError, match="got several tables"):
        survey(tmp_path)
    (tmp_path / "test.csv").write_text("image,label,split\n0.png,0,test\n1.png,1,test\n")
    assert sorted(neumo.read(tmp_path).table["official"]) == ["test", "test", "test", "train"]


def test_a_row_without_a_label_is_a_fault(tmp_path: Path) -> None:
    in_parts(tmp_path)
    (tmp_path / "test.csv").write_text("image,label\n0.png,1\n1.png,\n")
    with pytest.raises(NeumoError, match=r"test\.csv and train\.csv: got no label in row 2"):
        neumo.read(tmp_path)


def test_names_that_are_of_one_file_in_the_folder_are_found_there(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for name in ("a.png", "b.dcm", "c.png", "c.jpg", "d.v2.png"):
        (tmp_path / "train" / name).touch()
    names = [" a.png ", "a", "b", "c", "c.jpg", "d.v2", "d", "e", "other/a.png"]
    found = in_folder(pd.Series(names), tmp_path, "train")
    a, b, c, d = ("train/a.png", "train/b.dcm", "train/c.jpg", "train/d.v2.png")
    assert found.tolist() == [a, a, b, "c", c, d, "d", "e", "other/a.png"]
    assert in_folder(pd.Series(names), tmp_path, "test").tolist() == names


def test_a_given_column_is_that_of_both(tmp_path: Path) -> None:
    in_parts(tmp_path)
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text("image,label,edema\n0.png,0,1\n1.png,0,0\n")
    assert neumo.read(tmp_path, label_column="edema").positive_name == "edema"


@pytest.mark.parametrize(
    "second", ["other.csv", "test_all.csv", "train_test.csv", "training-test.csv", "a_train.csv"]
)
def test_tables_called_otherwise_are_several(second: str, tmp_path: Path) -> None:
    with pytest.raises(NeumoError, match=r"got several tables .* expected one of them to be named"):
        survey(in_parts(tmp_path, second=second))


def test_tables_of_other_headings_are_several(tmp_path: Path) -> None:
    in_parts(tmp_path)
    (tmp_path / "test.csv").write_text("file,label\n0.png,1\n")
    with pytest.raises(NeumoError, match="got several tables"):
        survey(tmp_path)


def test_a_fault_names_both_tables_and_the_row_after_all_others(tmp_path: Path) -> None:
    in_parts(tmp_path)
    (tmp_path / "test" / "1.png").unlink()
    (tmp_path / "train" / "1.png").unlink()
    listed = r"listed in row 2 of .*/test.csv and train.csv; .*more"
    with pytest.raises(NeumoError, match=listed):
        neumo.read(tmp_path)
    assert len(survey(tmp_path).faults) == 2
