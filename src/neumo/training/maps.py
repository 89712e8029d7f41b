"""What the frozen lower part of a network makes of changed radiographs, computed once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from neumo.backend import keras
from neumo.features.engine import Engine, resolve_precision
from neumo.features.graph import convert
from neumo.features.networks import versions
from neumo.features.scaling import Scaling
from neumo.files import cache_folder, lock, named
from neumo.images.augment import Augmentation, augment
from neumo.images.generate import copy_seed
from neumo.images.read import pixels_id, read_radiograph
from neumo.progress import advance
from neumo.threads import in_threads

VIEWS = 2  # raise it when `augment` gives other pixels than before


def kept_maps(
    table: pd.DataFrame,
    stem: keras.Model,
    stem_id: str,
    scaling: Scaling,
    augmentation: Augmentation,
    views: int,
) -> np.ndarray:
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
        Float16 (1 + views, len(table), channels, rows, columns), on disk; the first is of the images as
        they are.

    Raises:
        UnreadableImageError: an image cannot be read.
    """
    changed = [dataclasses.astuple(augmentation), views, pixels_id(), VIEWS, resolve_precision("auto")]
    told = [stem_id, dataclasses.astuple(scaling), versions(), changed]
    key = hashlib.sha256(json.dumps([*told, table["sha256"].tolist()]).encode()).hexdigest()[:16]
    file = maps_folder() / f"{key}.f16"
    rows, columns, channels = stem.output_shape[1:]
    shape = (channels, rows, columns)
    size = 2 * int(np.prod(shape))
    total = (1 + views) * len(table)
    file.parent.mkdir(parents=True, exist_ok=True)
    with named(file), file.open("ab") as grown:
        if not lock(grown, wait=False):
            print("neumo: another run computes the same maps; waiting for it", file=sys.stderr)
            lock(grown, wait=True)
        done = grown.seek(0, os.SEEK_END) // size
        done = done if done <= total else 0  # more than there is to do: not what one process wrote
        grown.truncate(done * size)  # what a kill -9 cut off
        if done < total:
            with advance("Maps of changed images", total) as bar:
                bar.step(done)
                engine = Engine(convert(stem), scaling)
                for maps in engine.map(view_batches(table, augmentation, range(done, total), engine.batch)):
                    grown.write(np.ascontiguousarray(maps, np.float16).tobytes())
                    bar.step(len(maps))
    return np.memmap(file, np.float16, "r", shape=(1 + views, len(table), *shape))


class FreshMaps:
    """The scaled pixels of changed radiographs, made when they are asked for.

    Stands for `kept_maps` where nothing is frozen: pixels are larger than what is made of them.

    Args:
        table: columns path and sha256.
        scaling: how grey levels become the network's input.
        augmentation: how images are changed.
        views: changed images per radiograph.
    """

    def __init__(self, table: pd.DataFrame, scaling: Scaling, augmentation: Augmentation, views: int) -> None:
        self.paths, self.hashes = table["path"].tolist(), table["sha256"].tolist()
        self.scaling, self.augmentation, self.views = scaling, augmentation, views

    def __len__(self) -> int:
        return 1 + self.views

    def __getitem__(self, wanted: tuple[np.ndarray | int, np.ndarray]) -> np.ndarray:
        """Float32 (n, 3, height, width) of (view, row)."""
        views, rows = np.broadcast_arrays(*wanted)
        pixels = np.stack(list(in_threads(self._view, zip(views.tolist(), rows.tolist(), strict=True))))
        return np.ascontiguousarray(self.scaling(pixels).transpose(0, 3, 1, 2))

    def _view(self, wanted: tuple[int, int]) -> np.ndarray:
        copy, row = wanted
        return view(self.paths[row], self.hashes[row], copy, self.augmentation)


def view(path: str, sha256: str, copy: int, augmentation: Augmentation) -> np.ndarray:
    """A radiograph as it is (copy 0) or changed, uint8 (height, width)."""
    pixels = read_radiograph(path)
    return augment(pixels, augmentation, copy_seed(sha256, copy)) if copy else pixels


def maps_folder() -> Path:
    """Where they are kept."""
    return cache_folder() / "maps"


def view_batches(
    table: pd.DataFrame, augmentation: Augmentation, numbers: range, size: int
) -> Iterator[np.ndarray]:
    """Radiographs as they are and changed, read ahead in threads.

    Args:
        table: columns path and sha256.
        augmentation: how images are changed.
        numbers: which ones; copy c of row r (see `view`) has number ``c * len(table) + r``.
        size: images of a batch; the last one may have fewer.

    Yields:
        Uint8 (size, height, width), in order.

    Raises:
        UnreadableImageError: an image cannot be read.
    """
    paths, hashes = table["path"].tolist(), table["sha256"].tolist()

    def read(number: int) -> np.ndarray:
        copy, row = divmod(number, len(paths))
        return view(paths[row], hashes[row], copy, augmentation)

    stack: list[np.ndarray] = []
    for pixels in in_threads(read, numbers):
        stack.append(pixels)
        if len(stack) == size:
            yield np.stack(stack)
            stack = []
    if stack:
        yield np.stack(stack)
