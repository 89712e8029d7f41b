"""A validation part whose normal radiographs look like pneumonia by everything but the lungs."""

from __future__ import annotations

from pathlib import Path

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
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    ids, y = together(table, groups), table["label"].to_numpy()
    for label, name in ((NORMAL, "normal"), (PNEUMONIA, "pneumonia")):
        if (have := len(set(ids[y == label]))) < FOLDS:
            raise NeumoError(
                f"hard validation: got {have} patients with {name} images, expected at least {FOLDS}"
            )
    work = track(in_threads(_measure, table["path"]), "Measuring stretch and detail", len(table))
    numbers = np.stack(list(work))
    scores = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)),
        numbers,
        y,
        groups=ids,
        cv=StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0),
        method="decision_function",
    )
    return (np.bincount(ids, scores) / np.bincount(ids))[ids]


def with_hard_validation(
    divided: pd.DataFrame, fraction: float = 0.2, seed: int = 0, *, groups: pd.Series | None = None
) -> pd.DataFrame:
    """Draw the validation part anew, so that what misleads a network there no longer helps.

    Of the images outside the test part, the `fraction` of the normal ones with the highest `resemblance` and
    as large a fraction of the pneumonia ones, drawn at random, become the validation part; whole groups, so
    that the numbers are nearly met. Its normal images are of a kind that training hardly shows, which is part
    of what makes the official test set of Kermany et al. 2018 hard; how much of that drop this part shows is
    measured in docs/official-test-set.md. The test part is neither read nor changed. Choose recipes and
    thresholds on it; then train on all of it.

    Args:
        divided: the table with its column "part"; an earlier validation part goes back into the draw.
        fraction: of either class, between 0 and 1.
        seed: of the draw of pneumonia images; the normal ones are the same for every seed.
        groups: further images that belong together, see `neumo.data.split.together`.

    Returns:
        The table with "part" anew.

    Raises:
        UnreadableImageError: an image cannot be read.
        NeumoError: a fraction out of range, or too few images.

    Example:
        >>> hard = with_hard_validation(split(neumo.read("coronahack").table, "official"))
    """
    if not 0 < fraction < 1:
        raise NeumoError(f"validation fraction: got {fraction}, expected a number between 0 and 1")
    rest = divided[divided["part"] != "test"].sort_values(["path", "sha256"])  # whatever the order of rows
    groups = None if groups is None else groups[rest.index]
    ids, y = together(rest, groups), rest["label"].to_numpy()
    scores = resemblance(rest, groups=groups)
    chance = np.random.default_rng(seed).random(ids.max() + 1)[ids]
    drawn = np.zeros(len(rest), bool)
    for label, by in ((NORMAL, scores), (PNEUMONIA, chance)):
        left = round(fraction * (y == label).sum()) - (drawn & (y == label)).sum()
        order = np.argsort(-by[y == label], kind="stable")
        chosen = ids[y == label][order]
        chosen = chosen[~np.isin(chosen, ids[drawn])][: max(left, 0)]
        drawn |= np.isin(ids, chosen)
    if any(drawn[y == label].all() or not drawn[y == label].any() for label in (NORMAL, PNEUMONIA)):
        raise NeumoError(
            f"hard validation: got a fraction of {fraction} of {len(rest)} images, expected one that "
            "leaves images of both classes on either side"
        )
    part = np.where(drawn, "validation", "train")
    anew = divided.copy()
    anew.loc[rest.index, "part"] = part
    return anew


def _measure(path: str | Path) -> np.ndarray:
    return stretch(read_radiograph(path))
