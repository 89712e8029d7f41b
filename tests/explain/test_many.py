"""Explanations of files, against the classifier asked for each alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from neumo.classifier.classifier import Classifier
from neumo.explain.cam import heat_map
from neumo.explain.many import Explained, explain
from neumo.images.read import read_radiograph


@pytest.fixture(scope="module")
def files(radiographs: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Eleven radiographs of several sizes, more than a batch."""
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"{i}.png" for i in range(11)]
    for i, path in enumerate(paths):
        Image.fromarray(radiographs[i % 8]).resize((224 + 20 * i, 300)).save(path)
    return [str(path) for path in paths]


def _never(error: Exception) -> None:
    raise error


def test_each_is_as_alone(classifier: Classifier, files: list[str]) -> None:
    found = list(explain(classifier, files, _never))
    assert [one.prediction.path for one in found] == files
    for i, (one, alone) in enumerate(zip(found, classifier.predict(files), strict=True)):
        assert one.prediction.probability == pytest.approx(alone.probability, abs=1e-6)
        assert one.prediction.decision == alone.decision
        assert (one.width, one.height) == (224 + 20 * i, 300)
        np.testing.assert_array_equal(one.pixels, read_radiograph(one.prediction.path))
        np.testing.assert_allclose(one.heat, heat_map(classifier, one.pixels[None])[0], atol=1e-5)


def test_what_cannot_be_read_is_told_and_left_out(
    classifier: Classifier, files: list[str], tmp_path: Path
) -> None:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    told: list[Exception] = []
    found = list(explain(classifier, [files[0], str(text), str(tmp_path), files[1]], told.append))
    assert [one.prediction.path for one in found] == [files[0], files[1]]
    assert [str(error).split(": got ")[0] for error in told] == [str(text), str(tmp_path)]


def test_a_negative_is_turned_around_before_it_is_explained(
    classifier: Classifier, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    examine = Classifier.examine

    def inverted(model: Classifier, pixels: np.ndarray, problems: Any) -> Any:
        return [dataclasses.replace(one, warnings=("inverted",)) for one in examine(model, pixels, problems)]

    monkeypatch.setattr(Classifier, "examine", inverted)
    [one] = explain(classifier, files[:1], _never)
    np.testing.assert_array_equal(one.pixels, read_radiograph(files[0]))
    np.testing.assert_allclose(one.heat, heat_map(classifier, 255 - one.pixels[None])[0], atol=1e-5)


def test_the_hottest_place_is_told_in_pixels_of_the_file() -> None:
    heat = np.zeros((224, 224), np.float32)
    nothing: Any = None
    assert Explained(nothing, 500, 1000, heat, heat).hottest is None  # type: ignore[arg-type]
    heat[100, 50] = 1
    place = Explained(nothing, 448, 2240, heat, heat).hottest  # type: ignore[arg-type]
    assert place == (101, 1005)
