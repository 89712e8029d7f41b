"""``neumo serve`` as a process: what it prints, what it logs, how it stops."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from neumo.classifier.classifier import Classifier
from tests.serve.conftest import drawn, sent


class Running:
    """A server process, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self.process = process
        self.said: list[str] = []
        for line in process.stderr:
            self.said.append(line)
            if found := re.search(r"serving at (http://\S+)", line):
                self.url = found[1]
                break
        else:
            pytest.fail("".join(self.said))
        self._listener = threading.Thread(target=lambda: self.said.extend(process.stderr or ()))
        self._listener.start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.split("/")[2].rsplit(":", 1)
        return host, int(port)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> str:
        """End it; all that it said."""
        self.process.send_signal(how)
        return self.ended()

    def ended(self) -> str:
        assert self.process.wait(30) == 0
        self._listener.join(30)
        return "".join(self.said)


@contextmanager
def serving(saved: Path, *options: str, **environment: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "neumo", "serve", str(saved), "--port", "0", *options]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def test_serves_and_stops(saved: Path, classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "zebra.png").write_bytes(drawn(5))
    with serving(saved) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.url)
        answer = httpx2.post(f"{server.url}api/predict", files=sent(drawn(5)))
        (one,) = answer.json()["predictions"]
        expected = classifier.predict(tmp_path / "zebra.png").probability
        assert one["probability"] == pytest.approx(expected, abs=1e-6)
        assert "server" not in answer.headers
        httpx2.get(f"{server.url}zebra.png?name=zebra")
        said = server.stop(signal.SIGINT)
        assert re.search(r"POST /api/predict 200 \d+ ms", said)
        assert "zebra" not in said
        assert "doe" not in said
        assert "Traceback" not in said
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(server.address)


def test_a_request_is_logged_at_once(saved: Path) -> None:
    with serving(saved) as server:
        httpx2.get(f"{server.url}health")
        until = time.monotonic() + 30
        while not any("GET /health 200" in line for line in server.said):
            assert time.monotonic() < until
            time.sleep(0.05)
        server.stop()


def test_sigterm_finishes_what_was_taken_and_refuses_what_is_new(saved: Path) -> None:
    data = drawn(3)
    told = ("Host: localhost", "Content-Type: image/png", f"Content-Length: {len(data)}", "", "")
    head = "\r\n".join(("POST /api/predict HTTP/1.1", *told))
    with serving(saved) as server, socket.create_connection(server.address) as taken:
        taken.sendall(head.encode() + data[:1000])
        second = http.client.HTTPConnection(*server.address)
        second.request("GET", "/ready")
        assert second.getresponse().read() == b'{"status":"ok"}'
        server.process.send_signal(signal.SIGTERM)
        while True:  # until the signal has arrived
            late = httpx2.post(f"{server.url}api/predict", files=sent(data))
            if late.status_code == 503:
                break
        assert late.json() == {"error": "the server is stopping"}
        assert late.headers["retry-after"] == "5"
        assert server.process.poll() is None
        taken.sendall(data[1000:])
        answer = http.client.HTTPResponse(taken)
        answer.begin()
        assert answer.status == 200
        assert b'"probability"' in answer.read()
        server.ended()


def test_a_second_signal_cuts_off_what_was_taken_without_a_traceback(saved: Path) -> None:
    told = ("Host: localhost", "Content-Type: image/png", "Content-Length: 1000", "", "")
    head = "\r\n".join(("POST /api/predict HTTP/1.1", *told))
    with serving(saved) as server, socket.create_connection(server.address) as taken:
        taken.sendall(head.encode())
        while not re.search(r'route="/api/limits"', httpx2.get(f"{server.url}metrics").text):
            httpx2.get(f"{server.url}api/limits")  # until the first request has surely arrived, too
        server.process.send_signal(signal.SIGTERM)
        while httpx2.get(f"{server.url}api/limits").status_code != 503:
            pass
        said = server.stop()
        assert "POST /api/predict" in said
        assert "Traceback" not in said


def test_elsewhere_than_loopback_a_token_is_made(saved: Path) -> None:
    with serving(saved, "--host", "0.0.0.0") as server:
        token = server.url.rpartition("#token=")[2]
        assert len(token) >= 43
        url = f"http://127.0.0.1:{server.address[1]}"
        assert httpx2.get(f"{url}/api/card").status_code == 401
        headers = {"authorization": f"Bearer {token}"}
        assert httpx2.get(f"{url}/api/card", headers=headers).status_code == 200
        server.stop()


def test_a_token_from_the_environment(saved: Path) -> None:
    token = "correct-horse-battery"
    with serving(saved, NEUMO_TOKEN=token) as server:
        url = server.url.partition("#")[0]
        assert httpx2.get(f"{url}api/card").status_code == 401
        assert httpx2.get(f"{url}api/card", headers={"authorization": f"Bearer {token}"}).status_code == 200
        assert token not in server.stop()  # who gave it knows it
