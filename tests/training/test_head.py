"""A head on stored features is the report's network, at a fraction of the work."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neumo.backend import keras
from neumo.errors import NeumoError
from neumo.features.matrix import Rows
from neumo.training.head import MIN_DELTA, PATIENCE, Fitted, build_head, build_network, fit_head, orders
from neumo.training.steps import STEPS, Step, step

RESNET50 = 23_587_712  # parameters of ResNet50 without its top, keras.io/api/applications


@pytest.fixture(scope="module")
def resnet() -> keras.Model:
    return keras.applications.ResNet50(
        weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3)
    )


def test_base_on_resnet50_has_the_reports_parameters(resnet: keras.Model) -> None:
    network = build_network(step("base"), resnet, seed=0)
    assert network.input_shape == (None, 224, 224, 3)
    assert network.output_shape == (None, 1)
    assert network.count_params() == 23_589_761
    assert sum(math.prod(w.shape) for w in network.trainable_weights) == 2_049


@pytest.mark.parametrize(
    ("name", "trainable", "frozen"),
    [
        ("normalised", 2_049, 0),
        ("deeper", 2048 * 100 + 100 + 100 * 50 + 50 + 50 + 1, 0),
        ("regularised", 2 * 2048 + 2048 * 100 + 100 + 100 * 50 + 50 + 50 + 1, 2 * 2048),
    ],
)
def test_later_steps_add_their_layers(resnet: keras.Model, name: str, trainable: int, frozen: int) -> None:
    network = build_network(step(name), resnet, seed=0, mean=120.0, std=60.0)
    assert sum(math.prod(w.shape) for w in network.trainable_weights) == trainable
    assert network.count_params() == RESNET50 + trainable + frozen


def test_layers_stand_in_the_reports_order() -> None:
    layers = [type(layer).__name__ for layer in build_head(step("regularised"), 8, seed=0).layers]
    assert layers == ["BatchNormalization", "Dense", "Dropout", "Dense", "Dropout", "Dense"]


def test_equal_heads_have_equal_names_and_weights() -> None:
    first, again = (build_head(step("regularised"), 8, seed=4) for _ in range(2))
    assert first.to_json() == again.to_json()
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [w for w in first.get_weights() if w.ndim == 2]
    other = [w for w in build_head(step("regularised"), 8, seed=5).get_weights() if w.ndim == 2]
    assert not any((a == b).any() for a, b in zip(kernels, other, strict=True))


def _radiographs(folder: Path | None, n: int, size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Some real radiographs, or where there are none smooth random images; both classes by turns."""
    y = np.arange(n) % 2
    if folder is None:
        coarse = np.random.default_rng(0).uniform(0, 255, (n, 8, 8, 1)) * (0.5 + 0.5 * y[:, None, None, None])
        grey = np.kron(coarse, np.ones((1, size // 8, size // 8, 1)))
    else:
        from PIL import Image

        files = sorted(p for p in folder.rglob("*.jp*g") if "train" in p.parts)[:n]
        assert len(files) == n
        grey = np.stack([np.asarray(Image.open(f).convert("L").resize((size, size)), float) for f in files])
        grey = grey[..., None]
    return np.repeat(grey, 3, axis=-1).astype(np.float32), y


@pytest.fixture(scope="module")
def random_base() -> keras.Model:
    """MobileNetV2-0.35 with random filters, its BatchNorm statistics fitted so that signals survive."""
    keras.utils.set_random_seed(0)
    base = keras.applications.MobileNetV2(
        (64, 64, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    base((_radiographs(None, 48, 64)[0] - 120) / 60, training=True)
    return base


def _fit_end_to_end(
    step: Step, base: keras.Model, x: Any, y: Any, x_val: Any, y_val: Any, seed: int, epochs: int
) -> dict[str, list[float]]:
    """The report's way: every epoch through the frozen backbone, in plain Keras."""
    network = build_network(step, base, seed, mean=120.0, std=60.0)
    history: dict[str, list[float]] = {}
    for epoch, order in zip(range(epochs), orders(len(x), seed), strict=False):
        logs = network.fit(
            x[order],
            y[order],
            batch_size=16,
            shuffle=False,
            verbose=0,
            validation_data=(x_val, y_val),
            initial_epoch=epoch,
            epochs=epoch + 1,
        ).history
        for name, (value,) in logs.items():
            history.setdefault(name, []).append(value)
    return history


def _assert_features_equal_end_to_end(base: keras.Model, folder: Path | None) -> None:
    x, y = _radiographs(folder, 60, base.input_shape[1])
    features = base.predict((x - 120.0) / 60.0, verbose=0)
    end_to_end = _fit_end_to_end(step("regularised"), base, x[:44], y[:44], x[44:], y[44:], 3, epochs=3)
    fitted = fit_head(
        step("regularised"),
        features[:44],
        y[:44],
        features[44:],
        y[44:],
        seed=3,
        epochs=3,
        batch_size=16,
    )
    assert set(fitted.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert len(set(fitted.history["loss"])) == 3
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(fitted.history[name], end_to_end[name], atol=1e-4, rtol=0)


def test_stored_features_train_as_the_whole_network_does(random_base: keras.Model) -> None:
    _assert_features_equal_end_to_end(random_base, None)


def test_stored_features_train_as_the_whole_network_does_on_radiographs(
    mobilenet_weights: Path, coronahack: Path
) -> None:
    base = keras.applications.MobileNetV2(
        (96, 96, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    base.load_weights(mobilenet_weights)
    _assert_features_equal_end_to_end(base, coronahack)


def _separable(
    n: int, features: int = 6, noise: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(5)
    x = random.normal(size=(n, features)).astype(np.float32)
    return 3 * x, (x[:, :5].sum(axis=1) + noise * random.normal(size=n) > 0).astype(np.int64)


def _fit(step: Step, n: int = 300, noise: float = 1.0, **options: Any) -> Fitted:
    x, y = _separable(n + 100, noise=noise)
    return fit_head(step, x[:n], y[:n], x[n:], y[n:], **{"seed": 0, "epochs": 4, **options})


@pytest.mark.parametrize("each", STEPS, ids=lambda s: s.name)
def test_every_step_learns(each: Step) -> None:
    history = _fit(each, n=600, noise=0.1, epochs=25, batch_size=8).history
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert history["val_accuracy"][-1] > 0.75


def test_rows_of_a_matrix_train_as_copies_of_them_do() -> None:
    x, y = _separable(160)
    order = np.random.default_rng(1).permutation(160)
    train, validation = order[:120], order[120:]
    options: dict[str, Any] = {"seed": 0, "epochs": 3}
    copied = fit_head(step("regularised"), x[train], y[train], x[validation], y[validation], **options)
    parts = Rows(x, train), y[train], Rows(x, validation), y[validation]
    gathered = fit_head(step("regularised"), *parts, **options)
    assert gathered.history == copied.history


def test_equal_seeds_give_equal_numbers_and_others_do_not() -> None:
    keras.utils.set_random_seed(1)
    first = _fit(step("regularised"), seed=7)
    keras.utils.set_random_seed(2)
    again, other = _fit(step("regularised"), seed=7), _fit(step("regularised"), seed=8)
    assert first.history == again.history
    for a, b in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.history["loss"][0] != other.history["loss"][0]


def test_the_model_is_what_the_last_epoch_measured() -> None:
    fitted = _fit(step("regularised"))
    x, y = _separable(400)
    loss, accuracy = fitted.model.evaluate(x[300:], y[300:], verbose=0)
    assert fitted.best_epoch == 4
    assert loss == pytest.approx(fitted.history["val_loss"][-1], abs=1e-5)
    assert accuracy == pytest.approx(fitted.history["val_accuracy"][-1], abs=1e-5)


def test_early_stopping_stops_and_goes_back_to_the_best_epoch() -> None:
    fitted = _fit(step("early stopping"), n=40, noise=6.0, epochs=200)
    losses, best = fitted.history["val_loss"], fitted.best_epoch
    assert len(losses) == best + PATIENCE < 200
    assert min(losses) >= losses[best - 1] - MIN_DELTA
    x, y = _separable(140, noise=6.0)
    loss, _ = fitted.model.evaluate(x[40:], y[40:], verbose=0)
    assert loss == pytest.approx(losses[best - 1], abs=1e-5)
    assert loss != pytest.approx(losses[-1], abs=1e-5)


def _with(**wrong: Any) -> None:
    x, y = _separable(40)
    fit_head(step("base"), **{"x": x, "y": y, "x_val": x, "y_val": y, "seed": 0, "epochs": 1, **wrong})


def _holed() -> NDArray[np.float32]:
    x, _ = _separable(40)
    x[7, 3] = np.nan
    return x


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"y": np.ones(40)}, "training part: got 40 images all of class 1, expected both classes"),
        ({"x": _holed()}, "training part: got features that are not finite in row 7, expected finite"),
        ({"x_val": _holed()}, "validation part: got features that are not finite in row 7"),
        ({"x_val": np.empty((0, 6)), "y_val": np.empty(0)}, "validation part: got no images, expected at"),
        ({"y": np.arange(40) % 3}, "training part: got label 2, expected 0 for normal or 1 for pneumonia"),
        ({"y": np.ones(39)}, r"got features \(40, 6\), labels \(39,\), expected"),
        ({"x_val": np.ones((40, 5))}, "validation part: got 5 features, expected 6"),
        ({"epochs": 0}, "got 0 epochs with batches of 32, expected 1 or more"),
    ],
)
def test_bad_input_is_told_in_one_line(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(NeumoError, match=message) as told:
        _with(**wrong)
    assert "\n" not in str(told.value)
