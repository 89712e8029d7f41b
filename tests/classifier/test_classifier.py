"""The saved classifier: the same answers as its parts in Keras, and refusal of what is not one."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import neumo
from neumo.archive import MOST, read_archive, write_archive
from neumo.backend import keras
from neumo.classifier.classifier import Classifier, load, new_classifier
from neumo.classifier.findings import NOTICE, SYNTHETIC
from neumo.errors import NeumoError, UnreadableImageError
from neumo.features import precision
from neumo.features.backbones import backbone
from neumo.features.engine import Engine
from neumo.features.graph import convert
from neumo.features.precision import resolve_precision
from neumo.features.reference import Reference
from neumo.features.scaling import Scaling
from neumo.images.read import PIXELS, Inspection, read_radiograph
from neumo.phantom.radiograph import draw_radiograph
from neumo.training.head import build_head
from neumo.training.steps import STEPS

MEAN, STD = 121.0, 58.0
CARD = {
    "name": "test",
    "positive": "pneumonia",
    "negative": "normal",
    "scaling": {"mean": MEAN, "std": STD},
    "threshold": {"threshold": 0.5, "rule": "0.5, the default"},
    "data": {"name": "phantoms", "synthetic": True},
}


@pytest.fixture(scope="module")
def base() -> keras.Model:
    return backbone("MobileNetV2-0.35", "none").build()


@pytest.fixture(scope="module")
def head() -> keras.Model:
    """A head whose batch normalisation has statistics of its own, as after training."""
    head = build_head(STEPS[-1], 1280, seed=3)
    random = np.random.default_rng(0)
    for weight in head.weights:
        if "moving" in weight.name:
            weight.assign(random.uniform(0.5, 2.0, weight.shape).astype(np.float32))
    return head


@pytest.fixture(scope="module")
def classifier(base: keras.Model, head: keras.Model) -> Classifier:
    return new_classifier(CARD, convert(base), base, head)


@pytest.fixture(scope="module")
def saved(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("classifier") / "classifier.neumo"
    classifier.save(file)
    return file


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    from PIL import Image

    folder = tmp_path_factory.mktemp("radiographs")
    files = [folder / f"{i}.png" for i in range(11)]
    for i, file in enumerate(files):
        pixels, _ = draw_radiograph("bacteria" if i % 2 else "", patient=i, size=224)
        Image.fromarray(pixels).save(file)
    return files


@pytest.fixture(scope="module")
def expected(radiographs: list[Path], base: keras.Model, head: keras.Model) -> np.ndarray:
    """Probabilities by Keras from the parts: normalise, backbone, head."""
    pixels = np.stack([read_radiograph(file) for file in radiographs]).astype(np.float32)
    scaled = np.repeat(((pixels - MEAN) / STD)[..., None], 3, axis=-1)
    return np.asarray(head.predict(base.predict(scaled, verbose=0), verbose=0))[:, 0]


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


def test_is_shown_in_one_short_line(saved: Path) -> None:
    found = load(saved)
    assert repr(found) == "<Classifier 'test': pneumonia from 0.5 on, else normal (SYNTHETIC data)>"
    assert neumo.load().card["name"] in repr(neumo.load())
    assert "SYNTHETIC" not in repr(neumo.load())


def test_a_classifier_of_real_radiographs_is_not_called_synthetic(
    base: keras.Model, head: keras.Model
) -> None:
    card = {**CARD, "data": {"name": "real", "synthetic": False}}
    assert new_classifier(card, convert(base), base, head).card["notice"] == NOTICE


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


def test_saving_again_gives_the_same_card_and_network(saved: Path, tmp_path: Path) -> None:
    load(saved).save(tmp_path / "again.neumo")
    with zipfile.ZipFile(saved) as first, zipfile.ZipFile(tmp_path / "again.neumo") as second:
        for name in ("card.json", "network.keras", "backbone.bin", "head.bin"):
            assert first.read(name) == second.read(name), name
        assert json.loads(first.read("card.json"))["threshold"] == CARD["threshold"]


def test_a_compact_file_is_small_and_gives_the_same(
    saved: Path, tmp_path: Path, radiographs: list[Path], expected: np.ndarray
) -> None:
    file = tmp_path / "compact.neumo"
    load(saved).save(file, compact=True)
    compact = load(file)
    pixels = np.stack([read_radiograph(path) for path in radiographs])
    found = compact.probabilities(pixels)
    np.testing.assert_allclose(found, expected, atol=5e-3)
    assert not np.array_equal(found, load(saved).probabilities(pixels)), "weights have 16 bits"
    sizes = []
    for one in (saved, file):
        with zipfile.ZipFile(one) as archive:
            names = set(archive.namelist())
            sizes.append(archive.getinfo("backbone.bin").file_size)
            assert ("network.keras" in names) == (one == saved)
    assert sizes[1] < 0.6 * sizes[0]
    kinds = {node.get_type_name() for node in compact.network().get_ops()}
    assert "Convert" not in kinds, "other parts of neumo take constants as they are"
    with pytest.raises(NeumoError, match=r"test: got a compact classifier, expected one with its"):
        compact.keras_model()
    compact.save(tmp_path / "again.neumo", compact=True)
    assert np.array_equal(load(tmp_path / "again.neumo").probabilities(pixels), found)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _edit_the_card(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["card.json"] = members["card.json"].replace(b'"threshold": 0.5', b'"threshold": 0.9')
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _break_the_compression(file: Path) -> None:
    """A deflate block of the type that there is not; the archive's own directory stays whole."""
    with zipfile.ZipFile(file) as archive:
        start = archive.getinfo("SHA256SUMS").header_offset + 30 + len("SHA256SUMS")
    data = bytearray(file.read_bytes())
    data[start] = 0b111
    file.write_bytes(data)


