"""The fast forward pass of a network."""

from __future__ import annotations

import itertools
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from neumo.features import grey
from neumo.features.compiled import Requests, compiled, remembered
from neumo.features.precision import FAITHFUL, PROBES, resolve_precision, suited
from neumo.features.scaling import RAW, Scaling

if TYPE_CHECKING:
    import openvino

BATCHES = {"f32": 4, "bf16": 8, "int8": 8}
"""Images that are computed together, by precision: more would leave the cache that a core has for itself."""


def check_batch(pixels: np.ndarray, most: tuple[int, ...]) -> None:
    """Raise a ValueError unless these are uint8 (n, height, width) of this shape, n at most its first."""
    if pixels.dtype != np.uint8 or pixels.shape[1:] != most[1:] or len(pixels) > most[0]:
        raise ValueError(f"got {pixels.dtype} {pixels.shape}, expected uint8 {most} at most")


class Engine:
    """Radiographs to what a network makes of them, through OpenVINO.

    Batches have one size, the last one is filled up: the numbers of an image do not depend on its neighbours.
    One image by itself is computed by all cores together, which may change the last bits of its numbers.
    Threads may share an engine.

    Args:
        graph: float32 (n, 3, height, width) to (n, d), as `neumo.features.graph.convert` makes it; for int8
            as `neumo.features.quantise.quantise` does. Or what gives it, asked only where nothing is kept.
        scaling: how grey levels become its input.
        precision: "f32"; "bf16"; "int8"; or "auto", bf16 where the processor computes in it and the network
            gives nearly the same, see `neumo.features.precision.suited`.
        batch: images that are computed together; if not given, as many as are fast, see `BATCHES`.
        kept_as: a name that no other network has, to keep the compiled network on disk under.

    Raises:
        NeumoError: no such precision.

    Example:
        >>> engine = Engine(kept_graph(backbone("MobileNetV2-0.35", "none")))
        >>> engine(np.zeros((3, 224, 224), np.uint8)).shape
        (3, 1280)
    """

    def __init__(
        self,
        graph: openvino.Model | Callable[[], openvino.Model],
        scaling: Scaling = RAW,
        precision: str = "auto",
        *,
        batch: int | None = None,
        kept_as: str | None = None,
    ) -> None:
        self.precision = resolve_precision(precision)
        self._batch = batch
        self._graph = graph if callable(graph) else lambda: graph
        self._scaling, self._kept_as = scaling, kept_as
        self._networks: dict[int, Requests] = {}
        self._compiling = threading.Lock()

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """What the network makes, float32 (n, d), of grey levels, uint8 (n, height, width)."""
        size = self.batch
        batches = (pixels[start : start + size] for start in range(0, len(pixels), size))
        return np.concatenate(
            list(self.map(batches))
            or [np.empty((0, *self._requests(1).network.output(0).shape[1:]), np.float32)]
        )

    def map(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Compute a stream of batches, several at the same time.

        Args:
            batches: uint8 (n, height, width) each, n at most `batch`; a few are taken ahead.

        Yields:
            Float32 (n, d) of each batch, in order.
        """
        taken = iter(batches)
        first = list(itertools.islice(taken, 2))
        if not first:
            return
        requests = self._requests(1 if [len(batch) for batch in first] == [1] else self.batch)
        shape = tuple(requests.network.input(0).shape)
        ahead = requests.at_once + 1  # one more than are computed at the same time: it is filled meanwhile
        busy = deque[tuple["openvino.InferRequest", int]]()

        def oldest() -> np.ndarray:
            request, n = busy.popleft()
            request.wait()
            found = request.get_output_tensor().data[:n].copy()
            request.get_input_tensor().data[:] = 0  # a server keeps nobody's radiograph
            requests.give_back(request)
            return found

        try:
            for pixels in itertools.chain(first, taken):
                check_batch(pixels, shape)
                if len(busy) == ahead:
                    yield oldest()
                request = requests.take()
                request.get_input_tensor().data[: len(pixels)] = pixels
                request.get_input_tensor().data[len(pixels) :] = 0
                request.start_async()
                busy.append((request, len(pixels)))
            while busy:
                yield oldest()
        finally:
            while busy:
                oldest()

    @property
    def batch(self) -> int:
        """Images that are computed together."""
        return self._batch or BATCHES[self.settle()]

    @property
    def at_once(self) -> int:
        """Batches that are computed at the same time."""
        return self._requests(self.batch).at_once

    def settle(self) -> str:
        """What it computes in: "f32", "bf16" or "int8"; "auto" is looked into now."""
        with self._compiling:
            return self._settle()

    def _settle(self) -> str:
        if self.precision == "auto":
            name = self._kept_name(FAITHFUL, PROBES)
            self.precision = remembered(lambda: suited(self._compile), ("f32", "bf16"), name)
        return self.precision

    def _requests(self, batch: int) -> Requests:
        """The network, compiled for batches of one size when first asked for it."""
        with self._compiling:
            self._settle()
            if batch not in self._networks:
                self._networks[batch] = Requests(self._compile(batch, self.precision))
            return self._networks[batch]

    def _compile(self, batch: int, precision: str) -> openvino.CompiledModel:
        properties = {"PERFORMANCE_HINT": "LATENCY" if batch == 1 else "THROUGHPUT"}
        if precision != "int8":
            properties["INFERENCE_PRECISION_HINT"] = precision
        made = lambda: grey.with_grey_input(self._graph(), self._scaling, batch)  # noqa: E731
        return compiled(made, properties, self._kept_name(batch))

    def _kept_name(self, *of: float) -> str | None:
        """What is kept on disk is known by, nothing where nothing is."""
        if self._kept_as is None:
            return None
        return json.dumps([self._kept_as, self._scaling.channels.tolist(), grey.REVISION, *of])
