"""What numbers may depend on besides data and settings."""

from __future__ import annotations

import importlib.metadata
import platform
from functools import cache

from neumo.backend import keras
from neumo.features.gpu import resolve_for_many


@cache
def versions() -> dict[str, str]:
    """Of neumo, Python and the libraries that compute."""
    names = ("neumo", "keras", "torch", "openvino", "numpy", "pandas", "scikit-learn", "pillow")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}


def environment(precision: str = "auto") -> dict[str, str]:
    """Versions, platform, Keras' backend and the precision of features that a wish stands for."""
    resolved = resolve_for_many(precision)
    return {
        **versions(),
        "platform": platform.platform(),
        "keras backend": keras.backend.backend(),
        "precision": {"auto": "bf16 or f32, by network"}.get(resolved, resolved),
    }
