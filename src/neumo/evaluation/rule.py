"""How an operating point was chosen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

By = Literal["default", "threshold", "sensitivity", "balanced"]


@dataclass(frozen=True)
class Rule:
    """How a threshold was chosen, to be told in any language; `str` tells it in English.

    Attributes:
        by: "default" (0.5), "threshold" (asked for), "sensitivity" (the highest threshold that reaches it) or
            "balanced" (best sensitivity and specificity together).
        value: the threshold, or the sensitivity to reach; None of "balanced".
        hard: whether it was chosen on the part of `neumo.data.hard_validation.with_hard_validation`.
        changes: on how many changed images of each radiograph, beside the radiograph.
        reach: up to how many times as far as in training these were changed.
        matched: whether these were drawn so that how they were stretched does not tell the classes apart.
    """

    by: By
    value: float | None = None
    hard: bool = False
    changes: int = 0
    matched: bool = False
    reach: int = 1

    def __str__(self) -> str:
        if self.by == "default":
            return f"{self.value}, the default"
        if self.by == "threshold":
            return f"{self.value}, as asked for"
        part = "hard validation part" if self.hard else "validation part"
        said = f"best sensitivity and specificity together on the {part}"
        if self.by == "sensitivity":
            said = f"the highest that finds {self.value:.4g} of the {part}'s pneumonias"
        if self.changes:
            said += f", as it is and changed in {self.changes} ways"
        if self.reach > 1:
            said += f", up to {self.reach} times as far as in training"
        return said + (", drawn so that stretch does not tell the classes apart" if self.matched else "")


def read_rule(stored: object) -> Rule | None:
    """The rule as a card or a run's results hold it: its fields by name, or, of an older neumo, its sentence.

    Returns:
        None where it is neither, as in a card that somebody else wrote.
    """
    if isinstance(stored, str):
        return _of_sentence(stored)
    if not isinstance(stored, dict):
        return None
    try:
        rule = Rule(**stored)
        numbers = rule.changes if rule.by == "balanced" else rule.value, rule.changes, rule.reach
        known = rule.by in get_args(By) and all(isinstance(number, int | float) for number in numbers)
    except TypeError:
        return None
    return rule if known else None


def in_words(stored: Any) -> str:
    """What a card or a run's results say of it, in English."""
    return str(read_rule(stored) or stored)


_SENTENCE = re.compile(
    r"(?P<default>0\.5), the default|(?P<threshold>[\d.e-]{1,24}), as asked for|"
    r"(?:the highest that finds (?P<sensitivity>[\d.e-]{1,12}) of|(?P<balanced>best .+? together on)) the "
    r"(?P<hard>hard )?validation part(?:'s pneumonias)?"
    r"(?:, as it is and changed in (?P<changes>\d{1,4}) ways"
    r"(?:, up to (?P<reach>\d{1,2}) times as far as in training)?)?"
    r"(?P<matched>, drawn .+)?"
)


def _of_sentence(sentence: str) -> Rule | None:
    """The rule that is told by this sentence."""
    if not (found := _SENTENCE.fullmatch(sentence)):
        return None
    by: By = next(by for by in get_args(By) if found[by])
    try:
        value = None if by == "balanced" else float(found[by])
    except ValueError:
        return None
    reach = int(found["reach"] or 1)
    rule = Rule(by, value, bool(found["hard"]), int(found["changes"] or 0), bool(found["matched"]), reach)
    return rule if str(rule) == sentence else None
