"""How far features lie from those of the training set."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from neumo.archive import Data, read_arrays
from neumo.errors import NeumoError
from neumo.features.matrix import Rows, blocks

COMPONENTS = 64
"""Directions kept, at most. Of 16, 64 and 128 of them and nearest neighbours, all told photographs and CT
slices from radiographs; 64 told negatives and turned radiographs best. See docs/foreign-images.md."""

NUMBERS = 250_000
"""Kept in all directions together, at most: half a megabyte as float16, and `COMPONENTS` of three small
networks' features. With 36 of them, fine-tuned ensembles told 93.5 to 95.5 % of negatives, with 64 96.5 to
96.7 % (validation part of the official split, two seeds)."""

PER_COMPONENT = 20
"""Training images for each direction, at least: fewer directions see less, more follow single images."""

ENOUGH = 5000
"""Images of a part that the distance is learnt from, at most; they are held in memory."""

SHARE = 0.003
"""Of the training source's radiographs lie beyond the limit. At most 1 % may; tails are hard to measure."""

DOUBT = 0.03
"""Of the training source's radiographs lie beyond `Reference.doubt`."""

TURNING = 200
"""Training images without which no picture is turned: with 70, a radiograph was taken for a negative."""

NEARER, FAR = 0.95, 1.2
"""A picture is meant to be turned where it then lies at less than this share of its distance and nearer than
this. Negatives of radiographs never came below 1.05 and 0.87, those of other pictures never below 1.25."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What the features of the training set look like, to know others by their distance.

    The squared distance is the mean of the squared leading principal components, each in units of its
    standard deviation in training (Mahalanobis), plus the squared length of what they leave over, in units
    of its mean in training. It is given as a share of the limit: beyond 1 an image is unfamiliar.

    Attributes:
        mean: float32 (d,).
        directions: principal components, float16 (k, d).
        variance: along each of them, float32 (k,).
        rest: mean square of what they leave over.
        limit: the distance that is called 1.
        doubt: distance, as a share of the limit, beyond which it is worth to look whether the image is a
            negative or stands on its head.
    """

    mean: np.ndarray
    directions: np.ndarray
    variance: np.ndarray
    rest: float
    limit: float = 1.0
    doubt: float = 1.0

    @classmethod
    def fit(cls, features: np.ndarray | Rows, held_out: np.ndarray | Rows) -> Reference:
        """Learn from the training part, and set the limit with images that were not in it.

        Both parts have their say on the limit, for a tail of a few images is a matter of luck; distances in
        training are stretched to the median of the others, as a network that was trained on these images, or
        few images, make them small. Of more than `ENOUGH` images in a part, that many are looked at.

        Args:
            features: (n, d) of the training part's own images, without generated ones.
            held_out: (m, d) of the validation part.

        Raises:
            NeumoError: the network sees the same in all images of the training part.
        """
        from sklearn.decomposition import PCA

        features, held_out = _some(features), _some(held_out)
        n, d = features.shape
        if not np.ptp(features, axis=0).any():
            raise NeumoError(f"training part: got {n:,} radiographs that all look alike, expected others")
        k = max(1, min(COMPONENTS, NUMBERS // d, n // PER_COMPONENT, d // 2))
        # a few of the leading ones; all of thousands, as of an ensemble's features, would take minutes
        solver = "arpack" if k < min(n, d) else "full"
        pca = PCA(k, svd_solver=solver, random_state=0).fit(features.astype(np.float64))
        variance = np.maximum(pca.explained_variance_, 1e-12)
        power = float(features.var(axis=0, dtype=np.float64).sum())
        rest = max(power - float(variance.sum()), 0.01 * power, 1e-12)  # float16 leaves a thousandth over
        bare = cls(
            pca.mean_.astype(np.float32),
            pca.components_.astype(np.float16),
            variance.astype(np.float32),
            rest,
        )
        own, other = bare.distance(features), bare.distance(held_out)
        every = np.concatenate([own * (np.median(other) / np.median(own)), other])
        limit = max(np.quantile(every, 1 - SHARE), np.quantile(other, 0.99))
        doubt = float(np.quantile(every, 1 - DOUBT) / limit) if n >= TURNING else np.inf
        return replace(bare, limit=float(limit), doubt=doubt)

    def distance(self, features: np.ndarray | Rows) -> np.ndarray:
        """Distance to the training set, float64 (n,), of features (n, d); beyond 1 is unfamiliar."""
        return np.concatenate([np.empty(0), *(self._distance(block) for block in blocks(features))])

    def _distance(self, features: np.ndarray) -> np.ndarray:
        centred = np.asarray(features, np.float64) - self.mean
        # one by one: as a product of matrices, threads would take longer to meet than to compute it
        along = np.vecdot(centred[:, None], self._directions)
        rest = (centred**2).sum(axis=1) - (along**2).sum(axis=1)
        square = (along**2 / self.variance).mean(axis=1) + np.maximum(rest, 0) / self.rest
        return np.sqrt(square) / self.limit

    @cached_property
    def _directions(self) -> np.ndarray:
        """As float64, (k, d): making them anew for each batch takes half as long as its distances."""
        return self.directions.astype(np.float64)

    def to_bytes(self) -> bytes:
        """As an ``.npz`` file."""
        file = io.BytesIO()
        scale = np.array([self.rest, self.limit, self.doubt])
        np.savez(file, mean=self.mean, directions=self.directions, variance=self.variance, scale=scale)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: Data) -> Reference:
        """Read what `to_bytes` gave; nothing in it is run.

        Raises:
            KeyError, ValueError: it is something else.
        """
        file = read_arrays(data)
        rest, limit, doubt = (float(value) for value in file["scale"])
        mean, directions, variance = (file[name] for name in ("mean", "directions", "variance"))
        k, d = directions.shape
        numbers = np.concatenate([mean, directions.ravel(), variance, [rest, limit]], dtype=np.float64)
        if mean.shape != (d,) or variance.shape != (k,) or not np.isfinite(numbers).all() or np.isnan(doubt):
            raise ValueError("a reference that gives no distances")
        return cls(mean, directions, variance, rest, limit, doubt)


def _some(features: np.ndarray | Rows) -> np.ndarray:
    """`ENOUGH` rows, evenly spread."""
    n = len(features)
    return features[np.linspace(0, n - 1, min(n, ENOUGH)).round().astype(int)]


def clearly_nearer(distance: np.ndarray, once_turned: np.ndarray) -> np.ndarray:
    """Whether images are meant the other way round, bool (n,).

    Args:
        distance: of each image, (n,).
        once_turned: of each image as a negative, or put on its head, (n,).
    """
    return (once_turned < NEARER * distance) & (once_turned < FAR)
