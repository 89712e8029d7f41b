"""``neumo evaluate`` and ``neumo card``, from a saved classifier to pages."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from neumo.classifier.saved_file import read_parts, write_parts
from neumo.data.sources import read
from tests.cli.test_compare import neumo


def test_prints_figures_and_leaves_a_page(trained: tuple[Path, Path], tmp_path: Path) -> None:
    data, classifier = trained
    done = neumo("evaluate", classifier, data, "--out", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert f"{found['all']['metrics']['auc']['value']:.3f}" in done.stdout
    assert f"{found['unseen']['metrics']['accuracy']['value']:.3f}" in done.stdout
    for said in ("was made from", "brightness", "called pneumonia", "SYNTHETIC", "not a medical device"):
        assert said in done.stdout
    assert "<html" in (tmp_path / "out" / "evaluation.html").read_text()
    predictions = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert len(predictions) == found["data"]["images"]


def test_fits_eighty_columns_and_explains_its_words(
    trained: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    data, classifier = trained
    lines = neumo("evaluate", classifier, data).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert all(row[0] for row in rows), "a row goes on in a second line"
    assert {"Calibration error (ECE)", "black", "border"} <= {row[0] for row in rows}
    said = " ".join(" ".join(lines).split())
    assert f", evaluated on {read(data).name} (SYNTHETIC)" in said
    for meaning in ("share of black pixels", "mean grey level of the outermost", "gap: largest distance"):
        assert meaning in said


def test_json_of_a_table_with_columns_of_its_own(trained: tuple[Path, Path], tmp_path: Path) -> None:
    data, classifier = trained
    files = sorted(data.rglob("test/*.jpeg"))[:16]
    labels = ["ill" if number % 2 else "well" for number in range(len(files))]
    pd.DataFrame({"where": map(str, files), "what": labels}).to_csv(tmp_path / "list.csv", index=False)
    options = ("--path-column", "where", "--label-column", "what", "--positive", "ill", "--json")
    found = json.loads(neumo("evaluate", classifier, tmp_path / "list.csv", *options).stdout)
    assert found["all"]["n"] == 16
    assert found["shift"]["prevalence"]["here"] == 0.5


def test_says_of_which_images_each_count_is(trained: tuple[Path, Path], tmp_path: Path) -> None:
    """What the classifier was made from counts among the warnings, and not in how far the others lie."""
    data, classifier = trained
    files = sorted(data.rglob("*.jpeg"))
    rows = [{"image": str(path), "label": int("person" in path.name)} for path in files]
    Image.effect_noise((64, 64), 200).save(tmp_path / "noise.png")
    rows.append({"image": str(tmp_path / "noise.png"), "label": 0})
    pd.DataFrame(rows).to_csv(tmp_path / "list.csv", index=False)
    done = neumo("evaluate", classifier, tmp_path / "list.csv", "--out", tmp_path / "out")
    predictions = pd.read_csv(tmp_path / "out" / "predictions.csv", keep_default_na=False)
    far = predictions["warnings"].str.contains("unfamiliar")
    new = predictions["seen"] == ""
    assert far.any()
    assert 0 < new.sum() < len(new)
    said = " ".join(done.stdout.split())
    warnings = next(line for line in done.stdout.splitlines() if line.startswith("Warnings, all images: "))
    assert f"unfamiliar {far.sum()}" in warnings
    unlike = f"Of the radiographs that it was not made from: {far[new].mean():.1%} of the radiographs look"
    assert unlike in said
    assert "How far from the classifier's own, not made from, median" in said
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert page.count(unlike) == 2


@pytest.mark.parametrize("kept", [(), ("test", "training"), ("results",)])
def test_a_classifier_whose_card_says_only_what_predictions_need(
    kept: tuple[str, ...], trained: tuple[Path, Path], tmp_path: Path
) -> None:
    data, classifier = trained
    parts = read_parts(classifier)
    needed = ("name", "positive", "negative", "notice", "scaling", "format", "size", "pixels")
    card = {name: parts.card[name] for name in needed}
    card["data"] = {"synthetic": True}
    card["threshold"] = {"threshold": parts.card["threshold"]["threshold"]}
    if "test" in kept:
        card["test"] = {"official": {"auc": parts.card["test"]["official"]["auc"], "ece": None}}
        card["training"] = {"counts": {"train": {"normal": 3}}}
    if "results" in kept:
        auc = {"mean": 0.9}
        card["results"] = {"official": {"metrics": {"auc": auc, "accuracy": None}}}
    write_parts(tmp_path / "bare.neumo", dataclasses.replace(parts, card=card, origin=None))
    files = sorted(data.rglob("test/*.jpeg"))[:16]
    labels = [number % 2 for number in range(len(files))]
    pd.DataFrame({"image": map(str, files), "label": labels}).to_csv(tmp_path / "list.csv", index=False)
    done = neumo("evaluate", tmp_path / "bare.neumo", tmp_path / "list.csv", "--out", tmp_path / "out")
    assert "evaluated on list" in done.stdout
    assert "does not tell where it comes from" in (tmp_path / "out" / "evaluation.html").read_text()
    assert neumo("card", tmp_path / "bare.neumo").stdout.startswith("# ")


def test_another_disease_is_called_by_its_name(trained: tuple[Path, Path], tmp_path: Path) -> None:
    data, classifier = trained
    files = sorted(data.rglob("test/*.jpeg"))[:16]
    ill = [number % 2 for number in range(len(files))]
    pd.DataFrame({"image": map(str, files), "tuberculosis": ill}).to_csv(tmp_path / "list.csv", index=False)
    options = ("--label-column", "tuberculosis", "--out", tmp_path / "out")
    done = neumo("evaluate", classifier, tmp_path / "list.csv", *options)
    said = " ".join(done.stdout.split())
    assert "Here positive means tuberculosis, the classifier's means pneumonia; negative means" in said
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines()]
    truths = [row[0] for row in rows if len(row) == 3 and "tuberculosis" in row[0]]
    assert truths == ["not tuberculosis", "tuberculosis"]
    assert "Share of tuberculosis: 50.0% here, " in said
    assert "% of pneumonia in training" in said
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "share of tuberculosis" in page
    assert "% of pneumonia in training" in page


def test_bad_input_is_one_line(trained: tuple[Path, Path], tmp_path: Path) -> None:
    data, classifier = trained
    (tmp_path / "thesis.txt").write_text("mine")
    for arguments, told in (
        (("evaluate", tmp_path / "no.neumo", data), "expected a classifier that neumo saved"),
        (("evaluate", classifier, tmp_path / "nowhere"), "got no such file or folder"),
        (("evaluate", classifier, data, "--out", tmp_path), "got a folder with other files"),
    ):
        done = neumo(*arguments, code=2)
        assert len(done.stderr.strip().splitlines()) == 1
        assert told in done.stderr
