"""The folder that a run leaves its results in."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from neumo.errors import NeumoError
from neumo.files import whole_file
from neumo.study.results import Run

MARKER = ".neumo-study"
"""Marks a folder as a study's own."""


def claim(out: Path) -> Path:
    """Make a run's folder, or see that it is one.

    Raises:
        NeumoError: it holds other files, or is a file.
    """
    if out.exists() and not out.is_dir():
        raise NeumoError(f"{out}: got a file, expected a folder for the results")
    if out.exists() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise NeumoError(f"{out}: got a folder with other files, expected a new one or one of a neumo study")
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_text("neumo study writes its results here, and over what it wrote before.\n")
    return out


def save_predictions(kept: list[tuple[Run, pd.DataFrame]], synthetic: bool, file: Path) -> None:
    """Every tested image of every run in one table."""
    tables = [
        predictions.assign(
            protocol=run.protocol, seed=run.seed, validation_drawn=run.validation_drawn, synthetic=synthetic
        )
        for run, predictions in kept
        if run.test is not None
    ]
    with whole_file(file) as part:
        pd.concat(tables).to_csv(part, index=False)
