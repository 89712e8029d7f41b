"""How a radiograph was stretched and resampled, in a few numbers."""

from __future__ import annotations

import numpy as np

STRETCH = {
    "stretch": "logarithm of horizontal over vertical steps; high where a wide picture was made square",
    "horizontal": "mean difference of grey levels that are horizontal neighbours",
    "vertical": "mean difference of grey levels that are vertical neighbours",
    "detail": "mean absolute Laplacian of the grey levels: high where a large, sharp picture was shrunk",
    "fineness": "detail over the standard deviation of the grey levels",
}
"""Every number by name, with what it is. None needs to know what the picture shows."""


def stretch(pixels: np.ndarray) -> np.ndarray:
    """The numbers of `STRETCH`, in that order.

    Args:
        pixels: grey levels, uint8 (height, width), both at least 3.

    Returns:
        Float64 (5,); finite for an even picture, too.
    """
    grey = pixels.astype(np.float32)
    horizontal = float(np.abs(np.diff(grey, axis=1)).mean())
    vertical = float(np.abs(np.diff(grey, axis=0)).mean())
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    detail = float(np.abs(4 * grey[1:-1, 1:-1] - around).mean())
    least = 0.1  # grey levels: below it a picture is even and its ratios would be noise
    return np.array(
        [
            np.log(max(horizontal, least) / max(vertical, least)),
            horizontal,
            vertical,
            detail,
            detail / max(float(grey.std()), least),
        ]
    )
