"""The published study, run from a data set to a folder of results."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from neumo.classifier.findings import notice
from neumo.data.audit import audit
from neumo.data.balance import copied
from neumo.data.duplicates import near_identical_groups
from neumo.data.inspections import inspect_images, readable
from neumo.data.sources import read
from neumo.data.split import every_split, with_validation
from neumo.data.split_file import load_split, save_split
from neumo.data.table import Dataset
from neumo.features.backbones import backbone
from neumo.files import claimed
from neumo.phantom.dataset import make_phantoms
from neumo.report.figures import draw, save_figures
from neumo.report.page import write_page
from neumo.results import published
from neumo.results.finished import check_data
from neumo.results.results import Results, Run
from neumo.results.run_folder import save_predictions
from neumo.results.settings import VALIDATION, Settings
from neumo.results.spread import summary
from neumo.study.card import told
from neumo.study.environment import environment
from neumo.study.kept import run_or_find
from neumo.study.trial import Bench, Plan, Trial
from neumo.training.steps import STEPS

PHANTOM = {"backbone": "MobileNetV2-0.35", "weights": "phantom"}
"""What a study without data runs on: small, and nothing to download; another backbone has random filters."""

SHOWN = 6
"""Radiographs on the contact sheet."""


class Study:
    """The whole study on one data set: the ladder on the random protocol, the final step on the others.

    Args:
        data: a folder or file for `neumo.read`, a `Dataset`, or None to draw synthetic radiographs.
        given_split: a saved split to climb the ladder on, in place of the random one.
        skip_unreadable: leave out images that cannot be decoded; by default they end the study.
        settings: see `Settings`; given by name.

    Raises:
        NeumoError: data or settings that cannot be used.

    Example:
        >>> results = Study("CoronaHack", backbone="ResNet50", seeds=(0, 1, 2)).run("runs/first")
        >>> results.tested("patient")[0].test["metrics"]["auc"]
    """

    def __init__(
        self,
        data: str | Path | Dataset | None = None,
        *,
        given_split: str | Path | None = None,
        skip_unreadable: bool = False,
        **settings: Any,
    ) -> None:
        if data is None:
            own = str(settings.get("backbone", PHANTOM["backbone"])).lower() == PHANTOM["backbone"].lower()
            settings = {**(PHANTOM if own else {"weights": "none"}), **settings}
        self.settings = Settings(**settings)
        self.data = data
        self.given_split = given_split
        self.skip_unreadable = skip_unreadable

    def run(self, out: str | Path = "neumo-study", *, command: str | None = None) -> Results:
        """Run what is not there yet and write everything to `out`.

        ``report.html`` is the page to look at; ``results.json`` has every number of it. Beside them:
        ``figures/``, ``splits/``, ``predictions.csv``, ``classifier.neumo`` and ``trials/``, from which an
        interrupted study goes on. Splits and trials of other seeds that an earlier run left there stay: those
        seeds need not be trained anew. Reports and comparisons read ``results.json`` and ``predictions.csv``
        alone, which have this run's seeds only, and a trial is taken up again only where all that it depends
        on is as it was.

        Args:
            out: a folder, made if need be; one with other files, or with results of other data, is refused.
            command: what to show as the way to run this again; by default the call in Python.

        Raises:
            NeumoError: bad input, in one line; trials that were finished are kept.
        """
        with claimed(out, "study") as folder:
            return self._run(folder, command)

    def _run(self, out: Path, command: str | None) -> Results:
        started = time.perf_counter()
        dataset = self._read(out)
        check_data(out, dataset)
        network = backbone(self.settings.backbone, self.settings.weights)
        if self.given_split is not None and not self.skip_unreadable:
            load_split(self.given_split, dataset.table)  # a wrong one is told before all images are decoded
        seen = inspect_images(dataset.table)
        groups = near_identical_groups(dataset.table, seen)
        found = audit(dataset, seen=seen, near_identical=groups)
        every = dataset.table["path"]
        dataset, groups = self._readable(dataset, seen, groups)
        bench = Bench(dataset, self.settings, network)
        splits, skipped = self._splits(dataset.table, groups, set(every) - set(dataset.table["path"]))
        for (protocol, seed), divided in splits.items():
            save_split(divided, out / "splits" / f"{protocol}-seed{seed}.csv")

        kept: list[tuple[Run, pd.DataFrame]] = []
        for plan in self._plan(splits):
            trial = run_or_find(out, bench, plan)
            kept.append((trial.run, trial.predictions))
            if self._is_final(plan):
                final, final_split = trial, plan.split
        results = Results(
            notice=notice(dataset.synthetic),
            dataset=describe(dataset),
            audit=found.to_dict(),
            backbone={
                "name": network.name,
                "weights": self.settings.weights,
                "weights_id": network.weights_id,
                "features": network.features,
                "parameters": network.parameters,
            },
            settings={
                **self.settings.to_dict(),
                "given_split": None if self.given_split is None else str(self.given_split),
            },
            runs=[run for run, _ in kept],
            skipped=skipped,
            contact_sheet=_contact_sheet(splits["random", self.settings.seeds[0]], self.settings.copies),
            environment=environment(self.settings.precision),
            seconds=_seconds(kept, time.perf_counter() - started),
            command=command or self._call(out),
            published=published.to_dict(),
        )
        results.summary = summary(results)
        (out / "results.json").unlink(missing_ok=True)  # old ones must not lie beside new predictions
        save_predictions(kept, dataset.synthetic, out / "predictions.csv")
        _save_classifier(final, final_split, results, bench, out / "classifier.neumo")
        results.save(out / "results.json")
        drawings = draw(results)
        save_figures(results, out / "figures", drawings)
        write_page(results, out, drawings)
        return results

    def _read(self, out: Path) -> Dataset:
        if isinstance(self.data, Dataset):
            return self.data
        return read(make_phantoms(out / "phantom") if self.data is None else self.data)

    def _readable(self, dataset: Dataset, seen: pd.DataFrame, groups: pd.Series) -> tuple[Dataset, pd.Series]:
        """The data set and its groups without images that cannot be decoded, if that is wanted."""
        good = readable(dataset.table, seen, skip=self.skip_unreadable)
        table = dataset.table[good].reset_index(drop=True)
        return dataclasses.replace(dataset, table=table), groups[good].reset_index(drop=True)

    def _splits(
        self, table: pd.DataFrame, groups: pd.Series, left_out: set[str]
    ) -> tuple[dict[tuple[str, int], pd.DataFrame], dict[str, str]]:
        """(protocol, seed) -> split, and why a protocol is left out."""
        fraction = self.settings.validation_fraction
        shares = {"test_fraction": self.settings.test_fraction, "validation_fraction": fraction}
        splits, errors = every_split(table, self.settings.seeds, **shares, groups=groups)
        if self.given_split is not None:
            given = load_split(self.given_split, table, left_out)
            own = {("random", seed): with_validation(given, fraction, seed) for seed in self.settings.seeds}
            splits = own | {key: one for key, one in splits.items() if key not in own}
            errors.pop("random", None)
        if "random" in errors:  # the ladder is on it
            raise errors["random"]
        return splits, {name: str(error) for name, error in errors.items()}

    def _plan(self, splits: dict[tuple[str, int], pd.DataFrame]) -> Iterator[Plan]:
        """Every trial of the study, those that share features one after the other."""
        drawn = self.settings.validation_drawn
        other = next(way for way in VALIDATION if way != drawn)
        for (protocol, seed), divided in splits.items():
            for step in STEPS if protocol == "random" else STEPS[-1:]:
                yield Plan(divided, protocol, step, seed, drawn, tested=step is STEPS[-1])
            if protocol == "random":
                yield Plan(divided, protocol, STEPS[-1], seed, other, tested=True)

    def _is_final(self, plan: Plan) -> bool:
        """Whether it is the ladder's last with the first seed, whose head is saved as the classifier."""
        told = (plan.protocol, plan.step, plan.seed, plan.drawn)
        return told == ("random", STEPS[-1], self.settings.seeds[0], self.settings.validation_drawn)

    def _call(self, out: Path) -> str:
        changed = [
            f"{item.name}={value!r}"
            for item in dataclasses.fields(self.settings)
            if (value := getattr(self.settings, item.name)) != getattr(Settings(), item.name)
            or (self.data is None and item.name in PHANTOM)  # has others by default
        ]
        if self.given_split is not None:
            changed.append(f"given_split={str(self.given_split)!r}")
        if self.skip_unreadable:
            changed.append("skip_unreadable=True")
        data = "data" if isinstance(self.data, Dataset) else repr(self.data and str(self.data))
        return f"neumo.Study({', '.join([data, *changed])}).run({str(out)!r})"


