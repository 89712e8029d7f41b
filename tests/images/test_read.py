"""Every kind of picture file comes out as the same grey pixels, or is refused in one line."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import EXTRASAMPLES, PHOTOMETRIC_INTERPRETATION, SAMPLEFORMAT

from neumo.errors import NeumoError, UnreadableImageError
from neumo.images.jpeg_layout import MAX_SCANS
from neumo.images.read import (
    COLOUR_LEVELS,
    COLOUR_SHARE,
    Inspection,
    inspect_radiograph,
    read_radiograph,
)
from tests.images.test_jpeg_codes import lossless


@pytest.fixture(scope="module")
def real(coronahack: Path) -> list[Path]:
    """Every 40th file of the data set, PNGs first."""
    files = [file for file in coronahack.rglob("*.*") if file.suffix in (".jpeg", ".jpg", ".png")]
    return sorted(files, key=lambda file: (file.suffix != ".png", file.name))[::40]


@pytest.fixture(scope="module")
def grey(coronahack: Path) -> np.ndarray:
    """A real radiograph, uint8 (224, 224)."""
    return np.asarray(Image.open(next(coronahack.rglob("person1_virus_6.jpeg"))).convert("L"))


def test_a_picture_of_the_asked_size_is_not_resampled(real: list[Path]) -> None:
    for file in real:
        pixels = read_radiograph(file)
        assert pixels.dtype == np.uint8
        assert pixels.shape == (224, 224)
        expected = np.asarray(Image.open(file).convert("L")).astype(int)
        assert np.abs(pixels - expected).mean() < 0.2
        assert np.abs(pixels - expected).max() <= 2


def test_the_data_set_has_nothing_odd(real: list[Path]) -> None:
    for file in real:
        found = inspect_radiograph(file)
        assert found == Inspection("RGB", 224, 224, (), found.pixels)
        assert np.abs(found.pixels - read_radiograph(file).astype(int)).max() <= 2


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_colours_of_a_jpeg_are_seen_as_pillow_sees_them(
    tmp_path: Path, grey: np.ndarray, subsampling: str
) -> None:
    for share, channel in ((0, 0), (0.0003, 0), (0.0003, 1), (0.0003, 2), (0.05, 0), (0.05, 1), (0.05, 2)):
        colours = np.stack([grey[:221, :223]] * 3, axis=-1)
        side = round(224 * share**0.5)
        colours[100 : 100 + side, 100 : 100 + side, channel] ^= 0x80
        Image.fromarray(colours).save(tmp_path / "a.jpg", quality=95, subsampling=subsampling)
        found = inspect_radiograph(tmp_path / "a.jpg", size=None)
        decoded = Image.open(tmp_path / "a.jpg")
        np.testing.assert_array_equal(found.pixels, np.asarray(decoded.convert("L")))
        spread = np.ptp(np.asarray(decoded), axis=-1)
        assert (spread.max() == 0) == (share == 0)
        assert found.problems == ("colour",) * bool((spread > COLOUR_LEVELS).mean() > COLOUR_SHARE)
        assert ("colour" in found.problems) == (share == 0.05)


def test_threads_read_the_same(real: list[Path]) -> None:
    with ThreadPoolExecutor(4) as pool:
        for together, alone in zip(pool.map(read_radiograph, real), map(read_radiograph, real), strict=True):
            np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("wide", [2406, 2000, 1281, 700, 560, 450, 230, 120])
def test_scaled_decoding_is_close_to_full(
    tmp_path: Path, grey: np.ndarray, mode: str, progressive: bool, wide: int
) -> None:
    large = Image.fromarray(grey).resize((wide, wide * 4 // 5 + 1), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 4, (large.height, large.width))
    large = Image.fromarray(np.clip(np.asarray(large) + noise, 0, 255).astype(np.uint8)).convert(mode)
    large.save(tmp_path / "a.jpg", quality=92, progressive=progressive)
    full = Image.open(tmp_path / "a.jpg").convert("L")
    expected = np.asarray(full.resize((224, 224), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(read_radiograph(tmp_path / "a.jpg") - expected).mean() < 0.7
    found = inspect_radiograph(tmp_path / "a.jpg")
    assert (found.mode, found.width, found.height) == (mode, wide, wide * 4 // 5 + 1)
    own = read_radiograph(tmp_path / "a.jpg", size=None)
    assert own.shape == (wide * 4 // 5 + 1, wide)
    assert np.abs(own - np.asarray(full).astype(int)).mean() < 0.2


def test_scaled_decoding_of_real_detail(tmp_path: Path, dicom_folder: Path) -> None:
    """Radiographs of a detector's own size, odd numbers of pixels among them."""
    for i, file in enumerate(sorted(dicom_folder.glob("*.dcm"))):
        picture = Image.fromarray(read_radiograph(file, size=None))
        picture = picture.crop((0, 0, picture.width - i, picture.height - 3 * i))
        picture.save(tmp_path / "a.jpg", quality=90)
        expected = np.asarray(Image.open(tmp_path / "a.jpg").resize((224, 224), Image.Resampling.BILINEAR))
        assert np.abs(read_radiograph(tmp_path / "a.jpg") - expected.astype(int)).mean() < 0.7


