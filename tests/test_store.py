from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from neumo import store as module
from neumo.errors import NeumoError
from neumo.features.store import FeatureStore

SPACE = {"backbone": "ResNet50", "weights": "none-1", "precision": "f32"}
OTHER = {**SPACE, "backbone": "VGG16"}


def vectors(n: int, start: int = 0, features: int = 300) -> dict[str, np.ndarray]:
    return {
        f"image {i}": np.random.default_rng(i).random(features, np.float32) for i in range(start, start + n)
    }


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features.sqlite")


def check(store: FeatureStore, expected: dict[str, np.ndarray], space: dict[str, str] = SPACE) -> None:
    found = store.get_many(space, [*expected, "unknown"])
    assert found.keys() == expected.keys()
    for key, vector in expected.items():
        np.testing.assert_array_equal(found[key], vector)


def test_keeps_many(store: FeatureStore) -> None:
    store.put_many(SPACE, vectors(1200))
    store.close()
    check(FeatureStore(store.path), vectors(1200))


def test_spaces_are_apart(store: FeatureStore) -> None:
    store.put_many(SPACE, vectors(3))
    store.put_many(OTHER, {"image 0": np.ones(5, np.float32)})
    check(store, vectors(3))
    check(store, {"image 0": np.ones(5, np.float32)}, OTHER)
    assert store.summary() == [{**SPACE, "entries": 3, "bytes": 3600}, {**OTHER, "entries": 1, "bytes": 20}]


def test_the_order_of_a_spaces_items_is_nothing(store: FeatureStore) -> None:
    store.put_many(SPACE, vectors(2))
    check(store, vectors(2), dict(reversed(SPACE.items())))


def test_a_new_vector_replaces_the_old(store: FeatureStore) -> None:
    store.put_many(SPACE, {"image 0": np.zeros(300, np.float32)})
    store.put_many(SPACE, vectors(1))
    check(store, vectors(1))
    assert store.summary()[0]["entries"] == 1


def test_clear(store: FeatureStore) -> None:
    store.put_many(SPACE, vectors(2000))
    store.put_many(OTHER, vectors(3))
    full = store.size
    assert store.clear(backbone="ResNet50", precision="bf16") == 0
    assert store.clear(backbone="ResNet50") == 2000
    assert store.size < full / 10
    check(store, {})
    check(store, vectors(3), OTHER)
    assert store.clear() == 3
    assert store.summary() == []


def _flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def test_a_flipped_bit_makes_an_entry_absent(store: FeatureStore, capsys: pytest.CaptureFixture[str]) -> None:
    store.put_many(SPACE, vectors(20))
    store.close()
    _flip(store.path, store.path.read_bytes().index(vectors(8)["image 7"].tobytes()) + 401)
    expected = vectors(20)
    del expected["image 7"]
    assert store.get_many(SPACE, list(vectors(20))).keys() == expected.keys()
    store.put_many(SPACE, vectors(1, start=7))
    check(store, vectors(20))
    assert capsys.readouterr().err == ""


def test_an_entry_of_another_space_is_not_taken(store: FeatureStore) -> None:
    store.put_many(SPACE, vectors(3))
    store.put_many(OTHER, vectors(1, start=5))
    store._open().execute("UPDATE entries SET space = 2 WHERE key = 'image 1'")
    assert store.get_many(OTHER, ["image 1", "image 5"]).keys() == {"image 5"}


