"""Radiographs as small pictures within a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from neumo.errors import NeumoError
from neumo.images.generate import Transforms, copy_seed, generate
from neumo.images.read import read_radiograph
from neumo.results.results import Run

SIDE = 224
"""Pixels of a picture: what the network saw."""

MOST_WRONG = 12
"""Test images shown by protocol."""

MOST_COPIES = 3
"""Generated images shown beside an original."""


def thumbnail(path: str) -> str | None:
    """A radiograph as a ``data:`` URL; None where it cannot be read any more."""
    try:
        return data_url(read_radiograph(path, SIDE))
    except (NeumoError, OSError):
        return None


def contact_row(shown: dict[str, Any], transforms: Transforms) -> dict[str, Any]:
    """One radiograph of the contact sheet.

    Args:
        shown: its "path", "sha256" and "copies", as in `Results.contact_sheet`.
        transforms: how its generated images were moved.

    Returns:
        "path" and "images": ``data:`` URLs, the original first; None for each where it is gone.
    """
    copies = range(1, min(shown["copies"], MOST_COPIES) + 1)
    try:
        original = read_radiograph(shown["path"], SIDE)
    except (NeumoError, OSError):
        return {"path": shown["path"], "images": [None] * (1 + len(copies))}
    moved = [generate(original, transforms, copy_seed(shown["sha256"], copy)) for copy in copies]
    return {"path": shown["path"], "images": [data_url(pixels) for pixels in (original, *moved)]}


def most_wrong(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The most wrong test images over the seeds, each once, those furthest from the truth first.

    Returns:
        "path", "label", "cause", "patient", "probability" (mean over the seeds that got it wrong), "seeds"
        (how many these are) and "image" (a ``data:`` URL, None where it is gone).
    """
    by_path: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        for mistake in run.mistakes:
            by_path.setdefault(mistake["path"], []).append(mistake)
    merged = [
        {
            **found[0],
            "probability": float(np.mean([one["probability"] for one in found])),
            "seeds": len(found),
        }
        for found in by_path.values()
    ]
    merged.sort(key=lambda one: (-abs(one["probability"] - one["label"]), one["path"]))
    return [{**one, "image": thumbnail(one["path"])} for one in merged[:MOST_WRONG]]


def data_url(pixels: np.ndarray) -> str:
    """Grey uint8 pixels (height, width) as a JPEG in a ``data:`` URL."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
