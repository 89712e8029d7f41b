"""Maps are those of the images, changed by their number, and survive a kill."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from neumo.backend import keras
from neumo.features.scaling import Scaling
from neumo.files import lock
from neumo.images.augment import Augmentation, augment
from neumo.images.generate import copy_seed
from neumo.phantom.radiograph import draw_radiograph
from neumo.training.maps import FreshMaps, Maps, kept_maps, kept_pixels, maps_folder

SCALING = Scaling(100.0, 50.0)
CPU = torch.device("cpu")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path / "cache"))
    files = []
    for i in range(3):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(draw_radiograph(patient=i)[0]).resize((224, 224)).save(files[-1])
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return pd.DataFrame({"path": [str(file) for file in files], "sha256": hashes})


@pytest.fixture(scope="module")
def stem() -> keras.Model:
    keras.utils.set_random_seed(0)
    given = keras.Input((224, 224, 3))
    return keras.Model(given, keras.layers.Conv2D(4, 8, strides=8)(given))


def kept(table: pd.DataFrame, stem: keras.Model, stem_id: str = "a") -> np.ndarray:
    return kept_maps(table, stem, stem_id, SCALING, Augmentation(), 2).values


def test_they_are_what_keras_makes_of_the_changed_images(table: pd.DataFrame, stem: keras.Model) -> None:
    found = kept(table, stem)
    assert (found.shape, found.dtype) == ((3, 3, 4, 28, 28), np.float16)
    for view in range(3):
        for row, (path, sha256) in enumerate(table.itertuples(index=False)):
            pixels = np.asarray(Image.open(path))
            if view:
                pixels = augment(pixels, Augmentation(), copy_seed(sha256, view))
            truth = stem.predict(SCALING(pixels[None]), verbose=0)[0].transpose(2, 0, 1)
            np.testing.assert_allclose(found[view, row], truth, rtol=2e-3, atol=2e-3)


def test_a_file_cut_off_is_completed(table: pd.DataFrame, stem: keras.Model) -> None:
    whole = np.array(kept(table, stem))
    (file,) = maps_folder().glob("*.f16")
    with file.open("r+b") as cut:
        cut.truncate(file.stat().st_size // 2 + 7)
    before = file.read_bytes()
    np.testing.assert_array_equal(kept(table, stem), whole)
    assert file.read_bytes()[: len(before) - 1000] == before[:-1000]


def test_a_file_that_cannot_be_written_is_named(table: pd.DataFrame, stem: keras.Model) -> None:
    kept(table, stem)
    (file,) = maps_folder().glob("*.f16")
    file.unlink()
    file.symlink_to("/dev/full")
    with pytest.raises(OSError, match=re.escape(str(file))) as told:
        kept(table, stem)
    assert told.value.filename == str(file)


def test_another_run_that_computes_them_is_waited_for(
    table: pd.DataFrame, stem: keras.Model, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = np.array(kept(table, stem))
    (file,) = maps_folder().glob("*.f16")
    written = file.read_bytes()
    with ThreadPoolExecutor(1) as pool, file.open("r+b") as other:
        assert lock(other, wait=False)
        other.truncate(len(written) // 3)
        other.seek(0, 2)
        waiting = pool.submit(kept, table, stem)
        with pytest.raises(TimeoutError):
            waiting.result(1)
        other.write(written[len(written) // 3 :])
        other.close()
        np.testing.assert_array_equal(waiting.result(60), whole)
    assert "waiting" in capfd.readouterr().err
    assert file.read_bytes() == written


def test_a_file_that_is_too_long_is_begun_anew(table: pd.DataFrame, stem: keras.Model) -> None:
    whole = np.array(kept(table, stem))
    (file,) = maps_folder().glob("*.f16")
    mixed = file.read_bytes()
    file.write_bytes(mixed[len(mixed) // 3 :] + mixed)
    np.testing.assert_array_equal(kept(table, stem), whole)


def test_other_weights_or_images_have_other_maps(table: pd.DataFrame, stem: keras.Model) -> None:
    kept(table, stem)
    kept(table, stem, "b")
    kept(table.iloc[:2], stem)
    assert len(list(maps_folder().glob("*.f16"))) == 3


@pytest.mark.parametrize("made", [FreshMaps, kept_pixels])
def test_where_nothing_is_frozen_it_is_the_scaled_pixels_of_the_same_images(
    made: Callable[..., Maps], table: pd.DataFrame
) -> None:
    maps = made(table, SCALING, Augmentation(), 5)
    assert len(maps) == 6
    pixels = [np.asarray(Image.open(path)) for path in table["path"]]
    changed = augment(pixels[1], Augmentation(), copy_seed(table["sha256"][1], 3))
    truth = SCALING(np.stack([pixels[2], changed])).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(maps.tensor(np.array([0, 3]), np.array([2, 1]), CPU), truth)
    np.testing.assert_array_equal(maps.tensor(0, np.array([2]), CPU), truth[:1])
    batches = maps.tensors(np.array([0, 3, 0]), np.array([2, 1, 2]), 2, CPU)
    for batch, expected in zip(batches, [truth, truth[:1]], strict=True):
        np.testing.assert_array_equal(batch, expected)


def test_kept_pixels_are_made_once_whatever_the_scaling(table: pd.DataFrame) -> None:
    kept_pixels(table, SCALING, Augmentation(), 2)
    (file,) = maps_folder().glob("*.u8")
    assert file.stat().st_size == 3 * 3 * 224 * 224
    file.write_bytes(bytes(9 * 224 * 224))
    assert not kept_pixels(table, Scaling(), Augmentation(), 2).values.any()
