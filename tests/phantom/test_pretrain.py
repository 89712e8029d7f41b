"""Weights that are trained on synthetic radiographs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neumo.errors import NeumoError
from neumo.features.backbones import PHANTOM_FILE, backbone
from neumo.phantom.pretrain import SEED, WHOLE, _sections, draw_pairs, pretrain, save
from neumo.phantom.radiograph import draw_radiograph

FRESH = 31  # a seed that neither the training nor the default set has


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As the weights are trained: tests run side by side, and threads that wait for each other are slow."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def untrained() -> Any:
    from neumo.backend import keras

    return keras.applications.MobileNetV2(
        alpha=0.35, weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3)
    )


@pytest.fixture(scope="module")
def trained() -> Any:
    return pretrain(pairs=4, cropped=1, whole=1)


def test_training_is_the_same_again_and_changes_the_weights(trained: Any) -> None:
    from neumo.backend import keras

    again = pretrain(pairs=4, cropped=1, whole=1).get_weights()
    for ours, theirs in zip(trained.get_weights(), again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    keras.utils.set_random_seed(SEED)
    changes = [
        np.abs(after - before).max()
        for before, after in zip(untrained().get_weights(), trained.get_weights(), strict=True)
    ]
    assert min(changes) > 0, "a weight, or a batch normalisation's statistic, stayed as it was"


def test_no_training_without_a_file_to_write() -> None:
    command = [sys.executable, "-m", "neumo.phantom.pretrain"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "the following arguments are required: file" in done.stderr


def contrast(network: Any, pixels: np.ndarray) -> float:
    """How far ill and normal images lie apart, in deviations within a class, along the way between them."""
    x = (pixels.reshape(-1, 224, 224) - pixels.mean()) / pixels.std()
    features = np.asarray(network.predict(np.repeat(x[..., None].astype(np.float32), 3, -1), verbose=0))
    normal, ill = features[::2], features[1::2]
    along = (ill - normal).mean(axis=0)
    return float(((ill - normal) @ along).mean() / ((normal @ along).std() + (ill @ along).std()) * 2)


def test_training_tells_ill_from_normal_across_patients() -> None:
    pixels, _ = draw_pairs(4)
    assert contrast(pretrain(pairs=4, cropped=16, whole=0), pixels) > 4 * contrast(untrained(), pixels)


def test_half_precision_is_read_as_single(trained: Any, tmp_path: Path) -> None:
    save(trained, tmp_path / "half.weights.h5")
    assert (tmp_path / "half.weights.h5").stat().st_size < 1_400_000
    read = untrained()
    read.load_weights(tmp_path / "half.weights.h5")
    for ours, theirs in zip(trained.get_weights(), read.get_weights(), strict=True):
        assert theirs.dtype == np.float32
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-7)


def test_a_pair_differs_in_the_lesion_only() -> None:
    pixels, lesions = draw_pairs(5)
    assert not lesions[:, 0].any()
    assert lesions[:, 1].any(axis=(1, 2)).all()
    change = np.abs(pixels[:, 1].astype(int) - pixels[:, 0])
    assert change[lesions[:, 1]].mean() > 4 * change[~lesions[:, 1]].mean()


def test_sections_show_the_same_place_of_image_and_lesion() -> None:
    lesions = np.zeros((3, 2, 224, 224), bool)
    lesions[:, 1, 90:130, 100:140] = True
    rng = np.random.default_rng(0)
    for window in (WHOLE, (128, 32)):
        x, y = _sections(lesions.astype(np.float32), lesions, window, rng)
        assert x.shape == y.shape == (6, window[0], window[0])
        assert y[::2].max() == 0
        assert y[1::2].sum(axis=(1, 2)) == pytest.approx(1600), "the middle is in every section"
        for grey, lesion in zip(x[1::2], y[1::2], strict=True):
            assert np.unique(grey[lesion > 0]).size == 1
            assert grey[lesion > 0].min() > grey[lesion == 0].max()
    assert len({tuple(np.argwhere(lesion)[0]) for lesion in y[1::2]}) > 1, "sections are not moved"


@pytest.fixture(scope="module")
def unseen() -> tuple[np.ndarray, np.ndarray]:
    """One image each of 160 patients, standardised, and whether they are ill."""
    label = np.arange(160) % 2
    causes = ("", "bacteria", "", "virus")
    pixels = np.stack(
        [
            draw_radiograph(causes[patient % 4], patient=patient, size=224, seed=FRESH)[0]
            for patient in range(160)
        ]
    )
    x = ((pixels - pixels.mean()) / pixels.std()).astype(np.float32)
    return np.repeat(x[..., None], 3, axis=-1), label


def auc(network: Any, x: np.ndarray, y: np.ndarray) -> float:
    """AUC on the second half of a logistic regression on the features of the first."""
    features = np.asarray(network.predict(x, batch_size=8, verbose=0))
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    head.fit(features[:80], y[:80])
    return float(roc_auc_score(y[80:], head.decision_function(features[80:])))


def test_shipped_weights_tell_unseen_patients_apart(unseen: tuple[np.ndarray, np.ndarray]) -> None:
    theirs = untrained()
    theirs.load_weights(PHANTOM_FILE)
    phantom = auc(theirs, *unseen)
    print(f"AUC on unseen phantoms: {phantom:.3f}")
    assert phantom > 0.85
    assert auc(backbone("MobileNetV2-0.35", "none").build(), *unseen) < phantom - 0.1


def test_backbone_brings_the_shipped_weights() -> None:
    theirs = untrained()
    theirs.load_weights(PHANTOM_FILE)
    ours = backbone("mobilenetv2-0.35", "phantom")
    for a, b in zip(ours.build().get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert ours.weights_id == backbone("MobileNetV2-0.35", PHANTOM_FILE).weights_id
    assert len(ours.weights_id) == 64


def test_other_backbones_have_no_phantom_weights() -> None:
    with pytest.raises(
        NeumoError, match="weights: got phantom for ResNet50, expected imagenet, none"
    ) as told:
        backbone("ResNet50", "phantom")
    assert "MobileNetV2-0.35" in str(told.value)
    assert "\n" not in str(told.value)
