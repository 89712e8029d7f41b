"""Figures of what the final step is worth on the test parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from neumo.report.drawing import (
    INK,
    LOOKS,
    METRICS,
    MUTED,
    PAPER,
    Drawing,
    Look,
    canvas,
    means,
    named_rows,
    protocol_legend,
    values,
)
from neumo.study.results import Results, Run

GRID = np.linspace(0, 1, 401)
COIN: dict[str, Any] = {"color": MUTED, "linewidth": 0.8, "linestyle": ":"}


def roc(results: Results, tested: list[str]) -> Drawing:
    """ROC curves with the operating points."""
    figure = canvas(4.3)
    ax = figure.subplots()
    corner = ax.inset_axes((0.4, 0.12, 0.56, 0.56))
    for protocol in tested:
        runs = results.tested(protocol)
        curves = [_roc_points(run) for run in runs]
        points = zip(1 - np.array(values(runs, "specificity")), values(runs, "sensitivity"), strict=True)
        for axes, marks in zip((ax, corner), [list(points)] * 2, strict=True):
            _seeds_and_mean(axes, LOOKS[protocol], curves, marks)
    ax.plot([0, 1], [0, 1], **COIN)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.set(xlabel="false alarms: 1 - specificity", ylabel="sensitivity")
    corner.set(xlim=(-0.005, 0.4), ylim=(0.6, 1.005), xticks=[0, 0.2, 0.4], yticks=[0.6, 0.8, 1])
    corner.set_title("the corner, enlarged", fontsize=8, color=MUTED)
    protocol_legend(figure, results, tested, "auc")
    return Drawing("roc", figure, f"ROC curves. {means(results, tested, 'auc')}")


def precision_recall(results: Results, tested: list[str]) -> Drawing:
    """Precision-recall curves with the operating points."""
    figure = canvas(4.3)
    ax = figure.subplots()
    lowest = 0.5
    for protocol in tested:
        runs = results.tested(protocol)
        counts = [confusion_counts(run) for run in runs]
        precisions = [called[1] / max(called.sum(), 1) for called in (count[:, 1] for count in counts)]
        share = float(np.mean([count[1].sum() / count.sum() for count in counts]))
        curves = [_precision_recall_points(run) for run in runs]
        points = list(zip(values(runs, "sensitivity"), precisions, strict=True))
        _seeds_and_mean(ax, LOOKS[protocol], curves, points)
        ax.axhline(share, **{**COIN, "color": LOOKS[protocol].colour})
        lowest = min(lowest, share - 0.05, *precisions)
    ax.set(xlim=(-0.01, 1.01), ylim=(max(0, lowest), 1.01))
    ax.set(xlabel="sensitivity (recall)", ylabel="precision (positive predictive value)")
    protocol_legend(figure, results, tested, "average_precision")
    alt = "Precision-recall curves; dotted lines are the share of pneumonia."
    return Drawing("precision-recall", figure, f"{alt} {means(results, tested, 'average_precision')}")


def confusion(results: Results, protocol: str) -> Drawing:
    """The confusion matrix on one protocol, mean over the seeds."""
    look, runs = LOOKS[protocol], results.tested(protocol)
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
        ax.text(x, row + 0.7, f"{share:.1%}", fontsize=8, color=MUTED, ha="center", va="center")
    ax.set(xlim=(0, 2), ylim=(2, 0), xlabel="the classifier says", ylabel="the truth is")
    ax.set_xticks([0.485, 1.485], ["normal", "pneumonia"])
    ax.set_yticks([0.485, 1.485], ["normal", "pneumonia"], rotation=90, va="center")
    ax.tick_params(length=0, labelcolor=INK)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_title(look.title)
    (tn, fp), (fn, tp) = counts
    alt = (
        f"{look.title}{', mean over the seeds' if digits else ''}: of {tp + fn:,.{digits}f} with pneumonia "
        f"{tp:,.{digits}f} found and {fn:,.{digits}f} missed; of {tn + fp:,.{digits}f} normal "
        f"{tn:,.{digits}f} called normal and {fp:,.{digits}f} false alarms."
    )
    return Drawing(f"confusion-{protocol}", figure, alt)


def calibration(results: Results, tested: list[str]) -> Drawing:
    """Predicted probability against the share with pneumonia, seeds taken together, with counts."""
    figure = canvas(4.6)
    ax, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    ax.plot([0, 1], [0, 1], **COIN)
    for protocol in tested:
        look = LOOKS[protocol]
        line: dict[str, Any] = {"color": look.colour, "linestyle": look.line}
        predicted, observed, count = _calibration_points(results.tested(protocol))
        full = count > 0
        ax.plot(
            predicted[full], observed[full], marker=look.mark, markersize=4.5, markeredgecolor=PAPER, **line
        )
        below.stairs(count, np.linspace(0, 1, len(count) + 1), linewidth=1.3, **line)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share that has pneumonia")
    below.set_yscale("symlog", linthresh=1)
    below.set_ylim(bottom=0)
    below.set(xlabel="predicted probability of pneumonia", ylabel="radiographs")
    protocol_legend(figure, results, tested, "brier")
    alt = "Predicted probability against the share that has pneumonia, with counts below."
    return Drawing("calibration", figure, f"{alt} {means(results, tested, 'brier')}")


def protocols(results: Results, tested: list[str]) -> Drawing:
    """The metrics that are better when higher, on every protocol, with their intervals."""
    shown = [name for name in METRICS if name not in ("loss", "brier")]
    figure = canvas(3.4)
    ax = figure.subplots()
    lowest = 1.0
    for protocol, y in _beside(tested):
        runs = results.tested(protocol)
        for row, name in enumerate(shown):
            low, high = (float(np.mean(values(runs, name, part))) for part in ("low", "high"))
            _mean_and_range(ax, LOOKS[protocol], row + y, values(runs, name), low, high)
            lowest = min(lowest, low, *values(runs, name))
    named_rows(ax, [METRICS[name] for name in shown])
    ax.set_xlim(max(0, np.floor(lowest * 20) / 20), 1.005)
    protocol_legend(figure, results, tested)
    alt = f"Metrics with 95 % intervals on every protocol. {means(results, tested, 'accuracy')}"
    return Drawing("protocols", figure, f"{alt} {means(results, tested, 'auc')}")


def by_cause(results: Results, tested: list[str]) -> Drawing:
    """Share called right by cause, with the range over the seeds."""
    causes = {cause: None for name in tested for run in results.tested(name) for cause in run.by_cause}
    names = sorted(causes, key=lambda cause: (cause != "normal", cause))
    figure = canvas(0.9 + 0.5 * len(names))
    ax = figure.subplots()
    said = []
    for protocol, y in _beside(tested):
        for row, cause in enumerate(names):
            found = [
                run.by_cause[cause]["sensitivity"]
                for run in results.tested(protocol)
                if cause in run.by_cause
            ]
            if found:
                _mean_and_range(ax, LOOKS[protocol], row + y, found, min(found), max(found))
                said.append(f"{LOOKS[protocol].title}, {cause}: {np.mean(found):.3f}")
    named_rows(ax, names)
    ax.set_xlim(right=1.01)
    ax.set_xlabel("share called right")
    protocol_legend(figure, results, tested)
    return Drawing("causes", figure, f"Share called right by cause. {'; '.join(said)}.")


OF_ALL_PROTOCOLS = (roc, precision_recall, calibration, protocols, by_cause)


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


def _beside(tested: list[str]) -> list[tuple[str, float]]:
    """Each protocol with where it goes within a named row."""
    return [(protocol, 0.24 * (number - (len(tested) - 1) / 2)) for number, protocol in enumerate(tested)]


def _mean_and_range(ax: Axes, look: Look, y: float, seeds: Sequence[float], low: float, high: float) -> None:
    ax.plot([low, high], [y, y], color=look.colour)
    ax.plot(seeds, [y] * len(seeds), "|", color=look.colour, markersize=5, markeredgewidth=0.8)
    ax.plot(np.mean(seeds), y, look.mark, color=look.colour, markersize=5, markeredgecolor=PAPER)


def confusion_counts(run: Run) -> np.ndarray:
    """Images of the test part, int (2, 2): rows by truth, columns by answer, normal first."""
    assert run.test is not None
    found = run.test["confusion"]
    return np.array([[found["tn"], found["fp"]], [found["fn"], found["tp"]]])


def _roc_points(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """False positive rate and sensitivity, both rising."""
    assert run.test is not None
    return np.array(run.test["roc"]["false_positive_rate"]), np.array(run.test["roc"]["sensitivity"])


def _precision_recall_points(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Recall, rising, with its precision."""
    assert run.test is not None
    curve = run.test["precision_recall"]
    order = np.argsort(curve["recall"], kind="stable")
    return np.array(curve["recall"])[order], np.array(curve["precision"])[order]


def _calibration_points(runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, share positive (NaN where empty) and images by bin, each (bins,), over all seeds."""
    bins = [run.test["calibration"] for run in runs if run.test is not None]
    count = np.array([[one["count"] for one in each] for each in bins])
    total = count.sum(axis=0)

    def mean(key: str) -> np.ndarray:
        weighted = (np.array([[one[key] or 0.0 for one in each] for each in bins]) * count).sum(axis=0)
        return np.divide(weighted, total, out=np.full(total.shape, np.nan), where=total > 0)

    return mean("predicted"), mean("observed"), total
