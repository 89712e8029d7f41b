"""A split is the same again when it is read back, or what it has wrong is told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neumo.data.split import split
from neumo.data.split_file import load_split, save_split
from neumo.errors import NeumoError
from tests.data.test_split import TABLES


@pytest.mark.parametrize("name", ["split.csv", "split.parquet"])
def test_a_saved_split_holds_wherever_the_data_lies(name: str, tmp_path: Path) -> None:
    table = TABLES[3]
    divided = split(table, "patient")
    save_split(divided, tmp_path / name)
    pd.testing.assert_frame_equal(load_split(tmp_path / name, table), divided)
    moved = table.assign(path=table["path"].str.replace("/data/", "/mnt/other disk/")).sample(frac=1)
    pd.testing.assert_series_equal(load_split(tmp_path / name, moved)["part"].sort_index(), divided["part"])
    if name.endswith("csv"):
        lines = (tmp_path / name).read_text().splitlines()
        assert lines[0] == "path,sha256,label,part"
        assert lines[1] == f"0.png,{table['sha256'][0]},0,{divided['part'][0]}"


@pytest.mark.parametrize("name", ["a,b.png", 'q"uote.png', "new\nline.png", "Icon\r"])
def test_a_saved_split_has_its_images_whatever_they_are_called(name: str, tmp_path: Path) -> None:
    table = TABLES[0].assign(path=["/data/" + name, *TABLES[0]["path"][1:]])
    divided = split(table)
    save_split(divided, tmp_path / "split.csv")
    pd.testing.assert_frame_equal(load_split(tmp_path / "split.csv", table), divided)


def test_an_edited_split_is_read_as_edited(tmp_path: Path) -> None:
    table = TABLES[0]
    divided = split(table)
    save_split(divided, file := tmp_path / "split.csv")
    row = int(np.flatnonzero(divided["part"] == "train")[0])
    lines = file.read_text().splitlines()
    lines[row + 1] = lines[row + 1].replace(",train", ",test")
    file.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8")  # as a spreadsheet saves it
    changed = load_split(file, table)["part"] != divided["part"]
    assert list(np.flatnonzero(changed)) == [row]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            lambda t: re.sub(r"(\n3\.png.*,)\w+", r"\1tset", t),
            "got as part line 5: 'tset', expected train, val",
        ),
        (lambda t: re.sub(r"(\n3\.png.*,)\w+", r"\1", t), "got as part line 5: ''"),
        (
            lambda t: re.sub(r"\n3\.png.*", "", t),
            "differs in 1 images, expected .*: 3.png \\(not in the split\\)",
        ),
        (
            lambda t: t.replace("\n3.png", "\n3.jpg"),
            r"2 images.*: 3.jpg \(not in the data set\); 3.png \(not in",
        ),
        (
            lambda t: re.sub(r"\n(3|8)\.png,....", r"\n\1.png,0000", t),
            r"3.png \(other bytes\); 8.png \(other",
        ),
        (lambda t: re.sub(r"(\n3\.png,\w+),0", r"\1,1", t), r"3.png \(label 1 in the split, 0 in the data"),
        (lambda t: re.sub(r"(\n3\.png.*)", r"\1\1", t), r"got an image a second time \(line 6: 3.png\)"),
        (
            lambda t: t.replace("part", "fold", 1),
            "got no column part, expected the columns path, sha256, label",
        ),
        (lambda t: t.replace("test", "train"), "got a test part without normal images, expected both"),
        (lambda t: t.replace("3.png,", '3.png,"', 1), "unreadable file"),
        (lambda t: "", "unreadable file"),
    ],
)
def test_what_a_saved_split_has_wrong_is_told(edit, told: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    table = TABLES[0]
    save_split(split(table), file := tmp_path / "split.csv")
    file.write_text(edit(file.read_text()))
    with pytest.raises(NeumoError, match=told) as raised:
        load_split(file, table)
    assert str(file) in str(raised.value)


def test_files_that_are_no_saved_split_are_told(tmp_path: Path) -> None:
    table = TABLES[0]
    with pytest.raises(NeumoError, match=r"got the suffix '.xlsx', expected .csv or .parquet"):
        save_split(split(table), tmp_path / "split.xlsx")
    with pytest.raises(NeumoError, match="got no such file"):
        load_split(tmp_path / "absent.csv", table)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(NeumoError, match=r"broken\.parquet: got an unreadable file"):
        load_split(tmp_path / "broken.parquet", table)
    (tmp_path / "latin.csv").write_bytes("path,sha256,label,part\nä,1,0,train\n".encode("latin-1"))
    with pytest.raises(NeumoError, match=r"latin\.csv: got an unreadable file"):
        load_split(tmp_path / "latin.csv", table)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("split")] == []


def test_a_long_list_of_mismatches_is_cut(tmp_path: Path) -> None:
    save_split(split(TABLES[0]), file := tmp_path / "split.csv")
    with pytest.raises(NeumoError, match=r"differs in 130 images.*19.png \(other bytes\); and 110 more$"):
        load_split(file, TABLES[0].assign(sha256="0" * 64))


def test_images_that_were_left_out_may_be_in_it(tmp_path: Path) -> None:
    table = TABLES[0]
    whole = split(table)
    save_split(whole, file := tmp_path / "split.csv")
    rest, gone = table.iloc[3:], list(table["path"].iloc[:3])
    assert load_split(file, rest, gone)["part"].equals(whole["part"].iloc[3:])
    with pytest.raises(NeumoError, match=r"differs in 1 images.*\(not in the data set\)$"):
        load_split(file, rest, gone[:2])


def test_real_data(coronahack: Path, tmp_path: Path) -> None:
    from neumo.data.sources import read

    table = read(coronahack).table
    whole = split(table, "patient")
    save_split(whole, tmp_path / "split.csv")
    assert load_split(tmp_path / "split.csv", table)["part"].equals(whole["part"])


def test_what_is_no_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(NeumoError, match=r"^table: got no column part, expected"):
        save_split(TABLES[0], tmp_path / "split.csv")
    save_split(split(TABLES[0]), tmp_path / "split.csv")
    with pytest.raises(NeumoError, match=r"^table: got 'CoronaHack', expected"):
        load_split(tmp_path / "split.csv", "CoronaHack")  # type: ignore[arg-type]
