"""Keras, on the backend that neumo trains with.

Keras picks its backend when it is first imported. neumo's training code is written for PyTorch, which it
installs; a user who has set ``KERAS_BACKEND`` keeps their choice. Import Keras from here and nowhere else::

    from neumo.backend import keras
"""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras

__all__ = ["keras"]
