"""A saved classifier on a source of radiographs that it does not come from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neumo.classifier.origin import ANSWERS, PIXELS
from neumo.classifier.predictions import Row, predict_each
from neumo.data.inspections import inspect_images, readable
from neumo.data.table import Dataset
from neumo.errors import NeumoError
from neumo.evaluation.metrics import Evaluation, by_cause, evaluate
from neumo.evaluation.mistakes import worst_mistakes
from neumo.evaluation.shift import Shift, shift

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier
    from neumo.classifier.journal import Journal

TOLD = ("name", "data", "threshold", "temperature", "made_by")
"""What results repeat of the classifier's card."""


@dataclass(frozen=True)
class Judged:
    """What the answers for some images are worth.

    Attributes:
        evaluation: metrics with intervals, at the classifier's own operating point.
        by_cause: as from `neumo.evaluation.metrics.by_cause`.
    """

    evaluation: Evaluation
    by_cause: dict[str, dict[str, float]]

    @property
    def test(self) -> dict[str, Any] | None:
        """The evaluation as a dict."""
        return self.evaluation.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**self.evaluation.to_dict(), "by_cause": self.by_cause}


@dataclass(frozen=True)
class External:
    """A classifier on another source.

    Attributes:
        card: the classifier's.
        dataset: the source.
        predictions: columns path, sha256, label, cause, patient, probability, distance, warnings ("|" between
            several) and seen ("", "same file" or "same picture": whether the classifier was made from it).
        unreadable: images that were left out, with the reason.
        all: the figures of all images.
        unseen: of those that the classifier was not made from; None where that is all of them or none, where
            it is not known, or where a class is missing among them.
        shift: how far the source is from where the classifier comes from; of the unseen images where `unseen`
            is not None. Otherwise of all: what was seen, if anything, is compared with itself.
        knows_its_origin: whether the classifier was saved with what it was made from.
    """

    card: dict[str, Any]
    dataset: Dataset
    predictions: pd.DataFrame
    unreadable: dict[str, str]
    all: Judged
    unseen: Judged | None
    shift: Shift
    knows_its_origin: bool

    @property
    def notice(self) -> str:
        """That nothing here is a diagnosis, and whether anything is synthetic."""
        return str(self.card["notice"])

    @property
    def synthetic(self) -> bool:
        """Whether the source, or what the classifier was made from, was drawn."""
        return bool(self.dataset.synthetic or self.card["data"]["synthetic"])

    @property
    def seen(self) -> dict[str, int]:
        """How many images the classifier was made from, by how it is known."""
        counts = self.predictions["seen"].value_counts()
        return {name: int(counts.get(name, 0)) for name in ("same file", "same picture")}

    @property
    def warnings(self) -> dict[str, int]:
        """Warning -> how many images have it."""
        counts = self.predictions["warnings"].str.split("|").explode().value_counts()
        return {str(name): int(n) for name, n in counts.items() if name}

    @property
    def caution(self) -> list[str]:
        """What a reader has to know before the figures, in sentences."""
        said, n, seen = [], len(self.predictions), sum(self.seen.values())
        if seen:
            rest = "Only the figures of the others say what it does on new ones."
            if self.unseen is None:
                why = "None is new" if seen == n else "The others are of one class only"
                rest = (
                    f"{why}: no figure here is of new ones alone, and the comparison with its own "
                    "compares its own with themselves."
                )
            said.append(f"The classifier was made from {seen:,} of these {n:,} radiographs. {rest}")
        elif self.dataset.name == self.card["data"].get("name"):
            said.append(
                f"The classifier comes from a source of the same name, {self.dataset.name}: patients may be "
                "the same."
            )
        if meant := [
            f"{side} means {here}, the classifier's means {its}"
            for side, here, its in (
                ("positive", self.dataset.positive_name, self.card["positive"]),
                ("negative", self.dataset.negative_name, self.card["negative"]),
            )
            if here != its
        ]:
            said.append(f"Here {'; '.join(meant)}.")
        if not self.knows_its_origin:
            said.append("Whether it has seen these radiographs in training, this classifier does not tell.")
        if self.dataset.synthetic != self.card["data"]["synthetic"]:
            said.append(
                "These radiographs are SYNTHETIC, those that the classifier was made from are real."
                if self.dataset.synthetic
                else "The classifier was made from SYNTHETIC radiographs and knows nothing of real ones."
            )
        return said

    @property
    def verdict(self) -> str:
        """How far the source lies from the classifier's own, and of which radiographs that is said."""
        of = "Of the radiographs that it was not made from: " if self.unseen else ""
        return of + self.shift.verdict

    @property
    def mistakes(self) -> list[dict[str, Any]]:
        """The images on which it was surest of the wrong answer."""
        return worst_mistakes(self.predictions, self.card["threshold"]["threshold"])

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; `predictions` are left to their own file."""
        data = self.dataset
        return {
            "notice": self.notice,
            "classifier": {name: self.card.get(name) for name in TOLD},
            "data": {
                "name": data.name,
                "root": str(data.root),
                "layout": data.layout,
                "images": len(self.predictions),
                "synthetic": data.synthetic,
                "missing": data.missing,
                "unreadable": self.unreadable,
                "citation": data.citation,
            },
            "caution": self.caution,
            "seen": {**self.seen, "known": self.knows_its_origin},
            "warnings": self.warnings,
            "all": self.all.to_dict(),
            "unseen": None if self.unseen is None else self.unseen.to_dict(),
            "shift": self.shift.to_dict(),
            "mistakes": self.mistakes,
        }


def evaluate_source(
    classifier: Classifier,
    dataset: Dataset,
    *,
    skip_unreadable: bool = False,
    journal: Callable[[list[str]], Journal] | None = None,
) -> External:
    """Evaluate a saved classifier on a labelled source, as it is: nothing is fitted again.

    Args:
        classifier: its own operating point and calibration are used.
        dataset: as `neumo.read` gives it.
        skip_unreadable: leave out images that cannot be decoded; by default the first ends it.
        journal: opens where the answers for these paths are written down, each as soon as it is there; those
            that are there already are not computed again.

    Raises:
        NeumoError: an image cannot be decoded, or a class is missing among the rest.

    Example:
        >>> found = evaluate_source(neumo.load("mine.neumo"), neumo.read("other hospital"))
        >>> found.all.evaluation.metrics["auc"], found.shift.verdict
    """
    seen = inspect_images(dataset.table)
    good = readable(dataset.table, seen, skip=skip_unreadable)
    unreadable = dict(zip(dataset.table["path"][~good], seen["unreadable"][~good], strict=True))
    table, seen = (one[good].reset_index(drop=True) for one in (dataset.table, seen))
    if table["label"].nunique() < 2:
        of = "readable images of one class only" if len(table) else "no readable image"
        raise NeumoError(f"{dataset.root}: got {of}, expected both classes")
    predictions = _predictions(classifier, table, journal)
    predictions["seen"] = _seen(classifier, table, seen)
    judged = _judged(predictions, classifier.threshold)
    new = predictions[predictions["seen"] == ""]
    partly = classifier.origin is not None and len(new) < len(predictions) and new["label"].nunique() == 2
    compared = new if partly else predictions
    return External(
        card=classifier.card,
        dataset=dataset,
        predictions=predictions,
        unreadable=unreadable,
        all=judged,
        unseen=_judged(new, classifier.threshold) if partly else None,
        shift=shift(
            seen.loc[compared.index, list(PIXELS)].join(compared[list(ANSWERS)]),
            compared["label"],
            classifier.origin,
            _training_prevalence(classifier),
        ),
        knows_its_origin=classifier.origin is not None,
    )


def _predictions(
    classifier: Classifier, table: pd.DataFrame, journal: Callable[[list[str]], Journal] | None
) -> pd.DataFrame:
    paths = table["path"].tolist()
    rows: list[Row] = []
    if journal is None:
        predict_each(classifier, paths, rows.append, stop=True)
    else:
        with closing(journal(paths)) as kept:
            predict_each(classifier, paths, kept.add, todo=kept.todo, stop=True)
            rows += kept.rows()
    return table[["path", "sha256", "label", "cause", "patient"]].assign(
        probability=[row["probability"] for row in rows],
        distance=[row["distance"] for row in rows],
        warnings=["|".join(row["warnings"]) for row in rows],
    )


def _seen(classifier: Classifier, table: pd.DataFrame, seen: pd.DataFrame) -> np.ndarray:
    if classifier.origin is None:
        return np.full(len(table), "")
    same, alike = classifier.origin.has(table, seen)
    return np.where(same, "same file", np.where(alike, "same picture", ""))


def _judged(predictions: pd.DataFrame, threshold: float) -> Judged:
    y, p = predictions["label"].to_numpy(), predictions["probability"].to_numpy()
    evaluation = evaluate(y, p, threshold=threshold, groups=predictions["patient"])
    return Judged(evaluation, by_cause(y, p, predictions["cause"].to_numpy(), threshold))


def _training_prevalence(classifier: Classifier) -> float | None:
    if classifier.origin is not None:
        return classifier.origin.prevalence
    counts = classifier.card.get("training", {}).get("counts", {}).get("train", {})
    normal, pneumonia = (counts.get(name, 0) for name in ("normal", "pneumonia"))
    return pneumonia / (normal + pneumonia) if normal and pneumonia else None
