"""A classifier of an untrained backbone, its file, and phantoms to predict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neumo.backend import keras
from neumo.classifier.assemble import new_classifier
from neumo.classifier.classifier import Classifier
from neumo.features.backbones import backbone
from neumo.features.graph import convert
from neumo.images.read import read_radiograph
from neumo.phantom.radiograph import draw_radiograph
from neumo.training.head import build_head
from neumo.training.steps import STEPS

MEAN, STD = 121.0, 58.0
CARD = {
    "name": "test",
    "positive": "pneumonia",
    "negative": "normal",
    "scaling": {"mean": MEAN, "std": STD},
    "threshold": {"threshold": 0.5, "rule": "0.5, the default"},
    "data": {"name": "phantoms", "synthetic": True},
}


@pytest.fixture(scope="session")
def base() -> keras.Model:
    return backbone("MobileNetV2-0.35", "none").build()


@pytest.fixture(scope="session")
def head() -> keras.Model:
    """A head whose batch normalisation has statistics of its own, as after training."""
    head = build_head(STEPS[-1], 1280, seed=3)
    random = np.random.default_rng(0)
    for weight in head.weights:
        if "moving" in weight.name:
            weight.assign(random.uniform(0.5, 2.0, weight.shape).astype(np.float32))
    return head


@pytest.fixture(scope="session")
def classifier(base: keras.Model, head: keras.Model) -> Classifier:
    return new_classifier(CARD, convert(base), base, head)


@pytest.fixture(scope="session")
def saved(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("classifier") / "classifier.neumo"
    classifier.save(file)
    return file


@pytest.fixture(scope="session")
def radiographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    from PIL import Image

    folder = tmp_path_factory.mktemp("radiographs")
    files = [folder / f"{i}.png" for i in range(11)]
    for i, file in enumerate(files):
        pixels, _ = draw_radiograph("bacteria" if i % 2 else "", patient=i, size=224)
        Image.fromarray(pixels).save(file)
    return files


@pytest.fixture(scope="session")
def expected(radiographs: list[Path], base: keras.Model, head: keras.Model) -> np.ndarray:
    """Probabilities by Keras from the parts: normalise, backbone, head."""
    pixels = np.stack([read_radiograph(file) for file in radiographs]).astype(np.float32)
    scaled = np.repeat(((pixels - MEAN) / STD)[..., None], 3, axis=-1)
    return np.asarray(head.predict(base.predict(scaled, verbose=0), verbose=0))[:, 0]