def test_large_png_is_averaged_not_sampled(tmp_path: Path) -> None:
    checks = np.indices((1500, 1500)).sum(axis=0) % 2 * 255
    Image.fromarray(checks.astype(np.uint8)).save(tmp_path / "a.png")
    assert np.abs(read_radiograph(tmp_path / "a.png").astype(int) - 127).max() < 20


def rgba(grey: np.ndarray) -> Image.Image:
    image = Image.fromarray(grey).convert("RGBA")
    image.putalpha(255)
    return image


WRITERS: dict[str, Callable[[np.ndarray, Path], None]] = {
    "grey.png": lambda grey, path: Image.fromarray(grey).save(path),
    "rgb.png": lambda grey, path: Image.fromarray(grey).convert("RGB").save(path),
    "rgba.png": lambda grey, path: rgba(grey).save(path),
    "grey-alpha.png": lambda grey, path: rgba(grey).convert("LA").save(path),
    "palette.png": lambda grey, path: Image.fromarray(grey).convert("P").save(path),
    "16-bit.png": lambda grey, path: Image.fromarray(grey.astype(np.uint16) * 257).save(path),
    "12-bit.png": lambda grey, path: Image.fromarray(grey.astype(np.uint16) * 16 + 8).save(path),
    "8-bit-in-16.png": lambda grey, path: Image.fromarray(grey.astype(np.uint16)).save(path),
    "grey.tif": lambda grey, path: Image.fromarray(grey).save(path),
    "lzw.tif": lambda grey, path: Image.fromarray(grey).save(path, compression="tiff_lzw"),
    "16-bit.tif": lambda grey, path: Image.fromarray(grey.astype(np.uint16) * 257).save(path),
    "big-endian.tif": lambda grey, path: Image.fromarray((grey.astype(np.uint16) * 257).astype(">u2")).save(
        path
    ),
    "32-bit.tif": lambda grey, path: Image.fromarray(grey.astype(np.int32) * 257).save(path),
    "fraction.tif": lambda grey, path: Image.fromarray(grey.astype(np.float32) / 255).save(path),
    "float.tif": lambda grey, path: Image.fromarray(grey.astype(np.float32)).save(path),
    "white-is-zero-16.tif": lambda grey, path: Image.fromarray(65535 - grey.astype(np.uint16) * 257).save(
        path, tiffinfo={PHOTOMETRIC_INTERPRETATION: 0}
    ),
    "cmyk.tif": lambda grey, path: Image.fromarray(grey).convert("RGB").convert("CMYK").save(path),
    "cmyk.jpg": lambda grey, path: Image.fromarray(grey).convert("CMYK").save(path, quality=100),
    "grey.bmp": lambda grey, path: Image.fromarray(grey).save(path),
    "rgb.bmp": lambda grey, path: Image.fromarray(grey).convert("RGB").save(path),
    "grey.gif": lambda grey, path: Image.fromarray(grey).save(path),
    "lossless.webp": lambda grey, path: Image.fromarray(grey).convert("RGB").save(path, lossless=True),
    "grey.pgm": lambda grey, path: Image.fromarray(grey).save(path),
    "grey.jp2": lambda grey, path: Image.fromarray(grey).save(path),
    "a png.jpeg": lambda grey, path: Image.fromarray(grey).save(path, format="PNG"),
    "a png.dcm": lambda grey, path: Image.fromarray(grey).save(path, format="PNG"),
    "a jpeg": lambda grey, path: Image.fromarray(grey).save(path, format="JPEG", quality=100),
    "übergrößen 胸部.png": lambda grey, path: Image.fromarray(grey).save(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_gives_the_same_grey(tmp_path: Path, grey: np.ndarray, name: str) -> None:
    WRITERS[name](grey, tmp_path / name)
    exact = not name.endswith(("jpg", "a jpeg"))
    for pixels in (read_radiograph(tmp_path / name), inspect_radiograph(tmp_path / name).pixels):
        assert np.abs(pixels - grey.astype(int)).max() <= (1 if exact else 4)
    assert inspect_radiograph(tmp_path / name).problems == ()
    half = read_radiograph(tmp_path / name, 112)
    expected = np.asarray(Image.fromarray(grey).resize((112, 112), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(half - expected).mean() < 1


def test_a_dark_16_bit_picture_stays_dark(tmp_path: Path, grey: np.ndarray) -> None:
    dark = grey.astype(np.uint16) * 100
    dark[0, 0] = 65535
    Image.fromarray(dark).save(tmp_path / "a.png")
    pixels = read_radiograph(tmp_path / "a.png")
    assert pixels[0, 0] == 255
    assert np.abs(pixels - grey.astype(float) * 100 / 257).ravel()[1:].max() <= 0.51


@pytest.mark.parametrize("bits", [25, 31, 32])
def test_a_picture_that_fills_its_bits_is_not_darkened(tmp_path: Path, grey: np.ndarray, bits: int) -> None:
    """Of 32 bits, unsigned, which Pillow writes as signed; the tag is changed."""
    grey = np.where(grey == grey.max(), 255, grey)
    full = np.rint(grey * ((2**bits - 1) / 255)).astype(np.uint32)
    Image.fromarray(full.view(np.int32)).save(tmp_path / "a.tif")
    data = (tmp_path / "a.tif").read_bytes()
    signed, unsigned = (struct.pack("<HHIHH", SAMPLEFORMAT, 3, 1, kind, 0) for kind in (2, 1))
    assert data.count(signed) == 1
    (tmp_path / "a.tif").write_bytes(data.replace(signed, unsigned))
    assert np.abs(read_radiograph(tmp_path / "a.tif") - grey.astype(int)).max() <= 1


def test_signed_values_are_stretched(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey.astype(np.float32) * 8 - 1024).save(tmp_path / "a.tif")
    expected = (grey - float(grey.min())) * 255 / (float(grey.max()) - float(grey.min()))
    assert np.abs(read_radiograph(tmp_path / "a.tif") - expected).max() <= 1


def test_what_is_transparent_is_black(tmp_path: Path, grey: np.ndarray) -> None:
    image = rgba(grey)
    image.paste((255, 255, 255, 0), (0, 0, 50, 224))
    image.save(tmp_path / "a.png")
    found = inspect_radiograph(tmp_path / "a.png")
    assert found.problems == ("transparent",)
    assert found.pixels[:, :50].max() == 0
    np.testing.assert_array_equal(found.pixels[:, 50:], grey[:, 50:])


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, grey: np.ndarray, kind: str, orientation: int) -> None:
    stored = grey[:150]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"quality": 100} if kind == "jpg" else {"lossless": True} if kind == "webp" else {}
    Image.fromarray(stored).save(tmp_path / f"a.{kind}", exif=exif, **options)
    # where the first row and the first column of the stored picture belong, by the EXIF standard
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.T,
        6: stored[::-1].T,
        7: stored[::-1, ::-1].T,
        8: stored.T[::-1],
    }[orientation]
    pixels = read_radiograph(tmp_path / f"a.{kind}", size=None)
    assert pixels.shape == upright.shape
    assert np.abs(pixels - upright.astype(int)).max() <= 4
    found = inspect_radiograph(tmp_path / f"a.{kind}")
    assert (found.height, found.width) == upright.shape


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0"]
)
def test_broken_exif_does_no_harm(tmp_path: Path, grey: np.ndarray, kind: str, exif: bytes) -> None:
    Image.fromarray(grey).save(tmp_path / f"a.{kind}", exif=exif)
    assert np.abs(read_radiograph(tmp_path / f"a.{kind}").astype(int) - grey).mean() < 3


