"""A classifier on another source as one self-contained HTML page."""

from __future__ import annotations

import json
from pathlib import Path

import neumo
from neumo.evaluation.external import External
from neumo.evaluation.metrics import METRICS
from neumo.evaluation.shift import PROPERTIES
from neumo.files import whole_file, write_csv
from neumo.images.checks import MEANING
from neumo.report.draw_external import draw_external
from neumo.report.drawing import LOOKS, Drawing
from neumo.report.template import render
from neumo.report.thumbnails import thumbnail


def write_external(
    found: External, folder: str | Path, drawings: dict[str, Drawing] | None = None, *, command: str = ""
) -> Path:
    """Write ``evaluation.html``, ``results.json``, ``predictions.csv`` and ``figures/`` (PNG and SVG).

    Args:
        found: what `evaluate_source` found.
        folder: where to, made if need be.
        drawings: as from `draw_external`, where they are there already.
        command: what to show as the way to do it again.

    Returns:
        The page; it loads nothing.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    write_csv(found.predictions, folder / "predictions.csv")
    with whole_file(folder / "results.json") as part:
        part.write_text(json.dumps(found.to_dict(), indent=1, allow_nan=False), encoding="utf-8")
    figures = draw_external(found) if drawings is None else drawings
    for drawing in figures.values():
        drawing.save(folder / "figures")
    page = render(
        "external.html",
        found=found,
        card=found.card,
        figures=figures,
        looks=LOOKS,
        metrics=METRICS,
        properties=PROPERTIES,
        meaning=MEANING,
        mistakes=[{**one, "image": thumbnail(one["path"])} for one in found.mistakes],
        synthetic=found.dataset.synthetic,
        version=neumo.__version__,
        command=command,
    )
    with whole_file(folder / "evaluation.html") as part:
        part.write_text(page, encoding="utf-8")
    return folder / "evaluation.html"
