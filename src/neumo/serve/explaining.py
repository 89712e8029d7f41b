"""A radiograph with its heat map, as pictures for the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from neumo.images.checks import as_read, as_scored
from neumo.images.read import inspect_radiograph, read_radiograph
from neumo.serve.batching import Examined, reading

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier
    from neumo.serve.limits import Upload

SIDE = 1024
"""Pixels of the longer side of the radiograph that is sent back: more than a page shows."""


@dataclass(frozen=True)
class Explained:
    """What is known of one radiograph, with PNG files to show it.

    Attributes:
        examined: as of a prediction.
        radiograph: grey, its longer side at most `SIDE` pixels.
        heat: RGBA, 224 x 224, to be stretched over the radiograph, clear where nothing speaks for the class.
    """

    examined: Examined
    radiograph: bytes
    heat: bytes


def explain(classifier: Classifier, upload: Upload, max_pixels: int) -> Explained:
    """Read a file, examine it and draw where the evidence lies.

    Raises:
        NeumoError: the file cannot be used as a radiograph, or the classifier cannot be explained.
    """
    from neumo.explain.cam import heat_map
    from neumo.explain.overlay import coloured

    with reading():
        whole = read_radiograph(upload.file, None, max_pixels=max_pixels)
        upload.file.seek(0)
        image = inspect_radiograph(upload.file, max_pixels=max_pixels)
    upload.drop()
    finding = classifier.examine(image.pixels[None], [image])[0]
    scored = as_scored(image.pixels, finding.warnings)
    heat = as_read(heat_map(classifier, scored[None])[0], finding.warnings)
    shown = Image.fromarray(whole)
    shown.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    return Explained(
        Examined(finding, image.width, image.height), _png(shown), _png(Image.fromarray(coloured(heat)))
    )


def in_base64(data: bytes) -> str:
    """Bytes as JSON can carry them."""
    return base64.b64encode(data).decode()


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)  # over loopback, time matters more than bytes
    return file.getvalue()
