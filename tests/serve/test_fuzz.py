"""A few hundred of the broken files of ``benchmarks/fuzz.py`` through reader and server."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"


def test_no_broken_file_does_harm(saved: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--model", str(saved), "--files", "300", "--seed", "7"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert run.returncode == 0, run.stdout
    told = dict(re.findall(r"\| (\w+ \w+) \| ([\d,]+) \|", run.stdout))
    assert told["mutated files"] == "300"
    # some are still read, most are not (of pictures that are not compressed, half): it is tried with both
    for kind in ("jpeg", "png", "dicom", "tiff", "webp", "gif", "jpeg2000"):
        assert 0 < int(told[f"{kind} read"]) < int(told[f"{kind} refused"])
    for kind in ("bmp", "ppm"):
        assert min(int(told[f"{kind} read"]), int(told[f"{kind} refused"])) > 5
