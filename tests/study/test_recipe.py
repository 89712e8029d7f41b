"""A recipe is trained, calibrated, tested once and kept."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neumo
from neumo.data.resemblance import overlap_weights, resemblance
from neumo.data.split_file import load_split
from neumo.errors import NeumoError
from neumo.evaluation.rule import in_words
from neumo.images import augment as augment_module
from neumo.images.augment import Augmentation, augment
from neumo.images.generate import copy_seed
from neumo.images.read import read_radiograph
from neumo.results.results import Results
from neumo.study.recipe import RecipeRun
from neumo.training import recipes as recipes_module
from neumo.training import train as module
from neumo.training.finetune import tuned_folder
from neumo.training.recipes import RECIPES, Recipe
from tests.report.test_page import Page

PAIR = dataclasses.replace(
    RECIPES[0], name="pair", members=2, epochs=1, views=1, trainable_fraction=0.2, tta_shift=8
)
CHOICES = {
    "backbone": "MobileNetV2-0.35",
    "weights": "phantom",
    "protocols": ("official", "patient"),
    "validation": "usual",
}


@pytest.fixture(autouse=True)
def _own_cache() -> None:
    """All tests here share one."""


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "set"
    return neumo.make_phantoms(folder, patients=40, size=64, difficulty="easy")


@pytest.fixture(scope="module")
def out(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "out"
    RecipeRun(phantoms, PAIR, **CHOICES).run(folder)  # type: ignore[arg-type]
    return folder


def test_the_saved_classifier_gives_the_predictions(out: Path) -> None:
    table = pd.read_csv(out / "predictions.csv")
    table = table[table["protocol"] == "official"]
    classifier = neumo.load(out / "classifier.neumo")
    pixels = np.stack([read_radiograph(path) for path in table["path"]])
    np.testing.assert_allclose(classifier.probabilities(pixels), table["probability"], atol=1e-4)
    grey = np.repeat(pixels[:4, ..., None], 3, -1).astype(np.float32)
    keras = classifier.keras_model().predict(grey, verbose=0)[:, 0]
    np.testing.assert_allclose(keras, table["probability"][:4], atol=1e-3)


def test_it_leaves_a_page_that_can_be_drawn_again(out: Path) -> None:
    page = Page(out / "report.html")
    for tag, attributes in page.elements:
        assert tag not in ("script", "iframe", "object", "embed", "base")
        assert attributes.get("src", "data:").startswith("data:")
    assert len(page.all("h1")) == 1
    assert "SYNTHETIC DATA." in page.said()
    assert page.said().index("A research tool, not a medical device.") < page.said().index("A trained")
    for run in Results.load(out / "results.json").runs:
        assert run.test is not None
        assert f"{run.test['metrics']['auc']['value']:.3f}" in page.said("summary")
    assert len(page.all("svg")) == 3 + 5 + 2
    before = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    subprocess.run([sys.executable, "-m", "neumo", "report", str(out)], check=True)
    assert (out / "report.html").read_bytes() == before


def test_calibration_and_operating_point_come_from_validation(phantoms: Path, out: Path) -> None:
    rows = load_split(out / "splits" / "official-seed0.csv", neumo.read(phantoms).table)
    rows = rows[rows["part"] == "validation"]
    classifier, y = neumo.load(out / "classifier.neumo"), rows["label"].to_numpy()
    p = classifier.probabilities(np.stack([read_radiograph(path) for path in rows["path"]]))
    assert p.mean() == pytest.approx(y.mean(), abs=1e-3)  # what a fitted shift does
    calibrated = np.log(p / (1 - p))
    trained = (calibrated - classifier.card["shift"]) * classifier.card["temperature"]
    (run,) = Results.load(out / "results.json").tested("official")
    assert run.validation["accuracy"] == np.mean((trained > 0) == y)
    assert run.validation["loss"] == pytest.approx(np.mean(np.log1p(np.exp(np.where(y, -trained, trained)))))
    called = p >= classifier.threshold
    youden = called[y == 1].mean() - called[y == 0].mean()
    best = max((p >= t)[y == 1].mean() - (p >= t)[y == 0].mean() for t in p)
    assert youden == pytest.approx(best, abs=1.01 / np.bincount(y).min())  # rounding may turn one image
    told = classifier.card["threshold"]
    assert classifier.card["temperature"] > 0
    assert np.isfinite(classifier.card["shift"])
    assert told["sensitivity"] == pytest.approx(called[y == 1].mean())
    assert len(classifier.card["operating_points"]["threshold"]) == 201


def test_members_differ_and_are_averaged(out: Path) -> None:
    network = neumo.load(out / "classifier.neumo").keras_model()
    (ensemble,) = [layer for layer in network.layers if layer.name == "ensemble"]
    first, second = (layer for layer in ensemble.layers if layer.name.startswith("member_"))
    assert any(
        not np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True)
    )


def test_a_student_learns_from_its_members_in_their_place(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = []
    tune = module.fine_tune

    def watch(*args: Any, **kwargs: Any) -> Any:
        taught.append(kwargs["taught"])
        return tune(*args, **kwargs)

    monkeypatch.setattr(module, "fine_tune", watch)
    shutil.rmtree(tuned_folder(), ignore_errors=True)
    distilled = dataclasses.replace(PAIR, distilled=True, tta_shift=0)
    RecipeRun(phantoms, distilled, **{**CHOICES, "protocols": ("official",)}).run(tmp_path / "out")  # type: ignore[arg-type]
    assert [one is None for one in taught] == [True, True, False]
    rows = load_split(tmp_path / "out/splits/official-seed0.csv", neumo.read(phantoms).table)
    train = np.flatnonzero(rows["part"] == "train")
    said = taught[2][:, train]
    assert len(said) == 2
    assert ((said > 0) & (said < 1)).all()
    assert np.corrcoef(said[0], rows["label"].to_numpy()[train])[0, 1] > 0.5
    network = neumo.load(tmp_path / "out" / "classifier.neumo").keras_model()
    assert not [layer for layer in network.layers if layer.name == "ensemble"]


def test_networks_of_several_backbones_are_averaged(phantoms: Path, tmp_path: Path) -> None:
    both = {"backbone": ("MobileNetV2-0.35", "MobileNet-0.25"), "weights": ("phantom", "none")}
    one_each = dataclasses.replace(PAIR, members=1, tta_shift=0)
    results = RecipeRun(phantoms, one_each, protocols=("official",), **both).run(tmp_path / "out")  # type: ignore[arg-type]
    assert results.backbone["name"] == "MobileNetV2-0.35 + MobileNet-0.25"
    assert results.backbone["features"] == 1280 + 256
    classifier = neumo.load(tmp_path / "out" / "classifier.neumo")
    (ensemble,) = [layer for layer in classifier.keras_model().layers if layer.name == "ensemble"]
    assert {"member_0", "member_1"} <= {layer.name for layer in ensemble.layers}
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    pixels = np.stack([read_radiograph(path) for path in table["path"]])
    np.testing.assert_allclose(classifier.probabilities(pixels), table["probability"], atol=1e-4)
    with pytest.raises(NeumoError, match="got 2 for 1 backbones, expected one for all or one for each"):
        RecipeRun(phantoms, one_each, backbone="MobileNetV2-0.35", weights=("phantom", "none"))


def test_the_official_test_can_have_a_hard_validation_part(phantoms: Path, out: Path, tmp_path: Path) -> None:
    quick = dataclasses.replace(PAIR, members=1, tta_shift=0)
    run = RecipeRun(phantoms, quick, **{**CHOICES, "validation": "hard"})  # type: ignore[arg-type]
    results = run.run(tmp_path / "out")
    table = neumo.read(phantoms).table
    usual, hard = (
        {p: load_split(folder / f"splits/{p}-seed0.csv", table)["part"] for p in ("official", "patient")}
        for folder in (out, tmp_path / "out")
    )
    assert (usual["patient"] == hard["patient"]).all()
    assert ((usual["official"] == "test") == (hard["official"] == "test")).all()
    score = resemblance(table[(hard["official"] != "test")])
    held_out = (hard["official"][hard["official"] != "test"] == "validation").to_numpy()
    normal = (table["label"][hard["official"] != "test"] == 0).to_numpy()
    assert score[normal & held_out].mean() > score[normal & ~held_out].mean()
    assert {one.protocol: (one.threshold or {})["rule"]["hard"] for one in results.runs} == {
        "official": True,
        "patient": False,
    }
    with pytest.raises(
        NeumoError, match="got 'harder', expected changed or stressed or usual or matched or hard"
    ):
        RecipeRun(phantoms, quick, **{**CHOICES, "validation": "harder"})  # type: ignore[arg-type]


def test_the_operating_point_can_be_chosen_on_changed_images(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual run's network with another temperature, shift and threshold, made anew from what is saved."""
    monkeypatch.setattr("neumo.study.recipe.CHANGED", 2)
    quick = dataclasses.replace(PAIR, members=1, tta_shift=0, views=3)
    choices: dict[str, Any] = {**CHOICES, "protocols": ("patient",)}
    RecipeRun(phantoms, quick, **choices).run(tmp_path / "usual")
    del choices["validation"]
    RecipeRun(phantoms, quick, **choices).run(tmp_path / "changed")
    usual, changed = (neumo.load(tmp_path / name / "classifier.neumo") for name in ("usual", "changed"))
    rows = load_split(tmp_path / "changed/splits/patient-seed0.csv", neumo.read(phantoms).table)
    rows = rows[rows["part"] == "validation"]
    own = np.stack([read_radiograph(path) for path in rows["path"]])
    others = [
        augment(pixels, quick.augmentation, copy_seed(sha256, copy))
        for copy in (1, 2)
        for pixels, sha256 in zip(own, rows["sha256"], strict=True)
    ]
    images, y = np.concatenate([own, np.stack(others)]), np.tile(rows["label"].to_numpy(), 3)
    p = changed.probabilities(images)
    assert p.mean() == pytest.approx(y.mean(), abs=1e-3)
    assert usual.probabilities(images).mean() != pytest.approx(y.mean(), abs=1e-3)
    called = p >= changed.threshold
    youden = called[y == 1].mean() + (~called[y == 0]).mean()
    best = max((p >= t)[y == 1].mean() + (p < t)[y == 0].mean() for t in p)
    assert youden == pytest.approx(best, abs=1.01 / np.bincount(y).min())
    assert changed.card["threshold"]["sensitivity"] == pytest.approx(called[y == 1].mean())
    RecipeRun(phantoms, quick, validation="changed", threshold=0.35, **choices).run(tmp_path / "fixed")
    fixed = neumo.load(tmp_path / "fixed/classifier.neumo")
    assert (fixed.threshold, in_words(fixed.card["threshold"]["rule"])) == (0.35, "0.35, as asked for")
    np.testing.assert_array_equal(fixed.probabilities(images), p)
    assert fixed.card["threshold"]["specificity"] == pytest.approx((p < 0.35)[y == 0].mean())
    RecipeRun(phantoms, quick, validation="matched", **choices).run(tmp_path / "matched")
    matched = neumo.load(tmp_path / "matched/classifier.neumo")
    rule = in_words(matched.card["threshold"]["rule"])
    assert rule.endswith("changed in 2 ways, drawn so that stretch does not tell the classes apart")
    table = load_split(tmp_path / "matched/splits/patient-seed0.csv", neumo.read(phantoms).table)
    fitted = table[table["part"] != "test"]
    weights = np.tile(overlap_weights(fitted)[fitted["part"] == "validation"], 3)
    p = matched.probabilities(images)
    negative, positive = (np.average(p, weights=weights * (y == label)) for label in (0, 1))
    assert (1 - y.mean()) * negative + y.mean() * positive == pytest.approx(y.mean(), abs=0.02)
    assert np.average(p >= matched.threshold, weights=weights * y) == pytest.approx(
        matched.card["threshold"]["sensitivity"], abs=0.03
    )
    _asked_under_stress(phantoms, quick, choices, tmp_path)
    p, points = changed.probabilities(images), changed.card["operating_points"]
    for place in (20, 100, 180):
        found = (p >= points["threshold"][place])[y == 1].mean()
        assert points["sensitivity"][place] == pytest.approx(found, abs=1.01 / y.sum())
    rule = in_words(changed.card["threshold"]["rule"])
    assert rule.endswith("validation part, as it is and changed in 2 ways")
    order = np.argsort(usual.probabilities(own), kind="stable")
    assert (np.diff(changed.probabilities(own)[order]) > -1e-6).all(), "the network is another one"


