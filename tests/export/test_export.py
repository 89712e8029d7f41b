"""Exported graphs in their own runtimes, against the classifier."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neumo
import neumo.export.export
from neumo.classifier.classifier import Classifier
from neumo.errors import NeumoError
from neumo.export.export import TOLERANCE, export, whole_graph
from neumo.features.engine import Engine
from neumo.features.precision import resolve_precision

NEAR = 2e-2 if resolve_precision("auto") == "auto" else 1e-4


def _onnx(file: Path, pixels: np.ndarray) -> np.ndarray:
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the extra test")
    return runtime.InferenceSession(file).run(["probability"], {"pixels": pixels})[0]


def _openvino(file: Path, pixels: np.ndarray) -> np.ndarray:
    import openvino

    return openvino.Core().compile_model(file, "CPU")({"pixels": pixels})["probability"]


@pytest.mark.parametrize(
    ("format", "suffix", "run"), [("onnx", "onnx", _onnx), ("openvino", "xml", _openvino)]
)
def test_gives_the_same_probabilities(
    format: str, suffix: str, run: Any, phantom_classifier: Classifier, phantoms: np.ndarray, tmp_path: Path
) -> None:
    file = tmp_path / f"model.{suffix}"
    done = export(phantom_classifier, file, format)
    expected = phantom_classifier.probabilities(phantoms)
    for n in (1, 8):  # any number of images
        found = run(file, phantoms[:n])
        assert found.shape == (n,)
        np.testing.assert_allclose(found, expected[:n], atol=NEAR)
    assert np.ptp(expected) > 0.02  # else the comparison says nothing
    assert (done.images, done.phantoms) == (16, True)
    assert done.runtime.startswith("ONNX Runtime 1." if format == "onnx" else "OpenVINO 20")
    assert done.difference <= TOLERANCE
    assert sorted(done.files) == sorted(tmp_path.iterdir())  # nothing else is left


def test_metadata_say_what_it_is(phantom_classifier: Classifier, tmp_path: Path) -> None:
    import onnx
    import openvino

    export(phantom_classifier, tmp_path / "model.onnx")
    export(phantom_classifier, tmp_path / "model.xml", "openvino")
    written = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(written, full_check=True)
    props = {entry.key: entry.value for entry in written.metadata_props}
    info = openvino.Core().read_model(tmp_path / "model.xml").get_rt_info("neumo")
    for told in (props, {key: info[key] for key in props}):
        assert told["notice"] == phantom_classifier.card["notice"]
        assert (told["positive"], told["negative"]) == ("pneumonia", "normal")
        assert float(told["threshold"]) == phantom_classifier.threshold
        assert json.loads(told["card"]) == phantom_classifier.card


def test_real_radiographs_are_compared(
    phantom_classifier: Classifier, coronahack: Path, tmp_path: Path
) -> None:
    some = sorted(coronahack.glob("*/*/test/*"))[:40]
    done = export(phantom_classifier, tmp_path / "model.onnx", "onnx", some)
    assert (done.images, done.phantoms) == (40, False)


def test_the_shipped_classifier_on_real_radiographs(coronahack: Path, tmp_path: Path) -> None:
    some = sorted(coronahack.glob("*/*/test/*"))[::4]
    shipped = neumo.load()
    pixels = np.stack([neumo.read_radiograph(path) for path in some])
    own = Engine(shipped.network(), shipped.scaling, "f32")(pixels)[:, 0]
    assert len(own) == 156
    assert 0.2 < np.mean(own >= shipped.threshold) < 0.9  # of both classes
    assert np.mean((own > 0.01) & (own < 0.99)) > 0.1  # nor all where a sigmoid is flat
    for name, format, run in (("a.onnx", "onnx", _onnx), ("a.xml", "openvino", _openvino)):
        done = export(shipped, tmp_path / name, format, some)
        assert (done.images, done.phantoms) == (156, False)
        assert done.difference <= TOLERANCE
        found = run(tmp_path / name, pixels)
        np.testing.assert_allclose(found, own, atol=NEAR if format == "openvino" else 1e-3, rtol=0)


def test_onnx_is_compared_in_onnx_runtime_where_it_is_installed(
    phantom_classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the extra test")

    class Wrong(runtime.InferenceSession):  # type: ignore[name-defined]
        def run(self, names: Any, given: Any) -> Any:
            return [super().run(names, given)[0] + np.float32(0.01)]

    with monkeypatch.context() as patch:
        patch.setattr(runtime, "InferenceSession", Wrong)
        with pytest.raises(NeumoError, match="away from the classifier's in ONNX Runtime"):
            export(phantom_classifier, tmp_path / "model.onnx")
        assert list(tmp_path.iterdir()) == []
        export(phantom_classifier, tmp_path / "model.xml", "openvino")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    assert export(phantom_classifier, tmp_path / "model.onnx").runtime.startswith("OpenVINO 20")


def test_a_graph_that_says_something_else_is_refused(
    phantom_classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def darker(classifier: Classifier) -> Any:
        other = Classifier(
            {**phantom_classifier.card, "scaling": {"mean": 141.0, "std": 58.0}},
            classifier._backbone,
            classifier._head,
            b"",
        )
        return whole_graph(other)

    monkeypatch.setattr(neumo.export.export, "whole_graph", darker)
    for name, format in (("model.onnx", "onnx"), ("model.xml", "openvino")):
        with pytest.raises(NeumoError, match=rf"{name}: got probabilities .* away from the classifier's"):
            export(phantom_classifier, tmp_path / name, format)
    assert not list(tmp_path.iterdir())


def test_a_graph_that_gives_no_number_for_a_later_image_is_refused(
    phantom_classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, asked = neumo.export.export.reader, []

    def failing(file: Path) -> tuple[str, Any]:
        name, run = reader(file)

        def later(pixels: np.ndarray) -> np.ndarray:
            asked.append(len(pixels))
            return run(pixels) * (1 if len(asked) == 1 else np.float32(np.nan))

        return name, later

    monkeypatch.setattr(neumo.export.export, "reader", failing)
    with pytest.raises(NeumoError, match="got probabilities nan away from the classifier's"):
        export(phantom_classifier, tmp_path / "model.xml", "openvino")
    assert len(asked) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "format"), [("model.onnx", "onnx"), ("model.xml", "openvino")])
def test_another_process_that_writes_the_same_file_is_not_written_over(
    name: str, format: str, phantom_classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, own = neumo.export.export.reader, os.getpid()

    def meanwhile(file: Path) -> tuple[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr(neumo.export.export, "reader", reader)
            patch.setattr(os, "getpid", lambda: own + 1)  # as another process, from its start to its end
            export(phantom_classifier, tmp_path / name, format)
        return reader(file)

    monkeypatch.setattr(neumo.export.export, "reader", meanwhile)
    done = export(phantom_classifier, tmp_path / name, format)
    assert sorted(done.files) == sorted(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "format", "what"),
    [
        ("model.pb", "onnx", r"got the suffix '.pb' for onnx, expected .onnx for onnx or .xml"),
        ("model.onnx", "openvino", r"got the suffix '.onnx' for openvino, expected .onnx"),
        ("model.onnx", "keras", "format: got 'keras', expected onnx or openvino"),
    ],
)
def test_bad_wishes_are_told(
    name: str, format: str, what: str, phantom_classifier: Classifier, tmp_path: Path
) -> None:
    with pytest.raises(NeumoError, match=what):
        export(phantom_classifier, tmp_path / name, format)


def test_without_onnx_it_is_said(
    phantom_classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NeumoError, match=r"onnx: got no such package"):
        export(phantom_classifier, tmp_path / "model.onnx")


def test_8_bit_integers_go_to_openvino_alone(
    phantom_classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(phantom_classifier.card, "precision", "int8")
    with pytest.raises(NeumoError, match=r"got a classifier in 8-bit integers.* or the format openvino"):
        export(phantom_classifier, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(
    phantom_classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO names neither the file nor the reason."""
    import openvino

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr(openvino, "save_model", full)
    with pytest.raises(OSError, match=r"model\.xml") as told:
        export(phantom_classifier, tmp_path / "model.xml", "openvino")
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(tmp_path / "model.xml"))
    with pytest.raises(OSError, match=r"graph\.xml") as told:
        phantom_classifier.save(tmp_path / "model.neumo")
    assert told.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_a_radiograph_that_cannot_be_read_ends_the_export_of_python(
    phantom_classifier: Classifier, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(NeumoError, match=r"bad\.png: got "):
        export(phantom_classifier, tmp_path / "out" / "model.onnx", "onnx", [tmp_path / "bad.png"])
    assert list((tmp_path / "out").iterdir()) == []
