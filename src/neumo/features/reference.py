"""How far features lie from those of the training set."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

COMPONENTS = 64
"""Directions kept; with float16 they fill a quarter of a megabyte for 2,048 features."""

SHARE = 0.005
"""Of the held-out radiographs lie outside the limit: half of the promised 1 %, as margin."""

NEARER = 0.8
"""Of an image's distance: a negative nearer than that is what the image should have been."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What the features of the training set look like, to know others by their distance.

    The distance is Mahalanobis', in the leading principal components, joined with the length of what they
    leave over, in units of that length in training. It is given as a share of the limit: above 1 an image is
    flagged.

    Attributes:
        mean: float32 (d,).
        directions: float16 (k, d), each principal component divided by its standard deviation.
        rest: mean square of what the components leave over, of a training image.
        limit: the distance that is called 1.
    """

    mean: np.ndarray
    directions: np.ndarray
    rest: float
    limit: float = 1.0

    @classmethod
    def fit(cls, features: np.ndarray, held_out: np.ndarray | None = None) -> Reference:
        """Learn from the training part, and set the limit on images that were not in it.

        Args:
            features: (n, d) of the training part's own images, without generated ones.
            held_out: (m, d) of the validation part; by default a fifth of `features` is kept back for it.
        """
        features = np.asarray(features, np.float64)
        if held_out is None:
            aside = np.random.default_rng(0).permutation(len(features)) < len(features) // 5
            features, held_out = (features[~aside], features[aside]) if aside.any() else (features, features)
        mean = features.mean(axis=0)
        _, spread, components = np.linalg.svd(features - mean, full_matrices=False)
        k = int(min(COMPONENTS, len(features) - 1, (spread > 1e-6 * spread[0]).sum()))
        deviation = spread[:k] / np.sqrt(len(features))
        rest = float((spread[k:] ** 2).sum() / len(features))
        directions = (components[:k] / deviation[:, None]).astype(np.float16)
        unscaled = cls(mean.astype(np.float32), directions, max(rest, 1e-12))
        return cls(
            unscaled.mean,
            directions,
            unscaled.rest,
            limit=float(np.quantile(unscaled.distance(held_out), 1 - SHARE)),
        )

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Distance to the training set, float64 (n,), of features (n, d); above 1 is unfamiliar."""
        centred = np.asarray(features, np.float64) - self.mean
        directions = self.directions.astype(np.float64)
        whitened = centred @ directions.T
        lengths = (directions**2).sum(axis=1)  # 1 / variance
        rest = (centred**2).sum(axis=1) - (whitened**2 / lengths).sum(axis=1)
        k = len(directions)
        square = (whitened**2).sum(axis=1) / max(k, 1) + np.maximum(rest, 0) / self.rest
        return np.sqrt(square) / self.limit

    def to_bytes(self) -> bytes:
        """As an ``.npz`` file."""
        file = io.BytesIO()
        np.savez(file, mean=self.mean, directions=self.directions, scale=[self.rest, self.limit])
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Reference:
        """Read what `to_bytes` gave; nothing in it is run.

        Raises:
            KeyError, ValueError: it is something else.
        """
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            rest, limit = (float(value) for value in file["scale"])
            return cls(file["mean"], file["directions"], rest, limit)


def is_negative(distance: np.ndarray, of_negative: np.ndarray) -> np.ndarray:
    """Whether images, bool (n,), are negatives: unfamiliar, while their own negative is clearly nearer.

    Args:
        distance: of each image, (n,).
        of_negative: of each image with its grey levels turned around, (n,).
    """
    return (distance > 1) & (of_negative < NEARER * distance)
