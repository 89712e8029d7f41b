"""All figures of a study or a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

from neumo.report import draw_data, draw_result, draw_training
from neumo.report.drawing import MUTED, STYLE, Drawing, protocol_sides
from neumo.results import published
from neumo.results.results import Results


def draw(results: Results) -> dict[str, Drawing]:
    """Every figure that the results have numbers for, by name."""
    tested = protocol_sides(results)
    steps = [step for step in published.STEPS if results.ladder(step)]
    with matplotlib.rc_context(STYLE):
        drawings = [draw_data.composition(results), draw_data.counts(results)]
        if steps:
            drawings += [draw_training.ladder(results, steps), draw_training.all_training(results, steps)]
            drawings += [draw_training.training(results, step) for step in steps]
        if "recipe" in results.settings:
            drawings.append(draw_training.tuning(results))
        if draw_training.drawn_both_ways(results):
            drawings.append(draw_training.validation_drawing(results))
        if tested:
            drawings += [make(tested) for make in draw_result.OF_ALL]
            drawings += [draw_result.confusion(side) for side in tested]
        return finished(drawings, synthetic=results.dataset["synthetic"])


def finished(drawings: Sequence[Drawing], *, synthetic: bool) -> dict[str, Drawing]:
    """Drawings by name, laid out; each says so where the radiographs are synthetic."""
    for figure in (drawing.figure for drawing in drawings):
        if synthetic:  # a saved figure gets passed on without the page that says so
            figure.suptitle("SYNTHETIC radiographs", x=0.99, ha="right", fontsize=7, color=MUTED)
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)  # once for all formats: it takes longer than drawing
            figure.set_layout_engine(None)  # a placeholder ("none") would have each format drawn twice
    return {drawing.name: drawing for drawing in drawings}


def save_figures(
    results: Results, folder: str | Path, drawings: dict[str, Drawing] | None = None
) -> list[Path]:
    """Write every figure as ``folder/NAME.png`` and ``folder/NAME.svg``.

    Args:
        results: what the study found.
        folder: for the figures, made if need be.
        drawings: as from `draw`, where they are there already.

    Returns:
        The files written; the same results give the same bytes.

    Raises:
        OSError: the folder cannot be written.
    """
    drawings = draw(results) if drawings is None else drawings
    return [file for drawing in drawings.values() for file in drawing.save(Path(folder))]
