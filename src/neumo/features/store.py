"""Features of radiographs, kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neumo.files import cache_folder
from neumo.store import Store


class FeatureStore(Store[np.ndarray]):
    """A `Store` of vectors, float32 (d,) each.

    Args:
        path: the file; ``features.sqlite`` in the cache folder if not given.

    Example:
        >>> with FeatureStore() as store:
        ...     store.put_many({"backbone": "ResNet50"}, {"5e88": np.ones(2048, np.float32)})
        ...     list(store.get_many({"backbone": "ResNet50"}, ["5e88", "unknown"]))
        ['5e88']
    """

    def __init__(self, path: str | Path | None = None) -> None:
        super().__init__(
            path or cache_folder() / "features.sqlite",
            encode=lambda vector: np.asarray(vector, np.float32).tobytes(),
            decode=lambda data: np.frombuffer(data, np.float32),
        )
