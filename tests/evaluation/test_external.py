from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, roc_auc_score

import neumo
from neumo.classifier.classifier import Classifier
from neumo.classifier.findings import Prediction
from neumo.classifier.journal import journal
from neumo.data.sources import read
from neumo.data.table import Dataset
from neumo.errors import NeumoError
from neumo.evaluation.external import TOLD, External, evaluate_source
from neumo.evaluation.metrics import evaluate
from neumo.images.read import read_radiograph


@pytest.fixture(scope="module")
def classifier(trained: tuple[Path, Path]) -> Classifier:
    return neumo.load(trained[1])


@pytest.fixture(scope="module")
def dataset(trained: tuple[Path, Path]) -> Dataset:
    return read(trained[0])


@pytest.fixture
def some(dataset: Dataset, tmp_path: Path) -> Path:
    """Class folders with a few radiographs of each class, all of the test part."""
    test = dataset.table[dataset.table["official"] == "test"]
    for label, name in ((0, "normal"), (1, "pneumonia")):
        (tmp_path / "some" / name).mkdir(parents=True)
        for path in test["path"][test["label"] == label].head(6):
            shutil.copy(path, tmp_path / "some" / name)
    return tmp_path / "some"


def test_gives_the_figures_of_training_again(evaluated: External, classifier: Classifier) -> None:
    """On the data it was trained on, the images told apart as new are its test part, figures and all."""
    found = evaluated.predictions
    official = evaluated.dataset.table["official"]
    assert ((found["seen"] == "same file") == (official == "train")).all()
    assert evaluated.unseen is not None
    assert evaluated.unseen.evaluation.n == (official == "test").sum()
    new = found[found["seen"] == ""]
    p = classifier.probabilities(np.stack([read_radiograph(path) for path in new["path"]]))
    as_given = ~new["warnings"].str.contains("inverted")  # what seems a negative is turned around, in use
    np.testing.assert_allclose(new["probability"][as_given], p[as_given], atol=1e-4)
    figures = evaluate(new["label"], p, threshold=classifier.threshold, replicates=1).metrics
    for metric, value in classifier.card["test"]["official"].items():
        assert figures[metric].value == pytest.approx(value, abs=1e-4)


def test_figures_are_those_of_the_predictions(evaluated: External, classifier: Classifier) -> None:
    found, figures = evaluated.predictions, evaluated.all.evaluation.metrics
    assert figures["auc"].value == pytest.approx(roc_auc_score(found["label"], found["probability"]))
    called = found["probability"] >= classifier.threshold
    assert figures["accuracy"].value == pytest.approx(accuracy_score(found["label"], called))
    assert evaluated.all.evaluation.threshold == classifier.threshold
    assert evaluated.all.evaluation.bootstrap["units"] == found["patient"].nunique() < len(found)
    one = classifier.predict(found["path"].iloc[-1])
    assert one.probability == pytest.approx(found["probability"].iloc[-1], abs=1e-5)
    assert one.distance == pytest.approx(found["distance"].iloc[-1], rel=1e-4)
    wrong = {mistake["path"] for mistake in evaluated.mistakes}
    assert wrong <= set(found["path"][called != found["label"].astype(bool)])


def test_says_what_was_seen_in_training_and_compares_the_rest(evaluated: External) -> None:
    n = len(evaluated.predictions)
    assert f"made from {evaluated.seen['same file']:,} of these {n:,} radiographs" in evaluated.caution[0]
    assert evaluated.shift.images == n - evaluated.seen["same file"]
    assert evaluated.shift.prevalence["there"] == pytest.approx(
        evaluated.dataset.table.query("official == 'train'")["label"].mean(), abs=0.05
    )


def test_is_json(evaluated: External) -> None:
    found = json.loads(json.dumps(evaluated.to_dict(), allow_nan=False))
    assert "not a medical device" in found["notice"]
    assert found["all"]["metrics"]["auc"]["value"] == evaluated.all.evaluation.metrics["auc"].value
    assert found["unseen"]["n"] == found["shift"]["images"] < found["all"]["n"]
    assert dataclasses.replace(evaluated, unseen=None).to_dict()["unseen"] is None
    assert found["seen"]["known"] is True
    assert found["classifier"] == {name: evaluated.card.get(name) for name in TOLD}


