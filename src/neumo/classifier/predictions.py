"""Predictions of many radiographs in a file, so that a stopped run goes on where it was."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BufferedRandom
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neumo import __version__
from neumo.data.image_files import Named, name_of
from neumo.errors import NeumoError, UnreadableImageError
from neumo.files import lock, named, whole_file
from neumo.images.read import pixels_id
from neumo.progress import advance

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier
    from neumo.classifier.findings import Prediction

Row = dict[str, Any]
"""What is known of one file, by column."""

COLUMNS = ("path", "probability", "decision", "threshold", "warnings", "distance", "error", "notice")
CHUNK = 10_000
"""Rows that are written to a Parquet file at a time."""


def predicted(prediction: Prediction) -> Row:
    """The row of a file that was predicted; its "error" is None."""
    return {name: getattr(prediction, name, None) for name in COLUMNS}


def unreadable(path: str, error: NeumoError, notice: str) -> Row:
    """The row of a file that cannot be read: "error" says why, all but path and notice are None or empty."""
    why = str(error).removeprefix(f"{path}: ")
    if isinstance(error, UnreadableImageError):
        why = why.removeprefix(f"{error.path}: ")
    return {**dict.fromkeys(COLUMNS), "path": path, "warnings": (), "error": why, "notice": notice}


def journal(out: Path, classifier: Path, paths: Sequence[Named]) -> Journal:
    """The journal of a file of predictions by a saved classifier; where one goes on, this is said."""
    with classifier.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    found = Journal(out, digest, [name_of(path) for path in paths])
    done = len(paths) - len(found.todo)
    if done or found.changed:
        again = f"; files changed since, to be done again: {found.changed:,}" if found.changed else ""
        gone = f"; no longer among the radiographs: {found.gone:,}" if found.gone else ""
        print(f"neumo: {found.path}: goes on after {done:,} of {len(paths):,}{again}{gone}", file=sys.stderr)
    return found


def predict_each(
    classifier: Classifier,
    paths: Sequence[Named],
    add: Callable[[Row], object],
    *,
    todo: Sequence[int] | None = None,
    stop: bool = False,
    lateral: Collection[str] = (),
) -> None:
    """Predict radiographs under a progress bar, handing each row on as soon as it is there, in order.

    Args:
        classifier: what predicts.
        paths: all of them; an error among them counts as a file that cannot be read.
        add: takes a row.
        todo: places of those that need a row; all of them if not given.
        stop: end at the first file that cannot be read; else it gets a row that says why.
        lateral: files that are known to be lateral views; their rows have that warning.

    Raises:
        NeumoError: a file cannot be read, with `stop`.
    """
    left = paths if todo is None else [paths[place] for place in todo]
    with advance("Predicting", total=len(paths)) as bar:
        rest = map(name_of, left)
        bar.step(len(paths) - len(left))

        def failed(error: NeumoError) -> None:
            add(unreadable(next(rest), error, classifier.card["notice"]))
            bar.step()

        for prediction in classifier.stream(left, unreadable=None if stop else failed):
            row = {**predicted(prediction), "path": next(rest)}
            if row["path"] in lateral and "lateral" not in row["warnings"]:
                row["warnings"] = ("lateral", *row["warnings"])
            add(row)
            bar.step()


class Journal:
    """The rows of one run, each written down as soon as it is there.

    They are kept as JSON documents, one per line, in ``FILE.journal`` beside the file that `finish` makes of
    them. A run that was stopped, by ``kill -9`` too, finds its rows there; half a line at the end, written
    when it was stopped, is dropped. Rows whose radiograph has another size or time of change by now are to be
    predicted again; one that is gone by now, as on a disk that was taken out, keeps its row. Radiographs may
    have come or gone since, as in a folder that an archive writes to. The first line says what the run is of.

    Args:
        out: the file in the end; its suffix is one of `WRITERS`.
        classifier: SHA-256 of the classifier's file.
        paths: the radiographs, in order.

    Attributes:
        todo: places in `paths` that need a row, in order.
        changed: how many of them have one of another file.
        gone: how many rows are of radiographs that are not in `paths`.

    Raises:
        NeumoError: the journal there is of another classifier, of other radiographs alone, of another version
            of neumo or of what decodes images, or of a run that is still going; the suffix is none of
            `WRITERS`.
    """

    def __init__(self, out: Path, classifier: str, paths: list[str]) -> None:
        if out.suffix.lower() not in WRITERS:
            raise NeumoError(f"{out}: got the suffix {out.suffix!r}, expected {' or '.join(WRITERS)}")
        if out.is_dir():
            raise NeumoError(f"{out}: got a folder, expected a file to write")
        self.out, self.path = out, out.with_name(f"{out.name}.journal")
        head: Row = {"classifier": classifier, "neumo": __version__}
        head["set of image decoders"] = pixels_id()
        out.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        self._file: BufferedRandom = self.path.open("r+b")
        try:
            if not lock(self._file, wait=False):
                got = "got a run that is still writing here, expected one at a time"
                raise NeumoError(f"{self.path}: {got}; choose another --out")
            self._places = {key: place for place, key in enumerate(_numbered(paths))}
            self._keys, self._stamps = list(self._places), [_stamp(path) for path in paths]
            self._lines: dict[Key, int] = {}  # where rows begin
            self._read_back(head)
        except BaseException:
            self._file.close()
            raise

    def _read_back(self, head: Row) -> None:
        """Check the first line, see which rows are there, cut off what is no whole one."""
        self.changed, self.gone, self.todo, self._done = 0, 0, list(range(len(self._stamps))), 0
        lines = _whole_lines(self._file)
        before = next(lines, None)
        if before is None:
            self._file.truncate(0)
            self._file.seek(0)
            self._append(head)
            return
        for what, value in head.items():
            if before.get(what) != value:
                raise self._of_another(what)
        stamps: dict[Key, list[int] | None] = {}
        end = self._file.tell()
        for row in lines:
            if not row.keys() >= {"path", _AGAIN, _STAMP}:
                break
            key = row["path"], row[_AGAIN]
            self._lines[key], stamps[key] = end, row[_STAMP]
            end = self._file.tell()
        here = {self._places[key]: stamp for key, stamp in stamps.items() if key in self._places}
        if stamps and not here:
            raise self._of_another("list of radiographs")
        self._file.truncate(end)
        self._file.seek(end)
        again = [place for place, stamp in here.items() if stamp != self._stamps[place] is not None]
        self.changed, self.gone = len(again), len(stamps) - len(here)
        self.todo = sorted({*self.todo} - {*here} | {*again})

    def _of_another(self, what: str) -> NeumoError:
        return NeumoError(
            f"{self.path}: got a stopped run of another {what}, expected the same to go on with; remove this "
            "file to begin anew, or choose another --out"
        )

    def add(self, row: Row) -> None:
        """Write down the row of the next one of `todo`.

        Raises:
            OSError: the disk is full; what was written before stays.
        """
        place = self.todo[self._done]
        key = path, again = self._keys[place]
        at = self._file.tell()
        self._append({**row, "path": path, _AGAIN: again, _STAMP: self._stamps[place]})
        self._lines[key] = at
        self._done += 1

    def rows(self) -> Iterator[Row]:
        """All rows so far, in order of the radiographs, read back one by one."""
        with self.path.open("rb") as file:
            for key in filter(self._lines.__contains__, self._keys):
                file.seek(self._lines[key])
                row = json.loads(file.readline())
                del row[_AGAIN], row[_STAMP]
                yield row

    def finish(self, watch: Callable[[Row], None]) -> None:
        """Make the file of the rows, showing each to `watch`; then the journal is removed."""

        def watched() -> Iterator[Row]:
            for row in self.rows():
                watch(row)
                yield row

        with whole_file(self.out) as part:
            WRITERS[self.out.suffix.lower()](watched(), part)
        self.path.unlink()
        self.close()

    def close(self) -> None:
        """Let go of the journal, which stays."""
        with named(self.path):
            self._file.close()

    def _append(self, row: Row) -> None:
        with named(self.path):
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()


Key = tuple[str, int]
"""What a row is of: a radiograph, and how often it was named before."""

_AGAIN, _STAMP = "again", "stamp"
"""What else a line of a journal holds: the second part of its key, and of which state of the file it is."""


def _numbered(paths: Iterable[str]) -> Iterator[Key]:
    before: Counter[str] = Counter()
    for path in paths:
        yield path, before[path]
        before[path] += 1


def _stamp(path: str) -> list[int] | None:
    """What changes with a file at this path: its size and time of change; None where there is none."""
    try:
        about = os.stat(path)  # noqa: PTH116 - of many files, faster
    except (OSError, ValueError):
        return None
    return [about.st_size, about.st_mtime_ns]


def _whole_lines(file: Any) -> Iterator[Row]:
    """What is in a binary file of JSON lines, up to the first that is not whole."""
    while (line := file.readline()).endswith(b"\n"):
        try:
            found = json.loads(line)
        except ValueError:
            return
        if not isinstance(found, dict):
            return
        yield found


@dataclass
class Tally:
    """What a run came to, counted row by row.

    Attributes:
        decisions: how many were decided so, by name.
        warnings: how many have this warning, by name.
        errors: a line for each file that could not be read.
    """

    decisions: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Count one more file."""
        if row["error"] is not None:
            self.errors.append(f"{row['path']}: {row['error']}")
            return
        self.decisions[row["decision"]] = self.decisions.get(row["decision"], 0) + 1
        for warning in row["warnings"]:
            self.warnings[warning] = self.warnings.get(warning, 0) + 1

    @property
    def readable(self) -> int:
        """Files that were predicted."""
        return sum(self.decisions.values())


def _write_csv(rows: Iterable[Row], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows({**row, "warnings": " ".join(row["warnings"])} for row in rows)


def _write_jsonl(rows: Iterable[Row], file: Path) -> None:
    with file.open("w", encoding="utf-8") as text:
        text.writelines(json.dumps(row) + "\n" for row in rows)


def _write_parquet(rows: Iterable[Row], file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"probability": pa.float64(), "threshold": pa.float64(), "distance": pa.float64()}
    kinds["warnings"] = pa.list_(pa.string())
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    rest = iter(rows)
    with pq.ParquetWriter(file, schema) as writer:
        while some := list(islice(rest, CHUNK)):
            writer.write_table(pa.Table.from_pylist(some, schema))


WRITERS: dict[str, Callable[[Iterable[Row], Path], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
"""How rows become a file, by its suffix."""
