"""What several tests need: the shared real data, a cache of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests run side by side, one process per core; PyTorch with a thread per core in each would be far slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(os.environ.get("NEUMO_SHARED", Path(__file__).parents[1].parent / "shared"))


def shared(relative: str) -> Path:
    """A file or folder of the shared test data; the test is skipped where it is absent."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"needs {relative} of the shared test data (NEUMO_SHARED), which is not on this machine")
    return path


@pytest.fixture(scope="session")
def coronahack() -> Path:
    """The real CoronaHack data set at 224x224, 5,903 of its 5,910 images."""
    return shared("data/coronahack")


@pytest.fixture(scope="session")
def dicom_folder() -> Path:
    """Five real chest DICOM files in different transfer syntaxes."""
    return shared("data/dicom")


@pytest.fixture(scope="session")
def mobilenet_weights() -> Path:
    """Real ImageNet weights of MobileNetV2-0.35 without its top."""
    return shared("weights/mobilenet_v2_0.35_224_notop.weights.h5")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests out of the user's cache folder."""
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path_factory.mktemp("cache")))
