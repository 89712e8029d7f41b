"""``neumo study``: the published study, end to end."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from neumo.cli.options import (
    Ages,
    AsJson,
    LabelColumn,
    PathColumn,
    PatientColumn,
    Positive,
    SkipMissing,
    SkipUnreadable,
    other_shares,
)

Data = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA",
        help="The CoronaHack folder, class folders, a CSV or Parquet file; without it, synthetic images.",
    ),
]
Backbone = Annotated[
    str | None,
    typer.Option(
        help="Frozen Keras network: ResNet50 by default; without DATA MobileNetV2-0.35.",
        show_default=False,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        help="imagenet (the default), none, a weights file, or phantom, which saw synthetic radiographs "
        "alone and is of no use for real ones. Without DATA phantom, or none for another backbone.",
        show_default=False,
    ),
]


def study(
    data: Data = None,
    backbone: Backbone = None,
    weights: Weights = None,
    seed: Annotated[list[int], typer.Option(help="One study per seed: --seed 0 1 2.")] = [0],  # noqa: B006
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("neumo-study"),
    epochs: Annotated[int, typer.Option(help="Epochs of every step, at most.")] = 15,
    batch_size: Annotated[int, typer.Option(help="Images per step of Adam.")] = 32,
    test_fraction: Annotated[float, typer.Option(help="Share of the images in the test part.")] = 0.2,
    validation_fraction: Annotated[
        float, typer.Option(help="Share of the rest in the validation part.")
    ] = 0.2,
    validation: Annotated[
        str, typer.Option(help="Where the validation part is drawn: before-balancing or after-balancing.")
    ] = "before-balancing",
    split: Annotated[
        Path | None, typer.Option(help="A saved split to climb the ladder on, in place of a random one.")
    ] = None,
    copies: Annotated[int, typer.Option(help="Generated images per radiograph of the rarer class.")] = 2,
    rotation: Annotated[float, typer.Option(help="Of generated images, up to so many degrees.")] = 0.2,
    width_shift: Annotated[float, typer.Option(help="Of generated images, share of the width.")] = 0.025,
    zoom: Annotated[float, typer.Option(help="Of generated images, 0.1 for 0.9 to 1.1.")] = 0.1,
    normalise: Annotated[
        str,
        typer.Option(help="Pixels in step 2, by the data set's mean and variance (dataset) or imagenet's."),
    ] = "dataset",
    dropout: Annotated[float, typer.Option(help="Rate after each dense layer, from step 4 on.")] = 0.5,
    precision: Annotated[
        str,
        typer.Option(
            help="Of the frozen network: f32, bf16, int8 (faster and less exact), gpu, or auto: a GPU where "
            "there is one, else bf16 where the processor has it and the network gives nearly the same, else "
            "f32."
        ),
    ] = "auto",
    sensitivity: Annotated[
        float | None,
        typer.Option(
            help="Choose the threshold that reaches this on validation; by default it is 0.5.",
            show_default=False,
        ),
    ] = None,
    skip_unreadable: SkipUnreadable = False,
    ages: Ages = None,
    path_column: PathColumn = None,
    label_column: LabelColumn = None,
    patient_column: PatientColumn = None,
    positive: Positive = None,
    skip_missing: SkipMissing = False,
    as_json: AsJson = False,
) -> None:
    """Run the published study step by step and leave a report page.

    The ladder of five steps runs on the report's own protocol, then the final step on the patient and the
    official protocol. What is done is kept: the same command goes on where it was stopped.
    """
    from neumo.data.sources import read
    from neumo.errors import NeumoError
    from neumo.features.backbones import backbone as look_up
    from neumo.images.generate import Transforms

    about = {
        "--ages": ages,
        "--path-column": path_column,
        "--label-column": label_column,
        "--patient-column": patient_column,
        "--positive": positive,
        "--skip-missing": skip_missing,
    }
    if data is None and (asked := [name for name, value in about.items() if value]):
        raise NeumoError(f"{asked[0]}: got no DATA, expected the data set that it is about")
    if backbone is not None:
        look_up(backbone, "none")  # a wrong name is told before the data are read
    dataset = None
    if data is not None:
        dataset = read(
            data,
            path_column=path_column,
            label_column=label_column,
            patient_column=patient_column,
            positive=positive,
            skip_missing=skip_missing or None,
        )
        if ages is not None:
            dataset = dataset.aged(*ages)
    from neumo.study.study import Study  # takes seconds

    named: dict[str, Any] = {"backbone": backbone, "weights": weights}
    with other_shares():
        results = Study(
            dataset,
            given_split=split,
            skip_unreadable=skip_unreadable,
            seeds=tuple(seed),
            epochs=epochs,
            batch_size=batch_size,
            test_fraction=test_fraction,
            validation_fraction=validation_fraction,
            validation_drawn=validation,
            copies=copies,
            transforms=Transforms(rotation_range=rotation, width_shift_range=width_shift, zoom_range=zoom),
            normalise=normalise,
            dropout=dropout,
            precision=precision,
            sensitivity=sensitivity,
            **{name: value for name, value in named.items() if value is not None},
        ).run(out, command=shlex.join(["neumo", *sys.argv[1:]]))
    if as_json:
        print(json.dumps(results.to_dict(), indent=1))
        return
    from neumo.cli.tables import show

    show(results)
    print(f"\nReport page: {(out / 'report.html').resolve()}")
