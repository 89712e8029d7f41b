"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from neumo.files import SHIPPED

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON document per radiograph and line.")]
ClassifierFile = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        default_factory=lambda: SHIPPED,
        show_default=False,
        help="A classifier that neumo saved, NAME.neumo; if not given, the one that it brings.",
    ),
]
Radiographs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RADIOGRAPH",
        readable=False,
        help="Image files, folders of them, patterns, CSV or Parquet files with paths, or - for paths on "
        "standard input, one per line.",
    ),
]
PathColumn = Annotated[str | None, typer.Option(help="Of a table: its column of paths.")]
LabelColumn = Annotated[str | None, typer.Option(help="Of a table: its column of labels.")]
PatientColumn = Annotated[str | None, typer.Option(help="Of a table: its column of patients.")]
Positive = Annotated[
    list[str] | None,
    typer.Option(
        help="Name of a positive class, whole or one of several in it (A|B, A/B); all others are negative. "
        "Repeatable."
    ),
]
Ages = Annotated[
    tuple[int, int] | None,
    typer.Option(
        metavar="YOUNGEST OLDEST",
        help="Ages of the patients in whole years, if known: the classifier then warns where a DICOM header "
        "says another one.",
        show_default=False,
    ),
]
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be decoded.")
]
SkipMissing = Annotated[
    bool,
    typer.Option(
        "--skip-missing",
        help="Leave out rows of a table without a label, and rows and links whose image is missing.",
    ),
]


@contextmanager
def other_shares(test: bool = True) -> Iterator[None]:
    """Name the options that say how large the parts are where images are too few for them.

    Args:
        test: whether the test part's size is a matter of options.

    Raises:
        NeumoError: in place of a `TooFewImagesError`.
    """
    from neumo.errors import NeumoError, TooFewImagesError

    try:
        yield
    except TooFewImagesError as error:
        options = "--test-fraction and " * test + "--validation-fraction"
        raise NeumoError(f"{error}; choose others with {options}") from error
