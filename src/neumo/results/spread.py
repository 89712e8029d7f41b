"""Figures over the seeds, compared between protocols in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from neumo.results.results import Results, Run


@dataclass(frozen=True)
class Spread:
    """One number over the seeds of a study.

    Attributes:
        mean: over the seeds.
        sd: standard deviation over the seeds (n - 1), 0 for one seed.
        minimum: over the seeds.
        maximum: over the seeds.
        low: of the 95 % interval of one seed, averaged over the seeds; NaN where there is no interval.
        high: likewise.
        seeds: how many.
    """

    mean: float
    sd: float
    minimum: float
    maximum: float
    low: float
    high: float
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float], bounds: Iterable[tuple[float, float]] = ()) -> Spread:
        """The spread of `values`, one per seed, with the interval of each."""
        low, high = np.mean(list(bounds) or [(math.nan, math.nan)], axis=0)
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        return cls(float(np.mean(values)), sd, min(values), max(values), float(low), float(high), len(values))

    @property
    def within(self) -> float:
        """Variance of the value of one seed as its test radiographs are a sample, from its interval."""
        return ((self.high - self.low) / (2 * 1.96)) ** 2

    @property
    def sampling(self) -> float:
        """The same of `mean`, each seed having a test part of its own."""
        return self.within / self.seeds

    @property
    def between(self) -> float:
        """Variance of `mean` as each seed trains a network of its own; 0 for one seed, which cannot tell.

        As the test part is another one too, sd**2 holds the sampling as well: what is beyond it.
        """
        return max(self.sd**2 - self.within, 0.0) / self.seeds

    @property
    def variance(self) -> float:
        """Of `mean`."""
        return self.sampling + self.between


class SpreadOnOnePart(Spread):
    """The same where all seeds are tested on one and the same part: more of them are no more radiographs."""

    @property
    def sampling(self) -> float:
        """As for one seed."""
        return self.within

    @property
    def between(self) -> float:
        """Of the mean of as many networks; their sd has no sampling in it."""
        return self.sd**2 / self.seeds


def spread(runs: Sequence[Run], metric: str, *, one_part: bool = False) -> Spread | None:
    """A metric of the test part over the seeds; None where it is not defined.

    Args:
        runs: one per seed.
        metric: its name.
        one_part: whether a split was given, so that all have one test part, as those of "official" do.
    """
    found = [run.test["metrics"][metric] for run in runs if run.test is not None]
    if not found or any(one["value"] is None or one["low"] is None for one in found):
        return None
    one_part = one_part or all(run.protocol == "official" for run in runs)
    kind = SpreadOnOnePart if one_part else Spread
    return kind.of([one["value"] for one in found], [(one["low"], one["high"]) for one in found])


@dataclass(frozen=True)
class Difference:
    """How a metric on one protocol differs from that on the random split.

    Attributes:
        metric: name of the metric.
        here: on the protocol.
        there: on the random split.
    """

    metric: str
    here: Spread
    there: Spread

    @property
    def value(self) -> float:
        """Below 0 where the protocol is harder than the random split."""
        return self.here.mean - self.there.mean

    @property
    def noise(self) -> float:
        """What chance explains 95 times in 100: 1.96 standard errors of `value`, or more for few seeds.

        Quantiles are those of Student's t with the degrees of freedom of Welch and Satterthwaite (Welch,
        Biometrika 34, 1947, 28-35): k - 1 for the variance between k seeds, any number for the sampling,
        which the bootstrap knows well. Parts drawn from one data set overlap by their share f. That lowers
        the variance between the parts of one protocol to 1 - f of the sampling, and what remains in common
        to all parts of both protocols cancels in `value`; so independent parts are the cautious assumption.
        """
        from scipy.special import stdtrit

        sides = (self.here, self.there)
        variance = sum(side.variance for side in sides)
        unsure = sum(side.between**2 / (side.seeds - 1) for side in sides if side.between)
        quantile = float(stdtrit(variance**2 / unsure, 0.975)) if unsure else 1.96
        return quantile * math.sqrt(variance)

    @property
    def verdict(self) -> str:
        """``"lower"``, ``"higher"`` or ``"within noise"``."""
        if abs(self.value) <= self.noise:
            return "within noise"
        return "lower" if self.value < 0 else "higher"


def differences(results: Results, protocol: str) -> list[Difference]:
    """Accuracy and AUC on `protocol` against the random split, as far as both are defined."""
    found = []
    given = results.settings.get("given_split") is not None  # stands in for the random split of every seed
    for metric in ("accuracy", "auc"):
        here = spread(results.tested(protocol), metric)
        there = spread(results.tested("random"), metric, one_part=given)
        if here is not None and there is not None:
            found.append(Difference(metric, here, there))
    return found


_HARDLY_BETTER_THAN_A_COIN = 0.55  # lower end of the AUC's interval
_WHERE = {"patient": "on patients kept apart", "official": "on the official test set"}


def meaning(results: Results) -> str:
    """Plain sentences on what the differences between the protocols say to a user of the classifier."""
    return " ".join(filter(None, (_compared(results), copied(results))))


def copied(results: Results) -> str:
    """What to say where the official test set has copies of training images; nothing where it has none."""
    kinds = ("identical", "near_identical")
    copied = sum(results.audit[kind]["across_official"] for kind in kinds)
    if not copied or not results.tested("official"):
        return ""
    pictures = "one picture is" if copied == 1 else f"{copied:,} pictures are"
    return (
        f"But {pictures} in the training part and in the official test set at once, as copies: its figures "
        "flatter the classifier. neumo audit names the files."
    )


def _compared(results: Results) -> str:
    others = {where: differences(results, name) for name, where in _WHERE.items() if results.tested(name)}
    auc = spread(results.tested("random"), "auc")
    if not others:
        return (
            "These data allow the random split alone, so nothing here says how the classifier does on "
            "patients whom it has never seen."
        )
    if auc is not None and auc.low <= _HARDLY_BETTER_THAN_A_COIN:
        return (
            "Even on the random split the classifier is hardly better than a coin, so the differences "
            "between the protocols say little."
        )

    def where(verdict: str, *metrics: str) -> str:
        return " and ".join(
            place
            for place, found in others.items()
            if any(one.verdict == verdict and one.metric in metrics for one in found)
        )

    if worse := where("lower", "auc"):
        return (
            f"The random split flatters the classifier: {worse} it tells ill from healthy worse, by more "
            "than chance explains. For radiographs from elsewhere, the lowest figure is the safest guess."
        )
    if worse := where("lower", "accuracy"):
        return (
            f"The random split flatters the classifier's accuracy: {worse} fewer answers are right, by more "
            "than chance explains. The AUC holds within the noise, so it is the threshold, or how many of "
            "the radiographs are ill, that does not carry over. Elsewhere, the lowest figure is the safest "
            "guess."
        )
    if better := where("higher", "accuracy", "auc"):
        return (
            f"The random split does not flatter the classifier here: {better} it does better by more than "
            "chance explains. Those radiographs are easier; it has not learnt more."
        )
    return (
        f"The difference is within the noise: {' and '.join(others)} the classifier does as well as on the "
        "random split. If the random split flatters it, then by less than this many radiographs can show."
    )


def summary(results: Results) -> dict[str, Any]:
    """The figures over the seeds, JSON-able; None stands for what is not defined.

    Returns:
        "ladder": step -> "loss" and "accuracy" on validation; "tested": protocol -> metric; each a `Spread`;
        "differences": protocol -> metric -> "value", "noise" and "verdict", see `Difference`.
    """
    protocols = {run.protocol: results.tested(run.protocol) for run in results.runs if run.test is not None}
    steps = {run.step: results.ladder(run.step) for run in results.runs}
    return {
        "ladder": {
            step: {
                name: _plain(Spread.of([run.validation[name] for run in runs]))
                for name in ("loss", "accuracy")
            }
            for step, runs in steps.items()
            if runs
        },
        "tested": {
            protocol: {name: _plain(spread(runs, name)) for name in (runs[0].test or {})["metrics"]}
            for protocol, runs in protocols.items()
        },
        "differences": {
            protocol: {
                one.metric: {"value": one.value, "noise": one.noise, "verdict": one.verdict}
                for one in differences(results, protocol)
            }
            for protocol in protocols
            if protocol != "random"
        },
    }


def _plain(one: Spread | None) -> dict[str, float | None] | None:
    if one is None:
        return None
    return {name: None if math.isnan(value) else value for name, value in asdict(one).items()}
