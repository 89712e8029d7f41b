"""Finished trials in a study's folder."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import pandas as pd

from neumo.backend import keras
from neumo.features.scaling import Scaling
from neumo.files import whole_file
from neumo.study.results import Run
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
    try:
        found = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
        if found["key"] != key:
            return None
        head = keras.saving.load_model(folder / "head.keras", compile=False)
        predictions = pd.read_csv(folder / "predictions.csv", dtype={"patient": str, "cause": str})
        return Trial(Run(**found["run"]), head, Scaling(**found["run"]["scaling"]), predictions)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _keep(folder: Path, key: str, trial: Trial) -> None:
    """Write a trial down; ``trial.json`` comes last, as it vouches for the rest."""
    with whole_file(folder / "head.keras") as part:
        trial.head.save(part, include_optimizer=False)
    with whole_file(folder / "predictions.csv") as part:
        trial.predictions.to_csv(part, index=False)
    with whole_file(folder / "trial.json") as part:
        part.write_text(json.dumps({"key": key, "run": dataclasses.asdict(trial.run)}))
