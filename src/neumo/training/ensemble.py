"""Several trained networks as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neumo.backend import keras
from neumo.features.pytorch import forward
from neumo.features.scaling import Scaling
from neumo.progress import advance
from neumo.training.finetune import cut
from neumo.training.maps import Maps


@dataclass(frozen=True)
class Member:
    """A network that was fine-tuned.

    Attributes:
        base: scaled grey levels (n, height, width, 3) to features (n, d).
        head: (n, d) to (n, 1); one Dense(1, sigmoid).
        scaling: what `base` expects of grey levels.
        maps: what `base` was tuned on, see `neumo.training.finetune.fine_tune`.
    """

    base: keras.Model
    head: keras.Model
    scaling: Scaling
    maps: Maps


def averaged(members: list[Member], tta_shift: int = 0) -> tuple[keras.Model, keras.Model]:
    """One network of all, on the image as it is and moved sideways: features side by side, mean of logits.

    Args:
        members: one or more.
        tta_shift: pixels that the image is also moved to either side; 0 for none.

    Returns:
        Base and head; what goes into the base is scaled as the first member's input is.
    """
    first = members[0]
    if len(members) == 1 and not tta_shift:
        return first.base, first.head
    pixels = keras.Input(first.base.input_shape[1:])
    named = [
        keras.Model(member.base.input, member.base.output, name=f"member_{i}")
        for i, member in enumerate(members)
    ]
    moved = [pixels, *(_moved(pixels, shift) for shift in (-tta_shift, tta_shift) if shift)]
    features = [
        base(_scaled(image, first.scaling, member.scaling))
        for image in moved
        for base, member in zip(named, members, strict=True)
    ]
    joined = keras.layers.Concatenate(name="members")(features)
    kernels, biases = zip(*(member.head.layers[-1].get_weights() for member in members), strict=True)
    output = keras.layers.Dense(1, activation="sigmoid", name="probability")
    head = keras.Sequential([keras.Input((joined.shape[-1],), name="features"), output], name="head")
    output.set_weights([np.concatenate(kernels * len(moved)) / len(features), np.mean(biases, axis=0)])
    return keras.Model(pixels, joined, name="ensemble"), head


def teach(members: list[Member], rows: np.ndarray, trainable_fraction: float) -> np.ndarray:
    """What members say together of each changed image: the mean of their logits as a probability.

    Args:
        members: tuned on maps of the same changed images.
        rows: which radiographs, by number.
        trainable_fraction: as in the recipe.

    Returns:
        Float32 (views, len(rows) or more), NaN for rows that were not asked for.
    """
    views = len(members[0].maps)
    uppers = [forward(cut(member.base, trainable_fraction)[1]) for member in members]
    outputs = [[variable.value for variable in member.head.layers[-1].weights] for member in members]
    said = np.full((views, rows.max() + 1), np.nan, np.float32)
    with torch.inference_mode(), advance("Asking the members", views * len(rows)) as bar:
        for view in range(views):
            for start in range(0, len(rows), 64):
                row = rows[start : start + 64]
                logits = []
                for member, upper, (kernel, bias) in zip(members, uppers, outputs, strict=True):
                    logits.append(upper(member.maps.tensor(view, row, kernel.device)) @ kernel + bias)
                said[view, row] = torch.stack(logits).mean(0).sigmoid()[:, 0].cpu().numpy()
                bar.step(len(row))
    return said


def _scaled(pixels: Any, given: Scaling, wanted: Scaling) -> Any:
    """Pixels that were scaled one way as another network expects them."""
    if given == wanted:
        return pixels
    (mean, std), (other_mean, other_std) = given.channels.astype(float), wanted.channels.astype(float)
    change = keras.layers.Normalization(mean=(other_mean - mean) / std, variance=(other_std / std) ** 2)
    return change(pixels)


def _moved(pixels: Any, shift: int) -> Any:
    """Pixels moved to the right, or left where `shift` is negative.

    What is 0 to the network comes in from the side: mid grey, or black where it scales pixels itself.
    """
    before, after = max(shift, 0), max(-shift, 0)
    padded = keras.layers.ZeroPadding2D(((0, 0), (before, after)))(pixels)
    return keras.layers.Cropping2D(((0, 0), (after, before)))(padded)
