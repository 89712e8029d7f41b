from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import neumo
from neumo.data.split import split
from neumo.features.backbones import backbone
from neumo.training import train
from neumo.training.recipes import RECIPES
from neumo.training.train import train_networks

PAIR = dataclasses.replace(RECIPES[0], members=2, epochs=1, views=1, trainable_fraction=0.2)


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
