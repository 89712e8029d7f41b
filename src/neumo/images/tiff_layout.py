"""TIFFs whose pixels Pillow takes for others, without a word."""

from __future__ import annotations

from pathlib import Path

from PIL.TiffImagePlugin import TiffImageFile

from neumo.errors import UnreadableImageError

_BITS, _SAMPLES, _PLANES = 258, 277, 284
_AS_DECODED = {"F;32BF": "F;32NF", "I;16BS": "I;16NS", "I;32BS": "I;32NS"}


def as_meant(path: Path, image: TiffImageFile) -> None:
    """Have Pillow take the pixels for what they are.

    libtiff gives numbers in the machine's byte order, which Pillow takes for the file's where they are signed
    or fractions. A plane for each channel it takes for grey with transparency, or for one of 8 bits.

    Args:
        path: what errors call the file.
        image: opened, not yet loaded.

    Raises:
        UnreadableImageError: Pillow cannot.
    """
    tags = image.tag_v2
    if tags.get(_PLANES, 1) == 2 and tags.get(_SAMPLES, 1) > 1:
        by_pillow = any(tile.codec_name != "libtiff" for tile in image.tile)
        if image.mode in ("LA", "La", "PA") or (by_pillow and max(tags.get(_BITS, (1,))) > 8):
            raise UnreadableImageError(path, "a TIFF of separate planes", "one whose channels lie together")
    for at, tile in enumerate(image.tile):
        if tile.codec_name == "libtiff" and isinstance(tile.args, tuple):
            kind, *others = tile.args
            image.tile[at] = tile._replace(args=(_AS_DECODED.get(kind, kind), *others))
