"""Any radiograph file as grey pixels: the one way in for training, prediction and the server.

The picture is stretched to a square, as the study does, by Pillow's bilinear filter, which averages when it shrinks.
A picture that already has the asked size is not resampled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from neumo.errors import UnreadableImageError

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "JPEG2000", "PPM")
EXPECTED = "a JPEG, PNG, TIFF, WebP, BMP or DICOM radiograph"
MAX_PIXELS = (
    100_000_000  # several times the largest detector: what is larger is no radiograph, but eats the memory
)
TINY = 112  # pixels; a shorter side below is less than half of the networks' usual input of 224
BLANK = 8  # grey levels between the 1st and the 99th percentile of a picture; fewer show nothing
COLOURED_LEVELS = 24  # between a pixel's largest and smallest channel
COLOURED_SHARE = 0.01  # of the pixels


@dataclass(frozen=True)
class Inspection:
    """What one radiograph file holds.

    Attributes:
        mode: how the file stores a pixel: Pillow's mode ("L", "RGB", "I;16") or DICOM's photometric interpretation.
        width: of the picture in the file, in pixels, upright.
        height: of the picture in the file, in pixels, upright.
        problems: what is odd about it, of "tiny", "blank", "colour", "transparent"; empty where nothing is.
        pixels: what `read_radiograph` gives, uint8 (size, size).
    """

    mode: str
    width: int
    height: int
    problems: tuple[str, ...]
    pixels: np.ndarray = field(repr=False, compare=False)


def read_radiograph(path: str | Path, size: int | None = 224) -> np.ndarray:
    """Read one radiograph as grey pixels.

    Args:
        path: JPEG, PNG, TIFF, WebP, BMP, GIF, JPEG 2000, PGM or DICOM, told apart by content.
        size: side of the square that is returned; None for the picture's own height and width.

    Returns:
        uint8, shape (size, size) or (height, width); 0 is black.

    Raises:
        UnreadableImageError: the file is missing or cannot be used as a radiograph.
        PermissionError: the file may not be read.

    Example:
        >>> read_radiograph("person1_virus_6.jpeg").shape
        (224, 224)
    """
    return _read(Path(path), size, inspect=False).pixels


def inspect_radiograph(path: str | Path, size: int | None = 224) -> Inspection:
    """Read one radiograph and say what is odd about it; the file is decoded once.

    Arguments and errors are those of `read_radiograph`.
    """
    return _read(Path(path), size, inspect=True)


def _read(path: Path, size: int | None, inspect: bool) -> Inspection:
    from neumo.images.dicom import is_dicom, read_dicom

    if path.is_dir():
        raise UnreadableImageError(path, "a folder", EXPECTED)
    if not path.exists():
        raise UnreadableImageError(path, "no such file", EXPECTED)
    with path.open("rb") as file:
        head = file.read(132)
        if not head:
            raise UnreadableImageError(path, "an empty file", EXPECTED)
        file.seek(0)
        if is_dicom(head) or path.suffix.lower() in (".dcm", ".dicom"):
            grey, mode = read_dicom(path, MAX_PIXELS)
            height, width = grey.shape
            image = Image.fromarray(grey)
            odd: tuple[str, ...] = ()
        else:
            image, mode, (width, height), odd = _decode(path, file, size, inspect)
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)
    pixels = np.array(image)
    if inspect:
        low, high = np.percentile(pixels, (1, 99))
        odd = ("tiny",) * (min(width, height) < TINY) + ("blank",) * bool(high - low < BLANK) + odd
    return Inspection(mode, width, height, odd, pixels)


def _decode(
    path: Path, file: BinaryIO, size: int | None, inspect: bool
) -> tuple[Image.Image, str, tuple[int, int], tuple[str, ...]]:
    """The picture as a grey Pillow image, its mode and size in the file, what is odd about its colours."""
    kind = "picture"
    try:
        image: Image.Image = Image.open(file, formats=FORMATS)
        kind = image.format or kind
        mode, original = image.mode, image.size
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and kind != "MPO":
            raise UnreadableImageError(path, f"a {kind} of {frames} pictures", "one picture")
        if original[0] * original[1] > MAX_PIXELS:
            got = f"a {kind} of {original[0]} x {original[1]} pixels"
            raise UnreadableImageError(path, got, f"at most {MAX_PIXELS:,} pixels")
        if size is not None:
            # libjpeg decodes at 1/2, 1/4 or 1/8; twice the size leaves enough for the filter to average
            image.draft(None if inspect else "L", (2 * size, 2 * size))
        image.load()
        upright = ImageOps.exif_transpose(image)
        if (upright.width > upright.height) != (image.width > image.height):
            original = original[::-1]
        odd = _oddities(upright) if inspect else ()
        return _grey(path, upright), mode, original, odd
    except (UnreadableImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError(path, "a file that is no picture", EXPECTED) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImageError(
            path, "a picture too large to decode", f"at most {MAX_PIXELS:,} pixels"
        ) from error
    except (
        Exception
    ) as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error ... on broken files
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if "truncated" in str(error):
            raise UnreadableImageError(path, f"a truncated {kind}", f"a complete {kind}") from error
        raise UnreadableImageError(path, f"a broken {kind} ({error})", f"a {kind} that decodes") from error


def _grey(path: Path, image: Image.Image) -> Image.Image:
    """8-bit grey of a decoded picture in any mode."""
    if image.mode == "L" and not image.has_transparency_data:
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_to_uint8(path, np.asarray(image), image))
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, "black")
        return Image.alpha_composite(black, image.convert("RGBA")).convert("L")
    if image.mode == "CMYK":
        return image.convert("RGB").convert("L")
    if image.mode not in ("1", "P", "RGB", "YCbCr", "RGBX"):
        raise UnreadableImageError(path, f"a picture in mode {image.mode}", "a grey or RGB picture")
    return image.convert("L")


def _to_uint8(path: Path, values: np.ndarray, image: Image.Image) -> np.ndarray:
    """Values of more than 8 bits as uint8.

    White is the largest value of the smallest bit depth that holds the brightest pixel: 65,535 for a 16-bit picture,
    4,095 for one of 12 bits in a 16-bit file, 255 for one of 8 bits, 1 for fractions. Negative values have no such
    convention; then the darkest pixel is black, the brightest white.
    """
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise UnreadableImageError(
            path, "pixels that are not numbers (NaN or infinite)", "finite grey values"
        )
    low, high = float(values.min()), float(values.max())
    if low >= 0:
        low, high = 0.0, 1.0 if high <= 1 and image.mode == "F" else 2.0 ** max(8, int(high).bit_length()) - 1
    grey = (values - low) * (255 / max(high - low, 1e-12))
    if image.format == "TIFF" and image.tag_v2.get(262) == 0:  # type: ignore[attr-defined]
        grey = 255 - grey
    return np.rint(grey).astype(np.uint8)


def _oddities(image: Image.Image) -> tuple[str, ...]:
    odd: tuple[str, ...] = ()
    if image.mode in ("RGB", "RGBA", "P", "CMYK", "PA"):
        channels = np.asarray(image.convert("RGB")).astype(np.int16)
        spread = channels.max(axis=-1) - channels.min(axis=-1)
        if (spread > COLOURED_LEVELS).mean() > COLOURED_SHARE:
            odd += ("colour",)
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        odd += ("transparent",)
    return odd
