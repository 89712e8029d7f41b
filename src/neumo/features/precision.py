"""What a network is computed in on a processor."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from neumo.errors import NeumoError
from neumo.features.compiled import core

if TYPE_CHECKING:
    import openvino

PRECISIONS = ("auto", "f32", "bf16", "int8")

FAITHFUL = 0.01
"""How far the features of an image may be away from those in f32, in L2, relative to them."""

PROBES = 4
"""Phantom radiographs that this is measured on: bf16 moves the features of MobileNetV2-0.35 by 17 % there and
by 16 % on real ones, those of ResNet50 by 0.7 % on both (docs/speed.md)."""


def resolve_precision(precision: str) -> str:
    """Name the precision that a wish stands for on this processor.

    Returns:
        "f32", "bf16" or "int8"; or still "auto" where the processor computes in bf16, for then it depends on
        the network, see `suited`.

    Raises:
        NeumoError: no such precision, or this processor does not compute in it.
    """
    if precision not in PRECISIONS:
        raise NeumoError(f"precision: got {precision!r}, expected {' or '.join(PRECISIONS)}")
    if precision == "int8":  # any processor can, though some are no faster for it
        return precision
    granted = _granted(precision)
    if precision == "auto":
        return "auto" if granted == "bf16" else "f32"
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


def suited(compile: Callable[[int, str], openvino.CompiledModel]) -> str:
    """Tell "bf16" where a network gives nearly the same in it as in f32, else "f32".

    Args:
        compile: compiles the network for (images of a batch, precision), uint8 (n, height, width) to float32.
    """
    exact, coarse = (compile(PROBES, precision) for precision in ("f32", "bf16"))
    probes = _probes(exact.input(0).shape[1])
    true, found = (
        network.create_infer_request().infer([probes])[0].reshape(PROBES, -1) for network in (exact, coarse)
    )
    error = np.linalg.norm(found - true, axis=1) / np.linalg.norm(true, axis=1)
    return "bf16" if (error <= FAITHFUL).all() else "f32"


@functools.cache
def _probes(size: int) -> np.ndarray:
    from neumo.phantom.radiograph import draw_radiograph

    return np.stack([draw_radiograph(patient=patient, size=size)[0] for patient in range(PROBES)])
