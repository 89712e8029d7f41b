"""``neumo compare``: runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neumo.cli.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table

    from neumo.results.comparison import Comparison, PairTest

SHOWN = ("accuracy", "auc", "sensitivity", "specificity")
"""Metrics of the table for people; --json and the page have all."""


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Folders that neumo study or neumo train left, two or more."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write comparison.html, comparison.json and figures there.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which run does better on the test images that they share, and whether it is more than chance.

    Images are matched by content, protocol and seed. Only what the runs left on disk is read.
    """
    from neumo.files import claim
    from neumo.results.comparison import compare as compare_runs

    found = compare_runs(*runs)
    page = None
    if out is not None:
        from neumo.report.compare_page import write_comparison

        page = write_comparison(found, claim(out, "compare"))
    if as_json:
        print(json.dumps(found.to_dict(), indent=1, allow_nan=False))
        return
    _show(found)
    if page is not None:
        print(f"\nPage: {page.resolve()}")


def _show(found: Comparison) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    if found.synthetic:
        console.print("SYNTHETIC radiographs: drawn, not taken. These figures say nothing about patients.")
    console.print(_metrics(found))
    console.print(_pairs(found))
    console.print(
        "Second minus first, mean over the seeds that both have, which may be fewer than above, with 95 % "
        "intervals; tests: one p per seed.",
        style="dim",
    )
    for first, second in found.unpaired:
        shared = "no test images of both classes on one protocol and seed"
        console.print(f"{escape(first)} and {escape(second)} share {shared}.")
    console.print("A research tool, not a medical device.")


def _metrics(found: Comparison) -> Table:
    """A row per protocol and run: mean ± standard deviation over the seeds, mean interval."""
    from rich.markup import escape
    from rich.table import Table

    from neumo.evaluation.metrics import METRICS

    table = Table(title="Test part of each protocol, mean ± sd over the seeds", title_justify="left")
    table.add_column("protocol")
    table.add_column("run", overflow="fold")
    for name in SHOWN:
        table.add_column(METRICS[name], justify="right", no_wrap=True)
    for protocol in found.protocols:
        for run in found.runs:
            if runs := run.tested(protocol):
                figures = run.spreads(protocol)
                cells = []
                for name in SHOWN:
                    one = figures[name]
                    sd = f"\n± {one.sd:.3f}" if one and len(runs) > 1 else ""
                    cells.append(
                        f"{one.mean:.3f}{sd}\n{one.low:.3f}–{one.high:.3f}" if one is not None else "-"
                    )
                which = "seed" + "s" * (len(runs) > 1)
                seeds = f"{which} {', '.join(str(one.seed) for one in runs)}"
                table.add_row(protocol, f"{escape(run.name)}\n{seeds}", *cells)
        table.add_section()
    return table


def _pairs(found: Comparison) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from neumo.report.template import p_value

    def told(pair: PairTest, metric: str) -> str:
        one = pair.differences[metric]
        return f"{one.value:+.3f}\n{one.low:+.3f}…{one.high:+.3f}\n{pair.verdict(metric)}"

    table = Table(title="Paired tests on shared images", title_justify="left")
    table.add_column("protocol", no_wrap=True)
    table.add_column("second\n- first", overflow="fold")
    for heading in ("Accuracy", "McNemar\np", "AUC", "DeLong\np"):
        table.add_column(heading, justify="right", no_wrap=True)
    for pair in found.pairs:
        shared = " ".join(dict.fromkeys(f"{one.images:,}" for one in pair.seeds))
        left_out = sum(one.left_out for one in pair.seeds)
        table.add_row(
            f"{pair.protocol}\n{shared} images"
            + (f"\n{left_out:,} not shared" if left_out else "")
            + f"\nseed{'s' * (len(pair.seeds) > 1)} {', '.join(str(one.seed) for one in pair.seeds)}",
            escape(f"{pair.second}\n- {pair.first}"),
            told(pair, "accuracy"),
            "\n".join(p_value(one.mcnemar.p) for one in pair.seeds),
            told(pair, "auc"),
            "\n".join(p_value(one.delong.p) for one in pair.seeds),
        )
    return table
