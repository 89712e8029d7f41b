"""The grey that a stored value of a DICOM file is shown as.

Stored values go through the modality LUT or rescale (DICOM PS3.3 C.11.1), then through the first VOI LUT or,
where there is none, the first window (C.11.2); MONOCHROME1, where low is white, is inverted (C.7.6.3.1.2),
unless a Presentation LUT Shape says otherwise (C.8.11.3.1.2).
A file with neither is shown in the full range of its bits if these are 8 or fewer. With more bits it is shown
from the 0.5th to the 99.5th percentile of its pixels: few detectors fill the range they declare, and what is
at the very ends is markers, metal and the bare detector.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neumo.images.dicom_lut import look_up, lookup_table, most_of, signed_as
from neumo.images.dicom_view import code_string

if TYPE_CHECKING:
    from pydicom import Dataset

PERCENTILES = (0.5, 99.5)
RESCALE = ("RescaleSlope", "RescaleIntercept")
ENDLESS = 1e12  # of a window, in units of the rescaled values: no detector's


def grey_levels(levels: np.ndarray, stored: np.ndarray, dataset: Dataset, kind: str) -> np.ndarray:
    """The grey that stored values are shown as.

    Args:
        levels: all integers from the least stored value to the largest.
        stored: the values of the picture, of any shape, which tell where most of them lie.
        dataset: their header.
        kind: its photometric interpretation, "MONOCHROME1" or "MONOCHROME2".

    Returns:
        Float32 from 0 to 255, one for each of `levels`; padding is black.
    """
    bits, signed = dataset.BitsStored, dataset.PixelRepresentation == 1
    ends = np.array([0, 2**bits - 1]) - signed * 2 ** (bits - 1)
    padding = np.zeros(levels.shape, dtype=bool)
    if (value := dataset.get("PixelPaddingValue")) is not None:  # PS3.3 C.7.5.1.1.2
        limit = dataset.get("PixelPaddingRangeLimit")
        value, limit = (signed_as(one, ends) for one in (value, value if limit is None else limit))
        padding = (levels >= min(value, limit)) & (levels <= max(value, limit))
    values, ends = _rescaled(levels, ends, dataset), np.sort(_rescaled(ends, ends, dataset))
    if table := lookup_table(dataset, "VOILUTSequence"):
        whole = np.rint(values).astype(np.int64)
        values = look_up(whole, table, ends, little_endian=_little_endian(dataset))
        black, white = 0, most_of(table)
    elif window := _window(dataset):
        values, black, white = _windowed(values, *window), 0, 1
    elif bits <= 8:
        black, white = ends
    else:
        counts = np.bincount(stored.astype(np.int32).ravel() - levels[0], minlength=len(levels))
        order = np.argsort(values, kind="stable")
        share = np.cumsum(np.where(padding, 0, counts)[order])
        black, white = values[order][np.searchsorted(share, np.array(PERCENTILES) / 100 * share[-1])]
    grey = np.clip((values - black) / max(white - black, 1e-9), 0, 1)
    shape = code_string(dataset, "PresentationLUTShape")
    inverse = shape == "INVERSE" if shape in ("INVERSE", "IDENTITY") else kind == "MONOCHROME1"
    grey = 1 - grey if inverse else grey
    return (255 * np.where(padding, 0, grey)).astype(np.float32)


def _rescaled(stored: np.ndarray, ends: np.ndarray, dataset: Dataset) -> np.ndarray:
    """What the modality LUT or rescale makes of stored values, which lie between `ends`; float64."""
    if table := lookup_table(dataset, "ModalityLUTSequence"):
        return look_up(stored, table, ends, little_endian=_little_endian(dataset)).astype(np.float64)
    slope, intercept = (_number(*_several(dataset.get(name))[:1]) for name in RESCALE)
    if slope and math.isfinite(slope) and math.isfinite(intercept):
        return stored * slope + intercept
    return stored.astype(np.float64)  # 0, too, which DCMTK takes for a slip of the pen


def _little_endian(dataset: Dataset) -> bool:
    return dataset.original_encoding[1] is not False


def _window(dataset: Dataset) -> tuple[float, float, str] | None:
    """Centre, width and VOI LUT Function of the first window; None where there is none.

    One that is empty, no number, endless or too narrow for PS3.3 C.11.2.1.2 (width 0) is none.
    """
    function = code_string(dataset, "VOILUTFunction")
    least = 0 if function in ("SIGMOID", "LINEAR_EXACT") else 1
    centres, widths = (_several(dataset.get(name)) for name in ("WindowCenter", "WindowWidth"))
    for pair in zip(centres, widths, strict=False):
        centre, width = map(_number, pair)
        if width >= least and 0 < width < ENDLESS and abs(centre) < ENDLESS:
            return centre, width, function
    return None


def _windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """What a window makes of rescaled values, from 0 to 1 (PS3.3 C.11.2.1.2 and C.11.2.1.3).

    Not by pydicom 3, whose result runs from white to black where the rescale slope is negative.
    """
    if function == "SIGMOID":
        return 0.5 + np.tanh(2 * (values - centre) / width) / 2
    if function != "LINEAR_EXACT":  # LINEAR, also where the file does not say
        centre, width = centre - 0.5, width - 1
    if not width:
        return (values > centre).astype(np.float64)
    return np.clip((values - centre) / width + 0.5, 0, 1)


def _number(value: Any = None) -> float:
    """A number; NaN where an element has no value, which says as little as no element (PS3.5 7.4.5)."""
    return math.nan if value in (None, "") else float(value)


def _several(value: Any) -> Sequence[Any]:
    """The values of an element that may have any number of them."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
