"""The predictions that a run leaves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from neumo.files import whole_file
from neumo.study.results import Run


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
