"""How a radiograph was exposed, framed and resampled, in a few numbers."""

from __future__ import annotations

import numpy as np

EXPOSURE = {
    "brightness": "mean grey level",
    "contrast": "standard deviation of the grey levels",
    "black": "share of black pixels (grey level 8 or less)",
    "white": "share of white pixels (grey level 247 or more)",
    "border": "mean grey level of the outermost twentieth on each side",
    "sharpness": "mean difference of neighbouring grey levels",
}
"""Every number by name, with what it is; grey levels run from 0 to 255."""

EDGE = 20  # a side is so many times as long as its border is wide


def exposure(pixels: np.ndarray) -> dict[str, float]:
    """The numbers of `EXPOSURE`.

    Args:
        pixels: grey levels, uint8 (height, width).
    """
    grey = pixels.astype(np.float32)
    high, wide = (side // EDGE for side in grey.shape)
    inner = grey[high : len(grey) - high, wide : grey.shape[1] - wide]
    border = (grey.sum(dtype=np.float64) - inner.sum(dtype=np.float64)) / (grey.size - inner.size)
    steps = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
    return {
        "brightness": float(grey.mean()),
        "contrast": float(grey.std()),
        "black": float((pixels <= 8).mean()),
        "white": float((pixels >= 247).mean()),
        "border": float(border),
        "sharpness": float(steps / 2),
    }
