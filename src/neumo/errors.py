"""What a user is told when the input is bad."""

from __future__ import annotations

import os
from collections.abc import Callable
from numbers import Integral, Real
from pathlib import Path
from typing import Any


class NeumoError(Exception):
    """Input that neumo cannot work with, told in one line.

    The message says which file (or row, or option) it is about, what was got and what was expected.
    The command line prints it as ``neumo: <message>`` and ends with exit code 2.
    """


class TooFewImagesError(NeumoError):
    """A data set that cannot be divided at the shares that were asked for."""


def told(value: object) -> str:
    """What an argument was given, on one line: a number, a text or a path as it is, all else by its type."""
    if isinstance(value, str | os.PathLike):
        return repr(os.fspath(value))
    return str(value) if value is None or isinstance(value, Real) else f"a {type(value).__name__}"


def as_number(name: str, value: object, right: Callable[[Any], bool], expected: str) -> int | float:
    """An argument that must be a number, as Python's own: of NumPy's, JSON knows none.

    Raises:
        NeumoError: it is none, or not `right`.
    """
    if not isinstance(value, Real) or not right(value):
        raise NeumoError(f"{name}: got {told(value)}, expected {expected}")
    return int(value) if isinstance(value, Integral) else float(value)


def as_whole(name: str, value: object, least: int) -> int:
    """An argument that must be a whole number of at least so much, as Python's own.

    Raises:
        NeumoError: it is not.
    """
    right = isinstance(value, Integral) and int(value) >= least
    return int(as_number(name, value, lambda _: right, f"{least} or more, whole"))


LONGEST = 120
"""Characters of what a decoder says: some quote a whole table."""


class UnreadableImageError(NeumoError):
    """A file that cannot be used as a radiograph.

    Args:
        path: the file, or what a file in memory is called.
        got: what it turned out to be, for example ``"a truncated JPEG"``.
        expected: what would have been right, for example ``"a complete JPEG"``.
        detail: what a decoder said of it, cut to `LONGEST` characters. It may quote the file's header, so it
            is not for everyone to see.
    """

    def __init__(self, path: str | Path, got: str, expected: str, detail: str = "") -> None:
        detail = " ".join(detail.split())
        if len(detail) > LONGEST:
            detail = detail[: LONGEST - 3] + "..."
        super().__init__(f"{path}: got {got}{f' ({detail})' if detail else ''}, expected {expected}")
        self.path = Path(path)
        self.got = got
        self.expected = expected
        self.detail = detail

    def __reduce__(self) -> tuple[type[UnreadableImageError], tuple[str, str, str, str]]:
        return type(self), (str(self.path), self.got, self.expected, self.detail)
