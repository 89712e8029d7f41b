"""Figures of how the steps of the ladder were trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neumo.report.drawing import BLUE, GRID, INK, MUTED, ORANGE, PAPER, VERMILLION, Drawing, canvas, legend
from neumo.report.drawing import values as test_values
from neumo.results import published
from neumo.results.results import Results, Run

REPORT: dict[str, Any] = {"color": VERMILLION, "linestyle": (0, (4, 2)), "linewidth": 1.1}


def ladder(results: Results, steps: list[str]) -> Drawing:
    """Validation loss and accuracy of every step, and those of the test, beside the report's."""
    ours = [[run.validation for run in results.ladder(step)] for step in steps]
    theirs = [published.STEPS[step] for step in steps]
    names = [f"{number} {step}" for number, step in enumerate(steps, 1)]
    if tested := results.tested("random"):
        pairs = zip(test_values(tested, "loss"), test_values(tested, "accuracy"), strict=True)
        ours.append([{"loss": loss, "accuracy": accuracy} for loss, accuracy in pairs])
        theirs.append(published.TEST)
        names.append("test")
    figure = canvas(2.6)
    axes = figure.subplots(1, 2, sharey=True)
    for ax, what in zip(axes, ("loss", "accuracy"), strict=True):
        for row, (found, report) in enumerate(zip(ours, theirs, strict=True)):
            seeds = [one[what] for one in found]
            band: dict[str, Any] = {"alpha": 0.45, "linewidth": 5, "solid_capstyle": "round"}
            ax.plot([min(seeds), max(seeds)], [row, row], color=BLUE, **band)
            ax.plot(np.mean(seeds), row, "o", color=BLUE, markersize=6)
            if report is not None:
                ax.plot(getattr(report, what), row, "D", color=VERMILLION, markersize=5.5, fillstyle="none")
        if tested:
            ax.axhline(len(names) - 1.5, color=GRID)
        ax.set_title(what)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].tick_params(axis="y", labelcolor=INK)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    label = "ours" if len(ours[0]) == 1 else "ours, mean and range over seeds"
    diamond: dict[str, Any] = {"color": VERMILLION, "marker": "D", "fillstyle": "none", "linestyle": ""}
    legend(
        figure,
        Line2D([], [], color=BLUE, marker="o", label=label),
        Line2D([], [], label="report", **diamond),
    )
    said = (
        f"{name} {np.mean([one['accuracy'] for one in found]):.3f}"
        + (f" (report {report.accuracy:.3f})" if report else "")
        for name, found, report in zip(names, ours, theirs, strict=True)
    )
    return Drawing("ladder", figure, f"Loss and accuracy step by step. Accuracy: {', '.join(said)}.")


def training(results: Results, step: str) -> Drawing:
    """The training curves of one step."""
    figure = canvas(2.1)
    _curves(figure.subplots(1, 2), results, step)
    legend(figure, *_curves_legend(reported=published.STEPS[step] is not None))
    runs = results.ladder(step)
    ends = ", ".join(f"{run.validation['accuracy']:.3f}" for run in runs)
    alt = (
        f"Loss and accuracy of step {step!r} by epoch, on training and validation data, {len(runs)} "
        f"{'seed' if len(runs) == 1 else 'seeds'}. Validation accuracy of the kept weights: {ends}."
    )
    return Drawing(training_name(step), figure, alt)


def all_training(results: Results, steps: list[str]) -> Drawing:
    """The training curves of all steps in one figure, for a paper."""
    figure = Figure(figsize=(2.1 * len(steps), 3.9), layout="constrained")
    axes = figure.subplots(2, len(steps), squeeze=False)
    for column, step in enumerate(steps):
        _curves(axes[:, column], results, step)
        axes[0, column].set_title(f"{column + 1} {step}\nloss")
    legend(figure, *_curves_legend(reported=True))
    return Drawing("training-curves", figure, "Loss and accuracy over the epochs, one column for each step.")


def tuning(results: Results) -> Drawing:
    """The training curves of every trial of a recipe."""
    figure = canvas(2.1)
    for ax, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        _histories(ax, results.runs, what)
    legend(figure, *_curves_legend(reported=False)[:2])
    ends = ", ".join(f"{run.protocol} {run.validation['accuracy']:.3f}" for run in results.runs)
    alt = f"Loss and accuracy by epoch, in training and validation. Validation accuracy at the end: {ends}."
    return Drawing("tuning", figure, alt)


def training_name(step: str) -> str:
    """Name of the figure with the training curves of one step."""
    return f"training-{list(published.STEPS).index(step) + 1}-{step.replace(' ', '-')}"


