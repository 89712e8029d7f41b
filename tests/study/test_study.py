"""A whole study on synthetic radiographs: what it leaves, what it keeps, what it says."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import neumo
from neumo.errors import NeumoError
from neumo.files import claimed
from neumo.phantom.dataset import make_phantoms
from neumo.results.comparison import compare
from neumo.results.finished import read_run
from neumo.results.results import Results
from neumo.study import study as module
from neumo.study.recipe import RecipeRun
from neumo.study.study import Study
from neumo.training.steps import STEPS

CHOICES: dict[str, Any] = {"backbone": "MobileNetV2-0.35", "weights": "none", "epochs": 4}


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_phantoms(
        tmp_path_factory.mktemp("data") / "phantoms", patients=50, size=96, difficulty="easy"
    )


@pytest.fixture(autouse=True)
def _own_cache() -> None:
    """All tests here share one."""


@pytest.fixture(scope="module")
def out(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "out"
    Study(phantoms, seeds=(0, 1), **CHOICES).run(folder)
    return folder


def test_leaves_all_that_it_promises(out: Path) -> None:
    for name in ("report.html", "results.json", "predictions.csv", "classifier.neumo", "splits", "figures"):
        assert (out / name).exists(), name
    assert {p.suffix for p in (out / "figures").iterdir()} == {".png", ".svg"}


def test_runs_the_ladder_and_the_three_protocols(out: Path) -> None:
    results = Results.load(out / "results.json")
    assert results.skipped == {}
    for step in STEPS:
        assert [run.seed for run in results.ladder(step.name)] == [0, 1]
    for protocol in ("random", "patient", "official"):
        assert [run.seed for run in results.tested(protocol)] == [0, 1]
    assert {run.validation_drawn for run in results.runs} == {"before-balancing", "after-balancing"}


def test_looks_at_the_test_part_only_for_the_final_step(out: Path) -> None:
    for run in Results.load(out / "results.json").runs:
        assert (run.test is not None) == (run.step == STEPS[-1].name)


def test_figures_follow_from_the_saved_predictions_and_splits(out: Path) -> None:
    results = Results.load(out / "results.json")
    predictions = pd.read_csv(out / "predictions.csv")
    for protocol in ("random", "patient", "official"):
        for run in results.tested(protocol):
            own = predictions[
                (predictions["protocol"] == protocol)
                & (predictions["seed"] == run.seed)
                & (predictions["validation_drawn"] == "before-balancing")
            ]
            divided = pd.read_csv(out / "splits" / f"{protocol}-seed{run.seed}.csv")
            assert sorted(own["sha256"]) == sorted(divided.loc[divided["part"] == "test", "sha256"])
            assert run.test is not None
            assert run.test["metrics"]["auc"]["value"] == pytest.approx(
                roc_auc_score(own["label"], own["probability"])
            )


def test_the_file_has_the_figures_over_the_seeds(out: Path) -> None:
    results = Results.load(out / "results.json")
    accuracies = [run.validation["accuracy"] for run in results.ladder("deeper")]
    assert results.summary["ladder"]["deeper"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    aucs = [run.test["metrics"]["auc"]["value"] for run in results.tested("patient") if run.test]
    assert results.summary["tested"]["patient"]["auc"]["sd"] == pytest.approx(np.std(aucs, ddof=1))
    assert set(results.summary["differences"]) == {"patient", "official"}
    assert results.published["test"] == {"loss": 0.2654, "accuracy": 0.9459}
    assert "SYNTHETIC" in results.notice


def test_parameters_are_those_of_backbone_and_head(out: Path) -> None:
    results = Results.load(out / "results.json")
    base = results.ladder("base")[0]
    assert base.parameters == {"total": 410_208 + 1281, "trainable": 1281}


def test_goes_on_from_finished_trials_with_the_same_numbers(out: Path, phantoms: Path) -> None:
    first = Results.load(out / "results.json")
    written = {path: path.stat().st_mtime_ns for path in (out / "trials").rglob("trial.json")}
    again = Study(phantoms, seeds=(0, 1), **CHOICES).run(out)
    assert again.to_dict()["runs"] == first.to_dict()["runs"]
    assert {path: path.stat().st_mtime_ns for path in (out / "trials").rglob("trial.json")} == written


def test_another_choice_fits_anew(out: Path, phantoms: Path, tmp_path: Path) -> None:
    first = Results.load(out / "results.json").ladder("deeper")[0]
    other = Study(phantoms, **{**CHOICES, "epochs": 2}).run(tmp_path / "out")
    assert len(other.ladder("deeper")[0].history["loss"]) == 2
    assert first.history["loss"][:2] == pytest.approx(other.ladder("deeper")[0].history["loss"])


def test_killed_or_stopped_at_any_point_it_goes_on(phantoms: Path, out: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "neumo", "study", str(phantoms), "--backbone", "MobileNetV2-0.35"]
    command += ["--weights", "none", "--epochs", "4", "--out", str(tmp_path / "out"), "--json"]
    environment = {**os.environ, "NEUMO_CACHE": str(tmp_path / "cache")}
    trials = tmp_path / "out" / "trials"
    written: dict[Path, int] = {}
    for wanted, sent in ((0, signal.SIGKILL), (1, signal.SIGKILL), (3, signal.SIGINT)):
        ours = signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job may ignore it
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        signal.signal(signal.SIGINT, ours)
        while process.poll() is None and len(list(trials.glob("*/trial.json"))) < wanted:
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(sent)
        _, told = process.communicate()
        now = {path: path.stat().st_mtime_ns for path in trials.glob("*/trial.json")}
        assert written.items() <= now.items()
        written = now
    assert process.returncode == 130
    line = "neumo: stopped; what was computed is kept, and the same command goes on from there"
    assert told.decode().strip().splitlines() == [line]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    runs = json.loads(finished.stdout)["runs"]
    expected = [run for run in Results.load(out / "results.json").to_dict()["runs"] if run["seed"] == 0]
    assert [run["history"] for run in runs] == [run["history"] for run in expected]
    assert [run["test"] for run in runs] == [run["test"] for run in expected]
    assert written.items() <= {path: path.stat().st_mtime_ns for path in trials.glob("*/trial.json")}.items()


def test_what_other_seeds_left_stays_and_is_in_no_result(out: Path, phantoms: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(out, tmp_path / "out"))
    kept = {
        path: path.read_bytes()
        for kind in ("splits", "trials")
        for path in folder.glob(f"{kind}/*seed1*")
        if path.is_file()
    }
    trials = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/trial.json")}
    Study(phantoms, seeds=(0,), **CHOICES).run(folder)
    found = read_run(folder)
    assert {run.seed for run in found.results.runs} == {*found.predictions["seed"]} == {0}
    assert kept
    assert {path: path.read_bytes() for path in kept} == kept
    assert {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/trial.json")} == trials
    assert [len(pair.seeds) for pair in compare(folder, out).pairs] == [1, 1, 1]


def test_a_saved_split_can_be_given_back(out: Path, phantoms: Path, tmp_path: Path) -> None:
    given = out / "splits" / "patient-seed1.csv"
    results = Study(phantoms, given_split=given, **CHOICES).run(tmp_path / "out")
    used = pd.read_csv(tmp_path / "out" / "splits" / "random-seed0.csv").sort_values("path")
    assert list(used["part"]) == list(pd.read_csv(given).sort_values("path")["part"])
    assert results.settings["given_split"] == str(given)


def test_a_folder_with_other_files_is_refused(phantoms: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(NeumoError, match=r"got a folder with other files"):
        Study(phantoms, **CHOICES).run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_results_of_other_data_are_not_written_over(out: Path, phantoms: Path, tmp_path: Path) -> None:
    other = make_phantoms(tmp_path / "others", patients=8, size=64)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    expected = r"out: got the results of other data \(.*radiographs\), expected a new folder for .*--out$"
    with pytest.raises(NeumoError, match=expected):
        Study(other, **CHOICES).run(out)
    data = neumo.read(phantoms)
    halves = data.table.assign(label=np.arange(len(data.table)) % 2)
    of_sex = dataclasses.replace(data, table=halves, positive_name="female", negative_name="male")
    with pytest.raises(NeumoError, match=r"pneumonia or normal, .*\), expected .* \(female or male, "):
        Study(of_sex, **CHOICES).run(out)
    recipe = RecipeRun(phantoms, backbone="MobileNetV2-0.35", weights="none")
    with pytest.raises(
        NeumoError, match=r"out: got a folder with other files, expected a new one or one of a neumo train"
    ):
        recipe.run(out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_stopped_between_predictions_and_results_it_leaves_no_old_results(
    out: Path, phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(out, tmp_path / "out")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_save_classifier", stop)
        with pytest.raises(KeyboardInterrupt):
            Study(phantoms, seeds=(0, 1), **CHOICES).run(tmp_path / "out")
    assert not (tmp_path / "out" / "results.json").exists()
    Study(phantoms, seeds=(0, 1), **CHOICES).run(tmp_path / "out")
    assert (tmp_path / "out" / "results.json").exists()


def test_a_folder_that_another_process_writes_to_is_refused(out: Path, phantoms: Path) -> None:
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    code = f"from neumo.files import claimed\nwith claimed({str(out)!r}, 'study'): print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(NeumoError, match="out: got a run that is still writing there, expected it to be"):
            Study(phantoms, seeds=(0, 1), **CHOICES).run(out)
        other.communicate(b"\n")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    with claimed(out, "study"):
        pass


def test_the_saved_classifier_is_the_ladders_last_head(out: Path) -> None:
    predictions = pd.read_csv(out / "predictions.csv")
    own = predictions.query("protocol == 'random' and seed == 0 and validation_drawn == 'before-balancing'")
    own = own.head(20)
    found = neumo.load(out / "classifier.neumo").predict(list(own["path"]))
    np.testing.assert_allclose([p.probability for p in found], own["probability"], atol=1e-4)


def test_the_card_of_the_classifier_tells_the_run_and_what_it_was_made_from(out: Path) -> None:
    results, classifier = Results.load(out / "results.json"), neumo.load(out / "classifier.neumo")
    assert classifier.card["command"] == re.sub(r"'/[^']*/", "'", results.command)
    assert "/" not in classifier.card["command"]
    assert classifier.card["results"]["patient"]["seeds"] == [0, 1]
    assert any("drawn by a program" in one for one in classifier.card["limits"])
    divided = pd.read_csv(out / "splits" / "random-seed0.csv")
    own = divided[divided["part"] != "test"]
    assert classifier.origin is not None
    assert len(classifier.origin.contents) == own["sha256"].nunique()
    train = own[own["part"] == "train"]
    assert classifier.origin.prevalence == pytest.approx(train["label"].mean())


def test_without_data_the_weights_are_neumos_own_where_it_has_them() -> None:
    assert Study().settings.weights == "phantom"
    assert Study(backbone="mobilenetv2-0.35").settings.weights == "phantom"
    assert Study(weights="none").settings.weights == "none"
    assert Study(backbone="ResNet50").settings.weights == "none"
    assert Study("some/folder").settings.weights == "imagenet"


def test_the_call_of_a_study_without_data_names_its_backbone_and_weights(tmp_path: Path) -> None:
    asked = {"backbone": "ResNet50", "weights": "imagenet"}
    assert "(None, backbone='ResNet50', weights='imagenet')" in Study(None, **asked)._call(tmp_path)  # type: ignore[arg-type]


def test_the_call_of_a_study_on_data_that_were_read_is_on_these(phantoms: Path, tmp_path: Path) -> None:
    data = neumo.read(phantoms).aged(1, 5)  # of which a path tells less
    call = Study(data)._call(tmp_path).removesuffix(f".run({str(tmp_path)!r})")
    assert eval(call, {"neumo": neumo, "data": data}).data is data
