from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neumo.errors import NeumoError
from neumo.features.backbones import BACKBONES, SIZE, Backbone, backbone, smooth_noise
from neumo.features.scaling import RAW, Scaling

OF_KERAS = {name: facts for name, facts in BACKBONES.items() if facts[0] != "efficientnet_lite"}
SMALLEST = {
    module: min((facts[2], name) for name, facts in OF_KERAS.items() if facts[0] == module)[1]
    for module in {facts[0] for facts in OF_KERAS.values()}
}


@pytest.fixture(scope="module")
def untrained() -> Any:
    return backbone("MobileNet-0.25", "none").build()


def test_all_of_keras_but_nasnet() -> None:
    from neumo.backend import keras

    offered = {name for name in dir(keras.applications) if name[0].isupper() and "NASNet" not in name}
    assert {name.partition("-")[0] for name in OF_KERAS} == offered


@pytest.mark.parametrize("name", sorted({*SMALLEST.values(), "ResNet50", "MobileNetV2-1.4"}))
def test_facts_and_layers_are_those_of_keras(name: str) -> None:
    from neumo.backend import keras
    from neumo.features.graph import _LAYERS

    kind, _, width = name.partition("-")
    with keras.device("meta"):  # PyTorch's device without memory: nothing is drawn or computed
        network = getattr(keras.applications, kind)(
            include_top=False,
            pooling="avg",
            input_shape=(SIZE, SIZE, 3),
            weights=None,
            **({"alpha": float(width)} if width else {}),
        )
    assert network.output_shape == (None, backbone(name, "none").features)
    assert network.count_params() == backbone(name, "none").parameters
    kinds = {type(operation).__name__ for operation in network.operations}
    assert kinds <= {*_LAYERS, "InputLayer", "Sequential"}, "convert cannot write these"


def test_resnet50_is_the_default() -> None:
    assert (backbone().name, backbone().weights) == ("ResNet50", "imagenet")
    assert (backbone().features, backbone().parameters) == (2048, 23_587_712)


@pytest.mark.parametrize("name", sorted(SMALLEST.values()))
def test_scaling_is_keras_preprocessing(name: str) -> None:
    from neumo.backend import keras

    grey = np.random.default_rng(0).integers(0, 256, (2, 8, 8)).astype(np.uint8)
    preprocess = getattr(keras.applications, BACKBONES[name][0]).preprocess_input
    true = preprocess(RAW(grey), data_format="channels_last")
    np.testing.assert_allclose(backbone(name, "none").scaling(grey), true, atol=1e-4)


