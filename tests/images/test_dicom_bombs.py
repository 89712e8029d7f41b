"""Small DICOM files that would become huge are refused before they do."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset, filereader, uid
from pydicom.datadict import tag_for_keyword
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info

from neumo.errors import UnreadableImageError
from neumo.images.dicom_bombs import ITEMS
from neumo.images.jpeg_layout import MAX_SCANS
from neumo.images.read import read_radiograph


@pytest.fixture
def dx(dicom_folder: Path) -> Dataset:
    return pydicom.dcmread(dicom_folder / "dx_1024_implicit_little_endian.dcm")


def as_file(dataset: Dataset) -> io.BytesIO:
    file = io.BytesIO()
    dataset.save_as(file)
    file.seek(0)
    return file


def refused(file: io.BytesIO, detail: str) -> None:
    with pytest.raises(UnreadableImageError) as told:
        read_radiograph(file)
    reasons: list[str] = []
    error: BaseException | None = told.value
    while error is not None:
        reasons.append(str(error))
        error = error.__context__
    assert any(detail in reason for reason in reasons), reasons


def with_meta(dataset: Dataset, syntax: str, body: bytes) -> io.BytesIO:
    file = DicomBytesIO()
    file.write(bytes(128) + b"DICM")
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    write_file_meta_info(file, dataset.file_meta)
    file.write(body)
    return io.BytesIO(file.getvalue())


def test_deflated_data_without_end(dx: Dataset) -> None:
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    body = deflate.compress(bytes(10_000_000)) + deflate.flush()
    assert len(body) < 20_000
    file = with_meta(dx, uid.DeflatedExplicitVRLittleEndian, body)
    with pytest.raises(UnreadableImageError, match="deflated data of more than"):
        read_radiograph(file, max_pixels=1_000_000)


@pytest.mark.parametrize("lacking", ["MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID"])
def test_deflated_data_behind_a_header_that_lacks_elements(dx: Dataset, lacking: str) -> None:
    true = read_radiograph(as_file(dx))
    dx.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    del dx.file_meta[lacking]
    file = io.BytesIO()
    dx.save_as(file, implicit_vr=False, little_endian=True)
    file.seek(0)
    np.testing.assert_array_equal(read_radiograph(file), true)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_elements_without_end(dx: Dataset, size: int) -> None:
    """Empty elements, or empty items of one sequence."""
    element = struct.pack("<HHI", 8, 0x1140, size) if size else b""
    if size:
        body = element + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 200_000
    else:
        body = b"".join(struct.pack("<HHI", 9 + i // 9000 * 2, i % 9000, 0) for i in range(200_000))
    refused(with_meta(dx, uid.ImplicitVRLittleEndian, body), "more elements")


def test_a_sequence_of_tables_that_is_none(dx: Dataset) -> None:
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 200_000
    body = struct.pack("<HHI", 0x28, 0x3010, len(items)) + items
    refused(with_meta(dx, uid.ImplicitVRLittleEndian, body), "VOILUTSequence of more than")


NAMES = ["ModalityLUTSequence", "VOILUTSequence", "ViewCodeSequence", "AnatomicRegionSequence"]
UNTRUE = [*NAMES, "BodyPartExamined"]
"""The last is no sequence, but may say that it is."""


def with_items(dx: Dataset, name: str, order: str, count: int) -> io.BytesIO:
    """A file one of whose elements is a sequence of empty items."""
    items = struct.pack(f"{order}HHI", 0xFFFE, 0xE000, 0) * count
    tag = struct.pack(f"{order}HH", *divmod(tag_for_keyword(name) or 0, 2**16))
    element = tag + b"SQ\0\0" + struct.pack(f"{order}I", len(items)) + items
    syntax = uid.ExplicitVRLittleEndian if order == "<" else uid.ExplicitVRBigEndian
    rest = DicomBytesIO()
    rest.is_little_endian, rest.is_implicit_VR = order == "<", False
    for keyword in NAMES:
        if keyword in dx:
            delattr(dx, keyword)
    write_dataset(rest, dx)
    return with_meta(dx, syntax, element + rest.getvalue())


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("name", UNTRUE)
def test_items_without_end(dx: Dataset, name: str, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are 1 MB, and were taken apart for a minute."""
    parsed = iter(range(2 * ITEMS))
    parse = filereader.read_sequence_item
    monkeypatch.setattr(filereader, "read_sequence_item", lambda *a, **k: (next(parsed), parse(*a, **k))[1])
    if name in dx:
        delattr(dx, name)
    refused(with_items(dx, name, order, 130_000), f"{name} of more than {ITEMS} items")


