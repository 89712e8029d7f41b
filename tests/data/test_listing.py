"""A table's cells say what they say."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import neumo
from tests.data.pictures import draw


def test_none_is_a_class_and_na_a_patient(tmp_path: Path) -> None:
    for name in "abcd":
        draw(tmp_path / f"{name}.png")
    rows = [
        ("a.png", "None", "NA"),
        ("b.png", "None", ""),
        ("c.png", "pneumonia", "null"),
        ("d.png", "pneumonia", "NA"),
    ]
    pd.DataFrame(rows, columns=["path", "label", "patient"]).to_csv(tmp_path / "t.csv", index=False)
    table = neumo.read(tmp_path / "t.csv").table
    assert table["label"].tolist() == [0, 0, 1, 1]
    assert table["patient"].fillna("unknown").tolist() == ["NA", "unknown", "null", "NA"]
