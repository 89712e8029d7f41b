"""A client that holds a connection without a request is let go; one that sends a body slowly is not."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn

from neumo.serve import protocol

MUCH = 64 * 2**20
"""Bytes that are more than the system's buffers hold."""


async def full(scope: Any, receive: Any, send: Any) -> None:
    status = 429 if scope[protocol.FULL] else 200
    head = {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]}
    await send(head)
    await send({"type": "http.response.body"})


async def much(scope: Any, receive: Any, send: Any) -> None:
    length = [(b"content-length", str(MUCH).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": bytes(MUCH)})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    body += message.get("body", b"")
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(app: Any, **config: Any) -> Iterator[tuple[str, int]]:
    listening = socket.create_server(("127.0.0.1", 0))
    usual: dict[str, Any] = {"http": protocol.Protocol, "lifespan": "off", "log_config": None, "ws": "none"}
    server = uvicorn.Server(uvicorn.Config(app, **usual, **config))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    with serving(echo) as address:
        yield address


def answer(client: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    client.settimeout(20)
    parts = []
    try:
        while part := client.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_headers_that_do_not_come(address: tuple[str, int], start: bytes) -> None:
    with socket.create_connection(address) as client:
        client.sendall(start)
        assert answer(client) == b""


@pytest.mark.parametrize(
    ("fields", "late"),
    [
        (b"", b"\r\n"),
        (b"Content-Length: 9\r\n", b"x"),
        (b"Transfer-Encoding: chunked\r\n", b"1"),
    ],
    ids=["an-empty-line", "part-of-the-body", "part-of-a-chunk"],
)
def test_who_sends_a_little_after_an_answer_is_let_go(
    monkeypatch: pytest.MonkeyPatch, fields: bytes, late: bytes
) -> None:
    """Else a thousand such connections, which cost nothing to hold, would leave none to anybody else."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    with serving(full) as address, socket.create_connection(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
        client.sendall(late)
        assert answer(client) == b""


def test_headers_without_end(address: tuple[str, int]) -> None:
    sent = 0
    with socket.create_connection(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        try:
            for _ in range(5000):
                client.sendall(b"x" * 10_000)
                sent += 1
        except OSError:
            pass
        assert sent < 4000  # 40 MB; the system's buffers hold some of them
        assert answer(client) == b""


def test_trailers_without_end(address: tuple[str, int]) -> None:
    sent = 0
    with socket.create_connection(address) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
        try:
            for _ in range(5000):
                client.sendall(b"X: " + b"x" * 10_000 + b"\r\n")
                sent += 1
        except OSError:
            pass
    assert sent < 4000


@pytest.mark.parametrize("fields", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"])
@pytest.mark.parametrize("ahead", [20, 5000])
def test_requests_that_do_not_wait_for_answers(address: tuple[str, int], ahead: int, fields: bytes) -> None:
    """By itself, uvicorn reads on after each answer, and keeps whatever comes."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"
    with socket.create_connection(address) as client:
        try:
            for _ in range(0, ahead, 20):
                client.sendall(20 * request)
        except OSError:
            pass
        assert (answer(client).count(b"200 OK") == ahead) == (ahead == 20)


def test_a_slow_body_and_a_second_request(address: tuple[str, int]) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n"
    with socket.create_connection(address) as client:
        client.sendall(head + b"\r\n" + b"x" * 70_000)
        time.sleep(1)
        client.sendall(b"y" * 30_000)
        client.sendall(head + b"Connection: close\r\n\r\n" + b"z" * 100_000)
        found = answer(client)
    assert found.count(b"200 OK") == 2
    assert (found.count(b"x"), found.count(b"y"), found.count(b"z")) == (70_000, 30_000, 100_000)


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
@pytest.mark.parametrize("step", [1, 37, 10_000])
def test_an_upgrade_is_passed_over_and_the_body_read(
    address: tuple[str, int], framing: str, upgrade: str, step: int
) -> None:
    """As Java's HttpClient and ``curl --http2`` ask for it; RFC 9110, 7.8 leaves it to the server."""
    head = f"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n"
    fields, body = {
        "length": ("Content-Length: 5\r\n", "first"),
        "chunks": ("Transfer-Encoding: chunked\r\n", "2\r\nfi\r\n3\r\nrst\r\n0\r\n\r\n"),
    }[framing]
    after = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecond"
    request = (2 * (head + fields + "\r\n" + body) + after).encode()
    with socket.create_connection(address) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(request), step):
            client.sendall(request[i : i + step])
        bodies = [one.partition(b"\r\n\r\n")[2] for one in answer(client).split(b"HTTP/1.1 200 OK")]
    assert bodies == [b"", b"first", b"first", b"second"]


@pytest.mark.parametrize("fields", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"])
def test_a_tunnel_is_not_opened(address: tuple[str, int], fields: bytes) -> None:
    with socket.create_connection(address) as client:
        client.sendall(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n" + fields + b"\r\nGET / HTTP/1.1\r\n\r\n")
        assert answer(client).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /Lungen bild HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"a" * 160,
    ],
    ids=["a-space-in-the-target", "a-broken-chunk", "TLS"],
)
def test_what_is_no_http_is_told_so_in_json(address: tuple[str, int], request_: bytes) -> None:
    with socket.create_connection(address) as client:
        client.sendall(request_)
        told = http.client.HTTPResponse(client)
        told.begin()
        assert (told.status, told.headers.get_content_type()) == (400, "application/json")
        assert json.loads(told.read())["error"].startswith("got what is no HTTP request")
        assert told.headers["connection"] == "close"


@pytest.mark.parametrize("pause", [0.1, 3])
def test_who_does_not_take_an_answer_is_let_go(monkeypatch: pytest.MonkeyPatch, pause: float) -> None:
    monkeypatch.setattr(protocol, "WRITE_SECONDS", 1)
    with serving(much) as address, socket.create_connection(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(pause)
        taken = len(answer(client))
    assert (taken > MUCH) == (pause < 1)


def test_connections_beyond_the_limit_are_told_apart() -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    with serving(full, limit_concurrency=3) as address:
        with ExitStack() as stack:
            told = []
            for _ in range(4):
                client = stack.enter_context(socket.create_connection(address))
                client.sendall(request)
                told.append(client.recv(1000).split()[1])
            assert told == [b"200", b"200", b"429", b"429"]
        with socket.create_connection(address) as client:  # the others are gone
            until = time.monotonic() + 20
            while True:
                client.sendall(request)
                if client.recv(1000).split()[1] == b"200":
                    break
                assert time.monotonic() < until
