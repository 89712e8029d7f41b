"""A DICOM file as grey pixels, upright, the way a viewer first shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import simplejpeg

from neumo.errors import UnreadableImageError
from neumo.images.dicom_age import age_in_years
from neumo.images.dicom_bombs import BombError, check_sequences, compressed_frame, frame_bits, metered
from neumo.images.dicom_grey import grey_levels
from neumo.images.dicom_view import code_string, odd_view, upright
from neumo.images.jpeg_codes import check_codes

if TYPE_CHECKING:
    from pydicom import Dataset

USUAL = {"PixelRepresentation": 0, "SamplesPerPixel": 1}
"""What viewers take where a file does not say, though it must."""

# Modalities (PS3.3 C.7.3.1.1.1) that are no projection radiographs of a body: nothing learned from chest
# radiographs holds for them. Any other, as secondary capture and unknown ones, is let through.
NO_RADIOGRAPH = frozenset(
    (
        *("AR", "AS", "AU", "BDUS", "BI", "BMD", "CT", "DG", "DOC", "ECG", "EEG", "EMG", "EPS", "ES", "FID"),
        *("GM", "HD", "IO", "IOL", "IVOCT", "IVUS", "KER", "KO", "LEN", "LS", "M3D", "MG", "MR", "NM", "OAM"),
        *("OCT", "OP", "OPM", "OPT", "OPTBSV", "OPTENF", "OPV", "OSS", "PLAN", "PR", "PT", "PX", "REG"),
        *("RTDOSE", "RTPLAN", "RTSTRUCT", "RWV", "SEG", "SM", "SMR", "SR", "SRF", "TG", "US", "VA", "XC"),
    )
)

# What names of SOP classes (PS3.4 B.5) of radiographs begin with; one that has no name is let through.
RADIOGRAPHS = (
    "Computed Radiography Image",
    "Digital X-Ray Image",
    "Secondary Capture Image",
    "Multi-frame",  # secondary captures
)


HEAD = 300
"""Bytes at the start of a DICOM file that tell what it is."""

# What SOP classes (PS3.4 B.5) begin with that have no pixels: what a PACS keeps and exports beside images.
_RECORDS = tuple(
    f"1.2.840.10008.{one}".encode()
    for one in (
        "1.3.10",  # DICOMDIR, whatever it is called
        "5.1.4.1.1.9.",  # waveforms
        "5.1.4.1.1.11.",  # presentation states
        "5.1.4.1.1.66.1",  # spatial registration
        "5.1.4.1.1.67",  # real world values
        "5.1.4.1.1.88.",  # structured reports and key objects
        "5.1.4.1.1.104.",  # documents
        *("5.1.4.1.1.481.3", "5.1.4.1.1.481.5", "5.1.4.1.1.481.8"),  # radiotherapy's structures and plans
    )
)


def is_dicom(head: bytes) -> bool:
    """Whether a file with these first 132 bytes is DICOM: a preamble or, without it, group 0002 or 0008."""
    meta = head[:2] == b"\x02\x00" and head[4:6] in (b"UL", b"OB", b"UI")
    return head[128:132] == b"DICM" or meta or (head[:2] == b"\x08\x00" and head[3:4] == b"\x00")


def is_record(head: bytes) -> bool:
    """Whether a DICOM file with these first bytes, `HEAD` of them, is no image by the class that it says."""
    _, found, after = head.partition(b"\x02\x00\x02\x00UI")  # Media Storage SOP Class UID
    sop_class = after[2 : 2 + int.from_bytes(after[:2], "little")] if found else b""
    return head[128:132] == b"DICM" and sop_class.startswith(_RECORDS)


def read_dicom(
    path: Path, file: BinaryIO, max_pixels: int
) -> tuple[np.ndarray, str, tuple[str, ...], float | None]:
    """Read one DICOM radiograph.

    Args:
        path: what the file is called in errors.
        file: opened at its start. Old files without a preamble are read as well.
        max_pixels: larger pictures are refused before they are decoded.

    Returns:
        Grey pixels, float32 from 0 to 255, shape (rows, columns), dense tissue white, padding black, the
        patient's left on the right; the photometric interpretation of the file; what is odd about the view,
        see `odd_view`; and the patient's age in years, None where the header does not say.

    Raises:
        UnreadableImageError: not DICOM, no or broken pixels, several frames, colour, not a radiograph.
    """
    import pydicom

    try:
        dataset = pydicom.dcmread(metered(file, max_pixels), force=True)
        check_sequences(dataset)
        for name, usual in USUAL.items():
            if dataset.get(name) is None:
                setattr(dataset, name, usual)
        kind = dataset.PhotometricInterpretation = _check(path, dataset, max_pixels)
        stored = _stored(path, dataset)
        first = int(stored.min())
        # worked out once for each possible value, at most 2**16, instead of for millions of pixels
        levels = np.arange(first, int(stored.max()) + 1)
        grey = grey_levels(levels, stored, dataset, kind)[stored.astype(np.int32) - first]
        return upright(grey, dataset), kind, odd_view(dataset), age_in_years(dataset)
    except (UnreadableImageError, MemoryError):
        raise
    except Exception as error:  # pydicom raises nearly every kind on broken files
        detail = str(error) or type(error).__name__
        raise UnreadableImageError(
            path, "a broken DICOM file", "a DICOM radiograph that decodes", detail
        ) from error


def _check(path: Path, dataset: Dataset, max_pixels: int) -> str:
    """Refuse what is no single grey radiograph; give its photometric interpretation."""

    def refuse(
        got: str, expected: str = "a radiograph of one grey frame", detail: str = ""
    ) -> UnreadableImageError:
        return UnreadableImageError(path, got, expected, detail)

    from pydicom.uid import UID

    if "DirectoryRecordSequence" in dataset:
        raise refuse("a DICOMDIR", "the radiographs that it lists")
    if "SOPClassUID" not in dataset and "Rows" not in dataset:  # also what pydicom makes of a file cut short
        raise refuse("a file that is no DICOM, or a truncated one", "a complete DICOM radiograph")
    modality = code_string(dataset, "Modality")
    if modality in NO_RADIOGRAPH:
        raise refuse(f"DICOM modality {modality}", "a radiograph (CR, DX, RG)")
    name = UID(str(dataset.get("SOPClassUID", ""))).name
    if " Storage" in name and not name.startswith(RADIOGRAPHS):
        raise refuse(f"DICOM of the class {name}", "a radiograph (CR, DX or a secondary capture)")
    if "PixelData" not in dataset:
        raise refuse("DICOM without pixels", detail=name or "of unknown kind")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1:
        raise refuse(f"DICOM of {frames} frames")
    kind = code_string(dataset, "PhotometricInterpretation")
    if kind not in ("MONOCHROME1", "MONOCHROME2") or dataset.SamplesPerPixel != 1:
        raise refuse("DICOM in colour", detail=kind or "no photometric interpretation")
    for name in ("Rows", "Columns", "BitsAllocated", "BitsStored"):
        value = dataset.get(name)
        if not isinstance(value, int) or value < 1:
            raise refuse(
                "a broken DICOM file",
                "a DICOM radiograph that decodes",
                f"no {name}" if value is None else f"{name} {value}",
            )
    if dataset.Rows * dataset.Columns > max_pixels:
        raise refuse(f"DICOM of {dataset.Columns} x {dataset.Rows} pixels", f"at most {max_pixels:,} pixels")
    if dataset.BitsAllocated > 16:
        raise refuse(f"DICOM of {dataset.BitsAllocated} bits per pixel", "at most 16 bits")
    return kind


def _stored(path: Path, dataset: Dataset) -> np.ndarray:
    """The stored values, integers (rows, columns), by a decoder that refuses broken data."""
    from pydicom import uid
    from pydicom.dataset import FileMetaDataset
    from pydicom.pixels import pixel_array

    dataset.file_meta = getattr(dataset, "file_meta", FileMetaDataset())
    if "TransferSyntaxUID" not in dataset.file_meta:  # a file without a preamble does not say
        implicit, _ = dataset.original_encoding
        syntax = uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax
    syntax = dataset.file_meta.TransferSyntaxUID
    # pydicom by itself would try every decoder, GDCM first, which fills holes and chatters on standard error
    plugin = ""
    try:
        if syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit):  # of 8 bits, in either
            frame = compressed_frame(dataset)
            if (bits := frame_bits(dataset)) > 8:
                raise UnreadableImageError(
                    path,
                    f"DICOM in lossy JPEG of {bits} bits, which no decoder here reads",  # nor does GDCM
                    "8 bits, or another transfer syntax",
                )
            return simplejpeg.decode_jpeg(frame, "GRAY")[..., 0]
        if syntax in uid.JPEGLSTransferSyntaxes:
            plugin = "pyjpegls"
            # DCMTK makes frames even with any byte; within pixels none above 127 follows 255
            if b"\xff\xd9" not in compressed_frame(dataset).rstrip(b"\0")[-3:]:
                raise ValueError("no end of image")  # pyjpegls would find out too, after half a minute
        elif syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
            plugin = "gdcm"
            check_codes(compressed_frame(dataset))
            if frame_bits(dataset) > dataset.BitsAllocated:
                raise ValueError("more bits than are allocated")
        elif syntax.is_compressed:
            compressed_frame(dataset)
            plugin = "pylibjpeg" if syntax in uid.JPEG2000TransferSyntaxes else ""
        elif dataset["PixelData"].is_undefined_length:  # fragments, whose heads would be taken for pixels
            raise ValueError("fragments of pixels that are not compressed")
        # decoded as whole words, whose unused bits are not to be seen (PS3.5 8.1.1): JPEG-LS that DCMTK codes
        # so, and all that GDCM decodes, as it ends the process where fewer than 8 bits are said to be stored
        whole = plugin == "gdcm"
        if syntax == uid.JPEGLSLossless:
            whole = frame_bits(dataset) == dataset.BitsAllocated
        shift = _shift(dataset)
        bits = dataset.BitsStored + shift  # pydicom takes the lowest ones
        allocated = dataset.BitsAllocated
        stored = pixel_array(dataset, decoding_plugin=plugin, bits_stored=allocated if whole else bits)
        if whole:
            stored = stored << (allocated - bits) >> (allocated - bits)
        if shift and not _right_aligned(stored, dataset.BitsStored, shift):
            stored = stored >> shift
    except UnreadableImageError:
        raise
    except Exception as error:
        raise UnreadableImageError(
            path,
            "DICOM whose pixels do not decode",
            "complete pixels in a known transfer syntax",
            f"{syntax.name}: {error}" if isinstance(error, BombError) else syntax.name,
        ) from error
    if stored.ndim != 2:  # pydicom goes by how many values there are
        raise UnreadableImageError(
            path, f"DICOM with the values of {len(stored)} frames", "a radiograph of one grey frame"
        )
    return stored


def _shift(dataset: Dataset) -> int:
    """How many bits lie below the stored ones (PS3.5 8.1.1): 4 of 12 in 16 whose High Bit is 15.

    0 where High Bit is missing or cannot be, and where a compressed frame has no more bits than are stored.
    """
    high = dataset.get("HighBit")
    top = high + 1 if isinstance(high, int) else 0
    if not dataset.BitsStored < top <= dataset.BitsAllocated:
        return 0
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed and frame_bits(dataset) < top:
        return 0
    return int(top - dataset.BitsStored)


def _right_aligned(stored: np.ndarray, bits: int, shift: int) -> bool:
    """Whether values fill the lowest bits and no others, though High Bit puts them `shift` higher."""
    return bool(stored.min() >= 0 and stored.max() >> bits == 0 and (stored & ((1 << shift) - 1)).any())
