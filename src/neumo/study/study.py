"""The published study, run from a data set to a folder of results."""

from __future__ import annotations

import dataclasses
import json
import platform
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from neumo.backend import keras
from neumo.classifier import notice
from neumo.data.audit import audit
from neumo.data.duplicates import near_identical_groups
from neumo.data.inspections import inspect_images
from neumo.data.sources import read
from neumo.data.split import available, load_split, save_split, split, with_validation
from neumo.data.table import Dataset
from neumo.errors import NeumoError
from neumo.features.backbones import backbone
from neumo.features.engine import resolve_precision
from neumo.features.extract import Scaling
from neumo.files import whole_file
from neumo.phantom.dataset import make_phantoms
from neumo.report.figures import draw, save_figures
from neumo.report.page import write_page
from neumo.report.spread import summary
from neumo.study import published
from neumo.study.card import told
from neumo.study.results import Results, Run
from neumo.study.settings import VALIDATION, Settings
from neumo.study.trial import Bench, Trial, versions
from neumo.training.steps import STEPS, Step

PHANTOM = {"backbone": "MobileNetV2-0.35", "weights": "phantom"}
"""What a study without data runs on: small, and nothing to download; another backbone has random filters."""

MARKER = ".neumo-study"
"""Marks a folder as a study's own."""

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
            own = settings.get("backbone", PHANTOM["backbone"]).lower() == PHANTOM["backbone"].lower()
            settings = {**(PHANTOM if own else {"weights": "none"}), **settings}
        self.settings = Settings(**settings)
        self.data = data
        self.given_split = given_split
        self.skip_unreadable = skip_unreadable

    def run(self, out: str | Path = "neumo-study", *, command: str | None = None) -> Results:
        """Run what is not there yet and write everything to `out`.

        ``report.html`` is the page to look at; ``results.json`` has every number of it. Beside them:
        ``figures/``, ``splits/``, ``predictions.csv``, ``classifier.neumo`` and ``trials/``, from which an
        interrupted study goes on.

        Args:
            out: a folder, made if need be; one with files that are not of a study is refused.
            command: what to show as the way to run this again; by default the call in Python.

        Raises:
            NeumoError: bad input, in one line; trials that were finished are kept.
        """
        started = time.perf_counter()
        out = claim(Path(out))
        dataset = self._read(out)
        network = backbone(self.settings.backbone, self.settings.weights)
        found = audit(dataset)
        dataset = self._readable(dataset)
        bench = Bench(dataset, self.settings, network)
        splits, skipped = self._splits(dataset, out)

        kept: list[tuple[Run, pd.DataFrame]] = []
        for plan in self._plan(splits):
            trial = _kept(out, bench, plan) or _keep(out, bench, plan)
            kept.append((trial.run, trial.predictions))
            if plan.final and plan.seed == self.settings.seeds[0]:
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
            environment=environment(),
            seconds=_seconds(kept, time.perf_counter() - started),
            command=command or self._call(out),
            published=published.to_dict(),
        )
        results.summary = summary(results)
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

    def _readable(self, dataset: Dataset) -> Dataset:
        """The data set without images that cannot be decoded, if that is wanted."""
        reasons = inspect_images(dataset.table)["unreadable"]
        bad = dataset.table["path"][reasons != ""]
        if bad.empty:
            return dataset
        if not self.skip_unreadable:
            more = f" (and {len(bad) - 1:,} more)" if len(bad) > 1 else ""
            raise NeumoError(
                f"{bad.iloc[0]}: {reasons[bad.index[0]]}{more}; --skip-unreadable leaves such images out"
            )
        return dataclasses.replace(dataset, table=dataset.table.drop(bad.index).reset_index(drop=True))

    def _splits(
        self, dataset: Dataset, out: Path
    ) -> tuple[dict[tuple[str, int], pd.DataFrame], dict[str, str]]:
        """(protocol, seed) -> split, saved as tables, and why a protocol is left out."""
        table, choices = dataset.table, self.settings
        groups = near_identical_groups(table)
        shares = {"test_fraction": choices.test_fraction, "validation_fraction": choices.validation_fraction}
        reasons = available(table, **shares, groups=groups)
        skipped = {name: why for name, why in reasons.items() if why is not None}
        if self.given_split is None and "random" in skipped:
            raise NeumoError(skipped["random"])
        splits = {}
        for seed in choices.seeds:
            for protocol in (name for name in reasons if name not in skipped or name == "random"):
                if protocol == "random" and self.given_split is not None:
                    given = load_split(self.given_split, table)
                    divided = with_validation(given, choices.validation_fraction, seed)
                else:
                    divided = split(table, protocol, **shares, seed=seed, groups=groups)
                save_split(divided, out / "splits" / f"{protocol}-seed{seed}.csv")
                splits[protocol, seed] = divided
        return splits, skipped

    def _plan(self, splits: dict[tuple[str, int], pd.DataFrame]) -> Iterator[_Plan]:
        """Every trial of the study, those that share features one after the other."""
        drawn = self.settings.validation_drawn
        other = next(way for way in VALIDATION if way != drawn)
        for (protocol, seed), divided in splits.items():
            ladder = STEPS if protocol == "random" else STEPS[-1:]
            for step in ladder:
                last = step is STEPS[-1]
                yield _Plan(divided, protocol, step, seed, drawn, last, final=last and protocol == "random")
            if protocol == "random":
                yield _Plan(divided, protocol, STEPS[-1], seed, other, tested=True)

    def _call(self, out: Path) -> str:
        changed = [
            f"{item.name}={value!r}"
            for item in dataclasses.fields(self.settings)
            if (value := getattr(self.settings, item.name)) != getattr(Settings(), item.name)
        ]
        data = str(self.data.root) if isinstance(self.data, Dataset) else self.data and str(self.data)
        return f"neumo.Study({', '.join([repr(data), *changed])}).run({str(out)!r})"


