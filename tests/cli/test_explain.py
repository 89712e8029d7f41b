from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neumo.classifier.classifier import Classifier
from tests.cli.here import neumo_here

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """``neumo VERB ...`` in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        done = neumo_here(*arguments)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def model(phantom_classifier: Classifier, tmp_path: Path) -> Path:
    phantom_classifier.save(tmp_path / "a.neumo")
    return tmp_path / "a.neumo"


@pytest.fixture
def images(phantoms: np.ndarray, tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for i in range(3):
        Image.fromarray(phantoms[i]).resize((500, 400)).save(tmp_path / "images" / f"{i}.png")
    return tmp_path / "images"


def test_one_radiograph_becomes_a_picture_at_its_own_size(
    run: Run, model: Path, images: Path, phantom_classifier: Classifier
) -> None:
    code, out, err = run("explain", model, images / "0.png")
    assert (code, err) == (0, "")
    assert "0-explained.png: normal, probability of pneumonia 0." in out
    assert phantom_classifier.card["notice"] in out.replace("\n", " ")
    with Image.open("0-explained.png") as picture:
        assert picture.width > 2 * 500
        assert picture.height > 400
    assert run("explain", model, images / "0.png", "--opacity", 0, "--out", "plain.png")[0] == 0
    with Image.open("plain.png") as plain, Image.open("0-explained.png") as picture:
        assert plain.size == picture.size
        assert np.abs(np.asarray(plain, int) - np.asarray(picture, int)).max() > 20


def test_a_folder_with_a_bad_file_becomes_a_page(run: Run, model: Path, images: Path) -> None:
    (images / "bad.png").write_text("no picture")
    code, out, err = run("explain", model, images, "--json")
    assert code == 1
    assert err.count("\n") == 1
    assert "bad.png: got a file that is no picture" in err
    every = [json.loads(line) for line in out.splitlines()]
    told = [one for one in every if one["error"] is None]
    (other,) = (one for one in every if one not in told)
    assert (Path(other["path"]).name, other["probability"], other["picture"]) == ("bad.png", None, None)
    assert "no picture" in other["error"]
    assert [Path(one["path"]).name for one in told] == ["0.png", "1.png", "2.png"]
    assert {one["picture"] for one in told} == {"explained.html"}
    for one in told:
        assert one["notice"]
        assert one["hottest"] is None or (0 <= one["hottest"]["x"] < 500 and 0 <= one["hottest"]["y"] < 400)
    assert Path("explained.html").read_text().count("<figure") == 3


def test_a_folder_of_one_becomes_a_page(run: Run, model: Path, images: Path) -> None:
    for i in range(2):
        (images / f"{i}.png").unlink()
    assert "explained.html: " in run("explain", model, images)[1]
    assert sorted(file.name for file in Path().glob("*explained*")) == ["explained.html"]


def test_suffixes_in_capitals(run: Run, model: Path, images: Path) -> None:
    Path("a.PNG").touch()  # as an earlier result, which is written over
    assert run("explain", model, images / "0.png", "--out", "a.PNG")[0] == 0
    with Image.open("a.PNG") as picture:
        assert picture.format == "PNG"
    assert run("explain", model, images, "--out", "a.HTML")[0] == 0
    for name in ("a.ONNX", "a.XML"):
        code, _, err = run("export", model, "--out", name)
        assert (code, Path(name).exists()) == (0, True), err


def test_every_way_to_name_radiographs(
    run: Run, model: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = "\n".join(f"images/{i}.png" for i in range(3))
    Path("list.csv").write_text(f"file\n{listed}\n")
    Path("list.txt").write_text(f"scan,path\n{listed.replace(chr(10), ',x' + chr(10))},x\n")
    for way in ([images], ["images/[0-2].png"], ["list.csv"], ["list.txt", "--path-column", "scan"], ["-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed.encode())))
        code, out, err = run("explain", model, *way, "--json", "--out", "page.html")
        assert (code, err) == (0, "")
        told = [json.loads(line) for line in out.splitlines()]
        assert [Path(one["path"]).name for one in told] == ["0.png", "1.png", "2.png"]
        assert Path("page.html").read_text().count("<figure") == 3
        Path("page.html").unlink()
    code, out, err = run("explain", model, "*.dcm", "list.csv", "--json")
    assert (code, len(out.splitlines())) == (1, 4)  # one says what is wrong with *.dcm
    assert err == "neumo: *.dcm: got a pattern that no image matches, expected radiographs\n"
    assert run("explain", model, "*.dcm")[0] == 2


def test_a_row_of_a_lateral_view_is_warned_of(run: Run, model: Path, images: Path) -> None:
    Path("views.csv").write_text("path,view\nimages/0.png,PA\nimages/1.png,Lateral\n")
    code, out, err = run("explain", model, "views.csv", "--json")
    assert code == 0
    told = [json.loads(line)["warnings"] for line in out.splitlines()]
    assert ["lateral" in warnings for warnings in told] == [False, True]
    assert err == "neumo: views.csv: 1 row is a lateral view (column 'view'); classifiers know frontal ones\n"
    assert Path("explained.html").read_text().count("is tagged as a lateral") == 1


def test_only_bad_files_end_with_2_and_write_nothing(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    assert run("explain", model, "bad.png", "--out", "page.html")[0] == 2
    assert not Path("page.html").exists()


def test_a_name_of_two_lines_is_told_in_one(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "two\nlines.png").write_bytes(b"no picture")
    _, _, err = run("explain", model, tmp_path / "two\nlines.png")
    assert err.splitlines() == [err.rstrip("\n")]
    assert "two lines.png: got a file that is no picture" in err


def test_bad_wishes_are_told(run: Run, model: Path, images: Path) -> None:
    before = (images / "0.png").read_bytes()
    for arguments, what in (
        ((images, "--out", "one.png"), "one.png: got 3 radiographs for one PNG, expected one, or NAME.html"),
        ((images / "0.png", "--out", "one.pdf"), "one.pdf: got the suffix '.pdf', expected .png or .html"),
        ((images / "0.png", "--out", images / "0.png"), "got a radiograph to write over"),
    ):
        code, _, err = run("explain", model, *arguments)
        assert code == 2
        assert what in err
    assert (images / "0.png").read_bytes() == before


def test_export(run: Run, model: Path, images: Path) -> None:
    code, out, _ = run("export", model, "--out", "a.onnx", "--images", images)
    assert code == 0
    assert "compared in ONNX Runtime 1." in out
    assert "on 3 radiographs: no probability is off" in out
    code, out, _ = run("export", model, "--out", "b.xml")
    assert "compared in OpenVINO 20" in out
    assert "on 16 phantoms, not on real radiographs (--images): no probability is off" in out
    code, out, _ = run("export", model, "--out", "a.xml", "--json")
    found = json.loads(out)
    assert (code, found["files"], found["images"]) == (0, ["a.xml", "a.bin"], 16)
    assert run("export", model, "--out", "a.txt")[0] == 2


def test_export_is_compared_on_what_can_be_read(run: Run, model: Path, images: Path) -> None:
    for i in range(2):
        (images / f"{i}.png").write_text("no picture")
    code, out, err = run("export", model, "--out", "a.onnx", "--images", images)
    assert code == 0
    assert " on 1 radiograph: no probability" in out
    assert err.count("got a file that is no picture") == err.count("left out of the comparison\n") == 2
    (images / "2.png").write_text("no picture")
    code, _, err = run("export", model, "--out", "b.onnx", "--images", images)
    assert code == 2
    assert "b.onnx: got no radiograph that can be read, expected one to compare on\n" in err
    assert not Path("b.onnx").exists()


def test_export_leaves_out_what_cannot_be_looked_for(run: Run, model: Path, images: Path) -> None:
    Path(os.fsdecode(bytes(images) + b"/\xff.png")).write_bytes((images / "0.png").read_bytes())
    table = images.parent / "gaps.csv"
    table.write_text(f'path\n{images / "0.png"}\n\n{images / "1.png"}\n""\n')
    code, out, err = run("export", model, "--out", "a.xml", "--images", images, "--images", table)
    assert (code, " on 5 radiographs: no probability" in out) == (0, True), err
    assert re.findall(r"got (.*), expected .*; left out of the comparison\n", err) == [
        "a file name that is not UTF-8",
        "no path in row 3 (column 'path')",
    ]
