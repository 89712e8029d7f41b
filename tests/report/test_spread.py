from __future__ import annotations

import math

import numpy as np
import pytest

from neumo.report.spread import Difference, Spread, differences, meaning, spread
from neumo.study.results import Results


def test_spread_over_seeds(study: Results) -> None:
    runs = study.tested("random")
    found = [run.test["metrics"]["auc"] for run in runs if run.test]
    auc = spread(runs, "auc")
    assert auc is not None
    assert auc.mean == pytest.approx(np.mean([one["value"] for one in found]))
    assert auc.sd == pytest.approx(np.std([one["value"] for one in found], ddof=1))
    assert (auc.minimum, auc.maximum) == tuple(sorted(one["value"] for one in found))
    assert auc.low == pytest.approx(np.mean([one["low"] for one in found]))
    assert auc.seeds == 2


def test_metric_that_is_not_defined(results: Results) -> None:
    run = results.tested("random")[0]
    assert run.test is not None
    run.test["metrics"]["auc"] = {"value": None, "low": None, "high": None}
    assert spread(results.tested("random"), "auc") is None
    assert [one.metric for one in differences(results, "patient")] == ["accuracy"]


def test_spread_of_one_seed_without_interval() -> None:
    one = Spread.of([0.5])
    assert (one.mean, one.sd, one.seeds) == (0.5, 0.0, 1)
    assert math.isnan(one.low)


def test_noise_is_what_chance_gives() -> None:
    """Of pairs of test parts with one accuracy, 95 in 100 differ by less than the noise."""
    random = np.random.default_rng(0)
    share, images = 0.8, 600
    half = 1.96 * math.sqrt(share * (1 - share) / images)

    def drawn() -> Spread:
        value = random.binomial(images, share) / images
        return Spread.of([value], [(value - half, value + half)])

    pairs = [Difference("accuracy", drawn(), drawn()) for _ in range(2000)]
    assert np.mean([pair.verdict == "within noise" for pair in pairs]) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("shift", "verdict"), [(-0.2, "lower"), (0.2, "higher"), (0.001, "within noise")])
def test_verdict(shift: float, verdict: str) -> None:
    there = Spread.of([0.7, 0.71], [(0.67, 0.73), (0.68, 0.74)])
    here = Spread.of(
        [0.7 + shift, 0.71 + shift], [(0.67 + shift, 0.73 + shift), (0.68 + shift, 0.74 + shift)]
    )
    assert Difference("accuracy", here, there).verdict == verdict


def shifted(results: Results, protocol: str, **means: float) -> None:
    """Set metrics on a protocol, with narrow intervals."""
    for run in results.tested(protocol):
        assert run.test is not None
        for metric, value in means.items():
            run.test["metrics"][metric] = {"value": value, "low": value - 0.01, "high": value + 0.01}


def test_meaning(results: Results) -> None:
    for protocol in ("random", "patient", "official"):
        shifted(results, protocol, accuracy=0.9, auc=0.95)
    assert meaning(results).startswith(
        "The difference is within the noise: on patients kept apart and on the official test set the"
    )
    shifted(results, "official", accuracy=0.8)
    assert "flatters the classifier's accuracy: on the official test set fewer answers" in meaning(results)
    assert "The AUC holds within the noise" in meaning(results)
    shifted(results, "official", auc=0.85)
    assert "flatters the classifier: on the official test set it tells" in meaning(results)
    shifted(results, "patient", auc=0.8)
    assert "on patients kept apart and on the official test set it tells" in meaning(results)
    shifted(results, "patient", accuracy=0.9, auc=0.95)
    shifted(results, "official", accuracy=0.95, auc=0.99)
    assert "does not flatter the classifier here: on the official test set it does better" in meaning(results)
    shifted(results, "random", auc=0.5)
    assert "hardly better than a coin" in meaning(results)
    results.runs = [run for run in results.runs if run.protocol == "random"]
    assert "nothing here says how the classifier does on patients" in meaning(results)
