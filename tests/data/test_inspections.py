from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from neumo.data import inspections
from neumo.data.inspections import inspect_images
from neumo.data.table import sha256_of
from neumo.files import cache_folder
from tests.data.pictures import draw


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    files = [
        draw(tmp_path / "large.png", 1, 300),
        draw(tmp_path / "tiny.png", 2, 40),
        tmp_path / "broken.png",
    ]
    files[2].write_text("no image")
    return pd.DataFrame(
        {"path": [str(f) for f in files], "sha256": [sha256_of(f) for f in files]}, index=[7, 8, 9]
    )


def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are decoded from now on."""
    names: list[str] = []
    inspect = inspections._inspect

    def watched(path: Path) -> tuple[object, ...]:
        names.append(path.name)
        return inspect(path)

    monkeypatch.setattr(inspections, "_inspect", watched)
    return names


def test_tells_what_is_seen(table: pd.DataFrame) -> None:
    seen = inspect_images(table)
    assert seen.index.equals(table.index)
    assert list(seen["width"]) == [300, 40, 0]
    assert list(seen["mode"]) == ["L", "L", ""]
    assert list(seen["problems"]) == [(), ("tiny",), ()]
    assert [reason != "" for reason in seen["unreadable"]] == [False, False, True]
    assert [len(code) for code in seen["phash"]] == [32, 32, 0]


def test_the_hash_is_that_of_imagehash(table: pd.DataFrame) -> None:
    import imagehash

    from neumo.images.read import read_radiograph

    expected = imagehash.phash(Image.fromarray(read_radiograph(table["path"][7])), 16)
    assert inspect_images(table)["phash"][7].hex() == str(expected)


def test_a_second_look_decodes_only_what_could_not_be_read(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = inspect_images(table)
    names = decoded(monkeypatch)
    pd.testing.assert_frame_equal(inspect_images(table), first)
    assert names == ["broken.png"]


def test_one_content_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = draw(tmp_path / "a.png")
    names = decoded(monkeypatch)
    seen = inspect_images(pd.DataFrame({"path": [str(file)] * 3, "sha256": [sha256_of(file)] * 3}))
    assert len(seen) == 3
    assert names == ["a.png"]


def test_what_was_seen_survives_being_stopped(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    inspect = inspections._inspect

    def stopped(path: Path) -> tuple[object, ...]:
        if path.name == "tiny.png":
            raise KeyboardInterrupt
        return inspect(path)

    monkeypatch.setattr(inspections, "_inspect", stopped)
    with pytest.raises(KeyboardInterrupt):
        inspect_images(table)
    monkeypatch.setattr(inspections, "_inspect", inspect)
    names = decoded(monkeypatch)
    inspect_images(table)
    assert "large.png" not in names


@pytest.mark.parametrize("spoil", ["text", "middle"])
def test_a_broken_cache_is_made_anew(
    spoil: str, table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    first = inspect_images(table)
    file = cache_folder() / "inspections.sqlite"
    content = bytearray(file.read_bytes())
    if spoil == "text":
        content = bytearray(b"this is no database, but text of some length " * 40)
    else:
        content[4096:] = np.random.default_rng(0).bytes(len(content) - 4096)
    file.write_bytes(content)
    pd.testing.assert_frame_equal(inspect_images(table), first)
    assert "inspections.sqlite: got a damaged file" in capsys.readouterr().err
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT count(*) FROM entries").fetchone() == (2,)


def test_without_a_cache_folder(table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path / "file"))
    assert list(inspect_images(table)["width"]) == [300, 40, 0]
