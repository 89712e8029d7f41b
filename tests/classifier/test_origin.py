from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from neumo.classifier.origin import LEVELS, Origin
from neumo.data.inspections import inspect_images
from neumo.data.sources import read
from neumo.data.split import split
from neumo.data.table import sha256_of
from neumo.images.exposure import exposure
from neumo.images.read import read_radiograph
from neumo.phantom.dataset import make_phantoms


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return split(
        read(make_phantoms(tmp_path_factory.mktemp("set") / "a", patients=30, size=64)).table, "official"
    )


@pytest.fixture
def origin(rows: pd.DataFrame) -> Origin:
    held_out = (rows["part"] == "validation").sum()
    return Origin.of(rows, np.linspace(0, 1, held_out), np.linspace(0, 0.5, held_out))


def test_percentiles_are_those_of_the_training_part(rows: pd.DataFrame, origin: Origin) -> None:
    for label in (0, 1):
        own = rows[(rows["part"] == "train") & (rows["label"] == label)]
        bright = [exposure(read_radiograph(path))["brightness"] for path in own["path"]]
        np.testing.assert_allclose(
            origin.quantiles["brightness"][label], np.quantile(bright, LEVELS), rtol=1e-5
        )
        assert origin.counts["brightness"][label] == len(own)
    train = rows[rows["part"] == "train"]
    assert origin.prevalence == pytest.approx(train["label"].mean())


def test_answers_are_those_of_the_validation_part(rows: pd.DataFrame, origin: Origin) -> None:
    held_out = rows[rows["part"] == "validation"]
    normal = np.linspace(0, 1, len(held_out))[(held_out["label"] == 0).to_numpy()]
    np.testing.assert_allclose(origin.quantiles["distance"][0], np.quantile(normal, LEVELS), rtol=1e-5)
    assert origin.counts["probability"].sum() == len(held_out)


def test_generated_images_are_not_looked_at(rows: pd.DataFrame, origin: Origin) -> None:
    twice = pd.concat([rows.assign(copy=0), rows[rows["part"] == "train"].assign(copy=1)])
    held_out = (rows["part"] == "validation").sum()
    again = Origin.of(twice, np.zeros(held_out), np.zeros(held_out))
    np.testing.assert_array_equal(again.counts["brightness"], origin.counts["brightness"])


def test_knows_its_own_by_bytes_and_as_pictures(rows: pd.DataFrame, origin: Origin, tmp_path: Path) -> None:
    own, test = rows[rows["part"] != "test"].iloc[:4], rows[rows["part"] == "test"].iloc[:4]
    files = []
    for number, path in enumerate(own["path"]):  # as another site would pass it on: brighter, larger, recoded
        picture = ImageEnhance.Brightness(Image.open(path).convert("L")).enhance(1.1).resize((300, 300))
        files.append(tmp_path / f"{number}.png")
        picture.save(files[-1])
    table = pd.DataFrame({"path": [*own["path"], *map(str, files), *test["path"]]})
    table["sha256"] = [sha256_of(path) for path in table["path"]]
    same, alike = origin.has(table, inspect_images(table))
    assert same.tolist() == [True] * 4 + [False] * 8
    assert alike.tolist() == [True] * 8 + [False] * 4


def test_a_blank_image_is_like_no_other(origin: Origin, tmp_path: Path) -> None:
    Image.new("L", (64, 64), 90).save(tmp_path / "blank.png")
    table = pd.DataFrame(
        {"path": [str(tmp_path / "blank.png")], "sha256": [sha256_of(tmp_path / "blank.png")]}
    )
    assert [one.tolist() for one in origin.has(table, inspect_images(table))] == [[False], [False]]


def test_comes_back_from_bytes(rows: pd.DataFrame, origin: Origin) -> None:
    again = Origin.from_bytes(origin.to_bytes())
    for name, values in origin.quantiles.items():
        np.testing.assert_array_equal(again.quantiles[name], values)
        np.testing.assert_array_equal(again.counts[name], origin.counts[name])
    np.testing.assert_array_equal(again.contents, origin.contents)
    np.testing.assert_array_equal(again.pictures, origin.pictures)
    with pytest.raises((KeyError, ValueError)):
        Origin.from_bytes(b"something else")
