"""The rows of one run, each written down as soon as it is there, so that a stopped run goes on."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedRandom
from pathlib import Path
from typing import Any

from neumo import __version__
from neumo.classifier.predictions import WRITERS, Row
from neumo.data.image_files import Named, name_of
from neumo.errors import NeumoError
from neumo.files import lock, named, whole_file
from neumo.images.read import pixels_id


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
