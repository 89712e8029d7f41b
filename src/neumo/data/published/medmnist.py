"""PneumoniaMNIST: radiographs as arrays in one archive, unpacked to the cache as folders of classes."""

from __future__ import annotations

import io
import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from neumo.data import class_folders
from neumo.data.published.coronahack import AGES
from neumo.data.table import Dataset, sha256_of
from neumo.errors import NeumoError
from neumo.files import cache_folder, lock, named
from neumo.progress import track

CITATION = (
    "PneumoniaMNIST: J. Yang, R. Shi, D. Wei, Z. Liu, L. Zhao, B. Ke, H. Pfister, B. Ni, MedMNIST v2 - A "
    "large-scale lightweight benchmark for 2D and 3D biomedical image classification, Scientific Data 10, "
    "41, 2023 (CC BY 4.0). "
    f"Images: {class_folders.KERMANY}"
)
EXPECTED = "expected PneumoniaMNIST as medmnist.com has it (pneumoniamnist.npz, pneumoniamnist_224.npz, ...)"

_PARTS = ("train", "val", "test")
_CLASSES = ("normal", "pneumonia")
_WRITTEN = "*/*/*.png"
"""The images, in the archive's folder of the cache."""
_LARGEST = 100_000_000
"""Pixels of one image."""
_MOST = 10_000_000
"""Images of one part."""
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, ValueError, KeyError, EOFError),
    *(RuntimeError, TypeError, SyntaxError, tokenize.TokenError, MemoryError),
)
"""What reading anything but such an archive raises; a RuntimeError where it is encrypted."""


def survey(file: Path, positive: Sequence[str] | None = None) -> Dataset:
    """Read the archive, whose images lie in the cache from then on (`unpack`).

    Args:
        file: as for `unpack`.
        positive: classes that count as positive, of ``normal`` and ``pneumonia``.

    Raises:
        NeumoError: as of `unpack`, or there is no such class.
    """
    found = class_folders.survey(*class_folders.find(unpack(file)), positive)
    return replace(found, name=file.stem, citation=CITATION, ages=AGES)


def unpack(file: Path) -> Path:
    """The archive's images as ``part/class/part-number.png`` in the cache, written when they are not there.

    Stopped at any point, or killed, the next call writes them again, as it does when some were lost.

    Args:
        file: called ``pneumoniamnist*.npz``. It holds ``train_images``, ``val_images`` and ``test_images``,
            uint8 (images, height, width), and ``train_labels`` and so on, (images, 1), 0 normal, 1 pneumonia.
            Other sets of MedMNIST look the same and mean other classes, so the name decides.

    Raises:
        NeumoError: it is another archive, or damaged.
        OSError: the disk is full.
    """
    if not file.name.lower().startswith("pneumoniamnist"):
        raise NeumoError(f"{file}: got arrays whose labels nothing explains, {EXPECTED}")
    folder = cache_folder() / "medmnist" / sha256_of(file)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / ".whole"
    with (folder / ".lock").open("ab") as locked:
        lock(locked, wait=True)
        if not _is_whole(folder):
            whole.unlink(missing_ok=True)
            for stale in folder.glob(_WRITTEN):
                stale.unlink()
            try:
                with zipfile.ZipFile(file) as archive:
                    for part in _PARTS:
                        _unpack_part(archive, part, folder)
            except (*_BROKEN, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:  # the disk's; bzip2's have none
                    raise
                why = " ".join(str(error).split()) or type(error).__name__
                raise NeumoError(f"{file}: got a damaged or other archive ({why}), {EXPECTED}") from error
            whole.write_text(str(_count(folder)))
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether all images lie there: ``.whole`` says how many they were, and is written last."""
    whole = folder / ".whole"
    return whole.exists() and whole.read_bytes() == str(_count(folder)).encode()


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.glob(_WRITTEN))


def _unpack_part(archive: zipfile.ZipFile, part: str, folder: Path) -> None:
    labels = _labels(archive, part)
    for name in _CLASSES:
        (folder / part / name).mkdir(parents=True, exist_ok=True)
    with archive.open(f"{part}_images.npy") as file:
        shape = _shape(file, part)
        if shape[0] != len(labels):
            raise ValueError(f"{part} has {shape[0]} images and {len(labels)} labels")
        images = track(_images(file, shape), f"Unpacking {part}", shape[0])
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            written = io.BytesIO()
            Image.fromarray(image).save(written, "PNG", compress_level=1)
            path = folder / part / _CLASSES[label] / f"{part}-{number:05d}.png"
            with named(path):
                path.write_bytes(written.getvalue())


def _labels(archive: zipfile.ZipFile, part: str) -> list[int]:
    """The class of each image, 0 or 1."""
    with archive.open(f"{part}_labels.npy") as file:
        shape, _, dtype = _header(file)
        if len(shape) != 2 or shape[1] != 1 or dtype.kind not in "iu":
            raise ValueError(f"{part}_labels are {dtype} {shape}, not a column of integers")
        if not 0 <= shape[0] <= _MOST:
            raise ValueError(f"{part} has {shape[0]} labels, not 0 to {_MOST}")
        content = file.read(shape[0] * dtype.itemsize)
    if len(content) < shape[0] * dtype.itemsize:
        raise EOFError("it ends within the labels")
    labels = np.frombuffer(content, dtype)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"{part}_labels are no column of 0 and 1")
    return labels.tolist()


def _shape(file: IO[bytes], part: str) -> tuple[int, int, int]:
    """Read the header of an array of images, up to its first pixel."""
    shape, by_column, dtype = _header(file)
    if len(shape) != 3 or by_column or dtype != np.uint8 or not 0 < shape[1] * shape[2] <= _LARGEST:
        raise ValueError(f"{part}_images are {dtype} {shape}, not grey images of uint8")
    return shape


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """An array's shape, whether it is stored by columns, and its values' type, up to its first value."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    return read(file)


def _images(file: IO[bytes], shape: tuple[int, int, int]) -> Iterator[np.ndarray]:
    """The images one by one, as all of them might not fit into memory."""
    count, height, width = shape
    for _ in range(count):
        pixels = file.read(height * width)
        if len(pixels) < height * width:
            raise EOFError("it ends within an image")
        yield np.frombuffer(pixels, np.uint8).reshape(height, width)
