from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neumo.features import compiled as module
from neumo.features.compiled import Requests, compiled, compiled_folder, core

PROPERTIES = {"PERFORMANCE_HINT": "LATENCY"}


def network(factor: float) -> Any:
    import openvino
    import openvino.opset15 as ops

    x = ops.parameter([1, 300], np.float32)
    return openvino.Model([ops.matmul(x, np.full((300, 300), factor, np.float32), False, False)], [x], "one")


def answer(factor: float, kept_as: str | None) -> float:
    found = compiled(lambda: network(factor), PROPERTIES, kept_as)
    return float(found([np.ones((1, 300), np.float32)])[0][0, 0])


def files() -> list[Path]:
    return sorted(compiled_folder().glob("*"))


def test_a_request_that_was_given_back_is_used_again() -> None:
    requests = Requests(compiled(lambda: network(1), PROPERTIES))
    first, second = requests.take(), requests.take()
    first.get_input_tensor().data[:] = 1
    second.get_input_tensor().data[:] = 2
    assert [request.infer()[0][0, 0] for request in (first, second)] == [300, 600]
    requests.give_back(first)
    assert requests.take() is first
    assert requests.take() not in (first, second)


def test_what_is_kept_is_used_for_the_same_name_only() -> None:
    assert answer(1, "a") == 300
    assert answer(2, "a") == 300
    assert answer(2, "b") == 600
    assert answer(3, None) == 900
    assert len(files()) == 2


def test_other_properties_or_versions_are_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino

    answer(1, "a")
    compiled(lambda: network(1), {**PROPERTIES, "INFERENCE_PRECISION_HINT": "f32"}, "a")
    assert len(files()) == 2
    monkeypatch.setattr(openvino, "__version__", "another")
    assert answer(2, "a") == 600
    assert len(files()) == 3


@pytest.mark.parametrize("at", [0, 0.3, 0.5, 0.9, -1])
def test_a_damaged_one_is_made_again(at: float) -> None:
    answer(1, "a")
    (file,) = files()
    data = bytearray(file.read_bytes())
    place = len(data) - 1 if at == -1 else int(len(data) * at)
    data[place] ^= 4
    file.write_bytes(data)
    assert answer(2, "a") == 600
    assert answer(3, "a") == 600


@pytest.mark.parametrize("size", [0, 10, 32, 5000])
def test_one_that_was_cut_off_is_made_again(size: int) -> None:
    answer(1, "a")
    (file,) = files()
    os.truncate(file, size)
    assert answer(2, "a") == 600
    assert file.stat().st_size > 300 * 300 * 4


def test_one_that_openvino_refuses_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(1, "a")
    (file,) = files()
    blob = b"whole, but of no use"
    file.write_bytes(blob + module.hashlib.sha256(blob).digest())
    assert answer(2, "a") == 600


def test_a_cache_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path / "file"))
    assert answer(2, "a") == 600


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert answer(2, "a") == 600
    assert files() == []


def test_the_least_used_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        answer(1, name)
        for file in files():
            os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 10))
    size = files()[0].stat().st_size
    answer(9, "a")  # used again: now the newest
    monkeypatch.setattr(module, "ROOM", 3 * size + 100)
    answer(1, "d")
    assert len(files()) == 3
    assert answer(2, "a") == 300
    assert answer(2, "b") == 600
    monkeypatch.setattr(module, "ROOM", size // 2)
    answer(1, "e")
    assert len(files()) == 3


def test_processes_at_once() -> None:
    import multiprocessing

    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(answer, [1] * 6, ["a"] * 6)) == [300] * 6
    assert [file.suffix for file in files()] == [".blob"]
    assert answer(2, "a") == 300


def test_openvino_is_started_once() -> None:
    assert core() is core()
