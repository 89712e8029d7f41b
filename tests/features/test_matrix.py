"""A feature matrix that is not in memory is a matrix like any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neumo.features import matrix as module
from neumo.features.matrix import Rows, blocks, new_matrix

CHILD = """
import re
from pathlib import Path
from neumo.features.matrix import new_matrix

def peak():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

before = peak()
matrix = new_matrix(50_000, 1_000)
matrix[:] = 1
assert matrix.sum(dtype=float) == 50e6
print(peak() - before)
"""


def test_a_matrix_is_written_and_read_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path / "cache"))
    matrix = new_matrix(300, 7)
    assert (matrix.shape, matrix.dtype, matrix.any()) == ((300, 7), np.float32, False)
    matrix[:] = np.arange(2100).reshape(300, 7)
    np.testing.assert_array_equal(matrix[[299, 0]], [np.arange(2093, 2100), np.arange(7)])
    assert list((tmp_path / "cache").iterdir()) == []
    assert new_matrix(0, 7).shape == (0, 7)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what is in memory")
def test_a_matrix_of_200_mb_takes_no_memory_that_cannot_be_given_back(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", CHILD], env={"NEUMO_CACHE": str(tmp_path)}, capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    assert float(child.stdout) < 20


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path))
    with pytest.raises(OSError, match=str(tmp_path)):
        new_matrix(2**40, 2048)


def test_rows_are_what_the_copy_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    chosen = np.flatnonzero(matrix[:, 0] > 0)
    rows, copy = Rows(matrix, chosen), matrix[chosen]
    assert (len(rows), rows.shape) == (len(copy), copy.shape)
    which = np.array([4, 0, 4])
    np.testing.assert_array_equal(rows[which], copy[which])
    monkeypatch.setattr(module, "AT_ONCE", 8)
    for x in (rows, copy):
        assert max(len(block) for block in blocks(x)) == 8
        np.testing.assert_array_equal(np.concatenate(list(blocks(x))), copy)
