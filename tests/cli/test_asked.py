"""What `neumo study` and `neumo train` are asked for is what is run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from neumo.data.table import Dataset
from neumo.images.generate import Transforms
from neumo.phantom.dataset import make_phantoms
from neumo.results.results import Results
from neumo.results.settings import Settings
from neumo.study.recipe import RecipeRun
from neumo.study.study import Study
from neumo.training.steps import STEPS
from tests.cli.here import neumo_here

DATA_OPTIONS = (
    *("--path-column", "where", "--label-column", "told", "--patient-column", "who"),
    *("--positive", "yes", "--positive", "sure", "--ages", 18, 90, "--skip-missing", "--skip-unreadable"),
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms in a table of other headings: three findings, and a row without any."""
    folder = tmp_path_factory.mktemp("asked")
    paths = sorted(make_phantoms(folder / "set", patients=30, size=64).rglob("*.jpeg"))
    who = [f"w{i // 2}" for i in range(len(paths))]  # not what the files' names say
    pneumonia = [path.name.startswith("person") for path in paths]
    finding = [("sure" if i % 2 else "yes") if sick else "no" for i, sick in enumerate(pneumonia)]
    rows = pd.DataFrame({"where": map(str, paths), "told": [None, *finding[1:]], "who": who})
    rows.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


@pytest.fixture
def asked(two_runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Path]]:
    """Each study or recipe that is to be run, and where to; of either come the results of another."""
    found = Results.load(two_runs[1] / "results.json")
    first = found.ladder("linear")
    found.runs += [
        dataclasses.replace(run, step=step.name, test=None) for run in first for step in STEPS[:-1]
    ]
    for run in found.runs:
        run.step = STEPS[-1].name if run.step == "linear" else run.step
        run.validation = {"loss": 0.2345, "accuracy": 0.9}
        run.counts["validation"]["generated"] = 0
    runs: list[tuple[Any, Path]] = []

    def run_(self: Any, out: Path, *, command: str) -> Results:
        runs.append((self, out))
        found.command = command
        return found

    monkeypatch.setattr(Study, "run", run_)
    monkeypatch.setattr(RecipeRun, "run", run_)
    return runs


def check_data(data: Dataset, table: Path) -> None:
    rows = pd.read_csv(table)[1:]
    positive = dict(zip(rows["where"], rows["told"] != "no", strict=True))
    assert dict(zip(data.table["path"], data.table["label"] == 1, strict=True)) == positive
    assert data.table["patient"].nunique() == rows["who"].nunique()
    assert data.ages == (18, 90)


def test_study(table: Path, tmp_path: Path, asked: list[tuple[Study, Path]]) -> None:
    given = (
        *("study", table, *DATA_OPTIONS, "--backbone", "MobileNet-0.25", "--weights", "none"),
        *("--seed", 3, 4, "--out", tmp_path / "out", "--epochs", 7, "--batch-size", 5, "--copies", 1),
        *("--test-fraction", 0.3, "--validation-fraction", 0.1, "--validation", "after-balancing"),
        *("--split", "split.csv", "--rotation", 1, "--width-shift", 0.2, "--zoom", 0.3),
        *("--normalise", "imagenet", "--dropout", 0.4, "--precision", "f32", "--sensitivity", 0.9),
    )
    done = neumo_here(*given)
    assert done.returncode == 0
    ((study, out),) = asked
    assert study.settings == Settings(
        backbone="MobileNet-0.25",
        weights="none",
        seeds=(3, 4),
        epochs=7,
        batch_size=5,
        test_fraction=0.3,
        validation_fraction=0.1,
        validation_drawn="after-balancing",
        copies=1,
        transforms=Transforms(rotation_range=1, width_shift_range=0.2, zoom_range=0.3),
        dropout=0.4,
        normalise="imagenet",
        precision="f32",
        sensitivity=0.9,
    )
    assert (out, study.given_split, study.skip_unreadable) == (tmp_path / "out", Path("split.csv"), True)
    assert isinstance(study.data, Dataset)
    check_data(study.data, table)
    assert done.stdout.endswith(f"\nReport page: {tmp_path / 'out' / 'report.html'}\n")
    printed = json.loads(neumo_here(*given, "--json").stdout)
    assert printed["command"].endswith("--precision f32 --sensitivity 0.9 --json")


