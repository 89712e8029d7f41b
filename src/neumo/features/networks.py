"""Converted backbones, kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neumo.errors import NeumoError
from neumo.features import grey
from neumo.features.backbones import Backbone, smooth_noise
from neumo.features.compiled import core, save_graph
from neumo.features.gpu import exactly
from neumo.files import cache_folder, size_on_disk

if TYPE_CHECKING:
    import openvino

    from neumo.features.quantise import Calibration

CONVERSION = 1  # raise it when `neumo.features.graph` makes other numbers than before
TOLERANCE = 1e-3  # largest relative error of a feature vector in f32 against Keras


@cache
def versions() -> dict[str, str | int]:
    """What else than name and weights a backbone's features depend on."""
    own = {"conversion": CONVERSION, "grey input": grey.REVISION}
    return own | {package: version(package) for package in ("keras", "openvino")}


def networks_folder() -> Path:
    """Where they are kept."""
    return cache_folder() / "networks"


def kept_graph(backbone: Backbone, calibration: Calibration | None = None) -> openvino.Model:
    """The backbone as an OpenVINO graph, float32 (n, 3, 224, 224) to (n, features).

    It is converted from Keras once and kept in the cache folder; then neither Keras nor PyTorch is imported.

    Args:
        backbone: which network.
        calibration: makes it one in 8-bit integers, which is kept too.

    Raises:
        NeumoError: the weights cannot be had, or the cache folder cannot be written.
    """
    told = [backbone.name, backbone.weights_id, versions()]
    key = json.dumps(told if calibration is None else [*told, calibration.id])
    folder = networks_folder() / f"{backbone.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    graph = _read_graph(folder)
    if graph is None:
        made = _convert(backbone) if calibration is None else calibration.quantise(kept_graph(backbone))
        graph = _keep(made, folder)
    return graph


def _read_graph(folder: Path) -> openvino.Model | None:
    """A kept graph, or None where there is none or it is damaged."""
    try:
        if (folder / "crc32").read_text() != _checksum(folder):
            return None
        return core().read_model(folder / "network.xml")
    except (OSError, RuntimeError):
        return None


def _checksum(folder: Path) -> str:
    return " ".join(str(zlib.crc32((folder / f"network.{part}").read_bytes())) for part in ("xml", "bin"))


def _convert(backbone: Backbone) -> openvino.Model:
    from neumo.features.graph import convert

    network = backbone.build()
    graph = convert(network)
    images = smooth_noise(2, np.random.default_rng(1))
    with exactly():
        truth = np.asarray(network.predict(images, verbose=0))
    _check(backbone, graph, images, truth)
    return graph


def _keep(graph: openvino.Model, folder: Path) -> openvino.Model:
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        part.mkdir(parents=True, exist_ok=True)
        save_graph(graph, part / "network.xml")
        (part / "crc32").write_text(_checksum(part))
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except (OSError, RuntimeError) as error:
        if _read_graph(folder) is None:  # else another process has just kept the same graph
            raise NeumoError(
                f"{folder}: got no way to write the converted network ({error}), expected a cache folder "
                "with room; free some, or name another folder in NEUMO_CACHE"
            ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return graph


def _check(backbone: Backbone, graph: openvino.Model, images: np.ndarray, truth: np.ndarray) -> None:
    compiled = core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled([np.ascontiguousarray(images.transpose(0, 3, 1, 2))])[0]
    error = np.linalg.norm(found - truth, axis=1) / np.linalg.norm(truth, axis=1)
    if not (error <= TOLERANCE).all():
        raise RuntimeError(
            f"{backbone.name}: got features {error.max():.2g} away from Keras, expected {TOLERANCE} at most"
        )


def networks_size() -> int:
    """Bytes on disk of all kept graphs."""
    return sum(size_on_disk(folder, "*") for folder in networks_folder().glob("*"))


def clear_networks(name: str | None = None) -> None:
    """Delete the kept graphs of one backbone, or of all."""
    for folder in networks_folder().glob("*"):
        if name in (None, folder.name.rpartition("-")[0]):
            shutil.rmtree(folder)
