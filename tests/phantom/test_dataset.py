"""A synthetic data set: its layout, its counts, what it refuses to touch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from neumo.data.published.coronahack import CSV_NAME, SYNTHETIC_NAME
from neumo.data.sources import read
from neumo.errors import NeumoError
from neumo.phantom import dataset
from neumo.phantom.dataset import CHECKSUMS, IMAGES, make_phantoms, plan

SMALL: dict[str, Any] = {"patients": 24, "size": 64}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_phantoms(tmp_path_factory.mktemp("phantoms") / "set", **SMALL, masks=True)


def test_two_runs_give_the_same_bytes(small: Path, tmp_path: Path) -> None:
    assert contents(make_phantoms(tmp_path / "again", **SMALL, masks=True)) == contents(small)
    other = contents(make_phantoms(tmp_path / "other", **SMALL, masks=True, seed=1))
    images = [name for name in contents(small) if name.endswith(".jpeg")]
    assert not any(other.get(name) == contents(small)[name] for name in images)


def test_it_reads_as_coronahack(small: Path) -> None:
    found = read(small)
    table = found.table
    assert found.synthetic
    assert (found.rows, found.missing, found.unlisted) == (77, [], [])
    assert table["patient"].nunique() == 24
    assert set(table["cause"]) == {"", "bacteria", "virus"}
    assert table["sha256"].nunique() == len(table) == 77
    assert table.groupby("patient")["official"].nunique().max() == 1
    assert table.groupby("patient")["label"].nunique().max() == 1


def test_its_csv_has_the_archive_s_words(small: Path, coronahack: Path) -> None:
    drawn, real = (pd.read_csv(folder / CSV_NAME) for folder in (small, coronahack))
    assert list(drawn.columns) == list(real.columns)
    for column in ("Label", "Dataset_type"):
        assert set(drawn[column]) == set(real[column])
    assert set(drawn["Label_1_Virus_category"].dropna()) <= set(real["Label_1_Virus_category"].dropna())
    assert (small / IMAGES / "train" / drawn["X_ray_image_name"][0]).is_file()


def test_default_counts() -> None:
    planned = pd.DataFrame(plan(150, 480))
    assert len(planned) == 480
    assert planned["patient"].nunique() == 150
    assert planned["name"].is_unique
    assert abs((planned["cause"] == "").mean() - 0.27) < 0.01
    assert abs((planned["official"] == "test").mean() - 0.2) < 0.01
    assert planned.groupby("patient").size().max() > 5
    causes = planned["cause"].value_counts()
    assert causes["bacteria"] > causes["virus"] > causes[""] * 0.9


@pytest.mark.parametrize(("patients", "images"), [(6, 6), (12, 200), (40, 41)])
def test_every_part_has_every_kind_of_patient(patients: int, images: int) -> None:
    for seed in range(5):
        planned = plan(patients, images, seed)
        assert len(planned) == images
        assert len({image.patient for image in planned}) == patients
        assert len({(image.official, image.cause) for image in planned}) == 6


def test_it_says_that_it_is_synthetic(small: Path) -> None:
    text = (small / SYNTHETIC_NAME).read_text()
    assert text.startswith("These radiographs are SYNTHETIC: drawn by a program, not taken of anybody.")
    for fact in (
        "patients     24",
        "images       77",
        "size         64",
        "difficulty   0.5",
        "seed         0",
    ):
        assert fact in text
    for file in small.rglob("*.jpeg"):
        with Image.open(file) as image:
            assert b"SYNTHETIC" in image.info["comment"]


def test_difficulty_leaves_the_patients_and_the_normal_images(small: Path, tmp_path: Path) -> None:
    easy = contents(make_phantoms(tmp_path / "easy", **SMALL, difficulty="easy"))
    same = {n: easy[n] == content for n, content in contents(small).items() if n.endswith(".jpeg")}
    assert {name for name, alike in same.items() if alike} == {name for name in same if "/IM-" in name}


def test_masks(small: Path, tmp_path: Path) -> None:
    ill = {p.stem for p in small.rglob("*.jpeg") if p.name.startswith("person")}
    masks = {p.stem: np.asarray(Image.open(p)) for p in (small / "lesions").iterdir()}
    assert set(masks) == ill
    for mask in masks.values():
        assert mask.shape == (64, 64)
        assert set(np.unique(mask)) == {0, 255}
    assert not (make_phantoms(tmp_path / "set", **SMALL) / "lesions").exists()


def test_pneumonia_can_be_told(tmp_path: Path) -> None:
    """A plain classifier on plain lesions, tested on other patients, is far better than chance."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = read(make_phantoms(tmp_path / "set", patients=60, size=64, difficulty=0)).table
    small = [Image.open(path).resize((24, 24), Image.Resampling.BOX) for path in table["path"]]
    pixels = np.stack([np.asarray(image).ravel() for image in small])

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    folds = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    p = cross_val_predict(
        model, pixels, table["label"], groups=table["patient"], cv=folds, method="predict_proba"
    )[:, 1]
    assert roc_auc_score(table["label"], p) > 0.85


