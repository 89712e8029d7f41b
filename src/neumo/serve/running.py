"""A server process: where it listens, and how it stops."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import secrets
import socket
import sys
import time
import warnings
from logging.handlers import MemoryHandler
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from neumo.errors import NeumoError
from neumo.serve.app import create_app
from neumo.serve.limits import Limits
from neumo.serve.protocol import Protocol

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier

CONNECTIONS = 1000  # at the same time; any more are answered that the server is busy
SHORTEST_TOKEN = 16  # characters; what `new_token` makes has 43


def new_token() -> str:
    """A token of 256 random bits."""
    return secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host of this name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def run(
    classifier: Classifier,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    token: str | None = None,
    hosts: tuple[str, ...] = (),
) -> None:
    """Serve a classifier until Ctrl-C or SIGTERM; what was taken by then is finished.

    Args:
        classifier: what predicts.
        host: address or name to listen at.
        port: 0 for any that is free.
        limits: what is taken on.
        token: what clients must bring; where others can reach `host` and none is given, one is made.
        hosts: further names that the server is reached by.

    Raises:
        NeumoError: the address is taken or not this machine's, the token is too short or cannot be sent, or a
            further name is none.
    """
    limits = limits or Limits()
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii()):
        expected = f"expected at least {SHORTEST_TOKEN} ASCII characters"
        raise NeumoError(f"token: got one that can be guessed, {expected}")
    if token is not None and (not token.isprintable() or token != token.strip()):
        got = "got one with white space at an end, or with a control character"
        raise NeumoError(f"token: {got}, expected what a client can send in a header")
    for name in hosts:
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            expected = "expected a name without scheme, port or path, as xray.example.org or xn--..."
            raise NeumoError(f"allow-host: got {name!r}, {expected}")
    shown = ""
    if token is None and not is_loopback(host):
        token = new_token()
        shown = f"#token={token}"  # what follows # is for the page alone; a browser sends it to nobody
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError, UnicodeError) as error:  # UnicodeError: no name at all, such as a..b
        number = getattr(error, "errno", None) or 0
        got = os.strerror(number).lower() if number > 0 else "no such address"
        expected = "expected a free port at an address of this machine"
        raise NeumoError(f"{host}:{port}: got {got}, {expected}") from None
    own_names = () if is_loopback(host) else (host, socket.gethostname(), socket.getfqdn())
    log = _start_log()
    app = create_app(classifier, limits, token, (*own_names, *hosts))
    config = uvicorn.Config(
        app,
        http=Protocol,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        ws="none",
        lifespan="on",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    address = f"[{host}]" if ":" in host else host
    url = f"http://{address}:{listening.getsockname()[1]}/"
    _Server(config, url + shown, limits.seconds, log).run(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn that, told to stop, first answers what it took while it refuses what is new."""

    def __init__(self, config: uvicorn.Config, url: str, grace: float, log: logging.Handler) -> None:
        super().__init__(config)
        self._log = log
        self._url = url
        self._grace = grace
        self._until = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"neumo: serving at {self._url}", file=sys.stderr)
        print("neumo: stop with Ctrl-C", file=sys.stderr, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        state = self.config.app.state  # type: ignore[union-attr]
        if state.draining:  # told again: at once
            self.should_exit = self.force_exit = True
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)  # of requests that are cut off
        state.draining = True
        self._until = time.monotonic() + self._grace

    async def on_tick(self, counter: int) -> bool:
        state = self.config.app.state  # type: ignore[union-attr]
        if state.draining and (not state.requests or time.monotonic() > self._until):
            self.should_exit = True
        self._log.flush()
        return await super().on_tick(counter)


def _start_log() -> logging.Handler:
    """Log to standard error; nothing that quotes a file: libraries warn with values from its header.

    Returns:
        What keeps lines until it is flushed, or Python ends: under load it is slow to write each by itself.
    """
    written = logging.StreamHandler()
    written.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    kept = MemoryHandler(1000, logging.WARNING, written)
    logging.basicConfig(handlers=[kept], level=logging.WARNING)
    logging.getLogger("neumo.serve").setLevel(logging.INFO)
    for chatty in ("PIL", "pydicom", "pylibjpeg", "python_multipart"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
    return kept
