"""``neumo report``: the page of a finished study, drawn again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a study.", show_default=False)],
) -> None:
    """Draw report.html and the figures of a finished study again, from its results.json.

    No number changes. The radiographs are needed for their thumbnails alone; the page does without those
    that are gone.
    """
    from neumo.errors import NeumoError
    from neumo.report.figures import draw, save_figures
    from neumo.report.page import write_page
    from neumo.study.results import Results

    file = folder / "results.json"
    if not file.is_file():
        raise NeumoError(f"{file}: got no such file, expected the results of a neumo study")
    results = Results.load(file)
    drawings = draw(results)
    save_figures(results, folder / "figures", drawings)
    print(write_page(results, folder, drawings))