@dataclasses.dataclass(frozen=True)
class _Plan:
    """A trial to be run; `final` marks the ladder's last, whose head is saved as the classifier."""

    split: pd.DataFrame
    protocol: str
    step: Step
    seed: int
    drawn: str
    tested: bool
    final: bool = False


def claim(out: Path) -> Path:
    """Make a run's folder, or see that it is one.

    Raises:
        NeumoError: it holds other files, or is a file.
    """
    if out.exists() and not out.is_dir():
        raise NeumoError(f"{out}: got a file, expected a folder for the results")
    if out.exists() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise NeumoError(f"{out}: got a folder with other files, expected a new one or one of a neumo study")
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_text("neumo study writes its results here, and over what it wrote before.\n")
    return out


def _folder(out: Path, plan: _Plan) -> Path:
    step = plan.step.name.replace(" ", "-")
    return out / "trials" / f"{plan.protocol}-{step}-{plan.drawn}-seed{plan.seed}"


def _key(bench: Bench, plan: _Plan) -> str:
    return bench.key(plan.split, plan.protocol, plan.step, plan.seed, plan.drawn, plan.tested)


def _kept(out: Path, bench: Bench, plan: _Plan) -> Trial | None:
    """The trial as an earlier run left it, if all that it depends on is as it was then."""
    folder = _folder(out, plan)
    try:
        found = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
        if found["key"] != _key(bench, plan):
            return None
        head = keras.saving.load_model(folder / "head.keras", compile=False)
        predictions = pd.read_csv(folder / "predictions.csv", dtype={"patient": str, "cause": str})
        return Trial(Run(**found["run"]), head, Scaling(**found["run"]["scaling"]), predictions)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _keep(out: Path, bench: Bench, plan: _Plan) -> Trial:
    """Run the trial and leave it where `_kept` finds it; ``trial.json`` vouches for the rest."""
    trial = bench.fit(plan.split, plan.protocol, plan.step, plan.seed, plan.drawn, tested=plan.tested)
    folder = _folder(out, plan)
    with whole_file(folder / "head.keras") as part:
        trial.head.save(part, include_optimizer=False)
    with whole_file(folder / "predictions.csv") as part:
        trial.predictions.to_csv(part, index=False)
    with whole_file(folder / "trial.json") as part:
        part.write_text(json.dumps({"key": _key(bench, plan), "run": dataclasses.asdict(trial.run)}))
    return trial


def save_predictions(kept: list[tuple[Run, pd.DataFrame]], synthetic: bool, file: Path) -> None:
    """Every tested image of every run in one table."""
    tables = [
        predictions.assign(
            protocol=run.protocol, seed=run.seed, validation_drawn=run.validation_drawn, synthetic=synthetic
        )
        for run, predictions in kept
        if run.test is not None
    ]
    with whole_file(file) as part:
        pd.concat(tables).to_csv(part, index=False)


def _save_classifier(final: Trial, split: pd.DataFrame, results: Results, bench: Bench, file: Path) -> None:
    """The ladder's last head of the first seed; its card tells what all protocols say of the step."""
    card = told(results)
    classifier = bench.classifier(final, split, card["test"])
    classifier.card |= card
    classifier.save(file)


def _seconds(kept: list[tuple[Run, pd.DataFrame]], last: float) -> dict[str, float]:
    """Time spent on the trials, whenever they ran, and on the last run of the study."""
    spent = {what: sum(run.seconds[what] for run, _ in kept) for what in ("features", "heads")}
    return {**spent, "last run": last}


def describe(dataset: Dataset) -> dict[str, Any]:
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
    }


def _contact_sheet(split: pd.DataFrame, copies: int) -> list[dict[str, Any]]:
    """The first radiographs, by hash, of the rarer class of the training part."""
    train = split[split["part"] == "train"]
    rarer = train[train["label"] == train["label"].value_counts().idxmin()]
    shown = rarer.sort_values("sha256").head(SHOWN if copies else 0)
    return [
        {"path": path, "sha256": sha256, "copies": copies}
        for path, sha256 in zip(shown["path"], shown["sha256"], strict=True)
    ]


def environment() -> dict[str, str]:
    return {
        **versions(),
        "platform": platform.platform(),
        "keras backend": keras.backend.backend(),
        "precision": resolve_precision("auto"),
    }
