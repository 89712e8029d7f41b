"""Finished runs, made fast: real splits, predictions and evaluations of a linear model on shrunk images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neumo.data.split import part_counts, split
from neumo.data.table import Dataset
from neumo.evaluation.operating_point import choose_threshold
from neumo.images.read import read_radiograph
from neumo.results.results import Results, Run
from neumo.results.settings import Settings
from neumo.study.judge import judge


def make_run(
    folder: Path,
    data: Dataset,
    *,
    side: int,
    seeds: tuple[int, ...] = (0,),
    protocols: tuple[str, ...] = ("random", "official", "patient"),
) -> Path:
    """Leave what `neumo train` leaves, of a model that sees `side` x `side` pixels."""
    x = np.array([shrunk(path, side) for path in data.table["path"]])
    runs, tables = [], []
    for protocol in protocols:
        for seed in seeds:
            rows = split(data.table, protocol, seed=seed)
            run, predictions = tested(rows, x, protocol, seed)
            runs.append(run)
            tables.append(
                predictions.assign(protocol=protocol, seed=seed, validation_drawn=run.validation_drawn)
            )
    results = Results(
        notice="A research tool, not a medical device.",
        dataset={
            **{name: getattr(data, name) for name in ("name", "layout", "rows", "synthetic", "citation")},
            **{name: getattr(data, name) for name in ("missing", "positive_name", "negative_name")},
            "images": len(data.table),
        },
        audit={},
        backbone={"name": f"{side} x {side}", "weights": "none", "weights_id": "0", "features": side * side},
        settings=Settings(seeds=seeds).to_dict(),
        runs=runs,
        skipped={},
        contact_sheet=[],
        environment={"neumo": "0.1.0"},
        seconds={},
        command=f"neumo train --side {side}",
    )
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat(tables).assign(synthetic=True).to_csv(folder / "predictions.csv", index=False)
    results.save(folder / "results.json")
    return folder


def tested(rows: pd.DataFrame, x: np.ndarray, protocol: str, seed: int) -> tuple[Run, pd.DataFrame]:
    """One model, fitted on the training part and tested once."""
    y, train, validation = rows["label"].to_numpy(), rows["part"] == "train", rows["part"] == "validation"
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200)).fit(x[train], y[train])
    p = model.predict_proba(x)[:, 1]
    run = Run(
        protocol=protocol,
        step="linear",
        seed=seed,
        validation_drawn="before-balancing",
        counts=part_counts(rows),
        scaling={"mean": 0.0, "std": 1.0},
        history={},
        best_epoch=1,
        validation={},
        parameters={},
        threshold=dataclasses.asdict(choose_threshold(y[validation], p[validation])),
    )
    predictions = rows.assign(probability=p)[rows["part"] == "test"]
    predictions = predictions[["path", "sha256", "label", "cause", "patient", "probability"]].reset_index(
        drop=True
    )
    judge(run, predictions)
    return run, predictions


def shrunk(path: str, side: int) -> np.ndarray:
    """A radiograph as so many features."""
    return np.asarray(
        Image.fromarray(read_radiograph(path)).resize((side, side), Image.Resampling.BOX)
    ).ravel()
