"""The classifier: the same answers as its parts in Keras."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import neumo
from neumo.backend import keras
from neumo.classifier.assemble import new_classifier
from neumo.classifier.classifier import Classifier, load
from neumo.classifier.findings import NOTICE, SYNTHETIC
from neumo.errors import NeumoError, UnreadableImageError
from neumo.features import precision
from neumo.features.compiled import core
from neumo.features.engine import Engine
from neumo.features.graph import convert
from neumo.features.precision import resolve_precision
from neumo.features.reference import Reference
from neumo.features.scaling import Scaling
from neumo.images.read import Inspection, read_radiograph
from neumo.phantom.radiograph import draw_radiograph
from tests.classifier.conftest import CARD, MEAN, STD


def test_predicts_as_its_parts_do_in_keras(
    saved: Path, radiographs: list[Path], expected: np.ndarray
) -> None:
    found = load(saved).predict(radiographs)
    assert [p.path for p in found] == [str(file) for file in radiographs]
    near = 2e-2 if resolve_precision("auto") == "auto" else 1e-4
    np.testing.assert_allclose([p.probability for p in found], expected, atol=near)
    assert np.ptp(expected) > 0.01  # else the comparison says nothing
    assert {p.decision for p in found} <= {"normal", "pneumonia"}
    assert all((p.probability >= 0.5) == (p.decision == "pneumonia") for p in found)
    for prediction in found:
        assert prediction.notice == f"{NOTICE} {SYNTHETIC}"
        assert prediction.notice in repr(prediction)


def test_the_output_does_not_depend_on_threads_or_neighbours(saved: Path) -> None:
    classifier = load(saved)
    random = np.random.default_rng(0)
    features = random.gamma(1, size=(40, classifier._head.input(0).partial_shape[1].get_length()))
    features = features.astype(np.float32)
    by_all = core().compile_model(classifier._head, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = by_all([features])[0][:, 0].astype(np.float64)
    np.testing.assert_array_equal(classifier._judge(features), expected)
    for start in range(0, 40, 8):
        np.testing.assert_array_equal(
            classifier._judge(features[start : start + 8]), expected[start : start + 8]
        )
    assert classifier._compiled_head.network.get_property("INFERENCE_NUM_THREADS") == 1


def test_is_shown_in_one_short_line(saved: Path) -> None:
    found = load(saved)
    assert repr(found) == "<Classifier 'test': pneumonia from 0.5 on, else normal (SYNTHETIC data)>"
    assert neumo.load().card["name"] in repr(neumo.load())
    assert "SYNTHETIC" not in repr(neumo.load())


def test_one_radiograph_gives_one_prediction(saved: Path, radiographs: list[Path]) -> None:
    model = load(saved)
    assert model.predict(radiographs[4]) == model.predict(radiographs)[4]


def test_the_keras_file_gives_the_same(saved: Path, radiographs: list[Path], expected: np.ndarray) -> None:
    pixels = np.stack([read_radiograph(file) for file in radiographs])[..., None].repeat(3, axis=-1)
    found = load(saved).keras_model().predict(pixels.astype(np.float32), verbose=0)
    np.testing.assert_allclose(np.asarray(found)[:, 0], expected, atol=1e-4)


def test_an_unreadable_file_is_told_and_left_out(
    saved: Path, radiographs: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    told: list[NeumoError] = []
    found = list(load(saved).stream([radiographs[0], text, radiographs[1]], unreadable=told.append))
    assert [p.path for p in found] == [str(radiographs[0]), str(radiographs[1])]
    assert "text.jpg" in str(told[0])
    with pytest.raises(NeumoError, match=r"text\.jpg"):
        load(saved).predict([radiographs[0], text])


@pytest.mark.parametrize("places", [[], [0], [3, 4, 10], [15], [*range(1, 40)], [*range(1, 600)]])
def test_unreadable_files_are_told_of_in_their_place(
    saved: Path, radiographs: list[Path], tmp_path: Path, places: list[int]
) -> None:
    files = [*radiographs, *radiographs[:4]]
    for place in places:
        files.insert(place, tmp_path / f"nowhere-{place}.png")
    seen: list[str] = []
    for prediction in load(saved).stream(files, unreadable=lambda error: seen.append(str(error))):
        seen.append(prediction.path)  # noqa: PERF401 - the order of both is looked at
    assert [line.split(": got")[0] for line in seen] == [str(file) for file in files]


def test_no_file_can_be_read(saved: Path, tmp_path: Path) -> None:
    told: list[NeumoError] = []
    missing = [tmp_path / f"{i}.png" for i in range(600)]
    assert list(load(saved).stream(missing, unreadable=told.append)) == []
    assert [error.path for error in told if isinstance(error, UnreadableImageError)] == missing


def test_what_is_before_an_unreadable_file_is_predicted(
    saved: Path, radiographs: list[Path], tmp_path: Path
) -> None:
    stream = load(saved).stream([*radiographs[:2], tmp_path / "nowhere.png", radiographs[2]])
    assert [next(stream).path, next(stream).path] == [str(file) for file in radiographs[:2]]
    with pytest.raises(UnreadableImageError, match="got no such file"):
        next(stream)


@pytest.fixture(scope="module")
def familiar(
    classifier: Classifier, base: keras.Model, head: keras.Model, radiographs: list[Path]
) -> Classifier:
    """The same, with a reference that was fitted on other phantoms."""
    engine = Engine(convert(base), Scaling(MEAN, STD))
    pixels = [draw_radiograph("", patient=i, size=224, seed=1)[0] for i in range(24)]
    features = engine(np.stack(pixels))
    return new_classifier(CARD, convert(base), base, head, Reference.fit(features[:16], features[16:]))


def test_the_reference_is_kept(familiar: Classifier, radiographs: list[Path], tmp_path: Path) -> None:
    familiar.save(tmp_path / "a.neumo")
    found = load(tmp_path / "a.neumo").predict(radiographs)
    assert found == familiar.predict(radiographs)
    assert len({one.distance for one in found}) == len(found)


def test_without_a_reference_nothing_is_unfamiliar(saved: Path, radiographs: list[Path]) -> None:
    found = load(saved).predict(radiographs)
    assert {one.distance for one in found} == {0.0}
    assert {one.warnings for one in found} == {()}


def test_what_was_seen_in_the_file_is_told(familiar: Classifier) -> None:
    blank = np.full((2, 224, 224), 9, np.uint8)
    seen = [Inspection("RGB", 224, 224, problems, blank[0]) for problems in (("colour", "blank"), ())]
    first, second = familiar.examine(blank, seen)
    assert first.warnings[:2] == ("colour", "blank")
    assert first.warnings.count("blank") == 1
    assert second.warnings[0] == "blank"
    assert familiar.examine(blank[:0]) == []


@pytest.mark.parametrize(
    ("ages", "age", "warned"),
    [
        ([1, 5], 62.0, True),
        ([1, 5], 6.0, True),
        ([1, 5], 0.9, True),
        ([1, 5], 5.9, False),
        ([1, 5], 1.0, False),
        ([1, 5], None, False),
        (None, 62.0, False),
    ],
)
def test_an_age_that_was_not_learnt_from_is_told(
    familiar: Classifier, ages: list[int] | None, age: float | None, warned: bool
) -> None:
    familiar.card["ages"] = ages
    drawn = np.stack([draw_radiograph("", patient=0, size=224, seed=1)[0]])
    found = familiar.examine(drawn, [Inspection("MONOCHROME2", 224, 224, ("raw",), drawn[0], age)])[0]
    assert found.warnings[0] == "raw"
    assert ("age" in found.warnings) == warned
    assert found.probability == familiar.examine(drawn)[0].probability


def test_threads_may_share_a_classifier(familiar: Classifier, radiographs: list[Path]) -> None:
    pixels = np.stack([read_radiograph(file) for file in radiographs])
    expected = familiar.examine(pixels)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(familiar.examine, [pixels] * 8))


@pytest.mark.parametrize("there", [True, False])
def test_bf16_that_was_asked_for_is_kept_where_the_processor_has_it(
    there: bool, base: keras.Model, head: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = {"f32": "f32", "bf16": "bf16" if there else "f32", "auto": "bf16" if there else "f32"}
    monkeypatch.setattr(precision, "_granted", has.get)
    asked = new_classifier({**CARD, "precision": "bf16"}, convert(base), base, head)
    assert asked._engine.precision == ("bf16" if there else "f32")


@pytest.mark.parametrize(
    "given", [None, 3, b"a.png", np.zeros((2, 224, 224), np.uint8), [np.zeros((224, 224), np.uint8)]]
)
def test_what_is_no_path_is_told(given: object, classifier: Classifier) -> None:
    with pytest.raises(
        NeumoError, match=r"^radiographs: got .*, expected a path or several; pixels in memory"
    ):
        classifier.predict(given)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (np.zeros((224, 224), np.uint8), r"uint8 \(224, 224\)"),
        (np.zeros((9, 300, 300), np.uint8), r"uint8 \(9, 300, 300\)"),
        (np.zeros((1, 224, 224, 3), np.uint8), r"uint8 \(1, 224, 224, 3\)"),
        (np.zeros((2, 224, 224), np.float32), r"float32 \(2, 224, 224\)"),
        ([np.zeros((224, 224), np.uint8)], "a list"),
        (None, "None"),
    ],
)
def test_what_are_no_pixels_is_told(given: object, got: str, classifier: Classifier) -> None:
    for judge in (classifier.probabilities, classifier.examine):
        with pytest.raises(NeumoError, match=rf"^pixels: got {got}, expected uint8 \(n, 224, 224\)"):
            judge(given)  # type: ignore[arg-type]
