"""What the trained part of a network gets of each radiograph."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neumo.backend import keras
from neumo.features.backbones import SIZE
from neumo.features.engine import Engine
from neumo.features.gpu import GpuEngine, has_gpu, made_by
from neumo.features.graph import convert
from neumo.features.networks import versions
from neumo.features.pytorch import scaled
from neumo.features.scaling import Scaling
from neumo.files import cache_folder, lock, named
from neumo.images.augment import Augmentation
from neumo.images.read import pixels_id
from neumo.progress import advance
from neumo.training.views import Views

VIEWS = 2  # raise it when `augment` gives other pixels than before

PIXELS_BATCH = 64
"""Images that are changed and written together."""


class Maps:
    """Of radiographs as they are (view 0) and of changed ones.

    Args:
        values: (1 + views, rows, ...), on disk or in memory: float maps (channels, height, width) that a
            frozen lower part made, or uint8 pixels (height, width) where nothing is frozen.
        scaling: how pixels become the network's input; None for maps.
    """

    def __init__(self, values: np.ndarray, scaling: Scaling | None = None) -> None:
        self.values, self.scaling = values, scaling

    def __len__(self) -> int:
        return len(self.values)

    def tensor(self, view: np.ndarray | int, row: np.ndarray, device: torch.device) -> Tensor:
        """What the network gets of each (view, row): float32 (n, channels, height, width), channels last."""
        return self._tensor(self.values[view, row], device)

    def tensors(
        self, views: np.ndarray, rows: np.ndarray, size: int, device: torch.device
    ) -> Iterator[Tensor]:
        """The same in batches."""
        for start in range(0, len(rows), size):
            yield self.tensor(views[start : start + size], rows[start : start + size], device)

    def _tensor(self, values: np.ndarray, device: torch.device) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(values)).to(device)
        if self.scaling is not None:
            return scaled(x, torch.from_numpy(self.scaling.channels).to(device))
        return x.float().contiguous(memory_format=torch.channels_last)


class FreshMaps(Maps):
    """Pixels that are made when they are asked for, where keeping them would take too much room.

    Args:
        table: columns path and sha256.
        scaling: how grey levels become the network's input.
        augmentation: how images are changed.
        views: changed images per radiograph.
    """

    def __init__(self, table: pd.DataFrame, scaling: Scaling, augmentation: Augmentation, views: int) -> None:
        self.made, self.views, self.scaling = Views(table, augmentation), views, scaling

    def __len__(self) -> int:
        return 1 + self.views

    def tensor(self, view: np.ndarray | int, row: np.ndarray, device: torch.device) -> Tensor:
        return next(self.tensors(np.broadcast_to(view, row.shape), row, len(row), device))

    def tensors(
        self, views: np.ndarray, rows: np.ndarray, size: int, device: torch.device
    ) -> Iterator[Tensor]:
        wanted = list(zip(views.tolist(), rows.tolist(), strict=True))
        for pixels in self.made.batches(wanted, size):
            yield self._tensor(pixels, device)


def kept_maps(
    table: pd.DataFrame,
    stem: keras.Model,
    stem_id: str,
    scaling: Scaling,
    augmentation: Augmentation,
    views: int,
) -> Maps:
    """Compute the maps of every radiograph as it is and of changed ones, or go on where a call was stopped.

    They are kept in the cache folder, in a file that only grows: what is in it needs not be computed again.
    One process computes them at a time; another one waits, and finds them.

    Args:
        table: columns path and sha256.
        stem: scaled pixels (n, height, width, 3) to maps.
        stem_id: what tells it from others, weights included.
        scaling: how grey levels become its input.
        augmentation: how images are changed.
        views: changed images per radiograph.

    Returns:
        Float16, on disk.

    Raises:
        UnreadableImageError: an image cannot be read.
    """
    rows, columns, channels = stem.output_shape[1:]
    on_processor = Engine(lambda: convert(stem), scaling)
    precision = "gpu" if has_gpu() else on_processor.settle()
    changed = [dataclasses.astuple(augmentation), views, pixels_id(), VIEWS, precision]
    changed += made_by(precision).items()

    def made(wanted: list[tuple[int, int]]) -> Iterator[np.ndarray]:
        engine = GpuEngine(stem, scaling) if has_gpu() else on_processor
        return engine.map(Views(table, augmentation).batches(wanted, engine.batch))

    told = [stem_id, dataclasses.astuple(scaling), versions(), changed, table["sha256"].tolist()]
    shape = (1 + views, len(table), channels, rows, columns)
    return Maps(_kept(told, np.float16, shape, made, "Maps of changed images"))


def kept_pixels(table: pd.DataFrame, scaling: Scaling, augmentation: Augmentation, views: int) -> Maps:
    """The same where nothing is frozen: the pixels themselves, for all networks and scalings.

    Args, Returns (but uint8) and Raises: as `kept_maps`.
    """
    source = Views(table, augmentation)
    told = [dataclasses.astuple(augmentation), views, pixels_id(), VIEWS, table["sha256"].tolist()]
    shape = (1 + views, len(table), SIZE, SIZE)

    def made(wanted: list[tuple[int, int]]) -> Iterator[np.ndarray]:
        return source.batches(wanted, PIXELS_BATCH)

    return Maps(_kept(told, np.uint8, shape, made, "Changed images"), scaling)


def maps_folder() -> Path:
    """Where they are kept."""
    return cache_folder() / "maps"


def _kept(
    told: list[Any],
    kind: type[np.generic],
    shape: tuple[int, ...],
    made: Callable[[list[tuple[int, int]]], Iterable[np.ndarray]],
    doing: str,
) -> np.ndarray:
    """An array (views, rows, ...) on disk; `made` is asked for those (view, row) that are not there yet."""
    key = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    dtype = np.dtype(kind)
    file = maps_folder() / f"{key}.{dtype.kind}{8 * dtype.itemsize}"
    size, total = dtype.itemsize * int(np.prod(shape[2:])), shape[0] * shape[1]
    file.parent.mkdir(parents=True, exist_ok=True)
    with named(file), file.open("ab") as grown:
        if not lock(grown, wait=False):
            print("neumo: another run computes the same maps; waiting for it", file=sys.stderr)
            lock(grown, wait=True)
        done = grown.seek(0, os.SEEK_END) // size
        done = done if done <= total else 0  # more than there is to do: not what one process wrote
        grown.truncate(done * size)  # what a kill -9 cut off
        if done < total:
            with advance(doing, total) as bar:
                bar.step(done)
                for values in made([divmod(number, shape[1]) for number in range(done, total)]):
                    grown.write(np.ascontiguousarray(values, kind).tobytes())
                    bar.step(len(values))
    return np.memmap(file, kind, "r", shape=shape)
