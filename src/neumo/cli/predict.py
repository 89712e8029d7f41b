"""``neumo predict``: radiographs through a saved classifier."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumo.cli.options import AsJsonLines, ClassifierFile, PathColumn, Radiographs
from neumo.cli.telling import harmless, tell

if TYPE_CHECKING:
    from collections.abc import Collection

    from neumo.classifier.classifier import Classifier
    from neumo.classifier.predictions import Tally
    from neumo.data.image_files import Named

SHOWN = 50
"""Rows of the table on a terminal."""


def predict(
    classifier: ClassifierFile,
    radiographs: Radiographs,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write all to this .csv, .jsonl or .parquet file. When a run was stopped, the same command "
            "goes on from there."
        ),
    ] = None,
    path_column: PathColumn = None,
    as_json: AsJsonLines = False,
) -> None:
    """Say how probable pneumonia is on each radiograph.

    What cannot be read (a file, a subfolder, a row of a table without a path, one of several places) does not
    stop the others: it is named at the end, and the exit code is 1, or 2 where no file can be read. This is a
    research tool, not a medical device: nothing here is a diagnosis.
    """
    from neumo.classifier.classifier import load
    from neumo.classifier.journal import journal
    from neumo.classifier.predictions import Tally, predict_each
    from neumo.data.image_files import find_each
    from neumo.errors import NeumoError
    from neumo.files import same_file

    if out is not None and as_json:
        raise NeumoError("--json: got --out as well, expected one; FILE.jsonl is written as JSON lines")
    if out is not None and out.exists() and any(same_file(out, p) for p in radiographs):
        raise NeumoError(f"{out}: got what is to be predicted, expected another file to write to")
    model = load(classifier)
    lateral: set[str] = set()
    files = find_each(radiographs, path_column, lateral=lateral)
    tally = Tally()
    if out is not None:
        kept = journal(out, classifier, files)
        try:
            predict_each(model, files, kept.add, todo=kept.todo, lateral=lateral)
            kept.finish(tally.add)
        finally:
            kept.close()
        print(f"{out}: {_summary(tally, model)}\n{model.card['notice']}")
    else:
        _print(model, files, tally, as_json, lateral)
    sys.stdout.flush()  # where both go into one file, the table comes first
    for line in tally.errors:
        tell(line)
    if tally.errors:
        raise typer.Exit(1 if tally.readable else 2)


def _print(
    model: Classifier, files: list[Named], tally: Tally, as_json: bool, lateral: Collection[str]
) -> None:
    """All rows on standard output: as JSON lines, or as a table, of which a terminal shows the first rows."""
    from neumo.classifier.predictions import predict_each

    terminal = sys.stdout.isatty()
    waiting: list[dict[str, Any]] = []

    def add(row: dict[str, Any]) -> None:
        tally.add(row)
        if as_json:
            print(json.dumps(row))
        elif row["error"] is None and not (terminal and tally.readable > SHOWN):
            waiting.append(row)
            if len(waiting) == SHOWN and not terminal:
                _show(waiting, first=tally.readable == SHOWN)
                waiting.clear()

    try:
        predict_each(model, files, add, lateral=lateral)
    except KeyboardInterrupt:
        print("neumo: stopped; with --out FILE the same command would go on from there", file=sys.stderr)
        raise typer.Exit(130) from None
    if as_json or not tally.readable:
        return
    if waiting:
        _show(waiting, first=terminal or tally.readable == len(waiting))
    if terminal and tally.readable > SHOWN:
        print(f"... and {tally.readable - SHOWN:,} more: --out FILE.csv writes all, --json prints all")
    print(_summary(tally, model))
    _explain_warnings(tally)
    print(model.card["notice"])


def _show(rows: list[dict[str, Any]], first: bool) -> None:
    """Print a piece of the table; lines that go into a file are as long as they need to be."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from neumo.classifier.findings import chance

    table = Table(box=box.SIMPLE_HEAD, show_header=first, show_edge=False)
    table.add_column("probability", justify="right", min_width=11)
    table.add_column("decision", min_width=max(len("decision"), *(len(row["decision"]) for row in rows)))
    table.add_column("radiograph", overflow="fold")
    table.add_column("warnings")
    for row in rows:
        warnings = ", ".join(row["warnings"])
        path = escape(harmless(row["path"]))
        table.add_row(chance(row["probability"], 4), escape(row["decision"]), path, warnings)
    Console(width=None if sys.stdout.isatty() else 100_000).print(table)


def _summary(tally: Tally, model: Classifier) -> str:
    """What a run came to, in one line."""
    from neumo.classifier.findings import operating_point

    decisions = ", ".join(f"{n:,} {name}" for name, n in sorted(tally.decisions.items(), reverse=True))
    failed = f"; {len(tally.errors):,} could not be read" if tally.errors else ""
    warned = "".join(f"; {n:,} {name}" for name, n in sorted(tally.warnings.items()))
    many = f"{tally.readable:,} radiograph{'s' * (tally.readable != 1)}"
    point = f" ({model.card['positive']} from {operating_point(model.threshold)} on)" * bool(decisions)
    return f"{many}{': ' * bool(decisions)}{decisions}{point}{warned}{failed}"


def _explain_warnings(tally: Tally) -> None:
    from neumo.images.checks import MEANING

    for name in sorted(tally.warnings):
        print(f"{name}: {MEANING[name]}")
