"""The forward pass on a GPU."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neumo.errors import NeumoError
from neumo.features.engine import check_batch
from neumo.features.precision import PRECISIONS, resolve_precision
from neumo.features.scaling import RAW, Scaling

if TYPE_CHECKING:
    from torch import Tensor

    from neumo.backend import keras

BATCH = 64
"""Images that are computed together."""

PRECISIONS_FOR_MANY = (*PRECISIONS, "gpu")

AHEAD = 2
"""Batches that the GPU is given before the first one is asked for."""


REVISION = 1  # raise it when `GpuEngine` gives other numbers than before


@functools.cache
def has_gpu() -> bool:
    """Whether Keras computes on PyTorch and that finds an NVIDIA GPU.

    PyTorch is imported only where there is a driver for one.
    """
    if os.environ.get("KERAS_BACKEND", "torch") != "torch":
        return False
    if shutil.which("nvidia-smi") is None and not Path("/proc/driver/nvidia/version").exists():
        return False
    import torch

    return torch.cuda.is_available()


def resolve_for_many(precision: str) -> str:
    """Name what the features of many images are computed in: "gpu", or what `resolve_precision` says.

    Args:
        precision: as there; "auto" is a GPU where there is one, and "gpu" insists on it.

    Raises:
        NeumoError: as there; or no GPU where one is asked for.
    """
    if precision == "gpu" and not has_gpu():
        raise NeumoError("precision: got gpu, but PyTorch finds no NVIDIA GPU here, expected auto")
    return "gpu" if precision in ("auto", "gpu") and has_gpu() else resolve_precision(precision)


def made_by(precision: str) -> dict[str, str | int]:
    """What else numbers depend on that were computed in this."""
    return {"torch": version("torch"), "revision": REVISION} if precision == "gpu" else {}


@contextlib.contextmanager
def exactly() -> Iterator[None]:
    """Have PyTorch convolve in single precision on a GPU: its TF32 is 2 % away after ResNet50."""
    if not has_gpu():
        yield
        return
    import torch

    where: Any = torch.backends.cudnn
    setting: str = "allow_tf32"
    exact: str | bool = False
    try:
        kept = where.allow_tf32
    except RuntimeError:  # the user has chosen by PyTorch's newer settings, which do not mix with this one
        where, setting, exact = where.conv, "fp32_precision", "ieee"
        kept = where.fp32_precision
    setattr(where, setting, exact)
    try:
        yield
    finally:
        setattr(where, setting, kept)


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Have a GPU whose memory is full end in one line.

    Raises:
        NeumoError: it is.
    """
    if not has_gpu():
        yield
        return
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise NeumoError(
            f"GPU: got no more memory ({str(error).partition('. ')[0]}), expected room for this network; end "
            "what else runs there, or set CUDA_VISIBLE_DEVICES to nothing to compute on the processor"
        ) from error


class GpuEngine:
    """Radiographs to what a network makes of them, through PyTorch.

    What `neumo.features.engine.Engine` is for a processor, and used as it is. What PyTorch's functions do not
    cover (see `neumo.features.pytorch.forward`) Keras itself computes there, more slowly.

    In single precision, for a GPU is then still faster than images are read; bfloat16 would change the
    features of MobileNetV2-0.35 by 17 %.

    Args:
        network: scaled pixels (n, height, width, 3) to features (n, d), or to maps.
        scaling: how grey levels become its input.
        batch: images that are computed together; the last batch is filled up.
        bf16: whether to compute in bfloat16 all the same.
    """

    def __init__(
        self, network: keras.Model, scaling: Scaling = RAW, *, batch: int = BATCH, bf16: bool = False
    ) -> None:
        import torch

        self.batch, self._bf16 = batch, bf16
        self._device = next(iter(network.weights)).value.device
        self._channels = torch.from_numpy(scaling.channels).to(self._device)
        self._shape = network.input_shape[1:3]
        self._network = self._cover(network)

    def map(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Compute a stream of batches; while one is computed the next ones are made.

        Args:
            batches: uint8 (n, height, width) each, n at most `batch`; a few are taken ahead.

        Yields:
            Float32 (n, d), or (n, channels, height, width), of each batch, in order.
        """
        busy = deque[tuple["Tensor", int]]()
        for pixels in batches:
            check_batch(pixels, (self.batch, *self._shape))
            if len(busy) == AHEAD:
                yield _taken(*busy.popleft())
            busy.append((self._compute(pixels), len(pixels)))
        while busy:
            yield _taken(*busy.popleft())

    def _cover(self, network: keras.Model) -> Callable[[Tensor], Tensor]:
        import torch

        from neumo.features.pytorch import forward

        def by_keras(x: Tensor) -> Tensor:
            made: Tensor = network(x.permute(0, 2, 3, 1), training=False)
            return made.permute(0, 3, 1, 2) if made.ndim == 4 else made

        with torch.inference_mode():
            try:
                covered = forward(network)
                covered(torch.zeros(1, 3, *self._shape, device=self._device))
            except NotImplementedError:
                return by_keras
        return covered

    def _compute(self, pixels: np.ndarray) -> Tensor:
        import torch

        from neumo.features.pytorch import scaled

        filled = np.zeros((self.batch, *self._shape), np.uint8)
        filled[: len(pixels)] = pixels
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16),
            exactly(),
        ):
            x = scaled(torch.from_numpy(filled).to(self._device), self._channels)
            return self._network(x).float()


def _taken(made: Tensor, n: int) -> np.ndarray:
    return made[:n].cpu().numpy()
