"""Probabilities that mean what they say."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit

from neumo.errors import NeumoError, as_number


def calibrate(y: ArrayLike, logits: ArrayLike) -> tuple[float, float]:
    """Temperature and shift of the logits that surprise the validation part least.

    Temperature scaling (Guo et al. 2017, arXiv:1706.04599, section 4.2) with the shift that Alexandari et al.
    (2020, arXiv:1901.06852, section 3) add to it, which undoes what weighting the classes in training did.
    It changes no order of the images.

    Args:
        y: (n,) 0 normal, 1 pneumonia; the validation part, never the test part.
        logits: (n,) before the sigmoid.

    Returns:
        (temperature, shift): calibrated logits are ``logits / temperature + shift``.

    Raises:
        NeumoError: a class is absent, a logit is not finite, or larger logits do not mean pneumonia.
    """
    y, z = np.asarray(y, np.float64), np.asarray(logits, np.float64)
    if not np.isfinite(z).all():
        raise NeumoError("calibration: got logits that are not finite, expected numbers")
    if len(np.unique(y)) < 2:
        raise NeumoError(f"calibration: got {len(y)} validation images of one class, expected both classes")

    def surprise(by: np.ndarray) -> tuple[float, np.ndarray]:
        scaled = by[0] * z + by[1]
        off = expit(scaled) - y
        # a trace of weight decay keeps the slope finite where validation is told apart without a mistake
        value = np.mean(np.logaddexp(0, scaled) - y * scaled) + 1e-4 * by[0] ** 2
        return float(value), np.array([np.mean(off * z) + 2e-4 * by[0], np.mean(off)])

    # between classes that lie far apart, the surprise is nearly flat long before it is least
    slope, shift = minimize(surprise, [1.0, 0.0], jac=True, method="BFGS", options={"gtol": 1e-9}).x
    if slope <= 0:
        raise NeumoError(
            "calibration: got logits that do not rise with pneumonia, expected those of a trained network"
        )
    return float(1 / slope), float(shift)


def prior_shift(y: ArrayLike, prevalence: float) -> float:
    """What to add to calibrated logits where pneumonia is more or less common than on the validation part.

    Bayes' rule for another prior (Saerens et al. 2002, Neural Computation 14:21, eq. 2.4): the odds of a
    radiograph are multiplied by how the odds of all changed. It holds where pneumonia looks the same there.

    Args:
        y: (n,) 0 normal, 1 pneumonia; the validation part.
        prevalence: share of pneumonia where the classifier is used, above 0 and below 1.

    Raises:
        NeumoError: the prevalence is not such a share.

    Example:
        >>> round(prior_shift([0, 1, 1, 1], 0.5), 4)  # odds of 3 to 1 become even
        -1.0986
    """
    expected = "a share above 0 and below 1"
    if not 0 < as_number("prevalence", prevalence, lambda _: True, expected) < 1:
        raise NeumoError(f"prevalence: got {prevalence:g}, expected {expected}")
    own = float(np.mean(np.asarray(y, np.float64)))
    return math.log(prevalence / (1 - prevalence)) - math.log(own / (1 - own))
