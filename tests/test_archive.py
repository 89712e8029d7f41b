"""An archive gives back what was put in, or nothing."""

from __future__ import annotations

import os
import tracemalloc
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from neumo.archive import MOST, SUMS, read_archive, write_archive
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
