"""What a data set calls its classes -> normal or pneumonia."""

from __future__ import annotations

import re
from collections.abc import Iterable

from neumo.data.table import NORMAL, PNEUMONIA, UNLABELLED
from neumo.errors import NeumoError

_NEGATIVE = {
    "normal",
    "healthy",
    "negative",
    "no finding",
    "no findings",
    "nofinding",
    "no pneumonia",
    "none",
}
_NEGATIVE |= {"control", "controls", "false", "no", "0", "n"}
_BARE = {"1", "true", "yes", "y", "positive"}
_POSITIVE = _BARE | {"pneumonia", "pnemonia", "bacteria", "virus", "abnormal"}


def plain(name: str) -> str:
    """A class name in lower case with single spaces; ``"1.0"`` becomes ``"1"``."""
    name = " ".join(re.split(r"[\s_-]+", name.strip().lower()))
    return re.sub(r"^(\d+)\.0+$", r"\1", name)


def is_known(name: str) -> bool:
    """Whether a class is called what data sets call their normal class or pneumonia."""
    return plain(name) in _NEGATIVE | _POSITIVE


def assign(
    names: Iterable[str], positive: Iterable[str] | None, where: str
) -> tuple[dict[str, int], list[str]]:
    """Class name -> 0 normal or 1 pneumonia; and what makes that impossible, one line each.

    With `positive` the classes of these names are positive, all others negative. Without, classes called
    normal, healthy, negative, no finding, control, 0 ... are negative, all others positive. Several classes
    with neither a normal one nor `positive` to tell them apart get -1.

    Args:
        names: the classes that occur.
        positive: names of positive classes, in any case.
        where: what a message is about, for example the folder.

    Raises:
        NeumoError: a name in `positive` does not occur.
    """
    names = sorted(set(names))
    wanted = [positive] if isinstance(positive, str) else list(positive or ())
    if wanted:
        chosen = {plain(name) for name in wanted}
        label = {n: PNEUMONIA if chosen & {plain(part) for part in n.split("|")} else NORMAL for n in names}
        for name in wanted:
            if not any(plain(name) in map(plain, n.split("|")) for n in names):
                raise NeumoError(
                    f"{where}: got no class {name!r} (--positive), expected one of {quoted(names)}"
                )
        return label, []
    label = {n: NORMAL if plain(n) in _NEGATIVE else PNEUMONIA for n in names}
    if len(names) > 1 and NORMAL not in label.values():
        return dict.fromkeys(names, UNLABELLED), [
            f"{where}: got the classes {quoted(names)}, expected one called normal or healthy; "
            "say which are positive with --positive NAME"
        ]
    return label, []


def cause_from(name: str) -> str:
    """The cause that a positive class is named for, in lower case; "unknown" for a bare yes or 1."""
    return "unknown" if plain(name) in _BARE else name.strip().lower()


def together(names: Iterable[str], otherwise: str) -> str:
    """One name for all the classes of a label, for reports."""
    found = sorted({name.strip().lower() for name in names if plain(name) not in {"0", "1"}})
    return " or ".join(found) if 0 < len(found) <= 3 else otherwise


def quoted(names: Iterable[str], most: int = 12) -> str:
    """Names for a message: ``'a', 'b' ... (20 in all)``."""
    names = [str(name) for name in names]
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" ... ({len(names)} in all)" if len(names) > most else "")
