"""The codes of a lossless JPEG are whole where libjpeg decodes it without a warning."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import simplejpeg

from neumo.images import jpeg_codes
from neumo.images.jpeg_codes import check_codes
from neumo.phantom.radiograph import draw_radiograph


def segment(marker: int, *content: int) -> bytes:
    return bytes((0xFF, marker)) + (2 + len(content)).to_bytes(2) + bytes(content)


def lossless(pixels: np.ndarray, rows: int) -> bytes:
    """Process 14 with each sample predicted by the one on its left, and a restart after so many rows."""
    height, width = pixels.shape
    values = pixels.astype(int)
    left = np.hstack([np.roll(values[:, :1], 1, axis=0), values[:, :-1]])
    left[1:, 0] = values[:-1, 0]
    left[::rows, 0] = 128
    counts = [0, 1, 2, 2, 1, 2, 4, *[0] * 9]  # of codes of 1 to 16 bits, for differences of 0 to 11 bits
    codes, code, category = {}, 0, 0
    for size, count in enumerate(counts, 1):
        for _ in range(count):
            codes[category] = f"{code:0{size}b}"
            code, category = code + 1, category + 1
        code <<= 1
    parts = []
    for start in range(0, height, rows):
        bits = ""
        for difference in (values - left)[start : start + rows].ravel().tolist():
            size = abs(difference).bit_length()
            more = difference if difference > 0 else difference + (1 << size) - 1
            bits += codes[size] + (f"{more:0{size}b}" if size else "")
        bits += "1" * (-len(bits) % 8)
        parts.append(int(bits, 2).to_bytes(len(bits) // 8).replace(b"\xff", b"\xff\0"))
    data = parts[0] + b"".join(bytes((0xFF, 0xD0 + i % 8)) + part for i, part in enumerate(parts[1:]))
    head = (
        segment(0xC3, 8, *height.to_bytes(2), *width.to_bytes(2), 1, 1, 0x11, 0),
        segment(0xC4, 0, *counts, *range(12)),
        segment(0xDD, *(rows * width if rows < height else 0).to_bytes(2)),
        segment(0xDA, 1, 1, 0, 1, 0, 0),
    )
    return b"\xff\xd8" + b"".join(head) + data + b"\xff\xd9"


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return draw_radiograph("virus", patient=2, size=224)[0][100:153, 100:181]


def whole(data: bytes) -> bool:
    try:
        check_codes(data)
    except ValueError:
        return False
    return True


def whole_for_libjpeg(data: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(data, "GRAY")
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("rows", [53, 20, 1])
def test_a_whole_one_is_whole(pixels: np.ndarray, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = lossless(pixels, rows)
    np.testing.assert_array_equal(simplejpeg.decode_jpeg(data, "GRAY")[..., 0], pixels)
    assert whole(data)
    assert whole(data + bytes(1))
    monkeypatch.setattr(jpeg_codes, "_TOGETHER", 100)
    assert whole(data)


@pytest.mark.parametrize("rows", [53, 20, 1])
def test_what_libjpeg_warns_of_is_refused(pixels: np.ndarray, rows: int) -> None:
    data, random = lossless(pixels, rows), Random(0)
    start = data.index(b"\xff\xda") + 10
    damaged, missed = 0, 0
    for _ in range(200):
        at = random.randrange(start, len(data) - 2)
        size = random.choice((1, 10, 200))
        broken = random.choice(
            (
                data[:at] + data[at + size :],
                data[:at] + bytes(size) + data[at + size :],
                data[:at] + random.randbytes(size) + data[at + size :],
                data[:at] + random.randbytes(size) + data[at:],
                data[:at] + b"\xff\xd9",
            )
        )
        if not whole_for_libjpeg(broken):
            damaged += 1
            missed += whole(broken)
    assert damaged > 100
    assert missed == 0


@pytest.mark.parametrize("by", [b"", b"\xff\xd5"])
def test_every_restart_interval_is_in_its_place(pixels: np.ndarray, by: bytes) -> None:
    assert not whole(lossless(pixels, 1).replace(b"\xff\xd3", by))


@pytest.mark.parametrize("height", [52, 54])
def test_a_header_of_more_or_fewer_rows(pixels: np.ndarray, height: int) -> None:
    data = lossless(pixels, 53)
    assert not whole(data.replace((53).to_bytes(2), height.to_bytes(2), 1))


def test_what_is_no_lossless_jpeg_is_refused(pixels: np.ndarray) -> None:
    data = lossless(pixels, 53)
    lossy = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels)[..., None], colorspace="GRAY")
    for other in (b"", b"\xff\xd8\xff\xd9", data[:40], lossy):
        assert not whole(other)
