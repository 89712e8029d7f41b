"""A small real study: phantoms, real heads on shrunk pixels, real evaluations."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neumo.data.audit import audit
from neumo.data.balance import balance, balance_then_validate
from neumo.data.sources import read
from neumo.data.split import part_counts, split
from neumo.evaluation.metrics import by_cause, evaluate
from neumo.evaluation.operating_point import choose_threshold
from neumo.images.read import read_radiograph
from neumo.phantom.dataset import make_phantoms
from neumo.results.results import Results, Run
from neumo.results.settings import Settings
from neumo.training.head import fit_head
from neumo.training.steps import STEPS

SIDE = 12
EPOCHS = 6


def shrunk(path: str) -> np.ndarray:
    """A radiograph as SIDE x SIDE features around 0."""
    small = Image.fromarray(read_radiograph(path)).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel() / 32 - 4


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two seeds, all three protocols, six epochs."""
    data = read(make_phantoms(tmp_path_factory.mktemp("phantoms"), patients=40, size=64))
    settings = Settings(backbone="MobileNetV2-0.35", weights="none", seeds=(0, 1), epochs=EPOCHS)
    features = {path: shrunk(path) for path in data.table["path"]}
    runs = []
    for protocol in ("random", "official", "patient"):
        for seed in settings.seeds:
            divided = split(data.table, protocol, seed=seed)
            rows = balance(divided)
            steps = STEPS if protocol == "random" else STEPS[-1:]
            runs += [run(divided, rows, features, protocol, step, seed) for step in steps]
            if protocol == "random":
                rows = balance_then_validate(divided, seed=seed)
                runs.append(run(divided, rows, features, protocol, STEPS[-1], seed, "after-balancing"))
    shown = data.table[data.table["label"] == 0].head(2)
    return Results(
        notice="A research tool, not a medical device.",
        dataset={
            "name": data.name,
            "layout": data.layout,
            "rows": data.rows,
            "images": len(data.table),
            "synthetic": data.synthetic,
            "citation": data.citation,
            "missing": data.missing,
            "positive_name": data.positive_name,
            "negative_name": data.negative_name,
        },
        audit=audit(data).to_dict(),
        backbone={
            "name": settings.backbone,
            "weights": settings.weights,
            "weights_id": "0" * 64,
            "features": SIDE * SIDE,
            "parameters": 0,
        },
        settings=settings.to_dict(),
        runs=runs,
        skipped={},
        contact_sheet=[
            {"path": path, "sha256": sha256, "copies": 2}
            for path, sha256 in zip(shown["path"], shown["sha256"], strict=True)
        ],
        environment={"neumo": "0.1.0", "python": "3.11", "precision": "f32"},
        seconds={"features": 1.5, "heads": 75.0, "last run": 150.0},
        command="neumo study --seed 0 --seed 1",
    )


def run(divided, rows, features, protocol, step, seed, drawn="before-balancing") -> Run:  # type: ignore[no-untyped-def]
    """One head fitted on the rows, evaluated if it is the last step's."""
    x = np.stack([features[path] for path in rows["path"]])
    y = rows["label"].to_numpy()
    train, validation, test = (rows["part"].to_numpy() == part for part in ("train", "validation", "test"))
    fitted = fit_head(step, x[train], y[train], x[validation], y[validation], seed=seed, epochs=EPOCHS)

    def probabilities(part: np.ndarray) -> np.ndarray:
        return fitted.model.predict(x[part], verbose=0)[:, 0].astype(np.float64)

    counts = part_counts(divided)
    for part in counts:
        counts[part]["generated"] = int(((rows["part"] == part) & (rows["copy"] > 0)).sum())
    found = Run(
        protocol=protocol,
        step=step.name,
        seed=seed,
        validation_drawn=drawn,
        counts=counts,
        scaling={"mean": 0.0, "std": 1.0},
        history=fitted.history,
        best_epoch=fitted.best_epoch,
        validation={key: fitted.history[f"val_{key}"][fitted.best_epoch - 1] for key in ("loss", "accuracy")},
        parameters={"total": fitted.model.count_params(), "trainable": fitted.model.count_params()},
        threshold=dataclasses.asdict(choose_threshold(y[validation], probabilities(validation))),
    )
    if step is STEPS[-1]:
        p, table = probabilities(test), rows[test]
        threshold = found.threshold["threshold"]
        found.test = evaluate(
            y[test], p, threshold=threshold, groups=table["patient"].to_numpy(), replicates=100
        ).to_dict()
        found.by_cause = by_cause(y[test], p, table["cause"].to_numpy(), threshold)
        wrong = table.assign(probability=p)[(p >= threshold) != y[test]]
        found.mistakes = wrong[["path", "label", "cause", "patient", "probability"]].to_dict("records")
    return found


@pytest.fixture
def results(study: Results, tmp_path: Path) -> Results:
    """The study as it comes back from its file; a test may change it."""
    study.save(tmp_path / "results.json")
    return Results.load(tmp_path / "results.json")
