"""Predictions of many radiographs as rows of a table."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neumo.data.image_files import Named, name_of
from neumo.errors import NeumoError, UnreadableImageError
from neumo.images.checks import with_lateral
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
            add({**row, "warnings": with_lateral(row["warnings"], row["path"] in lateral)})
            bar.step()


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
