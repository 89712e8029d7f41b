"""One classifier from one data set."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from neumo.classifier.classifier import Classifier
from neumo.data.duplicates import near_identical_groups
from neumo.data.sources import read
from neumo.data.split import split, with_validation
from neumo.data.split_file import load_split
from neumo.data.table import Dataset
from neumo.errors import NeumoError
from neumo.features.backbones import backbone
from neumo.results.settings import Settings
from neumo.study.trial import Bench, Plan
from neumo.training.steps import STEPS, step


def train(
    data: str | Path | Dataset,
    *,
    protocol: str | None = None,
    given_split: str | Path | None = None,
    ladder_step: str = STEPS[-1].name,
    seed: int = 0,
    **settings: Any,
) -> Classifier:
    """Train one classifier and test it once.

    Args:
        data: what `neumo.read` reads, or has read.
        protocol: how the test part is chosen; if not given, "patient" where enough patients are known to fill
            all parts, else "random": the card says which.
        given_split: a saved split to use instead.
        ladder_step: which head; the last of the study's ladder if not given.
        seed: of the split, the initial weights and the order of the images.
        settings: see `neumo.results.settings.Settings`; given by name.

    Returns:
        The classifier; its card has the figures of the test part.

    Raises:
        NeumoError: data or settings that cannot be used.

    Example:
        >>> classifier = train("CoronaHack", backbone="ResNet50")
        >>> classifier.save("mine.neumo")
    """
    choices = Settings(seeds=(seed,), **settings)
    (seed,) = choices.seeds
    dataset = data if isinstance(data, Dataset) else read(data)
    if given_split is not None:
        given = load_split(given_split, dataset.table)
        protocol, divided = "given", with_validation(given, choices.validation_fraction, seed)
    else:
        draw = partial(
            split,
            dataset.table,
            test_fraction=choices.test_fraction,
            validation_fraction=choices.validation_fraction,
            seed=seed,
            groups=near_identical_groups(dataset.table),
        )
        if protocol is not None:
            divided = draw(protocol)
        else:
            try:
                protocol, divided = "patient", draw("patient")
            except NeumoError:  # patients are not known, or too few
                protocol, divided = "random", draw("random")
    bench = Bench(dataset, choices, backbone(choices.backbone, choices.weights))
    plan = Plan(divided, protocol, step(ladder_step), seed, choices.validation_drawn, tested=True)
    trial = bench.fit(plan)
    assert trial.run.test is not None
    tested = {name: estimate["value"] for name, estimate in trial.run.test["metrics"].items()}
    return bench.classifier(trial, divided, {protocol: tested})