def test_items_without_end_within_a_sequence_without_a_length(dx: Dataset) -> None:
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 130_000
    within = struct.pack("<HH", 8, 0x104) + b"SQ\0\0" + struct.pack("<I", len(items)) + items
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(within)) + within
    body = struct.pack("<HH", 0x54, 0x220) + b"SQ\0\0\xff\xff\xff\xff" + item
    body += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    refused(with_meta(dx, uid.ExplicitVRLittleEndian, body), f"CodeMeaning of more than {ITEMS} items")


def test_a_few_items_are_read(dx: Dataset) -> None:
    expected = read_radiograph(as_file(dx), None)
    dx.ViewCodeSequence = [Dataset() for _ in range(ITEMS)]
    np.testing.assert_array_equal(read_radiograph(as_file(dx), None), expected)


@pytest.mark.parametrize("rows", [60_000, 1023])
@pytest.mark.parametrize("marker", [b"\xff\xc0", b"\xff\xf7", b"\xff\x51"])
def test_a_frame_of_another_size(dx: Dataset, marker: bytes, rows: int, dicom_folder: Path) -> None:
    name = {
        b"\xff\xc0": "cr_pa_1024_jpeg_baseline_monochrome2.dcm",
        b"\xff\xf7": "cr_pa_1955x1841_jpegls_15bit_monochrome1.dcm",
        b"\xff\x51": "cr_pa_1955x1841_jpeg2000_15bit_monochrome1.dcm",
    }[marker]
    dataset = pydicom.dcmread(dicom_folder / name)
    at = dataset.PixelData.index(marker)
    data = bytearray(dataset.PixelData)
    if marker == b"\xff\x51":
        struct.pack_into(">I", data, at + 10, rows)
    else:
        struct.pack_into(">H", data, at + 5, rows)
    dataset.PixelData = bytes(data)
    refused(as_file(dataset), "pixels of another size")


def test_run_lengths_without_end(dx: Dataset) -> None:
    assert dx.BitsAllocated == 8
    dx.compress(uid.RLELossless, generate_instance_uid=False)
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\x00" * 1_000_000  # 128 MB of black
    dx.PixelData = encapsulate([frame])
    refused(as_file(dx), "run lengths of more pixels")


@pytest.mark.parametrize("ends", ["overlap", "fall", "stand in the header"])
def test_run_lengths_that_are_gone_through_again(dx: Dataset, ends: str) -> None:
    pixels = dx.Rows * dx.Columns
    body = b"\x80" * (pixels // 2)  # makes nothing, and takes a step each
    end = 64 + len(body)
    count, starts = {
        "overlap": (15, [64, end] * 7 + [64]),
        "fall": (2, [end - 1, 64]),
        "stand in the header": (1, [0]),
    }[ends]
    if ends == "fall":
        dx.BitsAllocated, dx.BitsStored, dx.HighBit = 16, 16, 15
    starts += [0] * (15 - len(starts))
    dx.PixelData = encapsulate([struct.pack("<16I", count, *starts) + body])
    dx.file_meta.TransferSyntaxUID = uid.RLELossless
    refused(as_file(dx), "run lengths in other segments")


def test_run_lengths_of_nothing_without_end(dx: Dataset) -> None:
    pixels = dx.Rows * dx.Columns
    dx.PixelData = encapsulate([struct.pack("<16I", 1, 64, *[0] * 14) + b"\x80" * (2 * pixels)])
    dx.file_meta.TransferSyntaxUID = uid.RLELossless
    refused(as_file(dx), "run lengths of more pixels")


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLosslessSV1])
def test_a_frame_of_too_many_scans(dx: Dataset, syntax: str) -> None:
    whole = io.BytesIO()
    Image.fromarray(np.asarray(dx.pixel_array)).save(whole, "JPEG", progressive=True)
    data = whole.getvalue()
    last = data.rindex(b"\xff\xda")
    dx.PixelData = encapsulate([data[:-2] + data[last:-2] * MAX_SCANS + data[-2:]])
    dx.file_meta.TransferSyntaxUID = uid.UID(syntax)
    refused(as_file(dx), "too many scans")


def test_pixels_in_fragments_without_end(dicom_folder: Path) -> None:
    dataset = pydicom.dcmread(dicom_folder / "cr_pa_1024_jpeg_baseline_monochrome2.dcm")
    dataset.PixelData = dataset.PixelData[:-8] + b"\xfe\xff\x00\xe0\0\0\0\0" * 20_000 + dataset.PixelData[-8:]
    refused(as_file(dataset), "more elements")


@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_no_bomb_is_read(dx: Dataset, bits: int) -> None:
    if bits == 16:
        dx.PixelData = (np.asarray(dx.pixel_array).astype("<u2") * 257).tobytes()
        dx.BitsAllocated, dx.BitsStored, dx.HighBit = 16, 16, 15
    expected = read_radiograph(as_file(dx), None)
    dx.compress(uid.RLELossless, generate_instance_uid=False)
    np.testing.assert_array_equal(read_radiograph(as_file(dx), None), expected)
