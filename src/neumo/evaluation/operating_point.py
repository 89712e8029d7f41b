"""The threshold that turns a probability into a decision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neumo.errors import NeumoError, as_number
from neumo.evaluation.metrics import checked
from neumo.evaluation.rule import Rule


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, why it was chosen, and what it gives on the images it was chosen on.

    Args:
        threshold: images with a probability of at least this are called pneumonia.
        rule: how it was chosen.
        sensitivity: fraction of the validation part's pneumonias that it finds.
        specificity: fraction of the validation part's normal images that it leaves alone.
    """

    threshold: float
    rule: Rule
    sensitivity: float
    specificity: float


def choose_threshold(
    y: ArrayLike,
    p: ArrayLike,
    sensitivity: float | None = None,
    *,
    balanced: bool = False,
    threshold: float | None = None,
) -> OperatingPoint:
    """Choose the operating point on the validation part, never on the test part.

    A missed pneumonia costs more than a false alarm, so a user may ask for a sensitivity. The highest
    threshold that reaches it raises the fewest false alarms; it is set halfway to the next lower probability,
    so that no rounding loses an image. Who does not may have the point where
    sensitivity and specificity are best together (Youden 1950, Cancer 3:32), which does not depend
    on how common pneumonia is there.

    Args:
        y: (n,) 0 normal, 1 pneumonia.
        p: (n,) or (n, 1) predicted probability of pneumonia.
        sensitivity: fraction of pneumonias to find, above 0 and at most 1.
        balanced: without a sensitivity, Youden's point instead of 0.5.
        threshold: this one, whatever the validation part says; of calibrated probabilities, most are called
            right at 0.5.

    Raises:
        NeumoError: a class is absent, the sensitivity or threshold is not a fraction, or both are given.

    Example:
        >>> round(choose_threshold([0, 0, 1, 1], [0.1, 0.3, 0.2, 0.9], sensitivity=1.0).threshold, 3)
        0.15
    """
    y, p = checked(y, p)
    if threshold is not None:
        if sensitivity is not None:
            raise NeumoError(f"threshold: got {threshold} with a sensitivity of {sensitivity}, expected one")
        threshold = as_number(
            "threshold", threshold, lambda one: 0 < one < 1, "a probability between 0 and 1"
        )
        rule = Rule("threshold", threshold)
    elif sensitivity is not None:
        expected = "a fraction above 0 and at most 1"
        sensitivity = as_number("sensitivity", sensitivity, lambda one: 0 < one <= 1, expected)
        highest_first = np.sort(p[y == 1])[::-1]
        needed = max(1, math.ceil(sensitivity * len(highest_first) - 1e-9))  # 0.07 * 100 > 7
        last = float(highest_first[needed - 1])
        threshold = (last + float(np.max(p[p < last], initial=0.0))) / 2
        rule = Rule("sensitivity", sensitivity)
    elif balanced:
        threshold, rule = _youden(y, p), Rule("balanced")
    else:
        threshold, rule = 0.5, Rule("default", 0.5)
    called = p >= threshold
    return OperatingPoint(threshold, rule, float(called[y == 1].mean()), float((~called[y == 0]).mean()))


def _youden(y: np.ndarray, p: np.ndarray) -> float:
    """In the middle of the gap between probabilities where the point lies; of equal gaps, the lowest."""
    levels = np.unique(p)
    positive, negative = np.sort(p[y == 1]), np.sort(p[y == 0])
    found = 1 - np.searchsorted(positive, levels) / len(positive)
    spared = np.searchsorted(negative, levels) / len(negative)
    best = int(np.argmax(found + spared))
    return float(levels[max(best - 1, 0)] + levels[best]) / 2


POINTS = 201
"""Most thresholds that `operating_points` tells of."""


def operating_points(y: ArrayLike, p: ArrayLike) -> dict[str, list[float]]:
    """What every threshold would give on the validation part, for those who want to move it.

    Args:
        y: (n,) 0 normal, 1 pneumonia.
        p: (n,) or (n, 1) predicted probability of pneumonia.

    Returns:
        "threshold", evenly spaced from 0 to 1, with "sensitivity" and "specificity" at each.

    Raises:
        NeumoError: a class is absent.

    Example:
        >>> operating_points([0, 1], [0.2, 0.9])["specificity"][100]  # at 0.5
        1.0
    """
    y, p = checked(y, p)
    thresholds = np.linspace(0, 1, POINTS).round(3)  # else 0.7000000000000001, above 0.7
    positive, negative = np.sort(p[y == 1]), np.sort(p[y == 0])
    below = np.searchsorted(positive, thresholds), np.searchsorted(negative, thresholds)
    return {
        "threshold": thresholds.tolist(),
        "sensitivity": (1 - below[0] / len(positive)).tolist(),
        "specificity": (below[1] / len(negative)).tolist(),
    }
