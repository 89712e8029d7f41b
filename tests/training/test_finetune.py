"""Fine-tuning learns, in the layers it should, and goes on where it was killed."""

from __future__ import annotations

import dataclasses
import errno
import signal
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from neumo.backend import keras
from neumo.errors import NeumoError
from neumo.features import gpu
from neumo.features.backbones import backbone, smooth_noise
from neumo.training import finetune
from neumo.training.finetune import cut, fine_tune, rate
from neumo.training.head import build_head
from neumo.training.maps import Maps
from neumo.training.recipes import RECIPES, Recipe
from neumo.training.steps import step

RECIPE = dataclasses.replace(
    RECIPES[0], epochs=4, batch_size=8, trainable_fraction=1.0, learning_rate=0.01, head_learning_rate=0.01
)


def base() -> keras.Model:
    keras.utils.set_random_seed(0)
    x = given = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(8, 3, use_bias=False)(x)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))
    return keras.Model(given, keras.layers.GlobalAveragePooling2D()(x))


def rows() -> pd.DataFrame:
    """Labels are whether vertical or horizontal stripes were drawn; the mean tells nothing."""
    n = 120
    label = np.arange(n) % 2
    part = np.where(np.arange(n) < 80, "train", "validation")
    return pd.DataFrame({"sha256": [f"{i:064x}" for i in range(n)], "label": label, "part": part})


def maps(table: pd.DataFrame) -> Maps:
    random = np.random.default_rng(2)
    stripes = np.tile([1.0, -1.0], 3)
    signs = random.choice([-1, 1], (3, len(table), 1, 1, 1))
    drawn = np.where(table["label"].to_numpy()[:, None, None, None] == 1, stripes[:, None], stripes[None, :])
    noise = random.standard_normal((3, len(table), 2, 6, 6))
    return Maps((signs * drawn + 0.5 * noise).astype(np.float16))


def run(folder: Path, recipe: Recipe = RECIPE) -> tuple[dict[str, list[float]], list[np.ndarray]]:
    table, network, head = rows(), base(), build_head(step("normalised"), 8, 0)
    history = fine_tune(network, head, maps(table), table, recipe, seed=1, kept=folder, network_id="a")
    return history, [*network.get_weights(), *head.get_weights()]


def test_it_learns_what_the_frozen_network_cannot_tell(tmp_path: Path) -> None:
    history, _ = run(tmp_path, dataclasses.replace(RECIPE, epochs=12))
    assert history["val_accuracy"][-1] > 0.95
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert {len(values) for values in history.values()} == {12}


@pytest.mark.parametrize("ema_rate", [1.0, 0.0], ids=["last weights", "mean of all"])
def test_steps_equal_those_of_keras(ema_rate: float, tmp_path: Path) -> None:
    """One batch an epoch, of all images once, so that no draw matters; each group has its Keras optimizer."""
    recipe = dataclasses.replace(
        RECIPE,
        epochs=12,
        batch_size=80,
        head_learning_rate=0.03,
        weight_decay=0.5,
        dropout=0.0,
        label_smoothing=0.1,
        ema_rate=ema_rate,
    )
    table = rows()
    once = Maps(maps(table).values[:1])
    x = once.values.astype(np.float32)[0].transpose(0, 2, 3, 1)
    train = (table["part"] == "train").to_numpy()
    y = table["label"].to_numpy(np.float32)[:, None]

    def network() -> tuple[keras.Model, keras.Model]:
        given = keras.Input((6, 6, 2))
        one = keras.layers.Conv2D(8, 3, activation="relu", kernel_initializer=keras.initializers.HeNormal(3))
        body = keras.Model(given, keras.layers.GlobalAveragePooling2D()(one(given)))
        return body, build_head(step("normalised"), 8, 0)

    body, head = network()
    peers = [keras.optimizers.AdamW(weight_decay=0.5, epsilon=1e-8) for _ in range(2)]
    smoothed = keras.losses.BinaryCrossentropy(label_smoothing=0.2)
    exact = keras.losses.BinaryCrossentropy()
    after: list[list[np.ndarray]] = []
    expected: dict[str, list[float]] = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    for epoch in range(12):
        told = head(body(x[train]))
        loss = smoothed(y[train], told)
        expected["loss"].append(loss.item())
        expected["accuracy"].append(float(((keras.ops.convert_to_numpy(told) > 0.5) == y[train]).mean()))
        groups = [one.trainable_weights for one in (body, head)]
        gradients = torch.autograd.grad(loss, [weight.value for group in groups for weight in group])
        for peer, group, peak, own in zip(
            peers, groups, (0.01, 0.03), (gradients[:2], gradients[2:]), strict=True
        ):
            peer.learning_rate = peak * rate(epoch / 12)
            with torch.no_grad():
                peer.apply(own, group)
        after.append([*body.get_weights(), *head.get_weights()])
        kept = after[-1] if ema_rate else [np.mean(one, axis=0) for one in zip(*after, strict=True)]
        body.set_weights(kept[:2])
        head.set_weights(kept[2:])
        told = keras.ops.convert_to_numpy(head(body(x[~train])))
        expected["val_loss"].append(float(exact(y[~train], told)))
        expected["val_accuracy"].append(float(((told > 0.5) == y[~train]).mean()))
        body.set_weights(after[-1][:2])
        head.set_weights(after[-1][2:])

    base, top = network()
    base.trainable = False  # as a backbone comes
    found = fine_tune(base, top, once, table, recipe, seed=1, kept=tmp_path, network_id="a")
    for one, other in zip([*base.get_weights(), *top.get_weights()], kept, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert np.abs(kept[0] - after[0][0]).max() > 0.01
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4)


