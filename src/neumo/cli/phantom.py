"""`neumo phantom`: draw a synthetic data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def phantom(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.", metavar="DIR")],
    patients: Annotated[int, typer.Option(help="How many patients.")] = 150,
    images: Annotated[int | None, typer.Option(help="How many images; 3.2 per patient if not given.")] = None,
    size: Annotated[int, typer.Option(help="Height and width in pixels.")] = 256,
    difficulty: Annotated[
        str,
        typer.Option(help="easy, medium, hard, or a number from 0 (plain lesions) to 1 (hardly visible)."),
    ] = "medium",
    seed: Annotated[int, typer.Option(help="Another seed, other patients.")] = 0,
    masks: Annotated[
        bool, typer.Option("--masks", help="Also write where each lesion is, to lesions/.")
    ] = False,
) -> None:
    """Draw a synthetic chest X-ray data set in the layout of CoronaHack.

    Drawn, not taken: for trying neumo out, not for saying anything about real radiographs.
    """
    from neumo.phantom.dataset import make_phantoms

    make_phantoms(
        folder, patients=patients, images=images, size=size, difficulty=difficulty, seed=seed, masks=masks
    )
    files = list(folder.rglob("*.jpeg"))
    print(f"{folder}: {len(files)} images of {patients} patients, SYNTHETIC: drawn, not taken")
