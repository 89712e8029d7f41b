"""Broken picture files, made of whole ones."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pydicom
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom import Dataset, uid
from pydicom.dataset import FileMetaDataset

PATIENT = "ZEBRA^PATIENT"
"""Stands in every file's header, and must not come out anywhere."""

TOKENS = [
    *(bytes((0xFF, marker)) for marker in (0xC0, 0xC1, 0xC2, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE1, 0xFE)),
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"iCCP", b"zTXt", b"eXIf"),
    *(bytes.fromhex(tag) for tag in ("28001000", "28001100", "28000001", "28000201", "e07f1000", "28000800")),
    *(b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0", b"\xfe\xff\x0d\xe0", b"SQ\0\0\xff\xff\xff\xff", b"OB\0\0"),
    *(
        struct.pack("<HH", tag, kind)
        for tag in (256, 257, 258, 259, 262, 273, 277, 278, 279, 317)
        for kind in (3, 4)
    ),
    *(b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "),
    *(b"\xff\x4f\xff\x51", b"\xff\x93", b"\xff\xf7", b"\xff\xf8", b"\0\0\0\0", b"\xff\xff\xff\xff"),
]
NUMBERS = [
    0,
    1,
    2,
    3,
    7,
    8,
    9,
    16,
    17,
    32,
    127,
    128,
    255,
    256,
    4096,
    32767,
    32768,
    65534,
    65535,
    2**31 - 1,
    2**31,
    2**32 - 1,
]
TIFF_CODINGS = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")


def seeds(pixels: np.ndarray, jpeg: list[Path], png: list[Path], dicom: list[Path]) -> dict[str, list[bytes]]:
    """Whole files by kind: real ones, and one radiograph in every coding that neumo reads.

    Real files of other formats are made of the first real JPEG and PNG files.

    Args:
        pixels: grey levels, uint8 (height, width), for the files that are made here.
        jpeg: real files.
        png: real files.
        dicom: real files.
    """
    deep = pixels.astype(np.uint16) * 16 + 7
    text = PngInfo()
    text.add_text("Patient", PATIENT)
    text.add_text("Zipped", PATIENT * 50, zip=True)
    exif = Image.Exif()
    exif[0x010E] = PATIENT
    exif[0x0112] = 3
    colour = np.stack([pixels, pixels[::-1], pixels[:, ::-1]], axis=-1)
    with_alpha = np.dstack([colour, pixels])
    kinds = ("jpeg", "png", "tiff", "webp", "bmp", "gif", "jpeg2000", "ppm")
    made: dict[str, list[bytes]] = {kind: [] for kind in kinds}
    pictures: list[tuple[str, np.ndarray, dict[str, object]]] = [
        ("JPEG", pixels, {"exif": exif}),
        ("JPEG", pixels, {"progressive": True}),
        ("JPEG", colour, {"subsampling": 2, "exif": exif}),
        ("JPEG", colour, {"restart_marker_blocks": 4}),
        ("PNG", pixels, {"pnginfo": text}),
        ("PNG", deep, {}),
        ("PNG", with_alpha, {"exif": exif}),
        ("PNG", colour, {}),
        ("TIFF", colour, {"compression": "jpeg"}),
        ("TIFF", with_alpha, {"exif": exif}),
        ("TIFF", pixels > 128, {"compression": "group4"}),
        ("WEBP", colour, {"exif": exif}),
        ("WEBP", with_alpha, {"exif": exif}),
        ("BMP", pixels, {}),
        ("BMP", colour, {}),
        ("BMP", pixels > 128, {}),
        ("GIF", pixels, {"comment": PATIENT.encode()}),
        ("GIF", pixels, {"interlace": False}),
        ("JPEG2000", pixels, {}),
        ("JPEG2000", deep, {}),
        ("JPEG2000", colour, {"irreversible": True, "tile_size": (64, 64)}),
        ("PPM", pixels, {}),
        ("PPM", deep, {}),
        ("PPM", colour, {}),
    ]
    real = [np.asarray(Image.open(path).convert("L")) for path in [*jpeg[:4], *png[:4]]]
    for one in (pixels, deep):
        pictures += [("TIFF", one, {"compression": coding}) for coding in TIFF_CODINGS]
    for one in real:
        pictures += [("TIFF", one, {"compression": coding}) for coding in ("tiff_lzw", "jpeg")]
        pictures += [(kind, one, {}) for kind in ("BMP", "GIF", "JPEG2000", "PPM")]
    for one in (pixels, *real):
        pictures += [("WEBP", one, {"quality": 80}), ("WEBP", one, {"lossless": True})]
    for kind, values, options in pictures:
        file = io.BytesIO()
        Image.fromarray(values).save(file, kind, **options)
        made[kind.lower()].append(file.getvalue())
    return {
        **made,
        "jpeg": made["jpeg"] + [path.read_bytes() for path in jpeg],
        "png": made["png"] + [path.read_bytes() for path in png],
        "dicom": [*_dicoms(pixels), *_dicoms(deep), *(path.read_bytes() for path in dicom)],
    }


def _dicoms(pixels: np.ndarray) -> list[bytes]:
    bare = (
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    )
    made = [_written(_dataset(pixels, syntax)) for syntax in bare]
    for syntax in (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless):
        dataset = _dataset(pixels, uid.ExplicitVRLittleEndian)
        dataset.compress(syntax, generate_instance_uid=False)
        made.append(_written(dataset))
    return [*made, *_by_gdcm(_written(_dataset(pixels, uid.ExplicitVRLittleEndian)))]


def _dataset(pixels: np.ndarray, syntax: uid.UID) -> Dataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = syntax
    dataset = Dataset()
    dataset.file_meta, dataset.preamble = meta, bytes(128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3.4"
    dataset.Modality = "CR"
    dataset.PatientName = dataset.PatientID = PATIENT
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = 8 * pixels.itemsize
    dataset.BitsStored = 8 if pixels.itemsize == 1 else 12
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    dataset.WindowCenter, dataset.WindowWidth = 2 ** (dataset.BitsStored - 1), 2**dataset.BitsStored
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.PixelPaddingValue = 0
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [16, 0, 8], [8 * i for i in range(16)]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    if pixels.itemsize == 2:
        dataset.VOILUTSequence = [table]
    big = syntax == uid.ExplicitVRBigEndian
    data = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    dataset["PixelData"].VR = "OW"
    return dataset


def _written(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset)
    return file.getvalue()


def _by_gdcm(data: bytes) -> list[bytes]:
    """The same file in the codings that GDCM alone writes."""
    import gdcm

    made = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.dcm"), Path(folder, "b.dcm")
        source.write_bytes(data)
        for name in (
            "JPEGLosslessProcess14",
            "JPEGLosslessProcess14_1",
            "JPEGExtendedProcess2_4",
            "JPEGBaselineProcess1",
        ):
            reader = gdcm.ImageReader()
            reader.SetFileName(str(source))
            change = gdcm.ImageChangeTransferSyntax()
            change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
            if not reader.Read():
                continue
            change.SetInput(reader.GetImage())
            writer = gdcm.ImageWriter()
            writer.SetFileName(str(target))
            if not change.Change():
                continue
            writer.SetFile(reader.GetFile())
            writer.SetImage(change.GetOutput())
            if writer.Write():
                made.append(target.read_bytes())
    return made


def mutate(data: bytes, others: list[bytes], random: Random) -> bytes:
    """Break a file in a few places, mostly in its header.

    Checksums of a PNG, and what a WebP says of its length, are mostly set right again.

    Args:
        data: a whole file.
        others: of the same kind, to splice with.
        random: what is done follows from its state alone.
    """
    broken = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3, 5, 10))):
        if not broken:
            break
        random.choice(OPERATIONS)(broken, others, random)
    if broken.startswith(b"\x89PNG") and random.random() < 0.8:
        _set_checksums(broken)
    if broken.startswith(b"RIFF") and len(broken) >= 8 and random.random() < 0.8:
        struct.pack_into("<I", broken, 4, len(broken) - 8)
    return bytes(broken)