def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "whole").mkdir()
    whole = run(tmp_path / "whole")
    validate, calls = finetune._Tuning._validate, []

    def die(self: finetune._Tuning) -> tuple[float, float]:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return validate(self)

    def count(self: finetune._Tuning) -> tuple[float, float]:
        calls.append(1)
        return validate(self)

    monkeypatch.setattr(finetune._Tuning, "_validate", die)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    calls.clear()
    monkeypatch.setattr(finetune._Tuning, "_validate", count)
    history, weights = run(tmp_path)
    assert len(calls) == 2
    assert history == whole[0]
    for one, other in zip(weights, whole[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_state_of_other_settings_or_a_damaged_one_is_not_taken(tmp_path: Path) -> None:
    first, _ = run(tmp_path)
    other, _ = run(tmp_path, dataclasses.replace(RECIPE, learning_rate=0.003))
    assert other != first
    for state in tmp_path.glob("*.pt"):
        state.write_bytes(b"PK\x03\x04 cut off")
    assert run(tmp_path)[0] == first
    (own,) = (state for state in tmp_path.glob("*.pt") if b"data.pkl" in state.read_bytes())
    own.write_bytes(own.read_bytes().replace(b"data.pkl", b"\xffata.pkl"))
    assert run(tmp_path)[0] == first


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the size of files")
def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    """PyTorch says that it is at an unexpected position."""
    import resource

    limits, told = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"\.pt") as full:
            run(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, told)
    assert full.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []


def test_a_finished_network_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history, weights = run(tmp_path)
    monkeypatch.setattr(finetune._Tuning, "_epoch", None)
    again, read = run(tmp_path, dataclasses.replace(RECIPE, name="other", members=3, tta_shift=8))
    assert again == history
    for one, other in zip(read, weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_are_drawn_by_their_weight(tmp_path: Path) -> None:
    """Half of the training part has the other class's label, and next to no weight."""
    table, longer = rows(), dataclasses.replace(RECIPE, epochs=12)
    wrong = (table["part"] == "train") & (table.index % 4 < 2)
    misled = table.assign(label=table["label"].where(~wrong, 1 - table["label"]))
    accuracy = {}
    for name, told in {"misled": misled, "by weight": misled.assign(weight=np.where(wrong, 1e-9, 1))}.items():
        network, head = base(), build_head(step("normalised"), 8, 0)
        found = fine_tune(network, head, maps(table), told, longer, seed=1, kept=tmp_path, network_id="a")
        accuracy[name] = found["val_accuracy"][-1]
    assert accuracy["by weight"] > 0.95
    assert accuracy["misled"] < 0.8


def test_statistics_stay_and_the_rest_moves(tmp_path: Path) -> None:
    before = [*base().get_weights()]
    _, weights = run(tmp_path)
    names = [weight.name for weight in base().weights]
    moved = [not np.array_equal(a, b) for a, b in zip(before, weights, strict=False)]
    assert dict(zip(names, moved, strict=True)) == {
        "kernel": True,
        "gamma": True,
        "beta": True,
        "moving_mean": False,
        "moving_variance": False,
    }


def test_rate_rises_and_falls() -> None:
    assert rate(0) == 0
    assert rate(0.1) == 1
    assert rate(0.55) == pytest.approx(0.5)
    assert rate(1) == pytest.approx(0)


@pytest.mark.parametrize("name", ["MobileNetV2-0.35", "ResNet50", "DenseNet121"])
@pytest.mark.parametrize("trainable_fraction", [0.2, 0.6, 1.0])
def test_two_halves_make_the_network(name: str, trainable_fraction: float) -> None:
    network = backbone(name, "none").build()
    lower, upper = cut(network, trainable_fraction)
    assert len(upper.layers) - 1 >= trainable_fraction * (len(network.layers) - 1)
    images = smooth_noise(1, np.random.default_rng(0))
    whole = np.asarray(network(images))
    np.testing.assert_allclose(np.asarray(upper(lower(images))), whole, rtol=1e-5, atol=1e-5)
    if trainable_fraction == 1:
        assert len(lower.layers) == 1


def test_a_full_gpu_is_told_in_one_line_and_epochs_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch = finetune._Tuning._epoch

    def fill(self: finetune._Tuning, number: int) -> tuple[float, float]:
        if number == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 14.00 MiB. GPU 0 has ...")
        return epoch(self, number)

    monkeypatch.setattr(gpu, "has_gpu", lambda: True)
    monkeypatch.setattr(finetune._Tuning, "_epoch", fill)
    with pytest.raises(
        NeumoError, match=r"^GPU: got no more memory \(CUDA out of memory\), expected room .*$"
    ):
        run(tmp_path)
    (file,) = tmp_path.glob("*.pt")
    assert torch.load(file, weights_only=True)["steps"] == 20


def test_where_no_layer_above_has_weights_the_output_layer_alone_is_trained(tmp_path: Path) -> None:
    few = dataclasses.replace(RECIPE, trainable_fraction=0.01)
    _, upper = cut(base(), few.trainable_fraction)
    assert not upper.weights
    table, network, head = rows(), base(), build_head(step("normalised"), 8, 0)
    before, own = network.get_weights(), head.get_weights()
    above = Maps(np.random.default_rng(0).random((3, len(table), 8, 4, 4), np.float32))
    fine_tune(network, head, above, table, few, seed=1, kept=tmp_path, network_id="a")
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    assert not np.array_equal(own[0], head.get_weights()[0])
