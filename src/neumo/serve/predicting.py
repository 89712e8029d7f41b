"""The routes that take radiographs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.params import Depends
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from neumo.errors import NeumoError, UnreadableImageError
from neumo.images.checks import MEANING
from neumo.serve import answers
from neumo.serve.batching import Examined
from neumo.serve.explaining import explain, in_base64
from neumo.serve.limits import Admission, Refused
from neumo.serve.metrics import Metrics
from neumo.serve.uploads import read_files

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier
    from neumo.classifier.findings import Finding


def add_predicting(
    app: FastAPI, classifier: Classifier, admission: Admission, metrics: Metrics, lock: Sequence[Depends]
) -> None:
    """Add /api/predict and /api/explain, which `lock` tells to need the token."""
    limits, card, identity = admission.limits, classifier.card, classifier.identity
    failures = answers.failures(*([401] if lock else []), 400, 403, 413, 415, 422, 503)

    def scored(index: int, examined: Examined) -> dict[str, Any]:
        metrics.images.labels("scored").inc()
        finding = examined.finding
        return {
            "index": index,
            "probability": finding.probability,
            "decision": classifier.decision(finding.probability),
            "warnings": finding.warnings,
            "distance": finding.distance,
            "width": examined.width,
            "height": examined.height,
        }

    def told(*findings: Finding) -> dict[str, Any]:
        """What every answer with a prediction carries."""
        warnings = dict.fromkeys(name for finding in findings for name in finding.warnings)
        return {
            "notice": card["notice"],
            "positive": card["positive"],
            "threshold": classifier.threshold,
            "classifier": identity,
            "meaning": {name: MEANING.get(name, name) for name in warnings},
        }

    def unreadable(error: BaseException) -> str:
        """Without the file's name and without what a decoder quotes of its header."""
        if not isinstance(error, UnreadableImageError):
            raise error
        metrics.images.labels("unreadable").inc()
        return f"got {error.got}, expected {error.expected}"

    async def predict(request: Request) -> Response:
        """Send a multipart form with any number of files, or one file as it is. A file that cannot be read
        gets an error in its place; the others are examined all the same.
        """
        async with _in_time(limits.seconds):
            uploads = await read_files(request, admission, limits.most_files)
            futures = [app.state.batching.examine(upload) for upload in uploads]
            found = await asyncio.gather(*map(asyncio.wrap_future, futures), return_exceptions=True)
        entries = [
            scored(i, one) if isinstance(one, Examined) else {"index": i, "error": unreadable(one)}
            for i, one in enumerate(found)
        ]
        findings = [one.finding for one in found if isinstance(one, Examined)]
        return JSONResponse({**told(*findings), "predictions": entries})

    async def explain_one(request: Request) -> Response:
        """Send one file. JSON carries the radiograph, so that a browser can show DICOM, with its heat map and
        prediction; ``Accept: image/png`` asks for the heat map alone.
        """
        async with _in_time(limits.seconds):
            (upload,) = await read_files(request, admission, 1)
            reading = app.state.batching.readers.submit(explain, classifier, upload, limits.pixels)
            reading.add_done_callback(lambda _: upload.close())
            try:
                found = await asyncio.wrap_future(reading)
            except UnreadableImageError as error:
                raise Refused(422, unreadable(error), "unreadable") from error
            except NeumoError as error:
                raise Refused(422, str(error), "unexplainable") from error
        prediction = scored(0, found.examined)
        if wants_png(request.headers.get("accept", "")):
            return _Held(found.heat, "image/png", admission)
        answer = {
            **told(found.examined.finding),
            "prediction": prediction,
            "radiograph": in_base64(found.radiograph),
            "heat": in_base64(found.heat),
        }
        return _Held(JSONResponse(answer).body, "application/json", admission)

    posted: dict[str, Any] = {"methods": ["POST"], "dependencies": lock, "route_class_override": _Direct}
    app.router.add_api_route(
        "/api/predict",
        predict,
        summary="Probability and decision of one or many radiographs",
        response_model=answers.Predictions,
        responses=failures,
        openapi_extra={"requestBody": body(limits.most_files)},
        **posted,
    )
    png = {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
    app.router.add_api_route(
        "/api/explain",
        explain_one,
        summary="Heat map of one radiograph",
        response_model=answers.Explanation,
        responses={**failures, 200: png},
        openapi_extra={"requestBody": body(1)},
        **posted,
    )


def body(most: int) -> dict[str, Any]:
    """What a request with up to `most` files may bring, for the OpenAPI document."""
    file = {"type": "string", "format": "binary"}
    files = {"type": "array", "items": file, "minItems": 1, "maxItems": most}
    form = {"type": "object", "properties": {"files": files}, "required": ["files"]}
    kinds = {"multipart/form-data": form, "image/*": file, "application/dicom": file}
    return {"required": True, "content": {kind: {"schema": schema} for kind, schema in kinds.items()}}


class _Direct(APIRoute):
    """A route whose function FastAPI tells of, and calls with the request as it is.

    What FastAPI does besides, which is nothing here, would take a tenth of the time of reading a radiograph.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


class _Held(Response):
    """A large answer, which counts as held in memory until its client has taken it."""

    def __init__(self, body: bytes | memoryview, kind: str, admission: Admission) -> None:
        super().__init__(body, media_type=kind)
        self._admission = admission
        self._size = min(len(body), admission.limits.held_bytes)
        admission.hold(self._size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._admission.release(0, self._size)


def wants_png(accept: str) -> bool:
    """Whether a client would rather have a PNG than JSON (RFC 9110, 12.5.1)."""

    def rank(*ranges: str) -> tuple[float, int]:
        """Quality that the most specific of the ranges, the last one, was given, and its place."""
        found = (0.0, 0)
        for place, name in enumerate(ranges):
            if name in given:
                found = (given[name], place) if given[name] else (0.0, 0)
        return found

    given = {}
    for part in accept.lower().split(","):
        name, *parameters = (text.strip() for text in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        given[name] = float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality) else 0.0
    return rank("*/*", "image/*", "image/png") > rank("*/*", "application/*", "application/json")


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Refused(503, f"this took more than {seconds:g} s", "time", {"Retry-After": "5"}) from None