def _curves(axes: Iterable[Axes], results: Results, step: str) -> None:
    """Loss in the first, accuracy in the second, on scales that are the same for every step."""
    runs = results.ladder(step)
    every = [run for name in published.STEPS for run in results.ladder(name)]
    for ax, what in zip(axes, ("loss", "accuracy"), strict=True):
        _histories(ax, runs, what)
        for run in runs:
            kept = run.history[f"val_{what}"][run.best_epoch - 1]
            ax.plot(run.best_epoch, kept, "o", color=BLUE, markersize=4, markeredgecolor=PAPER)
        if (report := published.STEPS[step]) is not None:
            ax.axhline(getattr(report, what), **REPORT)
        values = np.concatenate([run.history[key] for run in every for key in (what, f"val_{what}")])
        reports = [getattr(row, what) for row in published.STEPS.values() if row is not None]
        # the worst 3 in 100 are first epochs, which would press everything else flat
        low = np.percentile(values, 3 if what == "accuracy" else 0)
        high = np.percentile(values, 97 if what == "loss" else 100)
        low, high = min(low, *reports), max(high, *reports)
        ax.set_ylim(max(0.0, low - 0.05 * (high - low)), high + 0.05 * (high - low))
        ax.set_xlim(0.5, max(len(run.history["loss"]) for run in every) + 0.5)


def _histories(ax: Axes, runs: Sequence[Run], what: str) -> None:
    """Loss or accuracy by epoch: a thin line for each run, a thick one for their mean."""
    for key, colour in ((what, MUTED), (f"val_{what}", BLUE)):
        curves = [run.history[key] for run in runs]
        for curve in curves:
            ax.plot(range(1, len(curve) + 1), curve, color=colour, alpha=0.35, linewidth=0.8)
        shared = min(map(len, curves))  # a mean that jumps where a seed stops early would mislead
        ax.plot(range(1, shared + 1), np.mean([curve[:shared] for curve in curves], axis=0), color=colour)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_title(what)
    ax.set_xlabel("epoch")


def _curves_legend(*, reported: bool) -> list[Line2D]:
    return [
        Line2D([], [], color=MUTED, label="training"),
        Line2D([], [], color=BLUE, label="validation"),
        Line2D([], [], color=BLUE, marker="o", linestyle="", markersize=4, label="kept"),
        *([Line2D([], [], label="report", **REPORT)] if reported else []),
    ]


def drawn_both_ways(results: Results) -> dict[str, list[Run]]:
    """The final step on the random protocol by how validation was drawn; empty unless both ways were run."""
    final = [step for step in published.STEPS if results.ladder(step)][-1:]
    ways: dict[str, list[Run]] = {"before-balancing": [], "after-balancing": []}
    for run in results.runs:
        if run.protocol == "random" and run.step in final:
            ways[run.validation_drawn].append(run)
    return ways if all(ways.values()) else {}


def validation_drawing(results: Results) -> Drawing:
    """What drawing the validation part after balancing does to the validation figures."""
    ways = drawn_both_ways(results)
    figure = canvas(2.4)
    for ax, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for place, (way, colour, mark) in enumerate(zip(ways, (BLUE, ORANGE), "os", strict=True)):
            style: dict[str, Any] = {"marker": mark, "color": colour, "markersize": 6, "linestyle": ""}
            for run in ways[way]:
                pair = [run.validation[what], *(test_values([run], what) if run.test is not None else [])]
                x = [place - 0.18, place + 0.18][: len(pair)]
                ax.plot(x, pair, color=colour, alpha=0.5, linewidth=1)
                ax.plot(x[0], pair[0], markeredgecolor=PAPER, **style)
                ax.plot(x[1:], pair[1:], markerfacecolor=PAPER, **style)
        ax.set_xticks([0, 1], ["drawn before\nbalancing", "drawn after\nbalancing"], color=INK)
        ax.set_xlim(-0.5, 1.5)
        ax.grid(axis="x", visible=False)
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.set_title(what)
    dot: dict[str, Any] = {"color": MUTED, "marker": "o", "linestyle": ""}
    legend(
        figure,
        Line2D([], [], label="on validation data", **dot),
        Line2D([], [], label="on test data", markerfacecolor=PAPER, **dot),
    )
    said = (
        f"{np.mean([run.validation['accuracy'] for run in runs]):.3f} drawn {way.replace('-', ' ')}"
        for way, runs in ways.items()
    )
    return Drawing("validation-drawing", figure, f"Validation accuracy: {', '.join(said)}.")
