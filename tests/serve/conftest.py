"""A classifier that is small enough to be made anew, its server, and files to send."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from neumo.classifier.classifier import Classifier
from neumo.classifier.findings import NOTICE
from neumo.phantom.radiograph import draw_radiograph
from neumo.serve.app import create_app

CARD = {
    "name": "small",
    "positive": "pneumonia",
    "negative": "normal",
    "scaling": {"mean": 121.0, "std": 58.0},
    "threshold": {"threshold": 0.5, "rule": "0.5, the default"},
    "operating_points": {"threshold": [0.2, 0.5], "sensitivity": [0.99, 0.9], "specificity": [0.5, 0.8]},
    "data": {"name": "phantoms", "synthetic": False},
    "format": 2,
    "size": 224,
    "notice": NOTICE,
}


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """One convolution with random weights, in OpenVINO alone."""
    import openvino
    import openvino.opset15 as ops

    random = np.random.default_rng(0)
    given = ops.parameter([-1, 3, 224, 224], np.float32, name="input")
    filters = random.normal(size=(6, 3, 7, 7)).astype(np.float32)
    maps = ops.relu(ops.convolution(given, filters, [16, 16], [0, 0], [0, 0], [1, 1]))
    backbone = openvino.Model([ops.reduce_mean(maps, [2, 3])], [given], "backbone")
    features = ops.parameter([-1, 6], np.float32, name="features")
    weights = random.normal(size=(6, 1)).astype(np.float32) / 3
    logit = ops.add(ops.matmul(features, weights, False, False), np.full((1, 1), 0.1, np.float32))
    head = openvino.Model([ops.sigmoid(logit)], [features], "head")
    return Classifier(CARD, backbone, head, b"")


@pytest.fixture(scope="session")
def saved(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It as a file."""
    file = tmp_path_factory.mktemp("classifier") / "small.neumo"
    classifier.save(file)
    return file


@pytest.fixture
def client(classifier: Classifier) -> Iterator[TestClient]:
    """A running server without a token."""
    with TestClient(create_app(classifier), "http://localhost") as client:
        yield client


def drawn(patient: int, kind: str = "PNG", size: int = 240) -> bytes:
    """A synthetic radiograph as a file."""
    pixels, _ = draw_radiograph("bacteria" if patient % 2 else "", patient=patient, size=size)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def sent(*files: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    """Files as httpx sends them in a form."""
    return [("files", (f"doe-{i}.png", data, "application/octet-stream")) for i, data in enumerate(files)]
