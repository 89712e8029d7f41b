from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neumo.features.scaling import RAW, Scaling


def test_three_channels_of_its_own() -> None:
    scaling = Scaling((100.0, 110.0, 120.0), (1.0, 2.0, 5.0))
    input = scaling(np.full((2, 4, 4), 130, np.uint8))
    assert input.shape == (2, 4, 4, 3)
    assert input.dtype == np.float32
    np.testing.assert_array_equal(input[1, 3, 3], [30, 10, 2])


def test_raw_leaves_grey_levels_alone() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    np.testing.assert_array_equal(RAW(grey), np.repeat(grey[..., None], 3, -1))


def test_equal_channels_are_one_number() -> None:
    assert dataclasses.asdict(Scaling((3.0, 3.0, 3.0), (2.0, 2.0, 2.0))) == {"mean": 3.0, "std": 2.0}


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan"), (1.0, 0.0, 1.0)])
def test_a_std_that_divides_by_nothing(std: float) -> None:
    with pytest.raises(ValueError, match="std: got"):
        Scaling(0.0, std)
