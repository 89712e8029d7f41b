"""Figures of what a classifier is worth on test parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import StrMethodFormatter

from neumo.classifier.findings import percent
from neumo.evaluation.metrics import LOWER_IS_BETTER, METRICS
from neumo.report.drawing import (
    INK,
    MUTED,
    PAPER,
    Drawing,
    Look,
    Side,
    Tested,
    canvas,
    folded,
    means,
    named_rows,
    sides_legend,
    values,
)

GRID = np.linspace(0, 1, 401)
COIN: dict[str, Any] = {"color": MUTED, "linewidth": 0.8, "linestyle": ":"}


def roc(sides: Sequence[Side]) -> Drawing:
    """ROC curves with the operating points; the top left corner enlarged where there is room for it."""
    figure = canvas(4.3)
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1], **COIN)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.set(xlabel="false alarms: 1 - specificity", ylabel="sensitivity")
    shown = [ax]
    if min(min(values(side.runs, "auc")) for side in sides) > 0.9:
        corner = ax.inset_axes((0.4, 0.12, 0.56, 0.56))
        corner.set(xlim=(-0.005, 0.4), ylim=(0.6, 1.005), xticks=[0, 0.2, 0.4], yticks=[0.6, 0.8, 1])
        corner.set_title("the corner, enlarged", fontsize=8, color=MUTED)
        shown.append(corner)
    for side in sides:
        runs = side.runs
        false_alarms = 1 - np.array(values(runs, "specificity"))
        points = list(zip(false_alarms, values(runs, "sensitivity"), strict=True))
        for axes in shown:
            _seeds_and_mean(axes, side.look, [_roc_points(run) for run in runs], points)
    sides_legend(figure, sides, "auc")
    return Drawing("roc", figure, f"ROC curves. {means(sides, 'auc')}")


def precision_recall(sides: Sequence[Side]) -> Drawing:
    """Precision-recall curves with the operating points."""
    figure = canvas(4.3)
    ax = figure.subplots()
    lowest = 0.5
    for side in sides:
        runs = side.runs
        curves = [_precision_recall_points(run) for run in runs]
        points = [point for run in runs if (point := _precision_recall_point(run)) is not None]
        _seeds_and_mean(ax, side.look, curves, points)
        share = float(np.mean([count[1].sum() / count.sum() for count in map(confusion_counts, runs)]))
        ax.axhline(share, **{**COIN, "color": side.look.colour})
        lowest = min(lowest, share - 0.05, *(precision - 0.05 for _, precision in points))
    ax.set(xlim=(-0.01, 1.01), ylim=(max(-0.01, lowest), 1.01))
    ax.set(xlabel="sensitivity (recall)", ylabel="precision (positive predictive value)")
    sides_legend(figure, sides, "average_precision")
    alt = f"Precision-recall curves; dotted lines are the share of {sides[0].positive}."
    return Drawing("precision-recall", figure, f"{alt} {means(sides, 'average_precision')}")


def confusion(side: Side) -> Drawing:
    """The confusion matrix, mean over the seeds."""
    look, runs = side.look, side.runs
    counts = np.mean([confusion_counts(run) for run in runs], axis=0)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    digits = 0 if len(runs) == 1 else 1
    figure = canvas(2.7, width=3.4)
    ax = figure.subplots()
    for row, column in np.ndindex(2, 2):
        share = shares[row, column]
        colour = look.colour if row == column else MUTED
        cell = Rectangle((column, row), 0.97, 0.95, color=colour, alpha=0.06 + 0.4 * share, linewidth=0)
        ax.add_patch(cell)
        x = column + 0.485
        ax.text(x, row + 0.42, f"{counts[row, column]:,.{digits}f}", fontsize=14, ha="center", va="center")
        ax.text(x, row + 0.7, percent(share), fontsize=8, color=MUTED, ha="center", va="center")
    ax.set(xlim=(0, 2), ylim=(2, 0), xlabel="the classifier says", ylabel="the truth is")
    ax.set_xticks([0.485, 1.485], [folded(name, 20) for name in side.says])
    rows = [folded(name, 13, lines=3) for name in (side.negative, side.positive)]
    ax.set_yticks([0.485, 1.485], rows, rotation=90, va="center", multialignment="center")
    ax.tick_params(length=0, labelcolor=INK)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_title(look.title)
    (tn, fp), (fn, tp) = counts
    alt = (
        f"{look.title}{', mean over the seeds' if digits else ''}: of {tp + fn:,.{digits}f} {side.positive} "
        f"{tp:,.{digits}f} found and {fn:,.{digits}f} missed; of {tn + fp:,.{digits}f} {side.negative} "
        f"{tn:,.{digits}f} called {side.says[0]} and {fp:,.{digits}f} false alarms."
    )
    return Drawing(f"confusion-{side.name}", figure, alt)


def calibration(sides: Sequence[Side]) -> Drawing:
    """Predicted probability against the share that is positive, seeds taken together, with counts."""
    figure = canvas(4.6)
    ax, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    ax.plot([0, 1], [0, 1], **COIN)
    for side in sides:
        look = side.look
        line: dict[str, Any] = {"color": look.colour, "linestyle": look.line}
        predicted, observed, count, edges = _calibration_points(side.runs)
        full = count > 0
        ax.plot(
            predicted[full], observed[full], marker=look.mark, markersize=4.5, markeredgecolor=PAPER, **line
        )
        below.stairs(count, edges, linewidth=1.3, **line)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel=folded(f"share that is {sides[0].positive}", 36))
    below.set_yscale("symlog", linthresh=1)
    below.set_ylim(bottom=0)
    below.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    below.set(xlabel=folded(f"predicted probability of {sides[0].says[1]}", 52), ylabel="radiographs")
    sides_legend(figure, sides, "brier")
    alt = f"Predicted probability against the share that is {sides[0].positive}, with counts below."
    return Drawing("calibration", figure, f"{alt} {means(sides, 'brier')}")


def metrics(sides: Sequence[Side]) -> Drawing:
    """The metrics that are better when higher, of all that was tested, with their intervals."""
    shown = [name for name in METRICS if name not in LOWER_IS_BETTER]
    figure = canvas(3.4)
    ax = figure.subplots()
    lowest = 1.0
    for side, y in _beside(sides):
        runs = side.runs
        for row, name in enumerate(shown):
            low, high = (float(np.mean(values(runs, name, part))) for part in ("low", "high"))
            _mean_and_range(ax, side.look, row + y, values(runs, name), low, high)
            lowest = min(lowest, low, *values(runs, name))
    named_rows(ax, [METRICS[name] for name in shown])
    ax.set_xlim(max(0, np.floor(lowest * 20) / 20), 1.005)
    sides_legend(figure, sides)
    alt = f"Metrics with 95 % intervals. {means(sides, 'accuracy')}"
    return Drawing("protocols", figure, f"{alt} {means(sides, 'auc')}")


def by_cause(sides: Sequence[Side]) -> Drawing:
    """Share called right: sensitivity by cause, specificity of the radiographs without."""
    causes = sorted({cause for side in sides for run in side.runs for cause in run.by_cause})
    figure = canvas(1.4 + 0.5 * len(causes))
    ax = figure.subplots()
    said = []
    for side, y in _beside(sides):
        runs = side.runs
        for row, cause in enumerate((sides[0].negative, *causes)):
            if row == 0:
                seeds, lows, highs = (values(runs, "specificity", part) for part in ("value", "low", "high"))
            else:
                found = [run.by_cause[cause] for run in runs if cause in run.by_cause]
                seeds, lows, highs = ([one[part] for one in found] for part in ("sensitivity", "low", "high"))
            if seeds:
                _mean_and_range(ax, side.look, row + y, seeds, float(np.mean(lows)), float(np.mean(highs)))
                said.append(f"{side.look.title}, {cause}: {np.mean(seeds):.3f}")
    named_rows(ax, [sides[0].negative, *causes])
    ax.set_xlim(right=1.01)
    ax.set_xlabel("share called right")
    sides_legend(figure, sides)
    return Drawing("causes", figure, f"Share called right by cause. {'; '.join(said)}.")


OF_ALL = (roc, precision_recall, calibration, metrics, by_cause)
"""Figures that show everything that was tested side by side."""


def _seeds_and_mean(
    ax: Axes,
    look: Look,
    curves: Sequence[tuple[np.ndarray, np.ndarray]],
    points: Sequence[tuple[float, float]],
) -> None:
    """Curves of all seeds, their mean at equal x (vertical averaging: Fawcett, 2006), operating points."""
    for x, y in curves:
        ax.plot(x, y, color=look.colour, linewidth=0.7, alpha=0.35)
    mean = np.mean([np.interp(GRID, x, y) for x, y in curves], axis=0)
    ax.plot(GRID, mean, color=look.colour, linestyle=look.line)
    for point in points:
        ax.plot(*point, look.mark, color=look.colour, markersize=5, markeredgecolor=PAPER)


def _beside(sides: Sequence[Side]) -> list[tuple[Side, float]]:
    """Each side with where it goes within a named row."""
    apart = min(0.24, 0.8 / len(sides))
    return [(side, apart * (number - (len(sides) - 1) / 2)) for number, side in enumerate(sides)]


def _mean_and_range(ax: Axes, look: Look, y: float, seeds: Sequence[float], low: float, high: float) -> None:
    ax.plot([low, high], [y, y], color=look.colour)
    ax.plot(seeds, [y] * len(seeds), "|", color=look.colour, markersize=5, markeredgewidth=0.8)
    ax.plot(np.mean(seeds), y, look.mark, color=look.colour, markersize=5, markeredgecolor=PAPER)


def confusion_counts(run: Tested) -> np.ndarray:
    """Images of the test part, int (2, 2): rows by truth, columns by answer, normal first."""
    assert run.test is not None
    return np.array(run.test["confusion"])


def _roc_points(run: Tested) -> tuple[np.ndarray, np.ndarray]:
    """False positive rate and sensitivity, both rising."""
    assert run.test is not None
    return np.array(run.test["roc"]["fpr"]), np.array(run.test["roc"]["tpr"])


def _precision_recall_points(run: Tested) -> tuple[np.ndarray, np.ndarray]:
    """Recall, rising, with its precision; scikit-learn gives them falling."""
    assert run.test is not None
    curve = run.test["precision_recall"]
    return np.array(curve["recall"])[::-1], np.array(curve["precision"])[::-1]


def _precision_recall_point(run: Tested) -> tuple[float, float] | None:
    """Recall and precision at the operating point; None where nothing was called pneumonia."""
    (_, false_alarms), (missed, found) = confusion_counts(run)
    called = found + false_alarms
    return (found / (found + missed), found / called) if called else None


def _calibration_points(runs: Sequence[Tested]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bins over all seeds: mean probability, share positive, images, each (bins,); edges (bins + 1,).

    Empty bins have NaN for probability and share.
    """
    found = [run.test["calibration"] for run in runs if run.test is not None]
    count = np.array([one["count"] for one in found])
    total = count.sum(axis=0)

    def mean(key: str) -> np.ndarray:
        known = np.array([[value or 0.0 for value in one[key]] for one in found])
        return np.divide((known * count).sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)

    return mean("predicted"), mean("observed"), total, np.array([*found[0]["low"], found[0]["high"][-1]])
