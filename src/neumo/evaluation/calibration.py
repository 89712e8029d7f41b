"""Probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from neumo.errors import NeumoError

RANGE = (0.05, 20.0)


def fit_temperature(y: ArrayLike, logits: ArrayLike) -> float:
    """The number that logits are divided by so that the validation part is least surprised.

    Temperature scaling of Guo et al. 2017 (arXiv:1706.04599, section 4.2): it minimises the cross-entropy and
    changes no order of the images.

    Args:
        y: (n,) 0 normal, 1 pneumonia; the validation part, never the test part.
        logits: (n,) before the sigmoid.

    Returns:
        From 0.05 to 20; 1 leaves probabilities as they are.

    Raises:
        NeumoError: a class is absent, or a logit is not finite.
    """
    y, z = np.asarray(y, np.float64), np.asarray(logits, np.float64)
    if not np.isfinite(z).all():
        raise NeumoError("calibration: got logits that are not finite, expected numbers")
    if len(np.unique(y)) < 2:
        raise NeumoError(f"calibration: got {len(y)} validation images of one class, expected both classes")

    def surprise(log_temperature: float) -> float:
        scaled = z / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - y * scaled))

    found = minimize_scalar(surprise, bounds=np.log(RANGE), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))