@pytest.mark.parametrize("damage", ["header", "text", "cut off", "every page"])
def test_a_damaged_file_is_moved_aside(
    damage: str, store: FeatureStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store.put_many(SPACE, vectors(100))
    store.close()
    data = bytearray(store.path.read_bytes())
    if damage == "header":
        data[:100] = bytes(100)
    elif damage == "text":
        data = bytearray(b"no database\n" * 500)
    elif damage == "cut off":
        del data[8192:]
    else:
        for page in range(4096, len(data), 4096):
            data[page : page + 16] = b"\xff" * 16
    store.path.write_bytes(data)

    assert store.get_many(SPACE, list(vectors(100))) == {}
    warning = capsys.readouterr().err
    assert warning.startswith(f"neumo: warning: {store.path}: got a damaged file (")
    assert warning.count("\n") == 1
    assert (store.path.parent / "features.sqlite.damaged").read_bytes() == data
    store.put_many(SPACE, vectors(2))
    check(store, vectors(2))
    store.clear()
    assert not (store.path.parent / "features.sqlite.damaged").exists()


def test_a_database_with_other_columns_is_moved_aside(
    store: FeatureStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("CREATE TABLE entries (space, key, vector, crc32)")
    store.put_many(SPACE, vectors(2))
    check(store, vectors(2))
    assert "column named value" in capsys.readouterr().err
    with closing(sqlite3.connect(store.path.with_name("features.sqlite.damaged"))) as database:
        assert database.execute("SELECT vector FROM entries").fetchall() == []


def test_damage_while_open(store: FeatureStore, capsys: pytest.CaptureFixture[str]) -> None:
    store.put_many(SPACE, vectors(500))
    store.close()
    store.get_many(SPACE, [])
    size = store.path.stat().st_size
    with store.path.open("r+b") as file:
        for page in range(4096, size, 4096):
            file.seek(page)
            file.write(b"\xff" * 64)
    store.put_many(SPACE, vectors(1, start=900))
    check(store, vectors(1, start=900))
    assert "got a damaged file" in capsys.readouterr().err


def test_a_full_database(store: FeatureStore) -> None:
    store.put_many(SPACE, vectors(50))
    pages = store._open().execute("PRAGMA page_count").fetchone()[0]
    store._open().execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(NeumoError, match=r"features\.sqlite: got a full disk, expected room to write"):
        store.put_many(SPACE, vectors(500, start=50))
    check(store, vectors(50))


def test_a_full_disk(store: FeatureStore) -> None:
    store.put_many(SPACE, vectors(50))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limit[1]))
    try:
        with pytest.raises(NeumoError, match=r"features\.sqlite: got a full disk, expected room to write"):
            store.put_many(SPACE, vectors(500, start=50))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    check(store, vectors(50))
    store.put_many(SPACE, vectors(500, start=50))
    check(store, vectors(550))


def test_read_only(store: FeatureStore) -> None:
    store.put_many(SPACE, vectors(5))
    store._open().execute("PRAGMA query_only = 1")
    with pytest.raises(NeumoError, match=r"got no permission to write, .* NEUMO_CACHE"):
        store.put_many(SPACE, vectors(5, start=5))
    check(store, vectors(5))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NeumoError, match=r"got .*, expected a cache folder that can be made"):
        FeatureStore(tmp_path / "file" / "features.sqlite").get_many(SPACE, [])


def test_a_folder_in_the_files_place(tmp_path: Path) -> None:
    with pytest.raises(NeumoError, match="got no permission to write"):
        FeatureStore(tmp_path).get_many(SPACE, [])


def test_a_lock_that_stays(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put_many(SPACE, vectors(1))
    store.close()
    monkeypatch.setattr(module, "WAIT", 0.1)
    blocker = sqlite3.connect(store.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(NeumoError, match="got a store that another process has locked"):
        store.put_many(SPACE, vectors(1, start=1))
    blocker.close()
    store.put_many(SPACE, vectors(1, start=1))
    check(store, vectors(2))


def test_an_interrupted_write_leaves_nothing_and_holds_up_nobody(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    store.put_many(SPACE, vectors(1))
    monkeypatch.setattr(module, "WAIT", 0.1)
    crc = module._crc
    monkeypatch.setattr(module, "_crc", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.put_many(OTHER, vectors(2))
    monkeypatch.setattr(module, "_crc", crc)
    FeatureStore(store.path).put_many(SPACE, vectors(1, start=1))
    store.put_many(SPACE, vectors(1, start=2))
    check(store, vectors(3))
    assert [space["backbone"] for space in store.summary()] == ["ResNet50"]


def test_a_new_store_in_the_place_of_a_damaged_one_stays(
    store: FeatureStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two processes had it open: the first that meets the damage moves it aside, the second goes along."""
    store.put_many(SPACE, vectors(500))
    store.close()
    second = FeatureStore(store.path)
    for one in (store, second):
        one.get_many(SPACE, [])
    with store.path.open("r+b") as file:
        for page in range(4096, store.path.stat().st_size, 4096):
            file.seek(page)
            file.write(b"\xff" * 64)
    store.put_many(SPACE, vectors(1, start=900))
    second.put_many(SPACE, vectors(1, start=901))
    for one in (store, second, FeatureStore(store.path)):
        check(one, vectors(2, start=900))
    assert capsys.readouterr().err.count("got a damaged file") == 1


def test_two_processes_at_once(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from tests.test_store import SPACE, vectors\n"
        "from neumo.features.store import FeatureStore\n"
        "store = FeatureStore(sys.argv[1])\n"
        "for i in range(int(sys.argv[2]), 400, 2):\n"
        "    store.put_many(SPACE, vectors(1, start=i))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "features.sqlite")]
    both = [subprocess.Popen([*command, start], cwd=Path(__file__).parents[1]) for start in ("0", "1")]
    assert [process.wait(timeout=100) for process in both] == [0, 0]
    check(FeatureStore(tmp_path / "features.sqlite"), vectors(400))