def test_study_by_default(table: Path, asked: list[tuple[Study, Path]]) -> None:
    for data in ((table, *DATA_OPTIONS[:10], "--skip-missing"), ()):
        assert neumo_here("study", *data).returncode == 0
    assert "got no label in row 1" in neumo_here("study", table, *DATA_OPTIONS[:10]).stderr
    (on_data, out), (without, _) = asked
    assert on_data.settings == Settings()
    assert without.settings == Study().settings
    assert without.data is None
    assert (out, on_data.given_split, on_data.skip_unreadable) == (Path("neumo-study"), None, False)


def test_train(table: Path, tmp_path: Path, asked: list[tuple[RecipeRun, Path]]) -> None:
    given = (
        *("train", table, *DATA_OPTIONS, "--recipe", "gentle", "--out", tmp_path / "out", "--seed", 3, 4),
        *("--backbone", "MobileNet-0.25", "--backbone", "MobileNetV2-0.35"),
        *("--weights", "none", "--weights", "phantom", "--protocol", "patient", "--protocol", "random"),
        *("--names", "jpe?g$", "--validation", "usual", "--threshold", 0.4, "--prevalence", 0.3),
    )
    done = neumo_here(*given)
    assert done.returncode == 0
    ((run, out),) = asked
    told = dict(run.settings)
    assert told.pop("recipe")["name"] == "gentle"
    assert told == {
        "backbone": "MobileNet-0.25 + MobileNetV2-0.35",
        "weights": "none + phantom",
        "seeds": (3, 4),
        "test_fraction": 0.2,
        "validation_fraction": 0.2,
        "validation": "usual",
        "validation_drawn": "before-balancing",
        "sensitivity": None,
        "threshold": 0.4,
        "prevalence": 0.3,
    }
    assert (out, run.protocols, run.skip_unreadable) == (tmp_path / "out", ("patient", "random"), True)
    check_data(run.dataset, table)
    report, classifier = (f"{tmp_path / 'out' / name}\n" for name in ("report.html", "classifier.neumo"))
    assert done.stdout.endswith(f"\nReport page: {report}Classifier: {classifier}")
    printed = json.loads(neumo_here(*given, "--json").stdout)
    assert printed["command"].endswith("--threshold 0.4 --prevalence 0.3 --json")


def test_train_by_default(
    table: Path, tmp_path: Path, asked: list[tuple[RecipeRun, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ("train", table, *DATA_OPTIONS[:10], "--skip-missing")
    assert neumo_here(*given, "--weights", "none").returncode == 0
    assert "got no label in row 1" in neumo_here(*given[:-1], "--weights", "none").stderr
    ((run, out),) = asked
    by_default = RecipeRun(run.dataset, weights="none")
    assert (run.settings, run.protocols) == (by_default.settings, by_default.protocols)
    assert (out, run.skip_unreadable, run.dataset.ages) == (Path("neumo-run"), False, None)


def test_train_on_some_of_the_images(
    table: Path, tmp_path: Path, asked: list[tuple[RecipeRun, Path]]
) -> None:
    given = ("train", table, *DATA_OPTIONS, "--weights", "none", "--out", tmp_path / "out")
    assert neumo_here(*given, "--names", r"[02468]\.jpeg$", "--sensitivity", 0.9).returncode == 0
    ((run, _),) = asked
    some = [path for path in pd.read_csv(table)["where"][1:] if int(path[-6]) % 2 == 0]
    assert sorted(run.dataset.table["path"]) == some
    assert run.settings["sensitivity"] == 0.9
