"""The fast forward pass of a frozen backbone."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neumo.errors import NeumoError
from neumo.features.backbones import SIZE, Backbone, smooth_noise
from neumo.features.scaling import RAW, Scaling
from neumo.files import cache_folder

if TYPE_CHECKING:
    import openvino

BATCH = 8  # images; larger batches leave the processor's caches and gain nothing
TOLERANCE = 1e-3  # largest relative error of a feature vector in f32 against Keras
PRECISIONS = ("auto", "f32", "bf16")


class Engine:
    """Radiographs to feature vectors, through OpenVINO.

    Batches have one size, the last one is filled up: the numbers of an image do not depend on its neighbours.

    Args:
        network: a backbone, or a graph from float32 (n, 3, 224, 224) to (n, outputs), which is left as it is.
        scaling: how grey levels become its input.
        precision: "f32"; "bf16"; or "auto", bf16 where the processor computes in it.
        batch: images that are computed together.

    Raises:
        NeumoError: the backbone's weights cannot be had, or the cache folder cannot be written.

    Example:
        >>> engine = Engine(backbone("MobileNetV2-0.35", "none"))
        >>> engine(np.zeros((3, 224, 224), np.uint8)).shape
        (3, 1280)
    """

    def __init__(
        self,
        network: Backbone | openvino.Model,
        scaling: Scaling = RAW,
        precision: str = "auto",
        *,
        batch: int = BATCH,
    ) -> None:
        graph = network_graph(network) if isinstance(network, Backbone) else network.clone()
        self.outputs = graph.output(0).get_partial_shape()[1].get_length()
        self.scaling = scaling
        self.precision = resolve_precision(precision)
        self.batch = batch
        graph = _with_grey_input(graph, scaling, batch)
        options = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": self.precision}
        self._compiled = _core().compile_model(graph, "CPU", options)
        streams = self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        # one request more than streams: it is filled while the others compute
        self._requests = [self._compiled.create_infer_request() for _ in range(streams + 1)]

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Features, float32 (n, features), of grey levels, uint8 (n, 224, 224)."""
        batches = (pixels[start : start + self.batch] for start in range(0, len(pixels), self.batch))
        return np.concatenate([np.empty((0, self.outputs), np.float32), *self.map(batches)])

    def map(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Compute a stream of batches, several at the same time.

        Args:
            batches: uint8 (n, 224, 224) each, n at most `batch`; a few are taken ahead of what is yielded.

        Yields:
            Float32 (n, features) of each batch, in order.
        """
        idle, busy = deque(self._requests), deque[tuple["openvino.InferRequest", int]]()

        def oldest() -> np.ndarray:
            request, n = busy.popleft()
            request.wait()
            idle.append(request)
            return request.get_output_tensor().data[:n].copy()

        try:
            for pixels in batches:
                if pixels.dtype != np.uint8 or pixels.shape[1:] != (SIZE, SIZE) or len(pixels) > self.batch:
                    raise ValueError(
                        f"pixels: got {pixels.dtype} {pixels.shape}, expected uint8 (n, {SIZE}, {SIZE}), "
                        f"n at most {self.batch}"
                    )
                if not idle:
                    yield oldest()
                request = idle.popleft()
                request.get_input_tensor().data[: len(pixels)] = pixels
                request.get_input_tensor().data[len(pixels) :] = 0
                request.start_async()
                busy.append((request, len(pixels)))
            while busy:
                yield oldest()
        finally:
            for request, _ in busy:
                request.wait()


def engine_id() -> dict[str, str]:
    """What else than backbone, scaling and precision the numbers depend on."""
    return {package: version(package) for package in ("keras", "openvino")}


def resolve_precision(precision: str) -> str:
    """Name the precision that "auto" stands for on this processor.

    Raises:
        NeumoError: no such precision.
    """
    if precision not in PRECISIONS:
        raise NeumoError(f"precision: got {precision!r}, expected {' or '.join(PRECISIONS)}")
    return _own_precision() if precision == "auto" else precision


@functools.cache
def _own_precision() -> str:
    """OpenVINO itself chooses bf16 where the processor computes in it; ask a network of one operation."""
    import openvino
    import openvino.opset15 as ops

    x = ops.parameter([1], np.float32)
    chosen = _core().compile_model(openvino.Model([ops.relu(x)], [x], "one"), "CPU")
    return "bf16" if chosen.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "bf16" else "f32"


@functools.cache
def _core() -> openvino.Core:
    import openvino

    return openvino.Core()


def _with_grey_input(graph: openvino.Model, scaling: Scaling, batch: int) -> openvino.Model:
    """Put uint8 (batch, 224, 224) and the scaling in front of a graph with three channels."""
    import openvino
    import openvino.opset15 as ops

    mean, std = (part.reshape(1, 3, 1, 1) for part in scaling.channels)
    grey = ops.parameter([batch, SIZE, SIZE], np.uint8, name="grey")
    channels = ops.divide(ops.subtract(ops.unsqueeze(ops.convert(grey, "f32"), 1), mean), std)
    old = graph.get_parameters()[0]
    old.output(0).replace(channels.output(0))
    return openvino.Model(graph.get_results(), [grey], graph.friendly_name)


def networks_folder() -> Path:
    """Where converted backbones are kept."""
    return cache_folder() / "networks"


def network_graph(backbone: Backbone) -> openvino.Model:
    """The backbone as an OpenVINO graph, float32 (n, 3, 224, 224) to (n, features).

    It is converted from Keras once and kept in the cache folder; then neither Keras nor PyTorch is imported.

    Raises:
        NeumoError: the weights cannot be had, or the cache folder cannot be written.
    """
    key = "|".join((backbone.name, backbone.weights_id, *engine_id().values(), "1"))
    folder = networks_folder() / f"{backbone.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    graph = _read_graph(folder)
    return _convert(backbone, folder) if graph is None else graph


def _read_graph(folder: Path) -> openvino.Model | None:
    """A kept graph, or None where there is none or it is damaged."""
    try:
        if (folder / "crc32").read_text() != _checksum(folder):
            return None
        return _core().read_model(folder / "network.xml")
    except (OSError, RuntimeError):
        return None


def _checksum(folder: Path) -> str:
    return " ".join(str(zlib.crc32((folder / f"network.{part}").read_bytes())) for part in ("xml", "bin"))


def _convert(backbone: Backbone, folder: Path) -> openvino.Model:
    import openvino

    from neumo.features.graph import convert

    network = backbone.build()
    graph = convert(network)
    images = smooth_noise(2, np.random.default_rng(1))
    truth = np.asarray(network.predict(images, verbose=0))
    _check(backbone, graph, images, truth)
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        part.mkdir(parents=True, exist_ok=True)
        openvino.save_model(graph, part / "network.xml", compress_to_fp16=False)
        (part / "crc32").write_text(_checksum(part))
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except (OSError, RuntimeError) as error:  # OpenVINO reports a full disk as "iostream error"
        if _read_graph(folder) is None:  # else another process has just kept the same graph
            raise NeumoError(
                f"{folder}: got no way to write the converted network ({error}), expected a cache folder "
                "with room; free some, or name another folder in NEUMO_CACHE"
            ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return graph


def _check(backbone: Backbone, graph: openvino.Model, images: np.ndarray, truth: np.ndarray) -> None:
    compiled = _core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled([np.ascontiguousarray(images.transpose(0, 3, 1, 2))])[0]
    error = np.linalg.norm(found - truth, axis=1) / np.linalg.norm(truth, axis=1)
    if not (error <= TOLERANCE).all():
        raise RuntimeError(
            f"{backbone.name}: got features {error.max():.2g} away from Keras, expected {TOLERANCE} at most"
        )
