"""``neumo card``: what a classifier says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from neumo.cli.options import AsJson, ClassifierFile


def card(
    classifier: ClassifierFile,
    out: Annotated[
        Path | None,
        typer.Option(help="Write it there instead, as FILE.md or FILE.html.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a classifier's card: what it was made from, its results, limits and operating point."""
    from neumo.classifier.classifier import load
    from neumo.errors import NeumoError
    from neumo.files import whole_file
    from neumo.report.card import card_html, card_markdown

    if out is not None and out.suffix.lower() not in (".md", ".html", ".htm"):
        raise NeumoError(f"{out}: got a file called so, expected one that ends in .md or .html")
    found = load(classifier).card
    if as_json:
        print(json.dumps(found, indent=1))
    elif out is None:
        print(card_markdown(found), end="")
    if out is not None:
        from neumo import __version__
        from neumo.report.template import render

        page = out.suffix.lower() != ".md"
        name, article = found["name"], card_html(found)
        drawn = render("card.html", name=name, version=__version__, article=article)
        text = drawn if page else card_markdown(found)
        with whole_file(out) as part:
            part.write_text(text, encoding="utf-8")
        if not as_json:
            print(f"Card: {out.resolve()}")
