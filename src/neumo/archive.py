"""Named members in one file, each vouched for, with nothing beside them."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from neumo.errors import NeumoError
from neumo.files import whole_file
from neumo.threads import in_threads

SUMS = "SHA256SUMS"
MOST = 64 << 20
"""Bytes that what is compressed may take when unpacked, all together; it is text, and weights are stored.
As much may the arrays of one ``.npz`` file take."""


Data = bytes | memoryview


def write_archive(file: str | Path, members: Mapping[str, Data]) -> None:
    """Write a ZIP archive, whole or not at all, with ``SHA256SUMS`` over its members.

    Text is compressed. Weights, which hardly get smaller, are not, so that they are read without delay.
    """
    sums = "".join(f"{_digest(data)}  {name}\n" for name, data in members.items())
    with whole_file(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SUMS, sums)
        for name, data in members.items():
            text = name.endswith((".json", ".xml"))
            archive.writestr(name, data, zipfile.ZIP_DEFLATED if text else zipfile.ZIP_STORED)


def read_archive(file: str | Path, expected: str) -> tuple[dict[str, Data], dict[str, str]]:
    """Read what `write_archive` wrote.

    Args:
        file: the archive.
        expected: how the error goes on where it is not one, for example "expected a classifier".

    Returns:
        What it holds and its SHA-256, hexadecimal, by name.

    Raises:
        NeumoError: no such file, no such archive, or one that was changed, added to or cut off.
    """
    try:
        data = Path(file).read_bytes()
    except FileNotFoundError:
        raise NeumoError(f"{file}: got no such file, {expected}") from None
    except IsADirectoryError:
        raise NeumoError(f"{file}: got a folder, {expected}") from None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_room(archive)
            lines = bytes(_member(archive, data, SUMS)).decode().splitlines()
            sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
            _check_nothing_else(archive, data, [SUMS, *sums])
            members = {name: _member(archive, data, name) for name in sums}
    # what a ZIP file of something else raises: missing, encrypted, oddly compressed members
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        KeyError,
        ValueError,
        RuntimeError,
    ) as error:
        got = str(error).lower() or "a damaged file"
        if isinstance(error, zipfile.BadZipFile):
            got = "a truncated or damaged file" if data.startswith(b"PK") else "another kind of file"
        raise NeumoError(f"{file}: got {got}, {expected}") from error
    for name, digest in zip(members, in_threads(_digest, members.values()), strict=True):
        if digest != sums[name]:
            raise NeumoError(f"{file}: got a changed {name}, {expected} and nobody edited")
    return members, sums


def read_arrays(data: Data) -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz`` file, which is a ZIP archive itself, by name.

    Raises:
        ValueError: it is none, or one that would fill the memory.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_room(archive, "numbers")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return dict(file)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError("numbers that are damaged, or none") from error
    except MemoryError as error:  # there is room for what was unpacked, not for what it says that it is
        raise ValueError("arrays of more numbers than they have") from error


def _digest(data: Data) -> str:
    return hashlib.sha256(data).hexdigest()


def _check_nothing_else(archive: zipfile.ZipFile, data: bytes, names: list[str]) -> None:
    """Refuse what has other members, or bytes before, between or behind them or in comments."""
    if sorted(archive.namelist()) != sorted(names):
        raise ValueError("members that are not vouched for")
    at = length = 0
    for about in archive.infolist():
        if about.header_offset != at:
            break
        name = len(about.filename.encode())
        at += 30 + name + about.compress_size
        length += 46 + name  # in the directory, which is last
    if at != archive.start_dir or at + length + 22 != len(data):
        raise ValueError("bytes that no member has")


def _check_room(archive: zipfile.ZipFile, of: str = "text") -> None:
    """Refuse, before anything is unpacked, what would take much more memory than the file is large."""
    room = MOST
    for about in archive.infolist():
        if about.compress_type == zipfile.ZIP_STORED:
            continue
        if about.compress_type != zipfile.ZIP_DEFLATED:
            raise ValueError(f"{about.filename} compressed by method {about.compress_type}")
        room -= about.file_size
        if room < 0:
            raise ValueError(f"more than {MOST >> 20} MiB of compressed {of} up to {about.filename}")


def _member(archive: zipfile.ZipFile, data: bytes, name: str) -> Data:
    """One member; what is not compressed is not copied either."""
    about = archive.getinfo(name)
    if about.compress_type != zipfile.ZIP_STORED:
        with archive.open(about) as member:
            return member.read(about.file_size)  # no byte more, whatever comes out
    lengths = struct.unpack_from("<HH", data, about.header_offset + 26)  # of the name and the extra field
    start = about.header_offset + 30 + sum(lengths)
    return memoryview(data)[start : start + about.file_size]
