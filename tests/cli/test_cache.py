from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neumo.cli.cache import cache as clear_all
from neumo.features.store import FeatureStore
from neumo.files import cache_folder
from tests.cli.here import neumo_here


def neumo(*arguments: object) -> subprocess.CompletedProcess[str]:
    return neumo_here("cache", *arguments)


def as_json(*arguments: object) -> dict[str, Any]:
    run = neumo(*arguments, "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that holds nothing yet."""
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path / "own-cache"))


@pytest.fixture
def filled() -> Path:
    vectors = {f"image {i}": np.ones(2048, np.float32) for i in range(1500)}
    about = {"kind": "features", "weights": "none-1", "precision": "f32"}
    with FeatureStore() as store:
        store.put_many({**about, "backbone": "ResNet50", "scaling": [0.0, 1.0]}, vectors)
        store.put_many({**about, "backbone": "ResNet50", "scaling": [122.0, 60.0]}, vectors)
        store.put_many({**about, "backbone": "ResNet50V2", "scaling": [0.0, 1.0]}, {"image": np.ones(9)})
        store.put_many({"kind": "pixel-moments"}, {"image": np.ones(2)})
    for name in ("ResNet50-0123456789abcdef", "ResNet50V2-0123456789abcdef"):
        (cache_folder() / "networks" / name).mkdir(parents=True)
        (cache_folder() / "networks" / name / "network.bin").write_bytes(bytes(1000))
    (cache_folder() / "inspections.sqlite").write_bytes(bytes(500))
    (cache_folder() / "maps").mkdir()
    (cache_folder() / "maps" / "0123.f16").write_bytes(bytes(700))
    (cache_folder() / "tuned").mkdir()
    (cache_folder() / "tuned" / "0123.pt").write_bytes(bytes(90))
    (cache_folder() / "of another program").touch()
    return cache_folder()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.name[:9] not in ("features.", "networks")}


def test_people_see_sizes(filled: Path) -> None:
    run = neumo()
    assert (run.returncode, run.stderr) == (0, "")
    assert str(filled) in run.stdout.replace("\n", "")
    (line,) = [line for line in run.stdout.splitlines() if "ResNet50 " in line]
    assert [cell.strip() for cell in line.split("│")[1:-1]] == ["ResNet50", "none-1", "f32", "3,000", "24.6"]
    assert "┃ entries ┃" in run.stdout
    assert "inspections <0.1 MB" in run.stdout
    assert "Features take more room there than in the table" in run.stdout
    (line,) = [line for line in run.stdout.splitlines() if "│ - " in line]
    assert [cell.strip() for cell in line.split("│")[1:-1]] == ["-", "-", "-", "1", "<0.1"]
    assert "Without a backbone: mean and variance" in run.stdout


def test_programs_get_bytes(filled: Path) -> None:
    found = as_json()
    assert found["folder"] == str(filled)
    assert found["bytes"]["networks"] == 2000
    assert [found["bytes"][kind] for kind in ("inspections", "maps", "tuned")] == [500, 700, 90]
    assert found["bytes"]["features"] > 3000 * 8192
    assert [(space.get("backbone"), space["entries"]) for space in found["spaces"]] == [
        ("ResNet50", 1500),
        ("ResNet50", 1500),
        ("ResNet50V2", 1),
        (None, 1),
    ]
    assert [space["scaling"] for space in as_json("--backbone", "resnet50")["spaces"]] == [[0, 1], [122, 60]]
    assert found["cleared"] is None


def test_clears_one_backbone(filled: Path) -> None:
    found = as_json("--clear", "--backbone", "ResNet50")
    assert (found["cleared"], found["spaces"]) == (3000, [])
    assert found["bytes"]["features"] < 1_000_000
    assert names(filled) == {
        "ResNet50V2-0123456789abcdef",
        "network.bin",
        "inspections.sqlite",
        "maps",
        "tuned",
        "0123.f16",
        "0123.pt",
        "of another program",
    }
    assert [space.get("backbone") for space in as_json()["spaces"]] == ["ResNet50V2", None]


def test_clears_everything_of_its_own(filled: Path) -> None:
    run = neumo("--clear")
    assert (run.returncode, run.stderr) == (0, "")
    assert "Cleared 3,002 entries" in run.stdout
    assert "No features." in run.stdout
    assert names(filled) == {"of another program", "maps", "tuned"}


def test_stopped_within_clearing_no_images_count_as_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache_folder() / "medmnist" / "0123"
    (folder / "train" / "normal").mkdir(parents=True)
    for name in (".lock", ".whole", "train/normal/0.png", "train/normal/1.png"):
        (folder / name).touch()
    gone: list[str] = []
    monkeypatch.setattr(Path, "unlink", lambda file, missing_ok: gone.append(file.name))
    clear_all(clear=True, as_json=True)
    assert gone[-4] == ".whole"
    assert set(gone[-3:]) == {".lock", "0.png", "1.png"}


def test_an_empty_cache() -> None:
    run = neumo()
    assert (run.returncode, run.stderr) == (0, "")
    assert "No features." in run.stdout


def test_an_unknown_backbone(filled: Path) -> None:
    run = neumo("--clear", "--backbone", "ResNet5")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("neumo: backbone: got 'ResNet5', expected ResNet50")
    assert run.stderr.count("\n") == 1
    assert len(as_json()["spaces"]) == 4


def test_a_damaged_store_is_told(filled: Path) -> None:
    (filled / "features.sqlite").write_bytes(b"no database" * 999)
    run = neumo("--json")
    assert run.returncode == 0
    assert "got a damaged file" in run.stderr
    assert run.stderr.count("\n") == 1
    assert json.loads(run.stdout)["spaces"] == []
    assert (filled / "features.sqlite.damaged").exists()
    assert neumo("--clear").returncode == 0
    assert not (filled / "features.sqlite.damaged").exists()


def test_a_cache_folder_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path / "file"))
    run = neumo()
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"neumo: {tmp_path / 'file'}: got ")
    assert run.stderr.count("\n") == 1
