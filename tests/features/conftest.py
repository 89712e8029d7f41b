"""Backbones and radiographs that several tests of features share."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neumo.features.backbones import Backbone, backbone
from neumo.features.networks import kept_graph, networks_folder
from neumo.images.read import read_radiograph


@pytest.fixture(scope="session")
def real(mobilenet_weights: Path) -> Backbone:
    """MobileNetV2-0.35 with its real ImageNet weights."""
    return backbone("MobileNetV2-0.35", mobilenet_weights)


@pytest.fixture(scope="session")
def real_keras(real: Backbone) -> Any:
    """The same in Keras."""
    return real.build()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one, for converting and compiling is what is tested here."""
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path / "own-cache"))


@pytest.fixture(scope="session")
def _converted(real: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUMO_CACHE", str(tmp_path_factory.mktemp("networks")))
        kept_graph(real)
        return networks_folder()


@pytest.fixture
def mobilenet(real: Backbone, _converted: Path) -> Backbone:
    """The same, already converted in this test's cache."""
    shutil.copytree(_converted, networks_folder())
    return real


@pytest.fixture(scope="session")
def rows(coronahack: Path) -> pd.DataFrame:
    """20 real radiographs, from both official parts: columns path, sha256, copy."""
    images = coronahack / "Coronahack-Chest-XRay-Dataset" / "Coronahack-Chest-XRay-Dataset"
    paths = [str(path) for part in ("train", "test") for path in sorted((images / part).iterdir())[:200:20]]
    hashes = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]
    return pd.DataFrame({"path": paths, "sha256": hashes, "copy": 0})


@pytest.fixture(scope="session")
def pixels(rows: pd.DataFrame) -> np.ndarray:
    """Their grey levels, uint8 (20, 224, 224)."""
    return np.stack([read_radiograph(path) for path in rows["path"]])


def distance(found: np.ndarray, true: np.ndarray) -> float:
    """Largest relative error of a vector."""
    return float((np.linalg.norm(found - true, axis=1) / np.linalg.norm(true, axis=1)).max())
