"""Any radiograph file as grey pixels: the one way in for training, prediction and the server.

The picture is stretched to a square, as the study does, by Pillow's bilinear filter, which averages when it
shrinks. A JPEG is decoded to a half, a quarter or an eighth where that is still large enough: most of the
averaging is done by its decoder then. A picture that already has the asked size is not resampled.
"""

from __future__ import annotations

import os
import stat
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageChops, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from neumo.errors import NeumoError, UnreadableImageError, as_whole, told
from neumo.images.checks import look
from neumo.images.dicom import is_dicom, read_dicom
from neumo.images.grey import to_grey
from neumo.images.jpeg import decode_jpeg
from neumo.images.jpeg_layout import MAX_SCANS, too_many_scans
from neumo.images.tiff_layout import as_meant
from neumo.images.tiff_strips import check_strips

PIXELS = 5  # raise it when `read_radiograph` or `generate` gives other pixels than before
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "JPEG2000", "PPM")
STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF"),
}
UNKNOWN = ("subsampling", "raw mode", "conversion from")  # in what decoders say of kinds they do not know
EXPECTED = "a radiograph as JPEG, PNG, TIFF, WebP, BMP or DICOM"
MAX_PIXELS = (
    100_000_000  # five times the largest detector: no radiograph, but enough to fill a laptop's memory
)
TINY = 112  # pixels of the shorter side: half of the study's 224, and most of what shows is interpolated
COLOUR_LEVELS = 24  # between a pixel's largest and smallest channel: more than JPEG makes of grey
COLOUR_SHARE = 0.01  # of the pixels


@dataclass(frozen=True)
class Inspection:
    """What one radiograph file holds.

    Attributes:
        mode: how the file stores a pixel: Pillow's mode ("L", "RGB", "I;16") or DICOM's photometric
            interpretation ("MONOCHROME1").
        width: of the upright picture in the file, in pixels.
        height: of the upright picture in the file, in pixels.
        problems: what is odd about it, names of `neumo.images.checks.MEANING`; empty where nothing is.
        pixels: what `read_radiograph` gives, uint8 (size, size); of a colour JPEG to a grey level or two, as
            its brightness is then taken from its colours.
        age: of the patient in years, where a DICOM header says it.
    """

    mode: str
    width: int
    height: int
    problems: tuple[str, ...]
    pixels: np.ndarray = field(repr=False, compare=False)
    age: float | None = field(default=None, repr=False, compare=False)


def pixels_id() -> dict[str, str | int]:
    """What pixels depend on besides the file: how they are read, resized and changed, and by what."""
    return {"pixels": PIXELS, **_decoders()}


@cache
def _decoders() -> dict[str, str]:
    packages = (
        *("pillow", "pydicom", "simplejpeg"),
        *("pylibjpeg", "pylibjpeg-openjpeg", "pyjpegls", "python-gdcm"),
    )
    return {package: version(package) for package in packages}


