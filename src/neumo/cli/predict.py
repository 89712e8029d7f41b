"""``neumo predict``: radiographs through a saved classifier."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neumo.cli.options import PathColumn

if TYPE_CHECKING:
    from neumo.classifier import Prediction


def predict(
    classifier: Annotated[Path, typer.Argument(help="A classifier that neumo saved.")],
    radiographs: Annotated[
        list[Path], typer.Argument(help="Image files, folders of them, or a CSV or Parquet file with paths.")
    ],
    path_column: PathColumn = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document per radiograph and line.")
    ] = False,
) -> None:
    """Say how probable pneumonia is on each radiograph.

    A file that cannot be read does not stop the others: it is named at the end, and the exit code is 1, or 2
    where none can be read. This is a research tool, not a medical device: nothing here is a diagnosis.
    """
    from neumo.classifier import load
    from neumo.data.image_files import find_radiographs
    from neumo.progress import track

    model = load(classifier)
    files = [path for given in radiographs for path in find_radiographs(given, path_column)]
    bad: list[str] = []
    stream = model.stream(files, unreadable=lambda error: bad.append(str(error)))
    found = list(track(stream, "Predicting", total=len(files)))
    if as_json:
        for prediction in found:
            print(json.dumps(dataclasses.asdict(prediction)))
    elif found:
        _show(found)
        print(model.card["notice"])
    for message in bad:
        print(f"neumo: {message}", file=sys.stderr)
    if bad:
        raise typer.Exit(1 if found else 2)


def _show(found: list[Prediction]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    table.add_column("radiograph", overflow="fold")
    table.add_column("probability", justify="right")
    table.add_column("decision")
    for prediction in found:
        name, decision = escape(prediction.path), escape(prediction.decision)
        table.add_row(name, f"{prediction.probability:.4f}", decision)
    Console().print(table)
