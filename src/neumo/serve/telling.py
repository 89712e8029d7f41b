"""The routes that tell of the classifier and its server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.params import Depends
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from neumo.evaluation.rule import in_words
from neumo.report.card import card_html
from neumo.report.spanish import in_spanish
from neumo.serve import answers
from neumo.serve.limits import Limits
from neumo.serve.metrics import Metrics

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier


def add_telling(
    app: FastAPI, classifier: Classifier, limits: Limits, metrics: Metrics, lock: Sequence[Depends]
) -> None:
    """Add the card, the operating points, the limits and the counters, which `lock` tells to need the token.

    Health and readiness, which are for whoever watches the process, need none.
    """
    failures = answers.failures(*([401] if lock else []), 503)
    private: dict[str, Any] = {"dependencies": lock, "responses": failures}

    def text(kind: str) -> dict[str, Any]:
        """Of a private route that answers with text, but with JSON where it fails."""
        content = {200: {"content": {kind: {"schema": {"type": "string"}}}}}
        return {"dependencies": lock, "response_class": Response, "responses": failures | content}

    @app.get("/api/card", summary="What the classifier was trained and tested on", **private)
    async def card() -> answers.Card:
        return classifier.card

    pages = {"en": card_html(classifier.card), "es": card_html(classifier.card, in_spanish)}

    @app.get("/api/card.html", summary="The same for people", **text("text/html"))
    async def card_page(request: Request) -> Response:
        """A fragment without styles and scripts; in Spanish for who asks for it first (Accept-Language)."""
        asked = re.match(r"\s*es\b", request.headers.get("accept-language", "").lower())
        language = "es" if asked else "en"
        said = {"content-language": language, "vary": "accept-language"}
        return HTMLResponse(pages[language], headers=said)

    @app.get("/api/operating-points", summary="Sensitivity and specificity by threshold", **private)
    async def operating_points() -> answers.OperatingPoints:
        """Those of the validation part; the lists are empty where a classifier does not know them."""
        chosen = classifier.card["threshold"]
        points = classifier.card.get("operating_points", {})
        return answers.OperatingPoints(
            chosen=classifier.threshold,
            rule=in_words(chosen.get("rule", "not told")),
            classifier=classifier.identity,
            **{name: points.get(name, []) for name in ("threshold", "sensitivity", "specificity")},
        )

    @app.get("/api/limits", summary="What one request may bring", **private)
    async def taken() -> answers.Taken:
        return answers.Taken(
            files=limits.most_files,
            request_bytes=limits.most_bytes,
            file_bytes=limits.file_bytes,
            pixels=limits.pixels,
            seconds=limits.seconds,
        )

    @app.get("/health", summary="Whether the process is alive")
    async def health() -> answers.State:
        return answers.State(status="ok")

    @app.get("/ready", summary="Whether requests are taken", responses={503: {"model": answers.State}})
    async def ready(response: Response) -> answers.State:
        if app.state.draining or not app.state.ready:
            response.status_code = 503
            return answers.State(status="stopping" if app.state.draining else "starting")
        return answers.State(status="ok")

    @app.get("/metrics", summary="Counters for Prometheus", **text("text/plain"))
    async def counters() -> Response:
        return PlainTextResponse(metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
