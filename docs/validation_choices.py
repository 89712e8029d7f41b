"""What calibration and operating point should be chosen on, asked of the training part of the official split.

    python docs/validation_choices.py DATA --weights FILE [--seed 0 1]

DATA, FILE and what is set aside are those of fine_tuning_choices.py; no image of the official test part is
read. For each seed a network is trained as the recipe "fine-tuned" does; then each way asks it of the same
validation radiographs, six changed images of each as `neumo train` does, or none, and is looked at on what
was set aside. Mean over the seeds; "home" is the validation part, as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from fine_tuning_choices import KERMANY, divided, trained
from sklearn.metrics import log_loss

import neumo
from neumo.evaluation.calibration import calibrate
from neumo.evaluation.metrics import evaluate
from neumo.evaluation.operating_point import choose_threshold
from neumo.images.augment import Augmentation
from neumo.images.read import read_radiograph
from neumo.training.views import Views

BY = Augmentation()
WAYS: dict[str, tuple[float, ...]] = {
    "as they are (`usual`)": (),
    "changed as in training (`changed`)": (1, 1, 1, 1, 1, 1),
    "one and a half times as far": (1.5, 1.5, 1.5, 1.5, 1.5, 1.5),
    "twice as far": (2, 2, 2, 2, 2, 2),
    "three times as far": (3, 3, 3, 3, 3, 3),
    "as far, twice, three times (`stressed`)": (1, 1, 2, 2, 3, 3),
}
"""By name how many times as far as in training each of the changed images is changed."""


def main() -> None:
    """Train, ask, and print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1])
    choices = parser.parse_args()
    table = neumo.read(choices.data).named(KERMANY).table
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for seed in choices.seed:
        rows = divided(table, seed, hard=False)
        ask = trained(rows, choices.weights, BY, 1000 * seed)
        home, aside = (rows[rows["part"] == part] for part in ("validation", "test"))
        own, other = (ask(map(read_radiograph, part["path"])) for part in (home, aside))
        y = home["label"].to_numpy(), aside["label"].to_numpy()
        for way, reach in WAYS.items():
            asked = [own]
            for view, times in enumerate(reach, 1):
                views = Views(home, BY.times(times))
                asked.append(ask(views.one((view, row)) for row in range(len(home))))
            every = np.tile(y[0], len(asked))
            temperature, shift = calibrate(every, np.concatenate(asked))
            p = [1 / (1 + np.exp(-(z / temperature + shift))) for z in (np.concatenate(asked), own, other)]
            point = choose_threshold(every, p[0], balanced=True).threshold
            at_home, there = (evaluate(*pair, threshold=point).metrics for pair in zip(y, p[1:], strict=True))
            found[way].append(
                [
                    *(there[name].value for name in ("ece", "sensitivity", "specificity", "accuracy")),
                    log_loss(y[1], p[2]),
                    *(at_home[name].value for name in ("ece", "accuracy")),
                ]
            )
    print("| images | ECE | sensitivity | specificity | accuracy | loss | ECE, home | accuracy, home |")
    print("|---|---|---|---|---|---|---|---|")
    for way, values in found.items():
        print(f"| {way} |", " | ".join(f"{value:.3f}" for value in np.mean(values, axis=0)), "|")


if __name__ == "__main__":
    main()
