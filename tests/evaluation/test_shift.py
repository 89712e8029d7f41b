from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp, kstest, kstwo

from neumo.classifier.origin import ANSWERS, LEVELS, PIXELS, Origin
from neumo.evaluation.shift import Moved, shift

NAMES = [*ANSWERS, *PIXELS]


def drawn(
    n: int, share: float, seed: int, moved: dict[str, float] | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers that differ between the classes; widths are those of two machines."""
    random = np.random.default_rng(seed)
    y = (random.random(n) < share).astype(int)
    table = pd.DataFrame({name: random.normal(2 * y, 1) + (moved or {}).get(name, 0) for name in NAMES})
    table["distance"] = random.gamma(20, 0.025 * (1 + (moved or {}).get("distance", 0)), n)
    table["width"] = random.choice([512, 1024], n)
    return table, y


@pytest.fixture(scope="module")
def own() -> tuple[pd.DataFrame, np.ndarray]:
    return drawn(4000, 0.75, seed=0)


@pytest.fixture(scope="module")
def origin(own: tuple[pd.DataFrame, np.ndarray]) -> Origin:
    table, y = own
    quantiles = {
        name: np.array([np.quantile(table[name][y == label], LEVELS) for label in (0, 1)], np.float32)
        for name in NAMES
    }
    counts = {name: np.bincount(y) for name in NAMES}
    return Origin(quantiles, counts, np.empty(0, np.uint64), np.empty((0, 4), np.uint64))


def of(found: tuple[Moved, ...], name: str) -> Moved:
    return next(one for one in found if one.name == name)


def test_gap_is_that_of_kolmogorov_and_smirnov(own: tuple[pd.DataFrame, np.ndarray], origin: Origin) -> None:
    """With the classes mixed alike, it is SciPy's statistic on the raw numbers."""
    table, y = drawn(1500, 0.75, seed=1, moved={"brightness": 0.3, "distance": 0.2})
    found = shift(table, y, origin, 0.75)
    for name in NAMES:
        expected = ks_2samp(table[name], own[0][name])
        assert of(found.properties, name).gap == pytest.approx(expected.statistic, abs=0.02)
    assert of(found.properties, "brightness").differs
    assert of(found.properties, "brightness").p < 1e-6


@pytest.mark.parametrize("beyond", [(-1, 4), (0.5, 2.5)])
def test_a_mixture_known_by_its_percentiles_is_met_exactly(beyond: tuple[float, float]) -> None:
    """Normal is even from 0 to 1, pneumonia from 1 to 3; the source leans left, and may reach beyond."""
    even = np.array([LEVELS, 1 + 2 * LEVELS], np.float32)
    origin = Origin({"brightness": even}, {"brightness": np.array([100, 225])}, np.empty(0), np.empty((0, 4)))
    values = np.interp(np.random.default_rng(0).random(198) ** 1.2, (0, 0.25, 1), (0, 1, 3))
    table = pd.DataFrame({name: [*values, *beyond] for name in NAMES})
    found = of(shift(table, [0, 1, 1, 1] * 50, origin, 0.75).properties, "brightness")

    def share(x: np.ndarray) -> np.ndarray:
        return 0.25 * np.clip(x, 0, 1) + 0.75 * np.clip((x - 1) / 2, 0, 1)

    assert found.gap == pytest.approx(kstest(table["brightness"], share).statistic, abs=1e-6)
    own = 1 / (0.25**2 / 100 + 0.75**2 / 225)  # as the variance of a weighted mean has it: 320
    assert found.p == pytest.approx(kstwo.sf(found.gap, round(200 * own / (200 + own))), rel=0.1)
    assert found.there is not None
    assert (found.there[0], found.there[-1]) == (0, 3)
    assert found.there[1:-1] == pytest.approx(np.interp(LEVELS[1:-1], (0, 0.25, 1), (0, 1, 3)), abs=0.03)


def test_another_mix_of_the_classes_is_no_shift(own: tuple[pd.DataFrame, np.ndarray], origin: Origin) -> None:
    table, y = drawn(1500, 0.2, seed=2)
    found = shift(table, y, origin, 0.75)
    assert ks_2samp(table["brightness"], own[0]["brightness"]).pvalue < 1e-50
    assert found.differing == []
    assert "no property" in found.verdict
    assert found.prevalence["there"] == 0.75
    assert found.prevalence["here"] == pytest.approx(y.mean())


@pytest.mark.parametrize("n", [29, 30])
def test_that_nothing_is_found_in_a_few_images_says_little(origin: Origin, n: int) -> None:
    verdict = shift(*drawn(n, 0.75, seed=2), origin, 0.75).verdict
    assert "no property" in verdict
    assert ("but 29 images are too few to tell" in verdict) == ("too few" in verdict) == (n == 29)


def test_false_alarms_are_rare(origin: Origin) -> None:
    alarms = sum(bool(shift(*drawn(300, 0.5, seed), origin, 0.75).differing) for seed in range(25))
    assert alarms <= 2


@pytest.mark.parametrize(("n", "more"), [(3, ""), (5, " and 2 more")])
def test_names_the_three_that_moved_most(n: int, more: str, origin: Origin) -> None:
    names = ["contrast", "border", "brightness", "sharpness", "height"]
    moved = {name: 3 - 0.4 * i for i, name in enumerate(names[:n])}
    found = shift(*drawn(400, 0.75, seed=3, moved=moved), origin, 0.75)
    gaps = [of(found.properties, name).gap for name in names[:3]]
    told = ", ".join(f"{name} (gap {gap:.2f})" for name, gap in zip(names, gaps, strict=False))
    assert found.verdict.endswith(f"most in {told}{more}.")


def test_finds_what_moved_and_puts_it_first(origin: Origin) -> None:
    table, y = drawn(400, 0.75, seed=3, moved={"contrast": 1.5, "border": -0.5})
    found = shift(table, y, origin, 0.75)
    assert [one.name for one in found.differing] == ["contrast", "border"]
    contrast = found.properties[0]
    assert contrast.there is not None
    assert contrast.here[50] == pytest.approx(np.median(table["contrast"]))
    assert contrast.here[50] - contrast.there[50] == pytest.approx(1.5, abs=0.25)
    assert "contrast (gap" in found.verdict


def test_the_classifiers_own_percentiles_are_those_of_the_mixture(origin: Origin) -> None:
    table, y = drawn(500, 0.3, seed=4)
    raw, label = drawn(40000, 0.3, seed=5)
    found = of(shift(table, y, origin, 0.75).properties, "sharpness")
    assert found.there is not None
    mixed = np.concatenate([raw["sharpness"][label == 0], raw["sharpness"][label == 1]])
    expected = np.quantile(mixed, (0.05, 0.5, 0.95))
    assert [found.there[place] for place in (5, 50, 95)] == pytest.approx(expected, abs=0.25)


def test_numbers_that_take_few_values(origin: Origin) -> None:
    table, y = drawn(600, 0.75, seed=6)
    assert not of(shift(table, y, origin, 0.75).properties, "width").differs
    table["width"] = 512
    found = of(shift(table, y, origin, 0.75).properties, "width")
    assert found.gap == pytest.approx(0.5, abs=0.03)
    assert found.differs


def test_counts_what_lies_past_the_limit(origin: Origin) -> None:
    table, y = drawn(200, 0.75, seed=7)
    table["distance"] = np.r_[np.full(30, 1.2), np.full(170, 0.5)]
    found = shift(table, y, origin, 0.75)
    assert found.unfamiliar["n"] == 30
    assert found.unfamiliar["low"] < found.unfamiliar["share"] == 0.15 < found.unfamiliar["high"]
    assert "15.0% of the radiographs look unlike" in found.verdict
    assert "more than the 1%" in found.verdict


def test_a_property_that_the_classifier_does_not_know_is_left_out(origin: Origin) -> None:
    quantiles = {name: origin.quantiles[name] for name in NAMES if name != "border"}
    less = Origin(quantiles, origin.counts, origin.contents, origin.pictures)
    found = shift(*drawn(400, 0.75, seed=3, moved={"contrast": 1.5, "border": -0.5}), less, 0.75)
    assert [one.name for one in found.differing] == ["contrast"]
    assert "differ from its own most in contrast (gap" in found.verdict
    assert found.properties[-1] == Moved("border", found.properties[-1].here)


def test_a_classifier_that_does_not_know_its_origin() -> None:
    found = shift(*drawn(100, 0.5, seed=8), None, None)
    assert "does not tell" in found.verdict
    assert found.differing == []
    assert [one.name for one in found.properties] == NAMES
    assert {len(one.here) for one in found.properties} == {101}
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["properties"][0]["gap"] is None
    assert told["prevalence"]["there"] is None
