from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cli.here import neumo_here


def neumo(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return neumo_here(*arguments)


def one_line(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    return run.stderr


def test_folder_without_results(tmp_path: Path) -> None:
    line = one_line(neumo("report", tmp_path))
    assert str(tmp_path / "results.json") in line
    assert "expected the results of a neumo study" in line


def test_results_that_are_none(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"version": 1}', '{"version": 99}'):
        (tmp_path / "results.json").write_text(text)
        assert str(tmp_path / "results.json") in one_line(neumo("report", tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]
