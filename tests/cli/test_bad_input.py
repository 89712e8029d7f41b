"""Bad input through the command line: one clear line, exit code 2, nothing lost."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MultiFrameGrayscaleByteSecondaryCaptureImageStorage

from neumo.phantom.dataset import make_phantoms
from tests.cli.here import neumo_here
from tests.permissions import obey_permissions

SMALL = ("--backbone", "MobileNetV2-0.35", "--weights", "none", "--epochs", "2")


def neumo(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "neumo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)  # type: ignore[call-overload]


def assert_told(run: subprocess.CompletedProcess[str], *words: object) -> None:
    """One line on standard error, with every one of `words` in it, and exit code 2."""
    lines = run.stderr.strip().splitlines()
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    assert len(lines) == 1, run.stderr
    assert lines[0].startswith("neumo: ")
    for word in ("got", "expected", *words):
        assert str(word) in lines[0], (word, lines[0])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders, NORMAL and PNEUMONIA, of synthetic radiographs."""
    phantoms = make_phantoms(tmp_path_factory.mktemp("drawn") / "set", patients=16, size=64)
    folders = tmp_path_factory.mktemp("classes")
    for path in phantoms.rglob("*.jpeg"):
        kind = "PNEUMONIA" if "person" in path.name else "NORMAL"
        (folders / kind).mkdir(exist_ok=True)
        shutil.copy(path, folders / kind / path.name)
    return folders


@pytest.fixture
def data(drawn: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(drawn, tmp_path / "data"))


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-600])


def _text(file: Path) -> None:
    file.write_text("not a picture at all")


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _three_dimensional(file: Path) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    volume = FileDataset(str(file), {}, file_meta=meta, preamble=b"\0" * 128)
    volume.SOPClassUID, volume.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    volume.Rows = volume.Columns = 32
    volume.NumberOfFrames = 4
    volume.SamplesPerPixel = 1
    volume.PhotometricInterpretation = "MONOCHROME2"
    volume.BitsAllocated = volume.BitsStored = 8
    volume.HighBit = 7
    volume.PixelRepresentation = 0
    volume.PixelData = bytes(range(256)) * 16
    volume.save_as(file, enforce_file_format=True)


def _nan(file: Path) -> None:
    pixels = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    pixels[3, 4] = np.nan
    Image.fromarray(pixels).save(file, format="TIFF")


BAD_IMAGES = [_truncated, _text, _empty, _three_dimensional, _nan]


@pytest.mark.parametrize("spoil", BAD_IMAGES)
def test_study_names_an_image_that_it_cannot_read(
    spoil: Callable[[Path], None], data: Path, tmp_path: Path
) -> None:
    bad = sorted((data / "NORMAL").iterdir())[2]
    spoil(bad)
    run = neumo_here("study", data, *SMALL, "--out", tmp_path / "out")
    assert_told(run, bad.name)


@pytest.mark.parametrize("spoil", BAD_IMAGES)
def test_audit_reports_an_unreadable_image(spoil: Callable[[Path], None], data: Path) -> None:
    bad = sorted((data / "NORMAL").iterdir())[2]
    spoil(bad)
    run = neumo_here("audit", data, "--json")
    assert run.returncode == 0, run.stderr
    assert bad.name in run.stdout


def test_skip_unreadable_leaves_it_out(data: Path, tmp_path: Path) -> None:
    bad = sorted((data / "NORMAL").iterdir())[2]
    _truncated(bad)
    run = neumo_here("study", data, *SMALL, "--out", tmp_path / "out", "--skip-unreadable")
    assert run.returncode == 0, run.stderr
    left = tmp_path / "out" / "splits" / "random-seed0.csv"
    assert bad.name not in left.read_text()
    given = tmp_path / "given.csv"  # a split of all images, by somebody else
    drawn = pd.read_csv(left)
    with_bad = drawn.head(1).assign(path=f"NORMAL/{bad.name}", sha256="0" * 64)
    pd.concat([drawn, with_bad]).to_csv(given, index=False)
    run = neumo_here(
        "study", data, *SMALL, "--out", tmp_path / "again", "--skip-unreadable", "--split", given
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "again" / "splits" / "random-seed0.csv").read_text() == left.read_text()


