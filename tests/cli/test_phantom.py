"""`neumo phantom` from the shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from neumo.phantom import dataset
from tests.cli.here import neumo_here


def neumo(*arguments: object) -> subprocess.CompletedProcess[str]:
    return neumo_here(*arguments)


def test_phantom(tmp_path: Path) -> None:
    options = ("--patients", 12, "--images", 20, "--size", 80, "--difficulty", "0.2", "--seed", 3, "--masks")
    run = neumo("phantom", tmp_path / "set", *options)
    assert run.returncode == 0, run.stderr
    assert "20 images of 12 patients" in run.stdout
    assert "SYNTHETIC" in run.stdout
    table = pd.read_csv(tmp_path / "set" / "Chest_xray_Corona_Metadata.csv")
    files = list((tmp_path / "set").rglob("*.jpeg"))
    assert len(table) == len(files) == 20
    assert Image.open(files[0]).size == (80, 80)
    assert len(list((tmp_path / "set" / "lesions").iterdir())) == (table["Label"] == "Pnemonia").sum()
    assert neumo("phantom", tmp_path / "set", *options).returncode == 0


def test_the_default_is_that_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    black = np.zeros((8, 8), np.uint8)
    monkeypatch.setattr(dataset, "draw_radiograph", lambda *_, **__: (black, black > 0))
    run = neumo("phantom", tmp_path / "set")
    assert run.stdout.endswith("480 images of 150 patients, SYNTHETIC: drawn, not taken\n")
    dataset.make_phantoms(tmp_path / "set")  # refuses one of other options


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for arguments in (
        (tmp_path,),
        (tmp_path / "mine.txt",),
        (tmp_path / "new", "--difficulty", "brutal"),
        (tmp_path / "new", "--patients", 2),
    ):
        run = neumo("phantom", *arguments)
        assert run.returncode == 2
        assert run.stderr.startswith("neumo: ")
        assert run.stderr.count("\n") == 1
        assert "expected" in run.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
