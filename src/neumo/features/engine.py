"""The fast forward pass of a network."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from neumo.errors import NeumoError
from neumo.features.scaling import RAW, Scaling

if TYPE_CHECKING:
    import openvino

BATCH = 8  # images; larger batches leave the processor's caches and gain nothing
PRECISIONS = ("auto", "f32", "bf16")


class Engine:
    """Radiographs to what a network makes of them, through OpenVINO.

    Batches have one size, the last one is filled up: the numbers of an image do not depend on its neighbours.
    Threads may share an engine.

    Args:
        graph: float32 (n, 3, height, width) to (n, d), as `neumo.features.graph.convert` makes it.
        scaling: how grey levels become its input.
        precision: "f32"; "bf16"; or "auto", bf16 where the processor computes in it.
        batch: images that are computed together.

    Raises:
        NeumoError: no such precision.

    Example:
        >>> engine = Engine(kept_graph(backbone("MobileNetV2-0.35", "none")))
        >>> engine(np.zeros((3, 224, 224), np.uint8)).shape
        (3, 1280)
    """

    def __init__(
        self, graph: openvino.Model, scaling: Scaling = RAW, precision: str = "auto", *, batch: int = BATCH
    ) -> None:
        self.precision = resolve_precision(precision)
        self.batch = batch
        compiled = core().compile_model(
            with_grey_input(graph, scaling, batch),
            "CPU",
            {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": self.precision},
        )
        self._input, self._output = tuple(compiled.input(0).shape), tuple(compiled.output(0).shape)
        streams = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._ahead = streams + 1  # one request more than streams: it is filled while the others compute
        self._new_request = compiled.create_infer_request
        self._idle: deque[openvino.InferRequest] = deque()  # of all threads

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """What the network makes, float32 (n, d), of grey levels, uint8 (n, height, width)."""
        batches = (pixels[start : start + self.batch] for start in range(0, len(pixels), self.batch))
        return np.concatenate([np.empty((0, *self._output[1:]), np.float32), *self.map(batches)])

    def map(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Compute a stream of batches, several at the same time.

        Args:
            batches: uint8 (n, height, width) each, n at most `batch`; a few are taken ahead.

        Yields:
            Float32 (n, d) of each batch, in order.
        """
        idle, busy = deque["openvino.InferRequest"](), deque[tuple["openvino.InferRequest", int]]()

        def oldest() -> np.ndarray:
            request, n = busy.popleft()
            request.wait()
            idle.append(request)
            return request.get_output_tensor().data[:n].copy()

        try:
            for pixels in batches:
                got = (str(pixels.dtype), *pixels.shape[1:])
                if got != ("uint8", *self._input[1:]) or len(pixels) > self.batch:
                    raise ValueError(
                        f"got {pixels.dtype} {pixels.shape}, expected uint8 {self._input} at most"
                    )
                if len(busy) == self._ahead:
                    yield oldest()
                request = idle.popleft() if idle else self._request()
                request.get_input_tensor().data[: len(pixels)] = pixels
                request.get_input_tensor().data[len(pixels) :] = 0
                request.start_async()
                busy.append((request, len(pixels)))
            while busy:
                yield oldest()
        finally:
            for request, _ in busy:
                request.wait()
            self._idle.extend([*idle, *(request for request, _ in busy)])

    def _request(self) -> openvino.InferRequest:
        try:
            return self._idle.pop()
        except IndexError:
            return self._new_request()


def resolve_precision(precision: str) -> str:
    """Name the precision, "f32" or "bf16", that a wish stands for on this processor.

    Raises:
        NeumoError: no such precision, or this processor does not compute in it.
    """
    if precision not in PRECISIONS:
        raise NeumoError(f"precision: got {precision!r}, expected {' or '.join(PRECISIONS)}")
    granted = _granted(precision)
    if precision == "auto":
        return "bf16" if granted == "bf16" else "f32"
    if granted != precision:
        raise NeumoError(
            f"precision: got {precision}, which this processor does not compute in, expected auto"
        )
    return precision


@functools.cache
def _granted(precision: str) -> str:
    """What OpenVINO makes of a wish, which it does not refuse; ask it with a network of one operation."""
    import openvino
    import openvino.opset15 as ops

    x = ops.parameter([1], np.float32)
    hint = {} if precision == "auto" else {"INFERENCE_PRECISION_HINT": precision}
    compiled = core().compile_model(openvino.Model([ops.relu(x)], [x], "one"), "CPU", hint)
    return compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()


@functools.cache
def core() -> openvino.Core:
    """OpenVINO, started once."""
    import openvino

    return openvino.Core()


def with_grey_input(graph: openvino.Model, scaling: Scaling, batch: int) -> openvino.Model:
    """The graph with uint8 (batch, height, width) and the scaling in front; a batch of -1 is left open."""
    import openvino
    import openvino.opset15 as ops

    graph = graph.clone()
    channels = graph.get_parameters()[0].output(0)
    height, width = (side.get_length() for side in list(channels.get_partial_shape())[2:])
    mean, std = (part.reshape(1, 3, 1, 1) for part in scaling.channels)
    grey = ops.parameter([batch, height, width], np.uint8, name="grey")
    scaled = ops.divide(ops.subtract(ops.unsqueeze(ops.convert(grey, "f32"), 1), mean), std)
    channels.replace(scaled.output(0))
    return openvino.Model(graph.get_results(), [grey], graph.friendly_name)
