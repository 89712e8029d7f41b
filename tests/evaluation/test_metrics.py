"""Metrics are scikit-learn's, and their intervals those of a plain bootstrap."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn import metrics as sk

from neumo.backend import keras
from neumo.errors import NeumoError
from neumo.evaluation.metrics import METRICS, by_cause, evaluate, measure

Predictions = tuple[NDArray[np.int64], NDArray[np.float64]]


def _predictions(n: int = 300, seed: int = 0, decimals: int = 2) -> Predictions:
    """Predictions of a fair classifier, three in four pneumonia, with ties among them."""
    random = np.random.default_rng(seed)
    y = (random.uniform(size=n) < 0.73).astype(np.int64)
    p = 1 / (1 + np.exp(-(2 * y - 1 + 1.5 * random.normal(size=n))))
    return y, p.round(decimals)


def _ece(y: Any, p: Any) -> float:
    """Guo et al., arXiv:1706.04599, equation 3, bin by bin."""
    total = 0.0
    for b in range(10):
        inside = (p >= b / 10) & ((p < (b + 1) / 10) | (b == 9))
        if inside.any():
            total += inside.mean() * abs(y[inside].mean() - p[inside].mean())
    return total


def _sklearn(y: Any, p: Any, threshold: float) -> dict[str, float]:
    called = p >= threshold
    return {
        "loss": sk.log_loss(y, p),
        "accuracy": sk.accuracy_score(y, called),
        "auc": sk.roc_auc_score(y, p),
        "average_precision": sk.average_precision_score(y, p),
        "sensitivity": sk.recall_score(y, called),
        "specificity": sk.recall_score(y, called, pos_label=0),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called),
        "brier": sk.brier_score_loss(y, p),
        "ece": _ece(y, p),
    }


@pytest.mark.parametrize("threshold", [0.5, 0.31])
@pytest.mark.parametrize("decimals", [1, 2, 9])
def test_every_metric_is_scikit_learns(threshold: float, decimals: int) -> None:
    y, p = _predictions(decimals=decimals)
    p = p.clip(1e-6, 1 - 1e-6)
    found = evaluate(y, p, threshold=threshold, replicates=2).metrics
    for name, value in _sklearn(y, p, threshold).items():
        assert found[name].value == pytest.approx(value, abs=1e-12), name
    assert set(found) == set(_sklearn(y, p, threshold))


@pytest.mark.parametrize(("threshold", "confusion"), [(0, [[0, 2], [0, 2]]), (1, [[2, 0], [1, 1]])])
def test_a_threshold_may_be_an_end(threshold: float, confusion: list[list[int]]) -> None:
    y, p = [0, 0, 1, 1], [0.0, 0.3, 0.2, 1.0]
    assert evaluate(y, p, threshold=threshold, replicates=1).confusion == confusion


def test_every_metric_has_a_name_for_people() -> None:
    assert set(METRICS) == set(evaluate([0, 1, 0, 1], [0.2, 0.9, 0.4, 0.3], replicates=10).metrics)


def test_loss_of_a_certain_wrong_prediction_is_keras() -> None:
    y, p = np.array([0, 1, 1]), np.array([1.0, 0.0, 1.0])
    expected = float(keras.losses.BinaryCrossentropy()(y.astype("float32"), p.astype("float32")))
    assert evaluate(y, p, replicates=1).metrics["loss"].value == pytest.approx(expected, rel=0.01)


def test_whole_number_weights_are_repetitions() -> None:
    y, p = _predictions(60)
    weights = np.random.default_rng(3).integers(0, 4, size=(5, 60))
    found = measure(y.astype(float), p, 0.5, weights.astype(float))
    for r, times in enumerate(weights):
        repeated = measure(y.repeat(times).astype(float), p.repeat(times), 0.5, np.ones((1, times.sum())))
        for name, value in _sklearn(y.repeat(times), p.repeat(times).clip(1e-7, 1 - 1e-7), 0.5).items():
            assert found[name][r] == pytest.approx(value, abs=1e-6), name
            assert found[name][r] == pytest.approx(repeated[name][0], abs=1e-12), name


def test_intervals_are_those_of_a_plain_bootstrap_with_the_same_draws() -> None:
    y, p = _predictions(80)
    p = p.clip(1e-6, 1 - 1e-6)
    patients = np.random.default_rng(1).integers(30, size=80)
    names = list(dict.fromkeys(patients))  # patients in the order of their first image
    random = np.random.default_rng(5)
    replicates: list[dict[str, float]] = []
    for _ in range(60):
        drawn = random.integers(len(names), size=len(names))
        rows = np.concatenate([np.flatnonzero(patients == names[unit]) for unit in drawn])
        replicates.append(_sklearn(y[rows], p[rows], 0.5))
    found = evaluate(y, p, groups=patients, replicates=60, seed=5)
    for name, estimate in found.metrics.items():
        low, high = np.quantile([r[name] for r in replicates], [0.025, 0.975])
        assert estimate.high == pytest.approx(high, abs=1e-9), name
        if name != "ece":  # whose lower end is held to the truth, below
            assert estimate.low == pytest.approx(low, abs=1e-9), name
    assert found.bootstrap["resampled"] == "patients"
    assert found.bootstrap["units"] == len(names)


@pytest.mark.parametrize(("n", "images", "odds"), [(150, 1, 1.0), (50, 3, 1.0), (150, 1, 2.5), (600, 1, 0.4)])
def test_interval_of_the_calibration_error_covers_the_truth(n: int, images: int, odds: float) -> None:
    """Of n patients with so many images, where the log odds given are so many times the true ones."""
    random = np.random.default_rng(11)

    def draw(patients: int) -> tuple[Any, Any, Any]:
        truth = np.repeat(random.normal(0.5, 2, patients), images)
        y = (random.uniform(size=len(truth)) < 1 / (1 + np.exp(-truth))).astype(int)
        return y, 1 / (1 + np.exp(-odds * truth)), np.arange(patients).repeat(images)

    y, p, _ = draw(400_000)
    true = max(_ece(y, p), 0.003)  # that of so many draws is not 0, either
    covered = []
    for _ in range(60):
        y, p, patients = draw(n)
        found = evaluate(y, p, groups=patients, replicates=200).metrics["ece"]
        assert found.low <= found.value <= found.high
        covered.append(found.low <= true <= found.high)
    assert np.mean(covered) >= 0.88  # 95 % but for the chance of 60


def test_confusion_is_scikit_learns_and_agrees_with_a_point_of_the_roc() -> None:
    y, p = _predictions()
    found = evaluate(y, p, threshold=0.4, replicates=1)
    assert found.confusion == sk.confusion_matrix(y, p >= 0.4).tolist()
    (tn, fp), (fn, tp) = found.confusion
    assert np.isclose(
        np.hypot(
            np.array(found.roc["fpr"]) - fp / (tn + fp), np.array(found.roc["tpr"]) - tp / (tp + fn)
        ).min(),
        0,
    )


def test_curves_enclose_the_areas_that_are_reported() -> None:
    y, p = _predictions()
    found = evaluate(y, p, replicates=1)
    roc, pr = found.roc, found.precision_recall
    assert np.trapezoid(roc["tpr"], roc["fpr"]) == pytest.approx(found.metrics["auc"].value)
    every_point = sk.precision_recall_curve(y, p)
    assert set(zip(pr["precision"], pr["recall"], strict=True)) < set(zip(*every_point[:2], strict=True))
    assert len({len(values) for values in pr.values()}) == len({len(values) for values in roc.values()}) == 1
    some = len(roc["threshold"]) // 2
    assert (p[y == 1] >= roc["threshold"][some]).mean() == pytest.approx(roc["tpr"][some])


def test_calibration_counts_every_image_once() -> None:
    y, p = np.array([0, 1, 1, 0, 1]), np.array([0.0, 1.0, 0.95, 0.12, 0.18])
    bins = evaluate(y, p, replicates=1).calibration
    assert bins["count"] == [1, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    assert bins["predicted"][1] == pytest.approx(0.15)
    assert (bins["observed"][1], bins["observed"][9]) == (0.5, 1.0)
    assert (bins["low"][1], bins["high"][1]) == pytest.approx((0.1, 0.2))
    assert np.isnan(bins["observed"][4])


def test_the_document_is_json_without_nan() -> None:
    y, p = np.array([0, 1]), np.array([0.2, 0.9])
    found = evaluate(y, p, replicates=40)
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["metrics"]["accuracy"]["value"] == 1.0
    assert document["roc"]["threshold"][0] is None
    assert document["calibration"]["observed"][5] is None
    assert set(document) >= {"n", "threshold", "confusion", "roc", "precision_recall", "calibration"}


@pytest.mark.filterwarnings("error")
def test_replicates_that_lack_a_class_are_counted_and_left_out() -> None:
    y, p = np.array([0, 1, 1, 1]), np.array([0.2, 0.9, 0.1, 0.7])
    found = evaluate(y, p, replicates=400, seed=2)
    random = np.random.default_rng(2)
    lacking = sum(len(set(y[random.integers(4, size=4)])) == 1 for _ in range(400))
    assert 0 < lacking == found.bootstrap["one_class"]
    assert found.metrics["auc"].high == 1.0
    assert found.metrics["specificity"].value == 1.0


def test_intervals_of_a_share_hold_the_truth_where_all_are_right() -> None:
    """Of 30 normal images 98 % would be called right, so that in most test parts all are."""
    held = {"specificity": 0, "balanced_accuracy": 0}
    for seed in range(100):
        right = np.random.default_rng(seed).uniform(size=230) < 0.98
        y = np.arange(230) >= 30
        found = evaluate(y, np.where(right == y, 0.9, 0.1), replicates=100, seed=seed).metrics
        for name in held:
            held[name] += found[name].low <= 0.98 <= found[name].high
    assert min(held.values()) > 90


def test_a_share_of_all_or_none_has_wilsons_interval_of_as_many_patients() -> None:
    y, p = [0, 0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.1, 0.3, 0.1, 0.2, 0.3]
    patients = np.array(["a", "a", "b", None, "c", "d", "e"], object)
    found = evaluate(y, p, groups=patients, replicates=20).metrics
    for name, hits, n in (("specificity", 3, 3), ("sensitivity", 0, 3)):
        low, high = binomtest(hits, n).proportion_ci(method="wilson")
        assert (found[name].low, found[name].high) == pytest.approx((low, high))
    reach = (found["specificity"].value - found["specificity"].low) / 2
    assert found["balanced_accuracy"].low == pytest.approx(0.5 - reach)
    assert found["balanced_accuracy"].high == pytest.approx(0.5 + reach)


@pytest.mark.parametrize(
    ("patients", "ends"),
    [
        (["a"] * 4 + ["b", "c"], (0.05462076, 0.9453792)),  # all pneumonias are of one patient
        (["a", "b", "a", "b", "c", "d"], (0.09453121, 0.9054688)),  # half are found, whoever is drawn
    ],
)
def test_a_share_that_is_the_same_in_every_draw_has_wilsons_interval(
    patients: list[str], ends: tuple[float, float]
) -> None:
    """Ends are those of R's prop.test(n / 2, n, correct = FALSE), n patients."""
    y, p = [1, 1, 1, 1, 0, 0], [0.9, 0.9, 0.1, 0.2, 0.3, 0.8]
    found = evaluate(y, p, groups=patients, replicates=50).metrics
    assert found["sensitivity"].value == 0.5
    assert (found["sensitivity"].low, found["sensitivity"].high) == pytest.approx(ends, abs=1e-6)
    assert found["balanced_accuracy"].low < 0.3


