"""Pages from templates, with numbers as people read them."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import jinja2

from neumo.classifier.findings import chance, operating_point, percent
from neumo.evaluation.rule import in_words


def render(template: str, **values: Any) -> str:
    """A page that loads nothing else, from a template of this package; values are escaped.

    Args:
        template: name of a file in ``templates/``.
        values: what it shows; a name that it uses and that is not among them is an error.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("neumo.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    filters = (
        three,
        chance,
        operating_point,
        signed,
        p_value,
        whole,
        or_none,
        per_hundred,
        percent,
        took,
        file_name,
        capital,
        in_words,
    )
    environment.filters |= {one.__name__: one for one in filters}
    return environment


def three(value: float | None) -> str:
    """A number with three decimals, a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}".replace("-", "−")


def signed(value: float | None) -> str:
    """A difference with three decimals and its sign, a dash where there is none."""
    return three(value) if value is None or math.isnan(value) or value < 0 else f"+{value:.3f}"


def p_value(value: float | None) -> str:
    """A p value with three decimals; below that, only that it is."""
    return "< 0.001" if value is not None and value < 0.001 else three(value)


def whole(value: int) -> str:
    """A count with its thousands set off."""
    return f"{value:,}"


def or_none(count: int) -> str:
    """A count, zero in a word."""
    return whole(count) if count else "none"


def per_hundred(value: float) -> str:
    """A share as "96 of 100", with decimals where it is nearly all or nothing."""
    decimals = 0 if 0.01 <= value < 0.99 or value in (0, 1) else 1
    return f"{percent(value, decimals, sign='')} of 100"


def took(seconds: float) -> str:
    """A duration in plain words."""
    if seconds < 100:
        return f"{seconds:.2g} seconds" if seconds < 10 else f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def file_name(path: str) -> str:
    """The last part of a path of this system or another."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def capital(name: str) -> str:
    """A name at the beginning of a sentence; its other letters stay as they are."""
    return name[:1].upper() + name[1:]
