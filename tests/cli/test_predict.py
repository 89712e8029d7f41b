"""``neumo predict``: whatever names the radiographs, one row each, once, whatever stops it."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import neumo
from neumo.backend import keras
from neumo.classifier.assemble import new_classifier
from neumo.classifier.findings import NOTICE, Prediction
from neumo.cli import app
from neumo.data.image_files import find_each
from neumo.features.backbones import backbone
from neumo.features.graph import convert
from neumo.phantom.radiograph import draw_radiograph
from tests.permissions import obey_permissions

CARD = {
    "name": "test",
    "positive": "pneumonia",
    "negative": "normal",
    "scaling": {"mean": 120.0, "std": 60.0},
    "threshold": {"threshold": 0.5, "rule": "0.5, the default"},
    "data": {"name": "none", "synthetic": False},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier whose head was drawn at random."""
    base = backbone("MobileNetV2-0.35", "none").build()
    dense = keras.layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.RandomNormal(seed=1))
    file = tmp_path_factory.mktemp("model") / "model.neumo"
    new_classifier(CARD, convert(base), base, keras.Sequential([keras.Input((1280,)), dense])).save(file)
    return file


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six radiographs in two folders."""
    folder = tmp_path_factory.mktemp("scans")
    for i in range(6):
        pixels, _ = draw_radiograph("bacteria" if i % 2 else "", patient=i, size=256)
        (folder / f"ward {i % 2}").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"ward {i % 2}" / f"{i}.jpg")
    return folder


@pytest.fixture(scope="module")
def files(scans: Path) -> list[Path]:
    return sorted(scans.rglob("*.jpg"))


@pytest.fixture(scope="module")
def expected(model: Path, files: list[Path]) -> list[Prediction]:
    found = neumo.load(model).predict(files)
    assert np.ptp([one.probability for one in found]) > 1e-6  # else any would do for any other
    return found


def run(*arguments: object, code: int = 0, given: bytes | None = None) -> Result:
    done = CliRunner().invoke(app, ["predict", *map(str, arguments)], input=given)
    assert done.exit_code == code, done.output
    return done


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_way_to_name_radiographs(
    model: Path, scans: Path, files: list[Path], expected: list[Prediction], tmp_path: Path
) -> None:
    pd.DataFrame({"image": [str(file) for file in files]}).to_csv(tmp_path / "list.csv", index=False)
    pd.DataFrame({"scan": [str(file) for file in files]}).to_parquet(tmp_path / "list.parquet")
    ways: list[tuple[list[object], bytes | None]] = [
        ([*files], None),
        ([scans], None),
        ([scans / "ward 0", scans / "ward 1" / "[0-9].jpg"], None),
        ([scans / "**" / "*.jpg"], None),
        ([tmp_path / "list.csv"], None),
        ([tmp_path / "list.parquet", "--path-column", "scan"], None),
        (["-"], "\n".join(map(str, files)).encode()),
    ]
    for way, given in ways:
        found = rows(run(model, *way, "--json", given=given).stdout)
        assert [one["path"] for one in found] == [str(file) for file in files]
        for one, other in zip(found, expected, strict=True):
            assert one["probability"] == pytest.approx(other.probability, abs=1e-6)
            assert one["decision"] == other.decision
            assert one["threshold"] == 0.5
            assert one["warnings"] == list(other.warnings)
            assert one["distance"] == other.distance
            assert one["error"] is None
            assert one["notice"] == NOTICE


def test_a_row_of_a_lateral_view_is_warned_of(model: Path, files: list[Path], tmp_path: Path) -> None:
    table = tmp_path / "views.csv"
    table.write_text(f"path,view\n{files[0]},PA\n{files[1]},Lateral\n")
    told = [one["warnings"] for one in rows(run(model, table, "--json").stdout)]
    run(model, table, "--out", tmp_path / "out.jsonl")
    kept = [one["warnings"] for one in rows((tmp_path / "out.jsonl").read_text())]
    for found in (told, kept):
        assert ["lateral" in str(warnings) for warnings in found] == [False, True]


def test_a_line_each_even_of_a_file_whose_name_has_two(
    model: Path, files: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "two\nlines.jpg"
    bad.write_bytes(b"no image")
    (line,) = run(model, files[0], bad, code=1).stderr.splitlines()
    assert line.startswith(f"neumo: {tmp_path / 'two lines.jpg'}: got ")


def test_a_file_name_gives_the_terminal_no_orders(model: Path, files: list[Path], tmp_path: Path) -> None:
    good, bad = tmp_path / "\x1b[2Jgood\n.jpg", tmp_path / "\x1b]0;bad\a.jpg"
    good.write_bytes(files[0].read_bytes())
    bad.write_bytes(b"no image")
    done = run(model, good, bad, code=1)
    assert r"\x1b[2Jgood\n.jpg" in done.stdout
    assert r"\x1b]0;bad\x07.jpg: got " in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_one_bad_file_does_not_stop_the_rest(
    model: Path, files: list[Path], expected: list[Prediction], tmp_path: Path, suffix: str
) -> None:
    bad, out = tmp_path / "bad.jpg", tmp_path / f"out.{suffix}"
    bad.write_bytes(files[0].read_bytes()[:500])
    done = run(model, *files[:2], bad, *files[2:], tmp_path / "gone.dcm", "--out", out, code=1)
    assert [line.split(": got")[0] for line in done.stderr.splitlines()] == [
        f"neumo: {bad}",
        f"neumo: {tmp_path / 'gone.dcm'}",
    ]
    assert "2 could not be read" in done.stdout
    assert "(pneumonia from 0.5 on)" in done.stdout
    assert NOTICE in done.stdout
    if suffix == "jsonl":
        frame = pd.read_json(out, lines=True)
    else:
        frame = pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)
    assert list(frame["path"]) == [
        *map(str, files[:2]),
        str(bad),
        *map(str, files[2:]),
        str(tmp_path / "gone.dcm"),
    ]
    assert "truncated JPEG" in frame["error"][2]
    assert frame["error"][7] == "got no such file, expected " + frame["error"][7].split("expected ")[1]
    readable = frame[frame["error"].isna()]
    assert list(readable["probability"]) == pytest.approx([one.probability for one in expected], abs=1e-6)
    assert frame["probability"].isna().sum() == 2
    assert not list(tmp_path.glob("*.journal"))


def test_no_bad_place_stops_the_rest(
    model: Path, files: list[Path], expected: list[Prediction], tmp_path: Path
) -> None:
    mixed, shut, other = tmp_path / "mixed", tmp_path / "mixed" / "b shut", tmp_path / "other"
    for folder in (shut, other, tmp_path / "empty"):
        folder.mkdir(parents=True)
    (mixed / "a.jpg").symlink_to(files[0])
    (mixed / "z.jpg").symlink_to(files[1])
    (shut / "c.jpg").symlink_to(files[2])
    for name in (b"d\xe9.jpg", b"d\xe8.jpg"):
        Path(os.fsdecode(os.fsencode(mixed) + b"/" + name)).symlink_to(files[2])
    (other / "found.jpg").symlink_to(files[3])
    listed = tmp_path / "list.csv"  # the second row is searched for below, the last is in a shut folder
    listed.write_text(f"path,note\n{files[2]},x\nfound,y\n,empty\n  ,blank\n{shut / 'c.jpg'},z\n")
    (tmp_path / "no.csv").write_text("a,b\n1,2\n")
    places = [
        mixed,
        listed,
        tmp_path / "*.dcm",
        tmp_path / "empty",
        tmp_path / "no.csv",
        "gone.jpg",
        files[4],
    ]
    expected_rows: list[tuple[Any, Any]] = [
        (mixed / "a.jpg", 0),
        (shut, "got no permission"),
        (f"{mixed}/d\\xe8.jpg", "got a file name that is not UTF-8, expected one; rename the file"),
        (f"{mixed}/d\\xe9.jpg", "got a file name that is not UTF-8"),
        (mixed / "z.jpg", 1),
        (files[2], 2),
        (other / "found.jpg", 3),
        (listed, "got no path in row 3 (column 'path'), expected one in every row"),
        (listed, "got no path in row 4 (column 'path')"),
        (shut / "c.jpg", "got no permission"),
        (tmp_path / "*.dcm", "got a pattern that no image matches, expected radiographs"),
        (tmp_path / "empty", "got a folder without images"),
        (tmp_path / "no.csv", "got no column that is called like a path, expected one among"),
        ("gone.jpg", "got no such file"),
        (files[4], 4),
    ]
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "neumo", "predict", *map(str, (model, *places, "--out", out))]
    shut.chmod(0)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, preexec_fn=obey_permissions
        )
    finally:
        shut.chmod(0o755)
    assert done.returncode == 1, done.stderr
    found = rows(out.read_text())
    assert [one["path"] for one in found] == [str(path) for path, _ in expected_rows]
    for one, (path, what) in zip(found, expected_rows, strict=True):
        if isinstance(what, int):
            assert one["error"] is None
            assert one["probability"] == pytest.approx(expected[what].probability, abs=1e-6)
        else:
            assert str(one["error"]).startswith(str(what))
            assert one["probability"] is None
        assert one["notice"] == NOTICE, path
    told = [line for line in done.stderr.splitlines() if ": got" in line]
    assert told == [f"neumo: {one['path']}: {one['error']}" for one in found if one["error"]]


def test_a_pattern_tells_of_folders_that_it_cannot_look_into(
    model: Path, files: list[Path], tmp_path: Path
) -> None:
    for name in ("a/open", "a/shut", "b/shut"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "x.jpg").write_bytes(files[0].read_bytes())
    shut = [tmp_path / "a/shut", tmp_path / "b/shut"]
    for folder in shut:
        folder.chmod(0)
    patterns = [tmp_path / pattern for pattern in ("**/*.jpg", "a/*/x.jpg", "?/o*/*.jpg")]
    try:
        command = [sys.executable, "-m", "neumo", "predict", str(model), *map(str, patterns), "--json"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, preexec_fn=obey_permissions
        )
        assert done.returncode == 1, done.stderr
        told = [line for line in done.stderr.splitlines() if ": got" in line]
        said = "got no permission, expected a file or folder that this user may read"
        assert told == [f"neumo: {folder}: {said}" for folder in (*shut, shut[0])]
        assert done.stdout.count(str(tmp_path / "a/open/x.jpg")) == len(patterns)
    finally:
        for folder in shut:
            folder.chmod(0o755)


def test_a_run_with_bad_places_goes_on_where_it_was(model: Path, files: list[Path], tmp_path: Path) -> None:
    listed, out = tmp_path / "list.csv", tmp_path / "out.jsonl"
    listed.write_text(f"path,note\n,empty\n{files[0]},\n,empty\n{files[1]},\n")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")
    places: list[str | Path] = [listed, odd, tmp_path / "*.dcm", files[2]]
    run(model, *places, "--out", out, code=1)
    whole = rows(out.read_text())
    assert len(whole) == 7
    for done in range(8):
        kept = neumo.classifier.journal.journal(out, model, find_each(places))
        for one in whole[:done]:
            kept.add({**one, "notice": "kept"})
        kept.close()
        run(model, *places, "--out", out, code=1)
        again = rows(out.read_text())
        assert [one["notice"] == "kept" for one in again] == [True] * done + [False] * (7 - done)
        assert [{**one, "notice": NOTICE} for one in again] == whole


def test_a_place_that_is_alone_and_leads_nowhere(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "*.dcm", tmp_path / "empty"):
        done = run(model, place, "--out", tmp_path / "out.csv", code=2)
        assert "expected radiographs" in done.output + str(done.exception)
        assert not list(tmp_path.glob("out.csv*"))


def test_errors_come_after_the_table_in_one_file(model: Path, files: list[Path], tmp_path: Path) -> None:
    given = map(str, (model, tmp_path / "gone.png", files[0]))
    command = [sys.executable, "-m", "neumo", "predict", *given]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.stdout.splitlines()[-1].startswith(f"neumo: {tmp_path / 'gone.png'}: got")


def test_no_file_can_be_read(model: Path, tmp_path: Path) -> None:
    assert run(model, tmp_path / "gone.png", code=2).stdout == ""
    out = tmp_path / "out.csv"
    done = run(model, tmp_path / "gone.png", "--out", out, code=2)
    assert len(done.stderr.splitlines()) == 1
    assert [one["path"] for one in csv.DictReader(out.open())] == [str(tmp_path / "gone.png")]


def test_a_table_that_goes_elsewhere_is_whole(
    model: Path, files: list[Path], expected: list[Prediction]
) -> None:
    printed = run(model, *files * 20).stdout  # more than a terminal shows
    lines = [line.split(maxsplit=2) for line in printed.splitlines() if ".jpg" in line]
    assert [line[2].rstrip() for line in lines] == [str(file) for file in files] * 20
    assert [line[0] for line in lines[:6]] == [f"{one.probability:.4f}" for one in expected]
    assert printed.count("probability") == 1
    assert "120 radiographs" in printed
    assert NOTICE in printed


def in_a_terminal(*arguments: object) -> tuple[int, str]:
    """Exit code and what standard output and standard error show on a terminal."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "neumo", "predict", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200"}
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    shown = b""
    while True:
        try:
            shown += (piece := os.read(leader, 65536))
        except OSError:  # how Linux tells that nobody writes any more
            break
        if not piece:
            break
    os.close(leader)
    return process.wait(), shown.decode()


