"""The folder that a study or a recipe leaves, read back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from neumo.data.split import PROTOCOLS
from neumo.data.table import PNEUMONIA, Dataset
from neumo.errors import NeumoError
from neumo.results.results import Results, Run
from neumo.results.run_folder import read_predictions
from neumo.results.spread import Spread, spread

EXPECTED = "expected the folder of a run, as neumo study and neumo train write it"

_READ = {
    "sha256": str, "label": int, "patient": str, "probability": float,
    "protocol": str, "seed": int, "validation_drawn": str,
}  # fmt: skip


@dataclass(frozen=True)
class FinishedRun:
    """A study or a recipe that was run.

    Attributes:
        name: what to call it.
        folder: where it is.
        results: what it found.
        predictions: of its tested images, columns as in ``predictions.csv``.
    """

    name: str
    folder: Path
    results: Results
    predictions: pd.DataFrame

    def tested(self, protocol: str) -> list[Run]:
        """Its tested runs on a protocol, one per seed."""
        return self.results.tested(protocol)

    def spreads(self, protocol: str) -> dict[str, Spread | None]:
        """Metric -> its figures over the seeds, on all test images of the run."""
        runs = self.tested(protocol)
        return {name: spread(runs, name) for name in (runs[0].test or {})["metrics"]}

    def answers(self, run: Run) -> pd.DataFrame:
        """The predictions of one tested run, by "sha256" and "copy", which numbers files of one content."""
        table = self.predictions
        own = (table["protocol"] == run.protocol) & (table["seed"] == run.seed)
        found = table[own & (table["validation_drawn"] == run.validation_drawn)]
        return found.assign(copy=found.groupby("sha256").cumcount()).set_index(["sha256", "copy"])


def check_data(folder: str | Path, dataset: Dataset) -> None:
    """See that a folder has no results of other data or another label, which a run would write over.

    Args:
        folder: where a run is about to write.
        dataset: what it is about, images that cannot be decoded among them.

    Raises:
        NeumoError: it has.
    """
    try:
        found = Results.load(Path(folder, "results.json"))
    except (NeumoError, OSError):  # none yet, or none that could be lost
        return
    before, images = found.audit["images"], len(dataset.table)
    moved = found.audit.get("root") != str(dataset.root) and before != images
    had = found.dataset["name"], *found.classes
    has = dataset.name, dataset.positive_name, dataset.negative_name
    positive = sum(one["images"] for one in found.audit["classes"] if one["label"] == PNEUMONIA)
    relabelled = had[1:] != has[1:] and positive != (dataset.table["label"] == PNEUMONIA).sum()
    if had[0] != has[0] or moved or relabelled:
        told = "{} or {}, {:,} radiographs".format
        raise NeumoError(
            f"{folder}: got the results of other data ({had[0]}, {told(*had[1:], before)}), expected a new "
            f"folder for {has[0]} ({told(*has[1:], images)}); name it with --out"
        )


def read_run(folder: str | Path, name: str = "") -> FinishedRun:
    """Read what a run left.

    Args:
        folder: as `neumo study` and `neumo train` write it.
        name: what to call it; the folder's name if not given.

    Raises:
        NeumoError: it is none, or a file in it is damaged or of another run.
    """
    folder = Path(folder)
    results, predictions = folder / "results.json", folder / "predictions.csv"
    for file in (results, predictions):
        if not file.is_file():
            raise NeumoError(f"{folder}: got no {file.name} there, {EXPECTED}")
    try:
        table = read_predictions(predictions, **_READ)
    except (ValueError, UnicodeDecodeError) as error:
        raise NeumoError(f"{predictions}: got {error}, expected the predictions of a neumo run") from error
    run = FinishedRun(name or folder.resolve().name, folder, Results.load(results), table)
    for one in (tested for protocol in PROTOCOLS for tested in run.tested(protocol)):
        n, told = len(run.answers(one)), (one.test or {})["n"]
        if n != told:
            where = f"of {one.protocol}, seed {one.seed}"
            raise NeumoError(f"{predictions}: got {n:,} predictions {where}, expected {told:,}; run it again")
    return run
