"""``neumo export``: a classifier for other runtimes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from neumo.cli.options import AsJson, ClassifierFile, PathColumn
from neumo.cli.telling import tell


def export(
    classifier: ClassifierFile,
    out: Annotated[Path, typer.Option(help="The file to write: NAME.onnx, or NAME.xml for OpenVINO.")],
    format: Annotated[
        str | None,
        typer.Option(help="onnx or openvino; told by the file's suffix if not given."),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            help="Radiographs that both are compared on: a file, folder, pattern or CSV; repeatable. "
            "Phantoms if not given. Those that cannot be read are told and left out."
        ),
    ] = None,
    path_column: PathColumn = None,
    as_json: AsJson = False,
) -> None:
    """Write a classifier as one ONNX or OpenVINO graph, from grey pixels to the probability.

    The graph takes "pixels", uint8 (n, 224, 224), and gives "probability", float32 (n). It is compared with
    the classifier, ONNX in ONNX Runtime where that is installed and else in OpenVINO, and only kept where no
    probability differs by more than 0.001. Its metadata have the card,
    the names of the classes, the threshold and the notice. What it does not do: read files, warn of images
    that are no radiographs, decide.
    """
    from neumo.classifier.classifier import load
    from neumo.data.image_files import find_each
    from neumo.export.export import FORMATS
    from neumo.export.export import export as write

    suffixes = {suffix: name for name, suffix in FORMATS.items()}
    files = find_each(images or (), path_column)
    model = load(classifier)
    done = write(model, out, format or suffixes.get(out.suffix.lower(), "onnx"), files, _tell)
    if as_json:
        print(json.dumps(dataclasses.asdict(done) | {"notice": model.card["notice"]}, default=str))
        return
    names = " and ".join(map(str, done.files))
    print(f"{names}: one graph from pixels to the probability of {model.card['positive']}")
    what = (
        "phantoms, not on real radiographs (--images)"
        if done.phantoms
        else f"radiograph{'s' * (done.images != 1)}"
    )
    off = f"no probability is off by more than {done.difference:.1g}"
    print(f"compared in {done.runtime} on {done.images} {what}: {off}")
    print(model.card["notice"])


def _tell(error: Exception) -> None:
    tell(f"{error}; left out of the comparison")
