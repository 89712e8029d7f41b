"""An archive gives back what was put in, or nothing."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from neumo.archive import MOST, SUMS, read_archive, read_arrays, write_archive
from neumo.errors import NeumoError

MEMBERS = {"a.txt": b"first " * 500, "b.bin": os.urandom(2000), "empty": b""}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_archive(tmp_path / "a.zip", MEMBERS)
    return tmp_path / "a.zip"


def test_members_come_back(file: Path) -> None:
    assert read_archive(file, "expected an archive")[0] == MEMBERS
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None


def test_no_cut_goes_unnoticed(file: Path) -> None:
    data = file.read_bytes()
    for length in range(0, len(data), 97):
        file.write_bytes(data[:length])
        with pytest.raises(NeumoError, match=r"a\.zip: got .*, expected an archive"):
            read_archive(file, "expected an archive")


def test_no_changed_byte_alters_a_member(file: Path) -> None:
    """A byte that no member depends on, as a date, may change; the rest is refused."""
    data = file.read_bytes()
    refused = 0
    for place in np.random.default_rng(0).integers(0, len(data), 300):
        file.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            assert read_archive(file, "expected an archive")[0] == MEMBERS
        except NeumoError as error:
            refused += "\n" not in str(error)
    assert refused > 200


def test_another_kind_of_file_is_called_so(file: Path) -> None:
    for data, got in (
        (b"", "another kind of file"),
        (file.read_bytes()[:-30], "a truncated or damaged file"),
    ):
        file.write_bytes(data)
        with pytest.raises(NeumoError, match=rf"a\.zip: got {got}, expected an archive"):
            read_archive(file, "expected an archive")


def _member(file: Path, **about: bytes) -> None:
    info = zipfile.ZipInfo("c.txt")
    for name, value in about.items():
        setattr(info, name, value)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(info, "mine")


def _same_member(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("b.bin", MEMBERS["b.bin"])


def _before(file: Path) -> None:
    file.write_bytes(b"mine" + file.read_bytes())


def _between(file: Path) -> None:
    data = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        start = archive.start_dir
    moved = data[:start] + b"mine" + data[start:-6] + struct.pack("<I", start + 4) + data[-2:]
    file.write_bytes(moved)


def _behind(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"mine")


def _comment(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"mine"


def _comment_of_a_member(file: Path) -> None:
    _vouched(file, comment=b"mine")


def _field_of_a_member(file: Path) -> None:
    _vouched(file, extra=struct.pack("<HH4s", 0xCAFE, 4, b"mine"))


def _vouched(file: Path, **about: bytes) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(SUMS, f"{sha256(b'mine').hexdigest()}  c.txt\n")
    _member(file, **about)


@pytest.mark.parametrize(
    ("spoil", "got"),
    [
        (_member, "members that are not vouched for"),
        (_same_member, "members that are not vouched for"),
        (_before, "bytes that no member has"),
        (_between, "bytes that no member has"),
        (_behind, "bytes that no member has"),
        (_comment, "bytes that no member has"),
        (_comment_of_a_member, "bytes that no member has"),
        (_field_of_a_member, "bytes that no member has"),
    ],
)
def test_nothing_else_is_in_it(file: Path, spoil: Callable[[Path], None], got: str) -> None:
    spoil(file)
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
    with pytest.raises(NeumoError, match=rf"a\.zip: got {got}, expected an archive"):
        read_archive(file, "expected an archive")


def test_a_member_of_this_kind_would_be_read(file: Path) -> None:
    _vouched(file)
    assert read_archive(file, "expected an archive")[0] == {"c.txt": b"mine"}


def bomb(file: Path, sizes: list[int], compression: int = zipfile.ZIP_DEFLATED) -> None:
    """Zeros, with sums that vouch for them."""
    with zipfile.ZipFile(file, "w", compression) as archive:
        contents = {f"{i}.xml": bytes(size) for i, size in enumerate(sizes)}
        archive.writestr(
            SUMS, "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in contents.items())
        )
        for name, data in contents.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("sizes", [[MOST + 1], [MOST // 4] * 5], ids=["one-member", "together"])
def test_little_that_unpacks_to_much_is_refused_before(sizes: list[int], tmp_path: Path) -> None:
    bomb(tmp_path / "a.zip", sizes)
    assert (tmp_path / "a.zip").stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(
            NeumoError, match=r"a\.zip: got more than 64 mib of compressed text up to \d\.xml"
        ):
            read_archive(tmp_path / "a.zip", "expected an archive")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_size_that_is_a_lie_costs_no_memory(tmp_path: Path) -> None:
    bomb(tmp_path / "a.zip", [MOST])
    data = (tmp_path / "a.zip").read_bytes()
    small = data.replace(MOST.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(small)
    tracemalloc.start()
    try:
        with pytest.raises(NeumoError, match=r"a\.zip: got a truncated or damaged file"):
            read_archive(tmp_path / "a.zip", "expected an archive")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_large_weights_that_are_stored_are_read(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.zip", {"backbone.bin": bytes(MOST + 1)})
    found, _ = read_archive(tmp_path / "a.zip", "expected an archive")
    assert len(found["backbone.bin"]) == MOST + 1


def test_another_compression_is_refused(tmp_path: Path) -> None:
    bomb(tmp_path / "a.zip", [1000], zipfile.ZIP_BZIP2)
    with pytest.raises(NeumoError, match=r"got sha256sums compressed by method 12, expected an archive"):
        read_archive(tmp_path / "a.zip", "expected an archive")


def test_arrays_come_back() -> None:
    stored, kept = {"a": np.arange(5), "b": np.array(["x", "yy"])}, io.BytesIO()
    np.savez_compressed(kept, a=stored["a"], b=stored["b"])
    found = read_arrays(memoryview(kept.getvalue()))
    assert found.keys() == stored.keys()
    for name, values in stored.items():
        np.testing.assert_array_equal(found[name], values)


def test_arrays_that_unpack_to_much_are_refused_before() -> None:
    kept = io.BytesIO()
    np.savez_compressed(kept, *[np.zeros(MOST // 4, np.uint8)] * 4)
    assert len(kept.getvalue()) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"more than 64 MiB of compressed numbers up to arr_3\.npy"):
            read_arrays(kept.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_arrays_that_say_they_are_huge_are_refused() -> None:
    kept, header = io.BytesIO(), io.BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": (1 << 57,)}
    np.lib.format.write_array_header_1_0(header, about)
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("a.npy", header.getvalue())
    with pytest.raises(ValueError, match="arrays of more numbers than they have"):
        read_arrays(kept.getvalue())
