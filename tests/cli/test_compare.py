"""``neumo compare``, from run folders to a table and a page."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from statistics import mean, stdev

import pandas as pd

from tests.cli.here import neumo_here


def neumo(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = neumo_here(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_prints_tables_and_leaves_a_page(two_runs: tuple[Path, Path], tmp_path: Path) -> None:
    done = neumo("compare", *two_runs, "--out", tmp_path / "out")
    for said in ("coarse", "fine", "official", "McNemar", "DeLong", "SYNTHETIC", "not a medical device"):
        assert said in done.stdout
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    official = next(pair for pair in found["pairs"] if pair["protocol"] == "official")
    assert f"{official['differences']['auc']['value']:+.3f}" in done.stdout
    assert f"{official['seeds'][0]['delong']['p']:.3f}" in done.stdout
    for folder in two_runs:
        each = json.loads((folder / "results.json").read_text())["runs"]
        for protocol in {one["protocol"] for one in each}:
            auc = [one["test"]["metrics"]["auc"]["value"] for one in each if one["protocol"] == protocol]
            assert f" {mean(auc):.3f} " in done.stdout
            assert f" ± {stdev(auc):.3f} " in done.stdout
    assert (tmp_path / "out" / "comparison.html").is_file()
    assert {file.suffix for file in (tmp_path / "out" / "figures").iterdir()} == {".png", ".svg"}


def test_no_p_value_is_zero(two_runs: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(two_runs[0], tmp_path / "turned")
    file = tmp_path / "turned" / "predictions.csv"
    table = pd.read_csv(file)
    table.assign(probability=1 - table["probability"]).to_csv(file, index=False)
    told = neumo("compare", two_runs[0], file.parent).stdout
    pairs = json.loads(neumo("compare", two_runs[0], file.parent, "--json").stdout)["pairs"]
    tests = [one[test]["p"] for pair in pairs for one in pair["seeds"] for test in ("mcnemar", "delong")]
    small = sum(p < 0.0005 for p in tests)
    assert told.count("< 0.001") >= small > 0


def test_json_is_one_document(two_runs: tuple[Path, Path]) -> None:
    found = json.loads(neumo("compare", *two_runs, "--json").stdout)
    assert [run["name"] for run in found["runs"]] == ["coarse", "fine"]


def test_bad_input_is_one_line(two_runs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for arguments, told in (
        ((two_runs[0],), "expected two or more runs"),
        ((two_runs[0], tmp_path), "got no results.json there"),
        ((*two_runs, "--out", tmp_path), "got a folder with other files"),
    ):
        done = neumo("compare", *arguments, code=2)
        assert done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1
        assert told in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]
