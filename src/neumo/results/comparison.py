"""Runs laid side by side on the test images that they share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from neumo.data.split import PROTOCOLS
from neumo.errors import NeumoError, told
from neumo.evaluation.metrics import LOWER_IS_BETTER, Estimate, without_nan
from neumo.evaluation.paired import DeLong, McNemar, Pair, delong, differences, mcnemar
from neumo.results.finished import FinishedRun, read_run


@dataclass(frozen=True)
class SeedTest:
    """Two runs on the test images that they share, of one seed.

    Attributes:
        seed: of both.
        images: how many they share.
        left_out: how many only one of them was tested on.
        mcnemar: whether their decisions, each at its own operating point, are right equally often.
        delong: whether they have the same AUC.
    """

    seed: int
    images: int
    left_out: int
    mcnemar: McNemar
    delong: DeLong


@dataclass(frozen=True)
class PairTest:
    """Two runs on one protocol, over the seeds that they share.

    Attributes:
        protocol: name of the protocol.
        first: name of the run that is the measure.
        second: name of the run that is measured.
        seeds: a test per seed.
        differences: metric -> second - first, mean over the seeds, with its 95 % interval; patients are
            resampled together with all their images in all seeds.
    """

    protocol: str
    first: str
    second: str
    seeds: tuple[SeedTest, ...]
    differences: dict[str, Estimate]

    def verdict(self, metric: str) -> str:
        """``"better"``, ``"worse"`` or ``"within noise"``: what the second run is by the interval."""
        found = self.differences[metric]
        if not (found.low > 0 or found.high < 0):
            return "within noise"
        return "better" if (found.low > 0) != (metric in LOWER_IS_BETTER) else "worse"


@dataclass(frozen=True)
class Comparison:
    """What `compare` finds.

    Attributes:
        runs: in the order given.
        pairs: every pair of runs on every protocol where they share test images.
        unpaired: pairs of names that do not share test images of both classes.
    """

    runs: tuple[FinishedRun, ...]
    pairs: tuple[PairTest, ...]
    unpaired: tuple[tuple[str, str], ...]

    @property
    def protocols(self) -> list[str]:
        """Protocols that any run was tested on."""
        return [name for name in PROTOCOLS if any(run.tested(name) for run in self.runs)]

    @property
    def by_runs(self) -> dict[tuple[str, str], list[PairTest]]:
        """Names of two runs -> their tests by protocol."""
        found: dict[tuple[str, str], list[PairTest]] = {}
        for pair in self.pairs:
            found.setdefault((pair.first, pair.second), []).append(pair)
        return found

    @property
    def synthetic(self) -> bool:
        """Whether any run's radiographs are synthetic."""
        return any(run.results.dataset["synthetic"] for run in self.runs)

    @property
    def notice(self) -> str:
        """What stands beside the figures: that nothing here is a diagnosis."""
        return next(
            (run.results.notice for run in self.runs if run.results.dataset["synthetic"]),
            self.runs[0].results.notice,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; None stands for a number that is not defined."""
        return without_nan(
            {
                "notice": self.notice,
                "synthetic": self.synthetic,
                "runs": [
                    {
                        "name": run.name,
                        "folder": str(run.folder),
                        "data": run.results.dataset["name"],
                        "backbone": run.results.backbone["name"],
                        "command": run.results.command,
                    }
                    for run in self.runs
                ],
                "metrics": {
                    protocol: {
                        run.name: {
                            name: None if one is None else asdict(one)
                            for name, one in run.spreads(protocol).items()
                        }
                        for run in self.runs
                        if run.tested(protocol)
                    }
                    for protocol in self.protocols
                },
                "pairs": [
                    {
                        **asdict(pair),
                        "seeds": [asdict(one) for one in pair.seeds],
                        "verdicts": {name: pair.verdict(name) for name in pair.differences},
                    }
                    for pair in self.pairs
                ],
                "unpaired": [list(names) for names in self.unpaired],
            }
        )


def compare(*runs: str | Path, replicates: int = 1000) -> Comparison:
    """Compare runs on the test images that they share, matched by content, protocol and seed.

    Nothing is predicted: what the runs left is read, so the test parts are not looked at again.

    Args:
        runs: two or more folders, as `neumo study` and `neumo train` write them.
        replicates: of the bootstrap.

    Raises:
        NeumoError: fewer than two, a folder that is none of a run or is damaged, no two runs that share test
            images of both classes, or runs that label an image differently.

    Example:
        >>> compare("runs/frozen", "runs/fine-tuned").pairs[0].verdict("auc")
        'better'
    """
    for run in runs:
        if not isinstance(run, str | os.PathLike):
            raise NeumoError(f"compare: got {told(run)}, expected folders, as compare('RUN', 'TUNED')")
    folders = [Path(run) for run in runs]
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise NeumoError(f"compare: got {', '.join(map(str, runs)) or 'no run'}, expected two or more runs")
    found = tuple(read_run(folder, name) for folder, name in zip(folders, _names(folders), strict=True))
    pairs, unpaired = [], []
    for first, second in combinations(found, 2):
        tests = list(_pair_tests(first, second, replicates))
        pairs += tests
        unpaired += [] if tests else [(first.name, second.name)]
    if not pairs:
        raise NeumoError(
            f"compare: got runs that share no test images of both classes ({', '.join(map(str, runs))}), "
            "expected runs on the same data, of one protocol and seed"
        )
    return Comparison(found, tuple(pairs), tuple(unpaired))


def _names(folders: list[Path]) -> list[str]:
    """The end of each path, as long as it needs to be."""
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            break
    return names


def _pair_tests(first: FinishedRun, second: FinishedRun, replicates: int) -> Iterator[PairTest]:
    for protocol in PROTOCOLS:
        others = {run.seed: run for run in second.tested(protocol)}
        pairs, tests = [], []
        for run in first.tested(protocol):
            if run.seed not in others:
                continue
            one, other = first.answers(run), second.answers(others[run.seed])
            both = one.join(other[["label", "probability"]].add_suffix("_second"), how="inner")
            if both["label"].nunique() < 2:
                continue
            if (differ := (both["label"] != both["label_second"]).sum()) > 0:
                raise NeumoError(
                    f"{first.folder}, {second.folder}: got different labels for {differ:,} of {len(both):,} "
                    "images, expected runs on the same labels"
                )
            content = pd.Series(both.index.get_level_values("sha256"), both.index)
            pair = Pair(
                both["label"],
                both["probability"],
                both["probability_second"],
                (run.threshold["threshold"], others[run.seed].threshold["threshold"]),
                both["patient"].fillna(content),
            )
            pairs.append(pair)
            left_out = len(one) + len(other) - 2 * len(both)
            tests.append(SeedTest(run.seed, len(both), left_out, mcnemar(pair), delong(pair)))
        if pairs:
            found = differences(pairs, replicates=replicates)
            yield PairTest(protocol, first.name, second.name, tuple(tests), found)
