"""The saved file: it gives back what was written, and what is not one is refused."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neumo
from neumo.archive import MOST, read_archive, write_archive
from neumo.classifier.classifier import load
from neumo.errors import NeumoError
from neumo.images.read import PIXELS, read_radiograph
from tests.classifier.conftest import CARD


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


def _rewritten(saved: Path, file: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The same classifier with another member, and sums that vouch for it."""
    members, _ = read_archive(saved, "expected a classifier")
    write_archive(file, {**members, name: change(bytes(members.get(name, b"")))})
    return file


@pytest.mark.parametrize(("format", "what"), [(1, "train it again"), (3, "install a newer neumo")])
def test_another_format_is_refused_in_one_line(saved: Path, tmp_path: Path, format: int, what: str) -> None:
    def other(card: bytes) -> bytes:
        return card.replace(b'"format": 2', b'"format": %d' % format)

    file = _rewritten(saved, tmp_path / "odd.neumo", "card.json", other)
    with pytest.raises(NeumoError, match=rf"^\S+odd\.neumo: got format {format}, expected 2: {what}"):
        load(file)


def test_a_file_with_other_weights_is_another_classifier(
    saved: Path, tmp_path: Path, radiographs: list[Path]
) -> None:
    """The server tells its clients by the identity that their answers are of one classifier."""
    file = _rewritten(
        saved,
        tmp_path / "other.neumo",
        "head.bin",
        lambda weights: (np.frombuffer(weights, "f4") / 2).tobytes(),
    )
    other, again = load(file), load(saved)
    assert other.predict(radiographs[0]).probability != again.predict(radiographs[0]).probability
    assert other.identity != again.identity == load(saved).identity


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
        ("threshold", {"threshold": 0.5, "sensitivity": 0.9}),
        ("data", {"synthetic": True, "images": "many"}),
        ("temperature", 0),
        ("shift", "to the left"),
        ("operating_points", {"threshold": [0.5], "sensitivity": [0.9]}),
        ("operating_points", {"threshold": [0.5], "sensitivity": [0.9], "specificity": []}),
        ("training", None),
        ("training", {"counts": {"train": 3}}),
        ("test", {"official": {"auc": "high"}}),
        ("test", {"official": 0.9}),
        ("limits", [1]),
        ("made_by", "hand"),
    ],
)
def test_a_card_that_predictions_cannot_use(saved: Path, tmp_path: Path, key: str, value: object) -> None:
    def other(card: bytes) -> bytes:
        return json.dumps({**json.loads(card), key: value}).encode()

    with pytest.raises(NeumoError, match=rf"^\S+odd\.neumo: got a card whose '{key}' is [^\n]+, expected"):
        load(_rewritten(saved, tmp_path / "odd.neumo", "card.json", other))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", '"\\ud800"'])
def test_a_card_that_no_answer_can_carry(saved: Path, tmp_path: Path, value: str) -> None:
    """RFC 8259 has no such numbers, and UTF-8 no half of a surrogate pair; Python's reader takes them all."""

    def other(card: bytes) -> bytes:
        return card.replace(b"{", b'{"hospital": {"beds": [1, %s]},' % value.encode(), 1)

    with pytest.raises(NeumoError, match=r"^\S+odd\.neumo: got a card with a number or a character [^\n]+$"):
        load(_rewritten(saved, tmp_path / "odd.neumo", "card.json", other))


def test_a_card_without_bottom(saved: Path, tmp_path: Path) -> None:
    file = _rewritten(saved, tmp_path / "odd.neumo", "card.json", lambda _: b"[" * 100_000)
    with pytest.raises(NeumoError, match=r"^\S+odd\.neumo: got [^\n]+, expected a classifier that neumo"):
        load(file)


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