def _a_list_for_a_card(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("SHA256SUMS", f"{hashlib.sha256(b'[]').hexdigest()}  card.json\n")
        archive.writestr("card.json", "[]")


def _text(file: Path) -> None:
    file.write_text("not a classifier")


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _another_archive(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("thesis.txt", "mine")


@pytest.mark.parametrize(
    "spoil",
    [
        _cut,
        _flip,
        _edit_the_card,
        _break_the_compression,
        _a_list_for_a_card,
        _text,
        _empty,
        _another_archive,
    ],
)
def test_what_is_no_whole_classifier_is_refused(spoil, saved: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "spoilt.neumo"
    file.write_bytes(saved.read_bytes())
    spoil(file)
    with pytest.raises(NeumoError, match=r"spoilt\.neumo: got .*, expected a classifier"):
        load(file)


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NeumoError, match="got no such file"):
        neumo.load(tmp_path / "nowhere.neumo")
    with pytest.raises(NeumoError, match="got a folder"):
        neumo.load(tmp_path)


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


def _rewritten(saved: Path, file: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The same classifier with another member, and sums that vouch for it."""
    members, _ = read_archive(saved, "expected a classifier")
    write_archive(file, {**members, name: change(bytes(members.get(name, b"")))})
    return file


def test_another_format_is_refused_in_one_line(saved: Path, tmp_path: Path) -> None:
    file = _rewritten(
        saved, tmp_path / "old.neumo", "card.json", lambda card: card.replace(b'"format": 2', b'"format": 1')
    )
    with pytest.raises(NeumoError, match=r"^\S+old\.neumo: got format 1, expected 2: train it again"):
        load(file)


@pytest.mark.parametrize("key", ["name", "positive", "negative", "notice", "threshold", "scaling", "data"])
def test_a_card_that_lacks_what_predictions_need(saved: Path, tmp_path: Path, key: str) -> None:
    def without(card: bytes) -> bytes:
        return json.dumps({k: value for k, value in json.loads(card).items() if k != key}).encode()

    with pytest.raises(
        NeumoError, match=rf"^\S+odd\.neumo: got a card without '{key}', expected there [^\n]+$"
    ):
        load(_rewritten(saved, tmp_path / "odd.neumo", "card.json", without))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("threshold", {"threshold": "abc"}),
        ("threshold", {"threshold": float("nan")}),
        ("threshold", {"threshold": 2}),
        ("threshold", {"threshold": -0.1}),
        ("threshold", {}),
        ("threshold", 0.5),
        ("scaling", {"mean": 0}),
        ("scaling", {"mean": 0, "std": 0}),
        ("scaling", {"mean": "a", "std": 1}),
        ("negative", None),
        ("notice", 3),
        ("data", "phantoms"),
        ("ages", [1]),
        ("ages", ["a", "b"]),
    ],
)
def test_a_card_that_predictions_cannot_use(saved: Path, tmp_path: Path, key: str, value: object) -> None:
    def other(card: bytes) -> bytes:
        return json.dumps({**json.loads(card), key: value}).encode()

    with pytest.raises(NeumoError, match=rf"^\S+odd\.neumo: got a card whose '{key}' is [^\n]+, expected"):
        load(_rewritten(saved, tmp_path / "odd.neumo", "card.json", other))


@pytest.mark.parametrize("content", [b"no numbers", b"", b"PK\x03\x04 and no more"])
@pytest.mark.parametrize("name", ["reference.npz", "usual.npz", "origin.npz"])
def test_arrays_that_are_none_are_refused(saved: Path, tmp_path: Path, name: str, content: bytes) -> None:
    file = _rewritten(saved, tmp_path / "odd.neumo", name, lambda _: content)
    with pytest.raises(NeumoError, match=r"odd\.neumo: got .*, expected a classifier that neumo saved"):
        load(file)


@pytest.mark.parametrize("name", ["reference.npz", "usual.npz", "origin.npz"])
def test_arrays_that_would_fill_the_memory_are_refused(saved: Path, tmp_path: Path, name: str) -> None:
    bomb = io.BytesIO()
    np.savez_compressed(bomb, np.zeros(MOST, np.uint8))
    file = _rewritten(saved, tmp_path / "bomb.neumo", name, lambda _: bomb.getvalue())
    line = (
        r"^\S+bomb\.neumo: got more than 64 mib of compressed numbers up to arr_0\.npy, expected a classifier"
    )
    with pytest.raises(NeumoError, match=line):
        load(file)


def test_pixels_that_this_neumo_reads_otherwise_are_told(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = f'"pixels": {PIXELS},'.encode()
    assert load(saved).card["pixels"] == PIXELS
    for then, told in ((now, False), (b"", False), (b'"pixels": 1,', True)):

        def aged(card: bytes, then: bytes = then) -> bytes:
            return card.replace(now, then)

        load(_rewritten(saved, tmp_path / "old.neumo", "card.json", aged))
        line = rf"neumo: \S+old\.neumo: got a classifier of .* \(pixels 1\), .* \(pixels {PIXELS}\): .*\n"
        assert re.fullmatch(line * told, capsys.readouterr().err)


UNREADABLE = {
    "xml": [b'<net version="99">', b"", b'<net name="empty" version="11"><layers/><edges/></net>'],
    "bin": [b"", b"0"],
}


@pytest.mark.parametrize(("suffix", "content"), [(s, c) for s, all_of in UNREADABLE.items() for c in all_of])
@pytest.mark.parametrize("part", ["backbone", "head"])
def test_a_network_that_openvino_cannot_read_is_one_line(
    saved: Path, radiographs: list[Path], tmp_path: Path, part: str, suffix: str, content: bytes
) -> None:
    """The head when the file is loaded, the backbone when it is needed."""
    file = _rewritten(saved, tmp_path / "odd.neumo", f"{part}.{suffix}", lambda _: content)
    line = rf"^\S+odd\.neumo: got a {part} that OpenVINO cannot read, expected a classifier that neumo saved$"
    if part == "head":
        with pytest.raises(NeumoError, match=line):
            load(file)
    else:
        classifier = load(file)
        for ask in (classifier.network, lambda: classifier.predict(radiographs[0])):
            with pytest.raises(NeumoError, match=line):
                ask()


@pytest.mark.parametrize("there", [True, False])
def test_bf16_that_was_asked_for_is_kept_where_the_processor_has_it(
    there: bool, base: keras.Model, head: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = {"f32": "f32", "bf16": "bf16" if there else "f32", "auto": "bf16" if there else "f32"}
    monkeypatch.setattr(precision, "_granted", has.get)
    asked = new_classifier({**CARD, "precision": "bf16"}, convert(base), base, head)
    assert asked._engine.precision == ("bf16" if there else "f32")
