"""The loop gives the numbers of `keras.Model.fit`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neumo.backend import keras
from neumo.training import loop
from neumo.training.head import build_head, fit_head, orders
from neumo.training.steps import Step, step

ALL_LAYERS = ["base", "deeper", "regularised"]


@pytest.fixture
def double_precision() -> Iterator[None]:
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def _examples(n: int, dtype: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(0)
    x = random.gamma(0.5, size=(n, 60))  # as average-pooled ReLU features: not negative, skewed
    y = (x[:, :6].sum(axis=1) + 0.5 * random.normal(size=n) > 3).astype(dtype)
    return x.astype(dtype), y[:, None]


def _both(step: Step, n: int, dtype: str, epochs: int) -> tuple[keras.Model, keras.Model]:
    """The same head by neumo's loop and by plain Keras, each epoch a `fit` in the same order."""
    (x, y), (x_val, y_val) = _examples(n, dtype), _examples(50, dtype)
    lean, plain = build_head(step, 60, seed=3), build_head(step, 60, seed=3)
    loop.fit(lean, (x, y), (x_val, y_val), orders(n, 1), epochs=epochs, batch_size=32, callbacks=[])
    history: dict[str, list[float]] = {}
    for epoch, order in zip(range(epochs), orders(n, 1), strict=False):
        plain.fit(
            x[order],
            y[order],
            batch_size=32,
            shuffle=False,
            verbose=0,
            validation_data=(x_val, y_val),
            initial_epoch=epoch,
            epochs=epoch + 1,
        )
        for name, (value,) in plain.history.history.items():
            history.setdefault(name, []).append(value)
    plain.history.history = history
    return lean, plain


@pytest.mark.parametrize("name", ALL_LAYERS)
def test_losses_equal_those_of_keras_fit(name: str) -> None:
    lean, plain = _both(step(name), 170, "float32", epochs=3)
    assert set(lean.history.history) == set(plain.history.history)
    for what, values in plain.history.history.items():
        np.testing.assert_allclose(lean.history.history[what], values, atol=1e-5, rtol=0, err_msg=what)


@pytest.mark.parametrize("name", ALL_LAYERS)
def test_weights_equal_those_of_keras_fit_in_double_precision(double_precision: None, name: str) -> None:
    lean, plain = _both(step(name), 170, "float64", epochs=4)
    for weight, a, b in zip(lean.weights, lean.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6, rtol=0, err_msg=weight.path)


def test_another_backends_loop_equals_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = _examples(80, "float32")
    lean = fit_head(step("regularised"), x, y[:, 0], x, y[:, 0], seed=2, epochs=3, batch_size=16)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    plain = fit_head(step("regularised"), x, y[:, 0], x, y[:, 0], seed=2, epochs=3, batch_size=16)
    for what, values in plain.history.items():
        np.testing.assert_allclose(lean.history[what], values, atol=1e-5, rtol=0, err_msg=what)


def test_the_number_of_threads_is_as_it_was() -> None:
    x, y = _examples(40, "float32")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        fit_head(step("base"), x, y[:, 0], x, y[:, 0], seed=2, epochs=1)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
