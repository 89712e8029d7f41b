"""Rows of a run in its journal: all of them, once, whatever stops it."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import neumo.classifier.journal
from neumo.classifier.findings import Prediction
from neumo.classifier.journal import Journal
from neumo.classifier.predictions import COLUMNS, Row, Tally, predicted, unreadable
from neumo.errors import NeumoError, UnreadableImageError

PATHS = [f'scans/{i}, 胸部 "{i}".png' for i in range(25_000)]


def row(number: int) -> Row:
    if number % 7 == 3:
        error = UnreadableImageError(PATHS[number], "an empty file", "a radiograph")
        return unreadable(PATHS[number], error, "a notice")
    decision, warnings = ("normal", ()) if number % 2 else ("pneumonia", ("tiny", "blank"))
    return predicted(Prediction(PATHS[number], number / 30_000, 0.25, decision, "a notice", 0.5, warnings))


def journal(out: Path, n: int = 20, classifier: str = "c1") -> Journal:
    return Journal(out, classifier, PATHS[:n])


def write(out: Path, start: int, end: int, n: int) -> None:
    begun = journal(out, n)
    assert begun.todo == list(range(start, n))
    for number in range(start, end):
        begun.add(row(number))
    begun.close()


def read(out: Path) -> list[Row]:
    """What is in a file of any kind, read by pandas or the standard library, as plain Python."""
    if out.suffix == ".jsonl":
        return [json.loads(line) for line in out.read_text().splitlines()]
    if out.suffix == ".parquet":
        frame = pd.read_parquet(out)
        frame["warnings"] = frame["warnings"].map(list)
        return frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]
    with out.open(newline="", encoding="utf-8") as file:
        rows: list[Row] = list(csv.DictReader(file))
    for one in rows:
        for name in ("probability", "threshold", "distance"):
            one[name] = float(one[name]) if one[name] else None
        one["warnings"] = one["warnings"].split()
        one |= {name: one[name] or None for name in ("decision", "error")}
    return rows


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".CSV"])
def test_every_kind_of_file_holds_the_same(tmp_path: Path, suffix: str) -> None:
    n = 25_000 if suffix == ".parquet" else 50  # more than Parquet is written in at a time
    out, tally = tmp_path / "new" / "er" / f"out{suffix}", Tally()
    write(out, 0, n, n)
    whole = journal(out, n)
    whole.finish(tally.add)
    found = read(out.rename(out.with_suffix(suffix.lower())))
    assert [list(one) for one in found[:2]] == [list(COLUMNS)] * 2
    for number, one in enumerate(found):
        assert one == {**row(number), "warnings": list(row(number)["warnings"])}
    assert len(found) == n
    assert tally.readable + len(tally.errors) == n
    assert tally.errors[0] == f"{PATHS[3]}: got an empty file, expected a radiograph"
    assert (
        tally.warnings["tiny"] == tally.decisions["pneumonia"] == sum(not one["error"] for one in found[::2])
    )
    assert [file.name for file in out.parent.iterdir()] == [f"out{suffix.lower()}"]


@pytest.mark.parametrize(
    "torn", ["", '{"path": "sca', '{"path": "scans/5', "\0" * 100, '{"path"\n', "null\n"]
)
def test_a_stopped_run_goes_on_after_its_last_whole_row(tmp_path: Path, torn: str) -> None:
    out = tmp_path / "out.jsonl"
    write(out, 0, 5, 20)
    with (tmp_path / "out.jsonl.journal").open("a") as file:
        file.write(torn)
    write(out, 5, 12, 20)
    write(out, 12, 20, 20)
    whole = journal(out)
    assert whole.todo == []
    whole.finish(lambda _: None)
    assert [one["path"] for one in read(out)] == PATHS[:20]


@pytest.mark.parametrize(("line", "kept"), [(0, 0), (6, 5)])
def test_what_comes_after_a_lost_line_is_lost(tmp_path: Path, line: int, kept: int) -> None:
    """The first line says what the rows are of; a block of zeros is what a power cut leaves."""
    out = tmp_path / "out.jsonl"
    write(out, 0, 10, 20)
    lines = (tmp_path / "out.jsonl.journal").read_bytes().splitlines(keepends=True)
    lines[line] = b"\0" * (len(lines[line]) - 1) + b"\n"
    (tmp_path / "out.jsonl.journal").write_bytes(b"".join(lines))
    write(out, kept, kept + 1, 20)
    assert journal(out).todo == list(range(kept + 1, 20))


def test_stopped_before_the_first_line_was_whole(tmp_path: Path) -> None:
    (tmp_path / "out.csv.journal").write_text('{"classif')
    write(tmp_path / "out.csv", 0, 3, 20)
    assert len(list(journal(tmp_path / "out.csv").rows())) == 3


def test_another_run_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.csv"
    write(out, 0, 5, 20)
    before = (tmp_path / "out.csv.journal").read_bytes()
    with pytest.raises(NeumoError, match="got a stopped run of another classifier, expected the same"):
        journal(out, classifier="c2")
    with pytest.raises(NeumoError, match="got a stopped run of another list of radiographs"):
        Journal(out, "c1", PATHS[5:20])
    with monkeypatch.context() as later:
        later.setattr("neumo.classifier.journal.__version__", "99")
        with pytest.raises(NeumoError, match="got a stopped run of another neumo"):
            journal(out)
    with monkeypatch.context() as later:
        later.setattr("neumo.classifier.journal.pixels_id", lambda: {"pixels": 99})
        with pytest.raises(NeumoError, match="got a stopped run of another set of image decoders"):
            journal(out)
    assert (tmp_path / "out.csv.journal").read_bytes() == before
    write(out, 5, 6, 20)


def test_radiographs_may_come_and_go(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    write(out, 0, 5, 20)
    later = [PATHS[30], *PATHS[1:4], PATHS[40], PATHS[2], PATHS[40]]
    begun = Journal(out, "c1", later)
    assert (begun.todo, begun.changed, begun.gone) == ([0, 4, 5, 6], 0, 2)
    begun.add(row(30))
    begun.close()
    last = Journal(out, "c1", later)
    assert last.todo == [4, 5, 6]
    for number in (40, 2, 40):
        last.add(row(number))
    last.finish(lambda _: None)
    assert [one["path"] for one in read(out)] == later


@pytest.mark.parametrize("change", ["rewritten", "touched", "gone"])
def test_a_row_of_another_file_is_done_again(
    tmp_path: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    classifier = tmp_path / "c.neumo"
    classifier.write_bytes(b"a classifier")
    files = [tmp_path / f"{i}.png" for i in range(6)]
    for file in files[:5]:  # the last one is missing
        file.write_bytes(b"a radiograph")
    names = [str(file) for file in files]
    begun = neumo.classifier.journal.journal(tmp_path / "out.csv", classifier, names)
    for name in names[:4]:
        begun.add({**row(0), "path": name})
    begun.close()
    capsys.readouterr()
    if change == "rewritten":
        files[2].write_bytes(b"another radiograph")
    elif change == "touched":
        os.utime(files[2], (0, 0))
    else:
        for file in files[:5]:
            file.unlink()
    again = neumo.classifier.journal.journal(tmp_path / "out.csv", classifier, names)
    told = capsys.readouterr().err
    if change == "gone":  # as where a disk was taken out: what was done is not lost
        assert again.todo == [4, 5]
        assert told == f"neumo: {again.path}: goes on after 4 of 6\n"
    else:
        assert again.todo == [2, 4, 5]
        assert told == (
            f"neumo: {again.path}: goes on after 3 of 6; files changed since, to be done again: 1\n"
        )
        again.add({**row(1), "path": names[2]})
    again.close()
    last = neumo.classifier.journal.journal(tmp_path / "out.csv", classifier, names)
    assert last.todo == [4, 5]
    assert [one["path"] for one in last.rows()] == names[:4]
    assert [set(one) for one in last.rows()] == [set(COLUMNS)] * 4
    decisions = [one["decision"] for one in last.rows()]
    assert decisions == ["pneumonia", "pneumonia", "pneumonia" if change == "gone" else "normal", "pneumonia"]
    last.close()


def test_a_file_that_was_missing_is_predicted_when_it_is_there(tmp_path: Path) -> None:
    name = str(tmp_path / "late.png")
    begun = Journal(tmp_path / "out.csv", "c1", [name])
    begun.add({**row(3), "path": name})
    begun.close()
    Path(name).write_bytes(b"a radiograph")
    assert Journal(tmp_path / "out.csv", "c1", [name]).todo == [0]


def test_two_runs_do_not_write_to_one_journal(tmp_path: Path) -> None:
    first = journal(tmp_path / "out.csv")
    with pytest.raises(NeumoError, match="got a run that is still writing here"):
        journal(tmp_path / "out.csv")
    first.add(row(0))
    first.close()
    write(tmp_path / "out.csv", 1, 2, 20)


@pytest.mark.parametrize("name", ["out.txt", "out", "folder.csv"])
def test_what_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(NeumoError, match="expected"):
        journal(tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["folder.csv"]


def test_a_full_disk_costs_no_whole_row(tmp_path: Path) -> None:
    script = f"""
import resource
from pathlib import Path
from tests.classifier.test_journal import journal, row
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
begun = journal(Path({str(tmp_path / "out.csv")!r}))
try:
    try:
        for number in range(20):
            begun.add(row(number))
    finally:
        begun.close()
except OSError as error:
    print(error.errno, error.filename)
"""
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.split() == [str(errno.EFBIG), str(tmp_path / "out.csv.journal")]
    begun = journal(tmp_path / "out.csv")
    done = 20 - len(begun.todo)
    assert 5 < done < 20
    assert [one["path"] for one in begun.rows()] == PATHS[:done]
