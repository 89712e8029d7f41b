"""Everything that a study found, as ``results.json``.

The report page is drawn from this alone, so whatever the page says is in the file for programs too.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neumo.errors import NeumoError
from neumo.files import whole_file

VERSION = 1
"""Of the file's format."""


@dataclass
class Run:
    """One head, fitted once.

    Attributes:
        protocol: "random", "patient" or "official".
        step: name of the step of the ladder.
        seed: of the split, the initial weights and the order of the images.
        validation_drawn: "before-balancing" or "after-balancing".
        counts: images by part ("train", "validation", "test") and kind ("normal", "pneumonia", "generated").
        scaling: "mean" and "std", in grey levels, that the pixels were normalised with; one number each, or
            one per channel.
        history: "loss", "accuracy", "val_loss", "val_accuracy", one value per epoch.
        best_epoch: the epoch, counted from 1, whose weights were kept.
        validation: "loss" and "accuracy" of the kept weights on the validation part.
        parameters: "total" and "trainable", of backbone and head together.
        threshold: the operating point chosen on validation, with the rule that chose it.
        test: `neumo.evaluation.metrics.Evaluation.to_dict()` on the test part; None for the steps that the
            study does not test.
        by_cause: per cause of pneumonia in the test part: "n", "sensitivity", "low" and "high" (its 95 %
            Wilson interval).
        mistakes: the most wrong test images: "path", "label", "cause", "patient", "probability".
        seconds: wall time of "features" (what was not yet stored) and of the head ("heads").
    """

    protocol: str
    step: str
    seed: int
    validation_drawn: str
    counts: dict[str, dict[str, int]]
    scaling: dict[str, Any]
    history: dict[str, list[float]]
    best_epoch: int
    validation: dict[str, float]
    parameters: dict[str, int]
    threshold: dict[str, Any] = field(default_factory=dict)
    test: dict[str, Any] | None = None
    by_cause: dict[str, dict[str, float]] = field(default_factory=dict)
    mistakes: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {"features": 0.0, "heads": 0.0})


@dataclass
class Results:
    """What a study found.

    Attributes:
        notice: that this is not a diagnosis, and where the radiographs are synthetic, that.
        dataset: "name", "layout", "rows", "images", "synthetic", "citation", "missing", "positive_name",
            "negative_name", "ages" (see `neumo.data.table.Dataset.ages`).
        audit: `neumo.data.audit.Audit.to_dict()`.
        backbone: "name", "weights" (as asked for), "weights_id" (digest), "features", "parameters".
        settings: every choice of the run by name, see `neumo.results.settings.Settings`, with "given_split",
            the saved split that stood in for the random one, or None.
        runs: the ladder on the random protocol (every step, every seed), the final step on the other
            protocols, and the final step with validation drawn the other way.
        skipped: protocol -> why this data set does not allow it.
        contact_sheet: "path", "sha256" and "copies" of the radiographs whose generated images are shown.
        environment: versions of neumo, Python and the libraries; platform; precision of the features.
        seconds: wall time of "features" and "heads" over all runs, and of the study's "last run", which goes
            on from trials that earlier ones finished.
        command: the command line, or the Python call, that gives this again.
        published: the reproduced report's own figures: "steps" and "test", each "loss" and "accuracy".
        summary: `neumo.results.spread.summary`: means and spreads over the seeds, and differences between
            the protocols.
    """

    notice: str
    dataset: dict[str, Any]
    audit: dict[str, Any]
    backbone: dict[str, Any]
    settings: dict[str, Any]
    runs: list[Run]
    skipped: dict[str, str]
    contact_sheet: list[dict[str, Any]]
    environment: dict[str, str]
    seconds: dict[str, float]
    command: str
    published: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION

    def ladder(self, step: str) -> list[Run]:
        """The runs of one step on the random protocol, one per seed, validation drawn as the study does."""
        return [
            run
            for run in self.runs
            if (run.protocol, run.step, run.validation_drawn)
            == ("random", step, self.settings["validation_drawn"])
        ]

    @property
    def classes(self) -> tuple[str, str]:
        """What the data call the positive class and the negative one."""
        return self.dataset["positive_name"], self.dataset["negative_name"]

    def tested(self, protocol: str) -> list[Run]:
        """The runs of the final step that were tested on `protocol`, one per seed."""
        return [
            run
            for run in self.runs
            if (run.protocol, run.validation_drawn) == (protocol, self.settings["validation_drawn"])
            and run.test is not None
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, as in ``results.json``."""
        return dataclasses.asdict(self)

    def save(self, file: str | Path) -> None:
        """Write the file, whole or not at all."""
        with whole_file(file) as part:
            part.write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False), encoding="utf-8")

    @classmethod
    def load(cls, file: str | Path) -> Results:
        """Read a ``results.json``.

        Raises:
            NeumoError: the file is not one, or of another version.
        """
        try:
            found = json.loads(Path(file).read_text(encoding="utf-8"))
            if "version" not in found:
                raise NeumoError(f"{file}: got other results, expected those of neumo study or neumo train")
            if found["version"] != VERSION:
                raise NeumoError(f"{file}: got version {found.get('version')} of results, expected {VERSION}")
            return cls(**{**found, "runs": [Run(**run) for run in found["runs"]]})
        except FileNotFoundError as error:
            raise NeumoError(f"{file}: got no such file, expected results.json of a neumo study") from error
        except IsADirectoryError as error:
            raise NeumoError(f"{file}: got a folder, expected its results.json") from error
        except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
            raise NeumoError(f"{file}: got {error}, expected results.json of a neumo study") from error
