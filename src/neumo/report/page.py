"""A study's results as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neumo.data.split import PROTOCOLS
from neumo.files import whole_file
from neumo.images.generate import Transforms
from neumo.report.draw_training import drawn_both_ways, training_name
from neumo.report.drawing import LOOKS, METRICS, Drawing
from neumo.report.figures import draw
from neumo.report.template import render
from neumo.report.thumbnails import contact_row, most_wrong
from neumo.results import published
from neumo.results.results import Results
from neumo.results.settings import Settings
from neumo.results.spread import Spread, differences, meaning, spread
from neumo.training.steps import STEPS

NAMED = {"backbone", "weights", "seeds", "transforms"}
"""Choices that the page tells elsewhere, or one by one."""


def write_page(results: Results, folder: str | Path, drawings: dict[str, Drawing] | None = None) -> Path:
    """Write ``report.html``: one file that loads nothing else.

    Radiographs that are no longer where the results say are shown as a grey tile with their name.

    Args:
        results: what the study found.
        folder: where to write it, made if need be.
        drawings: as from `draw`, where they are there already.

    Returns:
        The file.

    Raises:
        OSError: the folder cannot be written.
    """
    transforms = Transforms(**results.settings["transforms"])
    page = render(
        "page.html",
        figures=draw(results) if drawings is None else drawings,
        results=results,
        published=published,
        same_network=(results.backbone["name"], results.backbone["weights"])
        == (published.BACKBONE, published.WEIGHTS),
        metrics=METRICS,
        looks=LOOKS,
        protocols=PROTOCOLS,
        tested=[name for name in LOOKS if results.tested(name)],
        training_name=training_name,
        ladder=ladder_rows(results),
        repeated=repeated_losses(),
        spread=spread,
        differences=differences,
        meaning=meaning(results),
        both_ways=validation_both_ways(results),
        departures=departures(results),
        transforms=transforms.describe(),
        sheet=[contact_row(shown, transforms) for shown in results.contact_sheet],
        mistakes={name: most_wrong(results.tested(name)) for name in LOOKS},
    )
    file = Path(folder) / "report.html"
    with whole_file(file) as part:
        part.write_text(page, encoding="utf-8")
    return file


def ladder_rows(results: Results) -> list[dict[str, Any]]:
    """The ladder table: by step, the report's numbers beside ours over the seeds."""
    return [
        {
            "name": step.name,
            "title": step.title,
            "report": published.STEPS[step.name],
            "loss": Spread.of([run.validation["loss"] for run in runs]),
            "accuracy": Spread.of([run.validation["accuracy"] for run in runs]),
            "kept": sorted({run.best_epoch for run in runs}),
            "parameters": runs[0].parameters,
        }
        for step in STEPS
        if (runs := results.ladder(step.name))
    ]


def repeated_losses() -> set[str]:
    """Steps whose published loss is that of an earlier step to the last digit."""
    rows = [(name, row.loss) for name, row in published.STEPS.items() if row is not None]
    return {name for place, (name, loss) in enumerate(rows) if loss in [early for _, early in rows[:place]]}


def validation_both_ways(results: Results) -> dict[str, dict[str, Spread | None]]:
    """How validation was drawn -> the final step's validation and test figures on the random split."""
    return {
        drawn: {
            "loss": Spread.of([run.validation["loss"] for run in runs]),
            "accuracy": Spread.of([run.validation["accuracy"] for run in runs]),
            "test_loss": spread(runs, "loss"),
            "test_accuracy": spread(runs, "accuracy"),
        }
        for drawn, runs in drawn_both_ways(results).items()
    }


def departures(results: Results) -> dict[str, tuple[Any, Any]]:
    """Choice -> what this run took, what the study's defaults are, where they differ."""
    usual = Settings().to_dict()
    taken = results.settings
    changed = {name: (taken[name], usual[name]) for name in usual if name in taken and name not in NAMED}
    moved = {name: (taken["transforms"][name], value) for name, value in usual["transforms"].items()}
    return {name: pair for name, pair in {**changed, **moved}.items() if pair[0] != pair[1]}
