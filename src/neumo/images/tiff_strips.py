"""Whether the strips of a TIFF are whole: libtiff stops at the last pixel, and Pillow hides its warnings."""

from __future__ import annotations

import zlib
from typing import BinaryIO

import simplejpeg
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from neumo.images.jpeg_layout import too_many_scans

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _FILL_ORDER, _PLANES = 256, 257, 258, 259, 266, 284
_OFFSETS, _SIZES, _TILE_WIDTH, _JPEG_TABLES = (273, 324), (279, 325), 322, 347  # pairs: of strips, of tiles
_JPEG, _DEFLATE, _RUNS = 7, (8, 32946), 32773
_TOGETHER = 1 << 20  # bytes that are inflated at a time
_LARGEST_TILE = 1 << 20  # pixels; it can be larger than its picture


def check_strips(image: TiffImageFile, file: BinaryIO) -> None:
    """Refuse a TIFF whose deflated, run-length or JPEG strips or tiles are damaged.

    A deflated strip has a checksum of its own, which libtiff reads only where the data go on behind the last
    pixel. Of run lengths only those of other than whole rows are found, and of JPEG what its decoder warns
    of. LZW, Zstandard and uncompressed strips have nothing to check that libtiff does not.

    Args:
        image: opened, and of pixels whose number has been checked.
        file: that it is in.

    Raises:
        ValueError: a strip or tile is damaged.
    """
    tags = image.tag_v2
    kind = tags.get(_COMPRESSION)
    offsets, sizes = (next((tags[tag] for tag in pair if tag in tags), ()) for pair in (_OFFSETS, _SIZES))
    known = kind in _DEFLATE or kind in (_JPEG, _RUNS)
    if not known or tags.get(_FILL_ORDER, 1) != 1 or sum(sizes) > file.seek(0, 2):
        return  # libtiff refuses one that lacks bytes
    pixels = 4 * max(tags[_WIDTH] * tags[_HEIGHT], _LARGEST_TILE)
    most = pixels * -(-sum(tags.get(_BITS, (1,))) // 8)
    for at, size in zip(offsets, sizes, strict=False):
        file.seek(at)
        strip = file.read(size)
        if not size:  # of a sparse file
            continue
        if kind in _DEFLATE:
            most -= _inflated(strip, most)
        elif kind == _RUNS:
            _check_runs(strip, _row(tags))
        elif image.mode in ("L", "RGB"):
            most -= _decoded(tags[_JPEG_TABLES][:-2] + strip[2:] if _JPEG_TABLES in tags else strip, most)
        if most < 0:
            return  # a bomb, of which libtiff reads no more than the picture


def _row(tags: ImageFileDirectory_v2) -> int:
    """Bytes of a row of a strip or tile."""
    bits = tags.get(_BITS, (1,))
    together = sum(bits) if tags.get(_PLANES, 1) == 1 else bits[0]
    return int(-(-tags.get(_TILE_WIDTH, tags[_WIDTH]) * together // 8))


def _inflated(strip: bytes, most: int) -> int:
    """Bytes that a deflated strip inflates to, in all or over `most`; refuse what does not end well."""
    inflate = zlib.decompressobj()
    made = 0
    while not inflate.eof and made <= most:
        part = inflate.decompress(inflate.unconsumed_tail if made else strip, _TOGETHER)
        if not part and not inflate.eof:
            raise ValueError("a deflated strip without its end")
        made += len(part)
    return made


def _check_runs(strip: bytes, row: int) -> None:
    """Refuse run lengths that make other than whole rows; a last byte without another is padding."""
    at = made = 0
    while at < len(strip) - 1:
        control = strip[at]
        made += control + 1 if control < 128 else 257 - control if control > 128 else 0
        at += control + 2 if control < 128 else 2 if control > 128 else 1
    if made % row or at > len(strip):
        raise ValueError("run lengths of other than whole rows")


def _decoded(jpeg: bytes, most: int) -> int:
    """Pixels of a JPEG, not decoded where they are more than `most`; refuse one that is warned of."""
    if too_many_scans(jpeg):
        raise ValueError("a JPEG of too many scans")
    height, width, *_ = simplejpeg.decode_jpeg_header(jpeg, strict=False)
    if height * width <= most:
        try:
            simplejpeg.decode_jpeg(jpeg, "GRAY")
        except ValueError as error:
            if "extraneous bytes" not in str(error):  # left-over bytes between segments: the picture is whole
                raise
    return int(height * width)
