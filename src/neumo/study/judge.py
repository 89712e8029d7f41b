"""What the test part says of a trained classifier."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neumo.evaluation.metrics import by_cause, evaluate
from neumo.study.results import Run

MISTAKES = 12
"""Most wrong test images that a run keeps by name."""


def judge(run: Run, predictions: pd.DataFrame) -> None:
    """Write what the test part says into `run`."""
    y, p = predictions["label"].to_numpy(), predictions["probability"].to_numpy()
    threshold = run.threshold["threshold"]
    patients = predictions["patient"] if predictions["patient"].notna().any() else None
    run.test = evaluate(y, p, threshold=threshold, groups=patients).to_dict()
    run.by_cause = by_cause(y, p, predictions["cause"].to_numpy(), threshold)
    worst = predictions.assign(off=np.abs(p - y), wrong=(p >= threshold) != y)
    worst = worst[worst["wrong"]].sort_values("off", ascending=False).head(MISTAKES)
    run.mistakes = [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in worst[["path", "label", "cause", "patient", "probability"]].to_dict("records")
    ]
