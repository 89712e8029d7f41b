from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neumo.features.store import FeatureStore


def test_keeps_single_precision_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path / "new" / "folder"))
    vector = np.random.default_rng(0).random(300)
    with FeatureStore() as store:
        store.put_many({"backbone": "ResNet50"}, {"image": vector})
    assert (tmp_path / "new" / "folder" / "features.sqlite").exists()
    found = FeatureStore().get_many({"backbone": "ResNet50"}, ["image"])["image"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, vector.astype(np.float32))


def test_keeps_them_where_it_is_told_to(tmp_path: Path) -> None:
    with FeatureStore(tmp_path / "mine.sqlite") as store:
        store.put_many({"backbone": "ResNet50"}, {"image": np.ones(3)})
    assert (tmp_path / "mine.sqlite").exists()
    assert not FeatureStore().get_many({"backbone": "ResNet50"}, ["image"])
