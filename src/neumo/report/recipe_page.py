"""A trained recipe as one self-contained HTML page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from neumo.evaluation.metrics import METRICS
from neumo.files import whole_file
from neumo.report.card import card_html
from neumo.report.drawing import LOOKS
from neumo.report.figures import draw, save_figures
from neumo.report.template import render
from neumo.results.results import Results
from neumo.results.spread import copied, spread


def write_recipe(results: Results, card: dict[str, Any], folder: str | Path) -> Path:
    """Write ``report.html`` and ``figures/`` (PNG and SVG).

    Args:
        results: of `neumo.study.recipe.RecipeRun`.
        card: of the classifier that the run leaves.
        folder: where to, made if need be.

    Returns:
        The page; it loads nothing.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    figures = draw(results)
    save_figures(results, folder / "figures", figures)
    page = render(
        "recipe.html",
        results=results,
        figures=figures,
        looks=LOOKS,
        metrics=METRICS,
        tested=[name for name in LOOKS if results.tested(name)],
        spread=spread,
        copied=copied(results),
        card=card,
        article=re.sub(r"(?<=<h)\d|(?<=</h)\d", lambda level: str(int(level[0]) + 2), card_html(card)),
    )
    with whole_file(folder / "report.html") as part:
        part.write_text(page, encoding="utf-8")
    return folder / "report.html"
