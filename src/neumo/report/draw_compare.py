"""Figures of runs side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neumo.evaluation.metrics import METRICS
from neumo.report import draw_result
from neumo.report.drawing import (
    BLUE,
    GREEN,
    INK,
    LOOKS,
    MUTED,
    ORANGE,
    PAPER,
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
from neumo.results.comparison import Comparison, PairTest

COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, INK)
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), "-.", (0, (3, 1, 1, 1, 1, 1)))
MARKS = "osD^vPX*"

SHOWN = ("accuracy", "auc")
"""Metrics whose differences are drawn."""


def draw_comparison(comparison: Comparison) -> dict[str, Drawing]:
    """Every figure of a comparison by name: the differences, and by protocol the runs side by side."""
    with matplotlib.rc_context(STYLE):
        drawings = [differences(comparison)]
        for protocol in comparison.protocols:
            sides = run_sides(comparison, protocol)
            for make in (draw_result.metrics, draw_result.roc, draw_result.calibration):
                made = make(sides)
                name = "metrics" if make is draw_result.metrics else made.name
                title = LOOKS[protocol].title
                drawings.append(Drawing(f"compare-{name}-{protocol}", made.figure, f"{title}. {made.alt}"))
        return finished(drawings, synthetic=comparison.synthetic)


def run_looks(names: Sequence[str]) -> dict[str, Look]:
    """How each run is drawn; a long name is cut in the middle for legends, or numbered where that is none."""
    looks = {}
    cut = [name if len(name) <= 24 else f"{name[:11]}…{name[-11:]}" for name in names]
    for number, name in enumerate(names):
        short = cut[number] if cut.count(cut[number]) == 1 else f"{number + 1}: {name[:8]}…{name[-11:]}"
        colour, line = COLOURS[number % len(COLOURS)], LINES[number % len(LINES)]
        looks[name] = Look(name, short, colour, line, MARKS[number % len(MARKS)])
    return looks


def run_sides(comparison: Comparison, protocol: str) -> list[Side]:
    """The runs that were tested on a protocol."""
    looks = run_looks([run.name for run in comparison.runs])
    return [
        Side(run.name, looks[run.name], runs, *run.results.classes)
        for run in comparison.runs
        if (runs := run.tested(protocol))
    ]


def differences(comparison: Comparison) -> Drawing:
    """By how much the second run of each pair is better or worse than the first, with intervals."""
    protocols = [name for name in comparison.protocols if any(p.protocol == name for p in comparison.pairs)]
    looks = run_looks([run.name for run in comparison.runs])
    figure = canvas(1.15 + (0.22 * len(protocols) + 0.18) * len(comparison.by_runs))
    axes = figure.subplots(1, len(SHOWN), sharey=True)
    said = []
    for ax, metric in zip(axes, SHOWN, strict=True):
        ax.axvline(0, color=MUTED, linewidth=0.8, linestyle=":")
        for row, pairs in enumerate(comparison.by_runs.values()):
            for pair in pairs:
                place = protocols.index(pair.protocol) - (len(protocols) - 1) / 2
                _interval(ax, LOOKS[pair.protocol], row + 0.24 * place, pair, metric)
                one = pair.differences[metric]
                said.append(
                    f"{METRICS[metric]} of {pair.second} minus that of {pair.first}, "
                    f"{LOOKS[pair.protocol].title}: {one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
                )
        ax.set_title(METRICS[metric])
        ax.margins(x=0.12)
        ax.locator_params(axis="x", nbins=4)
    rows = [f"{looks[second].short}\n− {looks[first].short}" for first, second in comparison.by_runs]
    for ax in axes:
        named_rows(ax, rows)
    axes[1].tick_params(labelleft=False)
    _legend(figure, protocols)
    return Drawing("compare-differences", figure, f"Differences with 95 % intervals. {'; '.join(said)}.")


def _interval(ax: Any, look: Look, y: float, pair: PairTest, metric: str) -> None:
    one = pair.differences[metric]
    if not math.isnan(one.low):
        ax.plot([one.low, one.high], [y, y], color=look.colour)
    ax.plot(one.value, y, look.mark, color=look.colour, markersize=5, markeredgecolor=PAPER)


def _legend(figure: Figure, protocols: Sequence[str]) -> None:
    looks = [LOOKS[name] for name in protocols]
    legend(
        figure,
        *(Line2D([], [], color=one.colour, marker=one.mark, markersize=5, label=one.short) for one in looks),
    )
