"""TIFFs of either byte order, of signed numbers and fractions, and of separate planes."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from neumo.errors import UnreadableImageError
from neumo.images.read import inspect_radiograph, read_radiograph

RAMP = np.add.outer(np.arange(150), np.arange(180)) % 256  # every grey level
SIGNED, FRACTIONS = 2, 3


Tags = dict[int, int | tuple[int, ...]]


def by_hand(planes: list[np.ndarray], end: str, compressed: bool, tags: Tags) -> bytes:
    """A TIFF of the byte order that its pixels have, with a strip for each plane."""
    strips = [zlib.compress(plane.tobytes()) if compressed else plane.tobytes() for plane in planes]
    at = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    bits = 8 * planes[0].dtype.itemsize
    tags = {256: 180, 257: 150, 258: bits, 259: 8 if compressed else 1, 262: 1, 277: 1, 278: 150, **tags}
    tags |= {273: tuple(at), 279: tuple(map(len, strips))}
    behind = 8 + sum(map(len, strips)) + 2 + 12 * len(tags) + 4
    entries, more = b"", b""
    for tag, value in sorted(tags.items()):
        values = value if isinstance(value, tuple) else (value,)
        content = struct.pack(f"{end}{len(values)}I", *values)
        if len(values) > 1:
            content, more = struct.pack(end + "I", behind + len(more)), more + content
        entries += struct.pack(end + "HHI", tag, 4, len(values)) + content
    head = struct.pack(end + "2sHI", b"MM" if end == ">" else b"II", 42, 8 + sum(map(len, strips)))
    return head + b"".join(strips) + struct.pack(end + "H", len(tags)) + entries + bytes(4) + more


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("end", "<>")
@pytest.mark.parametrize(
    ("kind", "values", "sample_format"),
    [
        ("i1", RAMP - 128, SIGNED),
        ("i2", RAMP * 8 - 1024, SIGNED),
        ("i4", RAMP * 1000 - 100_000, SIGNED),
        ("f4", RAMP / 255, FRACTIONS),
        ("f4", RAMP, FRACTIONS),
        ("f4", RAMP * 4.0 - 500, FRACTIONS),
        ("u2", RAMP * 257, 1),
    ],
)
def test_numbers_are_read_as_they_were_written(
    compressed: bool, end: str, kind: str, values: np.ndarray, sample_format: int
) -> None:
    content = by_hand([values.astype(end + kind)], end, compressed, {339: sample_format})
    for pixels in (
        read_radiograph(io.BytesIO(content), None),
        inspect_radiograph(io.BytesIO(content), None).pixels,
    ):
        np.testing.assert_allclose(pixels, RAMP, atol=1)


@pytest.mark.parametrize("end", "<>")
@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("channels", [2, 3])
def test_separate_planes_are_read_or_refused(
    tmp_path: Path, end: str, kind: str, compressed: bool, channels: int
) -> None:
    """Grey with an opaque alpha channel, or red, green and blue."""
    white = np.iinfo(kind).max
    grey = (RAMP * (white // 255)).astype(end + kind)
    planes = [grey, np.full_like(grey, white)] if channels == 2 else [grey] * 3
    tags: Tags = {
        277: channels,
        258: (8 * grey.dtype.itemsize,) * channels,
        284: 2,
        262: 1 if channels == 2 else 2,
    }
    content = by_hand(planes, end, compressed, tags | ({338: 2} if channels == 2 else {}))
    (tmp_path / "a.tif").write_bytes(content)
    if channels == 3 and (kind == "u1" or compressed):
        np.testing.assert_array_equal(read_radiograph(tmp_path / "a.tif", None), RAMP)
    else:
        with pytest.raises(UnreadableImageError, match=r"a\.tif: got a "):
            read_radiograph(tmp_path / "a.tif", None)
