"""HTTP connections that may not dawdle."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 65_536  # of a request line with its headers, or of anything else that is no body
HEAD_SECONDS = 10.0  # from a connection, or a request's first byte, to the end of the headers


class Protocol(HttpToolsProtocol):
    """uvicorn's, which would keep headers without end, and wait for them without end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._not_body = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._not_body += len(data)
        super().data_received(data)
        if self._not_body > HEAD_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        self._headers_came()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._not_body = 0
        super().on_body(body)

    def _expect_headers(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _headers_came(self) -> None:
        self._not_body = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