def _save_classifier(final: Trial, split: pd.DataFrame, results: Results, bench: Bench, file: Path) -> None:
    """The ladder's last head of the first seed; its card tells what all protocols say of the step."""
    card = told(results, final.run)
    classifier = bench.classifier(final, split, card["test"])
    classifier.card |= card
    classifier.save(file)


def _seconds(kept: list[tuple[Run, pd.DataFrame]], last: float) -> dict[str, float]:
    """Time spent on the trials, whenever they ran, and on the last run of the study."""
    spent = {what: sum(run.seconds[what] for run, _ in kept) for what in ("features", "heads")}
    return {**spent, "last run": last}


def describe(dataset: Dataset) -> dict[str, Any]:
    """A data set as `Results.dataset` has it."""
    return {
        "name": dataset.name,
        "layout": dataset.layout,
        "rows": dataset.rows,
        "images": len(dataset.table),
        "synthetic": dataset.synthetic,
        "citation": dataset.citation,
        "missing": dataset.missing,
        "positive_name": dataset.positive_name,
        "negative_name": dataset.negative_name,
        "ages": dataset.ages,
    }


def _contact_sheet(split: pd.DataFrame, copies: int) -> list[dict[str, Any]]:
    """The first radiographs, by hash, that images are generated from."""
    shown = copied(split, split["part"] == "train").sort_values("sha256").head(SHOWN if copies else 0)
    return [
        {"path": path, "sha256": sha256, "copies": copies}
        for path, sha256 in zip(shown["path"], shown["sha256"], strict=True)
    ]
