"""Intervals of what test images say, most by drawing patients rather than images again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
_CHUNK = 2**21  # weights held at once: 16 MiB

Weights = NDArray[np.float64]
Statistics = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Intervals:
    """What the replicates say.

    Args:
        bounds: for each statistic the ends of its 95 % percentile interval; NaN where no replicate has it.
        undefined: for each statistic how many replicates do not have it; they are left out of its interval.
        units: how many patients (or images of unknown patients) were drawn from.
        values: the replicates of each statistic, (replicates,).
    """

    bounds: dict[str, tuple[float, float]]
    undefined: dict[str, int]
    units: int
    values: Statistics = field(compare=False, repr=False)


def bootstrap(
    statistics: Callable[[Weights], Statistics],
    n: int,
    *,
    groups: ArrayLike | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Intervals:
    """95 % percentile intervals of statistics of n images (Efron and Tibshirani, 1993, chapter 13).

    Images of one patient resemble each other, so that drawing images as if each were new evidence gives
    intervals that are too narrow. Each replicate draws as many patients as there are, with replacement, and
    takes all images of each (the cluster bootstrap, Field and Welsh, JRSS B 69, 2007).

    Args:
        statistics: given (r, n) weights, how often each image is in each of r replicates, returns (r,)
            values by name, NaN where a replicate does not have one.
        n: number of images.
        groups: (n,) patient of each image; one that is missing (None, NaN, NA) stands for itself. None:
            images are drawn.
        replicates: how many.
        seed: of the draws.
    """
    of_image, drawn = units(n, groups)
    parts = [statistics(weights) for weights in _resamples(of_image, drawn, replicates, seed)]
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Intervals(
        bounds={name: _percentiles(v) for name, v in values.items()},
        undefined={name: int(np.isnan(v).sum()) for name, v in values.items()},
        units=drawn,
        values=values,
    )


def units(n: int, groups: ArrayLike | None) -> tuple[NDArray[np.int64], int]:
    """For each image the number of the unit that it is drawn with; how many units there are."""
    if groups is None:
        return np.arange(n), n
    import pandas as pd

    codes, known = pd.factorize(pd.Series(groups))
    of_image = np.asarray(codes, np.int64)
    alone = of_image < 0
    of_image[alone] = len(known) + np.arange(alone.sum())
    return of_image, len(known) + int(alone.sum())


def wilson(hits: float, n: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson, JASA 22, 1927); it has width where all are hits, too."""
    from scipy.special import ndtri

    z2 = float(ndtri((1 + LEVEL) / 2)) ** 2
    middle = (hits + z2 / 2) / (n + z2)
    reach = math.sqrt(z2 * (hits * (n - hits) / n + z2 / 4)) / (n + z2)
    return 0.0 if hits == 0 else middle - reach, 1.0 if hits == n else middle + reach


def _resamples(of_image: NDArray[np.int64], units: int, replicates: int, seed: int) -> Iterator[Weights]:
    random = np.random.default_rng(seed)
    step = max(1, _CHUNK // len(of_image))
    for start in range(0, replicates, step):
        drawn = [
            np.bincount(random.integers(units, size=units), minlength=units)
            for _ in range(min(step, replicates - start))
        ]
        yield np.asarray(drawn, np.float64)[:, of_image]


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
