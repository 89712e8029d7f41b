"""How good a set of predicted probabilities is."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neumo.errors import NeumoError, as_number, as_whole, told
from neumo.evaluation.intervals import LEVEL, Statistics, Weights, bootstrap, units, wilson

METRICS = {
    "accuracy": "Accuracy",
    "auc": "AUC",
    "average_precision": "Average precision",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "balanced_accuracy": "Balanced accuracy",
    "loss": "Loss",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
}
"""Every metric by name, with what people get to read; all tables and pages show them in this order."""

LOWER_IS_BETTER = ("loss", "brier", "ece")
"""Metrics of which less is better; of all others, more."""

BINS = 10
GAPS = tuple(f"gap {i}" for i in range(BINS))
_EDGE = 1e-7  # Keras' epsilon: the loss of a certain, wrong prediction is 16.1 instead of infinite

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its 95 % interval; NaN where an end could not be computed."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """What the predictions for one set of images are worth.

    Args:
        n: number of images.
        threshold: images with a probability of at least this are called pneumonia.
        metrics: loss (binary cross-entropy, in nats), accuracy, auc (area under the ROC curve),
            average_precision, sensitivity, specificity, balanced_accuracy, brier and ece (expected
            calibration error, Guo et al., arXiv:1706.04599), each with its bootstrap interval. Where all
            draws of a share agree, as where all that it is of are right, or none, or they are of one patient,
            it has Wilson's interval instead, with as many patients, and balanced accuracy one made of its two
            halves' (Zou and Donner, Statistics in Medicine 27, 2008). The interval of an AUC or average
            precision of 1, or of one patient of each class, has no width that means anything. That of ece
            begins where chance no longer explains it, at 0 for a calibrated classifier: `_least_error`.
        confusion: [[true negatives, false positives], [false negatives, true positives]].
        roc: "fpr", "tpr" and "threshold", a number per point; the first calls nothing pneumonia (NaN).
        precision_recall: "precision", "recall" and "threshold" likewise; the last calls nothing pneumonia.
        calibration: "low" and "high" edge, "count" of images, mean "predicted" probability and "observed"
            fraction of pneumonia of ten bins of equal width; NaN where a bin is empty. Equal widths, since
            ECE is defined on them and a reader finds the probability they were given on the axis; most
            predictions lie near 0 or 1, so read the count before trusting a middle bin.
        bootstrap: "replicates", "resampled" ("patients" or "images"), "units" that were drawn from, "level",
            and "one_class", the replicates that lacked a class: they have no AUC, average precision,
            sensitivity, specificity or balanced accuracy, and are left out of those intervals.
    """

    n: int
    threshold: float
    metrics: dict[str, Estimate]
    confusion: list[list[int]]
    roc: dict[str, list[float]]
    precision_recall: dict[str, list[float]]
    calibration: dict[str, list[float]]
    bootstrap: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The same as nested dicts and lists for JSON, None where a number is not defined."""
        return without_nan(asdict(self))


