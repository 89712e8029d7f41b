"""A table's cells say what they say."""

from __future__ import annotations

import gzip
import os
import unicodedata
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest

import neumo
from neumo.data import cells
from neumo.data.columns import load
from neumo.data.patients import patients_in
from neumo.data.sources import survey
from neumo.errors import NeumoError
from tests.data.found import found_at
from tests.data.pictures import draw


def test_none_is_a_class_and_na_a_patient(tmp_path: Path) -> None:
    for name in "abcd":
        draw(tmp_path / f"{name}.png")
    rows = [
        ("a.png", "None", "NA"),
        ("b.png", "None", ""),
        ("c.png", "pneumonia", "null"),
        ("d.png", "pneumonia", "NA"),
    ]
    pd.DataFrame(rows, columns=["path", "label", "patient"]).to_csv(tmp_path / "t.csv", index=False)
    table = neumo.read(tmp_path / "t.csv").table
    assert table["label"].tolist() == [0, 0, 1, 1]
    assert table["patient"].fillna("unknown").tolist() == ["NA", "unknown", "null", "NA"]


@pytest.mark.parametrize(("positive", "first"), [(None, None), (["Unknown"], "unknown")])
def test_what_says_nothing_is_missing(positive: list[str] | None, first: str | None) -> None:
    """Unless it is given as a positive label; findings in brackets may have quotes, or none."""
    frame = pd.DataFrame(
        {"l": ["unknown", "[mass, edema]", "['mass', '']", " "], "s": ["nan", "train", "NaN", " test "]}
    )
    found = cells.cleaned(frame, {"label": "l", "official": "s", "patient": None}, positive)
    assert cells.or_none(found["label"]) == [first, "mass|edema", "mass", None]
    assert cells.or_none(found["official"]) == [None, "train", None, "test"]
    assert cells.or_none(found["patient"]) == [None] * 4


def with_views(folder: Path, heading: str, views: list[str]) -> Path:
    rows = []
    for i, view in enumerate(views):
        draw(folder / f"{i}.png", i)
        rows.append((f"{i}.png", ["normal", "pneumonia"][i % 2], view))
    pd.DataFrame(rows, columns=["path", "label", heading]).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


