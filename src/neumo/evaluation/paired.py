"""Whether one classifier does better than another on the same images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neumo.errors import NeumoError
from neumo.evaluation.intervals import LEVEL, Statistics, Weights, bootstrap, units
from neumo.evaluation.metrics import Estimate, checked, measure

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class McNemar:
    """A test of whether two classifiers are right equally often, on the same images.

    Attributes:
        first_only: images that only the first classifier calls right.
        second_only: images that only the second calls right.
        p: two-sided mid-p value, which keeps its level where the exact test is too careful (Fagerland,
            Lydersen and Laake, BMC Medical Research Methodology 13:91, 2013).
        exact: two-sided p value of the exact conditional test.
    """

    first_only: int
    second_only: int
    p: float
    exact: float


@dataclass(frozen=True)
class DeLong:
    """A test of whether two classifiers have the same AUC, on the same images.

    Attributes:
        first: AUC of the first classifier.
        second: AUC of the second.
        difference: second - first.
        low: of the 95 % interval of the difference; NaN where the images do not tell its variance, as where
            a class has one patient, or one AUC is 1 and all answers of the other classifier are equal.
        high: likewise.
        p: two-sided; likewise.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Pair:
    """What two classifiers say of the same images.

    Attributes:
        y: (n,) 0 normal, 1 pneumonia.
        first: (n,) probability of pneumonia by the first classifier.
        second: (n,) by the second.
        thresholds: from which probability on the first, and the second, calls an image pneumonia.
        groups: (n,) whose image each is, missing where unknown; None where all are.
    """

    y: ArrayLike
    first: ArrayLike
    second: ArrayLike
    thresholds: tuple[float, float] = (0.5, 0.5)
    groups: ArrayLike | None = None


def mcnemar(pair: Pair) -> McNemar:
    """Compare the decisions of two classifiers; images count as independent.

    Example:
        >>> mcnemar(Pair(y=[0, 0, 1, 1], first=[0.1, 0.6, 0.4, 0.9], second=[0.1, 0.2, 0.8, 0.9])).second_only
        2
    """
    from scipy.stats import binom, binomtest

    y, first, second = _checked(pair)
    right = [(p >= t) == y for p, t in zip((first, second), pair.thresholds, strict=True)]
    b, c = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    if b + c == 0:
        return McNemar(0, 0, 1.0, 1.0)
    exact = float(binomtest(b, b + c).pvalue)
    point = float(binom.pmf(b, b + c, 0.5))
    return McNemar(b, c, 1 - point / 2 if b == c else exact - point, exact)


def delong(pair: Pair) -> DeLong:
    """Compare the AUCs of two classifiers.

    The variance is that of DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988) from mid-ranks, as Sun and
    Xu do (IEEE Signal Processing Letters 21, 2014: n log n). Where patients are known, images of one patient
    do not count as independent (Obuchowski, Biometrics 53, 1997); with an image each, it is DeLong's.

    Example:
        >>> delong(Pair(y=[0, 0, 1, 1], first=[0.1, 0.6, 0.4, 0.9], second=[0.1, 0.2, 0.8, 0.9])).difference
        0.25
    """
    from scipy.stats import norm

    y, first, second = _checked(pair)
    of_image, n = units(len(y), pair.groups)
    aucs, deviations = zip(*(_placements(y, p) for p in (first, second)), strict=True)
    negative, positive = (
        np.array([np.bincount(of_image[y == label], d[y == label], n) for d in deviations])
        for label in (0, 1)
    )
    covariance = _unbiased(of_image[y == 0]) * negative @ negative.T
    covariance += _unbiased(of_image[y == 1]) * positive @ positive.T
    both_classes = negative @ positive.T  # 0 where nobody has images of both
    covariance += _unbiased(of_image) * (both_classes + both_classes.T)
    difference = aucs[1] - aucs[0]
    error = math.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0))
    if error < 1e-12:  # no image moves the difference more than another: the same order, or 1 against 0.5
        same = abs(difference) < 1e-12
        low, high, p = (0.0, 0.0, 1.0) if same else (math.nan, math.nan, math.nan)
        return DeLong(aucs[0], aucs[1], difference, low, high, p)
    reach = float(norm.ppf((1 + LEVEL) / 2)) * error
    p = 2 * float(norm.sf(abs(difference) / error))
    return DeLong(aucs[0], aucs[1], difference, difference - reach, difference + reach, p)


def differences(pairs: Sequence[Pair], *, replicates: int = 1000) -> dict[str, Estimate]:
    """How much better the second classifier does than the first, second - first, in every metric.

    Args:
        pairs: one per seed; the value is the mean over them. Groups must be the same names in all of them,
            as a patient (or an image, in place of a patient who is not known) is drawn together with all its
            images in all seeds: `neumo.evaluation.intervals.bootstrap`.
        replicates: of the bootstrap.

    Returns:
        Metric, as in `neumo.evaluation.metrics.Evaluation`, -> value with its 95 % interval. That of ece is
        of the errors as measured, which chance lifts above the true ones, by more where answers are less
        sure: it says little of which of two classifiers is calibrated better.
    """
    parts = [(*_checked(pair), pair.thresholds) for pair in pairs]
    ends = np.cumsum([0, *(len(y) for y, *_ in parts)])

    def difference(weights: Weights) -> Statistics:
        found = []
        for (y, first, second, thresholds), start, end in zip(parts, ends[:-1], ends[1:], strict=True):
            own = weights[:, start:end]
            one, other = measure(y, first, thresholds[0], own), measure(y, second, thresholds[1], own)
            found.append({name: other[name] - one[name] for name in one})
        return {name: np.mean([one[name] for one in found], axis=0) for name in found[0]}

    groups = None
    if all(pair.groups is not None for pair in pairs):
        groups = np.concatenate([np.asarray(pair.groups, object) for pair in pairs])
    values = difference(np.ones((1, ends[-1])))
    found = bootstrap(difference, int(ends[-1]), groups=groups, replicates=replicates)
    return {name: Estimate(float(v[0]), *found.bounds[name]) for name, v in values.items()}


def _unbiased(of_image: NDArray[np.int64]) -> float:
    """What turns a mean square of units into a variance; NaN where there is one unit only."""
    n = len(np.unique(of_image))
    return n / (n - 1) if n > 1 else math.nan


def _checked(pair: Pair) -> tuple[Floats, Floats, Floats]:
    y, first = checked(pair.y, pair.first)
    _, second = checked(pair.y, pair.second)
    if pair.groups is not None and len(np.asarray(pair.groups, object)) != len(y):
        raise NeumoError(f"groups: got {len(np.asarray(pair.groups, object))}, expected {len(y)}")
    return y, first, second


def _placements(y: Floats, p: Floats) -> tuple[float, Floats]:
    """The AUC, and for each image how far it moves it: its placement among the other class, centred."""
    from scipy.stats import rankdata

    positive = y == 1
    m, n = int(positive.sum()), int((~positive).sum())
    ranks, placed = rankdata(p), np.empty(len(p))
    placed[positive] = (ranks[positive] - rankdata(p[positive])) / n
    placed[~positive] = 1 - (ranks[~positive] - rankdata(p[~positive])) / m
    auc = float(placed[positive].mean())
    return auc, (placed - auc) / np.where(positive, m, n)