def _asked_under_stress(phantoms: Path, quick: Recipe, choices: dict[str, Any], out: Path) -> None:
    """On the images as they are, changed twice and three times as far as in training."""
    RecipeRun(phantoms, quick, validation="stressed", **choices).run(out / "stressed")
    stressed = neumo.load(out / "stressed/classifier.neumo")
    rule = in_words(stressed.card["threshold"]["rule"])
    assert rule.endswith("as it is and changed in 2 ways, up to 3 times as far as in training")
    rows = load_split(out / "stressed/splits/patient-seed0.csv", neumo.read(phantoms).table)
    rows = rows[rows["part"] == "validation"]
    own = [read_radiograph(path) for path in rows["path"]]
    images, y = list(own), np.tile(rows["label"].to_numpy(), 3)
    for copy, times in ((1, 2), (2, 3)):
        by = Augmentation(
            **{
                name: min(reach * times, 1.0 if name in ("shift", "border", "corners", "corner") else np.inf)
                for name, reach in dataclasses.asdict(quick.augmentation).items()
            }
        )
        images += [
            augment(pixels, by, copy_seed(sha, copy)) for pixels, sha in zip(own, rows["sha256"], strict=True)
        ]
    p = stressed.probabilities(np.stack(images))
    assert p.mean() == pytest.approx(y.mean(), abs=1e-3)
    assert stressed.card["threshold"]["sensitivity"] == pytest.approx(
        (p >= stressed.threshold)[y == 1].mean()
    )
    assert stressed.card["threshold"]["specificity"] == pytest.approx((p < stressed.threshold)[y == 0].mean())


