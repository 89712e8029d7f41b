"""What is more than the server takes on is refused in one line, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from neumo.classifier.classifier import Classifier
from neumo.serve.app import create_app
from neumo.serve.limits import Limits
from tests.serve.conftest import drawn, sent


@contextmanager
def serving(classifier: Classifier, **limits: Any) -> Iterator[TestClient]:
    with TestClient(create_app(classifier, Limits(**limits)), "http://localhost") as client:
        yield client
        assert counted(client, "neumo_queue_images") == 0
        assert counted(client, "neumo_held_bytes") == 0


def counted(client: TestClient, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name + " ")).split()[-1])


def refused(answer: httpx2.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def chunks_read(
    client: TestClient, headers: dict[str, str], start: bytes = b"", pause: float = 0
) -> tuple[int, int]:
    """Send a body without end, 10 kB at a time; the status, and how often the server came for more."""
    asked, status = 0, 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": start if asked == 1 else bytes(10_000), "more_body": True}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    raw = [(name.encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()]
    scope = {"type": "http", "method": "POST", "path": "/api/predict", "query_string": b"", "headers": raw}
    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)
    return status, asked


FORM = {"content-type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'


def test_a_file_too_large_is_refused_while_it_comes(classifier: Classifier) -> None:
    with serving(classifier, file_bytes=100_000, request_bytes=1_000_000) as client:
        png = {"content-type": "image/png"}
        refused(client.post("/api/predict", content=drawn(0) * 9, headers=png), 413, "100,000 bytes")
        for headers, start in ((png, b""), (FORM, PART)):
            status, asked = chunks_read(client, headers, start)
            assert status == 413
            assert 50 < asked < 150  # ten until it is too large, then 1 MB that is thrown away
        assert client.post("/api/predict", files=sent(drawn(0))).status_code == 200


def test_a_request_too_large(classifier: Classifier) -> None:
    with serving(classifier, request_bytes=100_000) as client:
        files = sent(*[drawn(0)] * 5)
        refused(client.post("/api/predict", files=files), 413, "request of more than 100,000 bytes")
        png = {"content-type": "image/png"}
        status, asked = chunks_read(client, png)
        assert (status, asked < 30) == (413, True)
        status, told = chunks_read(client, {**png, "content-length": "100001"})
        assert (status, told < asked - 5) == (413, True)  # not read first, only to be thrown away


def test_too_many_files(classifier: Classifier) -> None:
    with serving(classifier, files=3) as client:
        refused(client.post("/api/predict", files=sent(*[drawn(0)] * 4)), 413, "more than 3 files")
        assert client.post("/api/predict", files=sent(*[drawn(0)] * 3)).status_code == 200


def test_a_decompression_bomb_is_not_decoded(classifier: Classifier) -> None:
    with serving(classifier, pixels=1_000_000) as client:
        file = io.BytesIO()
        Image.new("L", (1001, 1000)).save(file, "PNG")
        (one,) = client.post("/api/predict", files=sent(file.getvalue())).json()["predictions"]
        assert one["error"] == "got PNG of 1001 x 1000 pixels, expected at most 1,000,000 pixels"


def test_no_room_in_memory(classifier: Classifier) -> None:
    png, data = {"content-type": "image/png"}, drawn(0)
    with (
        serving(classifier, held_bytes=len(data) * 3 // 2) as client,
        ThreadPoolExecutor(1) as pool,
        unread(client) as go_on,
    ):
        first = pool.submit(client.post, "/api/predict", content=data, headers=png)
        wait_for(client, 1)
        while not counted(client, "neumo_held_bytes"):
            time.sleep(0.01)
        answer = client.post("/api/predict", content=data, headers=png)
        refused(answer, 429, "busy")
        assert answer.headers["retry-after"] == "1"
        assert counted(client, 'neumo_refused_total{reason="busy"}') == 1
        go_on()
        assert first.result().status_code == 200


def test_more_than_all_the_memory_is_not_worth_trying_again(classifier: Classifier) -> None:
    with serving(classifier, held_bytes=50_000) as client:
        answer = client.post("/api/predict", files=sent(*[drawn(0)] * 9))
        refused(answer, 413, "request of more than 50,000 bytes")
        status, asked = chunks_read(client, FORM, PART)
        assert (status, asked > 3) == (413, True)
        assert client.get("/api/limits").json()["request_bytes"] == 50_000


@contextmanager
def held_up(client: TestClient) -> Iterator[Callable[[], None]]:
    """Let nothing be computed until the function that this gives is called."""
    door, batching = threading.Event(), client.app.state.batching  # type: ignore[attr-defined]
    examine = batching._examine

    def late(*given: Any) -> Any:
        assert door.wait(20)
        return examine(*given)

    batching._examine = late
    yield door.set
    door.set()


@contextmanager
def unread(client: TestClient) -> Iterator[Callable[[], None]]:
    """Let no file be read until the function that this gives is called."""
    door, batching = threading.Event(), client.app.state.batching  # type: ignore[attr-defined]
    for _ in range(os.cpu_count() or 1):
        batching.readers.submit(door.wait, 20)
    yield door.set
    door.set()


def wait_for(client: TestClient, images: int) -> None:
    until = time.monotonic() + 20
    while counted(client, "neumo_queue_images") != images:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_full_queue_refuses_instead_of_growing(classifier: Classifier) -> None:
    with serving(classifier, queue=4) as client, ThreadPoolExecutor(8) as pool, held_up(client) as go_on:
        first = [pool.submit(client.post, "/api/predict", files=sent(drawn(i))) for i in range(4)]
        wait_for(client, 4)
        answer = client.post("/api/predict", files=sent(drawn(9)))
        refused(answer, 429, "busy")
        assert int(answer.headers["retry-after"]) > 0
        assert client.get("/health").status_code == 200
        go_on()
        assert [one.result().status_code for one in first] == [200] * 4
        assert client.post("/api/predict", files=sent(drawn(9))).status_code == 200


def test_a_request_that_takes_too_long(classifier: Classifier) -> None:
    with serving(classifier, seconds=0.3) as client, held_up(client) as go_on:
        refused(client.post("/api/predict", files=sent(drawn(0), drawn(1))), 503, "0.3 s")
        assert counted(client, "neumo_queue_images") == 2  # still there: they are being computed
        go_on()
        wait_for(client, 0)


def test_a_heat_map_that_takes_too_long(classifier: Classifier) -> None:
    with serving(classifier, seconds=0.3) as client, unread(client) as go_on:
        refused(client.post("/api/explain", files=sent(drawn(0))), 503, "0.3 s")
        go_on()
        wait_for(client, 0)


@pytest.mark.parametrize("headers", [FORM, {"content-type": "image/png"}])
def test_a_body_that_trickles_is_not_waited_for(classifier: Classifier, headers: dict[str, str]) -> None:
    start = time.monotonic()
    with serving(classifier, seconds=0.5) as client:
        status, asked = chunks_read(client, headers, PART if headers is FORM else b"", pause=0.1)
        assert status == 503
    assert 1 < asked < 40
    assert time.monotonic() - start < 20


def test_nothing_is_written_to_disk(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starlette's own parser spools files above 1 MB to disk."""

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    noise = np.random.default_rng(0).integers(0, 255, (1500, 1500), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert len(file.getvalue()) > 2_000_000
    with serving(classifier) as client:
        for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
            monkeypatch.setattr(tempfile, name, forbidden)
        monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", forbidden)
        for route in ("predict", "explain"):
            assert client.post(f"/api/{route}", files=sent(file.getvalue())).status_code == 200


@pytest.mark.parametrize(
    ("headers", "body", "status", "words"),
    [
        ({"content-type": "text/plain"}, b"x", 415, "expected multipart/form-data"),
        ({}, b"x", 415, "expected multipart/form-data"),
        ({"content-type": "image/png", "content-encoding": "gzip"}, b"x", 415, "content encoding"),
        ({**FORM, "content-encoding": "br"}, b"x", 415, "content encoding"),
        ({"content-type": "multipart/form-data"}, b"x", 400, "broken or truncated"),
        (FORM, b"x", 400, "broken or truncated"),
        (FORM, PART + b"12", 400, "broken or truncated"),
        (FORM, PART.replace(b'; filename="a"', b"") + b"1\r\n--x--\r\n", 422, "without files"),
        ({"content-type": f"multipart/form-data; boundary={'x' * 999}"}, b"x", 400, "broken or truncated"),
    ],
)
def test_a_body_that_is_none(
    classifier: Classifier, headers: dict[str, str], body: bytes, status: int, words: str
) -> None:
    with serving(classifier) as client:
        refused(client.post("/api/predict", content=body, headers=headers), status, words)


@pytest.mark.parametrize(
    "name",
    [
        "filename*=UTF-8''M%C3%BCller.png",
        "FileName*=utf-8''%FF",
        "filename*0=a; filename*1=b",
        'filename="a;\\"b.png"',
        'filename=""',
        'filename="M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller.png"',
    ],
)
def test_a_file_counts_however_its_name_is_written(classifier: Classifier, name: str) -> None:
    """urllib3 before 1.25, and with it requests, tells a name beyond ASCII in ``filename*`` alone."""
    body = b"".join(
        f'--x\r\nContent-Disposition: form-data; name="files"; {told}\r\n\r\n'.encode() + drawn(i) + b"\r\n"
        for i, told in enumerate((name, 'filename="b.png"'))
    )
    with serving(classifier) as client:
        told = client.post("/api/predict", content=body + b"--x--\r\n", headers=FORM).json()["predictions"]
        expected = client.post("/api/predict", files=sent(drawn(0), drawn(1))).json()["predictions"]
    assert told == expected


def test_a_compressed_body_is_not_told_to_be_no_picture(classifier: Classifier) -> None:
    """RFC 9110, 15.5.16: Accept-Encoding says what would have been taken."""
    png = {"content-type": "image/png"}
    with serving(classifier) as client:
        body, coding = gzip.compress(drawn(0)), {"content-encoding": "gzip"}
        answer = client.post("/api/predict", content=body, headers={**png, **coding})
        refused(answer, 415, "got a body with a content encoding, expected one as it is")
        assert answer.headers["accept-encoding"] == "identity"
        plain = client.post("/api/predict", content=drawn(0), headers={**png, "content-encoding": "Identity"})
        assert plain.status_code == 200
