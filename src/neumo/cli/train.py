"""``neumo train``: a recipe on one data set."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

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
)


def train(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="The CoronaHack folder, class folders, a CSV or Parquet file."),
    ],
    recipe: Annotated[str, typer.Option(help="How to train: one of those above.")] = "fine-tuned",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("neumo-run"),
    seed: Annotated[list[int], typer.Option(help="One run per seed: --seed 0 1 2.")] = [0],  # noqa: B006
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            help="random, patient or official; repeatable. All that the data allow if not given.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[
        list[str] | None,
        typer.Option(
            help="Keras network to start from, MobileNetV2-0.35 by default; several are averaged.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        list[str],
        typer.Option(help="imagenet, none or a weights file; one for all backbones, or one for each."),
    ] = ["imagenet"],  # noqa: B006
    names: Annotated[
        str | None,
        typer.Option(help="Only images whose file name this regular expression finds.", show_default=False),
    ] = None,
    validation: Annotated[
        str,
        typer.Option(
            help="What the threshold is chosen on: changed, images drawn at random, as they are and changed "
            "as in training; stressed, changed up to three times as far, for use elsewhere; usual, as they "
            "are; matched, as changed, drawn so that how they were stretched tells the classes no more; "
            "hard, where the data bring their own test set, the normal images that look most like pneumonia "
            "by how they were stretched."
        ),
    ] = "changed",
    sensitivity: Annotated[
        float | None,
        typer.Option(
            help="Choose the threshold that reaches this on validation; by default it is where sensitivity "
            "and specificity are best together.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Call pneumonia from this probability on, instead; at 0.5 most answers are right where "
            "pneumonia is as frequent as in the data.",
            show_default=False,
        ),
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(
            help="Share of pneumonia that probabilities are calibrated for; by default that of the data.",
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
    """Train a network by a recipe, test it on every protocol and leave a classifier.

    Recipes:

    - fine-tuned: the upper layers of an ImageNet network, on changed images

    - whole: all of its layers, on images changed anew each epoch

    - scratch: all layers of a network that knows nothing yet (--weights none), for long

    - exposed: fine-tuned on images whose exposure is changed more, their stretch less

    - gentle: nearly all layers, for long, on images that are changed little

    - gentle-whole: as gentle, but all layers: for a machine with a GPU

    - matched: fine-tuned on images drawn so that their stretch does not tell the classes apart

    - broad: fine-tuned for fewer epochs, on images changed in more ways: for larger networks

    - shifted: fine-tuned; also judges the image moved to either side

    - ensemble: three fine-tuned networks, averaged

    - distilled: one network that learns what three fine-tuned ones say

    The frozen networks of the published study are `neumo study`. What is done is kept, epoch by epoch: the
    same command goes on where it was stopped. Compare runs with `neumo compare`. A research tool, not a
    medical device.
    """
    from neumo.data.sources import read
    from neumo.features.backbones import backbone as look_up
    from neumo.files import claim
    from neumo.training.recipes import recipe as recipe_named

    chosen = recipe_named(recipe)
    for name in backbone or ():
        look_up(name, "none")  # a wrong name is told before the data are read
    dataset = read(
        data,
        path_column=path_column,
        label_column=label_column,
        patient_column=patient_column,
        positive=positive,
        skip_missing=skip_missing or None,
    )
    if names is not None:
        dataset = dataset.named(names)
    if ages is not None:
        dataset = dataset.aged(*ages)
    claim(out, "train")  # another folder is told before all images are decoded
    from neumo.cli.tables import show_recipe
    from neumo.study.recipe import SMALL, RecipeRun  # takes seconds

    results = RecipeRun(
        dataset,
        chosen,
        backbone=backbone or SMALL,
        weights=weights,
        seeds=tuple(seed),
        protocols=None if protocol is None else tuple(protocol),
        validation=validation,
        sensitivity=sensitivity,
        threshold=threshold,
        prevalence=prevalence,
        skip_unreadable=skip_unreadable,
    ).run(out, command=shlex.join(["neumo", *sys.argv[1:]]))
    if as_json:
        print(json.dumps(results.to_dict(), indent=1))
        return
    show_recipe(results)
    print(f"\nReport page: {(out / 'report.html').resolve()}")
    print(f"Classifier: {(out / 'classifier.neumo').resolve()}")