def test_probabilities_can_be_made_for_another_prevalence(phantoms: Path, tmp_path: Path) -> None:
    quick = dataclasses.replace(PAIR, members=1, tta_shift=0)
    choices: dict[str, Any] = {**CHOICES, "protocols": ("patient",)}
    data = neumo.read(phantoms).aged(18, 90)
    results = [
        RecipeRun(data, quick, **choices, prevalence=share).run(tmp_path / str(share))
        for share in (None, 0.1)
    ]
    own, other = (pd.read_csv(tmp_path / str(share) / "predictions.csv") for share in (None, 0.1))
    odds = own["probability"] / (1 - own["probability"])
    others = other["probability"] / (1 - other["probability"])
    rows = load_split(tmp_path / "0.1/splits/patient-seed0.csv", neumo.read(phantoms).table)
    share = rows.loc[rows["part"] == "validation", "label"].mean()
    np.testing.assert_allclose(others / odds, (0.1 / 0.9) / (share / (1 - share)), rtol=1e-3)
    before, after = (one.runs[0].test for one in results)
    assert before is not None
    assert after is not None
    assert before["confusion"] == after["confusion"], "the operating point moved"
    card = neumo.load(tmp_path / "0.1/classifier.neumo").card
    assert "made for places where 10% do" in " ".join(card["limits"])
    assert card["ages"] == [18, 90]
    with pytest.raises(NeumoError, match="prevalence: got 1, expected"):
        RecipeRun(phantoms, quick, prevalence=1.0)


