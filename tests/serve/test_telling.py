"""The card, the operating points, health, readiness, counters and the OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from neumo.classifier.classifier import Classifier
from neumo.serve.app import create_app
from neumo.serve.limits import Limits
from tests.serve.conftest import drawn, sent


def test_the_card(client: TestClient, classifier: Classifier) -> None:
    assert client.get("/api/card").json() == classifier.card


def test_the_card_for_people(client: TestClient) -> None:
    for asked, language, part in (
        ("es-MX,es;q=0.9,en;q=0.8", "es", "Qué hace"),
        ("en-GB,es;q=0.5", "en", "What it does"),
        ("est", "en", "What it does"),
        ("", "en", "What it does"),
    ):
        answer = client.get("/api/card.html", headers={"accept-language": asked})
        assert answer.headers["content-language"] == language
        assert f"<h2>{part}</h2>" in answer.text


def test_operating_points(client: TestClient, classifier: Classifier) -> None:
    assert client.get("/api/operating-points").json() == {
        "chosen": 0.5,
        "rule": "0.5, the default",
        "classifier": classifier.identity,
        **classifier.card["operating_points"],
    }


def test_the_limits(classifier: Classifier) -> None:
    limits = Limits(request_bytes=10**6, held_bytes=10**7, file_bytes=10**5, files=9, queue=4, seconds=7.5)
    with TestClient(create_app(classifier, limits), "http://localhost") as client:
        told = client.get("/api/limits").json()
    assert told == {
        "files": 4,
        "request_bytes": 10**6,
        "file_bytes": 10**5,
        "pixels": 40_000_000,
        "seconds": 7.5,
    }


def test_a_classifier_without_operating_points(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(classifier.card, "operating_points")
    with TestClient(create_app(classifier), "http://localhost") as client:
        told = client.get("/api/operating-points").json()
    assert (told["chosen"], told["threshold"], told["sensitivity"], told["specificity"]) == (0.5, [], [], [])


def test_a_classifier_that_does_not_tell_its_rule(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(classifier.card, "threshold", {"threshold": 0.5})
    with TestClient(create_app(classifier), "http://localhost") as client:
        assert client.get("/api/operating-points").json()["rule"] == "not told"


def test_ready_from_the_start_until_the_stop(classifier: Classifier) -> None:
    app = create_app(classifier)
    client = TestClient(app, "http://localhost")  # not started
    assert (client.get("/health").status_code, client.get("/ready").status_code) == (200, 503)
    with client:
        assert client.get("/ready").json() == {"status": "ok"}
        app.state.draining = True
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()) == (503, {"status": "stopping"})
        assert answer.headers["connection"] == "close"
        late = client.post("/api/predict", files=sent(drawn(0)))
        assert (late.status_code, late.json()) == (503, {"error": "the server is stopping"})
        line = 'neumo_requests_total{route="/api/predict",status="503"} 1.0'
        assert line in client.get("/metrics").text.splitlines()
        assert client.get("/health").status_code == 200


def test_counters(client: TestClient) -> None:
    client.post("/api/predict", files=sent(drawn(0), b"text", drawn(1)))
    client.get("/some/patient.png")
    lines = client.get("/metrics").text.splitlines()
    for line in (
        'neumo_requests_total{route="/api/predict",status="200"} 1.0',
        'neumo_requests_total{route="other",status="404"} 1.0',
        'neumo_images_total{outcome="scored"} 2.0',
        'neumo_images_total{outcome="unreadable"} 1.0',
        "neumo_batch_images_sum 2.0",
        "neumo_queue_images 0.0",
        "neumo_held_bytes 0.0",
    ):
        assert line in lines
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)


def test_what_is_refused_is_counted_under_its_route(classifier: Classifier) -> None:
    token = {"authorization": f"Bearer {'secret' * 6}"}
    with TestClient(create_app(classifier, token="secret" * 6), "http://localhost") as client:
        client.get("/")
        client.get("/app.js")
        client.get("/api/card")
        client.get("/api/nowhere")
        client.get("/api/predict", headers=token)
        client.post("/api/predict", headers={**token, "origin": "http://other.example"})
        client.get("/health", headers={"host": "other.example"})
        lines = client.get("/metrics", headers=token).text.splitlines()
    for route, status, count in (
        ("page", 200, 2),
        ("/api/card", 401, 1),
        ("other", 401, 1),
        ("/api/predict", 405, 1),
        ("/api/predict", 403, 1),
        ("/health", 421, 1),
    ):
        assert f'neumo_requests_total{{route="{route}",status="{status}"}} {count}.0' in lines


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/predict", "POST"),
        ("HEAD", "/api/explain", "POST"),
        ("POST", "/api/card", "GET, HEAD"),
        ("DELETE", "/health", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
    ],
)
def test_another_method_for_a_path(client: TestClient, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/api/card", "/", "/app.js", "/nowhere"])
def test_head_is_as_get_without_the_body(client: TestClient, path: str) -> None:
    asked, told = client.head(path), client.get(path)
    assert asked.status_code == told.status_code
    assert asked.headers["content-type"] == told.headers["content-type"]
    assert (asked.content, len(told.content) > 0) == (b"", True)


def test_the_openapi_document_is_complete(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) >= {
        *("/api/predict", "/api/explain", "/api/card", "/api/operating-points"),
        *("/health", "/ready", "/metrics"),
    }
    predict = document["paths"]["/api/predict"]["post"]
    assert set(predict["requestBody"]["content"]) == {"multipart/form-data", "image/*", "application/dicom"}
    assert {"200", "413", "415", "422", "429", "503"} <= set(predict["responses"])
    example = document["components"]["schemas"]["Predictions"]["example"]
    told = client.post("/api/predict", files=sent(drawn(0), b"text")).json()
    assert set(told) == set(example)
    assert [set(one) for one in told["predictions"]] == [set(one) for one in example["predictions"]]
    for path in ("/docs", "/redoc"):  # FastAPI's load their scripts from other hosts
        assert client.get(path).status_code == 404


def test_the_openapi_document_tells_how_many_files_are_taken(classifier: Classifier) -> None:
    with TestClient(create_app(classifier, Limits(files=3)), "http://localhost") as client:
        document = client.get("/openapi.json").json()
        for what in ("predict", "explain"):
            asked = document["paths"][f"/api/{what}"]["post"]["requestBody"]["content"]
            files = asked["multipart/form-data"]["schema"]["properties"]["files"]
            none = {"headers": {"content-type": "multipart/form-data; boundary=x"}, "content": b"--x--\r\n"}
            for count in range(5):
                form: dict[str, Any] = {"files": sent(*[drawn(0)] * count)} if count else none
                taken = client.post(f"/api/{what}", **form).status_code == 200
                assert taken == (files["minItems"] <= count <= files["maxItems"]), (what, count)


def test_the_openapi_document_tells_of_the_token_and_of_what_is_refused(classifier: Classifier) -> None:
    token = "secret" * 6
    app = create_app(classifier, Limits(file_bytes=100_000), token=token)
    with TestClient(app, "http://localhost") as locked:
        document = locked.get("/openapi.json").json()
        ((name, scheme),) = document["components"]["securitySchemes"].items()
        assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
        for path, methods in document["paths"].items():
            for method, told in methods.items():
                asked = locked.request(method, path).status_code == 401
                for status in {*told["responses"]} - {"200", "503" if path == "/ready" else "200"}:
                    assert list(told["responses"][status]["content"]) == ["application/json"]
                assert (told.get("security") == [{name: []}]) == ("401" in told["responses"]) == asked, path
        bearer = {"authorization": f"Bearer {token}"}
        for path, kind in (("/api/card.html", "text/html"), ("/metrics", "text/plain")):
            assert list(document["paths"][path]["get"]["responses"]["200"]["content"]) == [kind]
            assert locked.get(path, headers=bearer).headers["content-type"].startswith(kind)
        for status, path, headers, body in (
            (400, "predict", {"content-type": "multipart/form-data; boundary=x"}, b"--x\r\nbroken"),
            (401, "predict", {"authorization": "Bearer other"}, b"image"),
            (403, "predict", {"origin": "http://other.example"}, b"image"),
            (413, "explain", {"content-type": "image/png"}, bytes(200_000)),
            (415, "predict", {"content-type": "text/html"}, b"<html>"),
            (421, "predict", {"host": "other.example"}, b"image"),
            (422, "explain", {"content-type": "image/png"}, b"no image"),
            (
                422,
                "predict",
                {"content-type": "multipart/form-data; boundary=x"},
                b"--x\r\n\r\n1\r\n--x--\r\n",
            ),
        ):
            answer = locked.post(f"/api/{path}", headers={**bearer, **headers}, content=body)
            assert answer.status_code == status
            told = document["paths"][f"/api/{path}"]["post"]["responses"][str(status)]
            assert told["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Failure"}
            assert set(answer.json()) == set(document["components"]["schemas"]["Failure"]["required"])
    assert "securitySchemes" not in create_app(classifier).openapi()["components"]


def test_the_page_is_at_the_root(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert client.get("/app.js").status_code == 200
    assert client.get("/../app.py").status_code == 404
