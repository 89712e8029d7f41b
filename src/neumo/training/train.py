"""The networks that a recipe trains on one division of the radiographs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from neumo.backend import keras
from neumo.data.resemblance import overlap_weights
from neumo.features.backbones import Backbone
from neumo.features.extract import extract
from neumo.features.gpu import enough_memory
from neumo.training.ensemble import Member, averaged, teach
from neumo.training.finetune import cut, fine_tune, tuned_folder
from neumo.training.head import fit_head
from neumo.training.maps import FreshMaps, Maps, kept_maps, kept_pixels
from neumo.training.recipes import Recipe
from neumo.training.steps import step

History = dict[str, list[float]]
"""Of each epoch, see `neumo.training.finetune.fine_tune`."""


@enough_memory()
def train_networks(
    recipe: Recipe, backbones: Sequence[Backbone], rows: pd.DataFrame, seed: int
) -> tuple[keras.Model, keras.Model, History]:
    """Train all that a recipe asks for, and make one network of them.

    What is trained is kept in the cache folder after each epoch; equal arguments find it there.

    Args:
        recipe: how.
        backbones: what is trained; `recipe.members` of each.
        rows: columns path, sha256, label and part, which is "train", "validation" or another. Nothing is
            fitted to other parts, but what the frozen lower part of a network makes of them is computed, too:
            another division of the same rows then finds it.
        seed: of initial weights, order, views and dropout; members have numbers of their own.

    Returns:
        Base, scaled grey levels (n, height, width, 3) to features (n, d); head, (n, d) to (n, 1); and what
        each epoch gave, mean over the members.

    Raises:
        UnreadableImageError: an image cannot be read.
        NeumoError: the memory of the GPU is full; epochs that were done are kept.
    """
    if recipe.matched:
        own = rows[rows["part"] == "train"]
        rows = rows.assign(weight=pd.Series(overlap_weights(own), own.index))
    trained = [
        _tuned(backbone, recipe, rows, 1000 * seed + member)
        for backbone in backbones
        for member in range(recipe.members)
    ]
    if recipe.distilled:
        train = np.flatnonzero(rows["part"] == "train")
        taught = teach([member for member, _ in trained], train, recipe.trainable_fraction)
        trained = [_tuned(backbones[0], recipe, rows, 1000 * seed + 999, taught)]
    histories = [history for _, history in trained]
    history = {name: np.mean([one[name] for one in histories], axis=0).tolist() for name in histories[0]}
    return *averaged([member for member, _ in trained], recipe.tta_shift), history


def _tuned(
    backbone: Backbone,
    recipe: Recipe,
    rows: pd.DataFrame,
    seed: int,
    taught: np.ndarray | None = None,
) -> tuple[Member, History]:
    """One network: its output layer on the frozen backbone first, then both."""
    x = extract(rows, backbone, backbone.scaling)
    y, part = rows["label"].to_numpy(), rows["part"].to_numpy()
    train, validation = part == "train", part == "validation"
    head = fit_head(
        step("normalised"), x[train], y[train], x[validation], y[validation], seed=seed, epochs=5
    ).model
    base = backbone.build()
    maps = _maps(backbone, base, recipe, rows)
    history = fine_tune(
        base,
        head,
        maps,
        rows,
        recipe,
        seed=seed,
        kept=tuned_folder(),
        network_id=f"{backbone.name} {backbone.weights_id}",
        taught=taught,
    )
    return Member(base, head, backbone.scaling, maps), history


def _maps(backbone: Backbone, base: keras.Model, recipe: Recipe, rows: pd.DataFrame) -> Maps:
    """Of all radiographs; nothing is fitted to them."""
    lower, _ = cut(base, recipe.trainable_fraction)
    if len(lower.layers) == 1:
        again = recipe.views < recipe.epochs  # each is seen more than once, so keeping it pays
        return (kept_pixels if again else FreshMaps)(
            rows, backbone.scaling, recipe.augmentation, recipe.views
        )
    identity = f"{backbone.name} {backbone.weights_id} up to {lower.layers[-1].name}"
    return kept_maps(rows, lower, identity, backbone.scaling, recipe.augmentation, recipe.views)
