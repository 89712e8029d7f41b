"""``neumo study`` and ``neumo predict``, from synthetic radiographs to predictions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import neumo
from neumo.phantom.dataset import make_phantoms
from tests.cli.here import neumo_here
from tests.data.pictures import draw

SMALL = ("--backbone", "MobileNetV2-0.35", "--weights", "none", "--epochs", "2")


def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "neumo", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_phantoms(tmp_path_factory.mktemp("data") / "set", patients=30, size=64, difficulty="easy")


@pytest.fixture(scope="module")
def out(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study, with what it printed in ``printed.txt``."""
    folder = tmp_path_factory.mktemp("cli-study") / "out"
    done = run("study", phantoms, *SMALL, "--out", folder, "--sensitivity", 0.95)
    (folder / "printed.txt").write_text(done.stdout)
    return folder


def test_prints_the_ladder_the_protocols_and_where_the_page_is(out: Path) -> None:
    printed = (out / "printed.txt").read_text()
    results = neumo.Results.load(out / "results.json")
    for run_ in results.ladder("early stopping"):
        assert f"{run_.validation['loss']:.4f}" in printed
    for protocol in ("random", "patient", "official"):
        assert protocol in printed
    assert "SYNTHETIC" in printed
    assert "not a medical device" in printed
    assert str(out / "report.html") in printed.replace("\n", "")


def test_the_operating_point_reaches_the_sensitivity_on_validation(out: Path) -> None:
    for run_ in neumo.Results.load(out / "results.json").runs:
        assert run_.threshold["sensitivity"] >= 0.95
        if run_.test is not None:
            assert run_.test["threshold"] == run_.threshold["threshold"]


def test_the_command_is_kept_with_the_results(out: Path) -> None:
    assert "neumo study" in neumo.Results.load(out / "results.json").command
    assert "--sensitivity 0.95" in neumo.Results.load(out / "results.json").command


def test_predict_takes_files_folders_and_tables(out: Path, phantoms: Path, tmp_path: Path) -> None:
    files = sorted(phantoms.rglob("test/*.jpeg"))[:3]
    for file in files:
        (tmp_path / "some").mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / "some" / file.name)
    pd.DataFrame({"path": map(str, files)}).to_csv(tmp_path / "some.csv", index=False)
    ways = ([*files], [tmp_path / "some"], [tmp_path / "some.csv"])
    found = []
    for way in ways:
        printed = run("predict", out / "classifier.neumo", *way, "--json").stdout
        found.append([json.loads(line) for line in printed.splitlines()])
    expected = neumo.load(out / "classifier.neumo").predict(files)
    for predictions in found:
        assert [p["probability"] for p in predictions] == pytest.approx([p.probability for p in expected])
        assert all("not a medical device" in p["notice"] for p in predictions)


def test_predict_goes_past_a_bad_file_and_says_so_at_the_end(
    out: Path, phantoms: Path, tmp_path: Path
) -> None:
    file = next(phantoms.rglob("test/*.jpeg"))
    shutil.copy(file, tmp_path / file.name)
    (tmp_path / "bad.jpg").write_text("no picture")
    done = run("predict", out / "classifier.neumo", tmp_path, code=1)
    assert file.name in done.stdout.replace("│\n", "")
    assert "SYNTHETIC" in done.stdout
    assert len(done.stderr.strip().splitlines()) == 1
    assert "bad.jpg" in done.stderr


def test_predict_shows_a_file_name_as_it_is(out: Path, phantoms: Path, tmp_path: Path) -> None:
    (tmp_path / "[bold").mkdir()
    file = shutil.copy(next(phantoms.rglob("test/*.jpeg")), tmp_path / "[bold" / "x[left].jpeg")
    (tmp_path / "table.csv").write_text("where\n[bold/x[left].jpeg\n")
    for given in ([file], [tmp_path / "table.csv", "--path-column", "where"]):
        printed = run("predict", out / "classifier.neumo", *given).stdout
        assert "x[left].jpeg" in "".join(character for character in printed if character not in " │\n")


def test_predict_without_a_readable_file_says_why_in_one_line(out: Path, tmp_path: Path) -> None:
    done = run("predict", out / "classifier.neumo", tmp_path / "nowhere.jpg", code=2)
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert "nowhere.jpg: got no such file, expected" in line


def test_predict_refuses_what_is_no_classifier(phantoms: Path, tmp_path: Path) -> None:
    (tmp_path / "model.neumo").write_text("nothing")
    done = run("predict", tmp_path / "model.neumo", next(phantoms.rglob("*.jpeg")), code=2)
    assert "model.neumo" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_too_few_images_name_the_options_that_say_how_many_are_needed(tmp_path: Path) -> None:
    for i, name in enumerate(("normal", "normal", "normal", "pneumonia", "pneumonia")):
        draw(tmp_path / "data" / name / f"{i}.png", i)
    done = neumo_here("study", tmp_path / "data", *SMALL, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "got 2 pneumonia images, expected enough to have some in each of train" in done.stderr
    assert done.stderr.endswith("; choose others with --test-fraction and --validation-fraction\n")


@pytest.mark.parametrize(
    "option",
    [
        ("--ages", 1, 5),
        ("--path-column", "x"),
        ("--label-column", "x"),
        ("--patient-column", "x"),
        ("--positive", "x"),
        ("--skip-missing",),
    ],
)
def test_what_is_about_data_is_not_passed_over_without_data(
    option: tuple[object, ...], tmp_path: Path
) -> None:
    done = neumo_here("study", *option, "--backbone", "ResNet5", "--out", tmp_path / "out")
    told = f"neumo: {option[0]}: got no DATA, expected the data set that it is about\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