def test_a_darker_source_is_far(classifier: Classifier, some: Path) -> None:
    for file in some.rglob("*.jpeg"):
        grey = np.asarray(Image.open(file).convert("L"), np.float64)
        Image.fromarray((255 * (grey / 255) ** 3).astype(np.uint8)).save(file, quality=95)
    found = evaluate_source(classifier, read(some))
    dark = next(one for one in found.shift.properties if one.name == "brightness")
    assert dark.differs
    assert dark.there is not None
    assert dark.here[50] < dark.there[50] - 20
    assert found.unseen is None
    assert found.seen == {"same file": 0, "same picture": 0}


def test_recoded_training_images_are_known_again(
    classifier: Classifier, dataset: Dataset, some: Path
) -> None:
    train = dataset.table[dataset.table["official"] == "train"].iloc[0]
    copy = some / ("pneumonia" if train["label"] else "normal") / "other name.png"
    Image.open(train["path"]).convert("L").resize((200, 200)).save(copy)
    found = evaluate_source(classifier, read(some))
    assert found.seen == {"same file": 0, "same picture": 1}
    assert found.predictions["path"][found.predictions["seen"] != ""].tolist() == [str(copy)]


def test_a_classifier_without_origin_says_so(
    classifier: Classifier, some: Path, trained: tuple[Path, Path]
) -> None:
    bare = neumo.load(trained[1])
    bare.origin = None
    bare.card["threshold"]["threshold"] = 0.8
    found = evaluate_source(bare, read(some))
    called = found.predictions["probability"] >= 0.8
    assert (called != (found.predictions["probability"] >= 0.5)).any()
    pneumonia = found.predictions["label"] == 1
    assert found.all.evaluation.metrics["sensitivity"].value == called[pneumonia].mean()
    assert any("does not tell" in one for one in found.caution)
    assert any("SYNTHETIC" in one for one in found.caution)
    assert found.unseen is None
    train = bare.card["training"]["counts"]["train"]
    share = train["pneumonia"] / (train["pneumonia"] + train["normal"])
    assert found.shift.prevalence["there"] == pytest.approx(share)
    del bare.card["training"]["counts"]["train"]["normal"]
    assert evaluate_source(bare, read(some)).shift.prevalence["there"] is None


def test_unreadable_images_end_it_or_are_left_out_and_told(classifier: Classifier, some: Path) -> None:
    bad = some / "normal" / "bad.jpeg"
    bad.write_bytes(b"no picture")
    with pytest.raises(NeumoError, match=r"bad\.jpeg: got .*; --skip-unreadable leaves such images out"):
        evaluate_source(classifier, read(some))
    found = evaluate_source(classifier, read(some), skip_unreadable=True)
    assert list(found.unreadable) == [str(bad)]
    assert len(found.predictions) == 12


