"""Finished trials in a study's folder."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from neumo.backend import keras
from neumo.features.scaling import Scaling
from neumo.files import whole_file, write_csv
from neumo.results.results import Run
from neumo.results.run_folder import read_predictions
from neumo.study.trial import Bench, Plan, Trial


def run_or_find(out: Path, bench: Bench, plan: Plan) -> Trial:
    """Run a trial, or take it as an earlier run left it, if all that it depends on is as it was then.

    Raises:
        NeumoError: as `Bench.fit`.
    """
    step = plan.step.name.replace(" ", "-")
    folder = out / "trials" / f"{plan.protocol}-{step}-{plan.drawn}-seed{plan.seed}"
    key = bench.key(plan)
    trial = _find(folder, key)
    if trial is None:
        trial = bench.fit(plan)
        _keep(folder, key, trial)
    return trial


def _find(folder: Path, key: str) -> Trial | None:
    found = find_run(folder, key)
    if found is None:
        return None
    run, predictions = found
    try:
        head = keras.saving.load_model(folder / "head.keras", compile=False)
        return Trial(run, head, Scaling(**run.scaling), predictions)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _keep(folder: Path, key: str, trial: Trial) -> None:
    with keeping_run(folder, key, trial.run, trial.predictions), whole_file(folder / "head.keras") as part:
        trial.head.save(part, include_optimizer=False)


def find_run(folder: Path, key: str) -> tuple[Run, pd.DataFrame] | None:
    """The figures and predictions of a trial as `keeping_run` left them; None where another key was kept."""
    try:
        found = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
        if found["key"] != key:
            return None
        return Run(**found["run"]), read_predictions(folder / "predictions.csv")
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def keeping_run(folder: Path, key: str, run: Run, predictions: pd.DataFrame) -> Iterator[None]:
    """Write a trial down; the block writes its network.

    ``trial.json`` vouches for the rest: it comes last, and that of an earlier trial goes first.
    """
    (folder / "trial.json").unlink(missing_ok=True)
    yield
    write_csv(predictions, folder / "predictions.csv")
    with whole_file(folder / "trial.json") as part:
        part.write_text(json.dumps({"key": key, "run": dataclasses.asdict(run)}))
