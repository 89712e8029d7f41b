from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from neumo.results.results import Results
from neumo.results.spread import Difference, Spread, SpreadOnOnePart, differences, meaning, spread, summary


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


@pytest.mark.parametrize("value", [None, 0.9])
def test_metric_that_is_not_defined_or_has_no_interval(value: float | None, results: Results) -> None:
    run = results.tested("random")[0]
    assert run.test is not None
    run.test["metrics"]["auc"] = {"value": value, "low": None, "high": None}
    assert spread(results.tested("random"), "auc") is None
    assert [one.metric for one in differences(results, "patient")] == ["accuracy"]


def test_bounds_are_means_over_the_seeds() -> None:
    found = Spread.of([0.7, 0.8, 0.9], [(0.6, 0.8), (0.7, 0.9), (0.8, 1.3)])
    assert (found.low, found.high, found.sd) == pytest.approx((0.7, 1.0, 0.1))


def test_summary_is_json_of_every_figure(results: Results) -> None:
    run = results.tested("patient")[0]
    assert run.test is not None
    run.test["metrics"]["auc"] = {"value": None, "low": None, "high": None}
    found = json.loads(json.dumps(summary(results), allow_nan=False))
    drawn = [run for run in results.runs if run.validation_drawn == "before-balancing"]
    assert set(found["ladder"]) == {run.step for run in results.runs}
    for step, told in found["ladder"].items():
        of_step = [run for run in drawn if (run.protocol, run.step) == ("random", step)]
        losses = [run.validation["loss"] for run in of_step]
        assert told["loss"] == {
            "mean": pytest.approx(np.mean(losses)),
            "sd": pytest.approx(np.std(losses, ddof=1)),
            "minimum": min(losses),
            "maximum": max(losses),
            "low": None,
            "high": None,
            "seeds": 2,
        }
    means = {
        name: np.mean(
            [run.test["metrics"]["accuracy"]["value"] for run in drawn if run.test and run.protocol == name]
        )
        for name in ("random", "official", "patient")
    }
    assert {name: told["accuracy"]["mean"] for name, told in found["tested"].items()} == pytest.approx(means)
    assert found["tested"]["patient"]["auc"] is None
    assert {name: set(told) for name, told in found["differences"].items()} == {
        "official": {"accuracy", "auc"},
        "patient": {"accuracy"},
    }
    patient = found["differences"]["patient"]["accuracy"]
    assert patient["value"] == pytest.approx(means["patient"] - means["random"])


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


IMAGES, TESTED, OFFICIAL = 5900, 1180, 600
REPEATS = 400


def study_of_one_data_set(random: np.random.Generator, seeds: int, drop: float, official: bool) -> Difference:
    """Test parts as a study draws them, which overlap; networks fail mostly on the same images.

    Each seed's network is right on 95 % of all radiographs, `drop` fewer on the other protocol. Of several
    seeds, some networks are better by 0.3 points (standard deviation); that one cannot know of itself.
    """
    networks = 0.003 if seeds > 1 else 0
    easy = random.random(IMAGES)
    own = random.random(OFFICIAL)

    def side(accuracy: float, fixed: bool) -> Spread:
        values, bounds = [], []
        for _ in range(seeds):
            seen = own if fixed else random.permutation(easy)[:TESTED]
            here = np.where(random.random(len(seen)) < 0.3, random.random(len(seen)), seen)
            value = float((here < accuracy + random.normal(0, networks)).mean())
            half = 1.96 * math.sqrt(value * (1 - value) / len(seen))
            values.append(value)
            bounds.append((value - half, value + half))
        return (SpreadOnOnePart if fixed else Spread).of(values, bounds)

    return Difference("accuracy", side(0.95 - drop, official), side(0.95, False))


def found(seeds: int, drop: float, official: bool) -> float:
    """The share of studies in which the drop is no noise."""
    random = np.random.default_rng(0)
    studies = [study_of_one_data_set(random, seeds, drop, official) for _ in range(REPEATS)]
    return float(np.mean([one.verdict != "within noise" for one in studies]))


@pytest.mark.parametrize("official", [False, True], ids=["drawn-anew", "one-test-part"])
@pytest.mark.parametrize("seeds", [1, 3])
def test_chance_is_called_noise(seeds: int, official: bool) -> None:
    """5 in 100 are false alarms, fewer where parts overlap, give or take two standard errors of the share."""
    assert found(seeds, 0.0, official) < 0.05 + 2 * math.sqrt(0.05 * 0.95 / REPEATS)


def test_a_real_drop_is_found_the_better_the_more_seeds() -> None:
    """2 points of 95: the standard error of means over 3 seeds of 1,180 images is 0.6 points."""
    assert found(3, 0.02, official=False) > 0.7
    assert found(3, 0.02, official=False) > found(1, 0.02, official=False) + 0.15


def test_on_one_test_part_more_seeds_are_no_more_radiographs() -> None:
    """Seeds with the same figures: where each has a part of its own, a mean over 4 is twice as sure."""
    one = Spread.of([0.9], [(0.88, 0.92)])
    within = (0.02 / 1.96) ** 2
    drawn, fixed = (kind.of([0.9] * 4, [(0.88, 0.92)] * 4) for kind in (Spread, SpreadOnOnePart))
    assert one.variance == pytest.approx(within)
    assert drawn.variance == pytest.approx(within / 4)
    assert fixed.variance == pytest.approx(within)
    apart = SpreadOnOnePart.of([0.8, 0.9, 1.0, 0.9], [(0.88, 0.92)] * 4)
    assert apart.variance == pytest.approx(within + apart.sd**2 / 4)


def test_noise_is_welchs_where_the_seeds_differ_more_than_their_radiographs() -> None:
    """Against SciPy: intervals of no width leave Welch's t-test of the values."""
    here, there = [0.80, 0.84, 0.85], [0.90, 0.91, 0.97, 0.93]
    welch = ttest_ind(here, there, equal_var=False)
    found = Difference("auc", *(Spread.of(one, [(x, x) for x in one]) for one in (here, there)))
    low, high = welch.confidence_interval(0.95)
    assert found.noise == pytest.approx((high - low) / 2)


def test_whether_the_test_part_is_one_is_known(results: Results) -> None:
    patient, official = (differences(results, name)[0] for name in ("patient", "official"))
    assert [type(one) for one in (patient.here, official.here)] == [Spread, SpreadOnOnePart]
    assert type(official.there) is Spread
    results.settings["given_split"] = "split.csv"
    given = differences(results, "patient")[0]
    assert [type(one) for one in (given.here, given.there)] == [Spread, SpreadOnOnePart]
    assert given.there.sampling == pytest.approx(2 * patient.there.sampling)


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
    results.runs = [run for run in results.runs if run.protocol != "official"]
    assert "three" not in meaning(results)
    results.runs = [run for run in results.runs if run.protocol == "random"]
    assert "nothing here says how the classifier does on patients" in meaning(results)


@pytest.mark.parametrize(
    ("identical", "near", "told"), [(0, 1, "But one picture is in"), (2, 1, "But 3 pictures are in")]
)
def test_copies_in_the_official_test_set_are_told(
    identical: int, near: int, told: str, results: Results
) -> None:
    assert "copies" not in meaning(results)
    results.audit["identical"]["across_official"] = identical
    results.audit["near_identical"]["across_official"] = near
    assert told in meaning(results)
    results.runs = [run for run in results.runs if run.protocol != "official"]
    assert "copies" not in meaning(results)
