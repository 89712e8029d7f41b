"""``neumo evaluate``: a saved classifier on a labelled source."""

from __future__ import annotations

import json
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from neumo.cli.telling import tell

if TYPE_CHECKING:
    from rich.table import Table

    from neumo.evaluation.external import External, Judged


def evaluate(
    classifier: ClassifierFile,
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="The CoronaHack folder, class folders, a CSV or Parquet file."),
    ],
    out: Annotated[
        Path | None,
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
    from neumo.classifier.classifier import load
    from neumo.classifier.journal import journal
    from neumo.data.sources import read
    from neumo.evaluation.external import evaluate_source
    from neumo.files import claim

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
        tell(f"{path}: {why}; left out")
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

    from neumo.classifier.findings import operating_point, percent

    console = Console(highlight=False)
    title = f"{found.card['name']}, evaluated on {found.dataset.name}"
    console.print(f"[bold]{escape(title)}[/bold]" + " (SYNTHETIC)" * found.synthetic)
    for one in found.caution:
        console.print(escape(one), style="yellow")
    console.print(_metrics(found))
    if found.card.get("test"):
        console.print("The same of its own test parts, from its card:")
        console.print(_own(found.card["test"]))
    console.print("Share found, by cause:")
    console.print(_by_cause(found))
    which = "not made from" if found.unseen else "all images"
    point = f"{found.card['positive']} from {operating_point(found.card['threshold']['threshold'])} on"
    console.print(f"Decisions, {which}; {escape(point)}:")
    console.print(_confusion(found))
    if found.warnings:
        told = ", ".join(f"{name} {n:,}" for name, n in found.warnings.items())
        console.print(f"Warnings, all images: {escape(told)}")
    console.print(f"How far from the classifier's own, {which}, median (5 to 95 %):")
    console.print(_properties(found))
    console.print(_legend(), style="dim")
    there = found.shift.prevalence["there"]
    here_named, its_named = found.dataset.positive_name, found.card["positive"]
    what = "" if its_named == here_named else f" of {its_named}"
    own = "" if there is None else f", {percent(there)}{what} in training"
    here = percent(found.shift.prevalence["here"] or 0.0)
    console.print(escape(f"Share of {here_named}: {here} here{own}"))
    console.print(escape(found.verdict))
    console.print(found.notice)
    if page is not None:
        print(f"\nPage: {page.resolve()}")


def _judged(found: External) -> dict[str, Judged]:
    """All images, and those that the classifier was not made from where these are told apart."""
    return {"all images": found.all} | ({"not made from": found.unseen} if found.unseen else {})


def _metrics(found: External) -> Table:
    from rich.table import Table

    from neumo.evaluation.metrics import METRICS

    evaluations = {name: one.evaluation for name, one in _judged(found).items()}
    table = Table("metric", *(f"{name} ({one.n:,})" for name, one in evaluations.items()))
    for name, title in METRICS.items():
        cells = [one.metrics[name] for one in evaluations.values()]
        table.add_row(title, *(f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" for one in cells))
    return table


def _own(test: dict[str, dict[str, float]]) -> Table:
    from rich.table import Table

    from neumo.evaluation.metrics import METRICS

    table = Table("metric")
    for protocol in test:
        table.add_column(protocol, justify="right")
    for name, title in METRICS.items():
        found = [means.get(name) for means in test.values()]
        table.add_row(title, *("" if mean is None else f"{mean:.3f}" for mean in found))
    return table


def _by_cause(found: External) -> Table:
    from rich.markup import escape
    from rich.table import Table

    judged = _judged(found)
    table = Table("cause")
    for name in judged:
        table.add_column(name)
        table.add_column("of", justify="right")
    for cause in found.all.by_cause:
        cells = []
        for one in judged.values():
            found_there = one.by_cause.get(cause)
            cells += ["", "0"] if found_there is None else [_share(found_there), f"{found_there['n']:,}"]
        table.add_row(escape(cause), *cells)
    return table


def _share(one: dict[str, float]) -> str:
    return f"{one['sensitivity']:.3f} ({one['low']:.3f} to {one['high']:.3f})"


def _confusion(found: External) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("truth")
    for name in (found.card["negative"], found.card["positive"]):
        table.add_column(escape(f"called {name}"), justify="right")
    confusion = (found.unseen or found.all).evaluation.confusion
    for name, row in zip((found.dataset.negative_name, found.dataset.positive_name), confusion, strict=True):
        table.add_row(escape(name), *(f"{n:,}" for n in row))
    return table


def _properties(found: External) -> Table:
    from rich.table import Table

    table = Table("property")
    for heading in ("here", "its own", "gap", "differs"):
        table.add_column(heading, justify="right")
    for one in found.shift.properties:
        here, there = (
            "" if q is None else f"{_short(q[50])} ({_short(q[5])}–{_short(q[95])})"
            for q in (one.here, one.there)
        )
        gap, differs = ("", "") if one.there is None else (f"{one.gap:.2f}", "yes" if one.differs else "no")
        table.add_row(one.name, here, there, gap, differs)
    return table


def _short(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _legend() -> str:
    """What a name in the table of properties does not say by itself."""
    from neumo.evaluation.shift import PROPERTIES

    clear = ("probability", "width", "height")
    told = "; ".join(f"{name}: {meaning}" for name, meaning in PROPERTIES.items() if name not in clear)
    return f"{told}; gap: largest distance of the two cumulative distributions, from 0, alike, to 1."
