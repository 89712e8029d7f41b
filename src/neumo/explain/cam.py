"""Grad-CAM of a saved classifier."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from neumo.explain.gradient import pooled_maps
from neumo.features.backbones import SIZE
from neumo.features.engine import Engine

if TYPE_CHECKING:
    import openvino

    from neumo.classifier.classifier import Classifier


def heat_map(classifier: Classifier, pixels: np.ndarray) -> NDArray[np.float32]:
    """How much each place of a radiograph speaks for the positive class.

    Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) on the maps before global average pooling, less what
    they are on the average normal radiograph of the training part, enlarged smoothly. Without that, places
    where all radiographs are alike, such as the abdomen, can be the hottest: docs/explain.md measures both.
    A classifier that does not carry the average (`Classifier.usual`) gets plain Grad-CAM.

    The hottest place of a radiograph is as hot as its probability, so that the map of a clear negative is
    nearly black instead of blown-up noise; where nothing speaks for the class all is 0.

    Args:
        classifier: whose probability is explained; what it takes is compiled once. Threads may share it.
        pixels: grey levels, uint8 (n, 224, 224).

    Returns:
        Float32 (n, 224, 224), 0 to 1.

    Raises:
        NeumoError: the classifier does not end in average-pooled maps.

    Example:
        >>> heat_map(neumo.load("classifier.neumo"), neumo.read_radiograph("xray.jpg")[None]).max()
        0.97
    """
    probabilities, maps = evidence(classifier, pixels)
    heat = np.stack([enlarge(np.maximum(one, 0), SIZE, SIZE) for one in maps]) if len(maps) else maps
    heat = heat.reshape(-1, SIZE, SIZE)
    hottest = heat.max(axis=(1, 2), keepdims=True, initial=0)
    return heat * np.divide(
        probabilities[:, None, None], hottest, out=np.zeros_like(hottest), where=hottest > 0
    )


def evidence(classifier: Classifier, pixels: np.ndarray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities with the signed maps that Grad-CAM cuts off at 0.

    Args:
        classifier: as in `heat_map`.
        pixels: grey levels, uint8 (n, 224, 224).

    Returns:
        Probabilities, float32 (n,), and maps, float32 (n, height, width), as coarse as the network's last
        ones (7 x 7 mostly). Their unit is that of the logit: the mean of a map is the sum over all pooled
        features of the logit's derivative times how far the feature is from the usual.
    """
    engine, shape = _engine(classifier)
    found = engine(pixels)
    return found[:, 0], found[:, 1:].reshape(-1, *shape)


def enlarge(plane: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A map of 0 and more as a smooth one (bicubic) of another size, float32 (height, width)."""
    from PIL import Image

    large = Image.fromarray(plane.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    return np.maximum(np.asarray(large), 0)  # bicubic swings below 0 beside a peak


_engines: WeakKeyDictionary[Classifier, tuple[Engine, tuple[int, int]]] = WeakKeyDictionary()
_making = threading.Lock()


def _engine(classifier: Classifier) -> tuple[Engine, tuple[int, int]]:
    """What computes `evidence`, flat, and height and width of its maps; made once."""
    with _making:
        if classifier not in _engines:
            graph, shape = evidence_graph(classifier.network(), classifier.usual)
            _engines[classifier] = Engine(graph, classifier.scaling), shape
        return _engines[classifier]


def evidence_graph(
    network: openvino.Model, usual: Sequence[np.ndarray] = ()
) -> tuple[openvino.Model, tuple[int, int]]:
    """Write the backward pass of Grad-CAM behind a network, so that one graph computes both.

    Args:
        network: scaled grey levels, float32 (n, 3, height, width), to probabilities, (n, 1).
        usual: as `neumo.explain.usual.usual_maps` makes it; nothing for plain Grad-CAM.

    Returns:
        A graph from the same input to (n, 1 + rows * columns), the probability and then the map; and
        (rows, columns).

    Raises:
        NeumoError: the network does not end in average-pooled maps, a head and a sigmoid.
    """
    import openvino
    import openvino.opset15 as ops

    network = network.clone()
    probability = network.output(0).get_node().input_value(0)
    pooled = pooled_maps(network, probability.get_node().input_value(0))
    sizes = [tuple(side.get_length() for side in list(maps.get_partial_shape())[2:]) for maps, _ in pooled]
    rows, columns = max(sizes)
    parts = []
    for (maps, gradient), size, common in zip(
        pooled, sizes, usual or [np.zeros(())] * len(pooled), strict=True
    ):
        maps = ops.subtract(maps, np.asarray(common, np.float32))
        part = ops.reduce_sum(ops.multiply(maps, ops.unsqueeze(gradient, [2, 3])), [1], keep_dims=True)
        if size != (rows, columns):  # members of an ensemble with grids of their own
            part = ops.interpolate(part, [rows, columns], "linear_onnx", "sizes", axes=[2, 3])
        parts.append(ops.reshape(part, [-1, rows * columns], special_zero=False))
    whole = functools.reduce(ops.add, parts)
    graph = openvino.Model([ops.concat([probability, whole], 1)], network.get_parameters(), "evidence")
    return graph, (rows, columns)