def read_radiograph(
    source: str | Path | BinaryIO, size: int | None = 224, *, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Read one radiograph as grey pixels.

    Args:
        source: JPEG, PNG, TIFF, WebP, BMP, GIF, JPEG 2000, PGM or DICOM, told apart by content; the path of a
            file, or a file that is open in binary mode, as `io.BytesIO`, which errors call by its ``name``.
        size: side of the square that is returned, in pixels; None for the picture's own height and width.
        max_pixels: a picture of more is refused before it is decoded.

    Returns:
        uint8, shape (size, size) or (height, width); 0 is black.

    Raises:
        UnreadableImageError: the file is missing or cannot be used as a radiograph.
        NeumoError: the source is neither a path nor such a file, or the size no such number.
        PermissionError: the file may not be read.

    Example:
        >>> read_radiograph("person1_virus_6.jpeg").shape
        (224, 224)
    """
    return _read(source, size, max_pixels, inspect=False).pixels


def inspect_radiograph(
    source: str | Path | BinaryIO, size: int | None = 224, *, max_pixels: int = MAX_PIXELS
) -> Inspection:
    """Read one radiograph and say what is odd about it, decoding it once.

    Arguments and errors are those of `read_radiograph`.
    """
    return _read(source, size, max_pixels, inspect=True)


def _read(source: str | Path | BinaryIO, size: int | None, max_pixels: int, inspect: bool) -> Inspection:
    if not isinstance(source, str | os.PathLike) and not hasattr(source, "read"):
        raise NeumoError(f"source: got {told(source)}, expected a path or a file that is open in binary mode")
    if size is not None:
        size = as_whole("size", size, 1)
    odd: tuple[str, ...] = ()
    age: float | None = None
    path = Path(source if isinstance(source, str | Path) else str(getattr(source, "name", "radiograph")))
    try:
        with _opened(source) as file:
            head = file.read(132)
            file.seek(0)
            if not head:
                raise UnreadableImageError(path, "an empty file", EXPECTED)
            if head.startswith(b"PK\3\4"):
                raise UnreadableImageError(path, "a ZIP archive", "the radiographs in it, unpacked")
            if is_dicom(head):
                grey, mode, odd, age = read_dicom(path, file, max_pixels)
                image = Image.fromarray(grey)
                original = image.size
            else:
                image, mode, original, odd = _decode(path, file, size, max_pixels, inspect)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableImageError(path, "no such file", EXPECTED) from error
    except PermissionError:
        raise
    except (OSError, ValueError) as error:  # too long a name, a NUL in it, a failing disk
        raise UnreadableImageError(path, "a file that cannot be read", EXPECTED, str(error)) from error
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)
    if image.mode == "F":  # more than 8 bits are rounded once, at the end
        image = Image.fromarray(np.rint(np.asarray(image)).astype(np.uint8))
    pixels = np.array(image)
    if inspect:
        odd = ("tiny",) * (min(original) < TINY) + look(pixels) + odd
    return Inspection(mode, original[0], original[1], odd, pixels, age)


def _opened(source: str | Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    if not isinstance(source, str | Path):
        return nullcontext(source)
    kind = Path(source).stat().st_mode  # before it is opened: a pipe would wait for its writer
    if not stat.S_ISREG(kind):
        got = "a folder" if stat.S_ISDIR(kind) else "a pipe or device"
        raise UnreadableImageError(source, got, EXPECTED)
    return Path(source).open("rb")


def _decode(
    path: Path, file: BinaryIO, size: int | None, max_pixels: int, inspect: bool
) -> tuple[Image.Image, str, tuple[int, int], tuple[str, ...]]:
    """The picture in grey, large enough for `size`; its mode, its size in the file, what is odd about it."""
    kind, scale = "picture", 1
    try:
        image: Image.Image = Image.open(file, formats=FORMATS)
        kind, mode, original = image.format or kind, image.mode, image.size
        if image.width * image.height > max_pixels:
            raise _too_large(path, f"{kind} of {image.width} x {image.height} pixels", max_pixels)
        # not counted, as a file can hold a million; MPO: a camera's JPEG, with a preview as second picture
        if getattr(image, "is_animated", False) and kind != "MPO":
            raise UnreadableImageError(path, f"{kind} of several pictures", "one picture")
        data = b""
        if kind in ("JPEG", "MPO"):
            file.seek(0)
            data = file.read()
            if too_many_scans(data):
                raise UnreadableImageError(path, f"a {kind} of too many scans", f"at most {MAX_SCANS}")
        if data and mode in ("L", "RGB"):
            orientation = _orientation(image)
            height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=False)
            if height * width > max_pixels:  # Pillow may have read another of several headers
                raise _too_large(path, f"{kind} of {width} x {height} pixels", max_pixels)
            space = "RGBA" if inspect and mode == "RGB" else "GRAY"
            image, scale = decode_jpeg(data, space, height, width, size)
        else:
            if isinstance(image, TiffImageFile):
                as_meant(path, image)
                check_strips(image, file)
            image.load()
            orientation = _orientation(image)
        grey, odd = to_grey(path, image), _oddities(image) if inspect else ()
        if size is not None and scale > 1:
            # what a scaled JPEG has beyond the picture's own edge, less than a pixel, is left out
            inside = (0.0, 0.0, width / scale, height / scale)
            grey = grey.resize((size, size), Image.Resampling.BILINEAR, inside)
        if orientation != 1:
            grey.getexif()[ExifTags.Base.Orientation] = orientation
            ImageOps.exif_transpose(grey, in_place=True)
            original = original if orientation < 5 else original[::-1]  # 5 to 8 lie on their side
        return grey, mode, original, odd
    except (UnreadableImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        file.seek(0)
        start = file.read(4)
        if kind := next((kind for known, kind in STARTS.items() if start.startswith(known)), ""):
            raise _rare(path, kind) from error
        raise UnreadableImageError(path, "a file that is no picture", EXPECTED) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path, str(error), max_pixels) from error
    except Exception as error:  # Pillow raises nearly every kind on broken files
        text = str(error)
        if "truncated" in text or "remature end" in text:
            raise UnreadableImageError(path, f"a truncated {kind}", f"a complete {kind}", text) from error
        if isinstance(error, KeyError) or any(word in text for word in UNKNOWN):
            raise _rare(path, kind) from error
        raise UnreadableImageError(path, f"a broken {kind}", f"a {kind} that decodes", text) from error


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, upright, also where the EXIF data is broken: the picture may be whole."""
    try:
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _rare(path: Path, kind: str) -> UnreadableImageError:
    return UnreadableImageError(
        path, f"a broken {kind}, or one of a rare kind", "a common one, of 8 or 16 bits"
    )


def _too_large(path: Path, got: str, max_pixels: int) -> UnreadableImageError:
    return UnreadableImageError(path, got, f"at most {max_pixels:,} pixels")


def _oddities(image: Image.Image) -> tuple[str, ...]:
    """What is odd in the pixels of a decoded picture: "colour", "transparent"."""
    odd: tuple[str, ...] = ()
    if image.has_transparency_data and np.asarray(image.convert("RGBA").getchannel("A")).min() < 255:
        odd += ("transparent",)
    if image.mode in ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr"):
        red, green, blue = image.convert("RGB").split()
        largest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
        smallest = ImageChops.darker(ImageChops.darker(red, green), blue)
        spread = ImageChops.subtract(largest, smallest).histogram()
        if sum(spread[COLOUR_LEVELS + 1 :]) > COLOUR_SHARE * image.width * image.height:
            odd += ("colour",)
    return odd
