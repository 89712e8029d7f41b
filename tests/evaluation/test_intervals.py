"""Intervals cover the truth as often as they say."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from neumo.evaluation.intervals import Statistics, bootstrap
from neumo.evaluation.metrics import measure

TRUTH = {"auc": norm.cdf(1.5 / 2**0.5), "accuracy": norm.cdf(0.75)}  # normal scores, means 1.5 apart


def _coverage(clustered: bool, by_patient: bool) -> dict[str, float]:
    """How often the intervals of 150 simulated test sets of 240 images hold the truth.

    Clustered: 60 patients of four images that are all but the same.
    """
    held = dict.fromkeys(TRUTH, 0)
    for seed in range(150):
        random = np.random.default_rng(seed)
        patient = np.arange(240) // 4 if clustered else np.arange(240)
        y = (np.arange(240) // 4 % 2).astype(float)
        score = y * 1.5 + random.normal(size=240)[patient] + 1e-6 * random.normal(size=240)
        p = norm.cdf(score - 0.75)
        found = bootstrap(
            partial(measure, y, p, 0.5),
            240,
            groups=patient if by_patient else None,
            replicates=200,
            seed=seed,
        )
        for name, truth in TRUTH.items():
            low, high = found.bounds[name]
            held[name] += low <= truth <= high
    return {name: count / 150 for name, count in held.items()}


def test_intervals_hold_the_truth_nineteen_times_in_twenty() -> None:
    assert all(0.88 < rate < 0.99 for rate in _coverage(clustered=False, by_patient=False).values())


def test_patients_with_several_images_need_patients_drawn() -> None:
    assert all(0.86 < rate < 0.99 for rate in _coverage(clustered=True, by_patient=True).values())
    assert all(rate < 0.8 for rate in _coverage(clustered=True, by_patient=False).values())


def _count(weights: NDArray[np.float64]) -> Statistics:
    return {"images": weights.sum(axis=1), "first": weights[:, 0]}


def test_all_images_of_a_patient_are_drawn_together() -> None:
    seen: list[NDArray[np.float64]] = []

    def statistics(weights: NDArray[np.float64]) -> Statistics:
        seen.append(weights)
        return _count(weights)

    bootstrap(statistics, 5, groups=["a", "b", "a", "b", "b"], replicates=30)
    weights = np.concatenate(seen)
    np.testing.assert_array_equal(weights[:, [0, 1, 1]], weights[:, [2, 3, 4]])
    np.testing.assert_array_equal(weights[:, 0] + weights[:, 1], 2)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_images_of_unknown_patients_stand_for_themselves(missing: object) -> None:
    seen: list[NDArray[np.float64]] = []

    def statistics(weights: NDArray[np.float64]) -> Statistics:
        seen.append(weights)
        return _count(weights)

    found = bootstrap(statistics, 4, groups=np.array(["a", missing, "a", missing], object), replicates=50)
    weights = np.concatenate(seen)
    assert found.units == 3
    assert (weights[:, 1] != weights[:, 3]).any()
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), 3)


@pytest.mark.parametrize(("chunk", "parts"), [(350, [7] * 5 + [5]), (49, [1] * 40)])
def test_many_images_go_in_parts_and_give_the_same(
    chunk: int, parts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def statistics(weights: NDArray[np.float64]) -> Statistics:
        seen.append(len(weights))
        return _count(weights)

    whole = bootstrap(_count, 50, replicates=40, seed=3)
    monkeypatch.setattr("neumo.evaluation.intervals._CHUNK", chunk)
    assert bootstrap(statistics, 50, replicates=40, seed=3) == whole
    assert seen == parts


def test_a_statistic_that_no_replicate_has_is_not_a_number() -> None:
    found = bootstrap(lambda weights: {"never": np.full(len(weights), np.nan)}, 4, replicates=9)
    assert np.isnan(found.bounds["never"]).all()
    assert found.undefined == {"never": 9}