def test_what_is_finished_is_not_done_again(
    phantoms: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    before = Results.load(out / "results.json")
    monkeypatch.setattr(module, "fine_tune", never)
    again = RecipeRun(phantoms, PAIR, **CHOICES).run(out)  # type: ignore[arg-type]
    assert [dataclasses.asdict(run) for run in again.runs] == [dataclasses.asdict(run) for run in before.runs]
    with pytest.raises(AssertionError, match="trained again"):
        RecipeRun(phantoms, dataclasses.replace(PAIR, learning_rate=1e-5), **CHOICES).run(out)  # type: ignore[arg-type]


def test_classes_that_are_called_otherwise_are_so_in_the_classifier(
    phantoms: Path, out: Path, tmp_path: Path
) -> None:
    shutil.copytree(out, tmp_path / "out")
    data = dataclasses.replace(neumo.read(phantoms), positive_name="tuberculosis")
    RecipeRun(data, PAIR, **{**CHOICES, "protocols": ("official",)}).run(tmp_path / "out")  # type: ignore[arg-type]
    assert neumo.load(out / "classifier.neumo").card["positive"] == "pneumonia"
    assert neumo.load(tmp_path / "out" / "classifier.neumo").card["positive"] == "tuberculosis"


def test_another_run_of_the_same_seed_gives_the_same_figures(
    phantoms: Path, out: Path, tmp_path: Path
) -> None:
    shutil.rmtree(tuned_folder(), ignore_errors=True)
    again = RecipeRun(phantoms, PAIR, **{**CHOICES, "protocols": ("official",)}).run(tmp_path / "again")  # type: ignore[arg-type]
    (before,) = Results.load(out / "results.json").tested("official")
    for found, told in zip(again.runs[0].history.values(), before.history.values(), strict=True):
        np.testing.assert_allclose(found, told, rtol=0.02)
    assert before.test is not None
    loss = before.test["metrics"]["loss"]["value"]
    assert (again.runs[0].test or {})["metrics"]["loss"]["value"] == pytest.approx(loss, rel=0.05)


def test_a_recipe_that_there_is_not_is_told(phantoms: Path) -> None:
    with pytest.raises(NeumoError, match="recipe: got 'magic', expected fine-tuned or whole"):
        RecipeRun(phantoms, "magic", weights="phantom")


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"seeds": (0, 0)}, r"seeds: got \[0, 0\], expected different whole numbers"),
        ({"seeds": (-1,)}, "seeds: got"),
        ({"seeds": ()}, "seeds: got"),
        ({"seeds": (1.5,)}, r"seeds: got \[1.5\], expected different whole numbers from 0 to 4294967295"),
        ({"seeds": (2**32,)}, "seeds: got"),
        ({"sensitivity": 98.0}, "sensitivity: got 98.0, expected a share up to 1"),
        ({"threshold": 1.0}, "threshold: got 1.0, expected a probability between 0 and 1"),
        (
            {"threshold": 0.5, "sensitivity": 0.9},
            "threshold: got 0.5 with a sensitivity of 0.9, expected one",
        ),
        ({"test_fraction": 1.5}, "test fraction: got 1.5"),
        ({"protocols": ("sideways",)}, "got 'sideways', expected random or official or patient"),
        (
            {"validation": "hard", "protocols": ("patient",)},
            "got 'hard', expected the official protocol among those asked for",
        ),
        (
            {"backbone": ("MobileNetV2-0.35", "MobileNetV2-0.35"), "weights": "phantom"},
            "got MobileNetV2-0.35 and MobileNetV2-0.35, expected each once",
        ),
    ],
)
def test_what_cannot_be_done_is_told_before_any_image_is_decoded(
    phantoms: Path, choices: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neumo.study.recipe.inspect_images", None)
    with pytest.raises(NeumoError, match=told):
        RecipeRun(phantoms, PAIR, **{**CHOICES, **choices})


def test_data_without_a_test_set_of_their_own_have_no_official_protocol(phantoms: Path) -> None:
    data = neumo.read(phantoms)
    none = pd.Series(pd.NA, data.table.index, dtype="str")
    data = dataclasses.replace(data, table=data.table.assign(official=none))
    why = "official protocol: expected a test set of the data set's own"
    assert RecipeRun(data, PAIR, weights="phantom").protocols == ("random", "patient")
    with pytest.raises(NeumoError, match=f"^protocol: {why}"):
        RecipeRun(data, PAIR, weights="phantom", protocols=("official",))
    with pytest.raises(NeumoError, match=rf"^validation: got 'hard', .* official test set \({why}"):
        RecipeRun(data, PAIR, weights="phantom", validation="hard")


@pytest.mark.parametrize(
    "name", ["sensitivity", "threshold", "prevalence", "test_fraction", "validation_fraction"]
)
def test_a_number_of_numpy_is_the_same_choice(name: str, phantoms: Path) -> None:
    keys = []
    for number in (np.float32(0.25), 0.25):
        choices: dict[str, Any] = {**CHOICES, name: number}
        run = RecipeRun(phantoms, PAIR, **choices)
        keys.append(run._key(run._divided("patient", 0), "patient", 0))
    assert keys[0] == keys[1]


def test_too_few_radiographs_for_any_protocol(phantoms: Path) -> None:
    data = neumo.read(phantoms)
    few = data.table.groupby("label").head(2).reset_index(drop=True)
    with pytest.raises(NeumoError, match="expected"):
        RecipeRun(dataclasses.replace(data, table=few), PAIR, backbone="MobileNetV2-0.35", weights="phantom")


def test_images_that_cannot_be_read_can_be_left_out(phantoms: Path) -> None:
    data = neumo.read(phantoms)
    bad = phantoms / "bad.jpeg"
    bad.write_bytes(b"no picture")
    table = data.table.assign(
        path=[str(bad), *data.table["path"][1:]], sha256=["0", *data.table["sha256"][1:]]
    )
    spoiled = dataclasses.replace(data, table=table)
    with pytest.raises(NeumoError, match=r"bad\.jpeg.*--skip-unreadable leaves such"):
        RecipeRun(spoiled, PAIR, **CHOICES)  # type: ignore[arg-type]
    run = RecipeRun(spoiled, PAIR, **CHOICES, skip_unreadable=True)  # type: ignore[arg-type]
    assert len(run.dataset.table) == len(table) - 1
    assert [one["file"] for one in run._audit.undecodable] == ["bad.jpeg"]
    bad.unlink()


def test_the_python_call_gives_the_same_run_again(phantoms: Path, tmp_path: Path) -> None:
    choices: dict[str, Any] = {**CHOICES, "seeds": (3, 4), "sensitivity": 0.9, "validation": "changed"}
    run = RecipeRun(phantoms, PAIR, **choices)
    call = run._call(tmp_path / "out")
    names = {"neumo": neumo, **vars(recipes_module), **vars(augment_module)}
    again = eval(call.removesuffix(f".run({str(tmp_path / 'out')!r})"), names)
    assert (again.settings, again.protocols, again.seeds) == (run.settings, run.protocols, run.seeds)
    assert "'fine-tuned'" in RecipeRun(phantoms, "fine-tuned", **choices)._call(tmp_path)
    data = neumo.read(phantoms).aged(1, 5).named("IM|[02468]_")  # of which a path tells less
    run = RecipeRun(data, PAIR, **choices)
    again = eval(run._call(tmp_path).removesuffix(f".run({str(tmp_path)!r})"), {**names, "data": data})
    assert (again.dataset.ages, len(again.dataset.table)) == ((1, 5), len(run.dataset.table))
    at = RecipeRun(phantoms, PAIR, **{**choices, "sensitivity": None, "threshold": 0.35})
    assert "threshold=0.35" in at._call(tmp_path)


def test_how_often_a_backbone_counts_matters(phantoms: Path) -> None:
    pairs = [
        RecipeRun(phantoms, PAIR, protocols=("official",), backbone=names, weights=weights)
        for names, weights in (
            (("MobileNetV2-0.35", "MobileNet-0.25"), ("phantom", "none")),
            (("MobileNetV2-0.35", "MobileNet-0.25", "MobileNetV2-0.35"), ("phantom", "none", "none")),
        )
    ]
    assert len({run._key(run._divided("official", 0), "official", 0) for run in pairs}) == 2


def test_one_protocol_by_its_name(phantoms: Path) -> None:
    assert RecipeRun(phantoms, weights="phantom", protocols="patient").protocols == ("patient",)


def test_no_backbone_is_told(phantoms: Path) -> None:
    with pytest.raises(NeumoError, match=r"^backbone: got none, expected one or more$"):
        RecipeRun(phantoms, weights="phantom", backbone=())
