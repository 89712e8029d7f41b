from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import neumo
from neumo.data.split import split
from neumo.features.backbones import backbone
from neumo.features.engine import Engine
from neumo.features.graph import convert
from neumo.images.read import read_radiograph
from neumo.training import train
from neumo.training.recipes import RECIPES
from neumo.training.refit import fitted
from neumo.training.train import train_networks

PAIR = dataclasses.replace(RECIPES[0], members=2, epochs=1, views=1, trainable_fraction=0.2)


def test_the_output_layer_of_each_network_is_fitted_once_more(tmp_path: Path) -> None:
    table = neumo.read(neumo.make_phantoms(tmp_path / "set", patients=24, size=64, difficulty="easy")).table
    rows, chosen = split(table, "patient", seed=0), backbone("MobileNetV2-0.35", "phantom")
    base, head, _ = train_networks(dataclasses.replace(PAIR, refitted=True), [chosen], rows, 0)
    engine = Engine(convert(base), chosen.scaling, "f32")
    own = rows[rows["part"] == "train"]
    x, y = engine(np.stack([read_radiograph(path) for path in own["path"]])), own["label"].to_numpy()
    half = x.shape[1] // 2
    each = [fitted(part, y) for part in (x[:, :half], x[:, half:])]
    kernel, bias = head.layers[-1].get_weights()
    expected = np.mean(
        [part @ kernel + bias for part, (kernel, bias) in zip((x[:, :half], x[:, half:]), each, strict=True)],
        axis=0,
    )
    np.testing.assert_allclose((x @ kernel + bias)[:, 0], expected, atol=0.05)
    assert np.ptp(expected) > 2


@pytest.mark.parametrize("seed", [0, 3])
def test_a_pair_is_the_mean_of_its_two_networks(seed: int, tmp_path: Path) -> None:
    table = neumo.read(neumo.make_phantoms(tmp_path / "set", patients=24, size=64, difficulty="easy")).table
    rows, chosen = split(table, "patient", seed=seed), backbone("MobileNetV2-0.35", "phantom")
    base, head, history = train_networks(PAIR, [chosen], rows, seed)
    grey = np.random.default_rng(0).normal(0, 1, (3, 224, 224, 3)).astype(np.float32)
    probability = np.asarray(head(base(grey)).detach().cpu())
    logits, losses = [], []
    for member in range(2):
        one, epochs = train._tuned(chosen, PAIR, rows, 1000 * seed + member)
        p = np.asarray(one.head(one.base(grey)).detach().cpu())
        logits.append(np.log(p / (1 - p)))
        losses.append(epochs["val_loss"])
    assert abs(logits[0] - logits[1]).max() > 1e-3
    np.testing.assert_allclose(np.log(probability / (1 - probability)), np.mean(logits, axis=0), atol=1e-3)
    np.testing.assert_allclose(history["val_loss"], np.mean(losses, axis=0))