def evaluate(
    y: ArrayLike,
    p: ArrayLike,
    *,
    threshold: float = 0.5,
    groups: ArrayLike | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Evaluate predicted probabilities against labels.

    Args:
        y: (n,) 0 normal, 1 pneumonia.
        p: (n,) or (n, 1) predicted probability of pneumonia.
        threshold: images with a probability of at least this are called pneumonia.
        groups: (n,) patient of each image, missing where unknown; patients are resampled for the intervals.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        NeumoError: no numbers are given, sizes differ, a label is not 0 or 1, a probability not in [0, 1],
            or a class is absent.

    Example:
        >>> evaluate([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]).metrics["auc"].value
        0.75
    """
    y, p = checked(y, p)
    threshold = as_number("threshold", threshold, lambda one: 0 <= one <= 1, "a probability from 0 to 1")
    if groups is not None:
        groups = np.asarray(groups, object)
        if groups.shape != y.shape:
            got = f"{len(groups)} patients" if groups.ndim == 1 else told(groups.tolist())
            raise NeumoError(f"groups: got {got}, expected {len(y)}, one per image")
    replicates, seed = as_whole("replicates", replicates, 1), as_whole("seed", seed, 0)
    statistics = partial(_with_gaps, y, p, threshold)
    values = statistics(np.ones((1, len(y))))
    intervals = bootstrap(
        statistics,
        len(y),
        groups=groups,
        replicates=replicates,
        seed=seed,
    )
    metrics = {
        name: Estimate(float(v[0]), *intervals.bounds[name]) for name, v in values.items() if name not in GAPS
    }
    own, drawn = (np.stack([of[name] for name in GAPS]) for of in (values, intervals.values))
    metrics["ece"] = replace(metrics["ece"], low=_least_error(own, drawn))
    called = p >= threshold
    return Evaluation(
        n=len(y),
        threshold=float(threshold),
        metrics=metrics | _without_spread(metrics, y, groups),
        confusion=[[int((called[y == label] == call).sum()) for call in (False, True)] for label in (0, 1)],
        roc=_roc(y, p),
        precision_recall=_precision_recall(y, p),
        calibration=_calibration(y, p),
        bootstrap={
            "replicates": replicates,
            "resampled": "images" if intervals.units == len(y) else "patients",
            "units": intervals.units,
            "level": LEVEL,
            "one_class": intervals.undefined["auc"],
        },
    )


def _without_spread(metrics: dict[str, Estimate], y: Floats, groups: ArrayLike | None) -> dict[str, Estimate]:
    """Shares that are the same in every draw, and what is made of them, with other intervals."""
    of_image, _ = units(len(y), groups)
    found = {}
    for name, own in (("accuracy", y >= 0), ("sensitivity", y == 1), ("specificity", y == 0)):
        if metrics[name].low == metrics[name].high:
            value, n = metrics[name].value, len(np.unique(of_image[own]))
            found[name] = Estimate(value, *wilson(n * value, n))
    halves = [found.get(name, metrics[name]) for name in ("sensitivity", "specificity")]
    if found.keys() & {"sensitivity", "specificity"}:
        value = metrics["balanced_accuracy"].value
        below = math.hypot(*(one.value - one.low for one in halves)) / 2
        above = math.hypot(*(one.high - one.value for one in halves)) / 2
        found["balanced_accuracy"] = Estimate(value, value - below, value + above)
    return found


def _least_error(own: Floats, drawn: Floats) -> float:
    """Where the 95 % interval of the calibration error begins.

    Chance opens gaps, too, and their sizes add up: draws lie above the value, as the value lies above the
    truth, so that their percentiles miss the error of a calibrated classifier nearly always. Instead a
    bootstrap test is inverted (Carpenter, JRSS B 61, 1999): all gaps are made narrower by one factor, with
    the chance of the draws about them, and those count that still reach the value in one draw of 40. Gaps as
    wide as they are give the other end, which is the percentile.

    Args:
        own: (BINS, 1) gaps of the images, signed.
        drawn: (BINS, r) of each replicate.
    """
    value, chance = float(np.abs(own).sum()), drawn - own
    for factor in np.linspace(0, 1, 100, endpoint=False):
        reached = np.quantile(np.abs(factor * own + chance).sum(axis=0), (1 + LEVEL) / 2)
        if reached >= value:
            return float(factor * value)
    return value


def measure(y: Floats, p: Floats, threshold: float, weights: Weights) -> Statistics:
    """Every metric of `Evaluation.metrics` for many weightings of the same predictions at once.

    Args:
        y: (n,) 0 or 1.
        p: (n,) probabilities.
        threshold: images with a probability of at least this are called pneumonia.
        weights: (r, n) how often each image counts, whole numbers.

    Returns:
        (r,) values by name; NaN where a class has no weight.
    """
    found = _with_gaps(y, p, threshold, weights)
    return {name: values for name, values in found.items() if name not in GAPS}


def _with_gaps(y: Floats, p: Floats, threshold: float, weights: Weights) -> Statistics:
    """The same, and for each bin how far probability and truth lie apart, times its share of the images."""
    total = weights.sum(axis=1)
    falling = np.argsort(-p, kind="stable")
    last_of_tie = np.flatnonzero(np.diff(p[falling], append=-1.0))
    true_positives = np.cumsum((weights * y)[:, falling], axis=1)[:, last_of_tie]
    false_positives = np.cumsum((weights * (1 - y))[:, falling], axis=1)[:, last_of_tie]
    positives, negatives = true_positives[:, -1], false_positives[:, -1]
    gained = np.diff(true_positives, axis=1, prepend=0)
    precision = true_positives / np.maximum(true_positives + false_positives, 1)
    area = (np.diff(false_positives, axis=1, prepend=0) * (true_positives - gained / 2)).sum(axis=1)

    called = p >= threshold
    in_bin = np.eye(BINS)[_bin(p)]
    gaps = (weights @ (in_bin * (p - y)[:, None])).T / total
    sure = np.clip(p, _EDGE, 1 - _EDGE)
    with np.errstate(invalid="ignore"):
        sensitivity = weights @ (y * called) / positives
        specificity = weights @ ((1 - y) * ~called) / negatives
        return {
            "loss": weights @ -(y * np.log(sure) + (1 - y) * np.log1p(-sure)) / total,
            "accuracy": weights @ (called == y) / total,
            "auc": area / (positives * negatives),
            "average_precision": (gained * precision).sum(axis=1) / positives,
            "sensitivity": sensitivity,
            "specificity": specificity,
            "balanced_accuracy": (sensitivity + specificity) / 2,
            "brier": weights @ (p - y) ** 2 / total,
            "ece": np.abs(gaps).sum(axis=0),
            **dict(zip(GAPS, gaps, strict=True)),
        }


def by_cause(
    y: ArrayLike, p: ArrayLike, cause: ArrayLike, threshold: float = 0.5
) -> dict[str, dict[str, float]]:
    """How many of the pneumonias of each cause are found.

    Args:
        y: (n,) 0 normal, 1 pneumonia.
        p: (n,) predicted probability of pneumonia.
        cause: (n,) names such as "bacteria" or "virus", "" or None where it is not known; those of normal
            images are not looked at.
        threshold: images with a probability of at least this are called pneumonia.

    Returns:
        By cause "n", the number of its images, "sensitivity", and "low" and "high", its 95 % Wilson score
        interval, which stays honest where a small group is found completely, but takes images as independent:
        where patients have several, it is too narrow.

    Raises:
        NeumoError: as `evaluate`; or `cause` has another length.
    """
    y, p = checked(y, p)
    known = (name if isinstance(name, str) and name else "unknown" for name in np.asarray(cause, object))
    cause = np.array([*known], object)
    if cause.shape != y.shape:
        raise NeumoError(f"cause: got {len(cause)} causes, expected {len(y)}, one per image")
    found = {}
    for name in sorted(set(cause[y == 1])):
        hits = p[(y == 1) & (cause == name)] >= threshold
        low, high = wilson(int(hits.sum()), len(hits))
        found[str(name)] = {"n": len(hits), "sensitivity": float(hits.mean()), "low": low, "high": high}
    return found


def checked(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats]:
    """`y` and `p` as (n,) float64 that can be evaluated.

    Raises:
        NeumoError: as `evaluate`.
    """
    try:
        y, p = np.asarray(y), np.asarray(p, np.float64)
    except (TypeError, ValueError):
        got = f"a {type(y).__name__} and a {type(p).__name__}"
        raise NeumoError(
            f"predictions: got {got}, expected labels and probabilities as numbers; a classifier on a data "
            "set is evaluated by neumo.evaluation.external.evaluate_source"
        ) from None
    p = p[:, 0] if p.ndim == 2 and p.shape[1] == 1 else p
    if y.ndim != 1 or y.shape != p.shape:
        raise NeumoError(f"predictions: got labels {y.shape}, probabilities {p.shape}, expected (n,) of both")
    if not np.isin(y, (0, 1)).all():
        raise NeumoError(f"predictions: got label {y[~np.isin(y, (0, 1))][0]}, expected 0 or 1")
    if not ((p >= 0) & (p <= 1)).all():
        wrong = p[~((p >= 0) & (p <= 1))][0]
        raise NeumoError(f"predictions: got probability {wrong}, expected a number from 0 to 1")
    for label, name in ((0, "normal"), (1, "pneumonia")):
        if not (y == label).any():
            raise NeumoError(f"predictions: got {len(y)} images without a {name} one, expected both classes")
    return y.astype(np.float64), p


def _bin(p: Floats) -> NDArray[np.int64]:
    return np.minimum((p * BINS).astype(np.int64), BINS - 1)


def _roc(y: Floats, p: Floats) -> dict[str, list[float]]:
    from sklearn.metrics import roc_curve

    fpr, tpr, threshold = roc_curve(y, p)
    threshold[0] = np.nan
    return {"fpr": fpr.tolist(), "tpr": tpr.tolist(), "threshold": threshold.tolist()}


def _precision_recall(y: Floats, p: Floats) -> dict[str, list[float]]:
    from sklearn.metrics import precision_recall_curve

    precision, recall, threshold = precision_recall_curve(y, p, drop_intermediate=True)
    return {
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "threshold": [*threshold.tolist(), math.nan],
    }


def _calibration(y: Floats, p: Floats) -> dict[str, list[float]]:
    of_image, edges = _bin(p), np.linspace(0, 1, BINS + 1)
    count = np.bincount(of_image, minlength=BINS)
    with np.errstate(invalid="ignore"):
        predicted, observed = (np.bincount(of_image, v, BINS) / count for v in (p, y))
    return {
        "low": edges[:-1].tolist(),
        "high": edges[1:].tolist(),
        "count": count.tolist(),
        "predicted": predicted.tolist(),
        "observed": observed.tolist(),
    }


def without_nan(value: Any) -> Any:
    """Nested dicts and lists for JSON, which has no word for a number that is not defined but None."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
