"""The images on which a classifier was surest of the wrong answer."""

from __future__ import annotations

from typing import Any

import pandas as pd

MOST = 12
"""Images that are named."""

_TOLD = ["path", "label", "cause", "patient", "probability"]


def worst_mistakes(predictions: pd.DataFrame, threshold: float) -> list[dict[str, Any]]:
    """The wrong answers that lie farthest from the truth, at most `MOST`, worst first.

    Args:
        predictions: columns path, label (0 or 1), cause, patient (missing where not known) and probability.
        threshold: images with a probability of at least this are called positive.

    Returns:
        These columns of each, JSON-able; None where missing.
    """
    wrong = predictions[(predictions["probability"] >= threshold) != predictions["label"]]
    worst = wrong.assign(off=(wrong["probability"] - wrong["label"]).abs())
    worst = worst.sort_values(["off", "path"], ascending=[False, True]).head(MOST)
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in worst[_TOLD].to_dict("records")
    ]
