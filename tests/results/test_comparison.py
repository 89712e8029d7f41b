from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from neumo.errors import NeumoError
from neumo.results.comparison import compare
from neumo.results.results import Results


@pytest.fixture
def copied(two_runs: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The runs, for tests that change them."""
    for run in two_runs:
        shutil.copytree(run, tmp_path / run.name)
    return tmp_path / two_runs[0].name, tmp_path / two_runs[1].name


def change(run: Path, column: str, values: list[str] | pd.Series) -> None:
    table = pd.read_csv(run / "predictions.csv")
    table[column] = values
    table.to_csv(run / "predictions.csv", index=False)


def test_pairs_the_same_images_of_protocol_and_seed(two_runs: tuple[Path, Path]) -> None:
    found = compare(*two_runs, replicates=50)
    assert [run.name for run in found.runs] == ["coarse", "fine"]
    assert {pair.protocol for pair in found.pairs} == {"random", "official", "patient"}
    assert found.by_runs == {("coarse", "fine"): list(found.pairs)}
    tables = [pd.read_csv(run / "predictions.csv") for run in two_runs]
    for pair in found.pairs:
        assert (pair.first, pair.second) == ("coarse", "fine")
        assert [one.seed for one in pair.seeds] == [0, 1]
        aucs, accuracies = [], []
        for one in pair.seeds:
            own = [table.query(f"protocol == '{pair.protocol}' and seed == {one.seed}") for table in tables]
            merged = own[0].merge(own[1], on="sha256")
            assert one.images == len(merged) == len(own[0])
            assert one.left_out == 0
            both = [(merged[f"probability_{end}"], merged[f"label_{end}"]) for end in "xy"]
            right = [((p >= 0.5) == y).to_numpy() for p, y in both]
            assert one.mcnemar.first_only == (right[0] & ~right[1]).sum()
            assert one.mcnemar.second_only == (right[1] & ~right[0]).sum()
            aucs.append(roc_auc_score(both[1][1], both[1][0]) - roc_auc_score(both[0][1], both[0][0]))
            accuracies.append(right[1].mean() - right[0].mean())
            assert one.delong.difference == pytest.approx(aucs[-1])
        assert pair.differences["auc"].value == pytest.approx(np.mean(aucs))
        assert pair.differences["accuracy"].value == pytest.approx(np.mean(accuracies))


def test_verdict_follows_the_interval_and_the_metrics_sense(two_runs: tuple[Path, Path]) -> None:
    forth, back = compare(*two_runs, replicates=200), compare(*reversed(two_runs), replicates=200)
    opposite = {"better": "worse", "worse": "better", "within noise": "within noise"}
    verdicts = set()
    for one, other in zip(forth.pairs, back.pairs, strict=True):
        for metric, found in one.differences.items():
            assert found.value == pytest.approx(-other.differences[metric].value)
            assert other.verdict(metric) == opposite[one.verdict(metric)]
            verdicts.add(one.verdict(metric))
        loss = one.differences["loss"]
        assert (one.verdict("loss") == "better") == (loss.high < 0)
    assert len(verdicts) > 1


def test_decides_by_each_runs_own_operating_point(copied: tuple[Path, Path]) -> None:
    results = Results.load(copied[1] / "results.json")
    for run in results.runs:
        run.threshold["threshold"] = 0.0  # everything is called pneumonia
    results.save(copied[1] / "results.json")
    first = Results.load(copied[0] / "results.json")
    for pair in compare(*copied, replicates=20).pairs:
        for metric, second in (("sensitivity", 1), ("specificity", 0)):
            before = [run.test["metrics"][metric]["value"] for run in first.tested(pair.protocol) if run.test]
            assert pair.differences[metric].value == pytest.approx(second - np.mean(before))


def test_says_how_many_images_only_one_run_has(copied: tuple[Path, Path]) -> None:
    table = pd.read_csv(copied[1] / "predictions.csv")
    gone = (table["protocol"] == "official") & (table["seed"] == 0) & ~table["sha256"].duplicated()
    table[~(gone & (gone.cumsum() <= 3))].to_csv(copied[1] / "predictions.csv", index=False)
    results = Results.load(copied[1] / "results.json")
    for run in results.tested("official"):
        assert run.test is not None
        run.test["n"] -= 3 * (run.seed == 0)
    results.save(copied[1] / "results.json")
    official = next(pair for pair in compare(*copied, replicates=20).pairs if pair.protocol == "official")
    assert [one.left_out for one in official.seeds] == [3, 0]


def test_runs_without_shared_images_are_refused_in_one_line(copied: tuple[Path, Path]) -> None:
    sha256 = pd.read_csv(copied[1] / "predictions.csv")["sha256"]
    change(copied[1], "sha256", [one[::-1] for one in sha256])
    with pytest.raises(NeumoError, match="share no test images of both classes"):
        compare(*copied)


def test_runs_that_share_one_class_are_not_told_to_share_none(copied: tuple[Path, Path]) -> None:
    table = pd.read_csv(copied[1] / "predictions.csv")
    normal = table["label"] == 0
    change(copied[1], "sha256", table["sha256"].where(~normal, table["sha256"].str[::-1]))
    with pytest.raises(NeumoError, match="share no test images of both classes"):
        compare(*copied)


def test_a_third_run_on_other_data_is_told_apart(
    two_runs: tuple[Path, Path], copied: tuple[Path, Path]
) -> None:
    sha256 = pd.read_csv(copied[1] / "predictions.csv")["sha256"]
    change(copied[1], "sha256", [one[::-1] for one in sha256])
    found = compare(*two_runs, copied[1], replicates=20)
    assert found.unpaired == (
        (found.runs[0].name, found.runs[2].name),
        (found.runs[1].name, found.runs[2].name),
    )
    assert [run.name for run in found.runs] == ["/".join(run.parts[-2:]) for run in (*two_runs, copied[1])]
    assert {(pair.first, pair.second) for pair in found.pairs} == {(found.runs[0].name, found.runs[1].name)}


def test_one_of_two_runs_may_be_synthetic_and_tested_on_less(copied: tuple[Path, Path]) -> None:
    real, drawn = (Results.load(run / "results.json") for run in copied)
    real.dataset["synthetic"], real.notice, drawn.notice = False, "real", "drawn"
    for run, results in zip(copied, (real, drawn), strict=True):
        results.runs = [one for one in results.runs if one.protocol != "official" and one.seed == 0]
        table = pd.read_csv(run / "predictions.csv")
        table[(table["protocol"] != "official") & (table["seed"] == 0)].to_csv(
            run / "predictions.csv", index=False
        )
    drawn.runs = [one for one in drawn.runs if one.protocol != "patient"]
    real.save(copied[0] / "results.json")
    drawn.save(copied[1] / "results.json")
    found = compare(*copied, replicates=1)
    assert found.protocols == ["random", "patient"]
    assert {name: set(told) for name, told in found.to_dict()["metrics"].items()} == {
        "random": {"coarse", "fine"},
        "patient": {"coarse"},
    }
    assert (found.synthetic, found.notice) == (True, "drawn")
    (pair,) = found.pairs
    assert pair.differences["auc"].low == pair.differences["auc"].high  # of one replicate


def test_other_labels_are_refused(copied: tuple[Path, Path]) -> None:
    change(copied[1], "label", 1 - pd.read_csv(copied[1] / "predictions.csv")["label"])
    with pytest.raises(NeumoError, match="different labels for"):
        compare(*copied)


def test_what_is_no_run_is_refused(
    two_runs: tuple[Path, Path], copied: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NeumoError, match=r"got no results.json there, expected the folder of a run"):
        compare(two_runs[0], tmp_path / "empty")
    with pytest.raises(NeumoError, match="expected two or more"):
        compare(two_runs[0])
    with pytest.raises(NeumoError, match="expected two or more"):
        compare(two_runs[0], two_runs[0])
    table = pd.read_csv(copied[0] / "predictions.csv")
    table.iloc[:-1].to_csv(copied[0] / "predictions.csv", index=False)
    with pytest.raises(NeumoError, match="run it again"):
        compare(*copied)
    (copied[0] / "predictions.csv").write_bytes(b"\xff\xfe\x00nothing")
    with pytest.raises(NeumoError, match=r"predictions.csv: got .*expected the predictions of a neumo run"):
        compare(*copied)


def test_a_metric_that_is_not_defined_is_told_as_none(copied: tuple[Path, Path]) -> None:
    results = Results.load(copied[1] / "results.json")
    for run in results.tested("patient"):
        assert run.test is not None
        run.test["metrics"]["auc"] = {"value": None, "low": None, "high": None}
    results.save(copied[1] / "results.json")
    found = compare(*copied, replicates=20).to_dict()["metrics"]["patient"]
    assert found["fine"]["auc"] is None
    assert found["coarse"]["auc"] is not None


def test_is_json(two_runs: tuple[Path, Path]) -> None:
    found = compare(*two_runs, replicates=20).to_dict()
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again["synthetic"] is True
    results = Results.load(two_runs[0] / "results.json")
    accuracies = [run.test["metrics"]["accuracy"]["value"] for run in results.tested("patient") if run.test]
    assert again["metrics"]["patient"]["coarse"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert len(again["pairs"]) == 3


def test_results_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(NeumoError, match=r"none\.json: got no such file, expected results\.json"):
        Results.load(tmp_path / "none.json")
    with pytest.raises(NeumoError, match="got a folder, expected its results"):
        Results.load(tmp_path)


def test_a_list_of_runs_is_told() -> None:
    with pytest.raises(
        NeumoError, match=r"^compare: got a list, expected folders, as compare\('RUN', 'TUNED'\)$"
    ):
        compare(["RUN", "TUNED"])  # type: ignore[arg-type]
