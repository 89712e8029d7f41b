"""What the radiographs that a classifier was made from look like, in numbers."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neumo.archive import Data, read_arrays
from neumo.images.exposure import EXPOSURE

if TYPE_CHECKING:
    import pandas as pd

LEVELS = np.linspace(0, 1, 101)
PIXELS = (*EXPOSURE, "width", "height")
ANSWERS = ("distance", "probability")
_BYTES = 8  # of a SHA-256: among a million images two differ in them all but once in thirty million tries


@dataclass(frozen=True, eq=False)
class Origin:
    """Distributions of the radiographs that a classifier was made from, and hashes to know them again.

    A hash tells that a radiograph was among them; of what it shows, a perceptual hash keeps the signs of its
    256 coarsest waves.

    Attributes:
        quantiles: name -> float32 (2, 101), by class, normal first, the percentiles of that number: of
            `PIXELS` over the training part, of `ANSWERS` over the validation part, which was held out.
        counts: name -> int (2,), over how many images.
        contents: sorted uint64 (n,), the first bytes of each file's SHA-256; training and validation part.
        pictures: uint64 (m, 4), perceptual hashes as `neumo.data.inspections.inspect_images` takes them.
    """

    quantiles: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]
    contents: np.ndarray
    pictures: np.ndarray

    @classmethod
    def of(cls, rows: pd.DataFrame, distance: np.ndarray, probability: np.ndarray) -> Origin:
        """Describe what a classifier was made from.

        Args:
            rows: columns path, sha256, label and part; generated images and the test part are not looked at.
            distance: of each row of the validation part, in order, to the training part, (v,).
            probability: likewise, what the classifier says, (v,).
        """
        import pandas as pd

        from neumo.data.inspections import inspect_images

        own = rows[rows["part"].isin(("train", "validation"))]
        own = own[own["copy"] == 0] if "copy" in own else own
        seen = inspect_images(own)
        train, held_out = own["part"] == "train", own["part"] == "validation"
        answers = pd.DataFrame({"distance": distance, "probability": probability}, own.index[held_out])
        quantiles, counts = {}, {}
        for names, table, part in ((PIXELS, seen, train), (ANSWERS, answers, held_out)):
            labels = own["label"][part].to_numpy()
            for name in names:
                values = table.loc[own.index[part], name].to_numpy(np.float64)
                of_class = [values[labels == label] for label in (0, 1)]
                counts[name] = np.array([len(one) for one in of_class])
                quantiles[name] = np.array([np.quantile(one, LEVELS) for one in of_class], np.float32)
        return cls(quantiles, counts, np.unique(_contents(own["sha256"])), np.unique(_pictures(seen), axis=0))

    @property
    def prevalence(self) -> float:
        """Share of the training part that has pneumonia."""
        normal, pneumonia = self.counts["brightness"]
        return float(pneumonia / (normal + pneumonia))

    def has(self, table: pd.DataFrame, seen: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Which images it was made from: bool (n,) by their bytes; by their bytes or as the same picture.

        Args:
            table: column sha256.
            seen: of the same images, as from `neumo.data.inspections.inspect_images`.
        """
        from neumo.data.duplicates import NEAR, close_pairs

        same = np.isin(_contents(table["sha256"]), self.contents)
        usable, known = _usable(seen), len(self.pictures)
        hashes, where = np.unique(_pictures(seen), axis=0, return_inverse=True)
        pairs = close_pairs(np.concatenate([self.pictures, hashes]), NEAR)
        pairs = pairs[(pairs[:, 0] < known) & (pairs[:, 1] >= known)]
        alike = same.copy()
        alike[usable] |= np.isin(where.ravel(), pairs[:, 1] - known)
        return same, alike

    def to_bytes(self) -> bytes:
        """As an ``.npz`` file."""
        file = io.BytesIO()
        names = list(self.quantiles)
        np.savez_compressed(
            file,
            names=np.array(names),
            quantiles=np.stack([self.quantiles[name] for name in names]),
            counts=np.stack([self.counts[name] for name in names]),
            contents=self.contents,
            pictures=self.pictures,
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: Data) -> Origin:
        """Read what `to_bytes` gave; nothing in it is run.

        Raises:
            KeyError, ValueError: it is something else.
        """
        file = read_arrays(data)
        names = file["names"].tolist()
        quantiles, counts = (dict(zip(names, file[of], strict=True)) for of in ("quantiles", "counts"))
        return cls(quantiles, counts, file["contents"], file["pictures"])


def _contents(sha256: pd.Series) -> np.ndarray:
    return np.array([int(one[: 2 * _BYTES], 16) for one in sha256], np.uint64)


def _usable(seen: pd.DataFrame) -> np.ndarray:
    """Bool (n,): images whose perceptual hash says something."""
    blank = seen["problems"].map(lambda problems: "blank" in problems)
    return ((seen["phash"] != b"") & ~blank).to_numpy(bool)


def _pictures(seen: pd.DataFrame) -> np.ndarray:
    return np.frombuffer(b"".join(seen["phash"][_usable(seen)]), np.uint64).reshape(-1, 4)
