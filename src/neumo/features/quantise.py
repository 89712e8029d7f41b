"""A network in 8-bit integers."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from neumo.errors import NeumoError
from neumo.features.grey import first_convolutions
from neumo.features.scaling import Scaling
from neumo.images.read import pixels_id, read_radiograph
from neumo.progress import track

if TYPE_CHECKING:
    import openvino
    import pandas as pd

IMAGES = 128
"""Radiographs that a network is calibrated on."""


@dataclass(frozen=True)
class Calibration:
    """Radiographs on which the range of every 8-bit number is measured.

    Attributes:
        paths: the files.
        hashes: their SHA-256.
        scaling: how grey levels become the network's input.
    """

    paths: tuple[str, ...]
    hashes: tuple[str, ...]
    scaling: Scaling

    @classmethod
    def of(cls, rows: pd.DataFrame, scaling: Scaling) -> Calibration:
        """Choose `IMAGES` of these radiographs, those of the lowest hashes: a sample that is always the same.

        Args:
            rows: columns path, sha256 and, where there are generated images, copy, which are left out. Of
                the training part, so that nothing is learnt from the others.
            scaling: how grey levels become the network's input.

        Raises:
            NeumoError: there is no row, or nncf is not installed.
        """
        require_nncf()
        originals = rows[rows["copy"] == 0] if "copy" in rows else rows
        chosen = originals.drop_duplicates("sha256").sort_values("sha256").head(IMAGES)
        if chosen.empty:
            raise NeumoError("calibration: got no training image, expected at least one")
        return cls(tuple(chosen["path"]), tuple(chosen["sha256"]), scaling)

    @property
    def id(self) -> str:
        """A digest of all that the quantised numbers depend on besides the network."""
        told = [self.hashes, self.scaling.channels.tolist(), pixels_id(), version("nncf")]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def quantise(self, graph: openvino.Model) -> openvino.Model:
        """The network with weights and activations in 8 bits; see `quantise`.

        Raises:
            UnreadableImageError: a radiograph cannot be read.
        """
        return quantise(graph, np.stack([read_radiograph(path) for path in self.paths]), self.scaling)


def require_nncf() -> None:
    """Say in one line what is missing.

    Raises:
        NeumoError: nncf is not installed.
    """
    if importlib.util.find_spec("nncf") is None:
        raise NeumoError(
            "precision: got int8, which needs nncf; expected it installed: pip install 'neumo[int8]'"
        )


def quantise(graph: openvino.Model, pixels: np.ndarray, scaling: Scaling) -> openvino.Model:
    """Quantise a network after training (Jacob et al. 2018, arXiv:1712.05877), with NNCF.

    Weights have a range per output channel, activations one per tensor. The first convolution stays as it
    is: it is 3 % of the work of ResNet50, and so its input can still be folded (`neumo.features.grey`).
    Weights take half the range of 8 bits, since sums of products would overflow on processors without VNNI.

    Args:
        graph: from scaled channels, float32 (n, 3, height, width); it is left as it is.
        pixels: what it is calibrated on, uint8 (n, height, width).
        scaling: how grey levels become its input.

    Returns:
        A graph between the same inputs and outputs.
    """
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    def images() -> Iterator[np.ndarray]:
        for image in track(pixels, "Calibrating", len(pixels)):
            yield np.ascontiguousarray(scaling(image[None]).transpose(0, 3, 1, 2))

    nncf.set_log_level(40)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123 - its own bars
        return nncf.quantize(
            graph.clone(),
            nncf.Dataset(images()),
            preset=nncf.QuantizationPreset.MIXED,
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(pixels),
            ignored_scope=nncf.IgnoredScope(names=first_convolutions(graph)),
            advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
        )