def _place(broken: bytearray, random: Random) -> int:
    """Half of all places are in the first 600 bytes, a tenth in the last, where a TIFF has headers."""
    where, ends = random.random(), random.randrange(min(len(broken), 600))
    return ends if where < 0.5 else len(broken) - 1 - ends if where < 0.6 else random.randrange(len(broken))


def _flip(broken: bytearray, _: list[bytes], random: Random) -> None:
    for _flipped in range(random.choice((1, 1, 4, 32))):
        broken[_place(broken, random)] ^= 1 << random.randrange(8)


def _number(broken: bytearray, _: list[bytes], random: Random) -> None:
    size = random.choice((1, 2, 4))
    number = random.choice(NUMBERS) & (256**size - 1)
    at = _place(broken, random)
    broken[at : at + size] = number.to_bytes(size, random.choice(("little", "big")))


def _token(broken: bytearray, _: list[bytes], random: Random) -> None:
    token, at = random.choice(TOKENS), _place(broken, random)
    broken[at : at + len(token) * random.randrange(2)] = token


def _beside_token(broken: bytearray, _: list[bytes], random: Random) -> None:
    """Change what follows a known token: dimensions, lengths, values of DICOM elements."""
    at = broken.find(random.choice(TOKENS), random.randrange(len(broken)) if random.random() < 0.3 else 0)
    if at >= 0 and at + 14 < len(broken):
        at += random.randrange(2, 13)
        broken[at : at + 2] = struct.pack("<H", random.choice(NUMBERS) & 0xFFFF)


def _cut(broken: bytearray, _: list[bytes], random: Random) -> None:
    del broken[random.randrange(len(broken)) :]


def _remove(broken: bytearray, _: list[bytes], random: Random) -> None:
    at = _place(broken, random)
    del broken[at : at + random.choice((1, 2, 8, 100, 5000))]


def _repeat(broken: bytearray, _: list[bytes], random: Random) -> None:
    at = _place(broken, random)
    part = broken[at : at + random.choice((1, 2, 8, 100, 2000))]
    broken[at:at] = part * random.choice((1, 2, 50))


def _splice(broken: bytearray, others: list[bytes], random: Random) -> None:
    other = random.choice(others)
    at = random.randrange(len(other))
    broken[_place(broken, random) :] = other[at:]


def _noise(broken: bytearray, _: list[bytes], random: Random) -> None:
    at, size = _place(broken, random), random.choice((4, 64, 1024))
    broken[at : at + size] = random.randbytes(size)


Operation = Callable[[bytearray, list[bytes], Random], None]
OPERATIONS: list[Operation] = [
    *(_flip, _flip, _number, _number, _number, _token, _beside_token, _beside_token),
    *(_cut, _remove, _repeat, _splice, _noise),
]


def _set_checksums(png: bytearray) -> None:
    at = 8
    while at + 12 <= len(png):
        (size,) = struct.unpack_from(">I", png, at)
        if at + 12 + size > len(png):
            return
        struct.pack_into(">I", png, at + 8 + size, zlib.crc32(png[at + 4 : at + 8 + size]))
        at += 12 + size


pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
