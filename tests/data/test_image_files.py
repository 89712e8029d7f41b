"""Which image files a folder, a pattern, a table or standard input names."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from neumo.data.image_files import (
    find_each,
    images_in,
    is_image,
    name_of,
    subfolders,
)
from neumo.errors import NeumoError
from neumo.files import SPLIT_MARK
from tests.data.found import found_at
from tests.data.pictures import draw


def test_images_in_passes_over_what_is_hidden(tmp_path: Path) -> None:
    kept = [draw(tmp_path / "a" / "b.PNG"), draw(tmp_path / "z.png")]
    draw(tmp_path / ".hidden" / "c.png")
    draw(tmp_path / "__MACOSX" / "d.png")
    draw(tmp_path / "e.png").rename(tmp_path / "._e.png")
    (tmp_path / "notes.txt").write_text("words")
    assert images_in(tmp_path) == kept
    assert images_in(tmp_path, deep=False) == kept[1:]
    assert subfolders(tmp_path) == [tmp_path / "a"]


def test_images_that_neumo_wrote_below_are_passed_over(tmp_path: Path) -> None:
    from neumo.files import claim

    kept = [draw(tmp_path / "a" / "1.png"), draw(tmp_path / "b" / "2.png")]
    for run in (tmp_path / "run", tmp_path / "b" / "run"):
        draw(claim(run, "study") / "figures" / "roc.png")
    assert images_in(tmp_path) == kept
    assert subfolders(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert images_in(tmp_path / "run") == [tmp_path / "run" / "figures" / "roc.png"]
    (tmp_path / "b" / SPLIT_MARK).write_text("{}")  # a split holds radiographs, though it is no class
    assert images_in(tmp_path) == kept
    assert subfolders(tmp_path) == [tmp_path / "a"]


def test_is_image_asks_the_content_of_unknown_suffixes(dicom_folder: Path, tmp_path: Path) -> None:
    content = next(dicom_folder.iterdir()).read_bytes()
    (tmp_path / "IM0001").write_bytes(content[:4096])
    (tmp_path / "1.2.840.1").write_bytes(content[:4096])
    (tmp_path / "dicomdir").write_bytes(content[:4096])
    assert not is_image(tmp_path / "dicomdir")
    (tmp_path / "LICENSE").write_text("words " * 100)
    assert is_image(tmp_path / "IM0001")
    assert is_image(tmp_path / "1.2.840.1")
    assert not is_image(tmp_path / "LICENSE")


@pytest.mark.parametrize("name", ["PR0001", "report.dcm"])
@pytest.mark.parametrize(
    "sop_class",
    [
        "Grayscale Softcopy Presentation State Storage",
        "Key Object Selection Document Storage",
        "Basic Text SR Storage",
        "RT Structure Set Storage",
        "Encapsulated PDF Storage",
        "Media Storage Directory Storage",
    ],
)
def test_what_a_pacs_keeps_beside_images_is_none(
    sop_class: str, name: str, dicom_folder: Path, tmp_path: Path
) -> None:
    original = pydicom.dcmread(dicom_folder / "dx_1024_implicit_little_endian.dcm")
    original.save_as(tmp_path / name)
    assert is_image(tmp_path / name)
    number = next(uid for uid, about in pydicom.uid.UID_dictionary.items() if about[0] == sop_class)
    original.file_meta.MediaStorageSOPClassUID = pydicom.uid.UID(number)
    original.save_as(tmp_path / name)
    assert not is_image(tmp_path / name)
    assert find_each([tmp_path / name]) == [str(tmp_path / name)]  # to be refused by whoever reads it


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    kept = draw(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    code = "import sys; from neumo.data.image_files import *; print(*find_each([sys.argv[1]]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert found.split() == [str(kept)]


def test_a_link_to_a_folder_is_followed_once_and_never_upwards(tmp_path: Path) -> None:
    kept = [draw(tmp_path / "a" / "1.png"), draw(tmp_path / "b" / "2.png")]
    beyond = draw(tmp_path.parent / f"{tmp_path.name} beyond" / "3.png")
    (tmp_path / "a" / "all").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    assert images_in(tmp_path / "a") == kept[:1]
    assert images_in(tmp_path) == kept
    (tmp_path / "c").symlink_to(beyond.parent)
    (tmp_path / "d").symlink_to(beyond.parent)
    assert images_in(tmp_path) == [*kept, tmp_path / "c" / "3.png"]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Three images in two folders, a table of two of them, and a note."""
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        draw(tmp_path / name)
    (tmp_path / "table.csv").write_text("path\nb/3.png\na/1.png\n")
    (tmp_path / "a" / "notes.md").write_text("words")
    return tmp_path


