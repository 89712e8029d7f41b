"""The whole project passes its linter, its formatter and its type checker."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("command", ["ruff check .", "ruff format --check .", "mypy"])
def test_clean(command: str) -> None:
    run = subprocess.run([sys.executable, "-m", *command.split()], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


HOUSE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROOMS = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", HOUSE, re.MULTILINE)
"""Folders and modules of ``src/neumo``, in order: each uses only what is above it."""


def imported(code: str) -> Iterator[str]:
    """Rooms that a module of neumo uses, wherever in it they are imported."""
    for found in ast.walk(ast.parse(code)):
        names = []
        if isinstance(found, ast.Import):
            names = [one.name for one in found.names]
        elif isinstance(found, ast.ImportFrom) and found.module:
            names = [f"{found.module}.{one.name}" for one in found.names]
        rooms = [name.split(".")[1] for name in names if name.startswith("neumo.")]
        yield from (room for room in rooms if room in ROOMS)


def against_the_order(source: Path) -> list[tuple[str, str]]:
    """Modules that use what is below them, each with that."""
    return [
        (file.relative_to(source).as_posix(), used)
        for file in sorted(source.rglob("*.py"))
        for used in imported(file.read_text(encoding="utf-8"))
        if ROOMS.index(used) > ROOMS.index(file.relative_to(source).with_suffix("").parts[0])
    ]


def test_the_house_names_each_room_and_module() -> None:
    source = ROOT / "src" / "neumo"
    folders = [file.parent.name for file in source.glob("*/__init__.py")]
    assert sorted(ROOMS) == sorted([*folders, *(file.stem for file in source.glob("*.py"))])


def test_each_room_uses_only_those_above_it() -> None:
    assert against_the_order(ROOT / "src" / "neumo") == []


@pytest.mark.parametrize(
    ("file", "code", "used"),
    [
        ("images/read.py", "from neumo.data.table import Dataset", "data"),
        ("errors.py", "def late():\n    from neumo import files", "files"),
        ("features/graph.py", "import neumo.training.head", "training"),
        ("archive.py", "from neumo.classifier.classifier import load", "classifier"),
    ],
)
def test_an_import_against_the_order_is_seen(tmp_path: Path, file: str, code: str, used: str) -> None:
    written = tmp_path / file
    written.parent.mkdir(exist_ok=True)
    written.write_text(code, encoding="utf-8")
    assert against_the_order(tmp_path) == [(file, used)]