@pytest.mark.parametrize(
    ("heading", "frontal", "lateral"),
    [
        ("Frontal/Lateral", "Frontal", "Lateral"),  # CheXpert
        ("ViewPosition", "PA", "LL"),  # MIMIC-CXR
        ("Projection", "AP_horizontal", "L"),  # PadChest
        ("View Position", "AP", " lateral "),
    ],
)
def test_rows_of_lateral_views_are_left_out_and_told(
    heading: str, frontal: str, lateral: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = with_views(tmp_path, heading, [frontal, "", lateral, lateral, frontal])
    found = neumo.read(file)
    assert [Path(path).name for path in found.table["path"]] == ["0.png", "1.png", "4.png"]
    assert (found.lateral, found.unlisted, found.rows) == (["2.png", "3.png"], [], 5)
    assert found.listed_counts == {0: 2, 1: 1}
    assert capsys.readouterr().err == f"neumo: {file}: 2 rows are lateral views; left out\n"
    assert found_at(file) == [str(tmp_path / f"{i}.png") for i in range(5)]
    said = f"neumo: {file}: 2 rows are lateral views (column {heading!r}); classifiers know frontal ones\n"
    assert capsys.readouterr().err == said


def test_lateral_views_only(tmp_path: Path) -> None:
    file = with_views(tmp_path, "view", ["L", "LATERAL"])
    with pytest.raises(
        NeumoError, match=r"t.csv: got lateral views only \(column 'view'\), expected frontal"
    ):
        neumo.read(file)


def test_a_column_of_views_without_lateral_ones_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = neumo.read(with_views(tmp_path, "view", ["PA", "AP", "AP Supine", ""]))
    assert (len(found.table), found.lateral, capsys.readouterr().err) == (4, [], "")
    assert neumo.audit(found).lateral == []


def test_images_that_are_called_by_their_patient(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As RSNA's table of the pneumonia detection challenge: a row per finding, a file per patient."""
    names = ["0004cfab", "000924cf", "0", "1"]
    for i, name in enumerate(names):
        draw(tmp_path / "stage_2_train_images" / f"{name}.png", i)
    rows = [
        (names[0], "", "0"),
        (names[1], "10", "1"),
        (names[1], "90", "1"),
        ("0", "", "0"),
        ("1", "5", "1"),
    ]
    file = tmp_path / "stage_2_train_labels.csv"
    pd.DataFrame(rows, columns=["patientId", "x", "Target"]).to_csv(file, index=False)
    found = neumo.read(file)
    assert [Path(path).stem for path in found.table["path"]] == names
    assert found.table["label"].tolist() == [0, 1, 0, 1]
    assert found.table["patient"].tolist() == names
    assert (
        capsys.readouterr().err == f"neumo: {file}: takes column 'patientId' for paths, as it names images\n"
    )
    assert [Path(path).stem for path in found_at(file)] == [names[i] for i in (0, 1, 1, 2, 3)]
    assert neumo.read(file, path_column="patientId").table["patient"].tolist() == names
    for name in names[1:]:
        (tmp_path / "stage_2_train_images" / f"{name}.png").unlink()
    with pytest.raises(NeumoError, match="got no column that is called like a path"):
        neumo.read(file)


def test_what_names_no_image_is_no_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other files, and labels that happen to be called like images."""
    for i in range(4):
        draw(tmp_path / f"{i}.png", i)
        (tmp_path / f"{i}.txt").write_text("a report")
    rows = [(f"{i}.txt", f"{i}", str(i % 2)) for i in range(4)]
    pd.DataFrame(rows, columns=["report", "xray", "label"]).to_csv(tmp_path / "t.csv", index=False)
    assert [Path(path).name for path in neumo.read(tmp_path / "t.csv").table["path"]] == [
        f"{i}.png" for i in range(4)
    ]
    assert "'xray'" in capsys.readouterr().err
    rows = [(f"x{i}.txt", str(i % 2), "a") for i in range(4)]
    pd.DataFrame(rows, columns=["report", "label", "note"]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(NeumoError, match="got no column that is called like a path"):
        neumo.read(tmp_path / "t.csv")


def test_a_folder_is_read_by_the_table_that_names_a_path(tmp_path: Path) -> None:
    for i in range(4):
        draw(tmp_path / f"{i}.png", i)
    pd.DataFrame([(f"{i}.png", i % 2) for i in range(4)], columns=["path", "label"]).to_csv(
        tmp_path / "labels.csv", index=False
    )
    pd.DataFrame([(i, "f", 40) for i in range(4)], columns=["study_id", "class", "age"]).to_csv(
        tmp_path / "metadata.csv", index=False
    )
    found = neumo.read(tmp_path)
    assert (found.name, found.table["label"].tolist()) == ("labels", [0, 1, 0, 1])


def test_a_heading_that_is_there_twice_but_for_spaces(tmp_path: Path) -> None:
    draw(tmp_path / "0.png")
    draw(tmp_path / "1.png", 1)
    (tmp_path / "t.csv").write_text("id ,id,label\n0,7,0\n1,8,1\n")
    assert [Path(path).name for path in neumo.read(tmp_path / "t.csv").table["path"]] == ["0.png", "1.png"]


def test_rows_without_a_label_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CheXpert's blank says that a report does not mention it."""
    for i in range(4):
        draw(tmp_path / f"{i}.png", i)
    file = tmp_path / "t.csv"
    pd.DataFrame({"Path": [f"{i}.png" for i in range(4)], "Pneumonia": [1.0, None, 0.0, None]}).to_csv(
        file, index=False
    )
    with pytest.raises(NeumoError, match=r"no label in row 2 .* leave such rows out with --skip-missing"):
        neumo.read(file)
    assert neumo.read(file, skip_missing=True).table["label"].tolist() == [1, 0]
    said = f"neumo: {file}: leaves out 2 rows without a label (column 'Pneumonia')\n"
    assert capsys.readouterr().err == said


def test_rows_whose_image_is_missing_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    (tmp_path / "t.csv").write_text("path,label\n0.png,0\n1.png,1\ngone.png,1\nlost.png,\n")
    assert neumo.read(tmp_path / "t.csv", skip_missing=True).missing == ["gone.png"]
    assert capsys.readouterr().err == (
        f"neumo: {tmp_path}/t.csv: leaves out 1 row without a label (column 'label')\n"
        f"neumo: {tmp_path}/t.csv: leaves out 1 row whose image is missing\n"
    )


def test_no_label_at_all_is_an_error_even_so(tmp_path: Path) -> None:
    draw(tmp_path / "0.png")
    pd.DataFrame({"path": ["0.png"], "label": [None]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(NeumoError, match="no label in row 1"):
        neumo.read(tmp_path / "t.csv", skip_missing=True)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_numbers_that_became_fractions_name_their_images(suffix: str, tmp_path: Path) -> None:
    for i in range(1, 5):
        draw(tmp_path / "images" / f"{i}.png", i)
    frame = pd.DataFrame({"id": [1.0, 2.0, 3.0, 4.0], "pneumonia": [True, False, True, False]})
    file = tmp_path / f"t{suffix}"
    frame.to_csv(file, index=False) if suffix == ".csv" else frame.to_parquet(file)
    table = neumo.read(file).table
    assert [Path(path).name for path in table["path"]] == ["1.png", "2.png", "3.png", "4.png"]
    assert table["label"].tolist() == [1, 0, 1, 0]


def test_one_missing_image_leaves_a_column_one_of_paths(tmp_path: Path) -> None:
    for i in range(5):
        draw(tmp_path / "images" / f"{i}.png", i)
    ids = ["0", "1", "gone", "3", "4"]
    pd.DataFrame({"study": ids, "label": [0, 1, 0, 1, 1]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(NeumoError, match="gone: got no such file, expected an image as listed in row 3"):
        neumo.read(tmp_path / "t.csv")
    assert len(neumo.read(tmp_path / "t.csv", skip_missing=True).table) == 4


def test_half_of_the_names_make_a_column_one_of_paths(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / "images" / f"{i}.png", i)
    (tmp_path / "t.csv").write_text("study,empty,label\n0,,0\n1,,1\ngone,,0\nlost,,1\n")
    assert len(neumo.read(tmp_path / "t.csv", skip_missing=True).table) == 2


def test_findings_in_a_list(tmp_path: Path) -> None:
    """As PadChest writes them."""
    for i in range(3):
        draw(tmp_path / f"{i}.png", i)
    label = ["['normal']", "['pneumonia', 'infiltrates']", "['scoliosis']"]
    rows = {"ImageID": ["0.png", "1.png", "2.png"], "Labels": label}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    found = neumo.read(tmp_path / "t.csv", positive="pneumonia")
    assert found.table["label"].tolist() == [0, 1, 0]
    assert (found.positive_name, found.negative_name) == ("pneumonia", "normal or scoliosis")


def test_a_heading_y_is_the_last_to_be_taken_for_labels(tmp_path: Path) -> None:
    """The coordinates of a box are called x and y, and the halves of NIH's "OriginalImage[x,y]" part."""
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    rows = {
        "y]": [0.143, 0.143],
        "Image Index": ["0.png", "1.png"],
        "Finding Labels": ["No Finding", "Pneumonia"],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    assert neumo.read(tmp_path / "t.csv").table["label"].tolist() == [0, 1]


@pytest.mark.parametrize("ill", ["pneumonia", "abnormal"])
@pytest.mark.parametrize(
    "word", ["N/A", "NULL", "#N/A", "?", "-", "unknown", "Uncertain", "not available", "Unclear", "dudoso"]
)
def test_words_for_an_unknown_class_are_no_class(word: str, ill: str, tmp_path: Path) -> None:
    for i in range(3):
        draw(tmp_path / f"{i}.png", i)
    rows = {"path": ["0.png", "1.png", "2.png"], "label": ["normal", word, ill]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(NeumoError, match=r"got no label in row 2 \(column 'label'\)"):
        neumo.read(tmp_path / "t.csv")
    assert neumo.read(tmp_path / "t.csv", skip_missing=True).table["label"].tolist() == [0, 1]


@pytest.mark.parametrize(("no", "yes"), [("normal", "pneumonia"), ("0.0", "1.0")])
def test_minus_one_is_uncertain_beside_both_classes(no: str, yes: str, tmp_path: Path) -> None:
    """As CheXpert and MIMIC-CXR mean it."""
    for i in range(3):
        draw(tmp_path / f"{i}.png", i)
    (tmp_path / "t.csv").write_text(f"path,label\n0.png,{no}\n1.png,-1.0\n2.png,{yes}\n")
    with pytest.raises(NeumoError, match="got no label in row 2"):
        neumo.read(tmp_path / "t.csv")
    for positive in (None, yes):
        found = neumo.read(tmp_path / "t.csv", skip_missing=True, positive=positive).table
        assert found["label"].tolist() == [0, 1]


def test_minus_one_and_one_are_two_classes(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    (tmp_path / "t.csv").write_text("path,label\n0.png,-1\n1.png,1\n")
    with pytest.raises(NeumoError, match="got the classes '-1', '1', expected one called normal"):
        neumo.read(tmp_path / "t.csv")
    assert neumo.read(tmp_path / "t.csv", positive="1").table["label"].tolist() == [0, 1]


@pytest.mark.parametrize("first", [",", ""])
def test_a_separator_too_many_at_the_end_of_rows(first: str, tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    (tmp_path / "t.csv").write_text(f"path,label\n0.png,normal{first}\n1.png,pneumonia,\n")
    found = neumo.read(tmp_path / "t.csv").table
    assert [Path(path).name for path in found["path"]] == ["0.png", "1.png"]
    assert found["label"].tolist() == [0, 1]


@pytest.mark.parametrize(
    "view",
    [
        *("Lateral view", "left lateral", "LATERALE", "PA/LAT", "Axial", "Coronal", "COSTAL", "Oblique"),
        *("OBL", "PROFILE", "LATS", "DECUB"),
    ],
)
def test_other_words_for_views_that_are_not_frontal(view: str, tmp_path: Path) -> None:
    file = with_views(tmp_path, "view", ["PA", "AP Supine", view, "bilateral PA"])
    found = neumo.read(file)
    assert [Path(path).name for path in found.table["path"]] == ["0.png", "1.png", "3.png"]


def test_an_image_with_a_row_per_finding_is_positive_by_any_of_them(tmp_path: Path) -> None:
    """As VinDr-CXR lists what each reader found."""
    for i in range(3):
        draw(tmp_path / f"{i}.png", i)
    rows = ["0,No finding", "1,Pneumonia", "1,Pleural effusion", "2,Pleural effusion", "1,Pneumonia"]
    file = tmp_path / "t.csv"
    file.write_text("\n".join(["image_id,class_name", *rows, ""]))
    found = neumo.read(file, positive="Pneumonia").table
    assert dict(zip((Path(path).stem for path in found["path"]), found["label"], strict=True)) == {
        "0": 0,
        "1": 1,
        "2": 0,
    }
    file.write_text("\n".join(["image_id,class_name", *rows, "1,No finding", ""]))
    with pytest.raises(NeumoError, match=r"1.png: got another label in row 6"):
        neumo.read(file, positive="Pneumonia")


def test_findings_in_lists_of_a_parquet_file(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    rows = {"path": ["0.png", "1.png"], "findings": [["Effusion"], ["Effusion", "Pneumonia"]]}
    pd.DataFrame(rows).to_parquet(tmp_path / "t.parquet")
    assert neumo.read(tmp_path / "t.parquet", positive="pneumonia").table["label"].tolist() == [0, 1]


@pytest.mark.parametrize("folder", [r"D:\xray\images", "/home/someone/images"])
def test_images_that_lay_elsewhere_when_the_table_was_made(folder: str, tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / "images" / f"{i}.png", i)
    draw(tmp_path / "other" / "0.png", 9)
    slash = "\\" if ":" in folder else "/"
    rows = {"path": [f"{folder}{slash}{i}.png" for i in range(2)], "label": [0, 1]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    found = neumo.read(tmp_path / "t.csv").table
    assert found["path"].tolist() == [str(tmp_path / "images" / f"{i}.png") for i in range(2)]


def test_an_image_that_is_gone_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / "images" / f"{i}.png", i)
        draw(tmp_path / "copies" / "images" / f"{i}.png", i)
    rows = {"path": [str(tmp_path / "images" / f"{i}.png") for i in range(2)], "label": [0, 1]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "images" / "0.png").unlink()
    with pytest.raises(NeumoError, match=r"images/0.png: got no such file"):
        neumo.read(tmp_path / "t.csv")


def test_rows_of_another_split_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = ["train", "validation set", "external_test", "test", "Test_Data"]
    for i in range(5):
        draw(tmp_path / f"{i}.png", i)
    rows = {"path": [f"{i}.png" for i in range(5)], "label": [0, 1, 0, 1, 0], "split": parts}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    assert neumo.read(tmp_path / "t.csv").table["official"].fillna("none").tolist() == [
        "train",
        "train",
        "none",
        "test",
        "test",
    ]
    said = "counts as part of no test set 1 rows whose column 'split' says 'external_test'\n"
    assert capsys.readouterr().err.endswith(said)


def test_a_path_that_is_too_long_is_a_missing_image(tmp_path: Path) -> None:
    draw(tmp_path / "0.png")
    (tmp_path / "t.csv").write_text(f"path,label\n0.png,0\n{'a' * 5000}.png,1\n")
    with pytest.raises(NeumoError, match="got no such file, expected an image as listed in row 2"):
        neumo.read(tmp_path / "t.csv")


def test_a_value_too_many_is_told(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    (tmp_path / "t.csv").write_text("path,label\n0.png,No Finding,\n1.png,No Finding, Pneumonia\n")
    with pytest.raises(NeumoError, match=r"got 3 values in row 2, expected 2 .* ',' in it needs quotes"):
        neumo.read(tmp_path / "t.csv")


def test_two_paths_from_elsewhere_are_never_one_image(tmp_path: Path) -> None:
    draw(tmp_path / "normal" / "0.png")
    draw(tmp_path / "sick" / "1.png", 1)
    for listed, gone in (("/x/normal/1.png", "normal/1.png"), ("/y/sick/1.png", "y/sick/1.png")):
        rows = {"path": ["/x/normal/0.png", "/x/sick/1.png", listed], "label": [0, 1, 0]}
        pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
        with pytest.raises(NeumoError, match=f"{gone}: got no such file"):
            neumo.read(tmp_path / "t.csv")


def test_the_name_alone_of_a_path_from_elsewhere_is_not_enough(tmp_path: Path) -> None:
    draw(tmp_path / "normal" / "0.png")
    draw(tmp_path / "sick" / "1.png", 1)
    rows = {"path": ["/x/normal/0.png", "/x/normal/1.png"], "label": [0, 1]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(NeumoError, match=r"normal/1.png: got no such file"):
        neumo.read(tmp_path / "t.csv")


def test_the_cause_is_that_of_the_finding_that_was_asked_for(tmp_path: Path) -> None:
    draw(tmp_path / "0.png")
    draw(tmp_path / "1.png", 1)
    rows = {"path": ["0.png", "0.png", "1.png"], "finding": ["Effusion", "Viral pneumonia", "Nodule"]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    found = neumo.read(tmp_path / "t.csv", positive="Viral pneumonia").table
    assert list(zip(found["label"], found["cause"], strict=True)) == [(1, "viral pneumonia"), (0, "")]


@pytest.mark.parametrize(
    ("lines", "listed"),
    [
        (["imgs/0.png", "imgs/1.png"], ["0.png", "1.png"]),
        (["imgs/0.png"], ["0.png"]),
        (["0,imgs/0.png,", "1,imgs/1.png,"], ["0.png", "1.png"]),
        (["imgs\\0.png;0", "imgs\\1.png;1"], ["0.png", "1.png"]),
        (["imgs/IM0001,0", "imgs/1.png,1"], ["IM0001", "1.png"]),
        (["imgs/gone.PNG", "imgs/1.png", "imgs/lost.png"], ["gone.PNG", "1.png", "lost.png"]),
        (["imgs/gone.png,0"], ["gone.png"]),
    ],
)
def test_a_list_without_a_header_keeps_its_first_image(
    lines: list[str], listed: list[str], dicom_folder: Path, tmp_path: Path
) -> None:
    for i in range(2):
        draw(tmp_path / "imgs" / f"{i}.png", i)
    (tmp_path / "imgs" / "IM0001").write_bytes(next(dicom_folder.iterdir()).read_bytes()[:4096])
    for name in ("list.txt", "list.csv"):
        (tmp_path / name).write_text("\n".join([*lines, ""]))
        assert [Path(path).name for path in found_at(tmp_path / name)] == listed


def test_a_table_without_a_header_names_its_columns(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    (tmp_path / "t.csv").write_text("0.png,0\n1.png,1\n")
    with pytest.raises(
        NeumoError, match=r"got no column .* label, .*\('column 1', 'column 2'\) .*--label-col"
    ):
        neumo.read(tmp_path / "t.csv")
    assert neumo.read(tmp_path / "t.csv", label_column="column 2").table["label"].tolist() == [0, 1]


def test_a_first_line_that_names_no_image_is_a_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / "image" / "0.png")
    (tmp_path / "t.csv").write_text("image,scan,,a.b\n0.png,x,y,z\n")
    (tmp_path / "scan").write_text("no image")
    monkeypatch.chdir(tmp_path)
    assert found_at("t.csv") == ["image/0.png"]


ACCENTED = "Übersicht,path,label\nä,0.png,normal\n–,ü.png,pneumonia\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings(encoding: str, line_end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As Excel saves them."""
    for name in ("0", "ü"):
        draw(tmp_path / f"{name}.png", ord(name))
    (tmp_path / "t.csv").write_bytes(ACCENTED.replace("\n", line_end).encode(encoding))
    for place in (tmp_path, tmp_path / "t.csv"):
        assert [Path(path).stem for path in neumo.read(place).table["path"]] == ["0", "ü"]
        said = f"neumo: {tmp_path}/t.csv: takes the text for Windows-1252, as it is not UTF-8\n"
        assert capsys.readouterr().err == said * (encoding == "cp1252")


@pytest.mark.parametrize("end", [b"\x00", b"\x81"])
def test_bytes_that_are_no_text_at_all(end: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(ACCENTED.encode("cp1252") + end)
    with pytest.raises(NeumoError, match=r"t.csv: got bytes that are not UTF-8 text, expected a CSV"):
        neumo.read(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_bytes(ACCENTED.encode("utf-16") + b"x")
    with pytest.raises(NeumoError, match=r"t.csv: got bytes that are not UTF-8 text, expected a CSV"):
        neumo.read(tmp_path / "t.csv")


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\r\npath;label\r\n0.png;a,b,c\r\n",
        '"sep=\t"\npath\tlabel\n0.png\ta,b,c\n',
        "SEP=|\n0.png|a,b,c\n",
    ],
)
def test_a_first_line_that_names_the_separator(text: str, tmp_path: Path) -> None:
    """As Excel reads it."""
    draw(tmp_path / "0.png")
    (tmp_path / "t.csv").write_bytes(text.encode())
    frame = load(tmp_path / "t.csv")
    assert frame.to_numpy().tolist() == [["0.png", "a,b,c"]]


@pytest.mark.parametrize("name", ["a.b.csv.gz", "a.b.TSV.GZ"])
def test_a_compressed_table(name: str, tmp_path: Path) -> None:
    """As MIMIC-CXR-JPG has them."""
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    content = gzip.compress(b"path,label\n0.png,0\n1.png,1\n")
    (tmp_path / name).write_bytes(content)
    for place in (tmp_path, tmp_path / name):
        found = neumo.read(place)
        assert (found.name, found.table["label"].tolist()) == ("a.b", [0, 1])
    assert len(found_at(tmp_path / name)) == 2
    for broken in (content[:-9], content[:20], b"path,label\n0.png,0\n", content[:12] + b"\xff" * 30):
        (tmp_path / name).write_bytes(broken)
        with pytest.raises(NeumoError, match=rf"{name}: got something that is not gzip .*, expected a CSV"):
            neumo.read(tmp_path / name)


def test_a_compressed_table_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neumo.data.columns._LARGEST", 3_000_000)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"path,label\n" + b"0" * 2_999_989))
    assert load(tmp_path / "t.csv.gz").shape == (1, 2)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"path,label\n" + b"0" * 2_999_990))
    with pytest.raises(NeumoError, match=r"t.csv.gz: got over 3,000,000 bytes of text .*, expected fewer"):
        load(tmp_path / "t.csv.gz")


def test_a_table_that_does_not_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pd, "read_csv", full)
    (tmp_path / "t.csv").write_text("path,label\n0.png,0\n")
    with pytest.raises(NeumoError, match=r"t.csv: got more than fits into memory, expected a smaller table"):
        load(tmp_path / "t.csv")


@pytest.mark.parametrize("before", ["\n", "\r\n \r\n", "\r\r", "sep=;\n\n", "\nsep=;\r\n\t\r\n"])
def test_blank_lines_before_the_header(before: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(f"{before}path;label\n\n0.png;a,b\n".encode())
    frame = load(tmp_path / "t.csv")
    assert (list(frame.columns), frame.to_numpy().tolist()) == (["path", "label"], [["0.png", "a,b"]])


def test_nothing_but_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\n \n\n")
    with pytest.raises(NeumoError, match=r"t.csv: got an empty file, expected a CSV"):
        load(tmp_path / "t.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_bar_beside_another_separator_is_between_findings(separator: str, tmp_path: Path) -> None:
    """As in NIH's rows, without their header."""
    rows = [["1.png", "Effusion|Pneumonia|Mass"], ["2.png", "No Finding"]]
    (tmp_path / "t.csv").write_text("".join(f"{separator.join(row)}\n" for row in rows))
    assert load(tmp_path / "t.csv").to_numpy().tolist() == rows


def test_a_heading_may_look_like_an_image(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    (tmp_path / "t.csv").write_text("image.jpg,label\n0.png,0\n1.png,1\n")
    assert neumo.read(tmp_path / "t.csv").table["label"].tolist() == [0, 1]


@pytest.mark.parametrize("label", ["Pneumonia", "y", "normal"])
def test_a_class_beside_an_image_is_no_heading(label: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"0.png,{label}\n1.png,other\n")
    assert list(load(tmp_path / "t.csv").columns) == ["column 1", "column 2"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_text_with_nuls(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("path,label\n0.png,0\n".encode(encoding))
    with pytest.raises(NeumoError, match=r"t.csv: got text with NULs in it, as UTF-16 without .*, expected"):
        load(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("path,label\n0\0.png,0\n", "utf-16")
    with pytest.raises(NeumoError, match=r"t.csv: got text with NULs"):
        load(tmp_path / "t.csv")


@pytest.mark.parametrize(
    "heading",
    [
        *[
            "MRN",
            "patid",
            "Patient No.",
            "patient_name",
            "PatNo",
            "anon-id",
            "ID Paciente",
            "Patientennummer",
        ],
        *["participant_id", "Pat.-Nr.", "NHC"],  # as in BIDS, and as hospitals shorten it
    ],
)
def test_other_headings_of_a_column_of_patients(heading: str, tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    rows = {"path": ["0.png", "1.png"], "label": [0, 1], heading: ["7", "8"]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    assert neumo.read(tmp_path / "t.csv").table["patient"].nunique() == 2


@pytest.mark.parametrize("heading", ["id", "study_id", "pid", "case_id"])
def test_what_may_be_an_image_is_no_patient(heading: str, tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    rows = {"path": ["0.png", "1.png"], "label": [0, 1], heading: ["7", "8"]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    assert neumo.read(tmp_path / "t.csv").table["patient"].isna().all()


def with_patients(folder: Path, patients: list[str]) -> Path:
    """A listing of images whose names tell of other patients."""
    rows = []
    for i, patient in enumerate(patients):
        draw(folder / f"person{i}_virus_{i}.png", i)
        rows.append((f"person{i}_virus_{i}.png", i % 2, patient))
    pd.DataFrame(rows, columns=["path", "label", "patient"]).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def test_a_blank_among_patients_is_an_unknown_one(tmp_path: Path) -> None:
    """A name would be another name of one who is in the column, too."""
    patient = neumo.read(with_patients(tmp_path, ["7", "", " ", "8"])).table["patient"]
    assert patient.fillna("unknown").tolist() == ["7", "unknown", "unknown", "8"]
    patient = neumo.read(with_patients(tmp_path, ["", "", " ", ""])).table["patient"]
    assert patient.tolist() == ["person0", "person1", "person2", "person3"]


def test_one_patient_in_several_spellings(tmp_path: Path) -> None:
    given = ["Ab-1", "ab-1", "103", "103.0", "AB-1 ", "1.5", "1.50", "0103"]
    patient = neumo.read(with_patients(tmp_path, given)).table["patient"]
    assert patient.tolist() == ["Ab-1", "Ab-1", "103", "103", "Ab-1", "1.5", "1.50", "103"]


def test_a_kind_of_pneumonia_on_the_negative_side_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As PadChest has it."""
    for i in range(3):
        draw(tmp_path / f"{i}.png", i)
    rows = ["0,normal", "1,pneumonia", "1,atypical pneumonia", "2,effusion", "2,atypical pneumonia"]
    file = tmp_path / "t.csv"
    file.write_text("\n".join(["path,label", *(row.replace(",", ".png,") for row in rows), ""]))
    assert neumo.read(file, positive="pneumonia").table["label"].tolist() == [0, 1, 0]
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(
        f"neumo: {file}: counts 1 images of 'atypical pneumonia' as negative; --positive"
    )
    assert told[1:] == [f"neumo: {file}: counts as pneumonia 1 images that some rows call so and others not"]


def test_readers_who_disagree_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(3):
        draw(tmp_path / f"{i}.png", i)
    rows = ["0,normal", "0,normal", "1,pneumonia", "1,mass", "1,mass", "2,pneumonia", "2,pneumonia"]
    file = tmp_path / "t.csv"
    file.write_text("\n".join(["path,label", *(row.replace(",", ".png,") for row in rows), ""]))
    assert neumo.read(file, positive="pneumonia").table["label"].tolist() == [0, 1, 1]
    said = f"neumo: {file}: counts as pneumonia 1 images that some rows call so and others not\n"
    assert capsys.readouterr().err == said


def test_lists_of_names_divide_as_those_of_nih_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(4):
        draw(tmp_path / "images" / f"{i}.png", i)
    rows = {"Image Index": [f"{i}.png" for i in range(4)], "Finding Labels": ["No Finding", "Pneumonia"] * 2}
    pd.DataFrame(rows).to_csv(tmp_path / "entries.csv", index=False)
    (tmp_path / "test_list.txt").write_text("2.png \r\nimages/3.png\r\n")
    assert neumo.read(tmp_path / "entries.csv").table["official"].isna().all()
    (tmp_path / "train_val_list.txt").write_text("\ufeff0.png\n1.png", encoding="utf-8")
    found = neumo.read(tmp_path / "entries.csv").table
    assert found["official"].tolist() == ["train", "train", "test", "test"]
    assert (
        "is divided as train_val_list.txt and test_list.txt say, which name 4 of 4 images\n"
        in capsys.readouterr().err
    )
    for image in (tmp_path / "images").iterdir():
        image.rename(image.with_suffix(".PNG"))
    assert neumo.read(tmp_path / "entries.csv").table["official"].tolist() == [*found["official"]]


@pytest.mark.parametrize("heading", ["Patient Name", "MRN"])
def test_what_names_a_person_becomes_a_pseudonym(heading: str, tmp_path: Path) -> None:
    for i in range(3):
        draw(tmp_path / f"{i}.png", i)
    rows = {"path": ["0.png", "1.png", "2.png"], "label": [0, 1, 1], heading: ["Ann Lee", "Bo", "ann lee"]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    patient = neumo.read(tmp_path / "t.csv").table["patient"]
    assert patient.str.fullmatch("patient-[0-9a-f]{12}").all()
    assert patient.nunique() == 2
    assert patient[0] == patient[2]


def test_an_archives_own_folder_may_be_called_otherwise(tmp_path: Path) -> None:
    """As CheXpert's tables beside the folders that they name within CheXpert-v1.0-small."""
    for i in range(4):
        draw(tmp_path / "valid" / f"patient0000{i}" / "study1" / "view1.png", i)
    listed = [f"CheXpert/valid/patient0000{i}/study1/view1.png" for i in range(4)]
    pd.DataFrame({"Path": listed, "Pneumonia": [0, 1, 0, 1]}).to_csv(tmp_path / "valid.csv", index=False)
    found = neumo.read(tmp_path / "valid.csv").table
    assert [Path(path).parts[-3] for path in found["path"]] == [f"patient0000{i}" for i in range(4)]
    assert found["patient"].tolist() == [f"patient0000{i}" for i in range(4)]
    assert found_at(tmp_path / "valid.csv") == found["path"].tolist()


def test_no_image_stands_in_for_one_of_another_folder(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / "images" / f"{i}.png", i)
        draw(tmp_path / "siteA" / "images" / f"{i}.png", 10 + i)
    listed = [f"site{site}/images/{i}.png" for site in "AB" for i in range(2)]
    pd.DataFrame({"path": listed, "label": [0, 1, 0, 1]}).to_csv(tmp_path / "t.csv", index=False)
    assert survey(tmp_path / "t.csv").missing == listed[2:]


def test_an_image_that_is_gone_from_its_folder_is_not_another_one_of_its_name(tmp_path: Path) -> None:
    for i in range(4):
        draw(tmp_path / "augmented" / "images" / f"{i}.png", 10 + i)
        draw(tmp_path / "more" / f"m{i}.png", 20 + i)
    for i in range(2):
        draw(tmp_path / "images" / f"{i}.png", i)
    listed = ["images/0.png", "images/1", "images/2.png", "images\\3.png", "m1.png"]
    pd.DataFrame({"path": listed, "label": [0, 1, 0, 1, 1]}).to_csv(tmp_path / "t.csv", index=False)
    found = survey(tmp_path / "t.csv")
    assert found.missing == listed[2:4]
    assert [Path(path).parent.name for path in found.table["path"]] == ["images", "images", "more"]


@pytest.mark.parametrize("folder", ["siteB", "train", "..", "."])
def test_images_of_another_place_stand_in_for_none(folder: str, tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / "set" / f"{i}.png", i)
    listed = [f"{folder}/{i}.png" for i in range(2)]
    pd.DataFrame({"path": listed, "label": [0, 1]}).to_csv(tmp_path / "set" / "t.csv", index=False)
    missing = [] if folder == "." else listed
    assert survey(tmp_path / "set" / "t.csv").missing == missing


def test_images_of_one_part_stand_in_for_none_of_another(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / "images" / f"{i}.png", i)
    listed = [f"train/images/{i}.png" for i in range(2)]
    pd.DataFrame({"path": listed, "label": [0, 1]}).to_csv(tmp_path / "t.csv", index=False)
    assert survey(tmp_path / "t.csv").missing == listed


def test_a_folder_that_is_left_off_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(2):
        draw(tmp_path / "train" / f"{i}.png", i)
    listed = [f"old-v1/train/{i}.png" for i in range(2)]
    pd.DataFrame({"path": listed, "label": [0, 1]}).to_csv(tmp_path / "t.csv", index=False)
    assert len(neumo.read(tmp_path / "t.csv").table) == 2
    assert capsys.readouterr().err == f"neumo: {tmp_path}: looks for paths without 'old-v1/'\n"


@pytest.mark.parametrize(
    ("heading", "value"),
    [("Patient's Name", "Lee"), ("Patient MRN", "12345678"), ("Paciente", "Ana Paz"), ("patient", "LEE^ANN")],
)
def test_other_columns_that_name_people(heading: str, value: str, tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    rows = {"path": ["0.png", "1.png"], "label": [0, 1], heading: [value, f"{value} B"]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    patient = neumo.read(tmp_path / "t.csv", patient_column=heading).table["patient"]
    assert patient.str.fullmatch("patient-[0-9a-f]{12}").all()


def test_blanks_and_words_for_nobody_leave_a_dicom_header_to_tell(tmp_path: Path, dicom_folder: Path) -> None:
    files = sorted(dicom_folder.glob("cr_*.dcm"))[:4]
    header = [patients_in([file])[0] for file in files]
    rows = {
        "path": [str(file) for file in files],
        "label": [0, 1, 0, 1],
        "patient": ["p1", "", "unknown", "-"],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    assert survey(tmp_path / "t.csv").table["patient"].tolist() == ["p1", *header[1:]]


def test_headings_in_spanish_and_german(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    for heading, values in {
        "Diagn\u00f3stico": ["sano", "neumon\u00eda"],
        "Befund": ["kein Befund", "Pneumonie"],
        "neumon\u00eda": ["0", "1"],
    }.items():
        rows = {"path": ["0.png", "1.png"], heading: values}
        pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
        assert neumo.read(tmp_path / "t.csv").table["label"].tolist() == [0, 1]


def test_which_of_several_tables_is_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    (tmp_path / "labels.csv").write_text("path,label\n0.png,0\n1.png,1\n")
    (tmp_path / "ages.csv").write_text("patient,age\np1,3\n")
    assert len(neumo.read(tmp_path).table) == 2
    assert capsys.readouterr().err == f"neumo: {tmp_path}: reads labels.csv, of 2 tables there\n"


@pytest.mark.parametrize("listed", ["images/{}.png", "{}.png", "{}"])
def test_images_of_rows_without_a_label_are_listed_all_the_same(listed: str, tmp_path: Path) -> None:
    for i in range(4):
        draw(tmp_path / "images" / f"{i}.png", i)
    rows = "".join(f"{listed.format(i)},{label}\n" for i, label in enumerate(("0", "1", "")))
    (tmp_path / "t.csv").write_text(f"path,label\n{rows}")
    assert survey(tmp_path / "t.csv", skip_missing=True).unlisted == ["images/3.png"]


def test_an_index_of_a_parquet_file_is_a_column(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    frame = pd.DataFrame({"path": ["0.png", "1.png"], "label": ["normal", "pneumonia"]})
    frame.set_index("path").to_parquet(tmp_path / "named.parquet")
    frame.set_index(pd.Index(["a", "b"])).to_parquet(tmp_path / "nameless.parquet")
    for name in ("named", "nameless"):
        assert neumo.read(tmp_path / f"{name}.parquet").table["label"].tolist() == [0, 1]
    assert load(tmp_path / "nameless.parquet").index.tolist() == [0, 1]


@pytest.mark.parametrize("listed", ["images/{}.png", "{}.png", r"D:\xrays\images\{}.png"])
def test_images_that_were_converted_to_another_format(
    listed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(3):
        draw(tmp_path / "images" / f"{i}.jpg", i)
    draw(tmp_path / "masks" / "0.jpg")
    rows = "".join(f"{listed.format(i)},{i % 2}\n" for i in range(4))
    (tmp_path / "t.csv").write_text(f"path,label\n{rows}")
    found = neumo.read(tmp_path / "t.csv", skip_missing=True)
    assert [Path(path).name for path in found.table["path"]] == ["0.jpg", "1.jpg", "2.jpg"]
    assert (found.missing, found.unlisted) == ([listed.format(3)], [])
    said = "takes images that are called as listed but for the suffix, as none is called so"
    assert f"neumo: {tmp_path}: {said}\n" in capsys.readouterr().err
    assert found_at(tmp_path / "t.csv")[:3] == found.table["path"].tolist()


@pytest.mark.parametrize("beside", [True, False])
def test_an_image_of_the_working_folder_stands_in_for_none_of_the_tables_own(
    beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for i in range(3):
        draw(other / "images" / f"{i}.png", i)
    for i in range(1, 3):
        draw(own / "images" / f"{i}.png", 10 + i)
    table = (own if beside else tmp_path) / "t.csv"
    table.write_text("path,label\n" + "".join(f"images/{i}.png,{i % 2}\n" for i in range(3)))
    monkeypatch.chdir(other)
    found = survey(table)
    if beside:
        assert (len(found.table), found.missing) == (2, ["images/0.png"])
        assert capsys.readouterr().err == ""
    else:
        assert [Path(path).parent for path in found.table["path"]] == [other / "images"] * 3
        said = f"neumo: {tmp_path}: takes paths from the working folder on, {other}, as none is here\n"
        assert capsys.readouterr().err == said
    assert [Path(path).exists() for path in found_at(table)] == [not beside, True, True]


def test_an_image_of_another_suffix_stands_in_for_none_where_others_are_as_listed(tmp_path: Path) -> None:
    for i, name in enumerate(("0.png", "1.png", "2.jpg")):
        draw(tmp_path / name, i)
    (tmp_path / "t.csv").write_text("path,label\n0.png,0\n1.png,1\n2.png,1\n")
    assert survey(tmp_path / "t.csv").missing == ["2.png"]


def test_a_row_without_its_image_costs_three_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    rows = "".join(f"{i}.png,{i % 2},PA\n" for i in range(1000))
    (tmp_path / "t.csv").write_text(f"path,label,view\n{rows}")
    monkeypatch.setattr(os, "stat", looks := Mock(wraps=os.stat))
    monkeypatch.setattr(cells, "is_lateral", views := Mock(wraps=cells.is_lateral))
    found = survey(tmp_path / "t.csv", skip_missing=True)
    assert (len(found.table), len(found.missing), views.call_count) == (2, 998, 1)
    assert looks.call_count < 3200


def test_folders_that_were_not_downloaded_stop_no_audit(tmp_path: Path) -> None:
    for i in range(2):
        draw(tmp_path / "test" / f"{i}.png", i)
    (tmp_path / "t.csv").write_text(
        "path,label,view\ntest/0.png,0,PA\ntest/1.png,1,PA\na/2.png,,PA\nb/3.png,1,LATERAL\nc/4.png,1,PA\n"
    )
    found = survey(tmp_path / "t.csv", skip_missing=True)
    assert (len(found.table), found.missing, found.lateral) == (2, ["c/4.png"], ["b/3.png"])


@pytest.mark.parametrize(
    ("heading", "column", "called", "agreeing", "found", "other"),
    [
        ("patient", "patient", "patient", "0.png,0,P7\n0.png,0,p7\n1.png,1,P8\n", ["P7", "P8"], "P9"),
        (
            *("split", "official", "official part"),
            "0.png,0,test\n0.png,0,test\n1.png,1,val\n1.png,1,train\n",
            *(["test", "train"], "train"),
        ),
    ],
    ids=["patient", "official part"],
)
def test_rows_of_one_image_are_of_one_patient_and_part(
    heading: str, column: str, called: str, agreeing: str, found: list[str], other: str, tmp_path: Path
) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    table = tmp_path / "t.csv"
    table.write_text(f"path,label,{heading}\n0.png,0,\n{agreeing}")
    assert neumo.read(table).table[column].tolist() == found
    table.write_text(f"path,label,{heading}\n0.png,0,{found[0]}\n1.png,1,{found[1]}\n0.png,0,{other}\n")
    with pytest.raises(NeumoError, match=rf"0\.png: got another {called} in row 3 of .*, expected one"):
        neumo.read(table)


@pytest.mark.parametrize("macos", ["lists", "stores"])
def test_accents_apart_or_not_are_one_name(macos: str, tmp_path: Path) -> None:
    """A table written on one system beside images unpacked on another; macOS spells file names otherwise."""
    names = [["niño/tórax.png", "niño/b.png"]]
    names.append([unicodedata.normalize("NFD", name) for name in names[0]])
    assert names[0] != names[1]
    stored, listed = names if macos == "lists" else reversed(names)
    files = [draw(tmp_path / name, seed) for seed, name in enumerate(stored)]
    rows = "".join(f"{name},{label}\n" for label, name in enumerate(listed))
    (tmp_path / "table.csv").write_text("path,label\n" + rows, encoding="utf-8")
    found = survey(tmp_path / "table.csv")
    assert found.missing == []
    assert found.table["path"].tolist() == list(map(str, files))
    assert found.table["label"].tolist() == [0, 1]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_numbers_with_a_decimal_comma_are_those_with_a_point(separator: str, tmp_path: Path) -> None:
    """As Excel writes 0.0, 1.0 and CheXpert's -1.0 in German, Spanish or French."""
    for i in range(3):
        draw(tmp_path / f"{i}.png", i)
    rows = {"path": ["0.png", "1.png", "2.png"], "Pneumonia": [0.0, -1.0, 1.0], "patient": [7, 8.0, 7.0]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False, sep=separator, decimal=",")
    with pytest.raises(NeumoError, match="got no label in row 2"):
        neumo.read(tmp_path / "t.csv")
    for positive, labels in ((None, [0, 1]), ("1", [0, 1]), ("0", [1, 0])):
        found = neumo.read(tmp_path / "t.csv", skip_missing=True, positive=positive)
        assert found.table["label"].tolist() == labels
        assert {found.negative_name, found.positive_name} == {"no pneumonia", "pneumonia"}
    assert found.table["patient"].nunique() == 1


@pytest.mark.parametrize("point", [",", "."])
def test_shares_between_0_and_1_are_no_class(point: str, tmp_path: Path) -> None:
    for i in range(3):
        draw(tmp_path / f"{i}.png", i)
    rows = [f"0.png;0{point}0", f"1.png;0{point}3", f"2.png;1{point}0"]
    (tmp_path / "t.csv").write_text("\n".join(["path;label", *rows]))
    told = f"got the label '0{point}3' in row 2, expected 0 or 1, as a share is no class"
    with pytest.raises(NeumoError, match=told):
        neumo.read(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text(f"path;label\n0.png;0{point}1\n1.png;0{point}3\n2.png;0{point}9\n")
    with pytest.raises(NeumoError, match=r"got the label .* in row 1, .* a share is no class .and 2 more"):
        neumo.read(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("first", "classes", "second", "other", "row"),
    [
        ("label", "0011", "class_name", ["Pneumonia", "pneumonia", "Normal", "normal"], 1),  # as scikit-learn
        ("label", "01", "label_name", ["pneumonia", "normal"], 1),
        ("diagnosis", ["fever", "normal", "normal", "cough"], "Pneumonia", "1000", 4),
        ("class", "0101", "Pneumonia", "0011", 2),
        ("diagnosis", ["normal", "COVID-19", "", "bacterial"], "y", ["no", "no", "yes", "yes"], 2),
    ],
)
def test_columns_that_contradict_each_other_are_told(
    first: str, classes: str | list[str], second: str, other: str | list[str], row: int, tmp_path: Path
) -> None:
    for i in range(len(other)):
        draw(tmp_path / f"{i}.png", i)
    rows = {"path": [f"{i}.png" for i in range(len(other))], first: [*classes], second: [*other]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    told = [one for one in survey(tmp_path / "t.csv").faults if "contradiction" in one]
    here, there = classes[row - 1], other[row - 1]
    assert [one.split(" (and")[0].split(", expected")[0] for one in told] == [
        f"{tmp_path / 't.csv'}: got {here!r} for {first!r} and {there!r} for {second!r} in row {row}"
    ]
    assert told[0].endswith("with --label-column")
    asked = neumo.read(tmp_path / "t.csv", label_column=second).table["label"].tolist()
    assert asked == [int(one in ("1", "yes", "Pneumonia", "pneumonia")) for one in other]


@pytest.mark.parametrize("heading", ["target", "findings", "category", "y"])
@pytest.mark.parametrize(
    "other", [["no finding", "bacterial pneumonia"], ["0.0", ""], ["lungs are clear", "normal"], ["-1", "1"]]
)
def test_a_column_that_agrees_or_tells_of_something_else_changes_nothing(
    heading: str, other: list[str], tmp_path: Path
) -> None:
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    rows = {heading: other, "label": ["0", "1"], "path": ["0.png", "1.png"]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    assert neumo.read(tmp_path / "t.csv").table["label"].tolist() == [0, 1]


@pytest.mark.parametrize("suffix", [".xlsx", ".XLS", ".ods"])
def test_a_spreadsheet_is_to_be_saved_as_csv(suffix: str, tmp_path: Path) -> None:
    """Whatever is asked of it; beside images, it is told of."""
    file = tmp_path / f"labels{suffix}"
    file.write_bytes(b"PK\3\4" + bytes(99))
    draw(tmp_path / "images" / "0.png")
    for ask in (neumo.read, found_at):
        with pytest.raises(NeumoError, match=f"labels{suffix}: got a .*, expected the sheet .* saved as CSV"):
            ask(file)
    with pytest.raises(NeumoError, match=rf"without a label; .*; or name a table \(labels{suffix}\)"):
        neumo.read(tmp_path)
