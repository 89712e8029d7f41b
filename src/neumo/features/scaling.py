"""How grey levels become a backbone's input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Scaling:
    """Grey levels fed as three channels: channel c is ``(grey - mean[c]) / std[c]``.

    Channels are those of the network's input; one that was trained on BGR images has them in that order.

    Attributes:
        mean: grey level (0 to 255) that becomes 0; one number, or one per channel.
        std: grey levels that become 1; one number, or one per channel.

    Raises:
        ValueError: a std that is not positive.

    Example:
        >>> Scaling(mean=122, std=60)(np.full((1, 224, 224), 182, np.uint8))[0, 0, 0]
        array([1., 1., 1.], dtype=float32)
    """

    mean: float | Channels = 0.0
    std: float | Channels = 1.0

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = tuple(np.broadcast_to(np.asarray(getattr(self, name), float), 3).tolist())
            object.__setattr__(self, name, values[0] if len(set(values)) == 1 else values)
        if not np.greater(self.std, 0).all():
            raise ValueError(f"std: got {self.std}, expected more than 0")

    @property
    def channels(self) -> np.ndarray:
        """Float32 (2, 3): mean and std of each channel."""
        return np.stack([np.broadcast_to(np.asarray(part, np.float32), 3) for part in (self.mean, self.std)])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """A backbone's input, float32 (n, height, width, 3), from grey levels, (n, height, width)."""
        mean, std = self.channels
        return (pixels[..., None].astype(np.float32) - mean) / std


RAW = Scaling()