def run_verb(verb: str, data: Path, tmp_path: Path, **options: object) -> subprocess.CompletedProcess[str]:
    out = () if verb == "audit" else ("--out", tmp_path / "out")
    arguments = (verb, data, *(SMALL if verb == "study" else ()), *out)
    return neumo(*arguments, **options) if options else neumo_here(*arguments)


@pytest.mark.parametrize("verb", ["audit", "split", "study"])
class TestEveryVerb:
    def test_empty_folder(self, verb: str, tmp_path: Path) -> None:
        (tmp_path / "nothing").mkdir()
        assert_told(run_verb(verb, tmp_path / "nothing", tmp_path), "nothing")

    def test_nowhere(self, verb: str, tmp_path: Path) -> None:
        assert_told(run_verb(verb, tmp_path / "nowhere", tmp_path), "nowhere")

    def test_text_named_csv(self, verb: str, tmp_path: Path) -> None:
        (tmp_path / "table.csv").write_bytes(os.urandom(500))
        assert_told(run_verb(verb, tmp_path / "table.csv", tmp_path), "table.csv")

    def test_no_read_permission(self, verb: str, data: Path, tmp_path: Path) -> None:
        hidden = data / "NORMAL"
        hidden.chmod(0)
        try:
            run = run_verb(verb, data, tmp_path, preexec_fn=obey_permissions)
        finally:
            hidden.chmod(0o755)
        assert_told(run, "NORMAL")


@pytest.mark.parametrize("verb", ["split", "study"])
class TestVerbsThatNeedLabels:
    def test_csv_without_the_image(self, verb: str, data: Path, tmp_path: Path) -> None:
        table = self.table(data)
        table.loc[5, "path"] = str(data / "NORMAL" / "gone.jpeg")
        table.to_csv(tmp_path / "table.csv", index=False)
        assert_told(run_verb(verb, tmp_path / "table.csv", tmp_path), "gone.jpeg", "table.csv")

    def test_nan_label(self, verb: str, data: Path, tmp_path: Path) -> None:
        table = self.table(data)
        table.loc[5, "label"] = None
        table.to_csv(tmp_path / "table.csv", index=False)
        assert_told(run_verb(verb, tmp_path / "table.csv", tmp_path), "table.csv")

    def test_one_class_only(self, verb: str, data: Path, tmp_path: Path) -> None:
        shutil.rmtree(data / "NORMAL")
        assert_told(run_verb(verb, data, tmp_path), "class")

    @staticmethod
    def table(data: Path) -> pd.DataFrame:
        paths = sorted(data.rglob("*.jpeg"))
        return pd.DataFrame({"path": map(str, paths), "label": [p.parent.name.lower() for p in paths]})


def test_full_disk_loses_nothing_that_was_computed(data: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "NEUMO_CACHE": str(tmp_path / "cache")}
    study = ("study", data, *SMALL, "--out", tmp_path / "out")
    full = neumo(*study, env=environment, preexec_fn=_small_files)
    assert_told(full)
    kept = neumo("cache", "--json", env=environment)
    again = neumo(*study, env=environment)
    assert again.returncode == 0, again.stderr
    assert '"entries": 0' not in kept.stdout


def _small_files() -> None:
    """Let no file grow past 300 kB, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))


@pytest.mark.parametrize("verb", ["study", "train"])
def test_ages_that_are_none(verb: str, drawn: Path) -> None:
    assert_told(neumo_here(verb, drawn, "--ages", 5, 1), "5 to 1")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("study", "--out", "{full}"), "{full}: got a folder with other files"),
        (("train", "--out", "{full}"), "{full}: got a folder with other files"),
        (("train", "--out", "{new}", "--protocol", "sideways"), "protocol: got 'sideways'"),
        (("study", "--out", "{new}", "--split", "{full}/other.csv"), "{full}/other.csv: got a split"),
    ],
)
def test_a_wrong_option_is_told_before_the_images_are_decoded(
    arguments: tuple[str, ...], told: str, data: Path, tmp_path: Path
) -> None:
    """Else what would be told is the image that cannot be."""
    _truncated(sorted((data / "NORMAL").iterdir())[2])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other.csv").write_text("path,sha256,label,part\nother.jpeg,0,0,test\n")
    verb, *options = (one.format(full=tmp_path / "full", new=tmp_path / "new") for one in arguments)
    run = neumo_here(verb, data, "--backbone", "MobileNetV2-0.35", "--weights", "none", *options)
    assert_told(run, told.format(full=tmp_path / "full"))
