from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from neumo.errors import NeumoError
from neumo.evaluation.metrics import evaluate
from neumo.evaluation.paired import Pair, delong, differences, mcnemar

Floats = NDArray[np.float64]


def drawn(n: int = 150, seed: int = 0, better: float = 0.4) -> Pair:
    """Two classifiers that err alike, the second less; some probabilities are tied."""
    random = np.random.default_rng(seed)
    y = (random.random(n) < 0.6).astype(int)
    shared = y + random.normal(0, 0.7, n)
    first, second = shared + random.normal(0, 0.7, n), shared + random.normal(0, 0.7 - better, n)
    p = [np.round(1 / (1 + np.exp(1 - 2 * x)), 2) for x in (first, second)]
    return Pair(y, p[0], p[1])


def by_definition(y: NDArray[np.int64], p: Floats) -> tuple[Floats, Floats]:
    """Structural components of DeLong et al. (1988), each pair of images looked at: positives, negatives."""
    psi = np.array([[(a > b) + 0.5 * (a == b) for b in p[y == 0]] for a in p[y == 1]])
    return psi.mean(axis=1), psi.mean(axis=0)


@pytest.mark.parametrize("seed", range(3))
def test_delong_is_that_of_its_definition(seed: int) -> None:
    pair = drawn(seed=seed)
    y = np.asarray(pair.y)
    parts = [by_definition(y, np.asarray(p)) for p in (pair.first, pair.second)]
    s10, s01 = (np.cov([part[place] for part in parts]) for place in (0, 1))
    covariance = s10 / (y == 1).sum() + s01 / (y == 0).sum()
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    found = delong(pair)
    assert found.first == pytest.approx(roc_auc_score(y, pair.first))
    assert found.second == pytest.approx(roc_auc_score(y, pair.second))
    difference = found.second - found.first
    assert found.difference == pytest.approx(difference)
    assert found.p == pytest.approx(2 * norm.sf(abs(difference) / error))
    assert (found.high - found.low) / 2 == pytest.approx(norm.ppf(0.975) * error)


def test_delong_agrees_with_the_bootstrap() -> None:
    pair = drawn(n=400)
    exact, drawn_again = delong(pair), differences([pair], replicates=4000)["auc"]
    assert drawn_again.value == pytest.approx(exact.difference)
    width = exact.high - exact.low
    assert drawn_again.high - drawn_again.low == pytest.approx(width, rel=0.08)
    assert drawn_again.low == pytest.approx(exact.low, abs=0.1 * width)


def test_delong_with_patients_agrees_with_the_bootstrap_of_patients() -> None:
    """Every image four times: to take the copies for new evidence halves the interval."""
    single = drawn(n=120)
    y, first, second = (np.repeat(np.asarray(part), 4) for part in (single.y, single.first, single.second))
    patients = np.repeat(np.arange(120), 4).astype(str)
    alone, fooled = delong(single), delong(Pair(y, first, second))
    told = delong(Pair(y, first, second, groups=patients))
    assert told.low == pytest.approx(alone.low)
    assert told.p == pytest.approx(alone.p)
    assert (fooled.high - fooled.low) == pytest.approx((alone.high - alone.low) / 2, rel=0.02)
    again = differences([Pair(y, first, second, groups=patients)], replicates=2000)["auc"]
    assert again.high - again.low == pytest.approx(told.high - told.low, rel=0.12)


def test_delong_with_patients_who_have_images_of_both_classes() -> None:
    """Obuchowski's variance (1997), spelled out, and the bootstrap of patients."""
    pair = drawn(n=300, seed=4)
    y, patients = np.asarray(pair.y), np.random.default_rng(1).integers(100, size=300)
    parts = [by_definition(y, np.asarray(p)) for p in (pair.first, pair.second)]
    m, n, names = (y == 1).sum(), (y == 0).sum(), np.unique(patients)
    sums = np.zeros((2, 2, len(names)))
    for (i, part), (k, name) in itertools.product(enumerate(parts), enumerate(names)):
        sums[i, 1, k] = (part[0] - part[0].mean())[patients[y == 1] == name].sum() / m
        sums[i, 0, k] = (part[1] - part[1].mean())[patients[y == 0] == name].sum() / n
    contrast = sums[1] - sums[0]
    of_class = [len(np.unique(patients[y == label])) for label in (0, 1)]
    variance = sum(k / (k - 1) * (contrast[label] ** 2).sum() for label, k in enumerate(of_class))
    variance += 2 * len(names) / (len(names) - 1) * (contrast[0] * contrast[1]).sum()
    found = delong(Pair(y, pair.first, pair.second, groups=patients))
    assert (found.high - found.low) / 2 == pytest.approx(norm.ppf(0.975) * np.sqrt(variance))
    again = differences([Pair(y, pair.first, pair.second, groups=patients)], replicates=3000)["auc"]
    assert again.high - again.low == pytest.approx(found.high - found.low, rel=0.1)


