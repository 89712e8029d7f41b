"""Small pictures for data sets that tests make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def draw(path: Path, seed: int = 0, size: int = 128) -> Path:
    """Write a grey picture of smooth blobs, another one for every seed, in the format of the suffix."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC).save(path)
    return path
