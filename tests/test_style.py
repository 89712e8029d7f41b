"""The whole project passes its linter, its formatter and its type checker."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("command", ["ruff check .", "ruff format --check .", "mypy"])
def test_clean(command: str) -> None:
    run = subprocess.run([sys.executable, "-m", *command.split()], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_each_room_uses_only_those_above_it() -> None:
    house = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^\| `(\w+)/` \|", house, re.MULTILINE)
    source = ROOT / "src" / "neumo"
    assert sorted(rooms) == sorted(p.parent.name for p in source.glob("*/__init__.py"))
    against = []
    for file in source.glob("*/**/*.py"):
        room = file.relative_to(source).parts[0]
        for found in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(found, ast.ImportFrom) and found.module and found.module.startswith("neumo"):
                names = [found.module, *(f"{found.module}.{one.name}" for one in found.names)]
                used = {name.split(".")[1] for name in names if "." in name} & set(rooms)
                against += [(str(file), one) for one in used if rooms.index(one) > rooms.index(room)]
    assert against == []
