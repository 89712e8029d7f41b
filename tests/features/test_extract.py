from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from neumo.errors import NeumoError, UnreadableImageError
from neumo.features import extract as module
from neumo.features.backbones import Backbone, backbone
from neumo.features.engine import Engine
from neumo.features.extract import extract, fit_scaling
from neumo.features.networks import kept_graph
from neumo.features.scaling import RAW, Scaling
from neumo.features.store import FeatureStore
from neumo.images import read as reading
from neumo.images.generate import Transforms, copy_seed, generate
from neumo.images.read import PIXELS, read_radiograph
from tests.data.pictures import draw
from tests.features.conftest import distance

READ = [[150, 90, 30, 124], [229, 41, 110, 198], [175, 225, 229, 89], [121, 80, 222, 73]]
MOVED = [[175, 85, 38, 152], [195, 24, 117, 215], [129, 237, 226, 73], [189, 90, 225, 56]]


@pytest.fixture
def balanced(rows: pd.DataFrame) -> pd.DataFrame:
    """The first 6 images three times, once as they are and twice generated; the first twice; shuffled."""
    some = rows.head(6)
    every = pd.concat([some, some.assign(copy=1), some.assign(copy=2), some.head(1)])
    return every.sample(frac=1, random_state=0)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each batch had that the engine computed."""
    sizes: list[int] = []
    map = Engine.map

    def counted(self: Engine, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for features in map(self, batches):
            sizes.append(len(features))
            yield features

    monkeypatch.setattr(Engine, "map", counted)
    return sizes


@pytest.fixture
def batch(mobilenet: Backbone) -> int:
    """Images that this processor computes together."""
    return Engine(kept_graph(mobilenet)).batch


def in_batches(images: int, batch: int) -> list[int]:
    """How many images each batch has, the last one the rest."""
    return [min(batch, images - start) for start in range(0, images, batch)]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was read."""
    times: Counter[str] = Counter()

    def counted(path: str, size: int) -> np.ndarray:
        times[path] += 1
        return read_radiograph(path, size)

    monkeypatch.setattr(module, "read_radiograph", counted)
    return times


def test_equals_keras(balanced: pd.DataFrame, mobilenet: Backbone, real_keras: Any) -> None:
    transforms = Transforms(rotation_range=5, zoom_range=0.2)
    scaling = Scaling(120, 55)
    features = extract(balanced, mobilenet, scaling, transforms=transforms, precision="f32")
    pixels = []
    for row in balanced.itertuples():
        image = read_radiograph(row.path)  # type: ignore[arg-type]
        seed = copy_seed(row.sha256, row.copy)  # type: ignore[arg-type]
        pixels.append(generate(image, transforms, seed) if row.copy else image)
    true = np.asarray(real_keras.predict(scaling(np.stack(pixels)), verbose=0))
    assert features.shape == (19, 1280)
    assert features.dtype == np.float32
    assert distance(features, true) < 1e-4


def test_computes_once(
    balanced: pd.DataFrame, mobilenet: Backbone, computed: list[int], batch: int, read: Counter[str]
) -> None:
    first = extract(balanced, mobilenet)
    assert computed == in_batches(18, batch), "18 of 19 rows are different"
    assert read == Counter(set(balanced["path"]))
    again = extract(balanced.iloc[::-1], mobilenet)
    np.testing.assert_array_equal(again, first[::-1])
    assert computed == in_batches(18, batch)
    assert sum(read.values()) == 6


def test_computes_only_what_is_missing(
    rows: pd.DataFrame, balanced: pd.DataFrame, mobilenet: Backbone, computed: list[int]
) -> None:
    extract(balanced, mobilenet)
    del computed[:]
    extract(rows.drop(columns="copy"), mobilenet)
    assert sum(computed) == len(rows) - 6


def test_a_store_of_ones_own(rows: pd.DataFrame, mobilenet: Backbone, tmp_path: Path) -> None:
    with FeatureStore(tmp_path / "own.sqlite") as store:
        features = extract(rows.head(3), mobilenet, store=store)
        (space,) = [space for space in store.summary() if space["kind"] == "features"]
        stored = store.get_many(
            {k: v for k, v in space.items() if k not in ("entries", "bytes")}, rows["sha256"].tolist()
        )
    np.testing.assert_array_equal(features, [stored[sha256] for sha256 in rows["sha256"].head(3)])
    assert FeatureStore().summary() == []


