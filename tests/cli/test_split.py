"""`neumo split`, as a user runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.cli.here import neumo_here


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Class folders of 30 + 50 small images of 16 + 25 patients; 12 of 80 are the data set's own test set."""
    rng = np.random.default_rng(0)
    for i in range(80):
        label, part = ("NORMAL" if i < 30 else "PNEUMONIA"), ("test" if i % 7 == 0 else "train")
        name = f"IM-{i // 2:04d}-{i:04d}.jpeg" if i < 30 else f"person{i // 2}_virus_{i}.jpeg"
        path = tmp_path / "data" / part / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (64, 64), np.uint8)).save(path)
    return tmp_path / "data"


def neumo(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Run the command line; standard output and standard error."""
    done = neumo_here(*arguments)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def told(*arguments: object) -> str:
    """The one line that a command with bad input ends with."""
    out, err = neumo("split", *arguments, code=2)
    assert out == ""
    assert err.startswith("neumo: ")
    assert err.count("\n") == 1
    return err


def images(folder: Path) -> int:
    """How many images there are in and below a folder."""
    return len(list(folder.rglob("*.jpeg")))


def test_counts_and_folders(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said, _ = neumo("split", data, "--out", out)
    assert re.search(r"train\W+24\W+40\W+64\W", said)
    assert re.search(r"test\W+6\W+10\W+16\W", said)
    assert "All images are mixed" in said
    assert re.search(r"\d+ patients of the test part have other images in training", said)
    assert [images(out / part / c) for part in ("train", "test") for c in ("normal", "pneumonia")] == [
        24,
        40,
        6,
        10,
    ]
    assert len(pd.read_csv(out / "split.csv")) == 80
    assert images(data) == 80


@pytest.mark.parametrize("protocol", ["random", "official", "patient"])
def test_json(protocol: str, data: Path, tmp_path: Path) -> None:
    options = ["--protocol", protocol, "--validation-fraction", 0.25, "--seed", 4, "--link", "--json"]
    said, _ = neumo("split", data, "--out", tmp_path / "out", *options)
    document = json.loads(said)
    assert document["protocol"] == protocol
    assert document["seed"] == 4
    for part, counts in document["parts"].items():
        for name, n in counts.items():
            files = list((tmp_path / "out" / part / name).iterdir())
            assert len(files) == n > 0
            assert all(f.is_symlink() for f in files)
    assert list(document["parts"]) == ["train", "validation", "test"]
    assert (document["patients_on_both_sides"] == 0) == (protocol == "patient")
    if protocol == "official":
        assert sum(document["parts"]["test"].values()) == images(data / "test")


def test_near_identical_images_stay_together_in_patient(data: Path, tmp_path: Path) -> None:
    """The same radiograph, saved again, under the names of many patients."""
    smooth = Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8), np.uint8)).resize((64, 64))
    for quality, i in enumerate(range(900, 906), start=80):
        smooth.save(data / "train" / "NORMAL" / f"IM-{i:04d}-0001.jpeg", quality=quality)
    neumo(
        "split",
        data,
        "--out",
        tmp_path / "out",
        "--protocol",
        "patient",
        "--test-fraction",
        0.4,
    )
    split = pd.read_csv(tmp_path / "out" / "split.csv")
    assert split["part"][split["path"].str.contains("IM-090")].nunique() == 1


def test_copies_between_the_official_parts_are_told(data: Path, tmp_path: Path) -> None:
    options = ["--protocol", "official", "--out", tmp_path / "out"]
    assert "cop" not in neumo("split", data, *options)[0]
    images = sorted((data / "test" / "NORMAL").iterdir())
    said = "in training: its figures flatter a classifier. neumo audit names the files.\n"
    (data / "train" / "NORMAL" / "same.jpeg").write_bytes(images[0].read_bytes())
    assert f"\n1 radiograph of the test part has a copy {said}" in neumo("split", data, *options)[0]
    with Image.open(images[1]) as image:
        image.save(data / "train" / "NORMAL" / "again.jpeg", quality=90)
    assert f"\n2 radiographs of the test part have copies {said}" in neumo("split", data, *options)[0]
    assert json.loads(neumo("split", data, *options, "--json")[0])["copies_on_both_sides"] == 2


def test_a_saved_split_can_be_given_back(data: Path, tmp_path: Path) -> None:
    neumo("split", data, "--out", tmp_path / "one", "--seed", 3)
    saved = tmp_path / "one" / "split.csv"
    said, _ = neumo("split", data, "--out", tmp_path / "two", "--split", saved, "--json")
    assert json.loads(said)["protocol"] is None
    assert (tmp_path / "two" / "split.csv").read_bytes() == saved.read_bytes()
    assert images(tmp_path / "two" / "test") == 16
    neumo("split", data, "--out", tmp_path / "one", "--split", saved)

    saved.write_text(saved.read_text().replace(saved.read_text().split("\n")[2], "NORMAL/x.jpeg,0,0,trian"))
    assert "got as part line 3: 'trian', expected train" in told(
        data, "--out", tmp_path / "three", "--split", saved
    )


def test_a_table_with_columns_of_its_own(data: Path, tmp_path: Path) -> None:
    files = sorted(data.rglob("*.jpeg"))
    rows = pd.DataFrame(
        {"scan": map(str, files), "finding": [f.parent.name.lower() for f in files], "who": range(80)}
    )
    rows.to_csv(tmp_path / "rows.csv", index=False)
    columns = ["--path-column", "scan", "--label-column", "finding", "--patient-column", "who"]
    options = ["--positive", "pneumonia", "--protocol", "patient", "--json"]
    said, _ = neumo("split", tmp_path / "rows.csv", *columns, *options, "--out", tmp_path / "out")
    assert json.loads(said)["parts"]["test"] == {"normal": 6, "pneumonia": 10}
    files[0].unlink()
    line = told(tmp_path / "rows.csv", *columns, "--out", tmp_path / "out")
    assert files[0].name in line
    said, _ = neumo(
        "split",
        tmp_path / "rows.csv",
        *columns,
        "--skip-missing",
        "--out",
        tmp_path / "out",
        "--json",
    )
    document = json.loads(said)
    assert sum(sum(counts.values()) for counts in document["parts"].values()) == 79
    assert len(document["missing"]) == 1


def test_folders_are_called_as_the_classes(data: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        (data / part / "PNEUMONIA").rename(data / part / "Tuberculosis")
    said, _ = neumo("split", data, "--out", tmp_path / "out")
    assert images(tmp_path / "out" / "train" / "tuberculosis") == 40
    assert re.search(r"normal\W+tuberculosis", said)
    assert "holds what" not in said
    said, _ = neumo("split", data, "--out", tmp_path / "out", "--json")
    assert json.loads(said)["parts"]["test"] == {"normal": 6, "tuberculosis": 10}
    (data / "train" / "COVID").mkdir()
    for file in list((data / "train" / "Tuberculosis").iterdir())[:20]:
        file.rename(data / "train" / "COVID" / file.name)
    said, _ = neumo("split", data, "--out", tmp_path / "out")
    assert "pneumonia/ holds what the data set calls covid or tuberculosis." in said
    assert images(tmp_path / "out" / "train" / "pneumonia") == 40
    assert not (tmp_path / "out" / "train" / "tuberculosis").exists()


def test_brackets_in_the_name_of_a_class_are_shown(data: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        (data / part / "PNEUMONIA").rename(data / part / "pneumonia [viral]")
    said, _ = neumo("split", data, "--out", tmp_path / "out")
    assert "pneumonia [viral]" in said


@pytest.mark.parametrize("unknown", ["*", "train", "test"])
def test_patients_that_are_not_known_are_told_as_such(unknown: str, data: Path, tmp_path: Path) -> None:
    for i, file in enumerate(sorted(data.glob(f"{unknown}/*/*.jpeg"))):
        file.rename(file.with_name(f"{i}.jpeg"))
    official = (data, "--out", tmp_path / "out", "--protocol", "official")
    said, _ = neumo("split", *official)
    assert "Patients are not known" in said
    assert "No known patient" not in said
    said, _ = neumo("split", *official, "--json")
    assert json.loads(said)["patients_on_both_sides"] is None


def test_synthetic_data_stays_marked(tmp_path: Path) -> None:
    neumo("phantom", tmp_path / "set", "--patients", 16, "--images", 32, "--size", 64)
    said, _ = neumo("split", tmp_path / "set", "--out", tmp_path / "out")
    assert "SYNTHETIC" in said
    assert (tmp_path / "out" / "SYNTHETIC.txt").read_bytes() == (
        tmp_path / "set" / "SYNTHETIC.txt"
    ).read_bytes()
    for folder in ("out", "out/train", "out/test", "out/split.csv"):
        found = json.loads(neumo("audit", tmp_path / folder, "--json")[0])
        assert (found["synthetic"], found["citation"][:22]) == (True, "Drawn by neumo phantom")


def test_bad_input_is_told_in_one_line(data: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    for arguments, line in [
        ((tmp_path / "absent", *out), "absent: got no such file or folder"),
        ((next(data.rglob("*.jpeg")), *out), "expected the CoronaHack archive"),
        ((data / "train" / "NORMAL", *out), "expected the CoronaHack archive"),
        (
            (data, *out, "--protocol", "hospital"),
            "protocol: got 'hospital', expected one of random, official",
        ),
        ((data, *out, "--test-fraction", "1.2"), "test fraction: got 1.2, expected a number between 0 and 1"),
        ((data, *out, "--validation-fraction", "1"), "validation fraction: got 1.0"),
        ((data, *out, "--seed", "-1"), "seed: got -1, expected one of the whole number"),
        (
            (data, *out, "--protocol", "official", "--test-fraction", "0.3"),
            "--test-fraction: got 0.3, expected none",
        ),
        (
            (data, *out, "--split", tmp_path / "absent.csv"),
            "absent.csv: got no such file, expected a saved split",
        ),
        ((data, *out, "--split", "a.csv", "--seed", "1"), "--split: got a saved split and how to draw one"),
        ((data, "--out", data), "data: got a folder with files that neumo did not make"),
        ((data, "--out", data / "more"), "more: got a folder inside the data set"),
    ]:
        assert line in told(*arguments)
        assert not (tmp_path / "out").exists()
    assert images(data) == 80


def test_what_a_data_set_does_not_allow_is_told(data: Path, tmp_path: Path) -> None:
    for i, file in enumerate(sorted(data.rglob("*.jpeg"))):
        target = tmp_path / "plain" / file.parent.name / f"{i}.jpeg"
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    for protocol, line in [
        ("official", "official protocol: expected a test set of the data set's own"),
        ("patient", "patient protocol: expected images whose patient is known"),
    ]:
        arguments = (tmp_path / "plain", "--out", tmp_path / "out", "--protocol", protocol)
        assert line in told(*arguments)
    for file in list((tmp_path / "plain" / "NORMAL").iterdir())[1:]:
        file.unlink()
    line = told(tmp_path / "plain", "--out", tmp_path / "out")
    assert "random protocol: got 1 normal images, expected enough to have some in each of train, test" in line
    assert line.endswith("; choose others with --test-fraction and --validation-fraction\n")


def test_the_real_data(coronahack: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said, _ = neumo("split", coronahack, "--out", out, "--link", "--json")
    assert json.loads(said)["parts"] == {
        "train": {"normal": 1261, "pneumonia": 3461},
        "test": {"normal": 315, "pneumonia": 866},
    }
    assert len(list((out / "train" / "normal").iterdir())) == 1261
    assert len(json.loads(said)["missing"]) == 7
