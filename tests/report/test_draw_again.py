"""``neumo report``, where a study is at hand; bad input is in tests/cli/test_report.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from neumo.report.drawing import Drawing
from neumo.report.page import write_page
from neumo.results.results import Results


def test_draws_the_same_page_again(study: Results, drawings: dict[str, Drawing], tmp_path: Path) -> None:
    study.save(tmp_path / "results.json")
    first = write_page(study, tmp_path, drawings).read_bytes()
    (tmp_path / "report.html").unlink()
    run = subprocess.run(
        [sys.executable, "-m", "neumo", "report", str(tmp_path)], capture_output=True, text=True, timeout=180
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip() == str(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == first
    assert {file.stem for file in (tmp_path / "figures").iterdir()} == set(drawings)
