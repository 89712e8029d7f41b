"""Folders for other tools: what is written, what is never touched, what a stop leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_files

from neumo.data.layout import class_folders, lay_out
from neumo.data.sources import read
from neumo.data.split import split
from neumo.data.split_file import load_split
from neumo.data.table import sha256_of
from neumo.errors import NeumoError
from neumo.files import SPLIT_MARK


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    """40 small files in two source folders; every name occurs in both."""
    rows = []
    for i in range(40):
        path = tmp_path / "source" / "ab"[i % 2] / f"{i // 2:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image %d" % i)
        rows.append((str(path), int(i % 3 > 0), f"p{i // 4}", sha256_of(path)))
    found = pd.DataFrame(rows, columns=["path", "label", "patient", "sha256"])
    return found.assign(cause="", official=None).astype({"label": "int8", "patient": "str"})


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def laid_out(folder: Path) -> dict[str, bytes]:
    """The images below a folder with their bytes."""
    return {name: content for name, content in tree(folder).items() if name.count("/") == 2}


def expected(divided: pd.DataFrame, files: list[Path]) -> dict[str, bytes]:
    """The images that should be there, by the rows of the split."""
    return {
        "/".join(file.parts[-3:]): Path(p).read_bytes()
        for file, p in zip(files, divided["path"], strict=True)
    }


@pytest.mark.parametrize("link", [False, True])
def test_every_image_stands_once_in_the_folder_of_its_part_and_class(
    table: pd.DataFrame, link: bool, tmp_path: Path
) -> None:
    divided = split(table)
    source = tree(tmp_path / "source")
    files = lay_out(divided, tmp_path / "out", link=link)
    for file, part, label, path in zip(
        files, divided["part"], divided["label"], divided["path"], strict=True
    ):
        assert file.parts[-3:-1] == (part, ("normal", "pneumonia")[label])
        assert file.read_bytes() == Path(path).read_bytes()
        assert file.is_symlink() == link
    assert len(set(files)) == len(table) == len(laid_out(tmp_path / "out"))
    assert tree(tmp_path / "source") == source
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "train",
        "validation",
        "test",
        "split.csv",
        SPLIT_MARK,
    }
    pd.testing.assert_frame_equal(load_split(tmp_path / "out" / "split.csv", table), divided)


def test_without_a_validation_part_there_is_no_such_folder(table: pd.DataFrame, tmp_path: Path) -> None:
    lay_out(split(table, validation_fraction=0), tmp_path / "out")
    assert not (tmp_path / "out" / "validation").exists()


def test_equal_names_are_kept_apart(table: pd.DataFrame, tmp_path: Path) -> None:
    taken = ["a/x.png", "b/x.png", "c/x-2.png", "d/X.PNG", "e/x.png", "f/x", "g/x"]
    for row, name in enumerate(taken):
        path = tmp_path / "more" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
        table.loc[row, "path"] = str(path)
        table.loc[row, "label"] = 0
        table.loc[row, "sha256"] = sha256_of(path)
    divided = table.assign(part=["train"] * 30 + ["test"] * 10)
    files = lay_out(divided, tmp_path / "out")
    assert [f.name for f in files[:7]] == ["x.png", "x-3.png", "x-2.png", "X-4.PNG", "x-5.png", "x", "x-2"]
    assert laid_out(tmp_path / "out") == expected(divided, files)
    assert len({str(f).casefold() for f in files}) == len(files)


def test_the_next_split_takes_the_place_of_the_last(table: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for seed, link, validation in [(0, False, 0.2), (1, False, 0.2), (2, True, 0.0), (3, False, 0.0)]:
        divided = split(table, seed=seed, validation_fraction=validation)
        files = lay_out(divided, out, link=link)
        assert laid_out(out) == expected(divided, files)
        assert all(f.is_symlink() == link for f in files)
        assert (out / "validation").exists() == (validation > 0)
        assert load_split(out / "split.csv", table)["part"].equals(divided["part"])


def test_what_is_there_is_not_written_again(table: pd.DataFrame, tmp_path: Path) -> None:
    files = lay_out(split(table), tmp_path / "out")
    before = [f.stat().st_ino for f in files]
    files[3].write_bytes(b"")
    files[3].unlink()
    assert lay_out(split(table), tmp_path / "out") == files
    after = [f.stat().st_ino for f in files]
    assert [a for i, a in enumerate(after) if i != 3] == [b for i, b in enumerate(before) if i != 3]
    assert files[3].read_bytes() == Path(table["path"][3]).read_bytes()


def test_files_of_the_users_own_are_left_alone(table: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "out"
    lay_out(split(table, seed=0), out)
    own = [out / "notes.txt", out / "validation" / "normal" / "mine.png", out / "models" / "a.bin"]
    for file in own:
        file.parent.mkdir(exist_ok=True)
        file.write_text("my own")
    divided = split(table, seed=1, validation_fraction=0)
    files = lay_out(divided, out)
    assert [file.read_text() for file in own] == ["my own"] * 3
    images = laid_out(out)
    assert images.pop("validation/normal/mine.png")
    assert images == expected(divided, files)


def test_a_place_that_was_given_up_is_the_users(table: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = lay_out(split(table, seed=0), out)
    contents = [file.read_bytes() for file in first]
    lay_out(split(table, seed=1), out)
    row, given_up = next((i, file) for i, file in enumerate(first) if not file.exists())
    given_up.write_bytes(contents[row])
    lay_out(split(table, seed=1), out)
    assert given_up.read_bytes() == contents[row]


def test_links_whose_images_have_moved_are_renewed(table: pd.DataFrame, tmp_path: Path) -> None:
    lay_out(split(table), tmp_path / "out", link=True)
    (tmp_path / "source").rename(tmp_path / "moved")
    moved = split(table.assign(path=table["path"].str.replace("/source/", "/moved/")))
    files = lay_out(moved, tmp_path / "out", link=True)
    assert laid_out(tmp_path / "out") == expected(moved, files)


@pytest.mark.parametrize("what", ["a file", "a folder", "a hidden file", "images"])
def test_a_folder_that_neumo_did_not_make_is_not_written_into(
    what: str, table: pd.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if what == "a folder":
        (out / "train").mkdir()
    elif what == "images":
        shutil.copytree(tmp_path / "source" / "a", out / "train" / "normal")
    else:
        (out / ("x" if what == "a file" else ".x")).write_text("x")
    before = sorted(out.rglob("*")), tree(out)
    with pytest.raises(
        NeumoError, match="out: got a folder with files that neumo did not make, expected a new"
    ):
        lay_out(split(table), out)
    assert (sorted(out.rglob("*")), tree(out)) == before


def test_an_empty_folder_will_do(table: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert all(f.is_file() for f in lay_out(split(table), tmp_path / "out"))


def test_a_changed_file_is_not_replaced(table: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files = lay_out(split(table), out)
    for file in (files[5], out / "split.csv"):
        written = file.read_bytes()
        file.write_bytes(b"changed by hand")
        before = tree(out)
        for seed in (0, 1):
            with pytest.raises(
                NeumoError, match=f"{file.name}: got a file that neumo did not write or that has"
            ):
                lay_out(split(table, seed=seed), out)
            assert tree(out) == before
        file.write_bytes(written)


def test_a_file_of_the_users_own_in_the_way_is_not_replaced(table: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "out"
    divided = split(table)
    one = int(np.flatnonzero(divided["part"] == "train")[0])
    lay_out(divided.drop(index=one), out)
    in_the_way = (
        out / "train" / ("normal", "pneumonia")[divided["label"][one]] / Path(divided["path"][one]).name
    )
    if in_the_way.exists():  # an image of the same name from the other folder
        pytest.fail("the fixture changed: no free name")
    in_the_way.write_text("my own")
    with pytest.raises(NeumoError, match="expected none; move it away or lay out into another folder"):
        lay_out(divided, out)
    assert in_the_way.read_text() == "my own"


def test_links_out_of_the_folder_are_not_followed(table: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "out"
    lay_out(split(table), out)
    shutil.move(out / "test", tmp_path / "elsewhere")
    (out / "test").symlink_to(tmp_path / "elsewhere")
    before = tree(tmp_path / "elsewhere")
    with pytest.raises(NeumoError, match="test: got a link or a file, expected a folder that neumo made"):
        lay_out(split(table, seed=1), out)
    assert tree(tmp_path / "elsewhere") == before


@pytest.mark.parametrize("link", [False, True])
def test_a_laid_out_data_set_is_read_back_but_not_over_itself(
    link: bool, table: pd.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    divided = split(table)
    lay_out(divided, out, link=link)
    again = read(out).table
    both = divided.merge(again, on="sha256", suffixes=("", "_again"), validate="one_to_one")
    assert len(both) == len(divided)
    assert (both["label"] == both["label_again"]).all()
    assert (both["official_again"] == both["part"].replace("validation", "train")).all()
    before = tree(out)
    (tmp_path / "alias").symlink_to(out)
    (tmp_path / "single").mkdir()
    for i, path in enumerate(again["path"]):
        (tmp_path / "single" / f"{i}.png").symlink_to(path)
    single = again.assign(path=[str(tmp_path / "single" / f"{i}.png") for i in range(len(again))])
    for images in (again,) if link else (again, single):  # a link to a link leads to the first source
        for folder in (out, tmp_path / "alias"):
            with pytest.raises(NeumoError, match=f"{folder.name}: got the folder that images are read from"):
                lay_out(split(images, seed=1), folder)
            assert tree(out) == before


@pytest.mark.parametrize(
    ("own", "folders"),
    [
        (("normal", "tuberculosis"), ("normal", "tuberculosis")),
        (("not infiltration|mass", "infiltration|mass"), ("not infiltration-mass", "infiltration-mass")),
        (("healthy", "../sick."), ("healthy", "-sick")),
        (("normal", "covid or viral pneumonia"), ("normal", "pneumonia")),
        (("gesund", "krank"), ("gesund", "krank")),
        (("no pneumonia", "pneumonia"), ("no pneumonia", "pneumonia")),
        (("sano", "neumon\u00eda"), ("sano", "neumon\u00eda")),
        (("terve", "sairas"), ("normal", "pneumonia")),
        (("tuberculosis", "normal"), ("normal", "pneumonia")),
        (("normal", "..."), ("normal", "pneumonia")),
        (("normal", "x" * 300), ("normal", "pneumonia")),
    ],
)
def test_classes_keep_their_names_where_these_are_read_back(
    own: tuple[str, str], folders: tuple[str, str], table: pd.DataFrame, tmp_path: Path
) -> None:
    assert class_folders(*own) == folders
    divided = split(table)
    lay_out(divided, tmp_path / "out", classes=folders)
    dataset = read(tmp_path / "out")
    assert (dataset.negative_name, dataset.positive_name) == folders
    both = divided.merge(dataset.table, on="sha256", suffixes=("", "_again"), validate="one_to_one")
    assert (both["label"] == both["label_again"]).all()
    assert len(both) == len(divided)


def test_other_names_of_classes_leave_nothing_of_the_last_behind(table: pd.DataFrame, tmp_path: Path) -> None:
    divided = split(table)
    lay_out(divided, tmp_path / "out")
    lay_out(divided, tmp_path / "out", classes=("normal", "tuberculosis"))
    assert {p.name for p in (tmp_path / "out" / "train").iterdir()} == {"normal", "tuberculosis"}
    assert len(laid_out(tmp_path / "out")) == len(divided)
    (tmp_path / "out" / "test" / "tuberculosis").rename(tmp_path / "elsewhere")
    (tmp_path / "out" / "test" / "tuberculosis").symlink_to(tmp_path / "elsewhere")
    before = tree(tmp_path / "elsewhere")
    with pytest.raises(NeumoError, match="tuberculosis: got a link or a file"):
        lay_out(divided, tmp_path / "out")
    assert tree(tmp_path / "elsewhere") == before


def test_an_image_that_changed_since_it_was_read_is_told(table: pd.DataFrame, tmp_path: Path) -> None:
    Path(table["path"][7]).write_bytes(b"another image")
    for link in (False, True):
        with pytest.raises(NeumoError, match=r"b/03.png: got other bytes than when it was read"):
            lay_out(split(table), tmp_path / "out", link=link)
        assert not (tmp_path / "out" / "split.csv").exists()
    Path(table["path"][7]).unlink()
    for link in (False, True):
        with pytest.raises(NeumoError, match=r"b/03.png: got "):
            lay_out(split(table), tmp_path / "out", link=link)
    Path(table["path"][7]).write_bytes(b"image 7")
    divided = split(table)
    assert laid_out(tmp_path / "out").items() <= expected(divided, lay_out(divided, tmp_path / "out")).items()


@pytest.mark.parametrize(
    "listed",
    ["{", "[]", '{"files": 3}', '{"files": {"train/normal/a.png": null}}', "\N{LATIN SMALL LETTER A}"],
)
def test_a_damaged_marker_is_told(listed: str, table: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / SPLIT_MARK).write_text(listed)
    with pytest.raises(NeumoError, match=r"\.neumo-split\.json: got a damaged list"):
        lay_out(split(table), tmp_path / "out")


def test_a_marker_cannot_point_out_of_the_folder(table: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "out"
    divided = split(table)
    lay_out(divided, out)
    victim = Path(table["path"][0])
    text = (out / SPLIT_MARK).read_text()
    for name in (victim.as_posix(), f"../{victim.relative_to(tmp_path).as_posix()}"):
        entry = f'"files": {{"{name}": ["{table["sha256"][0]}"],'
        (out / SPLIT_MARK).write_text(text.replace('"files": {', entry))
        lay_out(divided, out)
        assert victim.is_file()


def test_a_file_in_place_of_the_folder_is_told(table: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(NeumoError, match="out: got a file, expected a new or empty folder"):
        lay_out(split(table), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "x"


def test_hard_links_where_there_are_no_symbolic_ones(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    divided = split(table)
    for _ in range(2):
        for file, path in zip(lay_out(divided, tmp_path / "out", link=True), table["path"], strict=True):
            assert file.samefile(path)
    assert not (tmp_path / "out" / ".incoming-neumo-split").exists()
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(NeumoError, match=r"got no links from this file system .* lay out copies instead"):
        lay_out(divided, tmp_path / "other", link=True)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("link", [False, True])
def test_stopped_anywhere_the_next_run_goes_on(
    link: bool, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every rename, removal and folder is once the last thing that is done."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    first, second = split(table, seed=0)[:6], split(table, seed=1)[:6]
    whole = {}
    for divided in (first, second):
        images = expected(divided, lay_out(divided, tmp_path / "whole"))
        whole[(tmp_path / "whole" / "split.csv").read_bytes()] = images
    ends = set()
    stop = 0
    finished = False
    while not finished:
        out = tmp_path / f"out{stop}"
        lay_out(first, out)
        (out / "own.txt").write_text("my own")
        done = 0

        def dies(original, out=out, stop=stop):  # type: ignore[no-untyped-def]
            def call(*args, **kwargs):  # type: ignore[no-untyped-def]
                nonlocal done
                if str(out) not in str(args[0]):
                    return original(*args, **kwargs)
                if done == stop:
                    raise Killed
                done += 1
                return original(*args, **kwargs)

            return call

        with monkeypatch.context() as patch:
            for name in ("replace", "unlink", "mkdir", "rmdir"):
                patch.setattr(Path, name, dies(getattr(Path, name)))
            try:
                lay_out(second, out, link=link)
                finished = True
            except Killed:
                if not (out / ".incoming-neumo-split").is_symlink():
                    (out / ".incoming-neumo-split").write_bytes(b"half of an ima")
        if (out / "split.csv").exists():  # then all is as it says
            now = (out / "split.csv").read_bytes()
            assert laid_out(out) == whole[now]
            ends.add(now)
        divided = second if stop % 2 else first
        files = lay_out(divided, out, link=link)
        assert laid_out(out) == expected(divided, files)
        assert sorted(tree(out).keys() - laid_out(out).keys()) == sorted([SPLIT_MARK, "own.txt", "split.csv"])
        stop += 1
    assert stop > 20
    assert len(ends) == 2


def test_killed_by_the_system_the_next_run_goes_on(table: pd.DataFrame, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for i in range(300):
        (big / f"{i}.png").write_bytes(rng.bytes(20_000))
        rows.append((str(big / f"{i}.png"), i % 2, sha256_of(big / f"{i}.png")))
    found = pd.DataFrame(rows, columns=["path", "label", "sha256"]).assign(
        patient=None, cause="", official=None
    )
    divided = split(found)
    divided.to_pickle(tmp_path / "split.pickle")
    code = (
        "import pandas, sys; from neumo.data.layout import lay_out; "
        "lay_out(pandas.read_pickle(sys.argv[1]), sys.argv[2])"
    )
    out = tmp_path / "out"
    kills = 0
    for wanted in (1, 120):
        run = subprocess.Popen([sys.executable, "-c", code, tmp_path / "split.pickle", out])
        while run.poll() is None and len(laid_out_names(out)) < wanted:
            time.sleep(0.001)
        run.kill()
        kills += run.wait() != 0
    assert kills
    files = lay_out(divided, out)
    assert laid_out(out) == expected(divided, files)
    assert {p.name for p in out.iterdir()} == {"train", "validation", "test", "split.csv", SPLIT_MARK}


def laid_out_names(out: Path) -> list[str]:
    """Names of the files two folders down, without reading them."""
    return [name for base, _, files in os.walk(out) if Path(base).parent.parent == out for name in files]


def test_further_files_stand_beside_the_parts(table: pd.DataFrame, tmp_path: Path) -> None:
    note = tmp_path / "SYNTHETIC.txt"
    note.write_text("drawn, not taken")
    lay_out(split(table), tmp_path / "out", beside=[note])
    assert (tmp_path / "out" / "SYNTHETIC.txt").read_text() == "drawn, not taken"
    lay_out(split(table), tmp_path / "out")
    assert not (tmp_path / "out" / "SYNTHETIC.txt").exists()


def test_scikit_learn_reads_the_folders(table: pd.DataFrame, tmp_path: Path) -> None:
    divided = split(table)
    lay_out(divided, tmp_path / "out", link=True)
    for part in ("train", "validation", "test"):
        loaded = load_files(tmp_path / "out" / part)
        rows = divided[divided["part"] == part]
        assert loaded["target_names"] == ["normal", "pneumonia"]
        assert sorted(zip(loaded["data"], loaded["target"], strict=True)) == sorted(
            (Path(path).read_bytes(), label) for path, label in zip(rows["path"], rows["label"], strict=True)
        )
