"""``neumo evaluate``: a saved classifier on a labelled source."""

from __future__ import annotations

import json
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from neumo.cli.options import (
    AsJson,
    ClassifierFile,
    LabelColumn,
    PathColumn,
    PatientColumn,
    Positive,
    SkipMissing,
    SkipUnreadable,
)

if TYPE_CHECKING:
    from rich.table import Table

    from neumo.evaluation.external import External


def evaluate(
    classifier: ClassifierFile,
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="The CoronaHack folder, class folders, a CSV or Parquet file."),
    ],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write a page, results.json and predictions.csv there.", show_default=False),
    ] = None,
    skip_unreadable: SkipUnreadable = False,
    path_column: PathColumn = None,
    label_column: LabelColumn = None,
    patient_column: PatientColumn = None,
    positive: Positive = None,
    skip_missing: SkipMissing = False,
    as_json: AsJson = False,
) -> None:
    """Say how a saved classifier does on radiographs from elsewhere, and how far they are from its own.

    The operating point and the calibration are the classifier's own; nothing is fitted to the source.
    Radiographs that the classifier was made from are told apart where it knows them.
    """
    from neumo.classifier import load
    from neumo.data.sources import read
    from neumo.evaluation.external import evaluate_source
    from neumo.files import claim
    from neumo.predictions import journal

    model = load(classifier)
    dataset = read(
        data,
        path_column=path_column,
        label_column=label_column,
        patient_column=patient_column,
        positive=positive,
        skip_missing=skip_missing or None,
    )
    kept = None
    if out is not None:
        kept = partial(journal, claim(out, "evaluate") / "predictions.csv", classifier)
    found = evaluate_source(model, dataset, skip_unreadable=skip_unreadable, journal=kept)
    for path, why in found.unreadable.items():
        print(f"neumo: {path}: {why}; left out", file=sys.stderr)
    page = None
    if out is not None:
        from neumo.report.external_page import write_external

        page = write_external(found, out, command=shlex.join(["neumo", *sys.argv[1:]]))
        (out / "predictions.csv.journal").unlink(missing_ok=True)
    if as_json:
        print(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    else:
        _show(found, page)


def _show(found: External, page: Path | None) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    title = f"{found.card['name']} on {found.dataset.name}"
    console.print(f"[bold]{escape(title)}[/bold]" + " (SYNTHETIC)" * found.synthetic)
    for one in found.caution:
        console.print(escape(one), style="yellow")
    console.print(_metrics(found))
    console.print(_confusion(found))
    console.print(_properties(found))
    there = found.shift.prevalence["there"]
    own = "" if there is None else f", {there:.1%} in training"
    console.print(
        f"Share of {escape(found.card['positive'])}: {found.shift.prevalence['here']:.1%} here{own}"
    )
    if found.warnings:
        told = ", ".join(f"{name} {n:,}" for name, n in found.warnings.items())
        console.print(f"Warnings: {escape(told)}")
    console.print(escape(found.shift.verdict))
    console.print(found.notice)
    if page is not None:
        print(f"\nPage: {page.resolve()}")


def _metrics(found: External) -> Table:
    """Every metric and the share found by cause: all images, those not seen in training, the card's own."""
    from rich.markup import escape
    from rich.table import Table

    judged = {"all images": found.all} | ({"not made from": found.unseen} if found.unseen else {})
    own = found.card.get("test", {})
    table = Table("metric", *(f"{name} ({one.evaluation.n:,})" for name, one in judged.items()))
    for name in own:
        table.add_column(f"its own,\n{name}", justify="right")
    for name in found.all.evaluation.metrics:
        cells = [one.evaluation.metrics[name] for one in judged.values()]
        table.add_row(
            name.replace("_", " "),
            *(f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" for one in cells),
            *(f"{means[name]:.3f}" if name in means else "" for means in own.values()),
        )
    table.add_section()
    for cause in found.all.by_cause:
        shares: list[dict[str, Any] | None] = [one.by_cause.get(cause) for one in judged.values()]
        table.add_row(
            f"found: {escape(cause)}",
            *(
                f"{one['sensitivity']:.3f} ({one['low']:.3f} to {one['high']:.3f}) of {one['n']:,}"
                if one
                else ""
                for one in shares
            ),
        )
    return table


def _confusion(found: External) -> Table:
    from rich.markup import escape
    from rich.table import Table

    negative, positive = escape(found.card["negative"]), escape(found.card["positive"])
    which = found.unseen or found.all
    note = "not made from" if found.unseen else "all images"
    title = f"Decisions, {note}; {positive} from {which.evaluation.threshold:.4g} on"
    table = Table("truth", f"called {negative}", f"called {positive}", title=title, title_justify="left")
    for name, row in zip((negative, positive), which.evaluation.confusion, strict=True):
        table.add_row(name, *(f"{n:,}" for n in row))
    return table


def _properties(found: External) -> Table:
    from rich.table import Table

    table = Table(title="How far from the classifier's own", title_justify="left")
    for heading in ("property", "here: median (5 to 95 %)", "its own", "gap", "differs"):
        table.add_column(heading, justify="left" if heading == "property" else "right")
    for one in found.shift.properties:
        here, there = (
            "" if q is None else f"{q[50]:.3g} ({q[5]:.3g} to {q[95]:.3g})" for q in (one.here, one.there)
        )
        gap, differs = ("", "") if one.there is None else (f"{one.gap:.2f}", "yes" if one.differs else "no")
        table.add_row(one.name, here, there, gap, differs)
    return table
