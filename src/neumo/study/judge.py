"""What the test part says of a trained classifier."""

from __future__ import annotations

import pandas as pd

from neumo.evaluation.metrics import by_cause, evaluate
from neumo.evaluation.mistakes import worst_mistakes
from neumo.results.results import Run


def judge(run: Run, predictions: pd.DataFrame) -> None:
    """Write what the test part says into `run`."""
    y, p = predictions["label"].to_numpy(), predictions["probability"].to_numpy()
    threshold = run.threshold["threshold"]
    run.test = evaluate(y, p, threshold=threshold, groups=predictions["patient"]).to_dict()
    run.by_cause = by_cause(y, p, predictions["cause"].to_numpy(), threshold)
    run.mistakes = worst_mistakes(predictions, threshold)
