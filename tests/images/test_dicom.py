"""DICOM files come out as PS3.3 says a viewer shows them, in every transfer syntax."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import gdcm
import jpeg_ls
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.fileset import FileSet
from pydicom.uid import UID

from neumo.errors import UnreadableImageError
from neumo.images.read import inspect_radiograph, read_radiograph


@pytest.fixture
def dx(dicom_folder: Path) -> Dataset:
    """A real uncompressed DX radiograph, 8 bits, 1024 x 1024, without a window."""
    return pydicom.dcmread(dicom_folder / "dx_1024_implicit_little_endian.dcm")


@pytest.fixture
def deep(dx: Dataset) -> Dataset:
    """The same with 12 bits stored in 16, values 400 ... 3,460 and a marker at 4,095."""
    values = dx.pixel_array.astype(np.uint16) * 12 + 400
    values[:5, :5] = 4095
    dx.PixelData = values.tobytes()
    dx.BitsAllocated, dx.BitsStored, dx.HighBit = 16, 12, 11
    dx["PixelData"].VR = "OW"
    return dx


def saved(dataset: Dataset, path: Path, **elements: Any) -> Path:
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    return path


def read(dataset: Dataset, folder: Path, **elements: Any) -> np.ndarray:
    return read_radiograph(saved(dataset, folder / "a.dcm", **elements), size=None).astype(float)


def refused(path: Path, got: str) -> None:
    for reader in (read_radiograph, inspect_radiograph):
        with pytest.raises(UnreadableImageError) as told:
            reader(path)
        assert got in str(told.value)
        assert "\n" not in str(told.value)


def test_real_files_are_radiographs(dicom_folder: Path) -> None:
    files = sorted(dicom_folder.glob("*.dcm"))
    assert len(files) == 5
    for file in files:
        found = inspect_radiograph(file)
        assert found.problems == ()
        assert (f"{found.height}x{found.width}" in file.name) or found.height == found.width == 1024
        np.testing.assert_array_equal(found.pixels, read_radiograph(file))
        assert found.mode == ("MONOCHROME1" if "monochrome1" in file.name else "MONOCHROME2")
    assert [int(inspect_radiograph(file).age or 0) for file in files] == [62, 62, 64, 64, 81]


def test_monochrome1_is_inverted(dicom_folder: Path) -> None:
    # these two files hold the same stored values and differ only in the photometric interpretation
    low_is_white = read_radiograph(dicom_folder / "cr_pa_1024_jpeg_baseline_monochrome1.dcm", size=None)
    low_is_black = read_radiograph(dicom_folder / "cr_pa_1024_jpeg_baseline_monochrome2.dcm", size=None)
    np.testing.assert_array_equal(low_is_white, 255 - low_is_black)
    stored = pydicom.dcmread(dicom_folder / "cr_pa_1024_jpeg_baseline_monochrome2.dcm").pixel_array
    np.testing.assert_array_equal(low_is_black, stored)


def test_two_compressions_of_one_radiograph_agree(dicom_folder: Path) -> None:
    first = dicom_folder / "cr_pa_1955x1841_jpeg2000_15bit_monochrome1.dcm"
    second = dicom_folder / "cr_pa_1955x1841_jpegls_15bit_monochrome1.dcm"
    for size, largest in ((None, 0.5), (224, 0.2)):
        difference = read_radiograph(first, size).astype(int) - read_radiograph(second, size)
        assert np.abs(difference).mean() < largest
    # window 15,000 / 30,000 by the linear function of PS3.3 C.11.2.1.2.1, then low values white
    stored = pydicom.dcmread(second).pixel_array.astype(float)
    shown = np.clip((stored - 14999.5) / 29999 + 0.5, 0, 1)
    assert np.abs(read_radiograph(second, None) - 255 * (1 - shown)).max() < 0.51


@pytest.mark.parametrize(
    ("kind", "shape", "inverted"),
    [
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", False),
        ("MONOCHROME1", "", True),
    ],
)
def test_the_presentation_lut_shape_inverts_once(
    dx: Dataset, tmp_path: Path, kind: str, shape: str, inverted: bool
) -> None:
    stored = dx.pixel_array
    found = read(dx, tmp_path, PhotometricInterpretation=kind, PresentationLUTShape=shape)
    np.testing.assert_array_equal(found, 255 - stored if inverted else stored)


@pytest.mark.parametrize("spelt", [" {}", " {} ", "{}  "])
def test_spaces_around_codes_mean_nothing(deep: Dataset, tmp_path: Path, spelt: str) -> None:
    deep.WindowCenter, deep.WindowWidth = 1500, 2000
    codes = {
        "PhotometricInterpretation": "MONOCHROME1",
        "PresentationLUTShape": "IDENTITY",
        "VOILUTFunction": "SIGMOID",
        "PresentationIntentType": "FOR PROCESSING",
        "Modality": "CR",
    }
    expected = inspect_radiograph(saved(deep, tmp_path / "a.dcm", PatientOrientation=["A", "F"], **codes))
    assert expected.problems == ("lateral", "raw")
    spaced = {name: spelt.format(code) for name, code in codes.items()}
    orientation = [spelt.format(code) for code in "AF"]
    file = saved(deep, tmp_path / "a.dcm", PatientOrientation=orientation, **spaced)
    found = inspect_radiograph(file)
    assert (found.mode, found.problems) == ("MONOCHROME1", expected.problems)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    refused(saved(deep, file, Modality=spelt.format("MR")), "DICOM modality MR")


def test_the_header_turns_the_picture(dx: Dataset, tmp_path: Path) -> None:
    dx.PixelData = dx.pixel_array[:700].tobytes()
    dx.Rows = 700
    expected = read(dx, tmp_path)
    lying = np.ascontiguousarray(dx.pixel_array[:, ::-1].T)  # rows run to the feet, columns to the right
    dx.PixelData, dx.Rows, dx.Columns = lying.tobytes(), *lying.shape
    found = inspect_radiograph(saved(dx, tmp_path / "a.dcm", PatientOrientation=["F", "R"]), None)
    np.testing.assert_array_equal(found.pixels, expected)
    assert (found.width, found.height) == (1024, 700)


def test_a_lateral_view_is_told(dx: Dataset, tmp_path: Path) -> None:
    assert inspect_radiograph(saved(dx, tmp_path / "a.dcm", ViewPosition="LL")).problems == ("lateral",)


def test_eight_bits_without_a_window_stay_as_they_are(dx: Dataset, tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(dx, tmp_path), dx.pixel_array)


def by_gdcm(source: Path, target: Path, syntax: int) -> Path:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1", "JPEGLSLossless"])
@pytest.mark.parametrize("bits", [8, 12])
def test_syntaxes_that_gdcm_writes(
    dx: Dataset, tmp_path: Path, syntax: str, bits: int, request: pytest.FixtureRequest
) -> None:
    dataset = request.getfixturevalue("deep") if bits == 12 else dx
    expected = read(dataset, tmp_path)
    file = by_gdcm(tmp_path / "a.dcm", tmp_path / "b.dcm", getattr(gdcm.TransferSyntax, syntax))
    assert pydicom.dcmread(file).file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read_radiograph(file, None), expected)


def test_jpeg_extended(dx: Dataset, tmp_path: Path) -> None:
    expected = read(dx, tmp_path)
    file = by_gdcm(tmp_path / "a.dcm", tmp_path / "b.dcm", gdcm.TransferSyntax.JPEGExtendedProcess2_4)
    assert pydicom.dcmread(file).file_meta.TransferSyntaxUID == uid.JPEGExtended12Bit
    assert np.abs(read_radiograph(file, None) - expected).mean() < 2


SYNTAXES_OF_PYDICOM = (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless)


@pytest.mark.parametrize("syntax", SYNTAXES_OF_PYDICOM)
@pytest.mark.parametrize("bits", [8, 12])
def test_syntaxes_that_pydicom_writes(
    dx: Dataset, tmp_path: Path, syntax: UID, bits: int, request: pytest.FixtureRequest
) -> None:
    dataset = request.getfixturevalue("deep") if bits == 12 else dx
    expected = read(dataset, tmp_path)
    dataset.compress(syntax, generate_instance_uid=False)
    assert dataset.file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(read(dataset, tmp_path), expected)


@pytest.mark.parametrize("pad", [b"\x54", b"\xff", b"\xd9"])
def test_jpeg_ls_with_any_byte_that_makes_it_even(dx: Dataset, tmp_path: Path, pad: bytes) -> None:
    """DCMTK, and Orthanc with it, leaves whatever was in memory where PS3.5 A.4 wants a zero."""
    for shade in range(256):  # until a frame has an odd length
        pixels = dx.pixel_array.copy()
        pixels[:64, :64] = shade
        frame = bytes(jpeg_ls.encode_array(pixels))
        if len(frame) % 2:
            break
    dx.PixelData = encapsulate([frame + pad])
    dx["PixelData"].VR = "OB"
    dx.file_meta.TransferSyntaxUID = uid.JPEGLSLossless
    odd = read(dx, tmp_path)
    dx.PixelData = pixels.tobytes()
    dx.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    np.testing.assert_array_equal(odd, read(dx, tmp_path))
    dx.PixelData = encapsulate([frame[:-2] + pad])
    dx.file_meta.TransferSyntaxUID = uid.JPEGLSLossless
    refused(saved(dx, tmp_path / "a.dcm"), "DICOM whose pixels do not decode (JPEG-LS")


HTJ2K = base64.b64decode(
    "/0//UQApQAAAAABAAAAAMAAAAAAAAAAAAAAAQAAAADAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wA"
    "EyCIkJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAARUAAf+TwAArABUAufqn9EvvAsM0"
    "AMAAE8AAEwC22fYCgnQAbfsAAjQAwAAVUAAFWNq0afuggjICdgBs2bJl+8Axgb62AMAAFbAABaRsbGxsbGzninpxgncAtDQa"
    "jUaj0f76CEB79iEB7LoAwAAWtAABdAAymUwmk8lkMplM9vn+Cnp6enpxAnsAWAzDMAzDMAzDMAzD/v9xgEIHv2EIHv2EIHv2"
    "EIHsswHAAC6OAAF3AI7jOI7jOI7jOI7jOI7jOI7jOP6/+np6enp6enp6enpwgnEBpjHGGGOMMcYYY4wxxhhjjDHGGGP+/39s"
    "AAAHv2AAHv2AAHv2AAHv2AAHv2AAHv2AAHv2AAHsswL/2Q=="
)
"""64 x 48 pixels, 40 x + 20 y, as OpenJPH writes them without loss."""


def test_high_throughput_jpeg_2000(dx: Dataset, tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :64]
    dx.Rows, dx.Columns = y.shape
    dx.BitsAllocated, dx.BitsStored, dx.HighBit = 16, 16, 15
    dx.WindowCenter, dx.WindowWidth = 2048, 4096
    dx.PixelData = (40 * x + 20 * y).astype(np.uint16).tobytes()
    dx["PixelData"].VR = "OW"
    expected = read(dx, tmp_path)
    dx.PixelData = encapsulate([HTJ2K])
    dx["PixelData"].VR = "OB"
    dx.file_meta.TransferSyntaxUID = uid.HTJ2KLossless
    np.testing.assert_array_equal(read(dx, tmp_path), expected)


def test_jpeg_extended_of_twelve_bits(deep: Dataset, tmp_path: Path) -> None:
    deep.PixelData = encapsulate([b"\xff\xd8\xff\xc1\0\x0b\x0c\4\0\4\0\1\1\x11\0\xff\xd9"])
    deep.file_meta.TransferSyntaxUID = uid.JPEGExtended12Bit
    refused(
        saved(deep, tmp_path / "a.dcm"),
        "in lossy JPEG of 12 bits, which no decoder here reads, expected 8",
    )


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian])
def test_uncompressed_syntaxes(deep: Dataset, tmp_path: Path, syntax: UID) -> None:
    expected = read(deep, tmp_path)
    deep.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(read(deep, tmp_path), expected)


def test_big_endian(deep: Dataset, tmp_path: Path) -> None:
    expected = read(deep, tmp_path)
    big = Dataset({element.tag: element for element in deep})
    big.PixelData = np.frombuffer(deep.PixelData, np.uint16).byteswap().tobytes()
    big.file_meta = deep.file_meta
    big.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    big.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_radiograph(tmp_path / "b.dcm", None), expected)


@pytest.mark.parametrize("implicit", [True, False])
def test_old_files_without_a_preamble(deep: Dataset, tmp_path: Path, implicit: bool) -> None:
    expected = read(deep, tmp_path)
    old = Dataset({element.tag: element for element in deep})
    old.save_as(tmp_path / "old", implicit_vr=implicit, little_endian=True)
    assert (tmp_path / "old").read_bytes()[:2] == b"\x08\x00"
    np.testing.assert_array_equal(read_radiograph(tmp_path / "old", None), expected)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian])
def test_file_meta_without_a_preamble(deep: Dataset, tmp_path: Path, syntax: UID) -> None:
    expected = read(deep, tmp_path)
    deep.file_meta.TransferSyntaxUID = syntax
    whole = saved(deep, tmp_path / "a.dcm").read_bytes()
    (tmp_path / "bare").write_bytes(whole[132:])
    np.testing.assert_array_equal(read_radiograph(tmp_path / "bare", None), expected)


@pytest.mark.parametrize("implicit", [True, False])
def test_values_that_are_not_called_signed_are_unsigned(
    deep: Dataset, tmp_path: Path, implicit: bool
) -> None:
    deep.add_new("PixelPaddingValue", "US", 4095)
    expected = read(deep, tmp_path)
    if not implicit:
        deep.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    file = saved(deep, tmp_path / "a.dcm")
    element = b"\x28\0\x03\1" + (b"\2\0\0\0" if implicit else b"US\2\0") + b"\0\0"
    data = file.read_bytes()
    assert data.count(element) == 1
    file.write_bytes(data.replace(element, b""))
    assert "PixelRepresentation" not in pydicom.dcmread(file)
    np.testing.assert_array_equal(read_radiograph(file, None), expected)


def test_dicom_is_known_by_its_content(dicom_folder: Path, dx: Dataset, tmp_path: Path) -> None:
    file = saved(dx, tmp_path / "a.png")
    expected = read_radiograph(dicom_folder / "dx_1024_implicit_little_endian.dcm")
    np.testing.assert_array_equal(read_radiograph(file), expected)


def test_twelve_bits_without_a_window_are_shown_between_percentiles(deep: Dataset, tmp_path: Path) -> None:
    stored = deep.pixel_array
    low, high = np.percentile(stored, (0.5, 99.5))
    expected = np.clip((stored - low) / (high - low), 0, 1) * 255
    assert np.abs(read(deep, tmp_path) - expected).max() < 0.51
    inverted = read(deep, tmp_path, RescaleSlope=-2, RescaleIntercept=4095)
    assert np.abs(inverted - (255 - expected)).max() < 1.01


@pytest.mark.parametrize(("center", "width"), [(None, None), ("", ""), ([], []), (0, 0), (2000, None)])
def test_an_empty_window_is_none(deep: Dataset, tmp_path: Path, center: Any, width: Any) -> None:
    expected = read(deep, tmp_path)
    np.testing.assert_array_equal(read(deep, tmp_path, WindowCenter=center, WindowWidth=width), expected)


@pytest.mark.parametrize(
    ("center", "width"), [("2000", "1e400"), ("nan", "300"), ("2000", "-1e400"), ("1e308", "1e308")]
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_endless_window_is_none(deep: Dataset, tmp_path: Path, center: str, width: str) -> None:
    expected = read(deep, tmp_path)
    np.testing.assert_array_equal(read(deep, tmp_path, WindowCenter=center, WindowWidth=width), expected)


@pytest.mark.parametrize("first", [("", ""), ("900", ""), ("", "900"), ("900", "0"), ("900", "1e400")])
def test_the_first_whole_window_counts(deep: Dataset, tmp_path: Path, first: tuple[str, str]) -> None:
    expected = read(deep, tmp_path, WindowCenter="2000", WindowWidth="3000")
    center, width = ([value, more, "7"] for value, more in zip(first, ("2000", "3000"), strict=True))
    np.testing.assert_array_equal(read(deep, tmp_path, WindowCenter=center, WindowWidth=width), expected)


def test_window_after_rescale(deep: Dataset, tmp_path: Path) -> None:
    values = deep.pixel_array * 0.5 - 1000
    deep.RescaleSlope, deep.RescaleIntercept = 0.5, -1000
    # the first of two windows; the functions of PS3.3 C.11.2.1.2 and C.11.2.1.3
    linear = np.clip((values - (-199.5 - 0.5)) / 799 + 0.5, 0, 1) * 255
    elements = {"WindowCenter": [-199.5, 0], "WindowWidth": [800, 100]}
    assert np.abs(read(deep, tmp_path, **elements) - linear).max() < 0.51
    exact = np.clip((values + 199.5) / 800 + 0.5, 0, 1) * 255
    assert np.abs(read(deep, tmp_path, VOILUTFunction="LINEAR_EXACT") - exact).max() < 0.51
    sigmoid = 255 / (1 + np.exp(-4 * (values + 199.5) / 800))
    assert np.abs(read(deep, tmp_path, VOILUTFunction="SIGMOID") - sigmoid).max() < 0.51


@pytest.mark.parametrize("slope", ["0", "NaN", "inf"])
def test_a_rescale_that_leaves_nothing_is_none(deep: Dataset, tmp_path: Path, slope: str) -> None:
    expected = read(deep, tmp_path, WindowCenter=1500, WindowWidth=2000)
    deep.add_new("RescaleSlope", "DS", slope)
    np.testing.assert_array_equal(read(deep, tmp_path, RescaleIntercept="0"), expected)


def test_the_first_of_several_rescales_counts(deep: Dataset, tmp_path: Path) -> None:
    deep.WindowCenter, deep.WindowWidth = 500, 2000
    expected = read(deep, tmp_path, RescaleSlope="0.5", RescaleIntercept="-9")
    found = read(deep, tmp_path, RescaleSlope=["0.5", "2"], RescaleIntercept=["-9", "7"])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("function", ["", "LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_after_a_negative_slope(deep: Dataset, tmp_path: Path, kind: str, function: str) -> None:
    # the same window on the mirrored values, shown with the other sense; LINEAR lies half a value lower
    shift = 0 if function in ("LINEAR_EXACT", "SIGMOID") else 1
    deep.VOILUTFunction, deep.WindowWidth = function, 2000
    expected = read(deep, tmp_path, WindowCenter=1500, PhotometricInterpretation=kind)
    other = {"MONOCHROME1": "MONOCHROME2", "MONOCHROME2": "MONOCHROME1"}[kind]
    deep.RescaleSlope, deep.RescaleIntercept = -1, 4095
    found = read(deep, tmp_path, WindowCenter=4095 - 1500 + shift, PhotometricInterpretation=other)
    assert np.ptp(expected) > 200
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("function", ["linear", "IDENTITY", "LINEAR\\LINEAR"])
def test_a_window_of_an_unknown_function_is_linear(deep: Dataset, tmp_path: Path, function: str) -> None:
    expected = read(deep, tmp_path, WindowCenter=1500, WindowWidth=2000)
    np.testing.assert_array_equal(read(deep, tmp_path, VOILUTFunction=function), expected)


def table(first: int, entries: np.ndarray, bits: int) -> list[Dataset]:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return [item]


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["RescaleSlope", "RescaleIntercept"], "DS"),
        (["VOILUTFunction"], "CS"),
        (["PixelPaddingRangeLimit"], "US"),
    ],
)
def test_an_element_without_a_value_is_none(
    deep: Dataset, tmp_path: Path, names: list[str], kind: str
) -> None:
    deep.WindowCenter, deep.WindowWidth = 1500, 2000
    deep.add_new("PixelPaddingValue", "US", 4095)
    expected = read(deep, tmp_path)
    for name in names:
        deep.add_new(name, kind, None)
    np.testing.assert_array_equal(read(deep, tmp_path), expected)


@pytest.mark.parametrize("there", [True, False])
def test_samples_that_are_not_counted_are_one(deep: Dataset, tmp_path: Path, there: bool) -> None:
    expected = read(deep, tmp_path)
    deep.SamplesPerPixel = None
    if not there:
        del deep.SamplesPerPixel
    np.testing.assert_array_equal(read(deep, tmp_path), expected)


def test_lookup_tables_come_first(deep: Dataset, tmp_path: Path) -> None:
    entries = np.linspace(0, 1, 4096) ** 2 * 1023
    square = (deep.pixel_array / 4095) ** 2 * 255
    deep.WindowCenter, deep.WindowWidth = 10, 20
    shown = read(deep, tmp_path, VOILUTSequence=table(0, entries.astype(np.uint16), 10))
    assert np.abs(shown - square).max() < 1
    del deep.VOILUTSequence, deep.WindowCenter, deep.WindowWidth
    shown = read(
        deep,
        tmp_path,
        ModalityLUTSequence=table(0, (entries * 64).astype(np.uint16), 16),
        WindowCenter=32768,
        WindowWidth=65536,
    )
    assert np.abs(shown - square).max() < 1


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian], ids=str)
@pytest.mark.parametrize(("signed", "intercept"), [(0, -1024), (1, 0), (1, 2048), (1, 40000), (0, 0)])
def test_the_first_value_of_a_table_is_signed_as_what_it_is_given(
    deep: Dataset, tmp_path: Path, syntax: UID, signed: int, intercept: int
) -> None:
    deep.file_meta.TransferSyntaxUID = syntax
    square = (deep.pixel_array / 4095) ** 2 * 255
    deep.PixelData = (deep.pixel_array.astype(np.int16) - signed * 2048).tobytes()
    deep.PixelRepresentation = signed
    deep.RescaleSlope, deep.RescaleIntercept = 1, intercept
    voi = table(0, (np.linspace(0, 1, 4096) ** 2 * 65535).astype(np.uint16), 16)
    first = intercept - signed * 2048
    voi[0].add_new("LUTDescriptor", "SS" if first < 0 else "US", [4096, first, 16])
    assert np.abs(read(deep, tmp_path, VOILUTSequence=voi) - square).max() < 1


@pytest.mark.parametrize("name", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("unknown", [["LUTData"], ["LUTDescriptor", "LUTData"]])
def test_lookup_tables_that_are_too_long_for_their_kind(
    deep: Dataset, tmp_path: Path, name: str, unknown: list[str]
) -> None:
    deep.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    one = table(0, (np.linspace(0, 1, 65536) ** 0.5 * 65535).astype(np.uint16), 16)
    expected = read(deep, tmp_path, **{name: one})
    for part in unknown:
        value = one[0][part].value
        one[0].add_new(part, "UN", value if part == "LUTData" else np.array(value, "<u2").tobytes())
    found = read(deep, tmp_path, **{name: one})
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian], ids=str)
@pytest.mark.parametrize("stored", ["bytes", "words", "numbers"])
@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("name", ["ModalityLUTSequence", "VOILUTSequence"])
def test_entries_of_few_bits(
    deep: Dataset, tmp_path: Path, syntax: UID, stored: str, bits: int, name: str
) -> None:
    order, most = ">" if syntax == uid.ExplicitVRBigEndian else "<", 2**bits - 1
    square = (deep.pixel_array / 4095) ** 2 * 255
    deep.PixelData = deep.pixel_array.astype(f"{order}u2").tobytes()
    anew = Dataset()  # without the order of bytes that it was read in
    anew.update(deep)
    anew.file_meta = deep.file_meta
    anew.file_meta.TransferSyntaxUID = syntax
    entries = np.rint(np.linspace(0, 1, 4096) ** 2 * most).astype(np.uint16)
    words = entries if bits > 8 or stored == "words" else entries.astype(np.uint8).view("<u2")
    lut = table(0, entries, bits)
    if stored == "numbers":
        lut[0].add_new("LUTData", "US", words.tolist())
    else:
        lut[0].add_new("LUTData", "OW", words.astype(f"{order}u2").tobytes())
    whole = {"WindowCenter": (most + 1) / 2, "WindowWidth": most + 1}
    shown = read(anew, tmp_path, **{name: lut}, **(whole if name == "ModalityLUTSequence" else {}))
    assert np.abs(shown - square).max() < 1


def test_a_window_of_one_value_is_a_step(deep: Dataset, tmp_path: Path) -> None:
    values = deep.pixel_array
    assert (values == 1504).any()
    shown = read(deep, tmp_path, WindowCenter=1504.5, WindowWidth=1)
    np.testing.assert_array_equal(shown, 255 * (values > 1504))


def test_a_lookup_table_with_too_few_entries_is_refused(deep: Dataset, tmp_path: Path) -> None:
    short = table(0, np.arange(4096), 16)
    short[0].LUTData = short[0].LUTData[:4096]
    refused(saved(deep, tmp_path / "a.dcm", VOILUTSequence=short), "a broken DICOM file")
    refused(saved(deep, tmp_path / "a.dcm", VOILUTSequence=table(0, np.arange(4096), 0)), "a broken DICOM")


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_not_counted(deep: Dataset, tmp_path: Path, kind: str) -> None:
    deep.PhotometricInterpretation = kind
    values = deep.pixel_array.copy()
    outside = np.zeros(values.shape, bool)
    outside[:, :40] = outside[:, -40:] = True
    values[outside] = 2
    deep.PixelData = values.tobytes()
    deep.add_new("PixelPaddingValue", "US", 0)
    deep.add_new("PixelPaddingRangeLimit", "US", 3)
    low, high = np.percentile(values[~outside], (0.5, 99.5))
    inside = np.clip((values - low) / (high - low), 0, 1) * 255
    expected = np.where(outside, 0, 255 - inside if kind == "MONOCHROME1" else inside)
    assert np.abs(read(deep, tmp_path) - expected).max() < 0.51
    del deep.PixelPaddingRangeLimit
    assert np.abs(read(deep, tmp_path) - expected).mean() > 1


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian], ids=str)
@pytest.mark.parametrize("kind", ["US", "SS"])
def test_padding_of_signed_values(deep: Dataset, tmp_path: Path, syntax: UID, kind: str) -> None:
    deep.file_meta.TransferSyntaxUID = syntax
    values = deep.pixel_array.astype(np.int16) - 2048
    values[:, :40] = -2048
    deep.PixelData, deep.PixelRepresentation = values.tobytes(), 1
    deep.add_new("PixelPaddingValue", kind, -2048 % 2**16 if kind == "US" else -2048)
    low, high = np.percentile(values[:, 40:], (0.5, 99.5))
    shown = read(deep, tmp_path)
    assert np.abs(shown[:, 40:] - np.clip((values[:, 40:] - low) / (high - low), 0, 1) * 255).max() < 0.51
    assert not shown[:, :40].any()


def test_signed_values(deep: Dataset, tmp_path: Path) -> None:
    expected = read(deep, tmp_path)
    deep.PixelData = (deep.pixel_array.astype(np.int16) - 2048).tobytes()
    np.testing.assert_array_equal(read(deep, tmp_path, PixelRepresentation=1), expected)


def test_bits_above_the_stored_ones_are_not_seen(deep: Dataset, tmp_path: Path) -> None:
    expected = read(deep, tmp_path)
    overlay = np.random.default_rng(0).integers(0, 16, (1024, 1024), dtype=np.uint16) << 12
    deep.PixelData = (deep.pixel_array | overlay).tobytes()
    np.testing.assert_array_equal(read(deep, tmp_path), expected)


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1"])
@pytest.mark.parametrize("signed", [False, True])
def test_fewer_than_eight_bits_in_lossless_jpeg(
    dx: Dataset, tmp_path: Path, signed: bool, syntax: str
) -> None:
    """GDCM ends the whole process if it is told of fewer bits."""
    values = (dx.pixel_array >> 2).astype(np.int64) - 32 * signed
    dx.PixelData = (values & 0x3F | 0x80).astype(np.uint8).tobytes()
    expected = read(dx, tmp_path, BitsStored=6, HighBit=5, PixelRepresentation=int(signed))
    assert np.abs(expected - (values + 32 * signed) * 255 / 63).max() < 0.51
    saved(dx, tmp_path / "a.dcm", BitsStored=8, HighBit=7, PixelRepresentation=0)
    by_gdcm(tmp_path / "a.dcm", tmp_path / "b.dcm", getattr(gdcm.TransferSyntax, syntax))
    coded = pydicom.dcmread(tmp_path / "b.dcm")
    found = read(coded, tmp_path, BitsStored=6, HighBit=5, PixelRepresentation=int(signed))
    np.testing.assert_array_equal(found, expected)


def test_lossless_jpeg_of_more_bits_than_are_allocated(deep: Dataset, tmp_path: Path) -> None:
    saved(deep, tmp_path / "a.dcm")
    by_gdcm(tmp_path / "a.dcm", tmp_path / "b.dcm", gdcm.TransferSyntax.JPEGLosslessProcess14_1)
    coded = pydicom.dcmread(tmp_path / "b.dcm")
    coded.BitsAllocated, coded.BitsStored, coded.HighBit = 8, 8, 7
    refused(saved(coded, tmp_path / "a.dcm"), "DICOM whose pixels do not decode (JPEG Lossless")


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("above", [0, 0xA000])
def test_bits_above_the_stored_ones_in_whole_words_of_jpeg_ls(
    deep: Dataset, tmp_path: Path, signed: bool, above: int
) -> None:
    deep.WindowCenter, deep.WindowWidth = 1500 - 2048 * signed, 2500
    deep.PixelRepresentation = int(signed)
    words = (deep.pixel_array.astype(np.int64) - 2048 * signed) & 0xFFF | above
    deep.PixelData = words.astype("<u2").tobytes()
    expected = read(deep, tmp_path)
    # coded as 16 bits, as DCMTK's dcmcjpls does
    deep.BitsStored, deep.HighBit, deep.PixelRepresentation = 16, 15, 0
    deep.compress(uid.JPEGLSLossless)
    found = read(deep, tmp_path, BitsStored=12, HighBit=11, PixelRepresentation=int(signed))
    assert np.ptp(expected) > 200
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("syntax", ["", *SYNTAXES_OF_PYDICOM, "JPEGLossless"])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("high", [15, 13])
def test_bits_below_the_stored_ones_are_not_seen(
    deep: Dataset, tmp_path: Path, syntax: str, signed: int, high: int
) -> None:
    values = deep.pixel_array.astype(np.int16) - 2048 * signed
    deep.PixelData, deep.PixelRepresentation = values.tobytes(), signed
    deep.WindowCenter, deep.WindowWidth = 2000 - 2048 * signed, 3000
    expected = read(deep, tmp_path)
    deep.PixelData = (values << (high - 11)).tobytes()  # negative ones go on to the left
    if syntax:
        deep.BitsStored, deep.HighBit = 16, 15
    if syntax == "JPEGLossless":
        saved(deep, tmp_path / "a.dcm")
        by_gdcm(tmp_path / "a.dcm", tmp_path / "b.dcm", gdcm.TransferSyntax.JPEGLosslessProcess14_1)
        deep = pydicom.dcmread(tmp_path / "b.dcm")
    elif syntax:
        deep.compress(syntax, generate_instance_uid=False)
    np.testing.assert_array_equal(read(deep, tmp_path, BitsStored=12, HighBit=high), expected)


@pytest.mark.parametrize("high", [None, [], [15, 15], 3, 10, 16, 200, 15])
@pytest.mark.parametrize("syntax", ["", uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_a_high_bit_that_is_wrong(deep: Dataset, tmp_path: Path, high: Any, syntax: str) -> None:
    """15 is one as well where no value has a bit above the twelfth, but many one below the fifth."""
    expected = read(deep, tmp_path)
    if syntax:
        deep.compress(syntax, generate_instance_uid=False)
    if high is None:
        del deep.HighBit
    else:
        deep.HighBit = high
    np.testing.assert_array_equal(read(deep, tmp_path), expected)


def test_blank_picture_is_read(deep: Dataset, tmp_path: Path) -> None:
    deep.PixelData = np.full((1024, 1024), 700, np.uint16).tobytes()
    assert inspect_radiograph(saved(deep, tmp_path / "a.dcm")).problems == ("blank",)


@pytest.mark.parametrize(
    ("elements", "got"),
    [
        ({"NumberOfFrames": 3}, "DICOM of 3 frames"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "DICOM in colour (RGB)"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "DICOM in colour (PALETTE COLOR)"),
        ({"PhotometricInterpretation": None}, "DICOM in colour"),
        ({"Modality": "CT"}, "DICOM modality CT"),
        ({"Modality": "SR"}, "DICOM modality SR"),
        ({"SOPClassUID": uid.CTImageStorage, "Modality": ""}, "DICOM of the class CT Image Storage"),
        (
            {"SOPClassUID": uid.EnhancedMRImageStorage, "Modality": "OT"},
            "DICOM of the class Enhanced MR Image",
        ),
        ({"SOPClassUID": uid.XRayAngiographicImageStorage}, "DICOM of the class X-Ray Angiographic"),
        ({"Rows": 60000, "Columns": 60000}, "DICOM of 60000 x 60000 pixels"),
        ({"Rows": 2000}, "DICOM whose pixels do not decode"),
        ({"Rows": 512}, "DICOM with the values of 2 frames"),
        ({"BitsAllocated": 32}, "DICOM of 32 bits per pixel"),
        ({"Rows": None}, "a broken DICOM file"),
    ],
)
def test_what_is_no_grey_radiograph(dx: Dataset, tmp_path: Path, elements: dict[str, Any], got: str) -> None:
    refused(saved(dx, tmp_path / "a.dcm", **elements), got)


def test_no_pixels(dx: Dataset, tmp_path: Path) -> None:
    del dx.PixelData
    refused(saved(dx, tmp_path / "a.dcm"), "DICOM without pixels (Secondary Capture Image Storage)")


@pytest.mark.parametrize("name", ["Rows", "Columns", "BitsAllocated", "BitsStored"])
@pytest.mark.parametrize("value", [None, 0, [8, 8]])
def test_numbers_without_which_there_are_no_pixels(
    dx: Dataset, tmp_path: Path, name: str, value: Any
) -> None:
    told = (
        f"got a broken DICOM file ({f'no {name}' if value is None else f'{name} {value}'}), expected a DICOM"
    )
    refused(saved(dx, tmp_path / "a.dcm", **{name: value}), told)
    if value is None:
        del dx[name]
        refused(saved(dx, tmp_path / "a.dcm"), told)


def test_unknown_transfer_syntax(dx: Dataset, tmp_path: Path) -> None:
    dx.PixelData = encapsulate([b"\0" * 1000])
    dx["PixelData"].VR = "OB"
    dx.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    refused(saved(dx, tmp_path / "a.dcm"), "DICOM whose pixels do not decode (MPEG2")


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.RLELossless])
def test_fragments_in_a_syntax_without_them(dx: Dataset, tmp_path: Path, syntax: UID) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024), dtype=np.uint8)
    dx.PixelData = noise.tobytes()
    dx.compress(syntax)
    assert len(dx.PixelData) > 1024 * 1024  # enough to be taken for pixels
    data = saved(dx, tmp_path / "a.dcm").read_bytes()
    told = syntax.encode() + b"\0" * (len(syntax) % 2)
    (tmp_path / "a.dcm").write_bytes(data.replace(told, b"1.2.840.10008.1.2.1".ljust(len(told), b"\0"), 1))
    refused(tmp_path / "a.dcm", "DICOM whose pixels do not decode (Explicit VR Little Endian)")


def test_preamble_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM")
    refused(tmp_path / "a.dcm", "a file that is no DICOM, or a truncated one")
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + b"no DICOM at all" * 50)
    refused(tmp_path / "a.dcm", "")


def test_the_index_of_a_medium(dicom_folder: Path, tmp_path: Path) -> None:
    index = FileSet()
    index.add(dicom_folder / "cr_pa_1955x1841_jpeg2000_15bit_monochrome1.dcm")
    index.write(tmp_path)
    refused(tmp_path / "DICOMDIR", "a DICOMDIR, expected the radiographs that it lists")


def test_truncated_files(dicom_folder: Path, tmp_path: Path) -> None:
    for file in dicom_folder.glob("*.dcm"):
        data = file.read_bytes()
        for share in (0.2, 0.99):
            (tmp_path / "a.dcm").write_bytes(data[: int(share * len(data))])
            refused(tmp_path / "a.dcm", "")


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_holes_in_compressed_pixels(dicom_folder: Path, tmp_path: Path, end: bytes) -> None:
    for file in dicom_folder.glob("cr*.dcm"):
        dataset = pydicom.dcmread(file)
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        dataset.PixelData = encapsulate([frame[: len(frame) * 9 // 10] + end])
        refused(saved(dataset, tmp_path / "a.dcm"), "DICOM whose pixels do not decode (JPEG")


BY_GDCM = ("JPEGExtendedProcess2_4", "JPEGLosslessProcess14", "JPEGLosslessProcess14_1", "RLELossless")


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("share", [0.7, 0.99])
@pytest.mark.parametrize(
    ("syntax", "bits"), [*((name, 8) for name in BY_GDCM), *((name, 12) for name in BY_GDCM[1:])]
)
def test_holes_in_pixels_of_other_syntaxes(
    dx: Dataset,
    tmp_path: Path,
    syntax: str,
    bits: int,
    share: float,
    end: bytes,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    saved(request.getfixturevalue("deep") if bits == 12 else dx, tmp_path / "a.dcm")
    by_gdcm(tmp_path / "a.dcm", tmp_path / "b.dcm", getattr(gdcm.TransferSyntax, syntax))
    assert inspect_radiograph(tmp_path / "b.dcm").problems == ()
    dataset = pydicom.dcmread(tmp_path / "b.dcm")
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([frame[: int(len(frame) * share)] + end])
    refused(saved(dataset, tmp_path / "a.dcm"), "DICOM whose pixels do not decode (")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("rows", [1023, 1025])
def test_rows_that_a_lossless_jpeg_does_not_have(dx: Dataset, tmp_path: Path, rows: int) -> None:
    saved(dx, tmp_path / "a.dcm")
    by_gdcm(tmp_path / "a.dcm", tmp_path / "b.dcm", gdcm.TransferSyntax.JPEGLosslessProcess14_1)
    dataset = pydicom.dcmread(tmp_path / "b.dcm")
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    at = frame.index(b"\xff\xc3") + 5
    dataset.PixelData = encapsulate([frame[:at] + rows.to_bytes(2) + frame[at + 2 :]])
    refused(saved(dataset, tmp_path / "b.dcm", Rows=rows), "DICOM whose pixels do not decode (JPEG Lossless")


def test_deep_values_are_rounded_once(dicom_folder: Path) -> None:
    """Rounding before the picture is shrunk would move a tenth of the pixels by a grey level."""
    file = dicom_folder / "cr_pa_1955x1841_jpegls_15bit_monochrome1.dcm"
    stored = pydicom.dcmread(file).pixel_array.astype(np.float32)
    shown = 255 * (1 - np.clip((stored - 14999.5) / 29999 + 0.5, 0, 1))
    expected = Image.fromarray(shown).resize((224, 224), Image.Resampling.BILINEAR, reducing_gap=3.0)
    assert np.abs(read_radiograph(file) - np.asarray(expected)).max() < 0.51
