from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from neumo.backend import keras
from neumo.features.scaling import Scaling
from neumo.training.ensemble import Member
from neumo.training.head import build_head
from neumo.training.maps import Maps
from neumo.training.refit import DECAY, fitted, refit
from neumo.training.steps import step


def two_classes(n: int = 300, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """One in five is of class 0; features on scales of their own, one of them always the same."""
    random = np.random.default_rng(4)
    y = (np.arange(n) % 5 > 0).astype(float)
    x = random.normal(size=(n, d)) + 0.8 * y[:, None] * random.normal(size=d)
    x = x * np.geomspace(0.01, 100, d) + 5
    x[:, 3] = 7.0
    return x.astype(np.float32), y


def test_it_is_the_logistic_regression_of_scikit_learn() -> None:
    x, y = two_classes()
    kernel, bias = fitted(x, y)
    scaler = StandardScaler().fit(x)
    peer = LogisticRegression(C=1 / (DECAY * len(y)), class_weight="balanced", tol=1e-8, max_iter=1000)
    peer.fit(scaler.transform(x), y)
    np.testing.assert_allclose(x @ kernel + bias, peer.decision_function(scaler.transform(x)), atol=0.02)
    assert np.ptp(x @ kernel) > 2


def test_probabilities_count_as_so_much_of_either_class() -> None:
    x, y = two_classes()
    soft = np.where(y == 1, 0.75, 0.25)
    kernel, bias = fitted(x, soft)
    twice, counted = np.repeat(x, 2, axis=0), np.tile([0.0, 1.0], len(y))
    scaler = StandardScaler().fit(x)
    weights = np.stack([1 - soft, soft], axis=1).ravel()
    weights *= np.where(counted == 1, 0.5 / soft.mean(), 0.5 / (1 - soft.mean()))
    peer = LogisticRegression(C=1 / (DECAY * len(y)), tol=1e-8, max_iter=1000)
    peer.fit(scaler.transform(twice), counted, sample_weight=weights)
    np.testing.assert_allclose(x @ kernel + bias, peer.decision_function(scaler.transform(x)), atol=0.02)


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    given = keras.Input((6, 6, 2))
    x = keras.layers.ReLU()(keras.layers.Conv2D(8, 3)(given))
    return keras.Model(given, keras.layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize("trainable_fraction", [1.0, 0.5])
def test_it_looks_at_images_as_they_are_and_at_no_other(trainable_fraction: float) -> None:
    """Vertical stripes are pneumonia in images as they are, and horizontal ones in changed images."""
    random = np.random.default_rng(1)
    stripes, label = np.tile([1.0, -1.0], 3), np.arange(100) % 2
    vertical = np.broadcast_to(stripes[None, :], (6, 6))
    shown = np.stack([label, 1 - label])[:, :, None, None] == 1  # (views, rows, 1, 1)
    images = np.where(shown, vertical, vertical.T)[:, :, None] + random.normal(0, 0.3, (2, 100, 2, 6, 6))
    base = network()
    lower, values = base, images
    if trainable_fraction < 1:
        lower = keras.Model(base.input, base.layers[1].output)
        flat = images.reshape(200, 2, 6, 6).transpose(0, 2, 3, 1)
        values = lower.predict(flat, verbose=0).transpose(0, 3, 1, 2).reshape(2, 100, 8, 4, 4)
    member = Member(base, build_head(step("normalised"), 8, 0), Scaling(), Maps(values.astype(np.float16)))
    before = base.get_weights()
    rows = np.arange(60)
    refit(member, rows, label[rows], trainable_fraction)
    as_they_are = images[0].transpose(0, 2, 3, 1)
    told = member.head.predict(base.predict(as_they_are, verbose=0), verbose=0)[:, 0]
    assert ((told > 0.5) == label)[60:].mean() > 0.95
    assert all((one == other).all() for one, other in zip(before, base.get_weights(), strict=True))