def test_a_complete_set_is_not_drawn_again(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "draw_radiograph", None)
    assert make_phantoms(small, **SMALL, masks=True) == small


def test_an_interrupted_set_is_completed(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle, with the last file cut off, it goes on and ends with the same bytes."""
    drawn = dataset.draw_radiograph
    left = iter(range(10))

    def killed(*args: object, **kwargs: object) -> object:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return drawn(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(dataset, "draw_radiograph", killed)
    with pytest.raises(KeyboardInterrupt):
        make_phantoms(tmp_path / "set", **SMALL, masks=True)
    monkeypatch.undo()
    assert not (tmp_path / "set" / CSV_NAME).exists()
    last = max((tmp_path / "set").rglob("*.jpeg"), key=lambda p: p.stat().st_mtime_ns)
    last.write_bytes(last.read_bytes()[:100])
    assert contents(make_phantoms(tmp_path / "set", **SMALL, masks=True)) == contents(small)


def test_a_lost_image_is_drawn_again(tmp_path: Path) -> None:
    folder = make_phantoms(tmp_path / "set", **SMALL)
    before = contents(folder)
    next(folder.rglob("*.jpeg")).unlink()
    assert contents(make_phantoms(folder, **SMALL)) == before


def test_a_changed_image_is_left_alone(tmp_path: Path) -> None:
    folder = make_phantoms(tmp_path / "set", **SMALL)
    image = next(folder.rglob("*.jpeg"))
    image.write_bytes(b"mine")
    with pytest.raises(NeumoError, match=f"{image.name}: got a file that was changed"):
        make_phantoms(folder, **SMALL)
    (folder / CHECKSUMS).unlink()
    with pytest.raises(NeumoError, match=f"{image.name}: got a file that was changed"):
        make_phantoms(folder, **SMALL)
    assert image.read_bytes() == b"mine"


def test_a_folder_with_anything_else_is_left_alone(small: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(NeumoError, match="holds something else"):
        make_phantoms(tmp_path, **SMALL)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}
    before = contents(small)
    with pytest.raises(NeumoError, match="holds something else"):
        make_phantoms(small, **SMALL, masks=True, seed=2)
    assert contents(small) == before
    with pytest.raises(NeumoError, match=r"thesis\.txt: got a file"):
        make_phantoms(tmp_path / "thesis.txt", **SMALL)


def test_checksums_can_be_checked(small: Path) -> None:
    lines = (small / CHECKSUMS).read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = contents(small)
    del files[CHECKSUMS]
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patients": 5}, "patients: got 5"),
        ({"patients": "5"}, "patients: got .5."),
        ({"size": "64"}, "size: got .64."),
        ({"seed": 1.5}, "seed: got 1.5"),
        ({"images": 3}, "images: got 3 for 24 patients"),
        ({"size": 16}, "size: got 16"),
        ({"difficulty": 1.5}, "difficulty: got 1.5"),
        ({"difficulty": "nan"}, "difficulty: got nan"),
        ({"difficulty": "brutal"}, "difficulty: got brutal, expected one of easy, medium, hard"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_arguments_out_of_range(wrong: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(NeumoError, match=message):
        make_phantoms(tmp_path / "set", **{**SMALL, **wrong})
    assert not (tmp_path / "set").exists()
