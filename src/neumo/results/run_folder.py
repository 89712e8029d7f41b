"""The predictions that a run leaves, written and read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from neumo.files import write_csv
from neumo.results.results import Run


def save_predictions(kept: list[tuple[Run, pd.DataFrame]], synthetic: bool, file: Path) -> None:
    """Every tested image of every run in one table."""
    tables = [
        predictions.assign(
            protocol=run.protocol, seed=run.seed, validation_drawn=run.validation_drawn, synthetic=synthetic
        )
        for run, predictions in kept
        if run.test is not None
    ]
    write_csv(pd.concat(tables), file)


def read_predictions(file: Path, **columns: type) -> pd.DataFrame:
    """Read predictions back; a patient may be called NA, and only an empty cell is none.

    Args:
        file: written by `save_predictions`, or of one trial.
        columns: name -> type of those that are wanted; all if not given.

    Raises:
        ValueError: a column is not there, or a cell is not of its type.
    """
    return pd.read_csv(
        file,
        usecols=list(columns) or None,
        dtype=columns or {"patient": str, "cause": str},
        keep_default_na=False,
        na_values=[""],
    )