def test_the_three_ways_of_scaling() -> None:
    assert backbone("MobileNetV2").scaling == Scaling(127.5, 127.5)
    assert backbone("ResNet50").scaling == Scaling((103.939, 116.779, 123.68), 1.0)
    assert backbone("DenseNet121").scaling == Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def test_real_weights(real: Backbone, real_keras: Any, mobilenet_weights: Path) -> None:
    from neumo.backend import keras

    plain = keras.applications.MobileNetV2(
        alpha=0.35, include_top=False, input_shape=(SIZE, SIZE, 3), weights=str(mobilenet_weights)
    )
    for own, true in zip(real_keras.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(own, true)
    assert real_keras.trainable_weights == []
    assert real_keras.output_shape == (None, real.features)
    assert real.weights_id == hashlib.sha256(mobilenet_weights.read_bytes()).hexdigest()


def test_a_weights_file_of_efficientnet_is_what_keras_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ImageNet's normalisation as it stands in Keras' files; all else as Keras initialises it."""
    from neumo.backend import keras

    file = tmp_path / "b0.weights.h5"
    given = {"include_top": False, "pooling": "avg", "input_shape": (SIZE, SIZE, 3)}
    network = keras.applications.EfficientNetB0(weights=None, **given)
    (layer,) = (layer for layer in network.layers if type(layer).__name__ == "Normalization")
    layer.adapt_mean.assign(np.array((0.485, 0.456, 0.406)))
    layer.adapt_variance.assign(np.array((0.229, 0.224, 0.225)))
    network.save_weights(file)
    downloads = "keras.src.applications.efficientnet.file_utils.get_file"
    monkeypatch.setattr(downloads, lambda *_, **__: str(file))
    images = 128 + 60 * smooth_noise(2, np.random.default_rng(0))
    true = keras.applications.EfficientNetB0(weights="imagenet", **given).predict(images, verbose=0)
    found = backbone("EfficientNetB0", file).build().predict(images, verbose=0)
    assert np.abs(found - true).max() < 1e-3 * np.abs(true).max()


def test_random_filters_are_always_the_same(untrained: Any) -> None:
    again = backbone("MobileNet-0.25", "none").build()
    for one, other in zip(untrained.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_random_filters_let_signals_through(untrained: Any) -> None:
    from neumo.backend import keras

    plain = keras.applications.MobileNet(
        alpha=0.25, include_top=False, pooling="avg", input_shape=(SIZE, SIZE, 3), weights=None
    )
    images = smooth_noise(6, np.random.default_rng(7))
    features, vanished = (np.asarray(net.predict(images, verbose=0)) for net in (untrained, plain))
    assert vanished.std(axis=0).mean() < 1e-3, "Keras' initial values have become better"
    assert 0.01 < features.std(axis=0).mean() < 10


def test_batch_normalisations_are_measured_on_noise(untrained: Any) -> None:
    from neumo.backend import keras

    norms = [layer for layer in untrained.layers if type(layer).__name__ == "BatchNormalization"]
    random = np.random.default_rng(0)
    for layer in untrained._flatten_layers():
        for weight in layer.weights if not hasattr(layer, "layers") else ():
            if weight.name.endswith("kernel"):
                random.standard_normal(weight.shape, np.float32)
    noise = smooth_noise(8, random)
    first, last = (
        np.asarray(keras.Model(untrained.inputs, norm.output).predict(noise, verbose=0))
        for norm in (norms[0], norms[-1])
    )
    for output in (first, last):
        np.testing.assert_allclose(output.mean(axis=(0, 1, 2)), 0, atol=1e-3)
    # a channel whose variance is near the layer's epsilon stays below 1
    assert np.median(first.var(axis=(0, 1, 2))) == pytest.approx(1, abs=0.05)
    assert np.median(last.var(axis=(0, 1, 2))) == pytest.approx(1, abs=0.05)


@pytest.fixture
def channels_first() -> Iterator[None]:
    from neumo.backend import keras

    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


@pytest.mark.usefixtures("channels_first")
def test_the_users_image_format_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neumo.backend import keras
    from neumo.features import backbones

    monkeypatch.setattr(backbones, "_randomise", lambda network: None)
    assert backbone("MobileNet-0.25", "none").build().input_shape == (None, SIZE, SIZE, 3)
    assert keras.config.image_data_format() == "channels_first"
    wrong = tmp_path / "wrong.weights.h5"
    wrong.write_bytes(b"no HDF5")
    with pytest.raises(NeumoError):
        backbone("MobileNet-0.25", wrong).build()
    assert keras.config.image_data_format() == "channels_first"


def test_names_in_any_case() -> None:
    assert backbone("resnet50v2", "none").name == "ResNet50V2"


@pytest.mark.parametrize(
    ("name", "close"), [("ResNet5", "ResNet50"), ("MobileNetV2-0.36", "MobileNetV2-0.35")]
)
def test_an_unknown_name(name: str, close: str) -> None:
    with pytest.raises(NeumoError, match=f"backbone: got '{name}', expected .*{close}"):
        backbone(name)


def test_a_name_like_no_other_names_a_few_and_how_to_see_all() -> None:
    with pytest.raises(NeumoError, match=r"expected ResNet50, .* or another of 51; python -c") as told:
        backbone("foo")
    code = str(told.value).split('"')[1]
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == list(BACKBONES)


def test_no_such_weights_file(tmp_path: Path) -> None:
    with pytest.raises(NeumoError, match=r"x\.weights\.h5: got no such file, expected a weights file"):
        backbone("ResNet50", tmp_path / "x.weights.h5")
    with pytest.raises(NeumoError, match=r"^~nobody-of-this-name/x\.h5: got no such file, expected"):
        backbone("ResNet50", "~nobody-of-this-name/x.h5")
    with pytest.raises(NeumoError, match="got a folder, expected a weights file"):
        backbone("ResNet50", tmp_path)
    (tmp_path / "x.pt").touch()
    with pytest.raises(NeumoError, match=r"got another kind of file, expected NAME\.weights\.h5"):
        backbone("ResNet50", tmp_path / "x.pt")


@pytest.mark.parametrize("how", ["of another network", "cut off", "no HDF5", "empty"])
def test_a_wrong_weights_file(how: str, mobilenet_weights: Path, tmp_path: Path) -> None:
    file = tmp_path / "w.weights.h5"
    shutil.copy(mobilenet_weights, file)
    data = file.read_bytes()
    if how != "of another network":
        file.write_bytes({"cut off": data[: len(data) // 2], "no HDF5": b"text" * 999, "empty": b""}[how])
    name = "MobileNet-0.25" if how == "of another network" else "MobileNetV2-0.35"
    with pytest.raises(NeumoError) as told:
        backbone(name, file).build()
    assert str(told.value).startswith(f"{file}: got a file that does not fit (")
    assert f"expected the weights of {name} without its top" in str(told.value)
    assert "\n" not in str(told.value)


def test_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from keras.src.utils import file_utils

    def no_network(*_: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(file_utils, "urlretrieve", no_network)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    with pytest.raises(NeumoError, match=r"ImageNet weights of MobileNet-0\.25: got no download") as told:
        backbone("MobileNet-0.25").build()
    assert "Name or service not known" in str(told.value)
    assert "--weights FILE" in str(told.value)
    assert "--weights none" in str(told.value)


@pytest.mark.parametrize("given", [None, 3, ("MobileNetV2-0.35", "ResNet50")])
def test_what_is_no_name_is_told(given: object) -> None:
    with pytest.raises(NeumoError, match=r"^backbone: got .*, expected the name of one$"):
        backbone(given)  # type: ignore[arg-type]
    with pytest.raises(NeumoError, match=r"^weights: got .*, expected the name of one$"):
        backbone("MobileNetV2-0.35", given)  # type: ignore[arg-type]
