"""One head fitted on one split: the unit that studies are made of."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neumo.backend import keras
from neumo.classifier.assemble import new_classifier
from neumo.classifier.classifier import Classifier
from neumo.classifier.origin import Origin
from neumo.data.balance import balance, balance_then_validate
from neumo.data.split import part_counts
from neumo.data.table import Dataset
from neumo.errors import NeumoError
from neumo.evaluation.operating_point import choose_threshold
from neumo.explain.usual import usual_maps
from neumo.features.backbones import Backbone
from neumo.features.extract import extract, fit_scaling
from neumo.features.gpu import enough_memory, resolve_for_many
from neumo.features.matrix import Rows, blocks
from neumo.features.networks import kept_graph
from neumo.features.networks import versions as network_versions
from neumo.features.quantise import Calibration, require_nncf
from neumo.features.reference import Reference
from neumo.features.scaling import Scaling
from neumo.images.read import pixels_id
from neumo.results.results import Run
from neumo.results.settings import Settings
from neumo.study.card import of_run
from neumo.study.environment import versions
from neumo.study.judge import judge
from neumo.training.head import fit_head
from neumo.training.steps import Step


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


@dataclass(frozen=True, eq=False)
class Plan:
    """A trial to be run.

    Attributes:
        split: the table with the column "part".
        protocol: name of how the split was made.
        step: which head.
        seed: of the initial weights and the order of the images.
        drawn: "before-balancing" or "after-balancing", where the validation part comes from.
        tested: whether the test part is predicted and evaluated.
    """

    split: pd.DataFrame
    protocol: str
    step: Step
    seed: int
    drawn: str
    tested: bool


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
        self.precision = resolve_for_many(settings.precision)
        if self.precision == "int8":
            require_nncf()
        self._arranged: tuple[pd.DataFrame, tuple[int, str], pd.DataFrame] | None = None
        self._measured: tuple[pd.DataFrame, Scaling] | None = None
        self._computed: tuple[pd.DataFrame, Scaling, np.ndarray] | None = None
        self._digested: tuple[pd.DataFrame, str] | None = None

    def key(self, plan: Plan) -> str:
        """A digest of all that the figures of a trial depend on."""
        settings = {
            **self.settings.to_dict(),
            "seeds": None,
            "backbone": None,
            "weights": None,
            "precision": self.precision,
        }
        quantised_by = importlib.metadata.version("nncf") if self.precision == "int8" else None
        parts = (
            settings,
            self.backbone.name,
            self.backbone.weights_id,
            dataclasses.asdict(plan.step),
            (plan.protocol, plan.seed, plan.drawn, plan.tested, keras.backend.backend()),
            [versions(), network_versions(), pixels_id(), quantised_by],
            self._digest(plan.split),
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @enough_memory()
    def fit(self, plan: Plan) -> Trial:
        """Fit the head of a step; look at the test part only where that is planned.

        Raises:
            NeumoError: an image cannot be read, or a part lacks a class.
        """
        settings, step = self.settings, plan.step
        if step.dropout:
            step = dataclasses.replace(step, dropout=settings.dropout)
        rows = self._arrange(plan.split, plan.seed, plan.drawn)
        started = time.perf_counter()
        scaling = self._scaling(rows, step)
        if plan.drawn == settings.validation_drawn:
            _check_own(rows)
        x = self._features(rows, scaling)
        computed = time.perf_counter()
        y = rows["label"].to_numpy()
        train, validation, test = (
            np.flatnonzero(rows["part"] == part) for part in ("train", "validation", "test")
        )

        fitted = fit_head(
            step,
            Rows(x, train),
            y[train],
            Rows(x, validation),
            y[validation],
            seed=plan.seed,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
        )
        trained = time.perf_counter()
        kept = fitted.best_epoch - 1
        point = choose_threshold(
            y[validation], probabilities(fitted.model, Rows(x, validation)), settings.sensitivity
        )
        run = Run(
            protocol=plan.protocol,
            step=step.name,
            seed=plan.seed,
            validation_drawn=plan.drawn,
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
        shown = test if plan.tested else test[:0]
        predictions = rows.loc[shown, ["path", "sha256", "label", "cause", "patient"]].reset_index(drop=True)
        predictions["probability"] = probabilities(fitted.model, Rows(x, shown))
        if plan.tested:
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
        reference, origin, validation = self._known(split, trial)
        started = {"name": self.backbone.name, "weights_id": self.backbone.weights_id}
        card = of_run(trial.run, self.dataset, started, self.settings.to_dict(), validation)
        card["test"] = tested
        if self.settings.precision in ("f32", "bf16", "int8"):
            card["precision"] = self.precision
        graph = kept_graph(self.backbone, self._ranges(split, trial) if self.precision == "int8" else None)
        classifier = new_classifier(card, graph, self.backbone.build(), trial.head, reference)
        classifier.usual = usual_maps(classifier, split)
        classifier.origin = origin
        return classifier

    def _ranges(self, split: pd.DataFrame, trial: Trial) -> Calibration:
        rows = self._arrange(split, trial.run.seed, trial.run.validation_drawn)
        return Calibration.of(rows[rows["part"] == "train"], trial.scaling)

    def _known(
        self, split: pd.DataFrame, trial: Trial
    ) -> tuple[Reference, Origin, tuple[np.ndarray, np.ndarray]]:
        """What the images that the trial was made from look like, and its answers on validation.

        Both without generated images.
        """
        rows = self._arrange(split, trial.run.seed, trial.run.validation_drawn)
        x, own = self._features(rows, trial.scaling), (rows["copy"] == 0).to_numpy()
        train, held_out = (
            Rows(x, np.flatnonzero(own & (rows["part"] == part))) for part in ("train", "validation")
        )
        reference = Reference.fit(train, held_out)
        answers = probabilities(trial.head, held_out)
        origin = Origin.of(rows[own], reference.distance(held_out), answers)
        y = rows["label"].to_numpy()[own & (rows["part"] == "validation")]
        return reference, origin, (y, answers)

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
        if self._measured is None or self._measured[0] is not rows:
            self._measured = rows, fit_scaling(rows[rows["part"] == "train"])
        return self._measured[1]

    def _features(self, rows: pd.DataFrame, scaling: Scaling) -> np.ndarray:
        last = self._computed
        if last is None or last[0] is not rows or last[1] != scaling:
            found = extract(
                rows,
                self.backbone,
                scaling,
                transforms=self.settings.transforms,
                precision=self.precision,
                calibration=rows[rows["part"] == "train"],
            )
            last = self._computed = (rows, scaling, found)
        return last[2]

    def _digest(self, split: pd.DataFrame) -> str:
        """Of all that a trial takes from a split, in whatever order its rows are."""
        if self._digested is None or self._digested[0] is not split:
            told = split[["path", "sha256", "label", "cause", "patient", "part"]].sort_values("path")
            text = told.to_csv(index=False, na_rep="<NA>")
            self._digested = split, hashlib.sha256(text.encode()).hexdigest()
        return self._digested[1]


def probabilities(head: keras.Model, features: np.ndarray | Rows) -> np.ndarray:
    """Probability of pneumonia, float64 (n,), for features float32 (n, d)."""
    parts = [head.predict_on_batch(block)[:, 0] for block in blocks(features)]
    return np.concatenate([np.empty(0), *parts])


def _check_own(rows: pd.DataFrame) -> None:
    """See that both parts have radiographs of both classes, by which new ones are told from familiar ones."""
    for part, name in (("validation", "validation"), ("train", "training part")):
        own = rows[(rows["part"] == part) & (rows["copy"] == 0)]
        if own["label"].nunique() < 2:
            raise NeumoError(
                f"{name}: got {len(own):,} radiographs beside generated images, all of one class, expected "
                "some of both classes; draw validation before balancing, or with another seed"
            )


def counts(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images by part and kind; "generated" counts those of either class."""
    counts = part_counts(rows[rows["copy"] == 0])
    for part, kinds in counts.items():
        kinds["generated"] = int(((rows["part"] == part) & (rows["copy"] > 0)).sum())
    return counts
