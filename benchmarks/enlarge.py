"""Files of a detector's size, made of small real radiographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

GRAIN = 3.0
"""Grey levels, standard deviation: with it a JPEG of 1,500 x 1,100 at quality 90 has about 250 KB."""

BILINEAR, BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC


def small_files(data: Path, n: int) -> list[Path]:
    """`n` of the JPEG files below a folder, spread over all of them."""
    files = sorted(file for file in data.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg"))
    return [files[i * len(files) // n] for i in range(n)]


def enlarge(file: Path, width: int, height: int, seed: int, grain: float = GRAIN) -> Image.Image:
    """A radiograph enlarged so that shrinking it gives the small one back, with the grain of a detector.

    Back-projection (Irani and Peleg 1991): what shrinking lacks of the small picture is enlarged and added,
    four times. Enlarging alone would blur it twice, and no network has seen such pictures.
    """
    small = Image.open(file).convert("L").convert("F")
    large = np.zeros((height, width), np.float32)
    for _ in range(5):
        again = Image.fromarray(large).resize(small.size, BILINEAR)
        lacking = Image.fromarray(np.asarray(small) - np.asarray(again))
        large += np.asarray(lacking.resize((width, height), BICUBIC))
    large += np.random.default_rng(seed).normal(0, grain, large.shape)
    return Image.fromarray(np.clip(np.rint(large), 0, 255).astype(np.uint8))
