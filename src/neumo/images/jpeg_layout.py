"""What a JPEG is made of, told without decoding it."""

from __future__ import annotations

from collections.abc import Iterator

MAX_SCANS = 64  # of a progressive JPEG, which has about ten; each goes through all of the picture once more


def segments(jpeg: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, content and end of each segment (ITU-T T.81, B.1.1.4) up to the codes of the first scan."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        if jpeg[at + 1] == 0xFF:  # fill
            at += 1
            continue
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        yield jpeg[at + 1], jpeg[at + 4 : end], end
        if jpeg[at + 1] == 0xDA:
            return
        at = end


def frame(jpeg: bytes) -> int:
    """The marker of a JPEG's frame; 0 where libjpeg may find another."""
    for marker, _, _ in segments(jpeg):
        if marker <= 0x01 or 0xD0 <= marker <= 0xD9:  # these stand alone, without a length
            return 0
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # tables, and one that is reserved
            return marker
    return 0


def without(jpeg: bytes, unwanted: int) -> bytes:
    """A JPEG without the segments of a marker before its first scan."""
    at, kept = 2, [jpeg[:2]]
    for marker, _, end in segments(jpeg):
        kept += [jpeg[at:end]] * (marker != unwanted)
        at = end
    return b"".join([*kept, jpeg[at:]])


def too_many_scans(data: bytes) -> bool:
    """Whether a JPEG, or the frame of a DICOM file, would take far longer to decode than its size tells.

    A start of scan (ITU-T T.81, B.1.1.3) cannot stand in the coded data, only where it is meant or in a
    preview, which has few.
    """
    return data.count(b"\xff\xda") > MAX_SCANS
