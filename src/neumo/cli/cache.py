"""`neumo cache`: what neumo keeps on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from neumo.cli.options import AsJson


def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Delete it; all of it can be computed again.")
    ] = False,
    backbone: Annotated[
        str | None,
        typer.Option(help="Only features and converted networks of this backbone.", metavar="NAME"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what neumo has computed and keeps, where, and how much room it takes; or clear it.

    It lies in the user's cache folder, or in the one that NEUMO_CACHE names.
    """
    from neumo.features.backbones import backbone as look_up
    from neumo.features.networks import clear_networks, networks_size
    from neumo.features.store import FeatureStore
    from neumo.files import cache_folder, size_on_disk

    name = None if backbone is None else look_up(backbone, "none").name
    folder, cleared = cache_folder(), None
    with FeatureStore() as store:
        if clear:
            cleared = store.clear(**({"backbone": name} if name else {}))
            clear_networks(name)
            for kind in () if name else _OTHERS.values():
                for file in sorted(folder.glob(kind), key=_first):
                    file.unlink(missing_ok=True)
        spaces = [space for space in store.summary() if name in (None, space.get("backbone"))]
        sizes = {
            "features": store.size,
            "networks": networks_size(),
            **{name: size_on_disk(folder, kind) for name, kind in _OTHERS.items()},
        }
    found = {"folder": str(folder), "bytes": sizes, "cleared": cleared, "spaces": spaces}
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        _show(found)


_OTHERS = {
    "inspections": "inspections.*",
    "maps": "maps/*.[fu]*",
    "tuned": "tuned/*.pt",
    "compiled": "compiled/*",
    "medmnist": "medmnist/**/*.*",
}
"""What else is kept, and under which names."""


def _first(file: Path) -> bool:
    """The key that sorts what says that other files are all there before them, lest it outlive them."""
    return file.name != ".whole"


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{escape(found['folder'])}[/bold]")
    if found["cleared"] is not None:
        console.print(f"Cleared {found['cleared']:,} entries.")
    totals: dict[tuple[str, ...], list[int]] = {}
    for space in found["spaces"]:
        key = [space.get(part, "-") for part in ("backbone", "weights", "precision")]
        total = totals.setdefault((key[0], key[1][:12], key[2]), [0, 0])
        total[0] += space["entries"]
        total[1] += space["bytes"]
    table = Table("backbone", "weights", "precision", title="Features", title_justify="left")
    table.add_column("entries", justify="right")
    table.add_column("MB", justify="right")
    for names, (entries, size) in totals.items():
        table.add_row(*names, f"{entries:,}", _megabytes(size))
    console.print(table if totals else "No features.")
    if any(names[0] == "-" for names in totals):
        console.print("Without a backbone: mean and variance of each image's pixels.")
    on_disk = ", ".join(f"{name} {_megabytes(size)} MB" for name, size in found["bytes"].items())
    console.print(f"On disk: {on_disk}")
    if totals:
        console.print("Features take more room there than in the table: their keys and index count, too.")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}" if size >= 1e5 or not size else "<0.1"
