from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cli.here import neumo_here
from tests.data.pictures import draw


def neumo(*arguments: object) -> subprocess.CompletedProcess[str]:
    return neumo_here("audit", *arguments)


def as_json(*arguments: object) -> dict[str, Any]:
    run = neumo(*arguments, "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw(tmp_path / "set" / "healthy" / "a.png", 1)
    draw(tmp_path / "set" / "sick" / "b.png", 2)
    (tmp_path / "set" / "sick" / "broken [1].png").write_text("no image")
    return tmp_path / "set"


def test_coronahack(coronahack: Path) -> None:
    found = as_json(coronahack)
    assert (found["rows"], found["images"]) == (5910, 5903)
    assert [(c["name"], c["listed"]) for c in found["classes"]] == [("normal", 1576), ("pneumonia", 4334)]
    assert (len(found["missing"]), len(found["unlisted"])) == (7, 16)
    assert (found["identical"]["count"], found["identical"]["across_classes"]) == (30, 0)
    assert found["patients"]["across_official"] == 170


def test_lateral_views_are_named(folder: Path) -> None:
    table = folder / "views.csv"
    draw(folder / "lateral.png", 3)
    table.write_text(
        "path,label,view\nhealthy/a.png,normal,PA\nsick/b.png,sick,AP\nlateral.png,sick,Lateral\n"
    )
    found = as_json(table)
    assert (found["rows"], found["images"], found["lateral"]) == (3, 2, ["lateral.png"])
    told = neumo(table).stdout
    assert "rows of lateral views" in told
    assert "1, left out" in told
    assert "Rows of lateral views, left out\n  lateral.png" in told


def test_people_get_a_table(folder: Path) -> None:
    run = neumo(folder)
    assert run.returncode == 0, run.stderr
    for shown in (
        "set (class-folders)",
        "healthy",
        "sick",
        "33.33% of the images, 1 to 2.00",
        "Positive class, whose probability is given: sick",
        "broken [1].png: got",
        "Fit for training without the undecodable images (--skip-unreadable).",
        "not a medical device",
    ):
        assert shown in run.stdout
    assert run.stderr == ""


def test_images_are_counted_by_official_part(folder: Path) -> None:
    parts = ["train", "train", "train", "test", "test", ""]
    lines = ["path,label,official"]
    for i, part in enumerate(parts):
        draw(folder / f"{i}.png", 10 + i)
        lines.append(f"{i}.png,{'sick' if i % 2 else 'normal'},{part}")
    (folder / "parts.csv").write_text("\n".join(lines))
    table = [re.split(r"\s*[┃│]\s*", line)[1:-1] for line in neumo(folder / "parts.csv").stdout.splitlines()]
    assert [row for row in table if row] == [
        ["class", "official train", "official test", "in neither", "images"],
        ["normal", "2", "1", "0", "3"],
        ["sick", "1", "1", "1", "3"],
        ["all", "3", "2", "1", "6"],
    ]


def test_says_nothing_twice(folder: Path) -> None:
    (folder / "sick" / "broken [1].png").unlink()
    run = neumo(folder)
    assert "cause" not in run.stdout
    assert "Balance: healthy is 50.00% of the images\n" in run.stdout
    (folder / "sick" / "b.png").rename(folder / "sick" / "person1_bacteria_1.png")
    assert "cause" in (out := neumo(folder).stdout)
    assert "bacteria" in out
    assert "1 with 1 image; unknown for 1 image " in out


def test_names_of_classes_are_shown_as_they_are(folder: Path) -> None:
    (folder / "sick" / "broken [1].png").unlink()
    (folder / "sick").rename(folder / "[red]sick")
    run = neumo(folder)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("[red]sick") >= 2
    assert "Fit for training." in run.stdout


def test_a_dicom_file(dicom_folder: Path) -> None:
    file = dicom_folder / "dx_1024_implicit_little_endian.dcm"
    found = as_json(file)
    assert (found["images"], found["modes"], found["sizes"]["width"]["median"]) == (
        1,
        {"MONOCHROME2": 1},
        1024,
    )
    assert "without a label" in found["faults"][0]
    assert neumo(file).returncode == 0


def test_columns_and_positive(folder: Path) -> None:
    (folder / "t.csv").write_text("wo,was,wer\nhealthy/a.png,gesund,x\nsick/b.png,krank,y\n")
    given = ["--path-column", "wo", "--label-column", "was", "--patient-column", "wer", "--positive", "krank"]
    found = as_json(folder / "t.csv", *given)
    assert [(c["name"], c["images"]) for c in found["classes"]] == [("gesund", 1), ("krank", 1)]
    assert found["patients"]["count"] == 2
    run = neumo(folder / "t.csv")
    assert run.returncode == 2
    assert "'wo', 'was', 'wer'" in run.stderr


def test_skip_missing(folder: Path) -> None:
    (folder / "t.csv").write_text("path,label\nhealthy/a.png,0\nsick/b.png,1\ngone.png,1\n")
    assert "gone.png: got no such file" in as_json(folder / "t.csv")["faults"][0]
    found = as_json(folder / "t.csv", "--skip-missing")
    assert (found["faults"], found["missing"]) == ([], ["gone.png"])


def test_a_link_to_nothing_is_told(folder: Path) -> None:
    (folder / "sick" / "lost.png").symlink_to("nowhere.png")
    found = as_json(folder)
    assert (found["missing"], found["images"]) == (["sick/lost.png"], 3)
    assert "lost.png: got a link to a file that is not there" in found["faults"][0]
    assert as_json(folder, "--skip-missing")["faults"] == []


def test_the_verdict_tells_of_one_image_with_two_labels(folder: Path) -> None:
    (folder / "sick" / "broken [1].png").unlink()
    assert "Fit for training." in neumo(folder).stdout
    shutil.copy(folder / "healthy" / "a.png", folder / "sick" / "copy.png")
    told = "Fit for training, but 1 group of byte-identical images has different labels."
    assert told in neumo(folder).stdout
    with Image.open(folder / "sick" / "b.png") as image:
        image.save(folder / "healthy" / "b.jpeg", quality=90)
    told = told.replace("images has", "images and 1 group of near-identical images have")
    assert told in neumo(folder).stdout


def test_one_class_only_is_reported(folder: Path) -> None:
    found = as_json(folder / "healthy")
    assert found["images"] == 1
    assert found["faults"]


@pytest.mark.parametrize("make", ["nowhere", "empty", "noise.csv"])
def test_nothing_to_audit(make: str, tmp_path: Path) -> None:
    if make == "empty":
        (tmp_path / make).mkdir()
    elif make == "noise.csv":
        (tmp_path / make).write_bytes(bytes(range(256)))
    run = neumo(tmp_path / make)
    assert run.returncode == 2
    assert run.stdout == ""
    [line] = run.stderr.splitlines()
    assert make in line
    assert "expected" in line
