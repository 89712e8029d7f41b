"""Many changed images are those that are made one by one, whoever makes them."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from neumo.errors import NeumoError, UnreadableImageError
from neumo.images.augment import Augmentation
from neumo.phantom.radiograph import draw_radiograph
from neumo.training import views
from neumo.training.views import Views


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    files = [tmp_path / f"{i}.png" for i in range(5)]
    for i, file in enumerate(files):
        Image.fromarray(draw_radiograph(patient=i)[0]).resize((224, 224)).save(file)
    return pd.DataFrame({"path": map(str, files), "sha256": [f"{i:064x}" for i in range(5)]})


@pytest.fixture(params=["threads", "processes"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "processes" and sys.platform != "linux":
        pytest.skip("processes are used on Linux only")
    monkeypatch.setattr(views, "FEW", 0 if request.param == "processes" else 1000)


WANTED = [(view, row) for view in (2, 0, 1) for row in (4, 1, 3)]


def test_in_order_in_batches(way: None, table: pd.DataFrame) -> None:
    source = Views(table, Augmentation())
    batches = list(source.batches(WANTED, 4))
    assert [len(batch) for batch in batches] == [4, 4, 1]
    np.testing.assert_array_equal(np.concatenate(batches), [source.one(wanted) for wanted in WANTED])
    assert not np.array_equal(batches[0][0], source.one((1, 4)))
    np.testing.assert_array_equal(source.one((0, 4)), np.asarray(Image.open(table["path"][4])))
    assert list(source.batches([], 4)) == []


def test_an_image_that_cannot_be_read_is_told_as_if_it_were_read_here(way: None, table: pd.DataFrame) -> None:
    Path(table["path"][1]).write_text("no image")
    found = Views(table, Augmentation()).batches(WANTED, 1)
    assert len(next(found)) == 1
    with pytest.raises(UnreadableImageError, match=r"^.*1\.png: got .*, expected") as told:
        next(found)
    assert "\n" not in str(told.value)


def test_seeds_of_others_stay_as_they_are(way: None, table: pd.DataFrame) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    list(Views(table, Augmentation()).batches(WANTED, 4))
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are used on Linux only")
def test_none_of_the_processes_outlives_the_first(table: pd.DataFrame, tmp_path: Path) -> None:
    """Not even after kill -9."""
    table.to_csv(tmp_path / "table.csv", index=False)
    code = """
import multiprocessing, os, signal, sys
import pandas as pd
from neumo.images.augment import Augmentation
from neumo.training import views
views.FEW = 0
found = views.Views(pd.read_csv(sys.argv[1]), Augmentation()).batches([(1, 0)] * 5_000, 4)
next(found)
print(*(child.pid for child in multiprocessing.active_children()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    shown = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "table.csv")], capture_output=True, text=True, check=False
    )
    children = [int(word) for word in shown.stdout.split()]
    assert children, shown.stderr
    for _ in range(100):
        if not any(_alive(pid) for pid in children):
            return
        subprocess.run(["sleep", "0.2"], check=True)
    pytest.fail(f"still there: {[pid for pid in children if _alive(pid)]}")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes are used on Linux only")
def test_a_process_that_may_start_none_uses_threads(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "FEW", 0)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.apply(_first, (table,))
    np.testing.assert_array_equal(found, Views(table, Augmentation()).one(WANTED[0]))


def _first(table: pd.DataFrame) -> np.ndarray:
    return next(Views(table, Augmentation()).batches(WANTED, 1))[0]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are used on Linux only")
def test_a_process_that_the_system_ends_is_told_in_one_line(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "FEW", 0)
    found = Views(table, Augmentation()).batches([(1, 0)] * 5_000, 4)
    next(found)
    for child in multiprocessing.active_children():
        child.kill()
    with pytest.raises(NeumoError, match=r"^changing images: got a process that the system ended, expected"):
        list(found)
