"""The web application around one classifier."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.params import Depends
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from starlette.types import Scope

from neumo import __version__
from neumo.features.backbones import SIZE
from neumo.serve import answers
from neumo.serve.batching import Batching
from neumo.serve.guard import Guard
from neumo.serve.limits import Admission, Limits, Refused
from neumo.serve.metrics import Metrics
from neumo.serve.predicting import add_predicting
from neumo.serve.telling import add_telling

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier

PAGE = Path(__file__).with_name("page")


def create_app(
    classifier: Classifier,
    limits: Limits | None = None,
    token: str | None = None,
    hosts: tuple[str, ...] = (),
) -> FastAPI:
    """Make the application: the page at /, the API below /api.

    Args:
        classifier: what predicts.
        limits: what is taken on; None for the defaults.
        token: asked for by the API and the metrics; None asks for none, which is for loopback only.
        hosts: names that the server is reached by, beside localhost and its addresses.

    Returns:
        An ASGI application. Once ``app.state.draining`` is true it takes nothing more; ``app.state.requests``
        are still being answered.

    Example:
        >>> uvicorn.run(create_app(neumo.load("classifier.neumo")), host="127.0.0.1")
    """
    limits = limits or Limits()
    admission = Admission(limits)
    metrics = Metrics(admission)
    bearer = HTTPBearer(scheme_name="token", description="The server's token.", auto_error=False)
    lock = [] if token is None else [Depends(bearer)]  # for the document alone: the guard checks it
    app = FastAPI(
        title="neumo",
        version=__version__,
        description=f"{classifier.card['name']}. {classifier.card['notice']}",
        lifespan=lambda app: _running(app, classifier, limits, metrics),
        docs_url=None,  # it would load its scripts from another host
        redoc_url=None,
        redirect_slashes=False,
        responses=answers.failures(421, 429, 500),
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.state.ready, app.state.draining, app.state.requests = False, False, 0
    app.add_middleware(Guard, metrics=metrics, token=token, hosts=hosts, patience=limits.request_bytes)
    app.add_exception_handler(HTTPException, _not_here)
    add_predicting(app, classifier, admission, metrics, lock)
    add_telling(app, classifier, limits, metrics, lock)
    app.router.routes.append(_Page())
    return app


class _Page(Mount):
    """The page's files alone, so that another method for a path of the API is told from an unknown path."""

    def __init__(self) -> None:
        super().__init__("/", StaticFiles(directory=PAGE, html=True), name="page")
        self._paths = {"/", *(f"/{file.name}" for file in PAGE.iterdir())}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if scope["path"] in self._paths else (Match.NONE, {})


@asynccontextmanager
async def _running(
    app: FastAPI, classifier: Classifier, limits: Limits, metrics: Metrics
) -> AsyncIterator[None]:
    """Threads and a compiled network while the application runs."""
    batch, at_once = await asyncio.to_thread(lambda: (classifier.batch, classifier.at_once))  # it compiles
    app.state.batching = batching = Batching(
        classifier.examine,
        batch=batch,
        workers=at_once + 1,  # one is filled, or its findings are written, while the others are computed
        readers=os.cpu_count() or 1,
        max_pixels=limits.pixels,
        told=metrics.batch.observe,
    )
    grey = np.full((1, SIZE, SIZE), 128, np.uint8)
    await asyncio.to_thread(classifier.examine, grey)  # one image is computed by another network
    app.state.ready = True
    yield
    app.state.ready = False
    await asyncio.to_thread(batching.stop)


async def _not_here(_: Request, error: Exception) -> Response:
    """No such page, or a method that it does not know: the guard answers once the body has come."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if headers.get("Allow") == "GET":
        headers["Allow"] = "GET, HEAD"  # which the guard has answered as GET
    raise Refused(error.status_code, error.detail, "path" if error.status_code == 404 else "method", headers)
