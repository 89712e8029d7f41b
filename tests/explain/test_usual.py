"""The average normal radiograph that heat maps are relative to, against the same maps in Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from neumo.classifier.assemble import new_classifier
from neumo.classifier.classifier import Classifier, load
from neumo.explain.cam import evidence
from neumo.explain.usual import MOST, usual_maps
from neumo.features.precision import resolve_precision
from neumo.phantom.radiograph import draw_radiograph

NEAR = 5e-2 if resolve_precision("auto") == "auto" else 2e-3  # kept in half precision


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Six normal radiographs of the training part; all others are blank and must not count."""
    folder = tmp_path_factory.mktemp("normals")
    kinds = [*[("train", 0, 0)] * 6, ("train", 1, 0), ("train", 0, 1), ("validation", 0, 0), ("test", 0, 0)]
    table = []
    for i, (part, label, copy) in enumerate(kinds):
        pixels = draw_radiograph("", patient=100 + i, size=224)[0]
        Image.fromarray(pixels if i < 6 else 0 * pixels).save(folder / f"{i}.png")
        table.append((str(folder / f"{i}.png"), part, label, copy))
    return pd.DataFrame(table, columns=["path", "part", "label", "copy"])


@pytest.fixture(scope="module")
def normals(rows: pd.DataFrame) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in rows["path"][:6]])


def test_equals_the_mean_of_keras_maps(
    classifier: Classifier, rows: pd.DataFrame, normals: np.ndarray
) -> None:
    from neumo.backend import keras

    _, scale, base, _ = classifier.keras_model().layers
    grey = scale(normals.astype(np.float32)[..., None].repeat(3, axis=-1))
    maps = keras.ops.convert_to_numpy(keras.Model(base.input, base.layers[-2].output)(grey, training=False))
    [usual] = usual_maps(classifier, rows)
    expected = maps.mean(axis=0).transpose(2, 0, 1)
    np.testing.assert_allclose(usual, expected, atol=NEAR * expected.max())
    assert usual.nbytes < 200_000
    assert usual_maps(classifier, rows[rows["label"] == 1]) == ()


def test_many_normals_are_sampled_evenly(classifier: Classifier, rows: pd.DataFrame) -> None:
    many = pd.concat([rows.iloc[[i] * MOST] for i in range(2)])  # 64 of two radiographs
    [usual] = usual_maps(classifier, many)
    [both] = usual_maps(classifier, rows.iloc[:2])
    np.testing.assert_allclose(usual, both, atol=2e-3)


def test_evidence_is_what_differs_from_it(
    classifier: Classifier, rows: pd.DataFrame, normals: np.ndarray, tmp_path: Path
) -> None:
    """With a linear head, the mean of a map is the logit less the mean logit of the normals."""
    plain = _linear(classifier)
    plain.usual = usual_maps(plain, rows)
    plain.save(tmp_path / "plain.neumo")
    again = load(tmp_path / "plain.neumo")
    np.testing.assert_array_equal(again.usual[0], plain.usual[0])
    ill = np.stack([draw_radiograph("bacteria", patient=i, size=224)[0] for i in range(4)])
    _, maps = evidence(again, np.concatenate([normals, ill]))
    logits = _logit(again.probabilities(np.concatenate([normals, ill])))
    np.testing.assert_allclose(
        maps.mean(axis=(1, 2)), logits - logits[:6].mean(), atol=10 * NEAR * np.ptp(logits)
    )
    assert np.ptp(logits) > 0.1
    np.testing.assert_allclose(maps[:6].mean(axis=0), 0, atol=NEAR * np.abs(maps).max())
    bare = Classifier(again.card, again._backbone, again._head, b"")
    assert np.abs(evidence(bare, normals)[1].mean(axis=0)).max() > 0.1 * np.abs(maps).max()


def test_members_of_an_ensemble_keep_their_own(
    classifier: Classifier, rows: pd.DataFrame, tmp_path: Path
) -> None:
    """Two members of the same size and of other filters: a mix-up would leave differences."""
    from neumo.backend import keras
    from neumo.features.graph import convert
    from neumo.training.head import build_head
    from neumo.training.steps import STEPS

    picture = keras.Input((224, 224, 3))
    pooled = [
        keras.layers.GlobalAveragePooling2D()(
            keras.layers.Conv2D(4, 32, strides=32, activation="relu", kernel_initializer=kernel)(picture)
        )
        for kernel in (keras.initializers.HeNormal(1), keras.initializers.RandomUniform(-0.1, 0.3, seed=2))
    ]
    base = keras.Model(picture, keras.layers.Concatenate()(pooled))
    both = new_classifier(classifier.card, convert(base), base, build_head(STEPS[0], 8, seed=0))
    both.usual = usual_maps(both, rows)
    both.save(tmp_path / "both.neumo")
    assert [usual.shape for usual in both.usual] == [(4, 7, 7)] * 2
    normals = np.stack([np.asarray(Image.open(path)) for path in rows["path"][:6]])
    maps = evidence(load(tmp_path / "both.neumo"), normals)[1]
    np.testing.assert_allclose(maps.mean(axis=0), 0, atol=NEAR * np.abs(maps).max())
    assert np.abs(maps).max() > 0


def _linear(classifier: Classifier) -> Classifier:
    from neumo.features.graph import convert
    from neumo.training.head import build_head
    from neumo.training.steps import STEPS

    head = build_head(STEPS[0], 1280, seed=0)
    return Classifier(classifier.card, classifier._backbone, convert(head), b"")


def _logit(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)
