"""What a run tells on the card of its classifier."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neumo.classifier.findings import percent
from neumo.data.split import PROTOCOLS
from neumo.data.table import Dataset
from neumo.evaluation.metrics import without_nan
from neumo.evaluation.operating_point import operating_points
from neumo.results.results import Results, Run
from neumo.results.spread import spread
from neumo.study.environment import versions

ALWAYS = (
    "A research tool, not a medical device: nothing it says may guide the care of a patient.",
    "It tells two kinds of frontal chest radiographs apart. Whatever else a radiograph shows, from a "
    "fracture to a tumour, is called one of the two.",
)
CORONAHACK = (
    "Nearly all of its radiographs are of children of one to five years from one hospital (Guangzhou Women "
    "and Children's Medical Center; Kermany et al., Cell 172, 2018). On adults, other hospitals and other "
    "equipment it is untested.",
    "The labels are readings of the radiographs, not laboratory findings.",
)
UNKNOWN = (
    "Who was radiographed, where, and with what equipment is not known to neumo, nor who set the labels and "
    "how. Elsewhere expect other figures: neumo evaluate measures them.",
)
FEW = 15
"""Test radiographs of a class: with 15 of 15 right, the 95 % interval of Wilson begins at 0.80."""

SYNTHETIC = ("Its radiographs were drawn by a program and show no patient: it knows nothing of real ones.",)


def of_run(
    run: Run,
    dataset: Dataset,
    backbone: dict[str, Any],
    settings: dict[str, Any],
    validation: tuple[ArrayLike, ArrayLike],
) -> dict[str, Any]:
    """What the card of a classifier takes from the one run that trained it.

    Args:
        run: whose network it is.
        dataset: that it was trained on.
        backbone: that it started from: "name" and "weights_id".
        settings: every choice of the run, JSON-able.
        validation: labels and predicted probabilities of what its operating point was chosen on, (n,) each.
    """
    return {
        "name": f"{dataset.name}, {backbone['name']}, {run.step}",
        "positive": dataset.positive_name,
        "negative": dataset.negative_name,
        "threshold": run.threshold,
        "operating_points": operating_points(*validation),
        "backbone": {name: backbone[name] for name in ("name", "weights_id")},
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
            "settings": {**settings, "weights": " + ".join(map(_name, settings["weights"].split(" + ")))},
        },
        "made_by": versions(),
    }


_ABSOLUTE = re.compile(
    r"""(?:(?P<quote>['"])|(?<!\S))(?P<option>--[\w-]+=)?(?P<path>/(?(quote)(?:(?!(?P=quote)).)+|\S+))"""
)
"""A path from the root on, alone or after ``--option=``, in quotes or between spaces."""


def _name(path: str) -> str:
    """A path without the folders on the way, which are nobody's business where a card is passed on."""
    return Path(path).name


def _without_folders(found: re.Match[str]) -> str:
    return f"{found['quote'] or ''}{found['option'] or ''}{_name(found['path'])}"


def told(results: Results, own: Run) -> dict[str, Any]:
    """What the card of a classifier takes from the run that made it.

    Args:
        results: of the whole run.
        own: the one whose network it is.

    Returns:
        "own" (what the network itself gave on the test part of its run: "protocol", "seed", "images",
        "confusion" and "metrics": name -> "value", "low" and "high"), "test" (protocol -> metric -> mean over
        the seeds, so of several networks), "results" (see `results_for_card`), "limits" (sentences), "ages"
        (see `neumo.data.table.Dataset.ages`) and "command" (what trains it again).
    """
    found = results_for_card(results)
    means = {
        protocol: {name: one["mean"] for name, one in tested["metrics"].items() if one is not None}
        for protocol, tested in found.items()
    }
    return {
        "own": _itself(own),
        "test": means,
        "results": found,
        "limits": limits(results, own),
        "ages": results.dataset.get("ages"),
        "command": _ABSOLUTE.sub(_without_folders, results.command),
    }


def results_for_card(results: Results) -> dict[str, Any]:
    """What the test parts say, short enough for a card; None stands for what is not defined.

    Returns:
        By protocol "images" and "seeds"; "metrics": name -> "mean", "sd" (over the seeds), "low" and "high"
        (of the 95 % interval, mean over the seeds); "by_cause": cause -> "n", "sensitivity", "low" and
        "high", "confusion" and "calibration" as in `neumo.evaluation.metrics.Evaluation`, likewise means.
    """
    protocols = {name: runs for name in PROTOCOLS if (runs := results.tested(name))}
    return without_nan({name: _tested(runs) for name, runs in protocols.items()})


def limits(results: Results, own: Run) -> list[str]:
    """What a user of the classifier should know before relying on it, in sentences; see `told`."""
    data = results.dataset
    of_data = SYNTHETIC if data["synthetic"] else CORONAHACK if data["layout"] == "coronahack" else UNKNOWN
    said = [*ALWAYS, *of_data]
    if (ages := data.get("ages")) and of_data is UNKNOWN:
        said.append(f"Its radiographs are of patients of {ages[0]} to {ages[1]} years.")
    train, given = own.counts["train"], results.settings.get("prevalence")
    share = train["pneumonia"] / max(train["pneumonia"] + train["normal"], 1)
    made_for = ""
    if given is not None:
        made_for = f", and its probabilities are made for places where {100 * given:.4g}% do"
    said.append(
        f"{percent(share, 0)} of its training radiographs have {data['positive_name']}{made_for}. Where "
        "fewer do, more of its alarms are false, and its probabilities are too high."
    )
    tested = [run.counts["test"] for run in results.runs if run.test is not None]
    fewest = min((min(test["normal"], test["pneumonia"]) for test in tested), default=FEW)
    if fewest < FEW:
        said.append(
            f"It was tested on very few radiographs, {fewest} of one class: its figures, and their "
            "intervals, say next to nothing."
        )
    if "patient" in results.skipped:
        said.append(
            "It could not be tested on patients kept apart, so its figures may flatter it: images of one "
            "patient resemble each other."
        )
    return said


def _itself(run: Run) -> dict[str, Any] | None:
    if run.test is None:
        return None
    return without_nan(
        {
            "protocol": run.protocol,
            "seed": run.seed,
            "images": run.test["n"],
            "confusion": run.test["confusion"],
            "metrics": run.test["metrics"],
        }
    )


def _tested(runs: list[Run]) -> dict[str, Any]:
    tests = [run.test for run in runs if run.test is not None]
    figures = {name: spread(runs, name) for name in tests[0]["metrics"]}
    return {
        "images": int(np.median([test["n"] for test in tests])),
        "seeds": [run.seed for run in runs],
        "metrics": {
            name: None if one is None else {"mean": one.mean, "sd": one.sd, "low": one.low, "high": one.high}
            for name, one in figures.items()
        },
        "by_cause": {
            cause: _means([run.by_cause[cause] for run in runs if cause in run.by_cause])
            for cause in sorted({cause for run in runs for cause in run.by_cause})
        },
        "confusion": np.mean([test["confusion"] for test in tests], axis=0).tolist(),
        "calibration": _bins([test["calibration"] for test in tests]),
    }


def _means(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _bins(found: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Calibration over the seeds, each weighted by its images; "count" is the mean over the seeds."""
    count = np.array([one["count"] for one in found])
    with np.errstate(invalid="ignore"):
        means = {
            name: (np.array([[v or 0.0 for v in one[name]] for one in found]) * count).sum(0) / count.sum(0)
            for name in ("predicted", "observed")
        }
    return {
        "low": found[0]["low"],
        "high": found[0]["high"],
        "count": count.mean(axis=0).tolist(),
        **{name: values.tolist() for name, values in means.items()},
    }
