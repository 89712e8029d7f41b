"""Rows of the table to a feature matrix, each image computed once."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections import deque
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neumo.errors import NeumoError
from neumo.features.backbones import SIZE, Backbone
from neumo.features.engine import Engine
from neumo.features.gpu import GpuEngine, enough_memory, made_by, resolve_for_many
from neumo.features.matrix import new_matrix
from neumo.features.networks import kept_graph, versions
from neumo.features.quantise import Calibration
from neumo.features.scaling import RAW, Scaling
from neumo.features.store import FeatureStore
from neumo.images.generate import Transforms, copy_seed, generate
from neumo.images.read import pixels_id, read_radiograph
from neumo.progress import advance
from neumo.threads import in_threads

if TYPE_CHECKING:
    import pandas as pd

LOOKED_UP = 2000  # images whose features are looked up at a time
KEPT = 256  # pixel statistics between two commits: what a kill -9 costs at most


class Wanted(NamedTuple):
    """One image file, with key and number of each generated image of it (0: itself) that is wanted."""

    path: str
    sha256: str
    copies: dict[str, int]

    def without(self, found: Container[str]) -> Wanted | None:
        """What is still wanted when these keys are found."""
        copies = {key: copy for key, copy in self.copies.items() if key not in found}
        return self._replace(copies=copies) if copies else None


@enough_memory()
def extract(
    rows: pd.DataFrame,
    backbone: Backbone,
    scaling: Scaling = RAW,
    *,
    transforms: Transforms = Transforms(),
    store: FeatureStore | None = None,
    precision: str = "auto",
    calibration: pd.DataFrame | None = None,
) -> np.ndarray:
    """Compute what a backbone sees in each image, or look it up.

    What is computed is stored batch by batch, so that an interrupted call goes on where it was. A file is
    read at most once per call, however many of its generated images are wanted.

    Args:
        rows: columns path, sha256 and, where there are generated images, copy (0 for the original).
        backbone: which network.
        scaling: how grey levels become its input.
        transforms: how generated images are moved.
        store: where features are kept; the one in the cache folder if not given.
        precision: "auto", "gpu", "f32", "bf16" or "int8", see `neumo.features.gpu.resolve_for_many`.
        calibration: for int8, the rows of the training part; see `neumo.features.quantise.Calibration`.

    Returns:
        Float32 (len(rows), backbone.features), on disk: see `neumo.features.matrix.new_matrix`.

    Raises:
        UnreadableImageError: an image cannot be read; what was computed before it is kept.
        NeumoError: the weights cannot be had, or the store cannot be read or written.

    Example:
        >>> extract(table, backbone("MobileNetV2-0.35", "none")).shape
        (5903, 1280)
    """
    precision = resolve_for_many(precision)
    ranges = None
    if precision == "int8":
        if calibration is None:
            raise ValueError("got int8 without calibration, expected rows of the training part")
        ranges = Calibration.of(calibration, scaling)
    on_processor = Engine(
        lambda: kept_graph(backbone, ranges),
        scaling,
        "auto" if precision == "gpu" else precision,
        kept_as=json.dumps([backbone.name, backbone.weights_id, versions()]) if precision == "auto" else None,
    )
    if precision == "auto":
        precision = on_processor.settle()
    space = {
        "kind": "features",
        "backbone": backbone.name,
        "weights": backbone.weights_id,
        "precision": precision,
        "scaling": [scaling.mean, scaling.std],
        **({} if ranges is None else {"calibration": ranges.id}),
        **made_by(precision),
        **versions(),
        **pixels_id(),
    }
    places, images = _wanted(rows, transforms)
    features = new_matrix(len(rows), backbone.features)

    def place(found: dict[str, np.ndarray]) -> None:
        for key, vector in found.items():
            features[places[key]] = vector

    with FeatureStore() if store is None else contextlib.nullcontext(store) as store:
        missing: list[Wanted] = []
        for start in range(0, len(images), LOOKED_UP):
            some = images[start : start + LOOKED_UP]
            found = store.get_many(space, [key for image in some for key in image.copies])
            place(found)
            missing += filter(None, (image.without(found) for image in some))
        if missing:
            engine = GpuEngine(backbone.build(), scaling) if precision == "gpu" else on_processor
            with advance(f"{backbone.name} features", sum(len(image.copies) for image in missing)) as bar:
                statistics = _moments_space()
                for found, moments in _compute(missing, engine, transforms):
                    store.put_many(space, found)
                    store.put_many(statistics, moments)
                    place(found)
                    bar.step(len(found))
    return features


def fit_scaling(rows: pd.DataFrame, *, store: FeatureStore | None = None) -> Scaling:
    """Measure the scaling that gives all pixels of these images together mean 0 and variance 1.

    That is ``featurewise_center`` with ``featurewise_std_normalization`` of Keras' ImageDataGenerator, for
    one grey channel, rounded to whole grey levels: splits whose images differ by less share their stored
    features. Generated images are left out, as they tell nothing new.

    Args:
        rows: columns path, sha256 and, where there are generated images, copy; the training part.
        store: where the moments of each image are kept; the one in the cache folder if not given.

    Raises:
        UnreadableImageError: an image cannot be read.
        NeumoError: there is no row, or the store cannot be read or written.
    """
    places, images = _wanted(rows[rows["copy"] == 0] if "copy" in rows else rows, Transforms())
    if not images:
        raise NeumoError("normalisation: got no training image, expected at least one")
    counts = np.array([len(places[image.sha256]) for image in images])
    with FeatureStore() if store is None else contextlib.nullcontext(store) as store:
        known = store.get_many(_moments_space(), [image.sha256 for image in images])
        missing = [image for image in images if image.sha256 not in known]
        if missing:
            fresh: dict[str, np.ndarray] = {}
            with advance("Pixel statistics", len(missing)) as bar:
                try:
                    for sha256, moments in in_threads(_measure, missing):
                        known[sha256] = fresh[sha256] = moments
                        bar.step()
                        if len(fresh) == KEPT:
                            store.put_many(_moments_space(), fresh)
                            fresh.clear()
                finally:
                    store.put_many(_moments_space(), fresh)
    every = np.array([known[image.sha256] for image in images], np.float64)
    mean, square = counts @ every / counts.sum()
    return Scaling(round(mean), max(1, round(np.sqrt(max(0.0, square - mean**2)))))


def _wanted(rows: pd.DataFrame, transforms: Transforms) -> tuple[dict[str, list[int]], list[Wanted]]:
    """Where in the matrix each key belongs, and what is wanted of each file, in the order of the rows.

    A key is the file's SHA-256, for a generated image followed by its number and a digest of the transforms.
    """
    moved = json.dumps(dataclasses.asdict(transforms), sort_keys=True)
    moved = hashlib.sha256(moved.encode()).hexdigest()[:16]
    places: dict[str, list[int]] = {}
    images: dict[str, Wanted] = {}
    copies = rows["copy"] if "copy" in rows else [0] * len(rows)
    for place, (path, sha256, copy) in enumerate(zip(rows["path"], rows["sha256"], copies, strict=True)):
        key = f"{sha256}+{copy}:{moved}" if copy else sha256
        places.setdefault(key, []).append(place)
        images.setdefault(sha256, Wanted(path, sha256, {})).copies[key] = int(copy)
    return places, list(images.values())


def _compute(
    images: list[Wanted], engine: Engine | GpuEngine, transforms: Transforms
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    """Features by key and pixel moments by SHA-256, in batches; up to the first image that cannot be read."""
    failure: Exception | None = None
    started: deque[tuple[list[str], dict[str, np.ndarray]]] = deque()

    def read(image: Wanted) -> tuple[Wanted, list[np.ndarray], np.ndarray]:
        pixels = read_radiograph(image.path, SIZE)
        seeds = [copy_seed(image.sha256, copy) if copy else None for copy in image.copies.values()]
        moved = [pixels if seed is None else generate(pixels, transforms, seed) for seed in seeds]
        return image, moved, _moments(pixels)

    def batches() -> Iterator[np.ndarray]:
        nonlocal failure
        keys, stack, moments = [], [], {}
        try:
            for image, moved, own in in_threads(read, images):
                moments[image.sha256] = own
                for key, one in zip(image.copies, moved, strict=True):
                    keys.append(key)
                    stack.append(one)
                    if len(keys) == engine.batch:
                        started.append((keys, moments))
                        yield np.stack(stack)
                        keys, stack, moments = [], [], {}
        except Exception as error:
            failure = error
        if keys:
            started.append((keys, moments))
            yield np.stack(stack)

    for vectors in engine.map(batches()):
        keys, moments = started.popleft()
        yield dict(zip(keys, vectors, strict=True)), moments
    if failure is not None:
        raise failure


def _measure(image: Wanted) -> tuple[str, np.ndarray]:
    return image.sha256, _moments(read_radiograph(image.path, SIZE))


def _moments(pixels: np.ndarray) -> np.ndarray:
    """Mean and mean square of the grey levels."""
    counts, grey = np.bincount(pixels.ravel(), minlength=256), np.arange(256)
    return np.array([counts @ grey, counts @ grey**2]).astype(np.float32) / np.float32(pixels.size)


def _moments_space() -> dict[str, str | int]:
    return {"kind": "pixel-moments", **pixels_id()}
