"""Folders of classes are told from folders of anything else."""

from __future__ import annotations

import itertools
from pathlib import Path

import pandas as pd
import pytest

import neumo
from neumo.data.sources import survey
from neumo.errors import NeumoError
from tests.data.found import found_at
from tests.data.pictures import draw


def test_masks_beside_images_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the COVID-19 Radiography Database has them."""
    for i, name in enumerate(("COVID", "Normal", "Normal")):
        draw(tmp_path / name / "images" / f"{i}.png", i)
        draw(tmp_path / name / ("Masks" if i else "lung masks") / f"{i}.png", 10 + i)
    table = neumo.read(tmp_path).table
    assert sorted(Path(path).parent.name for path in table["path"]) == ["images"] * 3
    assert capsys.readouterr().err == f"neumo: {tmp_path}: leaves out 3 images in folders of masks\n"


def test_classes_of_masks_alone(tmp_path: Path) -> None:
    for i, name in enumerate(("Normal", "Pneumonia")):
        draw(tmp_path / name / "masks" / f"{i}.png", i)
    with pytest.raises(NeumoError, match=r"got 0 rows but none of their images, expected images"):
        neumo.read(tmp_path)


def test_a_folder_of_masks_is_no_class(tmp_path: Path) -> None:
    for i in range(3):
        draw(tmp_path / "images" / f"{i}.png", i)
        draw(tmp_path / "masks" / f"{i}.png", i)
    pd.DataFrame({"image": ["0", "1", "2"], "label": [0, 1, 1]}).to_csv(tmp_path / "t.csv", index=False)
    table = neumo.read(tmp_path, path_column="image").table
    assert table["label"].tolist() == [0, 1, 1]


@pytest.mark.parametrize("folders", [("0", "1", "2"), ("images_001", "images_002")])
def test_folders_that_only_hold_what_a_table_lists_are_no_classes(
    folders: tuple[str, ...], tmp_path: Path
) -> None:
    """PadChest has folders 0, 1, ..., NIH ChestX-ray14 images_001, ...; a table says what is in them."""
    for i in range(6):
        draw(tmp_path / folders[i % len(folders)] / f"a{i}.png", i)
    label = ["normal", "normal", "normal", "pneumonia", "normal", "pneumonia"]
    table = pd.DataFrame({"ImageID": [f"a{i}.png" for i in range(6)], "Labels": label})
    table.to_csv(tmp_path / "listed.csv", index=False)
    found = neumo.read(tmp_path)
    assert found.layout == "listing"
    assert found.table["label"].tolist() == [0, 0, 0, 1, 0, 1]


def test_folders_with_numbers_are_classes_where_they_are_0_and_1(tmp_path: Path) -> None:
    for i in range(4):
        draw(tmp_path / str(i % 2) / f"{i}.png", i)
    assert neumo.read(tmp_path).listed_counts == {0: 2, 1: 2}
    draw(tmp_path / "2" / "4.png", 4)
    with pytest.raises(
        NeumoError, match=r"got the classes .0., .1., .2., expected 0 and 1, names, or .* --positive"
    ):
        neumo.read(tmp_path)
    assert neumo.read(tmp_path, positive=["1", "2"]).listed_counts == {0: 2, 1: 3}


def test_named_classes_go_before_a_table_beside_them(tmp_path: Path) -> None:
    for i, name in enumerate(("normal", "pneumonia")):
        draw(tmp_path / name / f"{i}.png", i)
    pd.DataFrame({"path": ["normal/0.png"], "label": ["pneumonia"]}).to_csv(tmp_path / "t.csv", index=False)
    assert neumo.read(tmp_path).layout == "class-folders"


def test_masks_are_not_predicted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = draw(tmp_path / "images" / "0.png")
    mask = draw(tmp_path / "infection masks" / "0.png", 1)
    assert found_at(tmp_path) == [str(image)]
    assert capsys.readouterr().err == f"neumo: {tmp_path}: leaves out 1 images in folders of masks\n"
    assert found_at(mask.parent) == [str(mask)]


def test_images_beside_the_classes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A third part, classes beside the parts, and a test part without classes, as Kaggle has them."""
    for i, name in enumerate(("NORMAL", "PNEUMONIA")):
        draw(tmp_path / "train" / name / f"{i}.png", i)
        draw(tmp_path / "evaluation" / name / f"{i}.png", 10 + i)
        draw(tmp_path / name / f"{i}.png", 20 + i)
    draw(tmp_path / "test" / "loose.png", 30)
    draw(tmp_path / "train" / "unknown" / "x.png", 31)
    found = neumo.read(tmp_path)
    assert [Path(path).parent.parent.name for path in found.table["path"]] == ["train", "train"]
    assert found.unlisted == [
        "NORMAL/0.png",
        "PNEUMONIA/1.png",
        "evaluation/NORMAL/0.png",
        "evaluation/PNEUMONIA/1.png",
        "test/loose.png",
        "train/unknown/x.png",
    ]
    assert f"neumo: {tmp_path}: leaves out 6 images beside the class folders" in capsys.readouterr().err


