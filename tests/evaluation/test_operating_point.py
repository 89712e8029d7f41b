"""The operating point finds as many pneumonias as asked, with the fewest false alarms."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from neumo.errors import NeumoError
from neumo.evaluation.metrics import evaluate
from neumo.evaluation.operating_point import choose_threshold, operating_points
from neumo.evaluation.rule import Rule

_random = np.random.default_rng(0)
Y = (_random.uniform(size=400) < 0.7).astype(int)
P = (1 / (1 + np.exp(-(2 * Y - 1 + 1.5 * _random.normal(size=400))))).round(2)


def test_default_is_one_half() -> None:
    point = choose_threshold(Y, P)
    found = evaluate(Y, P, replicates=1).metrics
    assert point.threshold == 0.5
    assert str(point.rule) == "0.5, the default"
    assert point.sensitivity == found["sensitivity"].value
    assert point.specificity == found["specificity"].value


def test_a_threshold_may_be_given() -> None:
    point = choose_threshold(Y, P, balanced=True, threshold=0.3)
    assert (point.threshold, point.rule) == (0.3, Rule("threshold", 0.3))
    assert point.sensitivity == (P >= 0.3)[Y == 1].mean()


@pytest.mark.parametrize("target", [0.01, 0.5, 0.9, 0.98, 1.0])
def test_highest_threshold_that_reaches_the_target(target: float) -> None:
    point = choose_threshold(Y, P, sensitivity=target)
    fpr, tpr, thresholds = roc_curve(Y, P, drop_intermediate=False)
    first = int(np.argmax(tpr >= target))
    assert thresholds[first + 1] < point.threshold < thresholds[first]
    assert point.threshold == pytest.approx(np.mean(thresholds[first : first + 2]))
    assert point.sensitivity == pytest.approx(tpr[first])
    assert point.specificity == pytest.approx(1 - fpr[first])
    assert f"{target:g}" in str(point.rule)


def test_a_target_that_is_all_but_met_asks_for_one_more() -> None:
    p = [0.01, 0.2, 0.4, 0.6, 0.8]
    assert choose_threshold([0, 1, 1, 1, 1], p, sensitivity=0.500001).threshold == pytest.approx(0.3)


def test_a_target_that_is_met_exactly_asks_for_no_more() -> None:
    y = np.array([0] + [1] * 100)
    p = np.concatenate([[0.5], np.arange(1, 101) / 200])
    for hits in range(1, 101):
        assert choose_threshold(y, p, sensitivity=hits / 100).sensitivity == pytest.approx(hits / 100)


def test_threshold_from_float32_probabilities_finds_the_same_images_again() -> None:
    p = _random.uniform(size=400).astype(np.float32)
    point = choose_threshold(Y, p, sensitivity=0.9)
    assert (p[Y == 1] >= point.threshold).mean() == point.sensitivity >= 0.9


def test_the_image_that_it_was_chosen_by_may_be_rounded() -> None:
    p = _random.uniform(size=400)
    point = choose_threshold(Y, p, sensitivity=0.9)
    assert (p[Y == 1] - 1e-6 >= point.threshold).mean() == point.sensitivity


def test_all_may_be_found() -> None:
    point = choose_threshold([1, 0, 1], [0.2, 0.6, 0.8], sensitivity=1)
    assert (point.threshold, point.sensitivity, point.specificity) == (pytest.approx(0.1), 1.0, 0.0)


@pytest.mark.parametrize("target", [0.0, -0.1, 1.01, 98.0, float("nan")])
def test_sensitivity_is_a_fraction(target: float) -> None:
    with pytest.raises(NeumoError, match=r"sensitivity: got .*, expected a fraction above 0 and at most 1"):
        choose_threshold(Y, P, sensitivity=target)


def test_without_pneumonias_there_is_no_operating_point() -> None:
    with pytest.raises(NeumoError, match="got 3 images without a pneumonia one"):
        choose_threshold([0, 0, 0], [0.1, 0.2, 0.3], sensitivity=0.9)


@pytest.mark.parametrize("threshold", [0.0, 1.0, 50, float("nan")])
def test_a_given_threshold_lies_between_0_and_1(threshold: float) -> None:
    with pytest.raises(NeumoError, match=r"threshold: got .*, expected a probability between 0 and 1"):
        choose_threshold(Y, P, threshold=threshold)


def test_a_threshold_and_a_sensitivity_are_one_too_many() -> None:
    with pytest.raises(NeumoError, match=r"threshold: got 0\.3 with a sensitivity of 0\.9, expected one"):
        choose_threshold(Y, P, 0.9, threshold=0.3)


def test_every_operating_point_is_that_of_its_threshold() -> None:
    points = operating_points(Y, P)
    assert points["threshold"] == [i / 200 for i in range(201)]
    for i in range(201):
        found = evaluate(Y, P, threshold=points["threshold"][i], replicates=1).metrics
        assert points["sensitivity"][i] == pytest.approx(found["sensitivity"].value)
        assert points["specificity"][i] == pytest.approx(found["specificity"].value)


def test_balanced_is_the_point_of_youden() -> None:
    fpr, tpr, _ = roc_curve(Y, P)
    point = choose_threshold(Y, P, balanced=True)
    assert point.sensitivity + point.specificity - 1 == pytest.approx((tpr - fpr).max())
    assert point.threshold not in P
    assert choose_threshold(Y, P, 0.9, balanced=True) == choose_threshold(Y, P, 0.9)


def test_balanced_does_not_depend_on_how_common_pneumonia_is() -> None:
    more = np.r_[np.flatnonzero(Y == 0), np.tile(np.flatnonzero(Y == 1), 5)]
    assert (
        choose_threshold(Y[more], P[more], balanced=True).threshold
        == choose_threshold(Y, P, balanced=True).threshold
    )


def test_the_least_sensitivity_finds_the_surest_pneumonia() -> None:
    assert choose_threshold([0, 0, 1, 1, 1], [0.1, 0.3, 0.2, 0.6, 0.9], sensitivity=1e-10).threshold == 0.75
