"""HTTP connections that may not dawdle."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 65_536  # of a request line with its headers, or of anything else that is no body
HEAD_SECONDS = 10.0  # from a connection, an answer, or a request's first byte to the end of the next headers
AHEAD = 32  # requests that may wait for an earlier one of their connection to be answered
WRITE_SECONDS = 30.0  # from an answer that the client does not take at once until it has taken nearly all

FULL = "neumo.full"
"""In a request's scope: whether it came while there were as many connections as there may be."""


class Protocol(HttpToolsProtocol):
    """uvicorn's, which would keep headers and requests, wait for them and hold answers without end.

    uvicorn itself would answer beyond ``limit_concurrency`` with text and without headers; here the
    application is told of it. It would also take a request with ``Upgrade``, as Java's HttpClient and ``curl
    --http2`` send it, for one without a body; here that header is passed over (RFC 9110, 7.8).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._not_body = 0
        self._late: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None
        self._most, self.limit_concurrency = self.limit_concurrency, None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        self._taken()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._not_body += len(data)
        self._unset_keepalive_if_required()
        while data and len(self.pipeline) <= AHEAD:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserError:
                self.logger.warning("Invalid HTTP request received.")
                self.send_400_response("got what is no HTTP request, expected one of HTTP/1.1")
                return
            except httptools.HttpParserUpgrade as upgrade:
                if not self._should_upgrade():  # CONNECT: what follows is for nobody
                    break
                data = self._head_without_upgrade() + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        if self._not_body > HEAD_BYTES or len(self.pipeline) > AHEAD:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        body = json.dumps({"error": msg}).encode()
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n".encode() + body)
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Whether uvicorn lets go of a request, here because it is read again without that header."""
        return any(name == b"upgrade" for name, _ in self.headers)

    def _head_without_upgrade(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        kept = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([method + b" " + self.url + b" HTTP/" + version, *kept, b"", b""])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # uvicorn waits without end for who sends anything after an answer: the rest of a body, an empty line
        if self.cycle.response_complete and not self.transport.is_closing():
            self._expect_headers()

    def on_headers_complete(self) -> None:
        self._headers_came()
        self.scope[FULL] = self._most is not None and len(self.connections) >= self._most  # type: ignore[literal-required]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._not_body = 0
        super().on_body(body)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taken()
        self._untaken = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _expect_headers(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _headers_came(self) -> None:
        self._not_body = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
