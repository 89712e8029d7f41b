"""Explained radiographs as one page that loads nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from neumo import __version__
from neumo.explain.cam import enlarge
from neumo.explain.many import Explained
from neumo.explain.overlay import colour_table, coloured
from neumo.files import whole_file
from neumo.images.checks import MEANING
from neumo.report.template import render
from neumo.report.thumbnails import data_url

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier

SIDE = 28
"""Pixels of a heat map in the page: four per cell of a usual network's last maps, smoothed by the browser."""


@dataclass(frozen=True)
class Row:
    """One radiograph of the page; a few kilobytes.

    Attributes:
        path: as given.
        probability: of the positive class.
        called: whether it is at or above the operating point.
        decision: name of the class.
        warnings: sentences.
        shape: width and height of the picture in the file.
        radiograph: a ``data:`` URL of a JPEG.
        heat: a ``data:`` URL of a PNG with transparency.
    """

    path: str
    probability: float
    called: bool
    decision: str
    warnings: tuple[str, ...]
    shape: tuple[int, int]
    radiograph: str = field(repr=False)
    heat: str = field(repr=False)

    @staticmethod
    def of(explained: Explained) -> Row:
        """The row of an explained radiograph."""
        one = explained.prediction
        return Row(
            path=one.path,
            probability=one.probability,
            called=one.probability >= one.threshold,
            decision=one.decision,
            warnings=tuple(MEANING.get(name, name) for name in one.warnings),
            shape=(explained.width, explained.height),
            radiograph=data_url(explained.pixels),
            heat=_heat_url(explained.heat),
        )


def write_page(
    classifier: Classifier, rows: Sequence[Row], unreadable: Sequence[str], file: str | Path
) -> None:
    """Write the radiographs as one HTML file, the most probable first.

    Args:
        classifier: that explained them.
        rows: what to show.
        unreadable: a line for each file that could not be read.
        file: where to.

    Raises:
        OSError: it cannot be written.
    """
    card = classifier.card
    degrees = np.linspace(0, 255, 17).astype(int)
    ordered = sorted(rows, key=lambda row: (-row.probability, row.path))
    page = render(
        "explained.html",
        version=__version__,
        title=f"What speaks for {card['positive']} on {len(rows):,} radiograph{'s' * (len(rows) != 1)}",
        card=card,
        relative=bool(classifier.usual),
        groups=[
            (card["positive"], [row for row in ordered if row.called]),
            (card["negative"], [row for row in ordered if not row.called]),
        ],
        total=len(rows),
        unreadable=unreadable,
        scale=["rgb({} {} {})".format(*colour_table()[degree, :3]) for degree in degrees],
    )
    with whole_file(file) as part:
        part.write_text(page, encoding="utf-8")


def _heat_url(heat: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(coloured(enlarge(heat, SIDE, SIDE))).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
