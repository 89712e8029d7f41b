"""What stands between the network and the API: who may ask, and what every answer carries."""

from __future__ import annotations

import asyncio
import functools
import hmac
import ipaddress
import logging
import time
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from neumo.serve import protocol
from neumo.serve.limits import Refused
from neumo.serve.metrics import Metrics

log = logging.getLogger("neumo.serve")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

RECEIVED = "neumo.received"
"""In a request's scope: whether all of its body has come."""

LARGE = 65_536
"""Bytes of an answer whose request is not over before the client has taken it."""

SAFE = ("GET", "HEAD", "OPTIONS")
PRIVATE = ("/api/", "/metrics")
"""What asks for the token where there is one; the page itself holds nothing that is secret."""


class Guard:
    """ASGI middleware around the whole application.

    - Host: names that this server does not have are refused, which stops DNS rebinding; addresses are let
      through, as nobody can point a name's pages at an address that is not in the address bar.
    - Origin: a page of another site may not post, with or without a token.
    - The token is compared in constant time.
    - A fault of the application becomes an answer that says nothing of its cause.
    - HEAD is answered as GET, without the body.
    - Each request is counted, and logged by its route, never by its path, query or files.

    Args:
        app: what is guarded.
        metrics: where requests are counted.
        token: what ``Authorization: Bearer`` must bring; None asks for none.
        hosts: names, beside localhost, that the server is reached by.
        patience: bytes that a client may go on sending after it was refused.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, token: str | None, hosts: tuple[str, ...], patience: int
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.token = token
        self.patience = patience
        self.hosts = {"localhost", *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        start, status, state = time.perf_counter(), 0, scope["app"].state
        method = scope["method"]
        if method == "HEAD":
            scope = {**scope, "method": "GET"}

        async def receive_guarded() -> Message:
            message = await receive()
            scope[RECEIVED] = not message.get("more_body", False)
            return message

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if method == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.raw.extend(RAW_HEADERS)
                headers.setdefault("cache-control", "no-store")
                if state.draining or scope.get(protocol.FULL):
                    headers["connection"] = "close"
            elif len(message.get("body", b"")) > LARGE and not message.get("more_body"):
                await send({**message, "more_body": True})
                message = {"type": "http.response.body"}  # it waits until the client has taken nearly all
            await send(message)

        state.requests += 1
        try:
            self._check(scope)
            await self.app(scope, receive_guarded, send_guarded)
        except Refused as error:
            await self._refuse(Request(scope, receive_guarded), error, send_guarded)
        except ClientDisconnect:
            status = 499  # nobody reads an answer; the number is nginx' for this
        except Exception as error:
            where = error.__traceback__
            while where and where.tb_next:
                where = where.tb_next
            place = where.tb_frame.f_code.co_qualname if where else "unknown"
            log.error("a request failed: %s in %s", type(error).__name__, place)
            if not status:
                answer = JSONResponse({"error": "the server failed on this request"}, 500)
                await answer(scope, receive_guarded, send_guarded)
        finally:
            state.requests -= 1
            route = _route(scope)
            took = time.perf_counter() - start
            self.metrics.requests.labels(route, status).inc()
            self.metrics.seconds.labels(route).observe(took)
            log.info("%s %s %d %.0f ms", method, route, status, 1000 * took)

    async def _refuse(self, request: Request, error: Refused, send: Send) -> None:
        """Answer a request that is not done.

        The client is let finish sending, for a moment, so that it reads the answer instead of a closed door.
        Where it closes after the answer, it is held open as long as `Protocol` leaves it open elsewhere.
        """
        self.metrics.refused.labels(error.reason).inc()
        await self._throw_away(request, 1)
        last = (
            request.scope.get("http_version") == "1.0"
            or "close" in request.headers.get("connection", "").lower()
        )

        async def send_held(message: Message) -> None:
            if last and message["type"] == "http.response.body":
                await send({**message, "more_body": True})
                await self._throw_away(request, protocol.HEAD_SECONDS)
                message = {"type": "http.response.body"}
            await send(message)

        answer = JSONResponse({"error": error.message}, error.status, error.headers)
        await answer(request.scope, request.receive, send_held)

    async def _throw_away(self, request: Request, seconds: float) -> None:
        """Take what a client goes on sending."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                left = self.patience
                while left > 0 and not request.scope.get(RECEIVED):
                    left -= len((await request.receive()).get("body", b""))

    def _check(self, scope: Scope) -> None:
        if scope.get(protocol.FULL):
            raise Refused.busy()
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._known(host):
            raise Refused(
                421, "got another host name, expected one of this server's (neumo serve --allow-host)", "host"
            )
        if scope["method"] not in SAFE:
            origin = headers.get("origin")
            foreign = headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
            if foreign or (origin is not None and origin.partition("://")[2].lower() != host.lower()):
                raise Refused(403, "got a request from a page of another site", "origin")
        path = scope["path"]
        if self.token is not None and path.startswith(PRIVATE):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip(" ").encode("latin-1", "replace"), self.token.encode())
            if not right or scheme.lower() != "bearer":
                told = "expected the header Authorization: Bearer TOKEN with this server's token"
                raise Refused(401, told, "token", {"WWW-Authenticate": "Bearer"})
        if scope["app"].state.draining and path.startswith("/api/"):
            raise Refused(503, "the server is stopping", "stopping", {"Retry-After": "5"})

    def _known(self, host: str) -> bool:
        name = _name(host)
        return name is None or name in self.hosts


@functools.lru_cache(64)
def _name(host: str) -> str | None:
    """The name in a Host header, "" where it has none; None where it has an address."""
    name = ""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        ipaddress.ip_address(name)
    except ValueError:
        return name
    return None


def _route(scope: Scope) -> str:
    """What a request asks for, done or refused, in words that say nothing of it: a route's path or "page"."""
    for route in scope["app"].routes:
        if route.matches(scope)[0] is not Match.NONE:
            return route.path or route.name
    return "other"
