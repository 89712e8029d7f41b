"""A run's results as tables on the terminal."""

from __future__ import annotations

from statistics import mean, stdev

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from neumo.data.split import PROTOCOLS
from neumo.evaluation.metrics import METRICS
from neumo.results import published
from neumo.results.results import Results, Run
from neumo.training.steps import STEPS


def show(results: Results) -> None:
    """Print the ladder and the protocols side by side on standard output."""
    table = _protocols(results, "The final step, on the test part of each protocol")
    _show(results, _ladder(results), *_remark(results), table)


def show_recipe(results: Results) -> None:
    """Print what a recipe gave on the test part of each protocol."""
    _show(results, _protocols(results, f"{results.runs[0].step}, on the test part of each protocol"))


def _show(results: Results, *parts: Table | str) -> None:
    console = Console(highlight=False)
    if results.dataset["synthetic"]:
        console.print("SYNTHETIC radiographs: drawn, not taken. These figures say nothing about patients.")
    for part in parts:
        console.print(part)
    for why in results.skipped.values():
        console.print(f"Left out: {escape(why)}")
    console.print("A research tool, not a medical device.")


def spread(values: list[float]) -> str:
    """Mean and standard deviation (of the sample, n - 1) over seeds; the value itself for one seed."""
    return f"{mean(values):.3f}±{stdev(values):.3f}" if len(values) > 1 else f"{values[0]:.4f}"


def _comparable(results: Results) -> bool:
    """Whether the report's figures are of the same radiographs."""
    return results.dataset["layout"] == "coronahack"


def _ladder(results: Results) -> Table:
    told = _comparable(results)
    table = Table(title=f"The ladder, on validation ({_seeds(results)})", title_justify="left")
    table.add_column("Step")
    for heading in ("Loss", "Accuracy", *(("report's loss", "report's accuracy") if told else ())):
        table.add_column(heading, justify="right")
    for step in STEPS:
        runs = results.ladder(step.name)
        report = published.STEPS.get(step.name)
        figures = (f"{report.loss:.4f}", f"{report.accuracy:.4f}") if report else ("", "")
        table.add_row(
            step.name,
            *(spread([run.validation[name] for run in runs]) for name in ("loss", "accuracy")),
            *(figures if told else ()),
        )
    return table


def _remark(results: Results) -> list[str]:
    """Which steps do worse than calling every image the more common class, if any."""
    below = []
    for step in STEPS:
        runs = results.ladder(step.name)
        if mean(run.validation["accuracy"] for run in runs) < _one_answer(runs):
            below.append(step.name)
    return [f"Worse than the same answer for every image: {', '.join(below)}."] if below else []


def _one_answer(runs: list[Run]) -> float:
    """Accuracy on validation of calling every image the more common class, mean over the seeds."""
    shares = []
    for counts in (run.counts["validation"] for run in runs):
        fewer, more = sorted((counts["normal"], counts["pneumonia"]))
        fewer += counts["generated"]
        shares.append(max(fewer, more) / (fewer + more))
    return mean(shares)


def _protocols(results: Results, title: str) -> Table:
    """A row per metric, a column per protocol: five metrics side by side would not fit 80 characters."""
    table = Table(title=f"{title} ({_seeds(results)})", title_justify="left")
    tested = {name: runs for name in PROTOCOLS if (runs := results.tested(name))}
    told = _comparable(results) and bool(results.ladder(STEPS[-1].name))
    for heading in ("", *tested, *(("report's",) if told else ())):
        table.add_column(heading, justify="right" if heading else "left")
    images = [f"{_test(runs[0])['n']:,}" for runs in tested.values()]
    table.add_row("Images", *images, *(("1,182",) if told else ()))
    for name, title in METRICS.items():
        figures = [spread([_value(run, name) for run in runs]) for runs in tested.values()]
        report = getattr(published.TEST, name, None)
        table.add_row(title, *figures, *(("" if report is None else f"{report:.4f}",) if told else ()))
    return table


def _seeds(results: Results) -> str:
    seeds = len(results.settings["seeds"])
    return f"mean ± sd over {seeds} seeds" if seeds > 1 else "1 seed"


def _test(run: Run) -> dict:
    assert run.test is not None
    return run.test


def _value(run: Run, metric: str) -> float:
    return _test(run)["metrics"][metric]["value"]
