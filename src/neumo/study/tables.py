"""A study's results as tables on the terminal."""

from __future__ import annotations

from statistics import mean, stdev

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from neumo.data.split import PROTOCOLS
from neumo.study import published
from neumo.study.results import Results, Run
from neumo.training.steps import STEPS


def show(results: Results) -> None:
    """Print the ladder and the protocols side by side on standard output."""
    console = Console()
    if results.dataset["synthetic"]:
        console.print("SYNTHETIC radiographs: drawn, not taken. These figures say nothing about patients.")
    console.print(_ladder(results))
    table = _protocols(results, "The final step, on the test part of each protocol")
    told = published.TEST
    table.add_row("report's", "1182", f"{told.loss:.4f}", f"{told.accuracy:.4f}", "", "", "")
    console.print(table)
    for protocol, why in results.skipped.items():
        console.print(f"{protocol} protocol left out: {escape(why)}")
    console.print("A research tool, not a medical device.")


def show_recipe(results: Results) -> None:
    """Print what a recipe gave on validation and on the test part of each protocol."""
    console = Console()
    if results.dataset["synthetic"]:
        console.print("SYNTHETIC radiographs: drawn, not taken. These figures say nothing about patients.")
    console.print(_protocols(results, f"{results.runs[0].step}, on the test part of each protocol"))
    for protocol, why in results.skipped.items():
        console.print(f"{protocol} protocol left out: {escape(why)}")
    console.print("A research tool, not a medical device.")


def spread(values: list[float]) -> str:
    """Mean and standard deviation (of the sample, n - 1) over seeds; the value itself for one seed."""
    return f"{mean(values):.3f} ± {stdev(values):.3f}" if len(values) > 1 else f"{values[0]:.4f}"


def _ladder(results: Results) -> Table:
    seeds = len(results.settings["seeds"])
    table = Table(title=f"The ladder, on validation ({seeds} seed{'s' * (seeds > 1)})", title_justify="left")
    for heading in ("step", "loss", "accuracy", "report's loss", "report's accuracy"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for step in STEPS:
        runs = results.ladder(step.name)
        report = published.STEPS.get(step.name)
        table.add_row(
            step.name,
            spread([run.validation["loss"] for run in runs]),
            spread([run.validation["accuracy"] for run in runs]),
            *((f"{report.loss:.4f}", f"{report.accuracy:.4f}") if report else ("", "")),
        )
    return table


def _protocols(results: Results, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    metrics = ("loss", "accuracy", "auc", "sensitivity", "specificity")
    for heading in ("protocol", "images", *metrics):
        table.add_column(heading, justify="left" if heading == "protocol" else "right")
    for protocol in PROTOCOLS:
        runs = results.tested(protocol)
        if runs:
            table.add_row(
                protocol,
                str(_test(runs[0])["n"]),
                *(spread([_value(r, name) for r in runs]) for name in metrics),
            )
    return table


def _test(run: Run) -> dict:
    assert run.test is not None
    return run.test


def _value(run: Run, metric: str) -> float:
    return _test(run)["metrics"][metric]["value"]
