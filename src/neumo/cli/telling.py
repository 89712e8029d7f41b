"""A line for people on standard error."""

from __future__ import annotations

import sys


def tell(message: str) -> None:
    """Print a message in one line, whatever is in the file names of it."""
    print("neumo: " + " ".join(message.splitlines()), file=sys.stderr)
