"""What the last maps of a network are on the average normal radiograph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumo.errors import NeumoError
from neumo.explain.gradient import pooled_maps
from neumo.features.engine import Engine
from neumo.images.read import read_radiograph

if TYPE_CHECKING:
    import openvino
    import pandas as pd

    from neumo.classifier.classifier import Classifier

MOST = 32
"""Radiographs that are averaged."""


def usual_maps(classifier: Classifier, rows: pd.DataFrame) -> tuple[NDArray[np.float16], ...]:
    """Average the last maps over normal radiographs of the training part, for `Classifier.usual`.

    Args:
        classifier: trained on them.
        rows: the table, with "path", "label" and "part"; generated images ("copy" above 0) are left out.

    Returns:
        For every pooling that the network ends in, (channels, rows, columns); nothing where no training
        image is normal, or where Grad-CAM cannot explain the network.

    Raises:
        NeumoError: an image cannot be read.
    """
    own = (rows["part"] == "train") & (rows["label"] == 0)
    if "copy" in rows:
        own &= rows["copy"] == 0
    paths = rows.loc[own, "path"].to_numpy()
    if len(paths) == 0:
        return ()
    some = paths[np.unique(np.linspace(0, len(paths) - 1, MOST).round().astype(int))]
    try:
        graph, shapes = _flat_maps(classifier.network())
    except NeumoError:
        return ()
    found = Engine(graph, classifier.scaling)(np.stack([read_radiograph(path) for path in some]))
    parts = np.split(found.mean(axis=0), np.cumsum([np.prod(shape) for shape in shapes])[:-1])
    return tuple(part.reshape(shape).astype(np.float16) for part, shape in zip(parts, shapes, strict=True))


def _flat_maps(network: openvino.Model) -> tuple[openvino.Model, list[tuple[int, ...]]]:
    """The network up to the maps that it pools last, all side by side, (n, d); and their shapes."""
    import openvino
    import openvino.opset15 as ops

    network = network.clone()
    probability = network.output(0).get_node().input_value(0)
    maps = [part for part, _ in pooled_maps(network, probability.get_node().input_value(0))]
    shapes = [tuple(side.get_length() for side in list(part.get_partial_shape())[1:]) for part in maps]
    flat = [
        ops.reshape(part, [-1, int(np.prod(shape))], special_zero=False)
        for part, shape in zip(maps, shapes, strict=True)
    ]
    whole = flat[0] if len(flat) == 1 else ops.concat(flat, 1)
    return openvino.Model([whole], network.get_parameters(), "maps"), shapes
