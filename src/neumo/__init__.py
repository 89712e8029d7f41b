"""neumo: from a folder of chest X-rays to a pneumonia classifier that can be trusted.

A research tool, not a medical device.

Example:
    >>> import neumo
    >>> data = neumo.read("CoronaHack")
    >>> classifier = neumo.train(data, backbone="ResNet50")
    >>> classifier.predict("xray.jpg")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier, load
    from neumo.classifier.findings import Prediction
    from neumo.data.audit import Audit, audit
    from neumo.data.balance import balance
    from neumo.data.sources import read
    from neumo.data.split import split
    from neumo.data.split_file import load_split, save_split
    from neumo.data.table import Dataset
    from neumo.errors import NeumoError, UnreadableImageError
    from neumo.evaluation.metrics import Evaluation, evaluate
    from neumo.images.read import read_radiograph
    from neumo.phantom.dataset import make_phantoms
    from neumo.results.comparison import compare
    from neumo.results.results import Results
    from neumo.study.recipe import RecipeRun
    from neumo.study.study import Study
    from neumo.study.train import train

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "Classifier",
    "Dataset",
    "Evaluation",
    "NeumoError",
    "Prediction",
    "RecipeRun",
    "Results",
    "Study",
    "UnreadableImageError",
    "audit",
    "balance",
    "compare",
    "evaluate",
    "load",
    "load_split",
    "make_phantoms",
    "read",
    "read_radiograph",
    "save_split",
    "split",
    "train",
]

_HOME = {
    "neumo.classifier.classifier": ("Classifier", "load"),
    "neumo.classifier.findings": ("Prediction",),
    "neumo.data.audit": ("Audit", "audit"),
    "neumo.data.balance": ("balance",),
    "neumo.data.sources": ("read",),
    "neumo.data.split": ("split",),
    "neumo.data.split_file": ("load_split", "save_split"),
    "neumo.data.table": ("Dataset",),
    "neumo.errors": ("NeumoError", "UnreadableImageError"),
    "neumo.evaluation.metrics": ("Evaluation", "evaluate"),
    "neumo.images.read": ("read_radiograph",),
    "neumo.phantom.dataset": ("make_phantoms",),
    "neumo.results.comparison": ("compare",),
    "neumo.results.results": ("Results",),
    "neumo.study.recipe": ("RecipeRun",),
    "neumo.study.study": ("Study",),
    "neumo.study.train": ("train",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that ``import neumo`` costs nothing."""
    if name not in _MODULE:
        raise AttributeError(f"module 'neumo' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
