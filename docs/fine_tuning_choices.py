"""How fine-tuning should change its images, asked of the training part of the official split alone.

    python docs/fine_tuning_choices.py DATA --weights FILE [--seed 0 1] [--only WAY ...]

DATA is the CoronaHack folder, FILE has MobileNetV2-0.35's ImageNet weights. No image of the official test
part is read. A tenth of the training part, hard to tell (see `neumo.data.hard_validation`), is set aside and
looked at in the end; the rest is divided into training and validation, whole patients, by seed. Every way
trains one network per seed as the recipe "fine-tuned" does. Four to ten minutes each on one core.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import neumo
from neumo.data.duplicates import near_identical_groups
from neumo.data.hard_validation import with_hard_validation
from neumo.data.split import split
from neumo.evaluation.calibration import calibrate
from neumo.evaluation.operating_point import choose_threshold
from neumo.images.augment import Augmentation
from neumo.images.read import read_radiograph

KERMANY = r"^(person\d+_|IM-|NORMAL2-IM-)"
LITTLE = Augmentation(stretch=0.12, blur=0.0)
EXPOSED = dataclasses.replace(LITTLE, gamma=0.6, contrast=0.4, brightness=30.0)
WAYS = {
    "stretch and blur": (Augmentation(), False),
    "little of anything": (LITTLE, False),
    "exposure": (EXPOSED, False),
    "stretch and blur, hard validation": (Augmentation(), True),
}
"""By name how images are changed, and whether the validation part is a hard one, too."""


def divided(table: pd.DataFrame, seed: int, hard: bool) -> pd.DataFrame:
    """The training part of the official split; its "part" is "test" for what is set aside."""
    rows = split(table, "official", seed=0)
    rows = rows[rows["part"] != "test"].assign(part="train")
    aside = with_hard_validation(rows, 0.1, groups=near_identical_groups(rows))["part"] == "validation"
    rest = rows[~aside]
    if hard:
        rest = with_hard_validation(rest, 0.2, seed)
    else:
        ids = rest["patient"].fillna(rest["sha256"]).to_numpy()
        every = np.unique(ids)
        held_out = np.random.default_rng(seed).permutation(every)[: int(0.2 * len(every))]
        rest = rest.assign(part=np.where(np.isin(ids, held_out), "validation", "train"))
    return rows.assign(part=rest["part"].reindex(rows.index, fill_value="test")).reset_index(drop=True)


def trained(
    rows: pd.DataFrame, weights: str, by: Augmentation, seed: int
) -> Callable[[Iterable[np.ndarray]], np.ndarray]:
    """What gives the logits, (n,), of images, by a network that was fine-tuned on the rows of "train"."""
    from neumo.features.backbones import backbone
    from neumo.features.engine import Engine
    from neumo.features.extract import extract
    from neumo.features.graph import convert
    from neumo.study.recipe import SMALL
    from neumo.training.finetune import cut, fine_tune, tuned_folder
    from neumo.training.head import fit_head
    from neumo.training.maps import kept_maps
    from neumo.training.recipes import recipe
    from neumo.training.steps import step

    chosen, tuned = backbone(SMALL, weights), dataclasses.replace(recipe("fine-tuned"), augmentation=by)
    base, name = chosen.build(), f"{chosen.name} {chosen.weights_id}"
    lower, _ = cut(base, tuned.trainable_fraction)
    joint = f"{name} up to {lower.layers[-1].name}"
    maps = kept_maps(rows, lower, joint, chosen.scaling, by, tuned.views)
    x, y = extract(rows, chosen, chosen.scaling), rows["label"].to_numpy()
    train, validation = ((rows["part"] == part).to_numpy() for part in ("train", "validation"))
    parts = x[train], y[train], x[validation], y[validation]
    head = fit_head(step("normalised"), *parts, seed=seed, epochs=5).model
    fine_tune(base, head, maps, rows, tuned, seed=seed, kept=tuned_folder(), network_id=name)
    kernel, bias = head.layers[-1].get_weights()
    engine = Engine(convert(base), chosen.scaling)
    return lambda images: (engine(np.stack([*images])) @ kernel + bias)[:, 0]


def main() -> None:
    """Train, and print a row for each way and seed as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+", choices=WAYS, default=list(WAYS))
    choices = parser.parse_args()
    table = neumo.read(choices.data).named(KERMANY).table
    print("| way | seed | AUC, validation | AUC, set aside | sensitivity | specificity |")
    print("|---|---|---|---|---|---|")
    for way in choices.only:
        by, hard = WAYS[way]
        for seed in choices.seed:
            rows = divided(table, seed, hard)
            ask, y = trained(rows, choices.weights, by, seed), rows["label"].to_numpy()
            logits = ask(map(read_radiograph, rows["path"]))
            own, aside = ((rows["part"] == part).to_numpy() for part in ("validation", "test"))
            temperature, shift = calibrate(y[own], logits[own])
            p = 1 / (1 + np.exp(-(logits / temperature + shift)))
            called = p >= choose_threshold(y[own], p[own], balanced=True).threshold
            found = [roc_auc_score(y[part], p[part]) for part in (own, aside)]
            found += [(called == truth)[aside & (y == truth)].mean() for truth in (1, 0)]
            print(f"| {way} | {seed} |", " | ".join(f"{value:.4f}" for value in found), "|", flush=True)


if __name__ == "__main__":
    main()