def test_equal_seeds_give_equal_intervals_and_others_do_not() -> None:
    y, p = _predictions()
    first, again, other = (evaluate(y, p, replicates=50, seed=s).to_dict() for s in (1, 1, 2))
    assert first == again
    assert first["metrics"]["auc"]["low"] != other["metrics"]["auc"]["low"]


def test_a_columns_of_predictions_is_taken_as_a_model_gives_it() -> None:
    y, p = _predictions()
    column = p.astype(np.float32)[:, None]
    assert evaluate(y, column, replicates=1).metrics["auc"].value == pytest.approx(sk.roc_auc_score(y, p))


def test_by_cause_counts_the_pneumonias_of_each() -> None:
    y = [0, 1, 1, 1, 1, 1]
    p = [0.9, 0.9, 0.2, 0.5, 0.8, 0.9]
    found = by_cause(y, p, ["", "virus", "virus", "bacteria", "bacteria", "bacteria"])
    assert list(found) == ["bacteria", "virus"]
    assert (found["bacteria"]["n"], found["bacteria"]["sensitivity"]) == (3, 1.0)
    assert (found["virus"]["n"], found["virus"]["sensitivity"]) == (2, 0.5)
    assert found["bacteria"]["low"] == pytest.approx(3 / (3 + 1.959964**2))  # Wilson's bound for all of n
    assert found["bacteria"]["high"] == 1.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"p": [0.1, 0.9, float("nan")]}, "got probability nan, expected a number from 0 to 1"),
        ({"p": [0.1, 0.9, 1.2]}, "got probability 1.2, expected"),
        ({"p": [0.1, 0.9]}, r"got labels \(3,\), probabilities \(2,\), expected"),
        ({"y": [0, 1, 2]}, "got label 2, expected 0 or 1"),
        ({"y": [1, 1, 1]}, "got 3 images without a normal one, expected both classes"),
        ({"y": [0, 0, 0]}, "got 3 images without a pneumonia one, expected both classes"),
        ({"threshold": 50}, "threshold: got 50, expected a probability"),
        ({"groups": ["a"]}, "groups: got 1 patients, expected 3"),
        ({"replicates": 0}, "replicates: got 0, expected 1 or more"),
    ],
)
def test_bad_input_is_told_in_one_line(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(NeumoError, match=message) as told:
        evaluate(**{"y": [0, 1, 1], "p": [0.1, 0.9, 0.5], **wrong})
    assert "\n" not in str(told.value)


def test_by_cause_of_some_that_are_not_known() -> None:
    cause = np.array(["", "", None, float("nan"), "virus"], object)
    found = by_cause([0, 1, 1, 1, 1], [0.1, 0.9, 0.2, 0.4, 0.7], cause)
    assert {name: one["n"] for name, one in found.items()} == {"unknown": 3, "virus": 1}


def test_by_cause_wants_a_cause_for_each_image() -> None:
    with pytest.raises(NeumoError, match="cause: got 1 causes, expected 2"):
        by_cause([0, 1], [0.1, 0.9], ["virus"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", "0.5"),
        ("threshold", None),
        ("threshold", np.array([0.5, 0.6])),
        ("replicates", 1.5),
        ("seed", -1),
        ("seed", "0"),
        ("groups", 3),
        ("groups", "abcd"),
        ("groups", [[1, 2], [3, 4]]),
    ],
)
def test_arguments_of_another_kind_are_told(name: str, value: object) -> None:
    with pytest.raises(NeumoError, match=f"^{name}: got .*, expected "):
        evaluate([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], **{name: value})  # type: ignore[arg-type]


def test_numbers_of_numpy_can_be_written_down() -> None:
    found = evaluate([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], threshold=np.float32(0.5), replicates=np.int64(9))  # type: ignore[arg-type]
    assert json.loads(json.dumps(found.to_dict()))["bootstrap"]["replicates"] == 9
