from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neumo.errors import NeumoError
from neumo.features import graph
from neumo.features.backbones import Backbone, backbone
from neumo.features.engine import Engine
from neumo.features.networks import clear_networks, kept_graph, networks_folder, networks_size
from tests.features.conftest import distance


def test_a_kept_network_needs_neither_keras_nor_torch(mobilenet: Backbone) -> None:
    script = (
        "import sys; from neumo.features.backbones import backbone;"
        "from neumo.features.networks import kept_graph;"
        "kept_graph(backbone(*sys.argv[1:])); print(sorted({'keras', 'torch'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, mobilenet.name, mobilenet.weights]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize("part", ["network.bin", "network.xml", "crc32"])
def test_a_damaged_network_is_converted_again(
    part: str, mobilenet: Backbone, real_keras: Any, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = networks_folder().iterdir()
    data = bytearray((folder / part).read_bytes())
    data[len(data) // 2] ^= 64
    (folder / part).write_bytes(data)
    monkeypatch.setattr(Backbone, "build", lambda _: real_keras)
    features = Engine(kept_graph(mobilenet), mobilenet.scaling, "f32")(pixels[:2])
    assert distance(features, np.asarray(real_keras.predict(mobilenet.scaling(pixels[:2]), verbose=0))) < 1e-4
    assert (folder / part).read_bytes() != bytes(data)
    monkeypatch.setattr(Backbone, "build", _never)
    kept_graph(mobilenet)


def test_other_weights_are_another_network(mobilenet: Backbone, tmp_path: Path, real_keras: Any) -> None:
    import h5py  # type: ignore[import-untyped]

    other = shutil.copy(mobilenet.weights, tmp_path / "other.weights.h5")
    with h5py.File(other, "r+") as file:
        names: list[str] = []
        file.visit(lambda name: names.append(name) if isinstance(file[name], h5py.Dataset) else None)
        file[names[0]][...] += 1
    kept_graph(backbone(mobilenet.name, other))
    assert len(list(networks_folder().iterdir())) == 2


def test_a_conversion_that_differs_from_keras_is_not_used(
    real: Backbone, real_keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backbone, "build", lambda _: real_keras)
    monkeypatch.setitem(graph._LAYERS, "ZeroPadding2D", lambda layer, x: graph._pad(_shifted(layer), x))
    with pytest.raises(RuntimeError, match="away from Keras"):
        kept_graph(real)
    assert networks_size() == 0


def _shifted(layer: Any) -> Any:
    (top, bottom), (left, right) = layer.padding
    return type("Shifted", (), {"padding": ((bottom, top), (right, left))})()


def _never(_: Backbone) -> None:
    raise AssertionError("built again")


@pytest.fixture
def _small_disk() -> Iterator[None]:
    """Files cannot grow beyond 200 KB, as on a full disk."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limit[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)


@pytest.mark.usefixtures("_small_disk")
def test_a_full_disk(real: Backbone, real_keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backbone, "build", lambda _: real_keras)
    with pytest.raises(NeumoError, match=r"got no way to write the converted network .* NEUMO_CACHE"):
        kept_graph(real)
    assert list(networks_folder().iterdir()) == []


def test_a_cache_folder_that_is_a_file(
    real: Backbone, real_keras: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Backbone, "build", lambda _: real_keras)
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path / "file"))
    with pytest.raises(NeumoError, match="got no way to write the converted network"):
        kept_graph(real)


def test_clear_only_one_backbone(mobilenet: Backbone) -> None:
    (folder,) = networks_folder().iterdir()
    other = shutil.copytree(folder, networks_folder() / "MobileNetV2-0123456789abcdef")
    assert networks_size() > 3_000_000
    clear_networks("MobileNetV2")
    assert folder.exists()
    assert not other.exists()
    clear_networks()
    assert networks_size() == 0
