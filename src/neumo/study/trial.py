"""One head fitted on one split: the unit that studies are made of."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neumo.backend import keras
from neumo.classifier import Classifier, new_classifier
from neumo.data.balance import balance, balance_then_validate
from neumo.data.split import part_counts
from neumo.data.table import Dataset
from neumo.errors import NeumoError
from neumo.evaluation.metrics import by_cause, evaluate
from neumo.evaluation.operating_point import choose_threshold
from neumo.evaluation.origin import Origin
from neumo.explain.usual import usual_maps
from neumo.features.backbones import Backbone
from neumo.features.extract import extract, fit_scaling
from neumo.features.networks import kept_graph
from neumo.features.reference import Reference
from neumo.features.scaling import Scaling
from neumo.study.results import Run
from neumo.study.settings import Settings
from neumo.training.head import fit_head
from neumo.training.steps import Step

MISTAKES = 12
"""Most wrong test images that a run keeps by name."""


@dataclass(frozen=True)
class Trial:
    """A fitted head with what is known of it.

    Attributes:
        run: its figures.
        head: features (n, d) to probabilities (n, 1).
        scaling: what the backbone's input is normalised with.
        predictions: "path", "sha256", "label", "cause", "patient" and "probability" of the test part; empty
            where not tested.
    """

    run: Run
    head: keras.Model
    scaling: Scaling
    predictions: pd.DataFrame


class Bench:
    """Runs trials on one data set, on top of one backbone.

    Args:
        dataset: the radiographs.
        settings: the choices that hold for every trial.
        backbone: the frozen network.
    """

    def __init__(self, dataset: Dataset, settings: Settings, backbone: Backbone) -> None:
        self.dataset = dataset
        self.settings = settings
        self.backbone = backbone
        self._arranged: tuple[pd.DataFrame, tuple[int, str], pd.DataFrame] | None = None
        self._computed: tuple[pd.DataFrame, Scaling, np.ndarray] | None = None

    def key(self, split: pd.DataFrame, protocol: str, step: Step, seed: int, drawn: str, tested: bool) -> str:
        """A digest of all that the figures of a trial depend on."""
        settings = {**self.settings.to_dict(), "seeds": None, "backbone": None, "weights": None}
        told = split[["path", "sha256", "label", "cause", "patient", "part"]].sort_values("path")
        parts = (
            settings,
            self.backbone.name,
            self.backbone.weights_id,
            dataclasses.asdict(step),
            (protocol, seed, drawn, tested, keras.backend.backend()),
            versions(),
            told.astype(str).to_dict("list"),
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def fit(
        self, split: pd.DataFrame, protocol: str, step: Step, seed: int, drawn: str, *, tested: bool
    ) -> Trial:
        """Fit the head of a step; look at the test part only where it is `tested`.

        Args:
            split: the table with the column "part".
            protocol: name of how the split was made.
            step: which head.
            seed: of the initial weights and the order of the images.
            drawn: "before-balancing" or "after-balancing", where the validation part comes from.
            tested: whether the test part is predicted and evaluated.

        Raises:
            NeumoError: an image cannot be read, or a part lacks a class.
        """
        settings = self.settings
        if step.dropout:
            step = dataclasses.replace(step, dropout=settings.dropout)
        rows = self._arrange(split, seed, drawn)
        started = time.perf_counter()
        scaling = self._scaling(rows, step)
        x = self._features(rows, scaling)
        computed = time.perf_counter()
        y = rows["label"].to_numpy()
        train, validation, test = (
            rows["part"].to_numpy() == part for part in ("train", "validation", "test")
        )

        fitted = fit_head(
            step,
            x[train],
            y[train],
            x[validation],
            y[validation],
            seed=seed,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
        )
        _check_finite(step, fitted.history)
        trained = time.perf_counter()
        kept = fitted.best_epoch - 1
        point = choose_threshold(
            y[validation], probabilities(fitted.model, x[validation]), settings.sensitivity
        )
        run = Run(
            protocol=protocol,
            step=step.name,
            seed=seed,
            validation_drawn=drawn,
            counts=counts(rows),
            scaling=dataclasses.asdict(scaling),
            history=fitted.history,
            best_epoch=fitted.best_epoch,
            validation={name: fitted.history[f"val_{name}"][kept] for name in ("loss", "accuracy")},
            parameters={
                "total": self.backbone.parameters + fitted.model.count_params(),
                "trainable": sum(int(np.prod(w.shape)) for w in fitted.model.trainable_weights),
            },
            threshold=dataclasses.asdict(point),
            seconds={"features": computed - started, "heads": trained - computed},
        )
        predictions = rows.loc[test, ["path", "sha256", "label", "cause", "patient"]].reset_index(drop=True)
        if not tested:
            return Trial(run, fitted.model, scaling, predictions.iloc[:0].assign(probability=0.0))
        predictions["probability"] = probabilities(fitted.model, x[test])
        judge(run, predictions)
        return Trial(run, fitted.model, scaling, predictions)

    def classifier(
        self, trial: Trial, split: pd.DataFrame, tested: dict[str, dict[str, float]]
    ) -> Classifier:
        """The trial's head on its backbone, as something that can be saved.

        Args:
            trial: of this bench.
            split: what it was fitted on.
            tested: for the card, protocol -> metric -> value on the test part.
        """
        run, dataset = trial.run, self.dataset
        card = {
            "name": f"{dataset.name}, {self.backbone.name}, {run.step}",
            "positive": dataset.positive_name,
            "negative": dataset.negative_name,
            "threshold": run.threshold,
            "backbone": {"name": self.backbone.name, "weights_id": self.backbone.weights_id},
            "scaling": run.scaling,
            "data": {
                "name": dataset.name,
                "images": len(dataset.table),
                "citation": dataset.citation,
                "synthetic": dataset.synthetic,
            },
            "training": {
                "protocol": run.protocol,
                "step": run.step,
                "seed": run.seed,
                "counts": run.counts,
                "settings": self.settings.to_dict(),
            },
            "test": tested,
            "made_by": versions(),
        }
        reference, origin = self._known(split, trial)
        classifier = new_classifier(
            card, kept_graph(self.backbone), self.backbone.build(), trial.head, reference
        )
        classifier.usual = usual_maps(classifier, split)
        classifier.origin = origin
        return classifier

    def _known(self, split: pd.DataFrame, trial: Trial) -> tuple[Reference, Origin]:
        """What the images that the trial was made from look like, without generated ones."""
        rows = self._arrange(split, trial.run.seed, trial.run.validation_drawn)
        x, own = self._features(rows, trial.scaling), (rows["copy"] == 0).to_numpy()
        train, validation = (own & (rows["part"] == part).to_numpy() for part in ("train", "validation"))
        reference, held_out = Reference.fit(x[train], x[validation]), x[validation]
        answers = reference.distance(held_out), probabilities(trial.head, held_out)
        return reference, Origin.of(rows[own], *answers)

    def _arrange(self, split: pd.DataFrame, seed: int, drawn: str) -> pd.DataFrame:
        """Balanced rows: the split with "copy", which counts generated images from 1."""
        last = self._arranged
        if last is not None and last[0] is split and last[1] == (seed, drawn):
            return last[2]
        if drawn == "before-balancing":
            rows = balance(split, self.settings.copies)
        else:
            rows = balance_then_validate(split, self.settings.copies, self.settings.validation_fraction, seed)
        self._arranged = (split, (seed, drawn), rows.reset_index(drop=True))
        return self._arranged[2]

    def _scaling(self, rows: pd.DataFrame, step: Step) -> Scaling:
        if not step.normalise:
            return Scaling()
        if self.settings.normalise == "imagenet":
            return self.backbone.scaling
        return fit_scaling(rows[(rows["part"] == "train") & (rows["copy"] == 0)])

    def _features(self, rows: pd.DataFrame, scaling: Scaling) -> np.ndarray:
        last = self._computed
        if last is None or last[0] is not rows or last[1] != scaling:
            found = extract(rows, self.backbone, scaling, transforms=self.settings.transforms)
            last = self._computed = (rows, scaling, found)
        return last[2]


def versions() -> dict[str, str]:
    """What numbers may depend on: neumo, Python and the libraries that compute."""
    names = ("neumo", "keras", "torch", "openvino", "numpy", "pandas", "scikit-learn", "pillow")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}


def probabilities(head: keras.Model, features: np.ndarray) -> np.ndarray:
    """Probability of pneumonia, float64 (n,), for features float32 (n, d)."""
    return np.asarray(head.predict(features, batch_size=1024, verbose=0), np.float64)[:, 0]


def judge(run: Run, predictions: pd.DataFrame) -> None:
    """Write what the test part says into `run`."""
    y, p = predictions["label"].to_numpy(), predictions["probability"].to_numpy()
    threshold = run.threshold["threshold"]
    patients = predictions["patient"] if predictions["patient"].notna().any() else None
    run.test = evaluate(y, p, threshold=threshold, groups=patients).to_dict()
    run.by_cause = by_cause(y, p, predictions["cause"].to_numpy(), threshold)
    worst = predictions.assign(off=np.abs(p - y), wrong=(p >= threshold) != y)
    worst = worst[worst["wrong"]].sort_values("off", ascending=False).head(MISTAKES)
    run.mistakes = [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in worst[["path", "label", "cause", "patient", "probability"]].to_dict("records")
    ]


def _check_finite(step: Step, history: dict[str, list[float]]) -> None:
    for epoch, values in enumerate(zip(*history.values(), strict=True), 1):
        if not np.isfinite(values).all():
            raise NeumoError(
                f"step {step.name!r}: got a loss that is not finite in epoch {epoch}, expected numbers"
            )


def counts(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images by part and kind; "generated" counts those of either class."""
    counts = part_counts(rows[rows["copy"] == 0])
    for part, kinds in counts.items():
        kinds["generated"] = int(((rows["part"] == part) & (rows["copy"] > 0)).sum())
    return counts
