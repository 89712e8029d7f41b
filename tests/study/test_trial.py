"""A trial is known again by all that its figures depend on."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neumo
from neumo.data.balance import balance_then_validate
from neumo.errors import NeumoError
from neumo.features.backbones import backbone
from neumo.results.settings import Settings
from neumo.study import trial
from neumo.study.trial import Bench, Plan
from neumo.training.steps import step


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> neumo.Dataset:
    return neumo.read(neumo.make_phantoms(tmp_path_factory.mktemp("data") / "set", patients=12, size=64))


def key(data: neumo.Dataset, split: pd.DataFrame, **settings: Any) -> str:
    choices = Settings(backbone="MobileNetV2-0.35", weights="none", **settings)
    bench = Bench(data, choices, backbone(choices.backbone, choices.weights))
    return bench.key(Plan(split, "random", step("base"), 0, "before-balancing", tested=True))


def test_the_order_of_the_rows_and_the_other_seeds_do_not_matter(data: neumo.Dataset) -> None:
    divided = neumo.split(data.table)
    shuffled = divided.sample(frac=1, random_state=0)
    assert key(data, divided) == key(data, shuffled) == key(data, divided, seeds=(0, 1))


@pytest.mark.parametrize(
    ("column", "value"), [("label", 1), ("cause", "fungus"), ("patient", "person9"), ("part", "test")]
)
def test_every_column_that_figures_come_from_matters(data: neumo.Dataset, column: str, value: Any) -> None:
    divided = neumo.split(data.table)
    other = divided.copy()
    row = int(((other["label"] == 0) & (other["part"] == "train")).argmax())
    other.loc[row, column] = value
    assert key(data, other) != key(data, divided)


def test_choices_and_versions_matter(data: neumo.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    divided = neumo.split(data.table)
    before = key(data, divided)
    assert key(data, divided, epochs=3) != before
    monkeypatch.setattr(trial, "pixels_id", lambda: {"simplejpeg": "another"})
    other = key(data, divided)
    assert other != before
    monkeypatch.setattr(trial, "versions", lambda: {"torch": "another"})
    assert key(data, divided) not in (before, other)


def test_the_version_of_what_makes_8_bit_networks_matters(
    data: neumo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    divided = neumo.split(data.table)
    before, plain = (key(data, divided, precision=precision) for precision in ("int8", "f32"))
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version(name) + "x" * (name == "nncf"))
    assert key(data, divided, precision="int8") != before
    assert key(data, divided, precision="f32") == plain


def test_validation_without_a_radiograph_of_a_class(data: neumo.Dataset) -> None:
    """Where it is drawn after balancing, all of the rarer class may be generated."""
    for seed in range(100):
        divided = neumo.split(data.table, "random", seed=seed)
        rows = balance_then_validate(divided, 10, 0.1, seed)
        own = rows[(rows["part"] == "validation") & (rows["copy"] == 0)]
        if own["label"].nunique() == 1:
            break
    choices = Settings(
        backbone="MobileNetV2-0.35",
        weights="none",
        copies=10,
        validation_fraction=0.1,
        validation_drawn="after-balancing",
    )
    bench = Bench(data, choices, backbone(choices.backbone, choices.weights))
    plan = Plan(divided, "random", step("base"), seed, "after-balancing", tested=True)
    with pytest.raises(NeumoError, match=f"validation: got {len(own)} radiographs beside generated images"):
        bench.fit(plan)


def test_training_on_generated_images_alone_of_a_class_is_refused(data: neumo.Dataset) -> None:
    own = data.table.groupby("label", group_keys=False)
    few = pd.concat([own.get_group(0).head(2), own.get_group(1).head(4)]).reset_index(drop=True)
    divided = few.assign(part="train")
    choices = Settings(backbone="MobileNetV2-0.35", weights="none", validation_fraction=0.4)

    def labels(seed: int, part: str) -> set[int]:
        rows = balance_then_validate(divided, choices.copies, choices.validation_fraction, seed)
        return {*rows["label"][(rows["part"] == part) & (rows["copy"] == 0)]}

    seed = next(s for s in range(200) if (labels(s, "train"), labels(s, "validation")) == ({1}, {0, 1}))
    choices = dataclasses.replace(choices, seeds=(seed,), validation_drawn="after-balancing")
    bench = Bench(data, choices, backbone(choices.backbone, choices.weights))
    with pytest.raises(NeumoError, match=r"training part: got .* beside generated images, all of one class"):
        bench.fit(Plan(divided, "random", step("base"), seed, "after-balancing", tested=False))


@pytest.mark.parametrize(
    ("name", "normalise"), [("base", "dataset"), ("normalised", "dataset"), ("normalised", "imagenet")]
)
def test_what_a_step_is_normalised_with(data: neumo.Dataset, name: str, normalise: str) -> None:
    divided = neumo.split(data.table)
    choices = Settings(backbone="MobileNetV2-0.35", weights="none", epochs=1, normalise=normalise)
    bench = Bench(data, choices, backbone(choices.backbone, choices.weights))
    run = bench.fit(Plan(divided, "random", step(name), 0, "before-balancing", tested=False)).run
    own = divided[divided["part"] == "train"]
    pixels = np.stack([neumo.read_radiograph(path) for path in own["path"]])
    expected = {
        "base": {"mean": 0.0, "std": 1.0},
        "dataset": {"mean": round(pixels.mean()), "std": round(pixels.std())},
        "imagenet": {"mean": 127.5, "std": 127.5},  # keras.applications.mobilenet_v2.preprocess_input
    }
    assert run.scaling == expected[name if name == "base" else normalise]
    for part, of_part in divided.groupby("part"):
        told = (run.counts[str(part)]["normal"], run.counts[str(part)]["pneumonia"])
        assert told == ((of_part["label"] == 0).sum(), (of_part["label"] == 1).sum())