def test_a_folder_that_is_called_after_masks_among_others_is_kept(tmp_path: Path) -> None:
    for i, name in enumerate(("Normal", "COVID-19")):
        for part in ("Train", "Test"):
            folder = tmp_path / "Lung Segmentation Data" / part / name
            draw(folder / "images" / f"{part}{i}.png", i)
            draw(folder / "lung masks" / f"{part}{i}.png", 9)
    assert neumo.read(tmp_path).listed_counts == {0: 2, 1: 2}
    assert len(found_at(tmp_path)) == 4


def test_an_inner_copy_is_known_by_its_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever it is called; a folder that is called as the outer one and holds something else is told."""
    for inner in (tmp_path, tmp_path / "chest_xray"):
        for i, name in enumerate(("NORMAL", "PNEUMONIA")):
            draw(inner / "train" / name / f"{i}.png", i)
            draw(inner / "test" / name / f"t{i}.png", 5 + i)
    assert neumo.read(tmp_path).unlisted == []
    assert capsys.readouterr().err == ""
    draw(tmp_path / tmp_path.name / "other.png", 8)
    assert neumo.read(tmp_path).unlisted == [f"{tmp_path.name}/other.png"]


def official(folder: Path) -> dict[str, str]:
    """Name of each image -> its official part, "none" where there is none."""
    table = neumo.read(folder).table
    return dict(zip(map(stem_of, table["path"]), table["official"].fillna("none"), strict=True))


def stem_of(path: str) -> str:
    return Path(path).stem


@pytest.mark.parametrize(
    ("training", "test", "validation", "ill"),
    [
        ("Training set", "test_images", "val_set", "PNEUMONIA"),
        ("entrenamiento", "prueba", "Validaci\u00f3n", "Neumon\u00eda"),
    ],
)
def test_parts_by_other_names(training: str, test: str, validation: str, ill: str, tmp_path: Path) -> None:
    expected = {}
    for i, name in enumerate(("NORMAL", ill)):
        for part in (training, test, validation):
            draw(tmp_path / part / name / f"{part[0]}{i}.png", 20 * i + len(part))
            expected[f"{part[0]}{i}"] = "test" if part == test else "train"
    assert official(tmp_path) == expected


def test_classes_with_parts_inside(tmp_path: Path) -> None:
    """What lies in a class beside its parts counts as training, as does a class without parts."""
    for i, name in enumerate(("Normal", "Pneumonia")):
        for part in ("train/deep", "test", "Validation", "masks", ""):
            draw(tmp_path / name / part / f"{part[:2]}{i}.png", 20 * i + len(part))
    draw(tmp_path / "Viral" / "images" / "y.png", 51)
    train, test = ("tr0", "tr1", "Va0", "Va1", "0", "1"), ("te0", "te1")
    expected = dict.fromkeys((*train, "y"), "train") | dict.fromkeys(test, "test")
    assert official(tmp_path) == expected


def test_many_folders_of_which_none_is_called_as_a_class(tmp_path: Path) -> None:
    """Patients of MIMIC-CXR and BIMCV, studies of an export; tables beside them are named."""
    for i in range(13):
        draw(tmp_path / f"p100000{i}" / "s1" / f"{i}.png", i)
    with pytest.raises(NeumoError, match=r"got 13 images without a label; expected .* label column$"):
        neumo.read(tmp_path)
    pd.DataFrame({"subject": ["a"], "finding": ["x"]}).to_csv(tmp_path / "mimic.csv.gz", index=False)
    with pytest.raises(
        NeumoError, match=r"; or name a table \(mimic.csv.gz\) with --path-column and --label-column$"
    ):
        neumo.read(tmp_path)
    assert neumo.read(tmp_path, positive="p1000001").listed_counts == {0: 12, 1: 1}
    (tmp_path / "p1000000").rename(tmp_path / "Normal")
    assert neumo.read(tmp_path).listed_counts == {0: 1, 1: 12}


def test_few_folders_beside_a_table_name_it(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"p1{i}" / f"{i}.png", i)
    (tmp_path / "t.csv").write_text("subject,finding\na,x\n")
    with pytest.raises(NeumoError, match=r"--positive NAME; or name a table \(t.csv\) with --path-column"):
        neumo.read(tmp_path)


def test_patients_are_told_by_their_folders(tmp_path: Path) -> None:
    for i, name in enumerate(("normal", "pneumonia")):
        for view in ("a", "b"):
            draw(tmp_path / name / f"patient0000{i}" / f"{view}.png", i)
    assert neumo.read(tmp_path).table["patient"].tolist() == ["patient00000"] * 2 + ["patient00001"] * 2


def test_a_kind_of_pneumonia_on_the_negative_side_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i, name in enumerate(("normal", "pneumonia", "atypical pneumonia", "atypical pneumonia")):
        draw(tmp_path / name / f"{i}.png", i)
    assert neumo.read(tmp_path, positive="pneumonia").listed_counts == {0: 3, 1: 1}
    said = f"neumo: {tmp_path}: counts 2 images of 'atypical pneumonia' as negative; --positive NAME"
    assert capsys.readouterr().err.startswith(said)
    assert neumo.read(tmp_path).listed_counts == {0: 1, 1: 3}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("positive", [None, "pneumonia"])
def test_hospitals_around_the_classes_are_told(positive: str | None, tmp_path: Path) -> None:
    for i, (hospital, name) in enumerate(itertools.product("AB", ("normal", "pneumonia"))):
        draw(tmp_path / hospital / name / "1.png", i)
    found = survey(tmp_path, positive=positive)
    assert found.table["label"].tolist() == [-1] * 4
    assert found.faults == (
        f"{tmp_path}: got folders that have classes inside ('A', 'B'), expected the classes outermost, as "
        "normal/A and pneumonia/A; or name one folder",
    )
    assert len(neumo.read(tmp_path / "A").table) == 2


@pytest.mark.parametrize("test", ["test/images", "test/test", "Test/Data", "test/Normal/images", "images"])
def test_a_folder_without_a_class_beside_named_ones_is_none(
    test: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of competitions, whose images to test on come without their classes."""
    for i, name in enumerate(("NORMAL", "PNEUMONIA")):
        draw(tmp_path / ("train" if test != "images" else "") / name / f"{i}.png", i)
    draw(tmp_path / test / "x.png", 9)
    is_class = "Normal" in test
    for positive in (None, "pneumonia"):
        found = neumo.read(tmp_path, positive=positive)
        assert found.listed_counts == {0: 1 + is_class, 1: 1}
        assert found.unlisted == [] if is_class else [f"{test}/x.png"]
        assert ("leaves out 1 images beside the class folders" in capsys.readouterr().err) is not is_class


