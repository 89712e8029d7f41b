"""Figures of the data that went into a study."""

from __future__ import annotations

from matplotlib.patches import Patch

from neumo.report.drawing import (
    GREEN,
    INK,
    LOOKS,
    MUTED,
    ORANGE,
    Drawing,
    canvas,
    folded,
    image_axis,
    legend,
    named_rows,
)
from neumo.results.results import Results

KINDS = {"pneumonia": (MUTED, 0.95), "normal": (MUTED, 0.45), "generated": (ORANGE, 0.85)}
"""Kind of image -> colour and opacity; none of the protocols' colours."""

PARTS = {
    "train": (MUTED, "official training set"),
    "test": (LOOKS["official"].colour, "official test set"),
    None: (GREEN, "no official part"),
}


def composition(results: Results) -> Drawing:
    """Images by class and cause, stacked by official part."""
    bars: dict[str, dict[str | None, int]] = {}
    for one in results.audit["composition"]:
        name = one["class"] if one["cause"] in ("", one["class"]) else f"{one['class']},\n{one['cause']}"
        bars.setdefault(name, {})[one["official"]] = one["images"]
    figure = canvas(0.8 + 0.5 * len(bars))
    ax = figure.subplots()
    for row, counts in enumerate(bars.values()):
        left = 0
        for part, (colour, _) in PARTS.items():
            ax.barh(row, counts.get(part, 0), 0.62, left, color=colour, alpha=0.85)
            left += counts.get(part, 0)
        ax.text(left, row, f" {left:,}", va="center", fontsize=8, color=MUTED)
    named_rows(ax, list(bars))
    image_axis(ax)
    there = [part for part in PARTS if any(part in counts for counts in bars.values())]
    legend(figure, *(Patch(color=PARTS[part][0], alpha=0.85, label=PARTS[part][1]) for part in there))
    said = "; ".join(f"{' '.join(name.split())} {sum(counts.values()):,}" for name, counts in bars.items())
    return Drawing("composition", figure, f"Images by class and cause: {said}.")


def counts(results: Results) -> Drawing:
    """Images by protocol, part and kind, of the first seed."""
    drawn = results.settings["validation_drawn"]
    first = {run.protocol: run for run in reversed(results.runs) if run.validation_drawn == drawn}
    shown = [first[protocol] for protocol in LOOKS if protocol in first]
    figure = canvas(0.7 + 0.95 * len(shown))
    ax = figure.subplots()
    labels: dict[float, str] = {}
    y = 0.0
    for run in shown:
        ax.text(0, y, LOOKS[run.protocol].title, va="center", fontsize=8, fontweight="bold")
        for part, kinds in run.counts.items():
            y += 1
            labels[y] = part
            left = 0
            for kind, (colour, alpha) in KINDS.items():
                ax.barh(y, kinds.get(kind, 0), 0.7, left, color=colour, alpha=alpha)
                left += kinds.get(kind, 0)
            ax.text(left, y, f" {left:,}", va="center", fontsize=8, color=MUTED)
        y += 1.3
    ax.set_yticks(list(labels), list(labels.values()))
    ax.tick_params(axis="y", labelcolor=INK, length=0)
    ax.set_ylim(y - 0.7, -0.6)
    ax.grid(axis="y", visible=False)
    image_axis(ax)
    called = dict(zip(("pneumonia", "normal"), results.classes, strict=True))
    key = ((folded(called.get(kind, kind), 44), *look) for kind, look in KINDS.items())
    legend(figure, *(Patch(color=colour, alpha=alpha, label=label) for label, colour, alpha in key))
    said = [
        f"{LOOKS[run.protocol].title}: "
        + ", ".join(f"{part} {sum(kinds.values()):,}" for part, kinds in run.counts.items())
        for run in shown
    ]
    return Drawing("counts", figure, f"Images by part. {'; '.join(said)}.")
