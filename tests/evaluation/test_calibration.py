"""Calibrated probabilities are honest, in the same order."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression

from neumo.errors import NeumoError
from neumo.evaluation.calibration import calibrate, prior_shift
from neumo.evaluation.metrics import evaluate

_random = np.random.default_rng(1)
TRUE = 2.0 * _random.standard_normal(3000)
Y = (_random.uniform(size=3000) < 1 / (1 + np.exp(-TRUE))).astype(int)


def decayed(y: ArrayLike, logits: ArrayLike) -> LogisticRegression:
    """Mean loss + 1e-4 slope**2, which scikit-learn writes as slope**2 / 2 + C sum of losses."""
    z = np.asarray(logits)[:, None]
    exact = {"tol": 1e-12, "max_iter": 1000, "solver": "newton-cholesky"}
    return LogisticRegression(C=1 / (2e-4 * len(z)), **exact).fit(z, y)


@pytest.mark.parametrize("times", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("shift", [-2.0, 0.0])
def test_it_is_a_logistic_regression(times: float, shift: float) -> None:
    logits = times * TRUE + shift
    temperature, found = calibrate(Y, logits)
    free = LogisticRegression(C=1e9, tol=1e-8).fit(logits[:, None], Y)
    for peer, near in ((free, 1e-2), (decayed(Y, logits), 1e-3)):
        assert 1 / temperature == pytest.approx(peer.coef_[0, 0], rel=near)
        assert found == pytest.approx(peer.intercept_[0], abs=10 * near)


def test_overconfidence_and_bias_go_away() -> None:
    def ece(logits: np.ndarray) -> float:
        return evaluate(Y, 1 / (1 + np.exp(-logits)), replicates=1).metrics["ece"].value

    sure = 5 * TRUE - 3
    temperature, shift = calibrate(Y, sure)
    assert ece(sure) > 0.1
    assert ece(sure / temperature + shift) < 0.03


@pytest.mark.filterwarnings("error")
def test_large_logits_are_calibrated_without_a_word() -> None:
    temperature, shift = calibrate(Y, 500 * TRUE)
    expected = calibrate(Y, TRUE)
    assert (temperature / 500, shift) == pytest.approx(expected, rel=1e-2)


def test_a_faultless_validation_part_leaves_finite_numbers() -> None:
    y, logits = [0, 0, 1, 1], [-3.0, -1.0, 2.0, 5.0]
    temperature, shift = calibrate(y, logits)
    peer = decayed(y, logits)
    assert 1 / temperature == pytest.approx(peer.coef_[0, 0], rel=0.01)
    assert shift == pytest.approx(peer.intercept_[0], abs=0.05)


@pytest.mark.parametrize("far", [3.0, 30.0, 100.0])
def test_between_classes_that_lie_far_apart_is_even(far: float) -> None:
    y, logits = np.repeat([0, 1], 20), np.r_[-2 * far : -far : 20j, far / 4 : 2 * far : 20j]
    temperature, shift = calibrate(y, logits)
    between = np.linspace(-far, far / 4)
    peer = decayed(y, logits).decision_function(between[:, None])
    assert between / temperature + shift == pytest.approx(peer, abs=0.01)


@pytest.mark.parametrize(
    ("y", "logits", "told"),
    [
        ([1, 1], [0.1, 2.0], "one class"),
        ([0, 1], [np.nan, 2.0], "not finite"),
        ([0, 0, 1, 1], [3.0, 2.0, -1.0, -2.0], "do not rise with pneumonia"),
        ([0, 1], [0.0, 0.0], "do not rise with pneumonia"),
    ],
)
def test_bad_input_is_told(y: list[int], logits: list[float], told: str) -> None:
    with pytest.raises(NeumoError, match=told):
        calibrate(y, logits)


@pytest.mark.parametrize("prevalence", [0.05, 0.5, 0.8])
def test_another_prevalence_is_met_by_a_shift(prevalence: float) -> None:
    """Images drawn anew at that prevalence are told honestly: the peer is a calibration fitted to them."""
    random = np.random.default_rng(2)
    n = 20_000
    label = (random.uniform(size=n) < prevalence).astype(int)
    drawn = np.array([random.choice(TRUE[one == Y], size=n) for one in (0, 1)])[label, np.arange(n)]
    temperature, shift = calibrate(label, drawn)
    assert temperature == pytest.approx(calibrate(Y, TRUE)[0], rel=0.1)
    assert prior_shift(Y, prevalence) == pytest.approx(shift - calibrate(Y, TRUE)[1], abs=0.12)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -1.0, float("nan")])
def test_no_such_prevalence(prevalence: float) -> None:
    with pytest.raises(NeumoError, match=r"prevalence: got .*, expected a share above 0 and below 1"):
        prior_shift([0, 1], prevalence)