def test_a_stopped_evaluation_goes_on(
    classifier: Classifier, some: Path, trained: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = partial(journal, some.parent / "kept.csv", trained[1])
    whole = evaluate_source(classifier, read(some))
    stream, asked = Classifier.stream, []

    def cut_off(self: Classifier, paths: list[str], **how: Any) -> Iterator[Prediction]:
        asked.append(len(paths))
        for i, one in enumerate(stream(self, paths, **how)):
            if i == 5:
                raise KeyboardInterrupt
            yield one

    monkeypatch.setattr(Classifier, "stream", cut_off)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            evaluate_source(classifier, read(some), journal=keep)
    found = evaluate_source(classifier, read(some), journal=keep)
    assert asked == [12, 7, 2]
    pd.testing.assert_frame_equal(found.predictions, whole.predictions, atol=1e-5)


def test_says_what_the_classes_are_called_where_that_differs(evaluated: External) -> None:
    assert not any("means" in one for one in evaluated.caution)
    other = dataclasses.replace(evaluated.dataset, positive_name="tuberculosis")
    found = dataclasses.replace(evaluated, dataset=other)
    line = "Here positive means tuberculosis, the classifier's means pneumonia."
    assert [one for one in found.caution if "means" in one] == [line]
    other = dataclasses.replace(other, negative_name="not tuberculosis")
    found = dataclasses.replace(evaluated, dataset=other)
    both = f"{line[:-1]}; negative means not tuberculosis, the classifier's means normal."
    assert [one for one in found.caution if "means" in one] == [both]


@pytest.mark.parametrize(
    ("source", "own", "told"),
    [
        (False, False, None),
        (False, True, "The classifier was made from SYNTHETIC radiographs and knows nothing of real ones."),
        (True, False, "These radiographs are SYNTHETIC, those that the classifier was made from are real."),
        (True, True, None),
    ],
)
def test_says_which_radiographs_are_drawn(
    source: bool, own: bool, told: str | None, evaluated: External
) -> None:
    card = {**evaluated.card, "data": {**evaluated.card["data"], "synthetic": own}}
    data = dataclasses.replace(evaluated.dataset, synthetic=source)
    found = dataclasses.replace(evaluated, card=card, dataset=data)
    assert found.synthetic == (source or own)
    assert [one for one in found.caution if "SYNTHETIC" in one] == ([told] if told else [])


def test_says_that_a_source_of_the_same_name_may_be_of_the_same_patients(evaluated: External) -> None:
    new = dataclasses.replace(evaluated, predictions=evaluated.predictions.assign(seen=""))
    name = evaluated.card["data"]["name"]
    line = f"The classifier comes from a source of the same name, {name}: patients may be the same."
    for called, told in ((name, [line]), ("elsewhere", [])):
        found = dataclasses.replace(new, dataset=dataclasses.replace(evaluated.dataset, name=called))
        assert found.caution == told


@pytest.mark.parametrize(
    ("one_class", "told"),
    [(False, "None is new: no figure"), (True, "The others are of one class only: no figure")],
)
def test_without_unseen_images_it_is_compared_with_itself(
    classifier: Classifier, dataset: Dataset, one_class: bool, told: str
) -> None:
    table = dataset.table
    seen = table["official"] == "train"
    chosen = table[seen | ((table["label"] == 1) & one_class)].reset_index(drop=True)
    found = evaluate_source(classifier, dataclasses.replace(dataset, table=chosen))
    assert found.unseen is None
    assert found.shift.images == len(chosen)
    assert told in found.caution[0]
    assert "compares its own with themselves" in found.caution[0]


def test_one_class_only_is_refused(classifier: Classifier, dataset: Dataset) -> None:
    table = dataset.table[dataset.table["label"] == 1].reset_index(drop=True)
    with pytest.raises(NeumoError, match="expected both classes"):
        evaluate_source(classifier, dataclasses.replace(dataset, table=pd.DataFrame(table)))


@pytest.mark.parametrize(
    ("spoilt", "got"),
    [(("normal",), "readable images of one class only"), (("normal", "pneumonia"), "no readable image")],
)
def test_what_is_left_must_be_of_both_classes(
    classifier: Classifier, some: Path, spoilt: tuple[str, ...], got: str
) -> None:
    for name in spoilt:
        for file in (some / name).iterdir():
            file.write_text("no image")
    with pytest.raises(NeumoError, match=f"got {got}, expected both classes"):
        evaluate_source(classifier, read(some), skip_unreadable=True)


def test_a_classifier_and_a_data_set_are_no_predictions(trained: tuple[Path, Path]) -> None:
    """Who calls `neumo.evaluate` as the verb is called is told what takes these two."""
    with pytest.raises(NeumoError, match=r"a Classifier and a Dataset, expected .*evaluate_source$"):
        neumo.evaluate(neumo.load(trained[1]), neumo.read(trained[0]))  # type: ignore[arg-type]