def test_the_key_has_all_that_features_depend_on(
    balanced: pd.DataFrame, mobilenet: Backbone, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def newly_computed(**changes: Any) -> int:
        del computed[:]
        extract(**{"rows": balanced, "backbone": mobilenet, **changes})
        return sum(computed)

    assert newly_computed() == 18
    assert newly_computed() == 0
    assert newly_computed(scaling=Scaling(1, 1)) == 18
    assert newly_computed(scaling=Scaling((0, 0, 1), 1)) == 18
    assert newly_computed(transforms=Transforms(zoom_range=0.2)) == 12, "originals stay as they are"
    assert newly_computed(rows=balanced.assign(sha256=balanced["sha256"].str.upper())) == 18
    assert newly_computed(rows=balanced.assign(copy=balanced["copy"] + 10)) == 18
    monkeypatch.setattr(reading, "PIXELS", PIXELS + 1)
    assert newly_computed() == 18
    monkeypatch.setattr(module, "versions", lambda: {"openvino": "2030.0"})
    assert newly_computed() == 18
    graph = module.kept_graph(mobilenet)
    monkeypatch.setattr(module, "kept_graph", lambda *_: graph)
    monkeypatch.setitem(mobilenet.__dict__, "weights_id", "of another file")
    assert newly_computed() == 18
    monkeypatch.setattr(module, "resolve_for_many", lambda _: "bf16")
    monkeypatch.setattr(module, "Engine", lambda graph, scaling, _, **__: Engine(graph, scaling, "f32"))
    assert newly_computed() == 18


def test_other_backbones_have_their_own(rows: pd.DataFrame, mobilenet: Backbone, computed: list[int]) -> None:
    extract(rows.head(2), mobilenet)
    assert extract(rows.head(2), backbone("MobileNet-0.25", "none")).shape == (2, 256)
    assert sum(computed) == 4
    assert {space.get("backbone") for space in FeatureStore().summary()} == {
        None,
        "MobileNetV2-0.35",
        "MobileNet-0.25",
    }


def test_killed_in_the_middle(
    rows: pd.DataFrame, mobilenet: Backbone, computed: list[int], batch: int, tmp_path: Path
) -> None:
    rows.to_csv(tmp_path / "rows.csv")
    script = (
        "import os, signal, sys\n"
        "import pandas as pd\n"
        "from neumo.features.backbones import backbone\n"
        "from neumo.features.extract import extract\n"
        "from neumo.features.store import FeatureStore\n"
        "put, kept = FeatureStore.put_many, []\n"
        "def put_and_die(self, space, vectors):\n"
        "    if space['kind'] == 'features':\n"
        "        kept.append(len(vectors))\n"
        "        if len(kept) == 2:\n"
        "            self._open().execute('BEGIN IMMEDIATE')\n"
        "            self._open().execute('DELETE FROM entries')\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "    put(self, space, vectors)\n"
        "FeatureStore.put_many = put_and_die\n"
        "extract(pd.read_csv(sys.argv[1]), backbone(*sys.argv[2:]))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "rows.csv"), mobilenet.name, mobilenet.weights]
    assert subprocess.run(command, check=False, timeout=100).returncode == -signal.SIGKILL

    resumed = extract(rows, mobilenet)
    assert sum(computed) == len(rows) - batch, "the first batch was kept"
    with FeatureStore(tmp_path / "another.sqlite") as store:
        np.testing.assert_array_equal(resumed, extract(rows, mobilenet, store=store))


def test_an_unreadable_image_loses_nothing(
    rows: pd.DataFrame, mobilenet: Backbone, computed: list[int], batch: int, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpeg").write_bytes(Path(rows["path"][0]).read_bytes()[:2000])
    broken = rows.copy()
    broken.loc[11, ["path", "sha256"]] = [str(tmp_path / "broken.jpeg"), "0" * 64]
    with pytest.raises(UnreadableImageError, match=r"broken\.jpeg: got a truncated JPEG"):
        extract(broken, mobilenet)
    assert computed == in_batches(11, batch)
    del computed[:]
    extract(rows, mobilenet)
    assert sum(computed) == len(rows) - 11


def test_a_corrupt_entry_is_computed_again(
    rows: pd.DataFrame, mobilenet: Backbone, computed: list[int]
) -> None:
    features = extract(rows, mobilenet)
    del computed[:]
    with FeatureStore() as store:
        file = store.path
    data = file.read_bytes()
    at = data.index(features[3].tobytes()[:400]) + 100
    file.write_bytes(data[:at] + bytes([data[at] ^ 128]) + data[at + 1 :])
    np.testing.assert_array_equal(extract(rows, mobilenet), features)
    assert computed == [1]
    extract(rows, mobilenet)
    assert computed == [1]


def test_no_rows(rows: pd.DataFrame, mobilenet: Backbone) -> None:
    assert extract(rows.head(0), mobilenet).shape == (0, 1280)
    with pytest.raises(NeumoError, match="got no training image"):
        fit_scaling(rows.head(0))


def test_fit_scaling_is_mean_and_deviation_of_all_pixels(rows: pd.DataFrame, pixels: np.ndarray) -> None:
    scaling = fit_scaling(rows)
    assert scaling == Scaling(round(pixels.mean()), round(pixels.std()))
    twice = pd.concat([rows, *[rows.head(3)] * 9])
    weighted = np.concatenate([pixels, *[pixels[:3]] * 9])
    assert fit_scaling(twice) == Scaling(round(weighted.mean()), round(weighted.std())) != scaling


def test_fit_scaling_is_keras_featurewise(rows: pd.DataFrame, pixels: np.ndarray) -> None:
    from neumo.backend import keras

    generator = keras.src.legacy.preprocessing.image.ImageDataGenerator(
        featurewise_center=True, featurewise_std_normalization=True
    )
    generator.fit(pixels[..., None])
    assert fit_scaling(rows) == Scaling(round(generator.mean.item()), round(generator.std.item()))


def test_fit_scaling_of_images_that_are_all_but_blank(rows: pd.DataFrame, tmp_path: Path) -> None:
    """Moments in single precision make their variance negative."""
    grey = np.full((224, 224), 255, np.uint8)
    grey[0, 0] = 254
    Image.fromarray(grey).save(tmp_path / "x.png")
    assert fit_scaling(rows.head(1).assign(path=str(tmp_path / "x.png"), sha256="0" * 64)) == Scaling(255, 1)


def test_fit_scaling_keeps_as_it_goes(
    rows: pd.DataFrame, read: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    kept: list[list[str]] = []
    put = FeatureStore.put_many

    def counted(self: FeatureStore, space: dict[str, Any], vectors: dict[str, np.ndarray]) -> None:
        kept.append(list(vectors))
        put(self, space, vectors)

    monkeypatch.setattr(FeatureStore, "put_many", counted)
    scaling = fit_scaling(rows.head(7))
    hashes = rows["sha256"].tolist()
    assert kept == [hashes[:3], hashes[3:6], hashes[6:7]]
    assert fit_scaling(rows.head(7)) == scaling
    assert sum(read.values()) == 7


def test_fit_scaling_leaves_generated_images_out(rows: pd.DataFrame) -> None:
    assert fit_scaling(pd.concat([rows, *[rows.head(1).assign(copy=1)] * 50])) == fit_scaling(rows)


def test_fit_scaling_reads_once(rows: pd.DataFrame, mobilenet: Backbone, read: Counter[str]) -> None:
    first = fit_scaling(rows.head(5))
    assert fit_scaling(rows.head(5)) == first
    assert sum(read.values()) == 5
    extract(rows, mobilenet)
    read.clear()
    fit_scaling(rows)
    assert not read, "extract keeps the statistics of what it reads"


def test_fit_scaling_keeps_what_it_read_before_an_unreadable_image(
    rows: pd.DataFrame, tmp_path: Path, read: Counter[str]
) -> None:
    (tmp_path / "empty.png").touch()
    broken = pd.DataFrame({"path": [str(tmp_path / "empty.png")], "sha256": ["0" * 64], "copy": [0]})
    with pytest.raises(UnreadableImageError, match="got an empty file"):
        fit_scaling(pd.concat([rows, broken]))
    read.clear()
    fit_scaling(rows)
    assert not read


def test_black_images_can_be_scaled(tmp_path: Path) -> None:
    Image.new("L", (50, 50)).save(tmp_path / "black.png")
    assert fit_scaling(pd.DataFrame({"path": [str(tmp_path / "black.png")], "sha256": ["1"]})) == RAW


def test_pixels_are_those_of_this_version(tmp_path: Path) -> None:
    """If this fails, read_radiograph or generate gives other pixels: raise PIXELS, so that none are mixed."""
    image = read_radiograph(draw(tmp_path / "picture.png", seed=3, size=301))
    moved = generate(image, Transforms(rotation_range=3), copy_seed("5e88", 1))
    assert PIXELS == 5
    np.testing.assert_allclose(image[20::60, 20::60].astype(int), READ, atol=1)
    np.testing.assert_allclose(moved[20::60, 20::60].astype(int), MOVED, atol=1)
