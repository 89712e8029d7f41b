"""Runs side by side as one self-contained HTML page."""

from __future__ import annotations

import json
from pathlib import Path

import neumo
from neumo.data.split import PROTOCOLS
from neumo.evaluation.metrics import METRICS
from neumo.files import whole_file
from neumo.report.draw_compare import draw_comparison
from neumo.report.drawing import LOOKS, Drawing
from neumo.report.template import render
from neumo.results.comparison import Comparison


def write_comparison(
    comparison: Comparison, folder: str | Path, drawings: dict[str, Drawing] | None = None
) -> Path:
    """Write ``comparison.html``, ``comparison.json`` and ``figures/`` (PNG and SVG).

    Args:
        comparison: what `neumo.compare` found.
        folder: where to, made if need be.
        drawings: as from `draw_comparison`, where they are there already.

    Returns:
        The page; it loads nothing.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    figures = draw_comparison(comparison) if drawings is None else drawings
    for drawing in figures.values():
        drawing.save(folder / "figures")
    with whole_file(folder / "comparison.json") as part:
        part.write_text(json.dumps(comparison.to_dict(), indent=1, allow_nan=False), encoding="utf-8")
    page = render(
        "compare.html",
        comparison=comparison,
        figures=figures,
        looks=LOOKS,
        metrics=METRICS,
        protocols=PROTOCOLS,
        synthetic=comparison.synthetic,
        version=neumo.__version__,
    )
    with whole_file(folder / "comparison.html") as part:
        part.write_text(page, encoding="utf-8")
    return folder / "comparison.html"
