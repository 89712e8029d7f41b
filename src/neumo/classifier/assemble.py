"""A classifier put together from a frozen backbone and the head that was trained on its features."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neumo.classifier.classifier import Classifier
from neumo.classifier.findings import notice
from neumo.classifier.saved_file import FORMAT
from neumo.features.backbones import SIZE
from neumo.features.reference import Reference
from neumo.features.scaling import Scaling
from neumo.images.read import PIXELS

if TYPE_CHECKING:
    import openvino

    from neumo.backend import keras


def new_classifier(
    card: dict[str, Any],
    graph: openvino.Model,
    base: keras.Model,
    head: keras.Model,
    reference: Reference | None = None,
) -> Classifier:
    """Make a classifier of a frozen backbone and the head that was trained on its features.

    Args:
        card: as `Classifier.card`, without "format", "size", "pixels" and "notice".
        graph: the backbone in OpenVINO, see `neumo.features.networks.kept_graph`.
        base: the same in Keras, scaled grey levels (n, 224, 224, 3) to features (n, d).
        head: features to probabilities, (n, 1).
        reference: fitted on the features of the training part; without it, no image is called unfamiliar.
    """
    from neumo.backend import keras
    from neumo.features.graph import convert

    mean, std = Scaling(card["scaling"]["mean"], card["scaling"]["std"]).channels
    grey = keras.Input((SIZE, SIZE, 3), name="grey")
    scaled = keras.layers.Normalization(mean=mean.tolist(), variance=np.square(std).tolist())(grey)
    bare = keras.models.clone_model(head)  # without optimiser
    bare.set_weights(head.get_weights())
    network = keras.Model(grey, bare(base(scaled)), name="neumo")
    with tempfile.TemporaryDirectory() as folder:
        network.save(Path(folder, "network.keras"))
        keras_file = Path(folder, "network.keras").read_bytes()
    told = notice(card["data"]["synthetic"])
    whole_card = {**card, "format": FORMAT, "size": SIZE, "pixels": PIXELS, "notice": told}
    return Classifier(whole_card, graph, convert(head), keras_file, reference)
