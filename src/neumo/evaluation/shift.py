"""How far a source of radiographs is from the one that a classifier was made from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neumo.classifier.findings import percent
from neumo.classifier.origin import ANSWERS, LEVELS, PIXELS, Origin
from neumo.evaluation.intervals import wilson
from neumo.evaluation.metrics import without_nan
from neumo.images.exposure import EXPOSURE

PROPERTIES = {
    "distance": "distance to the training radiographs, in units of the limit",
    "probability": "probability that the classifier gives",
    **EXPOSURE,
    "width": "width in pixels",
    "height": "height in pixels",
}
"""What is compared, by name, with what it is."""

EXPECTED = 0.01
"""Share of radiographs like the training ones that lie past the limit, at most."""

SURE = 0.01
"""A difference is told as one where its p value, times the number of properties, is below this."""

FEW = 30
"""With fewer images, that no difference is found says little."""

Floats = NDArray[np.float64]
Side = Literal["left", "right"]


@dataclass(frozen=True)
class Moved:
    """One property, here and where the classifier comes from.

    Attributes:
        name: of `PROPERTIES`.
        here: percentiles over the source, from 0 to 100.
        there: the same over the classifier's own radiographs, mixed to the source's share of pneumonia, so
            that a difference is not that of the classes; None where the classifier does not know.
        gap: largest distance of the two cumulative distributions, 0 to 1 (Kolmogorov and Smirnov).
        p: of the gap, two-sided, radiographs taken as independent; not adjusted.
        differs: whether p, times the number of properties, is below `SURE`.
    """

    name: str
    here: tuple[float, ...]
    there: tuple[float, ...] | None = None
    gap: float = float("nan")
    p: float = float("nan")
    differs: bool = False


@dataclass(frozen=True)
class Shift:
    """How far a source is from where the classifier comes from.

    Attributes:
        images: how many were looked at.
        unfamiliar: "n" past the classifier's limit, "share" with its 95 % Wilson interval "low" and "high",
            and "expected", the share of the classifier's own kind that is, at most.
        prevalence: share of pneumonia: "here" with its 95 % Wilson interval "low" and "high", and "there",
            in training (None where it is not known).
        properties: those that differ most first.
    """

    images: int
    unfamiliar: dict[str, float]
    prevalence: dict[str, float | None]
    properties: tuple[Moved, ...]

    @property
    def differing(self) -> list[Moved]:
        """Properties that differ by more than chance."""
        return [one for one in self.properties if one.differs]

    @property
    def verdict(self) -> str:
        """The whole in plain words."""
        u = self.unfamiliar
        said = f"{percent(u['share'])} of the radiographs look unlike those that the classifier knows"
        if u["low"] > u["expected"]:
            said += f", more than the {u['expected']:.0%} of its own that do at most"
        if all(one.there is None for one in self.properties):
            return f"{said}. What its own look like, this classifier does not tell."
        if not (found := self.differing):
            few = f", but {self.images:,} images are too few to tell" * (self.images < FEW)
            return f"{said}. In no property do they differ from its own by more than chance{few}."
        most = ", ".join(f"{one.name} (gap {one.gap:.2f})" for one in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return f"{said}. They differ from its own most in {most}{more}."

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; None stands for what is not defined."""
        return without_nan({**asdict(self), "verdict": self.verdict})


def shift(numbers: pd.DataFrame, y: ArrayLike, origin: Origin | None, prevalence: float | None) -> Shift:
    """Compare a source with what a classifier was made from.

    Univariate two-sample tests with a correction for their number, one of them on the classifier's own
    answer, are what Rabanser, Günnemann and Lipton (NeurIPS 2019, arXiv:1810.11953) found to detect a shift
    best; here they tell in words what has moved.

    Args:
        numbers: of each image, columns `ANSWERS` and `PIXELS`.
        y: (n,) 0 normal, 1 pneumonia.
        origin: None where the classifier was saved without it.
        prevalence: share of pneumonia in training, where known.
    """
    y = np.asarray(y)
    names = [*ANSWERS, *PIXELS]
    found = [_moved(name, numbers[name].to_numpy(np.float64), float(y.mean()), origin) for name in names]
    sure = [SURE / len(names) > one.p for one in found]
    found = [Moved(**{**vars(one), "differs": bool(d)}) for one, d in zip(found, sure, strict=True)]
    far = int((numbers["distance"] > 1).sum())
    return Shift(
        images=len(y),
        unfamiliar={"n": far, **_share(far, len(y), "share"), "expected": EXPECTED},
        prevalence={**_share(int(y.sum()), len(y), "here"), "there": prevalence},
        properties=tuple(sorted(found, key=lambda one: -np.nan_to_num(one.gap, nan=-1))),
    )


def _share(hits: int, n: int, name: str) -> dict[str, float]:
    low, high = wilson(hits, n)
    return {name: hits / n, "low": low, "high": high}


def _moved(name: str, values: Floats, prevalence: float, origin: Origin | None) -> Moved:
    from scipy.stats import kstwobign

    here = tuple(np.quantile(values, LEVELS).tolist())
    if origin is None or name not in origin.quantiles:
        return Moved(name, here)
    share = (1 - prevalence, prevalence)
    kept = origin.quantiles[name]
    values = np.sort(values.astype(kept.dtype))
    points = np.unique(np.concatenate([values, *kept]))
    there: dict[Side, Floats] = {side: _cumulative(kept, share, points, side) for side in ("left", "right")}
    gap = max(
        float(np.abs(np.searchsorted(values, points, side) / len(values) - reference).max())
        for side, reference in there.items()
    )
    n = len(values)
    m = 1 / sum(w**2 / k for w, k in zip(share, origin.counts[name], strict=True))  # of one that is not mixed
    own = points[np.minimum(np.searchsorted(there["right"], LEVELS), len(points) - 1)]
    own[0] = kept[np.array(share) > 0, 0].min()  # the first point is the source's where that reaches lower
    p = float(kstwobign.sf(gap * np.sqrt(n * m / (n + m))))
    return Moved(name, here, tuple(own.tolist()), gap, p)


def _cumulative(quantiles: np.ndarray, share: tuple[float, float], points: Floats, side: Side) -> Floats:
    """The share of a mixture of two classes, each known by its percentiles, below (or at) each point.

    Between percentiles it rises evenly; where several are one number, it jumps.
    """
    total = np.zeros(len(points))
    for of_class, weight in zip(quantiles, share, strict=True):
        after = np.searchsorted(of_class, points, side)
        inside = (after > 0) & (after < len(of_class))
        before, behind = of_class[after[inside] - 1], of_class[after[inside]]
        risen = (points[inside] - before) / (behind - before)
        reached = (after == len(of_class)).astype(np.float64)
        reached[inside] = LEVELS[after[inside] - 1] + risen * (LEVELS[1] - LEVELS[0])
        total += weight * reached
    return total
