"""Damaged strips of TIFFs, which Pillow decodes without a word."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from neumo.errors import UnreadableImageError
from neumo.images.read import read_radiograph


def smooth(dtype: type) -> np.ndarray:
    """A picture of 500 x 600 pixels of all the range of a type."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (5, 6), np.uint8)).resize(
        (600, 500), Image.Resampling.BICUBIC
    )
    return np.asarray(small).astype(dtype) * (np.iinfo(dtype).max // 255)


def saved(pixels: np.ndarray, kind: str, **tags: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(
        file, "TIFF", compression=kind, tiffinfo={int(k[1:]): v for k, v in tags.items()}
    )
    return file.getvalue()


def by_hand(tags: dict[int, int], data: bytes) -> bytes:
    """A TIFF of one strip or tile, 8 bits grey: the header, the directory, the data."""
    tags = {258: 8, 262: 1, 277: 1, 279: len(data), **tags}
    end = 8 + 2 + 12 * (len(tags) + 1) + 4
    tags[324 if 322 in tags else 273] = end
    if 322 in tags:
        tags[325] = tags.pop(279)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(end - 10 - len(entries)) + data


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *itertools.product(("tiff_deflate", "tiff_adobe_deflate", "packbits"), (np.uint8, np.uint16)),
        ("jpeg", np.uint8),
    ],
)
def test_damage_is_found(kind: str, dtype: type, tmp_path: Path) -> None:
    content = saved(smooth(dtype), kind)
    whole = read_radiograph(io.BytesIO(content))
    for share in (0.25, 0.4, 0.55, 0.7):
        at = int(len(content) * share)
        (tmp_path / "a.tif").write_bytes(content[:at] + bytes(40) + content[at + 40 :])
        with pytest.raises(UnreadableImageError, match=r"a\.tif: got a (broken|truncated) TIFF"):
            read_radiograph(tmp_path / "a.tif")
    (tmp_path / "a.tif").write_bytes(content)
    np.testing.assert_array_equal(read_radiograph(tmp_path / "a.tif"), whole)


@pytest.mark.parametrize("kind", ["tiff_deflate", "packbits", "jpeg"])
def test_whole_ones_are_read(kind: str) -> None:
    """In many strips, in colour, with data behind the picture's."""
    grey = smooth(np.uint8)
    colour = np.dstack([grey] * 3)
    several = [saved(grey, kind, t278=16), saved(colour, kind), saved(grey, kind) + b"behind"]
    if kind == "tiff_deflate":
        several += [saved(grey, kind, t317=2)]
    for content in several:
        read = read_radiograph(io.BytesIO(content), None)
        assert np.abs(read.astype(int) - grey).max() <= (12 if kind == "jpeg" else 0)


def test_a_tile_may_be_larger_than_its_picture() -> None:
    tile = np.zeros((512, 512), np.uint8)
    tile[:300, :400] = 100
    shape = {256: 400, 257: 300, 322: 512, 323: 512}
    runs = bytes((129, 100) * 4) * 512  # 128 times 100, four times a row
    for kind, data in ((8, zlib.compress(tile.tobytes())), (32773, runs)):
        assert (read_radiograph(io.BytesIO(by_hand({**shape, 259: kind}, data)), None) == 100).all()


def test_a_bomb_is_not_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A strip of 224 x 224 pixels that would inflate to 256 megabytes."""
    made, inflater = [], zlib.decompressobj

    class Counted:
        def __init__(self) -> None:
            self.real = inflater()

        def decompress(self, *given: Any) -> bytes:
            made.append(self.real.decompress(*given))
            return made[-1]

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

    content = by_hand({256: 224, 257: 224, 259: 8, 278: 224}, zlib.compress(bytes(2**28)))
    monkeypatch.setattr(zlib, "decompressobj", Counted)
    assert not read_radiograph(io.BytesIO(content)).any()
    assert 224 * 224 <= sum(map(len, made)) < 2**24
