"""PneumoniaMNIST's archive becomes the table that folders of its images would be."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neumo.data.published.medmnist import unpack
from neumo.data.sources import read
from neumo.errors import NeumoError
from tests.cli.here import neumo_here
from tests.data.found import found_at

PARTS = {"train": 12, "val": 4, "test": 6}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEUMO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    made = {}
    for part, n in PARTS.items():
        made[f"{part}_images"] = rng.integers(0, 256, (n, 28, 28), np.uint8)
        made[f"{part}_labels"] = (np.arange(n) % 3 > 0).astype(np.uint8)[:, None]
    return made


@pytest.fixture
def archive(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez_compressed(tmp_path / "pneumoniamnist.npz", **arrays)  # type: ignore[arg-type]
    return tmp_path / "pneumoniamnist.npz"


def test_every_image_is_there_as_it_was(archive: Path, arrays: dict[str, np.ndarray]) -> None:
    data = read(archive)
    assert (data.name, len(data.table), data.ages) == ("pneumoniamnist", sum(PARTS.values()), (1, 5))
    assert "Kermany" in data.citation
    assert data.table["patient"].isna().all()
    seen = 0
    for part in PARTS:
        for number, (image, label) in enumerate(
            zip(arrays[f"{part}_images"], arrays[f"{part}_labels"][:, 0], strict=True)
        ):
            (row,) = data.table[data.table["path"].str.endswith(f"{part}-{number:05d}.png")].to_dict(
                "records"
            )
            np.testing.assert_array_equal(np.asarray(Image.open(row["path"])), image)
            assert row["label"] == label
            assert row["official"] == ("test" if part == "test" else "train")
            seen += 1
    assert seen == len(data.table)


def test_it_is_unpacked_once_and_again_after_a_kill(archive: Path, cache: Path) -> None:
    images = [Path(path) for path in found_at(archive)]
    assert len(images) == sum(PARTS.values())
    first = images[0].stat().st_mtime_ns
    assert [Path(path) for path in found_at(archive)] == images
    assert images[0].stat().st_mtime_ns == first
    whole = images[0].read_bytes()
    images[0].write_bytes(whole[:20])
    (unpack(archive) / ".whole").unlink()
    found_at(archive)
    assert images[0].read_bytes() == whole
    kept = json.loads(neumo_here("cache", "--json", "--clear").stdout)
    assert kept["bytes"]["medmnist"] == 0
    assert not images[0].exists()
    assert len(found_at(archive)) == len(images)
    assert images[0].read_bytes() == whole


def test_a_class_that_is_asked_for_is_the_positive_one(archive: Path) -> None:
    own, turned = (read(archive, positive=name) for name in (None, "normal"))
    assert turned.table["label"].tolist() == [1 - label for label in own.table["label"]]
    assert (turned.negative_name, turned.positive_name) == ("pneumonia", "normal")
    with pytest.raises(NeumoError, match="got no class 'virus'"):
        read(archive, positive="virus")
    with pytest.raises(NeumoError, match=r"npz: got --label-column 'y' and no table that has it"):
        read(archive, label_column="y")


@pytest.mark.parametrize("written", [None, ""])
def test_lost_images_are_unpacked_again(written: str | None, archive: Path) -> None:
    images = sorted(map(Path, found_at(archive)))
    if written is not None:  # as another version of neumo left it
        (unpack(archive) / ".whole").write_text(written)
    for image in images[::2]:
        image.unlink()
    assert len(read(archive).table) == len(images)
    assert all(image.exists() for image in images)
    Image.new("L", (28, 28)).save(images[0].with_name("of nobody.png"))
    assert sorted(map(Path, found_at(archive))) == images


def test_it_is_no_classifier(archive: Path) -> None:
    said = neumo_here("predict", archive, "--json")
    assert (said.returncode, len(said.stdout.splitlines())) == (0, sum(PARTS.values())), said.stderr


@pytest.mark.parametrize("name", ["breastmnist.npz", "features.npz"])
def test_labels_that_nothing_explains(name: str, archive: Path) -> None:
    other = archive.rename(archive.with_name(name))
    with pytest.raises(
        NeumoError, match=rf"{name}: got arrays whose labels nothing explains, expected Pneum"
    ):
        read(other)


def changed(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    return {
        "train_labels": np.full((PARTS["train"], 1), 2),
        "val_labels": np.zeros((PARTS["val"], 14), np.uint8),
        "test_labels": np.zeros((1, 1), np.uint8),
        "train_images": arrays["train_images"].astype(np.float32),
        "val_images": np.stack([arrays["val_images"]] * 3, axis=-1),
        "test_images": np.array([None, "pickled"], object),
    }[name]


@pytest.mark.parametrize("name", [f"{part}_{what}" for part in PARTS for what in ("images", "labels")])
@pytest.mark.parametrize("lost", [True, False])
def test_other_arrays(name: str, lost: bool, archive: Path, arrays: dict[str, np.ndarray]) -> None:
    kept = {key: array for key, array in arrays.items() if key != name}
    there = kept if lost else {**kept, name: changed(arrays, name)}
    np.savez_compressed(archive, **there)  # type: ignore[arg-type]
    with pytest.raises(
        NeumoError, match=r"pneumoniamnist\.npz: got a damaged or other archive \(.+\), expec"
    ):
        read(archive)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_archive(share: float, archive: Path) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(NeumoError, match="got a damaged or other archive"):
        read(archive)


def test_damaged_bytes(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        at = file.getinfo("train_images.npy").header_offset + 3000
    whole = bytearray(archive.read_bytes())
    whole[at : at + 40] = bytes(40)
    archive.write_bytes(whole)
    with pytest.raises(NeumoError, match="got a damaged or other archive"):
        read(archive)


@pytest.mark.parametrize("dtype", [bool, np.float32, np.complex64, "U1", "M8[s]"])
def test_labels_that_are_no_integers(dtype: str | type, archive: Path, arrays: dict[str, np.ndarray]) -> None:
    labels = arrays["val_labels"].astype(dtype)
    np.savez_compressed(archive, **{**arrays, "val_labels": labels})  # type: ignore[arg-type]
    with pytest.raises(
        NeumoError, match=r"archive \(val_labels are .*, not a column of integers\), expected"
    ):
        read(archive)


@pytest.mark.parametrize("dtype", ["<i8", ">i4", "i1"])
def test_labels_of_other_integers(dtype: str, archive: Path, arrays: dict[str, np.ndarray]) -> None:
    wider = {name: a.astype(dtype) if "labels" in name else a for name, a in arrays.items()}
    np.savez_compressed(archive, **wider)  # type: ignore[arg-type]
    assert read(archive).table["label"].sum() == sum(
        array.sum() for array in wider.values() if array.ndim < 3
    )


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (100000000000000, 1), }", "not 0 to 10000000"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 1), }", "has -1 labels"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (9, 1), }", "ends within the labels"),
        ("{'descr': '|u1', 'shape': (", ""),
        ("{[]: 1}", ""),
    ],
)
def test_headers_that_promise_too_much(header: str, why: str, archive: Path) -> None:
    text = f"{header}\n".encode()
    array = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(5)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("train_labels.npy", array)
    with pytest.raises(NeumoError, match=rf"got a damaged or other archive \(.*{why}.*\), expected"):
        read(archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damage_to_other_compressions(method: int, archive: Path, arrays: dict[str, np.ndarray]) -> None:
    with zipfile.ZipFile(archive, "w", method) as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)
    whole = bytearray(archive.read_bytes())
    assert len(read(archive).table) == sum(PARTS.values())
    with zipfile.ZipFile(archive) as file:
        at = file.getinfo("train_images.npy").header_offset + 60
    whole[at : at + 2000] = bytes(range(200)) * 10
    archive.write_bytes(whole)
    with pytest.raises(NeumoError, match="got a damaged or other archive"):
        read(archive)


def test_an_encrypted_archive(archive: Path) -> None:
    whole = bytearray(archive.read_bytes())
    at = whole.index(b"PK\x01\x02")
    whole[6] |= 1
    while at >= 0:
        whole[at + 8] |= 1
        at = whole.find(b"PK\x01\x02", at + 4)
    archive.write_bytes(whole)
    with pytest.raises(NeumoError, match=r"got a damaged or other archive \(.*encrypted"):
        read(archive)
