"""The door to the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_stopped_while_it_is_being_loaded_it_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-m", "neumo", "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "neumo: stopped\n")
