"""A temperature makes probabilities honest without changing their order."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from neumo.errors import NeumoError
from neumo.evaluation.calibration import fit_temperature
from neumo.evaluation.metrics import evaluate

_random = np.random.default_rng(1)
TRUE = 2.0 * _random.standard_normal(3000)
Y = (_random.uniform(size=3000) < 1 / (1 + np.exp(-TRUE))).astype(int)


@pytest.mark.parametrize("times", [0.3, 1.0, 4.0])
def test_it_is_the_slope_of_a_logistic_regression(times: float) -> None:
    peer = LogisticRegression(C=1e9, fit_intercept=False, tol=1e-8).fit(times * TRUE[:, None], Y)
    assert fit_temperature(Y, times * TRUE) == pytest.approx(1 / peer.coef_[0, 0], rel=1e-3)


def test_overconfidence_goes_away() -> None:
    def ece(logits: np.ndarray) -> float:
        return evaluate(Y, 1 / (1 + np.exp(-logits)), replicates=1).metrics["ece"].value

    sure = 5 * TRUE
    assert ece(sure) > 0.1
    assert ece(sure / fit_temperature(Y, sure)) < 0.03


def test_bad_input_is_told() -> None:
    with pytest.raises(NeumoError, match="one class"):
        fit_temperature([1, 1], [0.1, 2.0])
    with pytest.raises(NeumoError, match="not finite"):
        fit_temperature([0, 1], [np.nan, 2.0])
