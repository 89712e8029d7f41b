"""The distance to the training set: against SciPy and scikit-learn, and on images that are no radiographs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from neumo.errors import NeumoError
from neumo.features.reference import NUMBERS, PER_COMPONENT, Reference, clearly_nearer


@pytest.fixture
def features() -> np.ndarray:
    """2,000 of 40 numbers each: six large directions, the others small."""
    random = np.random.default_rng(0)
    directions = np.linalg.qr(random.normal(size=(40, 40)))[0]
    spread = np.concatenate([np.linspace(12, 4, 6), np.full(34, 0.5)])
    return (random.normal(size=(2000, 40)) * spread @ directions + random.normal(size=40)).astype(np.float32)


def test_it_is_mahalanobis_and_what_is_left_over(features: np.ndarray) -> None:
    train, others = features[:1600], features[1600:]
    reference = Reference.fit(train, others)
    assert len(reference.directions) == 20
    pca = PCA(20).fit(train)
    inverse = np.diag(1 / pca.explained_variance_)
    along = cdist(pca.transform(others), np.zeros((1, 20)), "mahalanobis", VI=inverse)[:, 0]
    left = [((x - pca.inverse_transform(pca.transform(x))) ** 2).sum(axis=1) for x in (train, others)]
    expected = np.sqrt(along**2 / 20 + left[1] / left[0].mean())
    np.testing.assert_allclose(reference.distance(others) * reference.limit, expected, rtol=0.03)  # float16


def test_at_most_one_in_a_hundred_of_its_own_kind_is_far(features: np.ndarray) -> None:
    reference = Reference.fit(features[:1000], features[1000:1250])
    assert (reference.distance(features[1000:1250]) > 1).mean() <= 0.01
    assert (reference.distance(features[1250:]) > 1).mean() <= 0.01
    assert 0.01 < (reference.distance(features[1250:]) > reference.doubt).mean() < 0.12


def test_what_differs_only_in_a_small_direction_is_far(features: np.ndarray) -> None:
    """Few training images leave few directions; the others count as what these leave over."""
    few = features[: 4 * PER_COMPONENT]
    reference = Reference.fit(few, features[200:300])
    assert len(reference.directions) == 4
    assert reference.doubt == np.inf
    odd = features[300:400] + 25 * np.linalg.svd(features - features.mean(axis=0))[2][-1].astype(np.float32)
    assert (reference.distance(odd) > 1).all()


def test_features_that_shrink_in_training_do_not_tighten_the_limit(features: np.ndarray) -> None:
    """A network that was trained on its images keeps them closer together than others of their kind."""
    centre = features.mean(axis=0)
    trained = centre + 0.5 * (features[:1000] - centre)
    reference = Reference.fit(trained, features[1000:1500])
    assert (reference.distance(features[1500:]) > 1).mean() <= 0.01


def test_images_that_all_look_alike_are_told(features: np.ndarray) -> None:
    with pytest.raises(NeumoError, match=r"^training part: got 300 radiographs that all look alike"):
        Reference.fit(np.repeat(features[:1], 300, axis=0), features)


def test_it_survives_being_kept_as_bytes(features: np.ndarray) -> None:
    reference = Reference.fit(features[:1600], features[1600:])
    again = Reference.from_bytes(reference.to_bytes())
    np.testing.assert_array_equal(again.distance(features), reference.distance(features))
    assert again.doubt == reference.doubt
    with pytest.raises((KeyError, ValueError)):
        Reference.from_bytes(b"something else")


@pytest.mark.parametrize("name", ["mean", "directions", "variance", "scale"])
@pytest.mark.parametrize("change", ["text", "no-number", "cut"])
def test_bytes_that_give_no_distance_are_refused(features: np.ndarray, name: str, change: str) -> None:
    """A distance that is no number is not above 1: no image would be called unfamiliar."""
    arrays = dict(np.load(io.BytesIO(Reference.fit(features[:400], features[400:]).to_bytes())))
    values = arrays[name]
    arrays[name] = {
        "text": np.full(values.shape, "much"),
        "no-number": np.where(np.arange(values.shape[-1]) == 0, np.nan, values),
        "cut": values[..., 1:],
    }[change]
    odd = io.BytesIO()
    np.savez(odd, **arrays)
    with pytest.raises((ValueError, TypeError)):
        Reference.from_bytes(odd.getvalue())


def test_no_distance_depends_on_what_it_is_computed_with(features: np.ndarray) -> None:
    reference = Reference.fit(features[:1600], features[1600:])
    together = reference.distance(features)
    for size in (1, 8):
        batches = [features[start : start + size] for start in range(0, 80, size)]
        apart = np.concatenate([reference.distance(batch) for batch in batches])
        np.testing.assert_array_equal(apart, together[:80])
    anew = Reference.from_bytes(reference.to_bytes())
    np.testing.assert_array_equal(anew.distance(features), together)
    assert anew._directions.dtype == np.float64
    assert anew._directions is anew._directions
    np.testing.assert_array_equal(anew._directions, anew.directions)


def test_it_stays_small_where_there_are_many_features() -> None:
    random = np.random.default_rng(0)
    wide = random.normal(size=(300, 4096)).astype(np.float32)
    reference = Reference.fit(np.repeat(wide, 5, axis=0), wide[:50])
    assert len(reference.directions) == NUMBERS // 4096
    assert len(reference.to_bytes()) < 550_000


def test_only_what_is_near_once_turned_is_meant_to_be_turned() -> None:
    distance = np.array([1.2, 1.0, 1.3, 1.5, 1.0])
    once_turned = np.array([0.6, 0.97, 1.25, 1.3, 1.4])
    assert clearly_nearer(distance, once_turned).tolist() == [True, False, False, False, False]
