"""An archive gives back what was put in, or nothing."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from neumo.archive import read_archive, write_archive
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
