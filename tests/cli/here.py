"""The command line in the process of the tests, which has the heavy libraries loaded already."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from neumo.cli import main


def neumo_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What ``python -m neumo`` with these arguments would print and end with."""
    command = ["neumo", *map(str, arguments)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", command)
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())
