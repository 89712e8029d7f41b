"""Refuse DICOM files that would cost far more to read than a radiograph can."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO

from neumo.images.jpeg_layout import segments, too_many_scans

if TYPE_CHECKING:
    from pydicom import Dataset

READS = 20_000  # of a file's parts: two for each element or fragment of pixels, of which there are hundreds
SEQUENCES = frozenset(  # that are read here
    ("ModalityLUTSequence", "VOILUTSequence", "ViewCodeSequence", "AnatomicRegionSequence")
)
TABLE = 2**20  # bytes of one of them; the largest lookup table has 128 KiB
ITEMS = 16  # of one of them, those within its items included; there are few
ITEM = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # how an item starts (PS3.5 7.5), in either order of bytes
SLACK = 2**20  # bytes of a file beside its pixels


class BombError(ValueError):
    """A file that is small and would become huge, or would never end."""


class _Metered(io.RawIOBase):
    """A file that can be read a limited number of times: millions of empty elements would fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = READS
        self.name = getattr(file, "name", None)

    def read(self, size: int | None = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise BombError("more elements than any radiograph has")
        return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def metered(file: BinaryIO, max_pixels: int) -> BinaryIO:
    """The file as pydicom can read it without end of time or memory; a deflated one is inflated, in bounds.

    Args:
        file: opened at its start.
        max_pixels: of two bytes each; data that inflate to more are refused.

    Raises:
        BombError: they do.
    """
    from pydicom import uid
    from pydicom.filebase import DicomBytesIO
    from pydicom.filereader import _read_file_meta_info, read_preamble
    from pydicom.filewriter import write_file_meta_info

    bounded = _Metered(file)
    read_preamble(bounded, force=True)
    meta = _read_file_meta_info(bounded)
    if meta.get("TransferSyntaxUID") != uid.DeflatedExplicitVRLittleEndian:
        file.seek(0)
        return _Metered(file)  # type: ignore[return-value]
    data = _inflated(file.read(), 2 * max_pixels + SLACK)
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    whole = DicomBytesIO()
    whole.write(bytes(128) + b"DICM")
    write_file_meta_info(whole, meta, enforce_standard=False)  # as it was, whatever it lacks
    whole.write(data)
    whole.seek(0)
    return _Metered(whole)  # type: ignore[return-value]


def _inflated(data: bytes, limit: int) -> bytes:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflate.decompress(data, limit)
    if not inflate.eof and inflate.unconsumed_tail:
        raise BombError(f"deflated data of more than {limit} bytes")
    return inflated


def check_sequences(dataset: Dataset) -> None:
    """Refuse sequences that are no such before pydicom takes them apart, which is slow for each item.

    These are the ones that are read here, and other elements that call themselves a sequence. One without a
    length is apart already, as far as the file could be read.

    Raises:
        BombError: a sequence has more bytes than tables can have, or more items than anyone writes.
    """
    from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
    from pydicom.dataelem import RawDataElement

    for tag in dataset.keys():  # noqa: SIM118, a data set's own iterator takes every element apart
        element = dataset.get_item(tag)
        if not isinstance(element, RawDataElement):
            for item in element.value if element is not None and element.VR == "SQ" else ():
                check_sequences(item)
            continue
        name = keyword_for_tag(tag)
        disguised = element.VR == "SQ" and dictionary_has_tag(tag) and dictionary_VR(tag) != "SQ"
        if name not in SEQUENCES and not disguised:
            continue
        value = element.value or b""
        if len(value) > TABLE:
            raise BombError(f"a {name} of more than {TABLE} bytes")
        if max(value.count(start) for start in ITEM) > ITEMS:
            raise BombError(f"a {name} of more than {ITEMS} items")


def compressed_frame(dataset: Dataset) -> bytes:
    """The only frame of compressed pixels, whose own header agrees with the data set's.

    A decoder makes what the frame's header says, however little data follow.

    Raises:
        BombError: it does not agree.
    """
    from pydicom import uid
    from pydicom.encaps import get_frame

    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    syntax, size = dataset.file_meta.TransferSyntaxUID, (dataset.Rows, dataset.Columns)
    if syntax == uid.RLELossless:
        _check_runs(frame, size[0] * size[1], dataset.BitsAllocated // 8)
    elif syntax in uid.JPEG2000TransferSyntaxes:
        import openjpeg

        found = openjpeg.get_parameters(frame)
        if (found["rows"], found["columns"]) != size or found["samples_per_pixel"] != 1:
            raise BombError("pixels of another size than the header's")
    elif _jpeg_size(frame) != (*size, 1):
        raise BombError("pixels of another size than the header's")
    elif too_many_scans(frame):
        raise BombError("a JPEG of too many scans")
    return frame


def frame_bits(dataset: Dataset) -> int:
    """Bits of a value in the only frame of compressed pixels, by the frame's own header."""
    from pydicom import uid
    from pydicom.encaps import get_frame

    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax == uid.RLELossless:
        return int(dataset.BitsAllocated)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    if syntax in uid.JPEG2000TransferSyntaxes:
        import openjpeg

        return int(openjpeg.get_parameters(frame)["precision"])
    return _start_of_frame(frame)[0]


def _jpeg_size(frame: bytes) -> tuple[int, int, int]:
    """Rows, columns and components of a JPEG or JPEG-LS."""
    content = _start_of_frame(frame)
    return int.from_bytes(content[1:3]), int.from_bytes(content[3:5]), content[5]


def _start_of_frame(frame: bytes) -> bytes:
    """What is in the start of frame of a JPEG or JPEG-LS (ITU-T T.81, B.2.2)."""
    for marker, content, _ in segments(frame):
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return content
    raise BombError("no start of frame")


def _check_runs(frame: bytes, pixels: int, segments: int) -> None:
    """Refuse run lengths (PS3.5 annex G) of more than `pixels` bytes in a segment; a byte can become 64.

    Nor may a segment have more runs than pixels, or bytes of another segment: each run takes time.
    """
    count, *starts = (int.from_bytes(frame[at : at + 4], "little") for at in range(0, 64, 4))
    ends = [*starts[1:segments], len(frame)]
    if count != segments or any(not 64 <= start < end for start, end in zip(starts, ends, strict=False)):
        raise BombError("run lengths in other segments than the header's")
    for at, end in zip(starts, ends, strict=False):
        made = 0
        while at < end:
            control = frame[at]
            # 128 makes nothing, but counts
            made += control + 1 if control < 128 else 257 - control if control > 128 else 1
            at += control + 2 if control < 128 else 2 if control > 128 else 1
            if made > pixels + 256:
                raise BombError("run lengths of more pixels than the header's")
