"""``neumo serve`` told what it cannot do: one line that says what was got and what was expected."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neumo.classifier.classifier import Classifier
from neumo.errors import NeumoError
from neumo.serve.limits import Limits
from tests.cli.here import neumo_here


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that loads as a classifier; no server gets as far as using it."""
    nothing: Any = None
    monkeypatch.setattr("neumo.classifier.classifier.load", lambda _: Classifier({}, nothing, nothing, b""))
    return Path("any.neumo")


def serve(model: Path, **options: Any) -> None:
    from neumo.cli.serve import serve

    serve(model, **options)


def test_a_port_that_is_taken(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(NeumoError, match=f"^127.0.0.1:{port}: got .* in use, expected a free port"):
            serve(model, port=port)


@pytest.mark.parametrize("host", ["203.0.113.9", "no-such-host.invalid", "a..b"])
def test_an_address_of_another_machine(model: Path, host: str) -> None:
    with pytest.raises(NeumoError, match=f"^{host}:8000: got .*, expected .* address of this machine"):
        serve(model, host=host)


@pytest.mark.parametrize("token", ["", "short", "ñ" * 20])
def test_a_token_that_can_be_guessed(model: Path, token: str) -> None:
    with pytest.raises(NeumoError, match=r"^token: got one that can be guessed, expected at least 16"):
        serve(model, token=token)


@pytest.mark.parametrize("end", [" ", "\t", "\n", "\x7f"])
def test_a_token_that_no_client_can_send(model: Path, end: str) -> None:
    with pytest.raises(
        NeumoError, match=r"^token: got one with white space .*, expected what a client can send"
    ):
        serve(model, token="correct-horse-battery" + end)


@pytest.mark.parametrize(
    "name", ["", "https://xray.example", "xray.example:443", "xray.example/", "clínica.example"]
)
def test_a_name_that_no_request_can_have(model: Path, name: str) -> None:
    with pytest.raises(
        NeumoError, match=r"^allow-host: got '.*', expected a name without scheme, port or path"
    ):
        serve(model, allow_host=["fine.example", name])


@pytest.mark.parametrize("seconds", ["inf", "nan", "-1", "0"])
def test_a_time_that_never_ends(seconds: str, model: Path) -> None:
    with pytest.raises(NeumoError, match=r"^timeout: got .* seconds, expected a finite number above 0$"):
        serve(model, timeout=float(seconds), host="no-such-host.invalid")
    run = neumo_here("serve", "any.neumo", "--timeout", seconds, "--host", "no-such-host.invalid")
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert "timeout" in run.stderr


@pytest.mark.parametrize(
    "missing", ["fastapi", "httptools", "uvicorn", "python_multipart", "prometheus_client"]
)
def test_what_is_not_installed(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv[1:] = ['serve', 'x.neumo']; "
        "import neumo.cli; neumo.cli.main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    expected = f"neumo: serve: got no {missing}, expected what a server needs; pip install 'neumo[serve]'\n"
    assert run.stderr == expected


def test_a_file_that_is_no_classifier(tmp_path: Path) -> None:
    with pytest.raises(NeumoError, match="got no such file, expected a classifier"):
        serve(tmp_path / "nowhere.neumo")


def test_what_is_asked_for_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("neumo.serve.running.run", lambda model, **given: asked.append(given))
    monkeypatch.setenv("NEUMO_TOKEN", "correct-horse-battery")
    limits = ("--max-files", 3, "--max-file-mb", 1, "--max-request-mb", 2, "--max-memory-mb", 4)
    more = ("--max-pixels", 999, "--max-queue", 7, "--timeout", 1.5)
    names = ("--allow-host", "a.example", "--allow-host", "b.example")
    assert neumo_here("serve").returncode == 0
    assert neumo_here("serve", "--host", "::1", "--port", 0, *names, *limits, *more).returncode == 0
    by_default, other = asked
    assert by_default == {
        "host": "127.0.0.1",
        "port": 8000,
        "limits": Limits(),
        "token": "correct-horse-battery",
        "hosts": (),
    }
    assert (other["host"], other["port"], other["hosts"]) == ("::1", 0, ("a.example", "b.example"))
    assert other["limits"] == Limits(
        request_bytes=2_097_152,
        file_bytes=1_048_576,
        files=3,
        pixels=999,
        seconds=1.5,
        queue=7,
        held_bytes=4_194_304,
    )
