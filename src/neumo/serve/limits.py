"""What a server takes on before it refuses."""

from __future__ import annotations

import io
import math
import threading
from dataclasses import dataclass

from neumo.errors import NeumoError

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What a server takes on; more is refused in one line, never queued without end.

    Attributes:
        request_bytes: of one request's body.
        file_bytes: of one file in it; the largest uncompressed radiographs have about 35 MiB.
        files: in one request.
        pixels: of one picture, looked up in its header before it is decoded; detectors have up to 20 million.
        seconds: from a request's first byte to its answer.
        queue: images that are taken in at the same time, of all requests together.
        held_bytes: of files that are held in memory at the same time, of all requests together.

    Raises:
        NeumoError: `seconds` is no finite number above 0.
    """

    request_bytes: int = 256 * MIB
    file_bytes: int = 64 * MIB
    files: int = 64
    pixels: int = 40_000_000
    seconds: float = 60.0
    queue: int = 256
    held_bytes: int = 512 * MIB

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise NeumoError(f"timeout: got {self.seconds} seconds, expected a finite number above 0")

    @property
    def most_bytes(self) -> int:
        """Of a request that can be taken when there is no other."""
        return min(self.request_bytes, self.held_bytes)

    @property
    def most_files(self) -> int:
        """Of a request that can be taken when there is no other."""
        return min(self.files, self.queue)


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A request that the server does not do.

    Args:
        status: of the HTTP answer.
        message: one line for the client, with nothing in it that came from a file.
        reason: one word, counted in the metrics.
        headers: of the HTTP answer, such as Retry-After.
    """

    def __init__(self, status: int, message: str, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason
        self.headers = headers or {}

    @classmethod
    def busy(cls) -> Refused:
        """The server is full for now."""
        return cls(429, "the server is busy; try again in a moment", "busy", {"Retry-After": "1"})


class Admission:
    """Count what is in memory, of all requests together; safe between threads."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.images = 0
        self.bytes = 0
        self._lock = threading.Lock()

    def admit(self) -> Upload:
        """A new file in memory, still empty.

        Raises:
            Refused: 429, the queue is full.
        """
        with self._lock:
            if self.images >= self.limits.queue:
                raise Refused.busy()
            self.images += 1
        return Upload(self)

    def hold(self, size: int) -> None:
        """Count `size` more bytes.

        Raises:
            Refused: 429, there is no room for them.
        """
        with self._lock:
            if self.bytes + size > self.limits.held_bytes:
                raise Refused.busy()
            self.bytes += size

    def release(self, images: int, size: int) -> None:
        """Count that so much is gone."""
        with self._lock:
            self.images -= images
            self.bytes -= size


class Upload:
    """One file of a request, in memory only; it keeps its place in the queue until it is closed."""

    def __init__(self, admission: Admission) -> None:
        self.file = io.BytesIO()
        self._admission = admission
        self._size = 0
        self._open = True

    def write(self, data: bytes | memoryview) -> None:
        """Add what has arrived.

        Raises:
            Refused: 413, the file is too large; 429, there is no room.
        """
        limit = self._admission.limits.file_bytes
        if self._size + len(data) > limit:
            raise too_large("file", limit)
        self._admission.hold(len(data))
        self._size += len(data)
        self.file.write(data)

    def drop(self) -> None:
        """Let go of the file; its place in the queue stays."""
        self.file = io.BytesIO()
        self._admission.release(0, self._size)
        self._size = 0

    def close(self) -> None:
        """Let go of the file and its place; again does nothing."""
        if self._open:
            self._open = False
            self.drop()
            self._admission.release(1, 0)


def too_large(what: str, limit: int) -> Refused:
    """The answer to a file or a request of more bytes than `limit`."""
    return Refused(413, f"got a {what} of more than {limit:,} bytes, which is this server's limit", "size")