def test_folders_without_a_class_around_named_ones(tmp_path: Path) -> None:
    for i, name in enumerate(("NORMAL", "PNEUMONIA")):
        draw(tmp_path / "images" / name / f"{i}.png", i)
    assert neumo.read(tmp_path).listed_counts == {0: 1, 1: 1}


@pytest.mark.parametrize("classes", ["sick fine", "0 1 2"])
@pytest.mark.parametrize("heap", ["test/images", "train/all"])
def test_a_folder_without_a_class_is_not_negative_where_positive_ones_are_named(
    classes: str, heap: str, tmp_path: Path
) -> None:
    names = classes.split()
    for i, name in enumerate([*names, heap]):
        draw(tmp_path / (name if name == heap else f"train/{name}") / f"{i}.png", i)
    found = neumo.read(tmp_path, positive=names[0])
    assert found.listed_counts == {0: len(names) - 1, 1: 1}
    assert found.unlisted == [f"{heap}/{len(names)}.png"]


def test_images_beside_normal_alone_are_no_pneumonia(tmp_path: Path) -> None:
    for i, name in enumerate(("normal", "images")):
        draw(tmp_path / name / f"{i}.png", i)
    with pytest.raises(NeumoError, match=r"got one class only \(normal\)"):
        neumo.read(tmp_path)
