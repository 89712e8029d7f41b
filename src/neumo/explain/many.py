"""Predictions with their heat maps, for any number of files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumo.errors import NeumoError, UnreadableImageError
from neumo.explain.cam import heat_map
from neumo.images.checks import as_read, as_scored, with_lateral
from neumo.images.many import inspect_many
from neumo.images.read import Inspection

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier
    from neumo.classifier.findings import Prediction

TOGETHER = 8
"""Images that are explained together."""


@dataclass(frozen=True)
class Explained:
    """A prediction, and where in the radiograph it comes from.

    Attributes:
        prediction: of the file.
        width: of the picture in the file, in pixels.
        height: likewise.
        pixels: what the classifier saw, uint8 (224, 224); a negative as it is in the file.
        heat: as `neumo.explain.cam.heat_map` makes it, float32 (224, 224).
    """

    prediction: Prediction
    width: int
    height: int
    pixels: NDArray[np.uint8] = field(repr=False, compare=False)
    heat: NDArray[np.float32] = field(repr=False, compare=False)

    @property
    def hottest(self) -> tuple[int, int] | None:
        """Column and row of the hottest place, in pixels of the file; None where nothing is hot."""
        if not self.heat.any():
            return None
        row, column = np.unravel_index(self.heat.argmax(), self.heat.shape)
        rows, columns = self.heat.shape
        return int((column + 0.5) * self.width / columns), int((row + 0.5) * self.height / rows)


def explain(
    classifier: Classifier,
    radiographs: Iterable[str | UnreadableImageError],
    unreadable: Callable[[NeumoError], None],
    *,
    lateral: Collection[str] = (),
) -> Iterator[Explained]:
    """Predict and explain files in order, reading ahead.

    Args:
        classifier: whose probability is explained.
        radiographs: files; an error among them counts as one that cannot be read.
        unreadable: told of each file that cannot be read, which is then left out.
        lateral: files that are known to be lateral views; their predictions have that warning.

    Raises:
        NeumoError: Grad-CAM cannot explain this classifier.
    """
    readable = _readable(radiographs, unreadable)
    while some := list(islice(readable, TOGETHER)):
        pixels = np.stack([image.pixels for _, image in some])
        findings = classifier.examine(pixels, [image for _, image in some])
        scored = [as_scored(grey, finding.warnings) for grey, finding in zip(pixels, findings, strict=True)]
        heats = heat_map(classifier, np.stack(scored))
        for (path, image), finding, heat in zip(some, findings, heats, strict=True):
            told = with_lateral(finding.warnings, str(path) in lateral)
            prediction = classifier.prediction(path, replace(finding, warnings=told))
            heat = as_read(heat, finding.warnings)
            yield Explained(prediction, image.width, image.height, image.pixels, heat)


def _readable(
    radiographs: Iterable[str | UnreadableImageError], unreadable: Callable[[NeumoError], None]
) -> Iterator[tuple[str | Path, Inspection]]:
    for path, read in inspect_many(radiographs):
        if isinstance(read, Inspection):
            yield path, read
        else:
            unreadable(read)