def test_a_terminal_shows_the_first_rows(model: Path, files: list[Path]) -> None:
    code, shown = in_a_terminal(model, *files * 20)
    assert code == 0
    assert sum(line.rstrip().endswith(".jpg") for line in shown.splitlines()) == 50
    assert "and 70 more: --out FILE.csv writes all" in shown
    assert "Predicting" in shown
    assert NOTICE in shown


def test_a_run_killed_goes_on_without_scoring_twice(model: Path, files: list[Path], tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for i in range(700):
        (many / f"{i:04}.jpg").symlink_to(files[i % 6])
    (many / "0007.jpg").unlink()
    (many / "0007.jpg").write_text("no picture")
    out, journal = tmp_path / "out.csv", tmp_path / "out.csv.journal"
    command = [sys.executable, "-m", "neumo", "predict", str(model), str(many), "--out", str(out)]
    for _ in range(2):  # killed twice
        lines = journal.read_bytes().count(b"\n") if journal.exists() else 0
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        while not journal.exists() or journal.read_bytes().count(b"\n") < lines + 30:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not out.exists()
    whole = journal.read_bytes()
    done = whole.count(b"\n") - 1
    assert 60 <= done < 700
    kept = [json.loads(line) for line in whole.splitlines()[1 : done + 1]]
    for one in kept:  # a mark: a row scored again would have lost it
        one["decision"] = "kept"
    head = whole.splitlines(keepends=True)[0]
    journal.write_bytes(head + b"".join(json.dumps(one).encode() + b"\n" for one in kept) + b'{"path": "')

    last = subprocess.run(command, capture_output=True, text=True, check=False)
    assert last.returncode == 1
    assert f"goes on after {done:,} of 700" in last.stderr
    assert "0007.jpg: got a file that is no picture" in last.stderr
    found = list(csv.DictReader(out.open(newline="")))
    assert [one["path"] for one in found] == [str(many / f"{i:04}.jpg") for i in range(700)]
    assert [one["decision"] == "kept" for one in found] == [True] * done + [False] * (700 - done)
    by_file = neumo.load(model).predict(files)
    for i, one in enumerate(found):
        if i != 7:
            assert float(one["probability"]) == pytest.approx(by_file[i % 6].probability, abs=1e-6)
    assert not journal.exists()


def test_another_classifier_or_list_is_not_gone_on_with(
    model: Path, files: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    head = {"neumo": neumo.__version__, "set of image decoders": neumo.images.read.pixels_id()}
    same = {**head, "classifier": neumo.data.table.sha256_of(model)}
    journals: dict[str, list[dict[str, Any]]] = {
        "classifier": [{**head, "classifier": "another"}],
        "list of radiographs": [same, {"path": "elsewhere.png", "again": 0, "stamp": None}],
    }
    for what, lines in journals.items():
        (tmp_path / "out.csv.journal").write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = run(model, *files, "--out", out, code=2)
        assert f"got a stopped run of another {what}" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not out.exists()


def test_what_is_predicted_is_not_written_over(model: Path, files: list[Path], tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(f"path\n{files[0]}\n")
    assert "expected another file" in run(model, listed, "--out", listed, code=2).stderr
    assert "expected one" in run(model, files[0], "--json", "--out", tmp_path / "a.csv", code=2).stderr
    assert "expected .csv or .jsonl" in run(model, files[0], "--out", tmp_path / "a.xls", code=2).stderr
    assert listed.read_text() == f"path\n{files[0]}\n"


def test_predicting_does_without_pandas_keras_and_pytorch(
    model: Path, files: list[Path], tmp_path: Path
) -> None:
    code = (
        "import sys; from neumo.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "heavy = {'pandas', 'pyarrow', 'keras', 'torch'} & {*sys.modules}; "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    for way in ([], ["--json"], ["--out", tmp_path / "out.csv"]):
        subprocess.run([sys.executable, "-c", code, "predict", model, *files, *way], check=True, stdout=-3)
