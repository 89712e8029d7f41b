from __future__ import annotations

import json

import numpy as np
import pandas as pd

from neumo.evaluation.mistakes import MOST, worst_mistakes


def predictions(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "path": [f"{row:03}.png" for row in range(n)],
            "label": rng.integers(0, 2, n),
            "cause": "",
            "patient": [None if row % 2 else f"p{row}" for row in range(n)],
            "probability": rng.random(n),
        }
    )


def test_those_farthest_from_the_truth_come_first() -> None:
    table = predictions(200)
    found = worst_mistakes(table, 0.7)
    wrong = [
        (-abs(p - y), path)
        for path, y, p in zip(
            *(table[name].tolist() for name in ("path", "label", "probability")), strict=True
        )
        if bool(y) != (p >= 0.7)
    ]
    assert len(wrong) > MOST
    assert [one["path"] for one in found] == [path for _, path in sorted(wrong)][:MOST]
    assert {one["patient"] is None for one in found} == {True, False}
    json.dumps(found, allow_nan=False)


def test_equal_ones_come_by_name_and_a_threshold_is_reached_by_itself() -> None:
    table = predictions(3).assign(label=[0, 0, 1], probability=[0.6, 0.6, 0.5])[::-1]
    assert [one["path"] for one in worst_mistakes(table, 0.5)] == ["000.png", "001.png"]
    assert worst_mistakes(table, 0.61)[0]["path"] == "002.png"
