"""Stretch and detail alone tell the classes apart, until images are drawn by their weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neumo
from neumo.data.resemblance import overlap_weights, resemblance
from neumo.data.split import together
from neumo.errors import NeumoError
from neumo.images.read import read_radiograph
from neumo.images.stretch import stretch
from tests.data.pictures import draw


@pytest.fixture(scope="module")
def real(coronahack: Path) -> pd.DataFrame:
    table = neumo.read(coronahack).table.query("official == 'train'")
    return table.groupby("label").sample(250, random_state=0)


def test_the_real_training_part_can_be_told_apart_without_a_look_at_the_lungs(real: pd.DataFrame) -> None:
    scores = resemblance(real)
    assert roc_auc_score(real["label"], scores) > 0.88
    ids = together(real)
    assert all(len(set(scores[ids == i])) == 1 for i in np.unique(ids)[:40])
    assert np.isfinite(scores).all()


def test_by_their_weights_it_can_not(real: pd.DataFrame) -> None:
    weights, y = overlap_weights(real), real["label"].to_numpy()
    assert (weights > 0).all()
    np.testing.assert_allclose(np.bincount(y, weights), 1)
    numbers = np.stack([stretch(read_radiograph(path)) for path in real["path"]])
    normal, pneumonia = (np.average(numbers[y == c], axis=0, weights=weights[y == c]) for c in (0, 1))
    apart = np.abs(numbers[y == 0].mean(0) - numbers[y == 1].mean(0))
    assert (np.abs(normal - pneumonia) < 0.06 * numbers.std(0)).all()
    assert (apart > 0.4 * numbers.std(0)).all()
    fit = make_pipeline(StandardScaler(), LogisticRegression())
    told = fit.fit(numbers, y, logisticregression__sample_weight=weights).decision_function(numbers)
    assert roc_auc_score(y, told, sample_weight=weights) < 0.65
    enough = 1 / np.bincount(y, weights**2)  # Kish's effective number of images
    assert (enough > 50).all()


def test_classes_that_do_not_overlap_keep_more_than_one_image_each(tmp_path: Path) -> None:
    paths = [draw(tmp_path / f"{i:02}.png", i, 64) for i in range(20)]
    noise = np.random.default_rng(0)
    for path in paths[:10]:
        Image.fromarray(noise.integers(0, 255, (64, 64), np.uint8)).save(path)
    rows = pd.DataFrame({"path": [str(path) for path in paths], "label": np.arange(20) // 10})
    weights = overlap_weights(rows)
    assert (1 / np.bincount(rows["label"], weights**2) > 5).all()


def test_too_few_patients_are_refused(real: pd.DataFrame) -> None:
    normal = real[real["label"] == 0]
    few = pd.concat(
        [real[real["label"] == 1], normal[normal["patient"].isin(normal["patient"].unique()[:4])]]
    )
    with pytest.raises(NeumoError, match="got 4 patients with normal images, expected at least 5"):
        resemblance(few)


def test_one_class_is_refused(real: pd.DataFrame) -> None:
    with pytest.raises(NeumoError, match="got 250 images of one class, expected both"):
        overlap_weights(real[real["label"] == 1])
