"""How much a radiograph looks like pneumonia by everything but the lungs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from neumo.data.split import together
from neumo.data.table import NORMAL, PNEUMONIA
from neumo.errors import NeumoError
from neumo.images.read import read_radiograph
from neumo.images.stretch import stretch
from neumo.progress import track
from neumo.threads import in_threads

FOLDS = 5


def resemblance(table: pd.DataFrame, *, groups: pd.Series | None = None) -> np.ndarray:
    """How much each image looks like pneumonia by how it was stretched and resampled alone.

    A logistic regression on the standardised numbers of `neumo.images.stretch.STRETCH`, both classes of
    equal weight, gives every image a score from a fit without its group, in `FOLDS` fixed folds. Images of
    one group get their mean. Where class can be told so, a network will learn it, and fail on radiographs
    that came another way.

    Args:
        table: columns path, sha256, label, patient.
        groups: further images that belong together, see `neumo.data.split.together`.

    Returns:
        Log odds of pneumonia, float64 (n,).

    Raises:
        UnreadableImageError: an image cannot be read.
        NeumoError: a class has fewer than `FOLDS` groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    ids, y = together(table, groups), table["label"].to_numpy()
    for label, name in ((NORMAL, "normal"), (PNEUMONIA, "pneumonia")):
        if (have := len(set(ids[y == label]))) < FOLDS:
            raise NeumoError(
                f"hard validation: got {have} patients with {name} images, expected at least {FOLDS}"
            )
    scores = cross_val_predict(
        _regression(),
        _measured(table),
        y,
        groups=ids,
        cv=StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0),
        method="decision_function",
    )
    return (np.bincount(ids, scores) / np.bincount(ids))[ids]


def overlap_weights(table: pd.DataFrame) -> np.ndarray:
    """Weights under which stretch and detail do not tell the classes apart.

    The overlap weights of Li, Morgan and Zaslavsky (2018, doi:10.1080/01621459.2016.1260466), with the class
    in the place of the treatment: an image weighs as much as a logistic regression on the numbers of
    `neumo.images.stretch.STRETCH` finds the other class probable. The weighted means of each number are then
    alike in both classes: equal but for the regression's penalty, which keeps the weights of classes that do
    not overlap from one image taking all.

    Args:
        table: columns path and label.

    Returns:
        Float64 (n,), positive; of each class they add up to 1.

    Raises:
        UnreadableImageError: an image cannot be read.
        NeumoError: one class only.
    """
    y = table["label"].to_numpy()
    if len(set(y)) < 2:
        raise NeumoError(f"overlap weights: got {len(y)} images of one class, expected both classes")
    numbers = _measured(table)
    other = _regression().fit(numbers, y).predict_proba(numbers)[np.arange(len(y)), 1 - y]
    return np.asarray(other / np.bincount(y, other)[y])


def _measured(table: pd.DataFrame) -> np.ndarray:
    work = track(in_threads(_measure, table["path"]), "Measuring stretch and detail", len(table))
    return np.stack(list(work))


def _regression() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))


def _measure(path: str) -> np.ndarray:
    return stretch(read_radiograph(path))
