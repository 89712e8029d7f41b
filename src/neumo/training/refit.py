"""The output layer, fitted once more to radiographs as they are."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit

from neumo.features.pytorch import forward
from neumo.training.ensemble import Member
from neumo.training.finetune import cut

DECAY = 0.03
"""Of weights for features with a standard deviation of 1; see docs/recipes.md for how it was chosen."""

BATCH_SIZE = 64


def refit(member: Member, rows: np.ndarray, wanted: ArrayLike, trainable_fraction: float) -> None:
    """Fit the output layer of a tuned network to images that are not changed, in place.

    Training changes most images that it shows, and a classifier meets them as they are. The features stay
    those that changed images taught; the output layer is fitted to what they are of unchanged ones (as
    Touvron et al. 2019, arXiv:1906.06423, section 3, and He et al. 2019, arXiv:1909.09148, do in the last
    epochs), and the classes count alike in it (Kang et al. 2020, arXiv:1910.09217, section 4.2).

    Args:
        member: its `head` is changed.
        rows: of its maps; the training part.
        wanted: (len(rows),) labels, or probabilities of pneumonia.
        trainable_fraction: as in the recipe.
    """
    kernel, bias = fitted(_features(member, rows, trainable_fraction), np.asarray(wanted, np.float64))
    member.head.layers[-1].set_weights([kernel[:, None].astype(np.float32), np.array([bias], np.float32)])


def fitted(features: np.ndarray, wanted: np.ndarray, decay: float = DECAY) -> tuple[np.ndarray, float]:
    """Logistic regression, classes balanced, with weight decay for standardised features.

    Args:
        features: (n, d).
        wanted: (n,) from 0 to 1, not all the same.
        decay: half the square of a weight costs so much.

    Returns:
        (kernel, bias): (d,) and one number; logits are ``features @ kernel + bias``.
    """
    mean, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1.0
    x = ((features - mean) / spread).astype(np.float32)
    pneumonia, normal = wanted / wanted.sum() / 2, (1 - wanted) / (1 - wanted).sum() / 2

    def surprise(weights: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = weights[:-1], weights[-1]
        logits = x @ kernel.astype(np.float32) + bias
        value = pneumonia @ np.logaddexp(0, -logits) + normal @ np.logaddexp(0, logits)
        value += decay / 2 * kernel @ kernel
        off = (pneumonia + normal) * expit(logits) - pneumonia
        return float(value), np.append(off.astype(np.float32) @ x + decay * kernel, off.sum())

    found = minimize(surprise, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    kernel = found[:-1] / spread
    return kernel, float(found[-1] - mean @ kernel)


def _features(member: Member, rows: np.ndarray, trainable_fraction: float) -> np.ndarray:
    """Of images as they are: (len(rows), d)."""
    upper = forward(cut(member.base, trainable_fraction)[1])
    device = member.head.layers[-1].weights[0].value.device
    as_they_are = np.zeros(len(rows), np.int64)
    with torch.inference_mode():
        found = [upper(x).cpu() for x in member.maps.tensors(as_they_are, rows, BATCH_SIZE, device)]
    return torch.cat(found).numpy()
