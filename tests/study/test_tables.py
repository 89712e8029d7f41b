"""Results on the terminal."""

from __future__ import annotations

from statistics import stdev

import pytest

from neumo.study.tables import spread


def test_several_seeds_give_mean_and_standard_deviation() -> None:
    assert spread([0.9, 0.92, 0.97]) == f"0.930 ± {stdev([0.9, 0.92, 0.97]):.3f}"


@pytest.mark.parametrize(("value", "shown"), [(0.94591, "0.9459"), (1.0, "1.0000")])
def test_one_seed_gives_the_value(value: float, shown: str) -> None:
    assert spread([value]) == shown