def test_problems_are_named(tmp_path: Path, grey: np.ndarray) -> None:
    def problems(pixels: np.ndarray, name: str) -> tuple[str, ...]:
        Image.fromarray(pixels).save(tmp_path / name)
        return inspect_radiograph(tmp_path / name).problems

    coloured = np.stack([grey] * 3, axis=-1)
    assert problems(coloured, "grey.jpg") == ()
    coloured[20:50, 20:50] = (200, 30, 30)
    assert problems(coloured, "a.png") == ("colour",)
    assert problems(coloured, "a.jpg") == ("colour",)
    tinted = np.stack([grey, grey, grey // 2], axis=-1)
    assert problems(tinted, "b.jpg") == ("colour",)
    assert problems(grey[:100], "a.png") == ("tiny",)
    assert problems(np.full((300, 300), 90, np.uint8), "a.png") == ("blank",)
    faint = np.random.default_rng(0).integers(90, 96, (300, 300), dtype=np.uint8)
    faint[:2] = 255
    assert problems(faint, "a.png") == ("blank",)
    assert problems(np.full((20, 20), 90, np.uint8), "a.png") == ("tiny", "blank")


def refused(path: Path, got: str) -> UnreadableImageError:
    for reader in (read_radiograph, inspect_radiograph):
        with pytest.raises(UnreadableImageError) as told:
            reader(path)
        assert str(told.value).startswith(f"{path}: got ")
        assert ", expected " in str(told.value)
        assert "\n" not in str(told.value)
        assert got in told.value.got
    return told.value


@pytest.mark.parametrize("size", [224, 1600])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
def test_truncated_jpeg(tmp_path: Path, grey: np.ndarray, size: int, mode: str, progressive: bool) -> None:
    whole = io.BytesIO()
    Image.fromarray(grey).resize((size, size)).convert(mode).save(whole, "JPEG", progressive=progressive)
    data = whole.getvalue()
    for end in (len(data) // 3, len(data) * 9 // 10, len(data) - 30):
        (tmp_path / "a.jpg").write_bytes(data[:end])
        refused(tmp_path / "a.jpg", "a truncated JPEG")
        (tmp_path / "a.jpg").write_bytes(data[:end] + b"\xff\xd9")  # closed again by whatever cut it
        refused(tmp_path / "a.jpg", "a truncated JPEG")


def test_left_over_bytes_in_a_whole_jpeg_do_no_harm(tmp_path: Path, grey: np.ndarray) -> None:
    whole = io.BytesIO()
    Image.fromarray(grey).save(whole, "JPEG", quality=95)
    (tmp_path / "a.jpg").write_bytes(whole.getvalue())
    (tmp_path / "b.jpg").write_bytes(whole.getvalue()[:-2] + bytes(8) + b"\xff\xd9" + b"trailer")
    np.testing.assert_array_equal(read_radiograph(tmp_path / "a.jpg"), read_radiograph(tmp_path / "b.jpg"))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ICC_PROFILE\0\x01\x01", b"ICC_PROFILE\0\x01\x02"),  # part 1 of 2, of which the other is missing
        (b"ICC_PROFILE\0\x01\x01", b"ICC_PROFILE\0\x02\x01"),
        (b"JFIF\0\x01", b"JFIF\0\x02"),  # the revision
        (b"JFIF\0\x01", b"JFIF\0\x00"),
        (b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0", b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\2"),
    ],
)
def test_oddities_beside_a_whole_picture_do_no_harm(
    tmp_path: Path, grey: np.ndarray, mode: str, old: bytes, new: bytes
) -> None:
    file = io.BytesIO()
    Image.fromarray(grey).convert(mode).save(file, "JPEG", icc_profile=bytes(500))
    whole = file.getvalue()
    assert whole.count(old) == 1
    odd = whole.replace(old, new)
    for reader in (read_radiograph, lambda file: inspect_radiograph(file).pixels):
        np.testing.assert_array_equal(reader(io.BytesIO(odd)), reader(io.BytesIO(whole)))
    (tmp_path / "a.jpg").write_bytes(odd[: len(odd) // 2] + b"\xff\xd9")
    refused(tmp_path / "a.jpg", "a truncated JPEG")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "CMYK JPEG"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_others(tmp_path: Path, grey: np.ndarray, kind: str, share: float) -> None:
    whole = io.BytesIO()
    mode, _, kind = kind.rpartition(" ")
    Image.fromarray(grey).convert(mode or "L").save(
        whole, kind, **({"lossless": True} if kind == "WEBP" else {})
    )
    (tmp_path / "a").write_bytes(whole.getvalue()[: int(share * len(whole.getvalue()))])
    refused(tmp_path / "a", "")


def test_corrupt_png(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey).save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[len(data) // 2] ^= 255
    (tmp_path / "a.png").write_bytes(data)
    refused(tmp_path / "a.png", "a broken PNG")


def test_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("this is no picture")
    refused(tmp_path / "text.jpg", "a file that is no picture")
    (tmp_path / "text.dcm").write_text("this is no DICOM")
    refused(tmp_path / "text.dcm", "a file that is no picture")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.writestr("IMAGES/IM0", b"")
    refused(tmp_path / "study.zip", "a ZIP archive")
    (tmp_path / "empty.png").touch()
    refused(tmp_path / "empty.png", "an empty file")
    (tmp_path / "folder.png").mkdir()
    refused(tmp_path / "folder.png", "a folder")
    refused(tmp_path / "missing.png", "no such file")
    refused(tmp_path / "empty.png" / "below a file.png", "no such file")
    refused(tmp_path / ("long" * 100 + ".png"), "a file that cannot be read")
    refused(tmp_path / "nul\0.png", "a file that cannot be read")
    os.mkfifo(tmp_path / "pipe.png")
    refused(tmp_path / "pipe.png", "a pipe or device")


def test_a_kind_of_picture_that_is_not_read_is_not_called_none(tmp_path: Path, grey: np.ndarray) -> None:
    """A JPEG of 12 bits, a TIFF of fractions of 64 bits: as other decoders know them."""
    for kind, old, new in (
        ("JPEG", b"\xff\xc0\0\x0b\x08", b"\xff\xc1\0\x0b\x0c"),
        ("TIFF", struct.pack("<HHIHH", 258, 3, 1, 32, 0), struct.pack("<HHIHH", 258, 3, 1, 64, 0)),
        ("PNG", b"IHDR\0\0", b"IHDR\1\0"),
    ):
        whole = io.BytesIO()
        Image.fromarray(grey.astype(np.float32) if kind == "TIFF" else grey).save(whole, kind)
        assert whole.getvalue().count(old) == 1
        (tmp_path / "a").write_bytes(whole.getvalue().replace(old, new))
        refused(tmp_path / "a", f"a broken {kind}, or one of a rare kind")


@pytest.mark.parametrize("sampling", [0x14, 0x42, 0x31])
def test_a_rare_sampling_of_colours_is_not_called_broken(
    tmp_path: Path, grey: np.ndarray, sampling: int
) -> None:
    """4:4:1, 4:1:0 and 3:1:1; the picture fits into one unit of each."""
    whole = io.BytesIO()
    Image.fromarray(grey[:8, :8]).convert("RGB").save(whole, "JPEG", subsampling=0)
    data = whole.getvalue().replace(b"\x03\x01\x11\0", bytes((3, 1, sampling, 0)))
    (tmp_path / "a.jpg").write_bytes(data)
    refused(tmp_path / "a.jpg", "a broken JPEG, or one of a rare kind")


def test_a_tiff_of_grey_times_its_alpha_is_not_called_broken(tmp_path: Path, grey: np.ndarray) -> None:
    opaque = Image.fromarray(grey).convert("LA")
    opaque.save(tmp_path / "a.tif")
    assert np.array_equal(read_radiograph(tmp_path / "a.tif"), grey)
    data = (tmp_path / "a.tif").read_bytes()
    straight, multiplied = (struct.pack("<HHIHH", EXTRASAMPLES, 3, 1, kind, 0) for kind in (2, 1))
    assert data.count(straight) == 1
    (tmp_path / "a.tif").write_bytes(data.replace(straight, multiplied))
    refused(tmp_path / "a.tif", "a broken TIFF, or one of a rare kind")


def test_no_permission_passes(tmp_path: Path, grey: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(grey).save(tmp_path / "a.png")

    def forbidden(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(PermissionError):
        read_radiograph(tmp_path / "a.png")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_no_numbers(tmp_path: Path, grey: np.ndarray, value: float) -> None:
    values = grey.astype(np.float32)
    values[100, 100] = value
    Image.fromarray(values).save(tmp_path / "a.tif")
    refused(tmp_path / "a.tif", "pixels that are no numbers")


@pytest.mark.parametrize("kind", ["tif", "gif", "webp", "png"])
def test_several_pictures_in_one_file(tmp_path: Path, grey: np.ndarray, kind: str) -> None:
    others = [Image.fromarray(grey[::-1].copy()), Image.fromarray(grey // 2)]
    Image.fromarray(grey).save(tmp_path / f"a.{kind}", save_all=True, append_images=others)
    refused(tmp_path / f"a.{kind}", "of several pictures")


def test_a_cameras_jpeg_may_carry_a_preview(tmp_path: Path, grey: np.ndarray) -> None:
    preview = Image.fromarray(grey).resize((56, 56))
    Image.fromarray(grey).save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[preview], quality=100)
    assert Image.open(tmp_path / "a.jpg").format == "MPO"
    assert np.abs(read_radiograph(tmp_path / "a.jpg") - grey.astype(int)).max() <= 4


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 60_000])
def test_decompression_bomb(tmp_path: Path, side: int) -> None:
    whole = io.BytesIO()
    Image.new("L", (10, 10)).save(whole, "PNG")
    data = bytearray(whole.getvalue())
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(data)
    assert "at most 100,000,000 pixels" in str(refused(tmp_path / "a.png", "pixels"))


def test_colour_spaces_that_are_no_radiograph(tmp_path: Path) -> None:
    Image.new("LAB", (200, 200)).save(tmp_path / "a.tif")
    refused(tmp_path / "a.tif", "a picture in mode LAB")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_an_open_file_reads_as_its_path_does(tmp_path: Path, grey: np.ndarray, name: str) -> None:
    Image.fromarray(grey).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    np.testing.assert_array_equal(read_radiograph(io.BytesIO(data)), read_radiograph(tmp_path / name))
    with pytest.raises(UnreadableImageError, match=r"^radiograph: got a truncated"):
        read_radiograph(io.BytesIO(data[: len(data) // 2]))


def test_a_dicom_file_in_memory(dicom_folder: Path) -> None:
    for file in dicom_folder.glob("*.dcm"):
        np.testing.assert_array_equal(read_radiograph(io.BytesIO(file.read_bytes())), read_radiograph(file))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
def test_a_jpeg_of_too_many_scans(tmp_path: Path, grey: np.ndarray, mode: str, kind: str) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        picture = Image.fromarray(grey).convert(mode)
        more = {"save_all": True, "append_images": [picture]} if kind == "MPO" else {}
        picture.save(file, kind, progressive=True, **more)
    data = (tmp_path / "a.jpg").read_bytes()
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    read_radiograph(io.BytesIO(data))
    (tmp_path / "b.jpg").write_bytes(data[:end] + data[last:end] * MAX_SCANS + data[end:])
    refused(tmp_path / "b.jpg", "too many scans")


def test_fewer_pixels_can_be_asked_for(tmp_path: Path, grey: np.ndarray, dicom_folder: Path) -> None:
    Image.fromarray(grey).save(tmp_path / "a.jpg")
    for file, pixels in ((tmp_path / "a.jpg", grey.size), (min(dicom_folder.glob("cr*1024*")), 1024 * 1024)):
        read_radiograph(file, max_pixels=pixels)
        with pytest.raises(UnreadableImageError, match=f"at most {pixels - 1:,} pixels"):
            read_radiograph(file, max_pixels=pixels - 1)


@pytest.mark.parametrize("side", [300, 512, 1000])
def test_a_lossless_jpeg_is_read_at_any_size(tmp_path: Path, grey: np.ndarray, side: int) -> None:
    """In a process of its own: libjpeg-turbo, asked for fewer pixels, writes all of them, past the end.

    Bytes before the frame, and markers without a length, may hide it from who looks for it.
    """
    pixels = np.asarray(Image.fromarray(grey).resize((side, side), Image.Resampling.BICUBIC))
    whole = lossless(pixels, side)
    for number, before in enumerate((b"", b"\xff" * 9, b"\0", b"\xff\x01", b"\xff\xd0", b"\xff\0")):
        (tmp_path / f"{number}.jpg").write_bytes(whole[:2] + before + whole[2:])
    code = """
import numpy as np
from neumo.errors import UnreadableImageError
from neumo.images.read import inspect_radiograph, read_radiograph
for number in range(6):
    for size in (32, 100, 224, None):
        try:
            pixels = read_radiograph(f"{number}.jpg", size)
            np.testing.assert_array_equal(pixels, inspect_radiograph(f"{number}.jpg", size).pixels)
        except UnreadableImageError:
            assert number > 1
    if number < 2:
        np.save(f"{number}.npy", read_radiograph(f"{number}.jpg", 32))
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    expected = np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
    for number in range(2):
        assert np.abs(np.load(tmp_path / f"{number}.npy") - expected).mean() < 1


@pytest.mark.parametrize("size", [0, -1, (224, 224), "224", 10.5])
def test_a_size_that_is_none_is_not_blamed_on_the_file(size: object, tmp_path: Path) -> None:
    Image.new("L", (300, 300)).save(file := tmp_path / "a.jpg")
    with pytest.raises(NeumoError, match=r"^size: got .*, expected 1 or more, whole$"):
        read_radiograph(file, size)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [None, ["a.jpg"], b"a.jpg", np.zeros((3, 3), np.uint8)])
def test_a_source_that_is_neither_path_nor_file_is_told(source: object) -> None:
    with pytest.raises(
        NeumoError, match=r"^source: got .*, expected a path or a file that is open in binary"
    ):
        read_radiograph(source)  # type: ignore[arg-type]
