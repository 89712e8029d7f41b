"""Files are there whole or not at all, and an error says which one it is about."""

from __future__ import annotations

import csv
import errno
import os
from pathlib import Path

import pandas as pd
import pytest

from neumo.errors import NeumoError
from neumo.files import cache_folder, claim, same_file, size_on_disk, whole_file, write_csv


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "file.txt"
    with whole_file(file) as part:
        part.write_text("old")
    with whole_file(file) as part:
        part.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert list(file.parent.iterdir()) == [file]


def test_a_full_disk_leaves_the_old_file_and_is_told_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    file.write_text("old")

    def write() -> None:
        with whole_file(file) as part:
            part.write_text("half of the ne")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as write() raises it, without a name

    with pytest.raises(OSError, match=r"file\.txt") as told:
        write()
    assert told.value.errno == errno.ENOSPC
    assert told.value.filename == str(file)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_an_error_that_names_its_file_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as told, whole_file(tmp_path / "file.txt"):
        (tmp_path / "other.txt").read_text()
    assert told.value.filename == str(tmp_path / "other.txt")


def test_a_table_is_read_as_it_was_written_whatever_is_in_its_cells(tmp_path: Path) -> None:
    names = ["a,b.png", 'q"uote.png', "new\nline.png", "Icon\r", "both\r\n.png", "ünï 写真.png", " =1", "\t"]
    write_csv(pd.DataFrame({"path": names, "label": 1, "patient": None}), tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as text:
        assert [*csv.reader(text)] == [["path", "label", "patient"], *([name, "1", ""] for name in names)]
    write_csv(pd.DataFrame({"path": names[:3]}), tmp_path / "table.csv")
    assert b"\r" not in (tmp_path / "table.csv").read_bytes().replace(os.linesep.encode(), b"\n")


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("NEUMO_CACHE", "~/cache")
    assert cache_folder() == Path.home() / "cache"
    monkeypatch.setenv("NEUMO_CACHE", "~nobody-of-this-name")
    assert cache_folder() == Path("~nobody-of-this-name")
    monkeypatch.delenv("NEUMO_CACHE")
    assert cache_folder().name == "neumo"


def test_a_file_that_is_taken_away_while_sizes_are_summed_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.one", "b.one", "other"):
        (tmp_path / name).write_bytes(bytes(5))
    assert size_on_disk(tmp_path, "*.one") == 10
    look = Path.stat

    def taken_away(path: Path, **options: bool) -> os.stat_result:
        if path.name == "a.one":
            path.unlink(missing_ok=True)
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", taken_away)
    assert size_on_disk(tmp_path, "*.one") == 5


def test_a_folder_of_results_is_no_file_and_has_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    for _ in range(2):
        assert claim(folder, "study") == folder
        (folder / "results.json").touch()
    with pytest.raises(NeumoError, match=r"folder: got a folder with other files, expected .* neumo train$"):
        claim(folder, "train")
    with pytest.raises(NeumoError, match=r"results\.json: got a file, expected a folder for the results"):
        claim(folder / "results.json", "study")
    (tmp_path / "empty").mkdir()
    assert list(claim(tmp_path / "empty", "train").iterdir()) == [tmp_path / "empty" / ".neumo-train"]


def test_two_paths_to_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    (tmp_path / "link").symlink_to("a")
    assert same_file(tmp_path / "a", tmp_path / "link")
    assert not same_file(tmp_path / "a", tmp_path / "b")
    assert not same_file(tmp_path / "a", tmp_path / "nowhere")
    assert not same_file(tmp_path / "a", "nul\0")
