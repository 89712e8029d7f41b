from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from neumo.data.sources import read
from neumo.data.table import images_in, is_image, new_table, sha256_of, subfolders
from neumo.errors import NeumoError
from tests.data.pictures import draw


def test_sha256_of_a_known_text(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_new_table_keeps_types_without_rows() -> None:
    empty = pd.DataFrame({name: [] for name in ("path", "label", "cause", "patient", "official")})
    assert list(new_table(empty).dtypes.astype(str)) == ["str", "int8", "str", "str", "str", "str"]


def test_images_in_passes_over_what_is_hidden(tmp_path: Path) -> None:
    kept = [draw(tmp_path / "a" / "b.PNG"), draw(tmp_path / "z.png")]
    draw(tmp_path / ".hidden" / "c.png")
    draw(tmp_path / "__MACOSX" / "d.png")
    draw(tmp_path / "e.png").rename(tmp_path / "._e.png")
    (tmp_path / "notes.txt").write_text("words")
    assert images_in(tmp_path) == kept
    assert images_in(tmp_path, deep=False) == kept[1:]
    assert subfolders(tmp_path) == [tmp_path / "a"]


def test_is_image_asks_the_content_of_unknown_suffixes(dicom_folder: Path, tmp_path: Path) -> None:
    content = next(dicom_folder.iterdir()).read_bytes()
    (tmp_path / "IM0001").write_bytes(content[:4096])
    (tmp_path / "1.2.840.1").write_bytes(content[:4096])
    (tmp_path / "LICENSE").write_text("words " * 100)
    assert is_image(tmp_path / "IM0001")
    assert is_image(tmp_path / "1.2.840.1")
    assert not is_image(tmp_path / "LICENSE")


def test_images_are_chosen_by_name(tmp_path: Path) -> None:
    for name in ("person1_virus_1", "other"):
        draw(tmp_path / "sick" / f"{name}.png")
    draw(tmp_path / "normal" / "IM-1.png")
    dataset = read(tmp_path, positive=["sick"])
    assert [Path(p).stem for p in dataset.named("^(person|IM)").table["path"]] == ["IM-1", "person1_virus_1"]
    with pytest.raises(NeumoError, match="no file name matches"):
        dataset.named("^x")
    with pytest.raises(NeumoError, match="expected a regular expression"):
        dataset.named("(")
