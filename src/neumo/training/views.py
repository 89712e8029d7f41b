"""Radiographs as they are and changed, in batches."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from neumo.errors import NeumoError
from neumo.images.augment import Augmentation, augment
from neumo.images.generate import copy_seed
from neumo.images.read import read_radiograph
from neumo.threads import THREADS, in_threads

FEW, CORES = 500, 4
"""Below so many images, or on fewer cores, processes are not worth their start: on two cores they are 6 %
faster than threads."""


class Views:
    """The changed images of a table: view c of row r is always the same one, and view 0 is the image itself.

    Args:
        table: columns path and sha256.
        augmentation: how they are changed.
    """

    def __init__(self, table: pd.DataFrame, augmentation: Augmentation) -> None:
        self.paths, self.hashes = table["path"].tolist(), table["sha256"].tolist()
        self.augmentation = augmentation

    def one(self, wanted: tuple[int, int]) -> np.ndarray:
        """Of (view, row), uint8 (height, width)."""
        copy, row = wanted
        pixels = read_radiograph(self.paths[row])
        return augment(pixels, self.augmentation, copy_seed(self.hashes[row], copy)) if copy else pixels

    def batches(self, wanted: Sequence[tuple[int, int]], size: int) -> Iterator[np.ndarray]:
        """Many of them, made ahead.

        What changes an image holds Python's lock half of the time, so threads gain little on many cores.
        There processes do it, on Linux, where they start without a second import, and in processes that may
        start some. The thread that takes the first batch must then live until the last one: Linux ends the
        processes with it.

        Args:
            wanted: (view, row) of each.
            size: images of a batch; the last one may have fewer.

        Yields:
            Uint8 (size, height, width), in order.

        Raises:
            UnreadableImageError: an image cannot be read; batches before it have been yielded.
            NeumoError: the system ended one of the processes.
        """
        processes = _processes(len(wanted))
        if not processes:
            stream = in_threads(self.one, wanted)
            for start in range(0, len(wanted), size):
                yield np.stack([next(stream) for _ in range(min(size, len(wanted) - start))])
            return
        loader = DataLoader(
            _Wanted(self, wanted),
            batch_size=size,
            num_workers=processes,
            collate_fn=list,
            worker_init_fn=_end_with_parent,
            multiprocessing_context="fork",
            generator=torch.Generator(),  # its own: the seeds of dropout stay as they are
        )
        with _still_there():
            for batch in loader:
                for made in batch:
                    if isinstance(made, Exception):
                        raise made
                yield np.stack(batch)


def _processes(images: int) -> int:
    """How many are worth starting."""
    if sys.platform != "linux" or images < FEW or multiprocessing.current_process().daemon:
        return 0
    cores = min(THREADS, len(os.sched_getaffinity(0)))
    return cores if cores >= CORES else 0


@contextlib.contextmanager
def _still_there() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise NeumoError(
            "changing images: got a process that the system ended, expected it to be let work; "
            "memory may have run out"
        ) from error


def _end_with_parent(_: int) -> None:
    """Have Linux end this process when its parent is killed: it may wait for a reader that is no more."""
    PR_SET_PDEATHSIG = 1  # of linux/prctl.h
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class _Wanted(Dataset[Any]):
    """An error is handed over as it is: the loader would wrap it in a traceback."""

    def __init__(self, views: Views, wanted: Sequence[tuple[int, int]]) -> None:
        self.views, self.wanted = views, wanted

    def __len__(self) -> int:
        return len(self.wanted)

    def __getitem__(self, number: int) -> np.ndarray | Exception:
        try:
            return self.views.one(self.wanted[number])
        except Exception as error:
            return error
