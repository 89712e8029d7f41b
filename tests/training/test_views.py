"""Many changed images are those that are made one by one, whoever makes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from neumo.errors import UnreadableImageError
from neumo.images.augment import Augmentation
from neumo.phantom.radiograph import draw_radiograph
from neumo.training import views
from neumo.training.views import Views

WANTED = [(view, row) for view in (2, 0, 1) for row in (4, 1, 3)]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are used on Linux only")


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    files = [tmp_path / f"{i}.png" for i in range(5)]
    for i, file in enumerate(files):
        Image.fromarray(draw_radiograph(patient=i)[0]).resize((224, 224)).save(file)
    return pd.DataFrame({"path": map(str, files), "sha256": [f"{i:064x}" for i in range(5)]})


def test_in_order_in_batches(table: pd.DataFrame) -> None:
    source = Views(table, Augmentation())
    batches = list(source.batches(WANTED, 4))
    assert [len(batch) for batch in batches] == [4, 4, 1]
    np.testing.assert_array_equal(np.concatenate(batches), [source.one(wanted) for wanted in WANTED])
    assert not np.array_equal(batches[0][0], source.one((1, 4)))
    np.testing.assert_array_equal(source.one((0, 4)), np.asarray(Image.open(table["path"][4])))
    assert list(source.batches([], 4)) == []


def test_an_image_that_cannot_be_read_is_told_in_its_place(table: pd.DataFrame) -> None:
    Path(table["path"][1]).write_text("no image")
    found = Views(table, Augmentation()).batches(WANTED, 1)
    assert len(next(found)) == 1
    with pytest.raises(UnreadableImageError, match=r"^.*1\.png: got .*, expected"):
        next(found)


def test_seeds_of_others_stay_as_they_are(table: pd.DataFrame) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    list(Views(table, Augmentation()).batches(WANTED, 4))
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


def by_processes(table: pd.DataFrame, folder: Path, code: str, *, ends: int = 0) -> str:
    """What this prints where processes are worth it, in a process of its own, of which they are forked."""
    table.to_csv(folder / "table.csv", index=False)
    before = """
import multiprocessing, os, signal, sys
import numpy as np, pandas as pd, torch
from neumo.errors import NeumoError, UnreadableImageError
from neumo.images.augment import Augmentation
from neumo.training import views
views.FEW, views.CORES = 0, 1
WANTED = [(view, row) for view in (2, 0, 1) for row in (4, 1, 3)]
source = views.Views(pd.read_csv(sys.argv[1], dtype={"sha256": str}), Augmentation())
assert views._processes(9) >= 1
"""
    done = subprocess.run(
        [sys.executable, "-c", before + code, str(folder / "table.csv")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == ends, done.stderr
    return done.stdout


@LINUX
def test_processes_make_the_same_images_in_the_same_order(table: pd.DataFrame, tmp_path: Path) -> None:
    by_processes(
        table,
        tmp_path,
        """
torch.manual_seed(1)
expected = torch.rand(3)
torch.manual_seed(1)
batches = source.batches(WANTED, 4)
first = next(batches)
assert multiprocessing.active_children()
batches = [first, *batches]
assert not multiprocessing.active_children()
assert [len(batch) for batch in batches] == [4, 4, 1]
np.testing.assert_array_equal(np.concatenate(batches), [source.one(wanted) for wanted in WANTED])
torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
assert list(source.batches([], 4)) == []
""",
    )


@LINUX
def test_what_a_process_cannot_read_is_told_as_if_it_were_read_here(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    Path(table["path"][1]).write_text("no image")
    told = by_processes(
        table,
        tmp_path,
        """
found = source.batches(WANTED, 1)
assert len(next(found)) == 1
try:
    next(found)
except UnreadableImageError as error:
    print(error)
""",
    )
    (line,) = told.splitlines()
    assert line.startswith(f"{table['path'][1]}: got ")


@LINUX
def test_a_process_that_the_system_ends_is_told_in_one_line(table: pd.DataFrame, tmp_path: Path) -> None:
    told = by_processes(
        table,
        tmp_path,
        """
found = source.batches([(1, 0)] * 5_000, 4)
next(found)
for child in multiprocessing.active_children():
    child.kill()
try:
    list(found)
except NeumoError as error:
    print(error)
""",
    )
    (line,) = told.splitlines()
    assert line.startswith("changing images: got a process that the system ended, expected")


@LINUX
def test_a_process_that_may_start_none_uses_threads(table: pd.DataFrame, tmp_path: Path) -> None:
    by_processes(
        table,
        tmp_path,
        """
def first(_):
    return next(source.batches(WANTED, 1))[0]

with multiprocessing.get_context("fork").Pool(1) as pool:
    np.testing.assert_array_equal(pool.apply(first, (0,)), source.one(WANTED[0]))
""",
    )


@LINUX
def test_few_images_or_cores_are_left_to_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.setattr(views, "THREADS", 32)
    assert [views._processes(images) for images in (0, 499, 500)] == [0, 0, 6]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert views._processes(500) == 0


@LINUX
def test_none_of_the_processes_outlives_the_first(table: pd.DataFrame, tmp_path: Path) -> None:
    """Not even after kill -9."""
    told = by_processes(
        table,
        tmp_path,
        """
found = source.batches([(1, 0)] * 5_000, 4)
next(found)
print(*(child.pid for child in multiprocessing.active_children()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""",
        ends=-signal.SIGKILL,
    )
    children = [int(word) for word in told.split()]
    assert children
    for _ in range(100):
        if not any(_alive(pid) for pid in children):
            return
        time.sleep(0.2)
    pytest.fail(f"still there: {[pid for pid in children if _alive(pid)]}")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
