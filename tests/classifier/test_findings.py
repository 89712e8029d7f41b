"""What is said of one radiograph."""

from __future__ import annotations

import pytest

from neumo.classifier.findings import NOTICE, chance, notice, operating_point, percent


@pytest.mark.parametrize(
    ("probability", "decimals", "shown"),
    [
        (0.97949, 3, "0.979"),
        (0.9996, 3, "> 0.999"),
        (1.0, 3, "> 0.999"),
        (0.0001, 3, "< 0.001"),
        (0.0004, 3, "< 0.001"),
        (0.0006, 3, "0.001"),
        (0.0, 4, "< 0.0001"),
        (0.9996, 4, "0.9996"),
        (0.99996, 4, "> 0.9999"),
        (0.9995, 3, "> 0.999"),
        (0.99949, 3, "0.999"),
    ],
)
def test_a_probability_is_never_rounded_to_certainty(probability: float, decimals: int, shown: str) -> None:
    assert chance(probability, decimals) == shown


def test_three_decimals_and_one_of_percent_are_usual() -> None:
    assert (chance(0.25), percent(0.25)) == ("0.250", "25.0%")


def test_the_notice_names_synthetic_radiographs_where_they_are() -> None:
    assert notice(False) == NOTICE
    assert notice(True).startswith(NOTICE)
    assert "SYNTHETIC" in notice(True)


@pytest.mark.parametrize(
    ("share", "decimals", "shown"),
    [
        (0.957, 1, "95.7%"),
        (0.9996, 1, "99.96%"),
        (0.0003, 1, "0.03%"),
        (0.99999, 0, "99.999%"),
        (0.004, 0, "0.4%"),
        (1.0, 1, "100.0%"),
        (0.0, 0, "0%"),
    ],
)
def test_nearly_all_is_never_rounded_to_all(share: float, decimals: int, shown: str) -> None:
    assert percent(share, decimals) == shown


@pytest.mark.parametrize(
    ("threshold", "shown"),
    [(0.5, "0.5"), (0.73241, "0.732"), (0.00031, "0.00031"), (0.99961, "0.9996"), (1.0, "1"), (0.0, "0")],
)
def test_an_operating_point_is_never_rounded_to_none_or_all(threshold: float, shown: str) -> None:
    assert operating_point(threshold) == shown
