"""``neumo report``: the page of a finished study, drawn again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a study or a recipe.", show_default=False)
    ],
) -> None:
    """Draw report.html and the figures of a finished study or recipe again, from its results.json.

    No number changes. The radiographs are needed for their thumbnails alone; the page does without those
    that are gone.
    """
    from neumo.classifier.classifier import load
    from neumo.errors import NeumoError
    from neumo.report.figures import draw, save_figures
    from neumo.report.page import write_page
    from neumo.report.recipe_page import write_recipe
    from neumo.results.results import Results

    file = folder / "results.json"
    if not file.is_file():
        raise NeumoError(f"{file}: got no such file, expected the results of a neumo study or neumo train")
    results = Results.load(file)
    if "recipe" in results.settings:
        print(write_recipe(results, load(folder / "classifier.neumo").card, folder))
        return
    drawings = draw(results)
    save_figures(results, folder / "figures", drawings)
    print(write_page(results, folder, drawings))
