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
