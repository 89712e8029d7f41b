"""Feature matrices that need not fit in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumo.files import cache_folder, named

AT_ONCE = 1024
"""Rows that are gathered together: 8 MB of 2,048 features."""


def new_matrix(rows: int, columns: int) -> NDArray[np.float32]:
    """A float32 (rows, columns) matrix of zeros on disk, in a file of the cache folder that has no name.

    The system keeps as much of it in memory as there is room, and takes the file back with the last reference
    to the matrix, or when the process is killed.

    Raises:
        OSError: the disk is full, or the cache folder cannot be written.
    """
    size = 4 * rows * columns
    if size == 0:
        return np.zeros((rows, columns), np.float32)
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with named(folder), tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):  # a disk that is full shall say so now: later it would be SIGBUS
            os.posix_fallocate(file.fileno(), 0, size)
        return np.asarray(np.memmap(file, np.float32, "r+", shape=(rows, columns)))


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a matrix, gathered when they are asked for; takes the place of ``matrix[rows]``.

    Attributes:
        matrix: (n, columns).
        rows: int (m,).

    Example:
        >>> Rows(matrix, np.flatnonzero(train))[np.array([3, 1])].shape
        (2, 2048)
    """

    matrix: NDArray[np.floating]
    rows: NDArray[np.integer]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), self.matrix.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: NDArray[np.integer] | slice) -> NDArray[np.floating]:
        return self.matrix[self.rows[which]]


def blocks(x: NDArray[np.floating] | Rows) -> Iterator[NDArray[np.floating]]:
    """A matrix in blocks of `AT_ONCE` rows, in order."""
    for start in range(0, len(x), AT_ONCE):
        yield x[start : start + AT_ONCE]
