"""``neumo serve``: a classifier as a web page with an API."""

from __future__ import annotations

from typing import Annotated

import typer

from neumo.cli.options import ClassifierFile
from neumo.errors import NeumoError


def serve(
    classifier: ClassifierFile,
    host: Annotated[
        str, typer.Option(help="Address to listen at. Any but this machine's own asks for a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen at; 0 for any free one.", min=0, max=65535)
    ] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="NEUMO_TOKEN",
            help="What clients must send as Authorization: Bearer TOKEN. Where one is needed and none given, "
            "it is made up and shown.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name that clients reach the server by, as that of a proxy. Repeatable."),
    ] = None,
    max_files: Annotated[int, typer.Option(help="Files in one request.", min=1)] = 64,
    max_file_mb: Annotated[int, typer.Option(help="Size of one file, in MiB.", min=1)] = 64,
    max_request_mb: Annotated[int, typer.Option(help="Size of one request, in MiB.", min=1)] = 256,
    max_memory_mb: Annotated[int, typer.Option(help="Files held in memory at once, in MiB.", min=1)] = 512,
    max_pixels: Annotated[int, typer.Option(help="Pixels of one picture.", min=1)] = 40_000_000,
    max_queue: Annotated[int, typer.Option(help="Images taken in at once, of all requests.", min=1)] = 256,
    timeout: Annotated[float, typer.Option(help="Seconds that one request may take.", min=0.001)] = 60,
) -> None:
    """Serve a classifier: a web page to drop radiographs on, and an API for programs.

    The page is at the address that is printed, the API below it: POST /api/predict and /api/explain, GET
    /api/card, /api/operating-points, /health, /ready and /metrics; /openapi.json describes it.

    Radiographs are held in memory only and are gone once they are answered; neither they nor their names are
    logged. Traffic is not encrypted: let others reach the server through a proxy with TLS. Ctrl-C or SIGTERM
    finishes what was taken.

    This is a research tool, not a medical device: nothing here is a diagnosis.
    """
    try:
        from neumo.serve.limits import MIB, Limits
        from neumo.serve.running import run
    except ModuleNotFoundError as error:
        name = str(error.name).partition(".")[0]
        raise NeumoError(
            f"serve: got no {name}, expected what a server needs; pip install 'neumo[serve]'"
        ) from error
    from neumo.classifier.classifier import load

    limits = Limits(
        request_bytes=max_request_mb * MIB,
        file_bytes=max_file_mb * MIB,
        files=max_files,
        pixels=max_pixels,
        seconds=timeout,
        queue=max_queue,
        held_bytes=max_memory_mb * MIB,
    )
    model = load(classifier)
    run(model, host=host, port=port, limits=limits, token=token, hosts=tuple(allow_host or ()))
