"""docs/notebook.ipynb runs from its first cell to its last."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
SMALL = {"NOTEBOOK_PATIENTS": "40", "NOTEBOOK_SIZE": "64", "NOTEBOOK_EPOCHS": "3"}


def code_cells() -> list[dict[str, Any]]:
    return [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the cells wrote to, what they printed; run in order in one process of their own."""
    folder = tmp_path_factory.mktemp("notebook")
    script = folder / "cells.py"
    script.write_text("\n\n".join("".join(cell["source"]) for cell in code_cells()), "utf-8")
    small = {**os.environ, **SMALL, "NOTEBOOK_FOLDER": str(folder), "NEUMO_CACHE": str(folder / "cache")}
    done = subprocess.run([sys.executable, script], env=small, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_it_trains_tests_and_explains(ran: tuple[Path, str]) -> None:
    folder, printed = ran
    assert re.search(r"^\d+ images, 40 patients$", printed, re.MULTILINE)
    figures = dict(re.findall(r"^(accuracy|auc|sensitivity|specificity) +([01]\.\d{3}) \(", printed, re.M))
    assert len(figures) == 4
    assert float(figures["auc"]) > 0.6, "no better than chance on drawn lesions"
    width, height = Image.open(folder / "explained.png").size
    assert width > 2 * 224
    assert height > 224


def test_noise_gets_a_warning_and_every_prediction_the_notice(ran: tuple[Path, str]) -> None:
    _, printed = ran
    (noise,) = re.findall(r"^[01]\.\d{3} \w+ (\('.*\))$", printed, re.MULTILINE)[-1:]
    assert "unfamiliar" in noise
    assert "not a medical device" in printed


def test_it_is_kept_without_outputs() -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code_cells())
