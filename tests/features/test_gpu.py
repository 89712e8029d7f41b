"""The forward pass on a GPU. What needs no GPU is tested without one: PyTorch's functions are the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from neumo.errors import NeumoError
from neumo.features import gpu, pytorch
from neumo.features.backbones import Backbone
from neumo.features.extract import extract
from neumo.features.gpu import GpuEngine, resolve_for_many
from neumo.features.precision import resolve_precision
from neumo.features.scaling import RAW, Scaling
from neumo.features.store import FeatureStore
from neumo.training.finetune import cut
from tests.features.conftest import distance

NEAR = 1e-4


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU, whose work PyTorch does where it can."""
    monkeypatch.setattr(gpu, "has_gpu", lambda: True)


@pytest.mark.parametrize("scaling", [RAW, Scaling((103.9, 116.8, 123.7), (58, 57, 59))])
def test_equals_keras(mobilenet: Backbone, real_keras: Any, pixels: np.ndarray, scaling: Scaling) -> None:
    batches = [pixels[:4], pixels[4:8], pixels[8:9]]
    found = list(GpuEngine(mobilenet.build(), scaling, batch=4).map(batches))
    assert [part.shape for part in found] == [(4, 1280), (4, 1280), (1, 1280)]
    true = np.asarray(real_keras.predict(scaling(pixels[:9]), verbose=0))
    assert distance(np.concatenate(found), true) < NEAR
    assert found[0].dtype == np.float32
    coarse = np.concatenate(list(GpuEngine(mobilenet.build(), scaling, batch=4, bf16=True).map(batches)))
    assert 1e-3 < distance(coarse, true) < 1


def test_maps_come_channels_first(mobilenet: Backbone, pixels: np.ndarray) -> None:
    stem, _ = cut(mobilenet.build(), 0.6)
    (found,) = GpuEngine(stem, mobilenet.scaling).map([pixels[:3]])
    true = stem.predict(mobilenet.scaling(pixels[:3]), verbose=0).transpose(0, 3, 1, 2)
    assert found.shape == true.shape
    assert np.linalg.norm(found - true) < NEAR * np.linalg.norm(true)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 224, 224), np.float32),
        np.zeros((2, 224, 223), np.uint8),
        np.zeros((5, 224, 224), np.uint8),
    ],
)
def test_other_batches_are_refused(mobilenet: Backbone, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(4, 224, 224\) at most"):
        list(GpuEngine(mobilenet.build(), batch=4).map([wrong]))


def test_many_images_are_computed_on_it(
    pretended: None, rows: pd.DataFrame, mobilenet: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_processor = extract(rows, mobilenet, mobilenet.scaling, precision="f32")
    made: list[GpuEngine] = []

    def make(network: Any, scaling: Scaling) -> GpuEngine:
        made.append(GpuEngine(network, scaling))
        return made[-1]

    monkeypatch.setattr("neumo.features.extract.GpuEngine", make)
    found = extract(rows, mobilenet, mobilenet.scaling)
    assert len(made) == 1
    assert distance(found, np.asarray(on_processor)) < NEAR
    assert not np.array_equal(found, on_processor), "they are kept apart"
    np.testing.assert_array_equal(extract(rows, mobilenet, mobilenet.scaling, precision="gpu"), found)
    assert len(made) == 1
    assert {space["precision"] for space in FeatureStore().summary() if "precision" in space} == {
        "f32",
        "gpu",
    }


@pytest.mark.parametrize("found", ["when it is built", "when it is used"])
@pytest.mark.parametrize("part", ["features", "maps"])
def test_what_pytorchs_functions_do_not_cover_keras_computes(
    found: str, part: str, mobilenet: Backbone, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = mobilenet.build() if part == "features" else cut(mobilenet.build(), 0.6)[0]
    (true,) = GpuEngine(network, mobilenet.scaling, batch=2).map([pixels[:2]])

    def refuse(*_: Any) -> Any:
        raise NotImplementedError

    if found == "when it is built":
        monkeypatch.delitem(pytorch._LAYERS, "ReLU")
    else:
        monkeypatch.setitem(pytorch._LAYERS, "ReLU", refuse)
    (by_keras,) = GpuEngine(network, mobilenet.scaling, batch=2).map([pixels[:2]])
    assert by_keras.shape == true.shape
    assert np.linalg.norm(by_keras - true) < NEAR * np.linalg.norm(true)


def test_a_full_gpu_is_told_in_one_line(
    pretended: None, rows: pd.DataFrame, mobilenet: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 14.00 MiB. GPU 0 has ...")

    monkeypatch.setattr(Backbone, "build", fill)
    with pytest.raises(NeumoError, match=r"^GPU: got no more memory \(CUDA out of memory\), expected .*$"):
        extract(rows.head(2), mobilenet)


def test_convolutions_are_exact_whatever_the_user_set(
    pretended: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "allow_tf32", True)
    monkeypatch.setattr(cudnn, "deterministic", True)
    with gpu.exactly():
        assert (cudnn.allow_tf32, cudnn.deterministic) == (False, True)
    assert cudnn.allow_tf32


def test_convolutions_are_exact_where_the_user_has_newer_settings() -> None:
    code = """
import torch
from neumo.features import gpu
gpu.has_gpu = lambda: True
conv = torch.backends.cudnn.conv
conv.fp32_precision = "none"
with gpu.exactly():
    assert conv.fp32_precision == "ieee"
assert conv.fp32_precision == "none"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_features_are_computed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "has_gpu", lambda: True)
    assert [resolve_for_many(wish) for wish in ("auto", "gpu", "f32", "int8")] == [
        "gpu",
        "gpu",
        "f32",
        "int8",
    ]
    monkeypatch.setattr(gpu, "has_gpu", lambda: False)
    assert resolve_for_many("auto") == resolve_precision("auto")
    with pytest.raises(
        NeumoError, match="precision: got gpu, but PyTorch finds no NVIDIA GPU here, expected"
    ):
        resolve_for_many("gpu")
    with pytest.raises(NeumoError, match="precision: got 'fp16', expected"):
        resolve_for_many("fp16")


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there is a driver for a GPU")
def test_pytorch_is_not_imported_to_find_no_gpu() -> None:
    code = "import sys; from neumo.features.gpu import has_gpu; sys.exit(has_gpu() or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
