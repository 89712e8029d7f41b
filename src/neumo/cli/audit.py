"""neumo audit: what is in a data set, what is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumo.cli.options import AsJson, LabelColumn, PathColumn, PatientColumn, Positive, SkipMissing

if TYPE_CHECKING:
    from rich.table import Table

    from neumo.data.audit import Audit

SHOWN = 10  # names of a list that people get to see; --json has all


def audit(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="A folder, a CSV or Parquet file, or one image.", show_default=False
        ),
    ],
    path_column: PathColumn = None,
    label_column: LabelColumn = None,
    patient_column: PatientColumn = None,
    positive: Positive = None,
    skip_missing: SkipMissing = False,
    as_json: AsJson = False,
) -> None:
    """Say what is in a data set and what is wrong with it; faults in the data never stop the audit."""
    from neumo.data.audit import audit as audit_dataset
    from neumo.data.sources import survey

    dataset = survey(
        data,
        path_column=path_column,
        label_column=label_column,
        patient_column=patient_column,
        positive=positive,
        skip_missing=skip_missing,
    )
    found = audit_dataset(dataset)
    if as_json:
        print(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    else:
        _show(found)


def _show(found: Audit) -> None:
    from rich.console import Console
    from rich.markup import escape

    from neumo.data.table import PNEUMONIA

    console = Console(highlight=False, soft_wrap=True)
    title = escape(f"{found.name} ({found.layout})")
    console.print(
        f"[bold]{title}[/bold]" + ("  [yellow]synthetic: shows no patient[/yellow]" * found.synthetic)
    )
    console.print(escape(found.root), style="dim")
    console.print(_composition(found))
    if positive := next((c["name"] for c in found.classes if c["label"] == PNEUMONIA), None):
        console.print(f"Positive class, whose probability is given: {escape(positive)}")
    if found.imbalance:
        minority, share, ratio = (found.imbalance[key] for key in ("minority", "share", "ratio"))
        even = f"{ratio:.2f}" == "1.00"
        told = f"{escape(minority)} is {share:.2%} of the images" + f", 1 to {ratio:.2f}" * (not even)
        console.print(f"{'Balance' if even else 'Imbalance'}: {told}")
    console.print(_checks(found))
    for title, lines in _details(found).items():
        if lines:
            console.print(f"[bold]{title}[/bold]")
            for line in lines[:SHOWN]:
                console.print(f"  {escape(line)}")
            if len(lines) > SHOWN:
                console.print(f"  ... and {len(lines) - SHOWN:,} more (--json has all)", style="dim")
    if not found.faults:
        but = " without the undecodable images (--skip-unreadable)" if found.undecodable else ""
        if clash := _clashes(found):
            console.print(f"[yellow]Fit for training{but}, but {clash} different labels.[/yellow]")
        else:
            console.print(f"[green]Fit for training{but}.[/green]")
    if found.citation:
        console.print(f"Cite: {escape(found.citation)}", style="dim")
    console.print("A research tool, not a medical device.", style="dim")


def _clashes(found: Audit) -> str:
    """How many groups of the same picture "have" several labels, "" where none has."""
    of_kind = {
        "byte-identical": found.identical["across_classes"],
        "near-identical": found.near_identical["across_classes"],
    }
    told = [f"{n:,} group{'s' * (n > 1)} of {kind} images" for kind, n in of_kind.items() if n]
    return " and ".join(told) + (" has" if sum(of_kind.values()) == 1 else " have") if told else ""


def _composition(found: Audit) -> Table:
    """Images per class and cause (rows) and official part (columns)."""
    from rich.markup import escape
    from rich.table import Table

    parts = [
        part for part in ("train", "test", None) if any(c["official"] == part for c in found.composition)
    ]
    causes = {(c["class"], c["cause"]): _told_cause(c) for c in found.composition}
    told = any(causes.values())
    table = Table("class", *(["cause"] if told else []))
    for part in parts:
        table.add_column(
            f"official {part}" if part else ("in neither" if len(parts) > 1 else "images"), justify="right"
        )
    if len(parts) > 1:
        table.add_column("images", justify="right")

    def row(group: list[dict[str, Any]]) -> list[str]:
        per_part = [sum(c["images"] for c in group if c["official"] == part) for part in parts]
        return [f"{n:,}" for n in (*per_part, *([sum(per_part)] if len(parts) > 1 else []))]

    for name, cause in causes:
        group = [c for c in found.composition if (c["class"], c["cause"]) == (name, cause)]
        table.add_row(escape(name), *([escape(causes[name, cause])] if told else []), *row(group))
    table.add_section()
    table.add_row("all", *([""] if told else []), *row(found.composition))
    return table


def _told_cause(group: dict[str, Any]) -> str:
    """The cause of a class, "" where it only repeats what the class is called."""
    return "" if group["cause"] == group["class"].lower() else group["cause"]


def _checks(found: Audit) -> Table:
    """One line per check: what was found."""
    from rich.markup import escape
    from rich.table import Table

    def across(groups: dict[str, Any]) -> str:
        if not groups["count"]:
            return "none"
        classes, official = (groups[f"across_{what}"] or "none" for what in ("classes", "official"))
        s = "s" * (groups["count"] > 1)
        crossing = f"{classes} across classes" + f", {official} across the official split" * divided
        return f"{groups['count']:,} group{s} of {groups['images']:,} images, {crossing}"

    divided = any(c["official"] for c in found.composition)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    listed = ", ".join(f"{c['listed']:,} {c['name']}" for c in found.classes)
    patients = found.patients
    sizes = [
        f"{side} {s['smallest']:,}" + f" to {s['largest']:,}" * (s["smallest"] < s["largest"])
        for side, s in found.sizes.items()
    ]
    for check, result in {
        "rows": f"{found.rows:,} ({listed})",
        "images that are there": f"{found.images:,}",
        "rows without a file": f"{len(found.missing):,}",
        **({"rows of lateral views": f"{len(found.lateral):,}, left out"} if found.lateral else {}),
        "files without a row": f"{len(found.unlisted):,}",
        "files with several rows": f"{len(found.repeated):,}",
        "undecodable images": f"{len(found.undecodable):,}",
        "odd images": f"{len(found.odd):,}",
        "pixels": ", ".join(f"{n:,} {mode}" for mode, n in found.modes.items()) or "none",
        "size in pixels": ", ".join(sizes) or "none",
        "byte-identical": across(found.identical),
        "near-identical": across(found.near_identical),
        "patients": f"{patients['count']:,} with {_images(patients['known'])}"
        + f"; unknown for {_images(patients['unknown'])}" * bool(patients["unknown"]),
        **({"patients in both official parts": f"{patients['across_official']:,}"} if divided else {}),
    }.items():
        table.add_row(check, escape(result))
    return table


def _images(n: int) -> str:
    return f"{n:,} image{'s' * (n != 1)}"


def _details(found: Audit) -> dict[str, list[str]]:
    """The names behind the numbers."""

    def crossing(groups: dict[str, Any]) -> list[str]:
        return [
            " = ".join(group["files"])
            for group in groups["groups"]
            if group["across_classes"] or group["across_official"]
        ]

    return {
        "Rows without a file": found.missing,
        "Rows of lateral views, left out": found.lateral,
        "Files without a row": found.unlisted,
        "Files with several rows": found.repeated,
        "Undecodable": [f"{image['file']}: {image['reason']}" for image in found.undecodable],
        "Odd": [
            f"{i['file']}: {', '.join(i['problems'])} ({i['mode']}, {i['width']} x {i['height']})"
            for i in found.odd
        ],
        "Byte-identical across classes or official parts": crossing(found.identical),
        "Near-identical, not byte-identical": [
            " = ".join(g["files"]) for g in found.near_identical["groups"]
        ],
        "Unfit for training": found.faults,
    }
