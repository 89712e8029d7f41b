"""`neumo split`: divide a data set and lay it out as folders."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from neumo.cli.options import (
    AsJson,
    LabelColumn,
    PathColumn,
    PatientColumn,
    Positive,
    SkipMissing,
    other_shares,
)


def split(
    data: Annotated[
        Path, typer.Argument(help="A data set: a folder, a CSV or a Parquet file.", metavar="DATA")
    ],
    out: Annotated[Path, typer.Option(help="A new or empty folder, or one that this command made.")],
    protocol: Annotated[
        str,
        typer.Option(
            help="random: single images, as the study; official: the data set's own test set; "
            "patient: whole patients with their look-alike images."
        ),
    ] = "random",
    seed: Annotated[int, typer.Option(help="Another seed, another draw.")] = 0,
    test_fraction: Annotated[
        float | None,
        typer.Option(help="Share of the images to test on; 0.2 if not given, none with official."),
    ] = None,
    validation_fraction: Annotated[
        float, typer.Option(help="Share of the training part to set apart as validation/.")
    ] = 0.0,
    given: Annotated[
        Path | None,
        typer.Option("--split", help="Lay out this saved split instead of drawing one."),
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Links to the images instead of copies.")] = False,
    path_column: PathColumn = None,
    label_column: LabelColumn = None,
    patient_column: PatientColumn = None,
    positive: Positive = None,
    skip_missing: SkipMissing = False,
    as_json: AsJson = False,
) -> None:
    """Divide a data set into train/ and test/ folders per class, for other tools.

    Folders are called as the data set calls its classes, or normal/ and pneumonia/.

    Images are copied or linked and keep their names; the data set is left as it is.

    The split itself stands beside them as split.csv.

    A validation folder is made only if asked for, as the study made none.
    """
    from neumo.data.duplicates import near_identical_groups
    from neumo.data.layout import TABLE, class_folders, lay_out, made_before
    from neumo.data.published.coronahack import SYNTHETIC_NAME
    from neumo.data.sources import read
    from neumo.data.split import PROTOCOLS, copied_images, part_counts, patients_on_both_sides
    from neumo.data.split import split as divide
    from neumo.data.split_file import load_split
    from neumo.errors import NeumoError

    if given and (protocol != "random" or seed or test_fraction is not None or validation_fraction):
        raise NeumoError("--split: got a saved split and how to draw one, expected one of the two")
    if protocol == "official" and test_fraction is not None:
        raise NeumoError(f"--test-fraction: got {test_fraction}, expected none with the official test set")
    made_before(out)
    dataset = read(
        data,
        path_column=path_column,
        label_column=label_column,
        patient_column=patient_column,
        positive=positive,
        skip_missing=skip_missing or None,
    )
    if dataset.layout == "class-folders" and dataset.root.resolve() in out.resolve().parents:
        raise NeumoError(f"{out}: got a folder inside the data set, where it would be read as a class")

    draw = partial(
        divide,
        dataset.table,
        protocol,
        test_fraction=0.2 if test_fraction is None else test_fraction,
        validation_fraction=validation_fraction,
        seed=seed,
    )
    with other_shares(test=protocol != "official"):
        divided = load_split(given, dataset.table) if given else draw()
        copied: int | None = None
        if not given and PROTOCOLS[protocol].grouped:
            groups = near_identical_groups(dataset.table)  # the long part, so all is checked before
            divided = draw(groups=groups)
            copied = copied_images(divided, groups)
    note = dataset.root / SYNTHETIC_NAME
    own = dataset.negative_name, dataset.positive_name
    folders = class_folders(*own)
    beside = [note] if dataset.synthetic and note.is_file() else ()
    lay_out(divided, out, link=link, beside=beside, classes=folders)

    counts = {
        part: dict(zip(folders, per_class.values(), strict=True))
        for part, per_class in part_counts(divided).items()
    }
    test = divided["part"] == "test"
    known = divided["patient"][test].notna().any() and divided["patient"][~test].notna().any()
    both = patients_on_both_sides(divided) if known else None
    meaning = f"The split saved in {given}." if given else PROTOCOLS[protocol].meaning
    if as_json:
        print(
            json.dumps(
                {
                    "data": dataset.name,
                    "synthetic": dataset.synthetic,
                    "protocol": None if given else protocol,
                    "meaning": meaning,
                    "seed": None if given else seed,
                    "parts": counts,
                    "patients_on_both_sides": both,
                    "copies_on_both_sides": copied,
                    "missing": dataset.missing,
                    "out": str(out),
                    "split": str(out / TABLE),
                },
                indent=2,
            )
        )
        return

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    title = escape(dataset.name) + " (SYNTHETIC)" * dataset.synthetic
    table = Table("part", *map(escape, folders), "images", title=title)
    for part, of_class in counts.items():
        table.add_row(part, *(f"{n:,}" for n in (*of_class.values(), sum(of_class.values()))))
    console = Console()
    console.print(table)
    console.print(escape(meaning))
    for name, folder in zip(own, folders, strict=True):
        if name != folder:
            print(f"{folder}/ holds what the data set calls {name}.")
    if both is None:
        print("Patients are not known: one of the test part may have other images in training.")
    elif both:
        who = "1 patient of the test part has" if both == 1 else f"{both:,} patients of the test part have"
        print(f"{who} other images in training.")
    else:
        print("No known patient of the test part has an image in training.")
    if copied:
        some = (
            "radiograph of the test part has a copy"
            if copied == 1
            else "radiographs of the test part have copies"
        )
        print(
            f"{copied:,} {some} in training: its figures flatter a classifier. neumo audit names the files."
        )
