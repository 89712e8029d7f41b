from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance
from scipy.spatial.distance import pdist, squareform

from neumo.data.duplicates import _links, close_pairs, components, identical_groups, near_identical_groups
from neumo.data.table import sha256_of
from tests.data.pictures import draw


def table_of(*files: Path) -> pd.DataFrame:
    index = pd.Index(range(100, 100 + len(files)))  # rows of a part of a table keep their labels
    return pd.DataFrame(
        {"path": [str(f) for f in files], "sha256": [sha256_of(f) for f in files]}, index=index
    )


def grouped(groups: pd.Series) -> list[int | None]:
    return [None if pd.isna(group) else int(group) for group in groups]


@pytest.fixture
def radiograph(coronahack: Path) -> Path:
    return next(coronahack.rglob("IM-0115-0001.jpeg"))


@pytest.fixture
def another(coronahack: Path) -> Path:
    return next(coronahack.rglob("IM-0117-0001.jpeg"))


def test_identical_groups(tmp_path: Path) -> None:
    a, b = draw(tmp_path / "a.png", 1), draw(tmp_path / "b.png", 2)
    table = table_of(a, b, Path(shutil.copy(a, tmp_path / "c.png")))
    groups = identical_groups(table)
    assert groups.index.equals(table.index)
    assert grouped(groups) == [0, None, 0]


class TestNearIdentical:
    def test_a_changed_copy_is_found_other_patients_are_not(
        self, radiograph: Path, another: Path, tmp_path: Path
    ) -> None:
        image = Image.open(radiograph)
        image.save(tmp_path / "again.jpeg", quality=60)
        image.resize((900, 700)).save(tmp_path / "large.png")
        ImageEnhance.Brightness(image).enhance(1.1).convert("L").save(tmp_path / "bright.png")
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.png")
        names = ("again.jpeg", "large.png", "bright.png", "mirrored.png")
        table = table_of(another, radiograph, *(tmp_path / name for name in names))
        groups = near_identical_groups(table)
        assert groups.index.equals(table.index)
        assert grouped(groups) == [None, 0, 0, 0, 0, None]

    def test_blank_and_broken_images_are_only_with_their_own_bytes(self, tmp_path: Path) -> None:
        for name, grey in (("black.png", 0), ("white.png", 255)):
            Image.new("L", (224, 224), grey).save(tmp_path / name)
        (tmp_path / "broken.png").write_text("no image")
        (tmp_path / "broken too.png").write_text("no image either")
        shutil.copy(tmp_path / "black.png", tmp_path / "black again.png")
        files = sorted(tmp_path.iterdir())
        assert [f.name for f in files][:2] == ["black again.png", "black.png"]
        assert grouped(near_identical_groups(table_of(*files))) == [0, 0, None, None, None]

    def test_24_bits_of_256_are_near_and_what_was_seen_is_not_read_again(self) -> None:
        """In a chain of 24 bits each; the blank ones are with no others, whatever numbers these have."""
        bits = np.zeros((6, 256), bool)
        bits[2, :24] = bits[3, :48] = True
        bits[4, 100:125] = True  # 25 bits from the first
        seen = pd.DataFrame(
            {
                "phash": [row.tobytes() for row in np.packbits(bits, axis=1)],
                "problems": [(), ("blank",), (), (), (), ("blank",)],
            },
            index=range(100, 106),
        )
        sha256 = [f"{i:064}" for i in range(6)]
        table = pd.DataFrame({"path": "absent.png", "sha256": sha256}, index=seen.index)
        assert grouped(near_identical_groups(table, seen)) == [0, None, 0, 0, None, None]

    def test_no_image_at_all(self) -> None:
        assert near_identical_groups(table_of()).empty


@pytest.mark.parametrize("n", [0, 1, 40, 700])
def test_close_pairs_are_those_of_all_distances(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against SciPy's Hamming distances, over several blocks of rows and columns."""
    monkeypatch.setattr("neumo.data.duplicates._COLUMNS", 128)
    rng = np.random.default_rng(0)
    bits = rng.random((n, 256)) < 0.5
    bits[n // 2 :] = bits[: n - n // 2] ^ (rng.random((n - n // 2, 256)) < 0.09)  # some 23 bits from another
    if n:
        bits[-1] = ~bits[0]  # all 256 bits apart: must not count as none
    hashes = np.packbits(bits, axis=1).view(np.uint64).reshape(-1, 4)
    apart = squareform(pdist(bits, "hamming")) * 256 if n > 1 else np.zeros((n, n))
    expected = np.argwhere(np.triu(apart.round() <= 24, k=1))
    pairs = close_pairs(hashes, 24)
    assert n < 40 or 0 < len(expected) < n / 2
    assert sorted(map(tuple, pairs)) == sorted(map(tuple, expected))


@pytest.mark.parametrize("bits_apart", [0.02, 0.2])
def test_links_make_the_groups_of_all_pairs_and_are_few(
    bits_apart: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 600 images of one patient all pairs are close: they are never held together."""
    monkeypatch.setattr("neumo.data.duplicates._COLUMNS", 128)
    rng = np.random.default_rng(1)
    bits = (rng.random((3, 256)) < 0.5)[rng.integers(3, size=600)] ^ (rng.random((600, 256)) < bits_apart)
    hashes = np.packbits(bits, axis=1).view(np.uint64).reshape(-1, 4)
    pairs, links = close_pairs(hashes, 24), _links(hashes, 24)
    assert len(links) <= min(len(pairs), 2 * 600)
    assert bits_apart > 0.1 or len(pairs) > 50_000
    np.testing.assert_array_equal(components(links, 600), components(pairs, 600))


def test_components_follow_chains() -> None:
    numbers = components(np.array([[0, 3], [3, 4]]), 6)
    assert numbers[0] == numbers[3] == numbers[4]
    assert len(set(numbers)) == 4
