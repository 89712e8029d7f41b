"""A line for people on standard error."""

from __future__ import annotations

import re
import sys


def tell(message: str) -> None:
    """Print a message in one line, whatever is in the file names of it."""
    print("neumo: " + harmless(" ".join(message.splitlines())), file=sys.stderr)


def harmless(text: str) -> str:
    """A text with its control characters spelt out: a terminal obeys them, also those of a file's name."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda one: one[0].encode("unicode_escape").decode(), text)
