"""Who may ask, what every answer carries, and what is never told."""

from __future__ import annotations

import http.client
import io
import json
import logging
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.responses import StreamingResponse
from starlette.routing import Route

from neumo.classifier.classifier import Classifier
from neumo.serve.app import PAGE, create_app
from tests.serve.conftest import drawn, sent
from tests.serve.test_protocol import serving

TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def locked(classifier: Classifier) -> Iterator[TestClient]:
    with TestClient(
        create_app(classifier, token=TOKEN, hosts=("xray.example",)), "http://localhost"
    ) as client:
        yield client


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "10.1.2.3"])
def test_known_hosts(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1"]
)
def test_a_name_that_points_here_is_refused(client: TestClient, host: str) -> None:
    """DNS rebinding: a page of evil.example, whose name is made to point at this server."""
    for path in ("/", "/health", "/api/card"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 421
        assert "allow-host" in answer.json()["error"]


def test_names_of_ones_own(locked: TestClient) -> None:
    assert locked.get("/health", headers={"host": "XRAY.example:8000"}).status_code == 200
    assert locked.get("/health", headers={"host": "other.example"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # a program
        ({"origin": "http://localhost", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "https://localhost"}, 200),  # behind a proxy with TLS
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_pages_of_other_sites_may_not_post(client: TestClient, headers: dict[str, str], status: int) -> None:
    assert client.post("/api/predict", files=sent(drawn(0)), headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/api/card", "/api/operating-points", "/metrics"])
@pytest.mark.parametrize("given", [None, "", TOKEN, f"Bearer {TOKEN[:-1]}", "Bearer", "Bearer \xe9"])
def test_a_wrong_token_opens_nothing(locked: TestClient, path: str, given: str | None) -> None:
    headers = [] if given is None else [(b"authorization", given.encode("latin-1"))]
    answer = locked.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_the_token_opens(locked: TestClient) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert locked.get("/api/card", headers=headers).status_code == 200
    assert locked.post("/api/predict", files=sent(drawn(0)), headers=headers).status_code == 200
    assert locked.post("/api/predict", files=sent(drawn(0))).status_code == 401
    assert locked.post("/api/explain", files=sent(drawn(0))).status_code == 401
    for path in ("/", "/health", "/ready", "/openapi.json"):
        assert locked.get(path).status_code == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_case_of_the_scheme_does_not_matter(locked: TestClient, scheme: str) -> None:
    """RFC 9110, 11.1 and 11.4: nor do further spaces after it."""
    assert locked.get("/api/card", headers={"authorization": f"{scheme} {TOKEN}"}).status_code == 200
    assert locked.get("/api/card", headers={"authorization": f"Basic {TOKEN}"}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/none", 404), ("PUT", "/api/predict", 405), ("POST", "/", 405), ("POST", "/api/predict", 421)],
)
def test_who_is_refused_can_read_the_answer(
    classifier: Classifier, method: str, path: str, status: int
) -> None:
    """In HTTP/1.0, as of a proxy: a connection that is closed before all of a body was read is reset."""
    much = 8 * 2**20  # more than the system's buffers hold
    with serving(create_app(classifier)) as address, socket.create_connection(address) as client:
        client.settimeout(20)
        host = "localhost" if status != 421 else "evil.example"
        head = f"{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {much}\r\n"
        client.sendall(f"{head}Content-Type: image/png\r\n\r\n".encode() + bytes(much))
        told = http.client.HTTPResponse(client)
        told.begin()
        assert (told.status, list(json.loads(told.read()))) == (status, ["error"])
        assert client.recv(1) == b""


@pytest.mark.parametrize("kind", ["HTTP/1.0", "HTTP/1.1"])
def test_who_sends_slowly_is_not_shut_out_before_the_answer(classifier: Classifier, kind: str) -> None:
    """Python's urllib, which closes after each request, reads an answer only once it has sent its body."""
    app = create_app(classifier, token=TOKEN)
    with serving(app) as address, socket.create_connection(address) as client:
        client.settimeout(20)
        head = (
            f"POST /api/predict {kind}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 6000000\r\n"
        )
        client.sendall(f"{head}Content-Type: image/png\r\n\r\n".encode())
        for _ in range(20):
            client.sendall(bytes(300_000))
            time.sleep(0.1)
        told = http.client.HTTPResponse(client)
        told.begin()
        assert (told.status, list(json.loads(told.read()))) == (401, ["error"])
        assert client.recv(1) == b""


def test_every_answer_carries_security_headers(client: TestClient) -> None:
    answers = [
        client.get("/"),
        client.get("/api/card"),
        client.get("/nowhere"),
        client.get("/health", headers={"host": "evil.example"}),
        client.post("/api/predict", content=b""),
        client.post("/api/predict", files=sent(drawn(0))),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy  # no other host
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


def test_the_page_keeps_to_its_policy() -> None:
    """Nothing inline, and nothing from other hosts."""
    html = (PAGE / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)
    for file in PAGE.rglob("*"):
        if file.suffix in (".html", ".css", ".js"):
            assert not re.search(
                r"""(src|href|url\(|import|fetch\()\s*=?\s*['"(]?(https?:)?//""", file.read_text()
            )


def with_patient(whole: bool) -> bytes:
    text, file = PngInfo(), io.BytesIO()
    text.add_text("Patient", "ZEBRA^PATIENT")
    Image.new("L", (300, 300), 9).save(file, "PNG", pnginfo=text)
    return file.getvalue() if whole else file.getvalue()[:-40].replace(b"tEXt", b"tEXtZEBRA")


def test_logs_and_answers_name_no_file_or_patient(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    files = [("files", ("ZEBRA.png", with_patient(whole), "image/png")) for whole in (True, False)]
    told = client.post("/api/predict?patient=ZEBRA", files=files)
    assert [("error" in one) for one in told.json()["predictions"]] == [False, True]
    client.get("/ZEBRA.png?name=ZEBRA")
    client.post("/api/explain", files=files[1:])
    client.head("/")
    client.app.state.draining = True  # type: ignore[attr-defined]
    client.post("/api/predict", files=files)
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("neumo")]
    assert any(re.fullmatch(r"POST /api/predict 200 \d+ ms", line) for line in logged)
    assert any(re.fullmatch(r"GET other 404 \d+ ms", line) for line in logged)
    assert any(re.fullmatch(r"HEAD page 200 \d+ ms", line) for line in logged)
    assert any(re.fullmatch(r"POST /api/predict 503 \d+ ms", line) for line in logged)
    assert not any("ZEBRA" in line for line in logged)
    assert "ZEBRA" not in told.text


def test_a_fault_says_nothing_of_its_cause(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("ZEBRA^PATIENT")

    monkeypatch.setattr("neumo.serve.predicting.read_files", fails)
    answer = client.post("/api/predict", files=sent(drawn(0)))
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed on this request"}
    assert any("RuntimeError" in record.getMessage() for record in caplog.records)
    assert "ZEBRA" not in caplog.text


def test_a_fault_within_an_answer_begins_no_other(client: TestClient) -> None:
    """HTTP has one status per answer; the server would fail on a second, and log more than it may."""

    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError

    app: Any = client.app
    app.router.routes.insert(0, Route("/half", lambda _: StreamingResponse(half())))
    answer = client.get("/half")
    assert (answer.status_code, answer.content) == (200, b"half")


def test_a_fault_of_the_network_is_one_of_the_server(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A batch that cannot be computed is answered and logged, and the next one is computed."""
    batching = client.app.state.batching  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:
        patched.setattr(batching, "_examine", lambda *_: 1 / 0)
        assert client.post("/api/predict", files=sent(drawn(0))).status_code == 500
    assert "computing a batch failed: ZeroDivisionError" in caplog.text
    assert client.post("/api/predict", files=sent(drawn(0))).status_code == 200
    metrics = client.get("/metrics").text
    assert "neumo_queue_images 0.0" in metrics
