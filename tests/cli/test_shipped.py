"""Verbs that take a classifier do with the one that neumo brings."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import neumo
from neumo.cli import _with_classifier
from neumo.files import SHIPPED


def test_it_is_small_and_says_what_it_is() -> None:
    assert SHIPPED.stat().st_size <= 8 * 1024**2
    card = neumo.load().card
    assert card["data"]["synthetic"] is False
    assert set(card["results"]) == {"random", "patient", "official"}
    assert all(len(found["seeds"]) >= 3 for found in card["results"].values())
    assert "neumo train" in card["command"]
    assert card["limits"]
    assert '"/' not in json.dumps(card)  # no path of the machine it was trained on


def test_a_radiograph_alone_is_predicted(tmp_path: Path) -> None:
    from PIL import Image

    from neumo.phantom.radiograph import draw_radiograph

    Image.fromarray(draw_radiograph("bacteria", patient=2)[0]).save(tmp_path / "xray.png")
    command = [sys.executable, "-m", "neumo", "predict", "xray.png", "--json"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    told = json.loads(answer.stdout)
    assert 0 <= told["probability"] <= 1
    assert "not a medical device" in told["notice"]


@pytest.mark.parametrize("verb", ["predict", "explain", "serve", "card", "evaluate", "export"])
def test_a_classifier_that_is_given_is_taken(verb: str, tmp_path: Path) -> None:
    assert _with_classifier([verb, "mine.neumo", "x.png"]) == [verb, "mine.neumo", "x.png"]
    renamed = tmp_path / "renamed"
    with zipfile.ZipFile(renamed, "w") as archive:
        archive.writestr("card.json", "{}")
    assert _with_classifier([verb, str(renamed), "x.png"]) == [verb, str(renamed), "x.png"]
    assert _with_classifier([verb, "--json", "mine.neumo", "x"]) == [verb, "--json", "mine.neumo", "x"]
    option = "--host" if verb == "serve" else "--out"
    assert _with_classifier([verb, option, "a", "mine.neumo"]) == [verb, option, "a", "mine.neumo"]
    assert _with_classifier([verb]) == [verb, str(SHIPPED)]
    assert _with_classifier([verb, option, "mine.neumo"])[1] == str(SHIPPED)
    assert _with_classifier([verb, f"{option}=mine.neumo"])[1] == str(SHIPPED)
    assert _with_classifier([verb, "--help"]) == [verb, "--help"]


@pytest.mark.parametrize("verb", ["predict", "explain", "evaluate"])
def test_a_radiograph_first_is_no_classifier(verb: str) -> None:
    assert _with_classifier([verb, "x.png"]) == [verb, str(SHIPPED), "x.png"]
    assert _with_classifier([verb, "--", "-x.png"]) == [verb, str(SHIPPED), "--", "-x.png"]
    assert _with_classifier([verb, "-"]) == [verb, str(SHIPPED), "-"]


@pytest.mark.parametrize("verb", ["predict", "explain", "evaluate"])
def test_an_archive_of_radiographs_is_no_classifier(verb: str, tmp_path: Path) -> None:
    """As a PACS hands a study out."""
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("IMAGES/IM0", b"")
    assert _with_classifier([verb, str(archive)]) == [verb, str(SHIPPED), str(archive)]


@pytest.mark.parametrize("verb", ["serve", "card", "export"])
def test_what_else_is_given_is_meant_as_a_classifier(verb: str) -> None:
    assert _with_classifier([verb, "folder"]) == [verb, "folder"]


def test_other_verbs_are_left_alone() -> None:
    assert _with_classifier(["study", "DATA"]) == ["study", "DATA"]
    assert _with_classifier([]) == []
