"""Figures of a classifier on another source."""

from __future__ import annotations

import matplotlib
import numpy as np

from neumo.classifier.findings import percent
from neumo.classifier.origin import LEVELS
from neumo.evaluation.external import External
from neumo.evaluation.shift import Moved
from neumo.report import draw_result
from neumo.report.drawing import (
    BLUE,
    GREEN,
    MUTED,
    STYLE,
    VERMILLION,
    Drawing,
    Look,
    Side,
    canvas,
    legend,
    named_rows,
)
from neumo.report.figures import finished

ALL = Look("All radiographs", "all", BLUE, "-", "o")
UNSEEN = Look("Those it was not made from", "not made from", VERMILLION, (0, (1.2, 1.2)), "D")


def draw_external(found: External) -> dict[str, Drawing]:
    """Every figure that there are numbers for, by name."""
    called = found.card["negative"], found.card["positive"]
    classes = found.dataset.positive_name, found.dataset.negative_name, called
    sides = [Side("all", ALL, [found.all], *classes)]
    if found.unseen is not None:
        sides.append(Side("unseen", UNSEEN, [found.unseen], *classes))
    with matplotlib.rc_context(STYLE):
        drawings = [
            draw_result.roc(sides),
            draw_result.precision_recall(sides),
            draw_result.calibration(sides),
        ]
        drawings += [draw_result.by_cause(sides), *(draw_result.confusion(side) for side in sides)]
        distance = next(one for one in found.shift.properties if one.name == "distance")
        drawings.append(distances(distance, found.shift.unfamiliar["share"]))
        if any(one.there is not None for one in found.shift.properties):
            drawings.append(gaps(found.shift.properties))
        return finished(drawings, synthetic=found.dataset.synthetic)


def distances(distance: Moved, share: float) -> Drawing:
    """Shares of the radiographs up to each distance, here and where the classifier comes from."""
    figure = canvas(3.0)
    ax = figure.subplots()
    ax.axvline(1, color=MUTED, linewidth=0.8, linestyle=":")
    here = ax.plot(distance.here, LEVELS, color=BLUE, label="this source")
    lines = [here[0]]
    if distance.there is not None:
        lines += ax.plot(
            distance.there, LEVELS, color=GREEN, linestyle=(0, (5, 1.5)), label="its own, held out"
        )
    ax.set_xlim(0, max(1.3, np.quantile(distance.here, 0.99) * 1.05))
    ax.set_ylim(-0.02, 1.02)
    ax.set(xlabel="distance to the training radiographs; past 1 unfamiliar", ylabel="share up to there")
    legend(figure, *lines)
    far = f"{percent(share)} past the limit"
    alt = f"Distance to the training radiographs: median {distance.here[50]:.2f}, {far}"
    own = "" if distance.there is None else f"; of the classifier's own, median {distance.there[50]:.2f}"
    return Drawing("distance", figure, f"{alt}{own}.")


def gaps(properties: tuple[Moved, ...]) -> Drawing:
    """How far the distributions of each property are apart."""
    known = [one for one in properties if one.there is not None]
    figure = canvas(0.7 + 0.26 * len(known))
    ax = figure.subplots()
    for row, one in enumerate(known):
        ax.barh(row, one.gap, 0.62, color=VERMILLION if one.differs else MUTED, alpha=0.85)
        ax.text(one.gap, row, f" {one.gap:.2f}", va="center", fontsize=8, color=MUTED)
    named_rows(ax, [one.name for one in known])
    ax.set_xlim(0, min(1.15, max(0.3, 1.2 * max(one.gap for one in known))))
    ax.set_xlabel("largest gap between the cumulative shares")
    said = ", ".join(f"{one.name} {one.gap:.2f}" for one in known)
    return Drawing("gaps", figure, f"Largest gaps between this source and the classifier's own: {said}.")