def test_classifiers_that_agree_have_no_difference() -> None:
    one = drawn()
    same = Pair(one.y, one.first, one.first)
    assert (delong(same).difference, delong(same).p) == (0, 1)
    assert mcnemar(same).p == 1
    assert differences([same], replicates=50)["accuracy"].high == 0


def test_delong_is_not_certain_of_what_has_no_variance() -> None:
    """Of 4 images, swapping the two answers on any of them gives 16 differences, none rarer than 1 in 16."""
    y, perfect, constant = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]), np.full(4, 0.5)
    found = delong(Pair(y, perfect, constant))
    swapped = [
        roc_auc_score(y, np.where(swap, *pair)) - roc_auc_score(y, np.where(swap, *pair[::-1]))
        for swap in itertools.product((False, True), repeat=4)
        for pair in [(perfect, constant)]
    ]
    chance = np.mean(np.abs(swapped) >= 0.5)
    assert found.difference == -0.5
    assert not found.p < chance
    assert np.isnan([found.low, found.high]).all()


def test_mcnemar_of_a_published_table() -> None:
    """Bentur et al. (2009), in Fagerland et al. (2013), table 1: 1 and 7 discordant; 0.0703 and 0.0391."""
    y = np.r_[np.zeros(11), np.ones(10)]
    first, second = y.copy(), y.copy()
    second[:1] = 1 - y[:1]  # only the first is right
    first[1:8] = 1 - y[1:8]
    found = mcnemar(Pair(y, first, second))
    assert (found.first_only, found.second_only) == (1, 7)
    assert found.exact == pytest.approx(0.0703, abs=5e-5)
    assert found.p == pytest.approx(0.0391, abs=5e-5)


def test_mcnemar_when_both_are_right_as_often() -> None:
    y = np.r_[np.zeros(5), np.ones(5)]
    first, second = y.copy(), y.copy()
    first[:2], second[2:4] = 1, 1
    assert mcnemar(Pair(y, first, second)).exact == 1
    assert mcnemar(Pair(y, first, second)).p == pytest.approx(1 - comb(4, 2) / 2**4 / 2)


def test_mcnemar_decides_by_each_classifiers_own_threshold() -> None:
    pair = Pair([0, 1, 1], [0.3, 0.35, 0.9], [0.3, 0.35, 0.9], thresholds=(0.5, 0.32))
    assert mcnemar(pair).second_only == 1


def test_differences_are_those_of_the_metrics_over_the_seeds() -> None:
    pairs = [drawn(seed=seed) for seed in (1, 2)]
    found = differences(pairs, replicates=20)
    for name in ("accuracy", "auc", "ece", "loss", "specificity"):
        apart = [
            evaluate(pair.y, pair.second, replicates=1).metrics[name].value
            - evaluate(pair.y, pair.first, replicates=1).metrics[name].value
            for pair in pairs
        ]
        assert found[name].value == pytest.approx(np.mean(apart))


def test_an_image_of_several_seeds_is_drawn_once() -> None:
    """Three seeds that tested the same images are not three times the evidence."""
    one = drawn()
    named = Pair(one.y, one.first, one.second, groups=np.arange(150).astype(str))
    alone, thrice = (differences([named] * k, replicates=500)["auc"] for k in (1, 3))
    assert (thrice.low, thrice.high) == pytest.approx((alone.low, alone.high))


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(NeumoError, match="expected \\(n,\\) of both"):
        delong(Pair([0, 1], [0.1, 0.2], [0.1, 0.2, 0.3]))
    with pytest.raises(NeumoError, match="groups: got 1, expected 2"):
        delong(Pair([0, 1], [0.1, 0.2], [0.1, 0.2], groups=["a"]))
