from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from neumo.images.generate import Transforms, copy_seed, generate
from neumo.images.read import read_radiograph
from neumo.report.thumbnails import contact_row, most_wrong, thumbnail
from neumo.results.results import Results


def pixels(url: str | None) -> np.ndarray:
    assert url is not None
    kind, _, content = url.partition(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))), np.float32)


def off(url: str | None, expected: np.ndarray) -> float:
    return float(np.abs(pixels(url) - expected).mean())


def test_contact_row_shows_what_was_trained_on(study: Results) -> None:
    shown = study.contact_sheet[0]
    transforms = Transforms(zoom_range=0.4)
    images = contact_row(shown, transforms)["images"]
    original = read_radiograph(shown["path"])
    assert len(images) == 3
    assert off(images[0], original) < 3
    for copy in (1, 2):
        moved = generate(original, transforms, copy_seed(shown["sha256"], copy))
        assert off(images[copy], moved) < 3
        assert off(images[0], moved) > 6


def test_contact_row_of_many_copies_shows_some(study: Results) -> None:
    assert len(contact_row({**study.contact_sheet[0], "copies": 10}, Transforms())["images"]) == 4


def test_what_is_gone(study: Results) -> None:
    assert thumbnail("/gone/x.jpeg") is None
    assert (
        contact_row({**study.contact_sheet[0], "path": "/gone/x.jpeg"}, Transforms())["images"] == [None] * 3
    )


def test_most_wrong_merges_the_seeds(results: Results) -> None:
    first, second = results.tested("random")
    path = study_path = results.contact_sheet[0]["path"]
    other = results.contact_sheet[1]["path"]
    mistake = {"label": 0, "cause": "", "patient": "p"}
    first.mistakes = [
        {**mistake, "path": path, "probability": 0.7},
        {**mistake, "path": other, "probability": 0.75},
    ]
    second.mistakes = [{**mistake, "path": study_path, "probability": 0.9}]
    merged = most_wrong([first, second])
    assert [(one["path"], one["seeds"]) for one in merged] == [(path, 2), (other, 1)]
    assert np.isclose(merged[0]["probability"], 0.8)
    assert off(merged[0]["image"], read_radiograph(path)) < 3


def test_the_most_wrong_of_both_classes_come_first_and_the_rest_is_left_out(results: Results) -> None:
    run = results.tested("random")[0]
    far = [(0.75 + i / 64, i) for i in range(9)]
    missed = [{"path": f"1-{i}", "label": 1, "probability": 1 - p} for p, i in far]
    alarmed = [{"path": f"0-{i}", "label": 0, "probability": p} for p, i in far]
    run.mistakes = [*missed, *alarmed]
    found = [one["path"] for one in most_wrong([run])]
    assert found == [f"{label}-{i}" for i in (8, 7, 6, 5, 4, 3) for label in (0, 1)]
