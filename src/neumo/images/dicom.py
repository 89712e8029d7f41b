"""A DICOM file as grey pixels, the way a viewer would first show it.

Stored values go through the modality LUT (or rescale), then through the first VOI LUT (or window) of the file, and
MONOCHROME1, where low values are white, is inverted (DICOM PS3.3 C.7.6.3, C.11.1, C.11.2).
A file without a window is shown in its full range where it stores at most 8 bits; with more bits, from the 0.5th
to the 99.5th percentile of its pixels, because few such files fill their range, while markers and the bare
detector sit at its ends.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neumo.errors import UnreadableImageError

if TYPE_CHECKING:
    import pydicom

# Modalities (DICOM PS3.3 C.7.3.1.1.1) whose images are no projection radiographs, so that nothing learned from
# radiographs holds for them. Secondary captures and unknown ones are let through.
NOT_RADIOGRAPHS = frozenset(
    [
        "CT",
        "MR",
        "PT",
        "NM",
        "US",
        "IVUS",
        "OCT",
        "OPT",
        "OP",
        "MG",
        "ES",
        "GM",
        "SM",
        "XC",
        "IO",
        "PX",
        "BMD",
        "ECG",
        "DOC",
        "SR",
        "SEG",
    ]
)
PERCENTILES = (0.5, 99.5)


def is_dicom(head: bytes) -> bool:
    """Whether a file's first 132 bytes are those of a DICOM file: a preamble and "DICM", or group 0008 at once."""
    return head[128:132] == b"DICM" or (
        head[:2] == b"\x08\x00" and head[4:6].isalpha() and head[4:6].isupper()
    )


def read_dicom(path: str | Path, max_pixels: int = 100_000_000) -> tuple[np.ndarray, str]:
    """Read one DICOM radiograph.

    Args:
        path: the file.
        max_pixels: larger pictures are refused before they are decoded.

    Returns:
        Grey pixels, uint8, shape (rows, columns), bones white; and the photometric interpretation in the file.

    Raises:
        UnreadableImageError: not DICOM, no or broken pixels, several frames, colour, not a radiograph.
    """
    import pydicom
    from pydicom.pixels import apply_modality_lut

    try:
        file = pydicom.dcmread(path, force=True)
        kind = str(file.get("PhotometricInterpretation", ""))
        _check(path, file, kind, max_pixels)
        stored = file.pixel_array
        if stored.ndim != 2:
            raise UnreadableImageError(
                path, f"DICOM pixels of shape {stored.shape}", "one picture of rows x columns"
            )
        values = np.asarray(apply_modality_lut(stored, file), dtype=np.float32)
        padding = _padding(stored, file)
        values, low, high = _windowed(values, padding, file)
    except (UnreadableImageError, MemoryError, PermissionError):
        raise
    except Exception as error:  # pydicom and the decoders below it raise nearly every kind on broken files
        raise UnreadableImageError(
            path, f"a broken DICOM file ({_short(error)})", "a DICOM file that decodes"
        ) from error
    if not np.isfinite(values).all():
        raise UnreadableImageError(
            path, "pixels that are not numbers (NaN or infinite)", "finite grey values"
        )
    grey = np.clip((values - low) * (255 / max(high - low, 1e-12)), 0, 255)
    if kind == "MONOCHROME1":
        grey = 255 - grey
    if padding is not None:
        grey[padding] = 0
    return np.rint(grey).astype(np.uint8), kind


def _check(path: str | Path, file: pydicom.Dataset, kind: str, max_pixels: int) -> None:
    name = file.file_meta.get("MediaStorageSOPClassUID", "") if hasattr(file, "file_meta") else ""
    name = getattr(file.get("SOPClassUID", name), "name", "") or "unknown kind"
    if "SOPClassUID" not in file and "PixelData" not in file:
        raise UnreadableImageError(path, "a file without DICOM content", "a DICOM radiograph")
    if "PixelData" not in file:
        raise UnreadableImageError(path, f"a DICOM file without pixels ({name})", "a DICOM radiograph")
    modality = str(file.get("Modality", ""))
    if modality in NOT_RADIOGRAPHS:
        raise UnreadableImageError(path, f"a DICOM file of modality {modality}", "a radiograph (CR, DX, RG)")
    frames = int(file.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise UnreadableImageError(path, f"a DICOM file of {frames} frames", "one picture")
    if int(file.get("SamplesPerPixel", 1)) != 1 or not kind.startswith("MONOCHROME"):
        raise UnreadableImageError(path, f"a DICOM file in colour ({kind})", "MONOCHROME1 or MONOCHROME2")
    if int(file.Rows) * int(file.Columns) > max_pixels:
        got = f"a DICOM file of {file.Columns} x {file.Rows} pixels"
        raise UnreadableImageError(path, got, f"at most {max_pixels:,} pixels")


def _padding(stored: np.ndarray, file: pydicom.Dataset) -> np.ndarray | None:
    """Which pixels only fill up the rectangle (PS3.3 C.7.5.1.1.2), bool (rows, columns)."""
    value = file.get("PixelPaddingValue")
    if value is None:
        return None
    limit = file.get("PixelPaddingRangeLimit", value)
    inside = (stored >= min(value, limit)) & (stored <= max(value, limit))
    return inside if inside.any() and not inside.all() else None


def _windowed(
    values: np.ndarray, padding: np.ndarray | None, file: pydicom.Dataset
) -> tuple[np.ndarray, float, float]:
    """Values after the VOI LUT or window, with what is black and what is white in them."""
    from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing

    tables = file.get("VOILUTSequence")
    if tables and tables[0].get("LUTData") is not None:
        bits = int(tables[0].LUTDescriptor[2])
        return apply_voi(np.rint(values).astype(np.int64), file).astype(np.float32), 0.0, 2.0**bits - 1
    if _first(file.get("WindowWidth")) >= 1 and file.get("WindowCenter") is not None:
        low, high = apply_windowing(np.array([-1e12, 1e12]), file)  # the ends of the output range
        return apply_windowing(values, file), float(low), float(high)
    bits = int(file.BitsStored)
    if bits <= 8:
        ends = (
            np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1])
            if file.PixelRepresentation
            else np.array([0, 2**bits - 1])
        )
        low, high = sorted(float(end) for end in apply_modality_lut(ends, file))
        return values, low, high
    low, high = np.percentile(values if padding is None else values[~padding], PERCENTILES)
    return values, float(low), float(high)


def _first(value: Any) -> float:
    """The first of an element's values; 0 where there is none."""
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except TypeError:
        return float(value[0]) if len(value) else 0.0


def _short(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:120]
