"""The API gives what the classifier gives, in order, and an error in the place of a bad file."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from neumo.classifier.classifier import Classifier
from neumo.explain.cam import heat_map
from neumo.images.read import inspect_radiograph, read_radiograph
from neumo.serve.app import create_app
from tests.serve.conftest import drawn, sent


def test_many_files_as_the_classifier_predicts_them(
    client: TestClient, classifier: Classifier, tmp_path: Path
) -> None:
    files = [drawn(i, ("PNG", "JPEG", "TIFF")[i % 3]) for i in range(21)]
    paths = [tmp_path / str(i) for i in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    expected = classifier.predict(paths)
    answer = client.post("/api/predict", files=sent(*files))
    assert answer.status_code == 200
    told = answer.json()
    assert told["notice"] == classifier.card["notice"]
    assert told["threshold"] == 0.5
    for i, (one, prediction) in enumerate(zip(told["predictions"], expected, strict=True)):
        assert one["index"] == i
        assert one["probability"] == pytest.approx(prediction.probability, abs=1e-6)
        assert one["decision"] == prediction.decision
        assert (one["width"], one["height"]) == (240, 240)
    assert np.ptp([one["probability"] for one in told["predictions"]]) > 0.001


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "application/dicom"])
def test_a_bare_file_is_told_apart_by_its_content(client: TestClient, kind: str) -> None:
    bare = client.post("/api/predict", content=drawn(3), headers={"content-type": kind}).json()
    assert bare == client.post("/api/predict", files=sent(drawn(3))).json()


def test_real_dicom_files(client: TestClient, classifier: Classifier, dicom_folder: Path) -> None:
    for file in dicom_folder.glob("*.dcm"):
        headers = {"content-type": "application/dicom"}
        (one,) = client.post("/api/predict", content=file.read_bytes(), headers=headers).json()["predictions"]
        assert one["probability"] == pytest.approx(classifier.predict(file).probability, abs=1e-6)
        found = inspect_radiograph(file)
        assert (one["width"], one["height"]) == (found.width, found.height)


def test_a_bad_file_does_not_stop_the_others(client: TestClient) -> None:
    whole = drawn(1)
    files = [whole, whole[:500], b"", b"text", drawn(2, "JPEG")]
    told = client.post("/api/predict", files=sent(*files)).json()["predictions"]
    assert ["error" in one for one in told] == [False, True, True, True, False]
    assert told[1]["error"] == "got a truncated PNG, expected a complete PNG"
    assert told[2]["error"].startswith("got an empty file, expected a radiograph")
    assert [one["index"] for one in told] == list(range(5))


def test_answers_tell_which_classifier_they_are_of(client: TestClient, classifier: Classifier) -> None:
    told = [client.post(f"/api/{what}", files=sent(drawn(0))).json() for what in ("predict", "explain")]
    told.append(client.get("/api/operating-points").json())
    assert [one["classifier"] for one in told] == [classifier.identity] * 3
    card = {**classifier.card, "threshold": {"threshold": 0.4}}
    other = Classifier(card, classifier._given_backbone, classifier._head, None)
    assert other.identity != classifier.identity


def test_warnings_come_with_their_meaning(client: TestClient) -> None:
    file = io.BytesIO()
    Image.new("L", (300, 300), 90).save(file, "PNG")
    told = client.post("/api/predict", files=sent(file.getvalue(), drawn(0))).json()
    assert "blank" in told["predictions"][0]["warnings"]
    assert set(told["meaning"]) == {name for one in told["predictions"] for name in one["warnings"]}
    assert "nothing to see" in told["meaning"]["blank"]


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_explain_sends_the_radiograph_and_its_heat(
    client: TestClient, classifier: Classifier, dicom_folder: Path
) -> None:
    file = dicom_folder / "cr_pa_1024_jpeg_baseline_monochrome1.dcm"
    headers = {"content-type": "application/dicom"}
    told = client.post("/api/explain", content=file.read_bytes(), headers=headers).json()
    assert told["notice"] == classifier.card["notice"]
    predicted = classifier.predict(file).probability
    assert told["prediction"]["probability"] == pytest.approx(predicted, abs=1e-6)
    np.testing.assert_array_equal(np.asarray(decoded(told["radiograph"])), read_radiograph(file, None))
    heat = decoded(told["heat"])
    assert heat.mode == "RGBA"
    hot = heat_map(classifier, read_radiograph(file)[None])[0]
    opaque = np.asarray(heat)[..., 3] > 0
    assert (opaque == (hot > 1 / 255)).mean() > 0.98  # up to rounding
    headers["accept"] = "image/png"
    alone = client.post("/api/explain", content=file.read_bytes(), headers=headers)
    assert alone.headers["content-type"] == "image/png"
    assert alone.content == base64.b64decode(told["heat"])


def test_a_large_radiograph_comes_back_small(client: TestClient) -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((1500, 2000)).save(file, "PNG")
    told = client.post("/api/explain", files=sent(file.getvalue())).json()
    assert decoded(told["radiograph"]).size == (768, 1024)
    assert (told["prediction"]["width"], told["prediction"]["height"]) == (1500, 2000)


def test_a_classifier_that_cannot_be_explained(classifier: Classifier) -> None:
    """Its features are maximums: there is no average pooling for Grad-CAM to go back to."""
    import openvino
    import openvino.opset15 as ops

    given = ops.parameter([-1, 3, 224, 224], np.float32, name="input")
    pooled = ops.concat([ops.reduce_max(given, [2, 3])] * 2, 1)
    backbone = openvino.Model([pooled], [given], "backbone")
    plain = Classifier(classifier.card, backbone, classifier._head, b"")
    with TestClient(create_app(plain), "http://localhost") as client:
        assert client.post("/api/predict", files=sent(drawn(0))).status_code == 200
        answer = client.post("/api/explain", files=sent(drawn(0)))
        assert answer.status_code == 422
        assert "Grad-CAM cannot explain this network" in answer.json()["error"]
        counted = client.get("/metrics").text
    assert 'outcome="unreadable"' not in counted
    assert 'neumo_refused_total{reason="unexplainable"} 1.0' in counted


def test_explain_takes_one_readable_file(client: TestClient) -> None:
    bad = client.post("/api/explain", files=sent(b"text"))
    assert bad.status_code == 422
    assert bad.json()["error"].startswith("got a file that is no picture")
    two = client.post("/api/explain", files=sent(drawn(0), drawn(1)))
    assert two.status_code == 413
    assert "more than 1 file" in two.json()["error"]


@pytest.mark.parametrize(("fault", "got"), [(MemoryError, "a picture too large for"), (KeyError, "a file,")])
def test_a_file_that_a_decoder_fails_on_is_no_fault_of_the_server(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, fault: type[Exception], got: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault("ZEBRA")

    monkeypatch.setattr("neumo.serve.batching.inspect_radiograph", fail)
    monkeypatch.setattr("neumo.serve.explaining.inspect_radiograph", fail)
    (one,) = client.post("/api/predict", files=sent(drawn(0))).json()["predictions"]
    explained = client.post("/api/explain", files=sent(drawn(0)))
    assert (explained.status_code, explained.json()["error"]) == (422, one["error"])
    assert one["error"].startswith(f"got {got}")
    assert "ZEBRA" not in one["error"]
    assert "neumo_queue_images 0.0" in client.get("/metrics").text