def names(found: list[str], folder: Path) -> list[str]:
    return [Path(name).relative_to(folder).as_posix() for name in found]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("", ["a/1.png", "a/2.png", "b/3.png"]),
        ("a", ["a/1.png", "a/2.png"]),
        ("a/2.png", ["a/2.png"]),
        ("nowhere.png", ["nowhere.png"]),
        ("table.csv", ["b/3.png", "a/1.png"]),
        ("*/[13].png", ["a/1.png", "b/3.png"]),
        ("a/*", ["a/1.png", "a/2.png"]),
        ("?", ["a/1.png", "a/2.png", "b/3.png"]),
        ("**/*.png", ["a/1.png", "a/2.png", "b/3.png"]),
        ("**", ["a/1.png", "a/2.png", "b/3.png"]),
    ],
)
def test_the_images_at_a_place(scans: Path, place: str, expected: list[str]) -> None:
    assert names(found_at(scans / place), scans) == expected


def test_a_name_that_looks_like_a_pattern_is_a_name(tmp_path: Path) -> None:
    file = draw(tmp_path / "x[left].png")
    assert found_at(file) == [str(file)]


def test_standard_input_lists_images(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = io.TextIOWrapper(io.BytesIO("a b.png\n\nfolder/ü.png\r\nc.png".encode()))
    monkeypatch.setattr(sys, "stdin", listed)
    assert found_at("-") == ["a b.png", "folder/ü.png", "c.png"]
    with pytest.raises(NeumoError, match="got nothing on standard input"):
        found_at("-")


def test_a_list_that_an_editor_began_with_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("ü.png\nb.png\n".encode("utf-8-sig"))))
    assert found_at("-") == ["ü.png", "b.png"]


def test_no_image_at_a_place(scans: Path) -> None:
    with pytest.raises(NeumoError, match="got a pattern that no image matches"):
        found_at(scans / "a" / "*.md")
    (scans / "empty").mkdir()
    with pytest.raises(NeumoError, match="got a folder without images"):
        found_at(scans / "empty")


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    file = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    for place in (file, tmp_path):
        draw(tmp_path / "a.png").rename(file)
        with pytest.raises(NeumoError, match="not UTF-8"):
            found_at(place)


def test_each_of_several_places(scans: Path) -> None:
    odd = os.fsdecode(os.fsencode(scans) + b"/a/\xff.png")
    draw(scans / "a" / "1.png").rename(odd)
    draw(scans / "a" / "1.png")
    (scans / "gaps.csv").write_text("path,note\n,x\na/2.png,y\n")
    shown = f"{scans}/a/\\xff.png: got a file name that is not UTF-8, expected one; rename the file"
    gap = f"{scans}/gaps.csv: got no path in row 1 (column 'path'), expected one in every row"
    none = f"{scans}/*.dcm: got a pattern that no image matches, expected radiographs"
    one, two = (f"{scans}/a/{i}.png" for i in (1, 2))
    places: list[str | Path] = [scans / "a", scans / "*.dcm", scans / "gaps.csv", odd, scans / "**" / "a"]
    found = find_each(places)
    assert list(map(str, found)) == [one, two, shown, none, gap, two, shown, one, two, shown]
    names_of = [name_of(named) for named in found]
    assert names_of == [str(named).split(": got ")[0] for named in found]
    "\n".join(names_of).encode()
    assert list(map(str, find_each([scans / "gaps.csv"]))) == [gap, two]
    with pytest.raises(NeumoError, match="got a pattern that no image matches"):
        find_each([scans / "*.dcm"])


def test_looking_for_images_does_without_pandas(scans: Path) -> None:
    code = "import sys; from neumo.data.image_files import find_each; find_each([sys.argv[1]]); "
    subprocess.run([sys.executable, "-c", code + "sys.exit('pandas' in sys.modules)", scans], check=True)
