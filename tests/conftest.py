"""What several tests need: the shared real data, a cache of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import install_on_ci

if TYPE_CHECKING:
    from neumo.evaluation.external import External

# Tests run side by side, one process per core; PyTorch with a thread per core in each would be far slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(os.environ.get("NEUMO_SHARED", Path(__file__).parents[1].parent / "shared"))


def pytest_configure(config: pytest.Config) -> None:
    """Before any test, and in the first process only."""
    if not hasattr(config, "workerinput"):
        install_on_ci()


def shared(relative: str) -> Path:
    """A file or folder of the shared test data; the test is skipped where it is absent."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"needs {relative} of the shared test data (NEUMO_SHARED), which is not on this machine")
    return path


def new_cache(factory: pytest.TempPathFactory) -> Path:
    """An empty cache folder, but for converted and compiled networks, which the tests of a process share."""
    folder = factory.mktemp("cache")
    for name in ("networks", "compiled"):
        (factory.getbasetemp() / name).mkdir(exist_ok=True)
        (folder / name).symlink_to(factory.getbasetemp() / name)
    return folder


@pytest.fixture(scope="session")
def coronahack() -> Path:
    """The real CoronaHack data set at 224x224, 5,903 of its 5,910 images."""
    return shared("data/coronahack")


@pytest.fixture(scope="session")
def dicom_folder() -> Path:
    """Five real chest DICOM files in different transfer syntaxes."""
    folder = shared("data/dicom")
    assert len(list(folder.glob("*.dcm"))) == 5
    return folder


@pytest.fixture(scope="session")
def mobilenet_weights() -> Path:
    """Real ImageNet weights of MobileNetV2-0.35 without its top."""
    return shared("weights/mobilenet_v2_0.35_224_notop.weights.h5")


@pytest.fixture(scope="session")
def phantoms() -> Any:
    """Eight phantoms, uint8 (8, 224, 224), every second one with a focal consolidation."""
    import numpy as np

    from neumo.phantom.radiograph import draw_radiograph

    kinds = ["", "bacteria"] * 4
    return np.stack([draw_radiograph(kind, patient=i, size=224, seed=5)[0] for i, kind in enumerate(kinds)])


@pytest.fixture(scope="session")
def phantom_classifier() -> Any:
    """The embedded default's backbone under a deep, untrained head."""
    import numpy as np

    from neumo.classifier.assemble import new_classifier
    from neumo.features.backbones import backbone
    from neumo.features.graph import convert
    from neumo.training.head import build_head
    from neumo.training.steps import STEPS

    base = backbone("MobileNetV2-0.35", "phantom").build()
    head = build_head(STEPS[-1], 1280, seed=3)
    random = np.random.default_rng(0)
    for weight in head.weights:
        if "moving" in weight.name:
            weight.assign(random.uniform(0.2, 2.0, weight.shape).astype(np.float32))
    card = {
        "name": "test",
        "positive": "pneumonia",
        "negative": "normal",
        "scaling": {"mean": 121.0, "std": 58.0},
        "threshold": {"threshold": 0.5, "rule": "0.5, the default"},
        "data": {"name": "phantoms", "synthetic": True},
    }
    return new_classifier(card, convert(base), base, head)


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of two runs, "coarse" and "fine", on the same phantoms: two seeds, all protocols."""
    from neumo.data.sources import read
    from neumo.phantom.dataset import make_phantoms
    from tests.runs import make_run

    folder = tmp_path_factory.mktemp("runs")
    data = read(make_phantoms(folder / "phantoms", patients=40, size=64, difficulty="hard"))
    coarse = make_run(folder / "coarse", data, side=3, seeds=(0, 1))
    return coarse, make_run(folder / "fine", data, side=16, seeds=(0, 1))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Phantoms, and the file of a classifier that was trained on their official training part."""
    import neumo
    from neumo.phantom.dataset import make_phantoms

    folder = tmp_path_factory.mktemp("trained")
    data = make_phantoms(folder / "phantoms", patients=40, size=64, difficulty="easy")
    small: dict[str, Any] = {"backbone": "MobileNetV2-0.35", "weights": "phantom", "epochs": 3}
    neumo.train(data, protocol="official", **small).save(folder / "classifier.neumo")
    return data, folder / "classifier.neumo"


@pytest.fixture(scope="session")
def evaluated(trained: tuple[Path, Path]) -> External:
    """The classifier of `trained` on all of its phantoms, those that it was made from and the others."""
    import neumo
    from neumo.evaluation.external import evaluate_source

    return evaluate_source(neumo.load(trained[1]), neumo.read(trained[0]))


@pytest.fixture(scope="session", autouse=True)
def _fixtures_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what several tests share out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUMO_CACHE", str(new_cache(tmp_path_factory)))
        yield


@pytest.fixture(autouse=True)
def _own_cache(
    _fixtures_cache: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep the tests out of the user's cache folder, and of each other's."""
    monkeypatch.setenv("NEUMO_CACHE", str(new_cache(tmp_path_factory)))
