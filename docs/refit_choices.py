"""How the output layer should be fitted once more, asked of the training part of the official split.

    python docs/refit_choices.py DATA --weights FILE [--seed 0 1 2 3]

DATA, FILE and what is set aside are those of fine_tuning_choices.py; no image of the official test part is
read. For each seed a network is trained as the recipe "fine-tuned" does. Its output layer then stays, or is
fitted to training images as they are with more or less weight decay; each is calibrated on the validation
part in three ways, as `neumo train` does with six changed images of each, and looked at on what was set
aside. Mean over the seeds; "home" is the validation part, as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from fine_tuning_choices import KERMANY, divided, trained
from sklearn.metrics import log_loss, roc_auc_score

import neumo
from neumo.evaluation.calibration import calibrate
from neumo.evaluation.metrics import evaluate
from neumo.evaluation.operating_point import choose_threshold
from neumo.images.augment import Augmentation
from neumo.images.read import read_radiograph
from neumo.training.refit import fitted
from neumo.training.views import Views

DECAYS = (None, 0.1, 0.03, 0.01)
WAYS = {"usual": (1, 0), "changed": (1, 6), "even": (6, 6)}
"""By name how often images as they are count, and how many changed ones of each."""


def main() -> None:
    """Train, ask, and print a row for each decay and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2, 3])
    choices = parser.parse_args()
    table = neumo.read(choices.data).named(KERMANY).table
    found: dict[tuple[float | None, str], list[list[float]]] = {}
    for seed in choices.seed:
        rows = divided(table, seed, hard=False)
        features, *tuned = trained(rows, choices.weights, Augmentation(), 1000 * seed)
        parts = [rows[rows["part"] == part] for part in ("train", "validation", "test")]
        train, own, other = (features(map(read_radiograph, part["path"])) for part in parts)
        y = [part["label"].to_numpy() for part in parts]
        views = Views(parts[1], Augmentation())
        changed = [features(views.one((view, row)) for row in range(len(parts[1]))) for view in range(1, 7)]
        for decay in DECAYS:
            kernel, bias = fitted(train, y[0].astype(float), decay) if decay else tuned
            for way, (often, ways) in WAYS.items():
                z = np.concatenate([own] * often + changed[:ways]) @ kernel + bias
                row = _asked(np.tile(y[1], often + ways), z, (y[2], other @ kernel + bias), z[: len(own)])
                found.setdefault((decay, way), []).append(row)
    print("| decay | calibrated on | AUC | ECE | sensitivity | specificity | accuracy | loss ", end="")
    print("| AUC, home | ECE, home | accuracy, home |")
    print("|---" * 11 + "|")
    for (decay, way), values in found.items():
        told = " | ".join(f"{value:.3f}" for value in np.mean(values, axis=0))
        print(f"| {decay or 'as tuned'} | `{way}` | {told} |")


def _asked(
    y: np.ndarray, z: np.ndarray, aside: tuple[np.ndarray, np.ndarray], own: np.ndarray
) -> list[float]:
    """Calibrated on (y, z), what is found aside and of the first images of z, those as they are."""
    temperature, shift = calibrate(y, z)
    p, there, home = (1 / (1 + np.exp(-(logits / temperature + shift))) for logits in (z, aside[1], own))
    point = choose_threshold(y, p, balanced=True).threshold
    far, near = (
        {name: metric.value for name, metric in evaluate(*pair, threshold=point).metrics.items()}
        for pair in ((aside[0], there), (y[: len(own)], home))
    )
    return [
        roc_auc_score(aside[0], there),
        *(far[name] for name in ("ece", "sensitivity", "specificity", "accuracy")),
        log_loss(aside[0], there),
        roc_auc_score(y[: len(own)], home),
        near["ece"],
        near["accuracy"],
    ]


if __name__ == "__main__":
    main()
