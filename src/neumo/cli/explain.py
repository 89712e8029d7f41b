"""``neumo explain``: where in a radiograph a probability comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neumo.cli.options import AsJsonLines, ClassifierFile, PathColumn, Radiographs
from neumo.cli.telling import tell

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier
    from neumo.data.image_files import Named
    from neumo.errors import NeumoError
    from neumo.explain.many import Explained


def explain(
    classifier: ClassifierFile,
    radiographs: Radiographs,
    out: Annotated[
        Path | None,
        typer.Option(
            help="NAME.png for one radiograph, NAME.html for any number; by default NAME-explained.png, "
            "or for a folder or several explained.html, in this folder."
        ),
    ] = None,
    opacity: Annotated[float, typer.Option(min=0, max=1, help="Of the colours in a PNG.")] = 0.5,
    path_column: PathColumn = None,
    as_json: AsJsonLines = False,
) -> None:
    """Show which places of a radiograph speak for pneumonia.

    One radiograph becomes a PNG: at its own size, beside itself under the heat map. Several, or a folder,
    become an HTML page, the most probable first. What cannot be read (a file, a subfolder, a row of a table
    without a path, one of several places) does not stop the others: it is named at the end, and the exit code
    is 1, or 2 where no file can be read. This is a research tool, not a medical device: nothing here is a
    diagnosis.
    """
    from neumo.classifier.classifier import load
    from neumo.classifier.findings import chance
    from neumo.classifier.predictions import predicted, unreadable
    from neumo.data.image_files import find_each
    from neumo.explain.many import explain as explained
    from neumo.explain.page import Row, write_page
    from neumo.progress import track

    lateral: set[str] = set()
    files = find_each(radiographs, path_column, lateral=lateral)
    out = _checked(out, files, folder=any(place.is_dir() for place in radiographs))
    as_picture = out.suffix.lower() == ".png"
    model = load(classifier)
    bad: list[str] = []
    rows: list[Row] = []

    def failed(error: NeumoError) -> None:
        bad.append(str(error))
        if as_json:
            path = str(getattr(error, "path", ""))
            row = unreadable(path, error, model.card["notice"])
            print(json.dumps(row | {"hottest": None, "picture": None}))

    stream = explained(model, files, failed, lateral=lateral)
    for one in track(stream, "Explaining", total=len(files)):
        if as_json:
            hottest = None if one.hottest is None else dict(zip("xy", one.hottest, strict=True))
            row = predicted(one.prediction)
            print(json.dumps(row | {"hottest": hottest, "picture": str(out)}))
        if as_picture:
            _save_picture(model, one, out, opacity)
        rows.append(Row.of(one))
    if rows and not as_picture:
        write_page(model, rows, bad, out)
    if rows and not as_json:
        first = f"{rows[0].decision}, probability of {model.card['positive']} {chance(rows[0].probability)}"
        print(f"{out}: {f'{len(rows)} radiographs, the most probable first' if rows[1:] else first}")
        print(model.card["notice"])
    for message in bad:
        tell(message)
    if bad:
        raise typer.Exit(1 if rows else 2)


def _checked(out: Path | None, files: list[Named], *, folder: bool) -> Path:
    """Where to write, which is none of the radiographs."""
    from neumo.data.image_files import name_of
    from neumo.errors import NeumoError
    from neumo.files import same_file

    if out is None:
        one = None if folder or files[1:] else Path(name_of(files[0])).stem
        return Path("explained.html" if one is None else f"{one}-explained.png")
    suffix = out.suffix.lower()
    if suffix not in (".png", ".html"):
        raise NeumoError(f"{out}: got the suffix {out.suffix!r}, expected .png or .html")
    if suffix == ".png" and files[1:]:
        raise NeumoError(f"{out}: got {len(files):,} radiographs for one PNG, expected one, or NAME.html")
    if out.exists() and any(same_file(out, name_of(file)) for file in files):
        raise NeumoError(f"{out}: got a radiograph to write over, expected another file")
    return out


def _save_picture(model: Classifier, one: Explained, out: Path, opacity: float) -> None:
    from neumo.explain.overlay import side_by_side
    from neumo.files import whole_file
    from neumo.images.read import read_radiograph

    grey = read_radiograph(one.prediction.path, None)
    with whole_file(out) as part:
        side_by_side(grey, one.heat, one.prediction, model.card["positive"], opacity).save(part, "PNG")
