"""One classifier in three lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import neumo
from neumo.data.inspections import inspect_images
from neumo.features.backbones import PHANTOM_FILE

CHOICES = {"backbone": "MobileNetV2-0.35", "weights": "none", "epochs": 2}


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return neumo.make_phantoms(
        tmp_path_factory.mktemp("data") / "set", patients=30, size=64, difficulty="easy"
    )


def test_the_card_tells_what_was_measured_on_the_test_part(phantoms: Path, tmp_path: Path) -> None:
    data = neumo.read(phantoms)
    divided = neumo.split(data.table, "patient", seed=3)
    neumo.save_split(divided, tmp_path / "split.csv")
    classifier = neumo.train(data, given_split=tmp_path / "split.csv", seed=3, **CHOICES)  # type: ignore[arg-type]
    test = divided[divided["part"] == "test"]
    # not `predict`, which turns what it takes for a negative: with few training images it can be wrong
    pixels = np.stack([neumo.read_radiograph(path) for path in test["path"]])
    auc = roc_auc_score(test["label"], classifier.probabilities(pixels))
    assert classifier.card["test"]["given"]["auc"] == pytest.approx(auc, abs=0.01)
    assert classifier.card["data"]["synthetic"] is True


def test_patients_are_kept_apart_where_they_are_known(phantoms: Path, tmp_path: Path) -> None:
    assert neumo.train(phantoms, **CHOICES).card["training"]["protocol"] == "patient"  # type: ignore[arg-type]
    table = neumo.read(phantoms).table
    renamed = []
    for i, path in enumerate(table["path"]):
        renamed.append(tmp_path / f"{i:04}.jpeg")
        renamed[-1].write_bytes(Path(path).read_bytes())
    labels = np.where(table["label"] == 1, "sick", "normal")
    anonymous = pd.DataFrame({"path": map(str, renamed), "label": labels})
    anonymous.to_csv(tmp_path / "table.csv", index=False)
    card = neumo.train(tmp_path / "table.csv", **CHOICES).card  # type: ignore[arg-type]
    assert card["training"]["protocol"] == "random"
    assert card["positive"] == "sick"


def test_a_split_without_validation_gets_one_from_its_training_part(phantoms: Path, tmp_path: Path) -> None:
    divided = neumo.split(neumo.read(phantoms).table, "patient", validation_fraction=0)
    neumo.save_split(divided, tmp_path / "split.csv")
    counts = neumo.train(phantoms, given_split=tmp_path / "split.csv", **CHOICES).card["training"]["counts"]  # type: ignore[arg-type]
    train = int((divided["part"] == "train").sum())
    assert counts["validation"]["generated"] == 0
    share = sum(counts["validation"].values())
    assert share == pytest.approx(0.2 * train, abs=3)  # whole patients
    assert counts["train"]["normal"] + counts["train"]["pneumonia"] == train - share
    assert sum(counts["test"].values()) == int((divided["part"] == "test").sum())


def test_the_choices_of_a_call_are_told_on_the_card(phantoms: Path, tmp_path: Path) -> None:
    choices = {**CHOICES, "weights": PHANTOM_FILE, "seed": np.int64(1), "precision": "f32"}
    neumo.train(phantoms, **choices).save(tmp_path / "mine.neumo")  # type: ignore[arg-type]
    card = neumo.load(tmp_path / "mine.neumo").card
    assert card["precision"] == "f32"  # what it computes in from then on
    told = card["training"]
    assert (told["seed"], told["settings"]["weights"]) == (1, PHANTOM_FILE.name)


def test_is_made_from_the_parts_that_the_protocol_and_the_seed_draw(phantoms: Path) -> None:
    table = neumo.read(phantoms).table
    classifier = neumo.train(phantoms, protocol="random", seed=5, **CHOICES)  # type: ignore[arg-type]
    assert classifier.card["training"]["step"] == "early stopping"
    assert "precision" not in classifier.card  # so that each machine takes its own
    assert list(classifier.card["test"]) == ["random"]
    assert classifier.origin is not None
    made_from, _ = classifier.origin.has(table, inspect_images(table))
    own = table.set_index("path")["sha256"][made_from.tolist()]
    divided = neumo.split(table, "random", seed=5)
    assert set(own) == set(divided.loc[divided["part"] != "test", "sha256"])
