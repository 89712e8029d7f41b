"""Calibrated probabilities are honest, in the same order."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from neumo.errors import NeumoError
from neumo.evaluation.calibration import calibrate
from neumo.evaluation.metrics import evaluate

_random = np.random.default_rng(1)
TRUE = 2.0 * _random.standard_normal(3000)
Y = (_random.uniform(size=3000) < 1 / (1 + np.exp(-TRUE))).astype(int)


@pytest.mark.parametrize("times", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("shift", [-2.0, 0.0])
def test_it_is_a_logistic_regression(times: float, shift: float) -> None:
    logits = times * TRUE + shift
    peer = LogisticRegression(C=1e9, tol=1e-8).fit(logits[:, None], Y)
    temperature, found = calibrate(Y, logits)
    assert 1 / temperature == pytest.approx(peer.coef_[0, 0], rel=1e-2)
    assert found == pytest.approx(peer.intercept_[0], abs=0.1)


def test_overconfidence_and_bias_go_away() -> None:
    def ece(logits: np.ndarray) -> float:
        return evaluate(Y, 1 / (1 + np.exp(-logits)), replicates=1).metrics["ece"].value

    sure = 5 * TRUE - 3
    temperature, shift = calibrate(Y, sure)
    assert ece(sure) > 0.1
    assert ece(sure / temperature + shift) < 0.03


def test_a_faultless_validation_part_leaves_finite_numbers() -> None:
    temperature, shift = calibrate([0, 0, 1, 1], [-3.0, -1.0, 2.0, 5.0])
    assert 0.01 < temperature < 10
    assert abs(shift) < 10


@pytest.mark.parametrize(
    ("y", "logits", "told"),
    [
        ([1, 1], [0.1, 2.0], "one class"),
        ([0, 1], [np.nan, 2.0], "not finite"),
        ([0, 0, 1, 1], [3.0, 2.0, -1.0, -2.0], "fall with pneumonia"),
    ],
)
def test_bad_input_is_told(y: list[int], logits: list[float], told: str) -> None:
    with pytest.raises(NeumoError, match=told):
        calibrate(y, logits)
