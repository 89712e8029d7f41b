"""The files of a request, read into memory as they arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from neumo.serve.limits import Admission, Refused, Upload, too_large

if TYPE_CHECKING:
    from starlette.requests import Request

EXPECTED = "expected multipart/form-data with files, or one file as image/* or application/dicom"


async def read_files(request: Request, admission: Admission, most: int) -> list[Upload]:
    """Read the files that a request brings, in order.

    Nothing is written to disk, reading stops at the first byte beyond a limit, and no file's name is kept.

    Args:
        request: a multipart form, each of whose parts with a file name is a file, or a bare file.
        admission: gives each file its place.
        most: files that the request may bring.

    Raises:
        Refused: another content type, a content encoding, no or too many files, too many bytes, a broken
            form, or no room.
    """
    limits = admission.limits
    kind, options = parse_options_header(request.headers.get("content-type"))
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.most_bytes:
        raise too_large("request", limits.most_bytes)
    if request.headers.get("content-encoding", "").lower() not in ("", "identity"):
        raise Refused(
            415,
            "got a body with a content encoding, expected one as it is",
            "content",
            {"Accept-Encoding": "identity"},  # RFC 9110, 15.5.16
        )
    if kind == b"multipart/form-data":
        files: _Bare = _Form(admission, most, options.get(b"boundary", b""))
    elif kind.startswith(b"image/") or kind == b"application/dicom":
        files = _Bare(admission)
    else:
        raise Refused(415, f"got another content type, {EXPECTED}", "content")
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limits.most_bytes:
                raise too_large("request", limits.most_bytes)
            files.feed(chunk)
        files.end()
    except BaseException:
        for upload in files.uploads:
            upload.close()
        raise
    for upload in files.uploads:
        upload.file.seek(0)
    return files.uploads


class _Bare:
    """A body that is one file."""

    def __init__(self, admission: Admission) -> None:
        self.uploads = [admission.admit()]

    def feed(self, chunk: bytes) -> None:
        self.uploads[0].write(chunk)

    def end(self) -> None:
        pass


class _Form(_Bare):
    """A body that is a multipart form (RFC 7578).

    Not by Starlette's own parser, which writes files of more than 1 MB to disk.
    """

    def __init__(self, admission: Admission, most: int, boundary: bytes) -> None:
        if not boundary or len(boundary) > 70:  # RFC 2046, 5.1.1
            raise _broken_form()
        self.uploads = []
        self._admission = admission
        self._most = most
        self._field, self._disposition = b"", b""
        self._current: Upload | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_begin": self._header,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )
        self._whole = False

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _broken_form() from error

    def end(self) -> None:
        if not self._whole:
            raise _broken_form()
        if not self.uploads:
            raise Refused(422, f"got a form without files, {EXPECTED}", "content")

    def _begin(self) -> None:
        self._current, self._disposition = None, b""

    def _header(self) -> None:
        self._field = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition += data[start:end]

    def _headers_finished(self) -> None:
        named = b"filename" in parse_options_header(self._disposition)[1]
        if not named and b"filename*" not in self._disposition.lower():  # which RFC 7578, 4.2 forbids
            return  # an ordinary field: let it pass by
        if len(self.uploads) == self._most:
            raise Refused(413, f"got more than {self._most} files, which is this request's limit", "files")
        self._current = self._admission.admit()
        self.uploads.append(self._current)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._current is not None:
            self._current.write(memoryview(data)[start:end])

    def _end(self) -> None:
        self._whole = True


def _broken_form() -> Refused:
    return Refused(400, "got a broken or truncated multipart form, expected a complete one", "content")
