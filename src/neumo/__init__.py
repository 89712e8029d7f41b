"""neumo: from a folder of chest X-rays to a pneumonia classifier that can be trusted.

A research tool, not a medical device.
"""

from __future__ import annotations

__version__ = "0.1.0"
