"""A trained recipe as one self-contained HTML page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib

from neumo.files import whole_file
from neumo.report import draw_data, draw_result, draw_training
from neumo.report.card import card_html
from neumo.report.drawing import LOOKS, STYLE, Drawing, protocol_sides
from neumo.report.figures import finished
from neumo.report.spread import spread
from neumo.report.template import render
from neumo.study.results import Results


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
    figures = draw_recipe(results)
    for drawing in figures.values():
        drawing.save(folder / "figures")
    page = render(
        "recipe.html",
        results=results,
        figures=figures,
        looks=LOOKS,
        tested=[name for name in LOOKS if results.tested(name)],
        spread=spread,
        card=card,
        article=re.sub(r"(?<=<h)\d|(?<=</h)\d", lambda level: str(int(level[0]) + 2), card_html(card)),
    )
    with whole_file(folder / "report.html") as part:
        part.write_text(page, encoding="utf-8")
    return folder / "report.html"


def draw_recipe(results: Results) -> dict[str, Drawing]:
    """Every figure of the page, by name."""
    tested = protocol_sides(results)
    with matplotlib.rc_context(STYLE):
        drawings = [draw_data.composition(results), draw_data.counts(results)]
        drawings += [draw_training.tuning(results)]
        drawings += [make(tested) for make in draw_result.OF_ALL]
        drawings += [draw_result.confusion(side) for side in tested]
        return finished(drawings, synthetic=results.dataset["synthetic"])
