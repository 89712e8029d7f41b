"""The whole study against the same ladder in plain Keras, every epoch through the backbone.

    python benchmarks/study_against_keras.py CORONAHACK [--backbone ResNet50] [--images 600] [--out FILE]

neumo's side is timed in full: one seed, five steps, three protocols, nothing in its cache, from reading the
files to the report page. Then once more with one epoch less, all features being stored. With `--images`
both sides get that many of the radiographs, each class of each official part at its share. Plain Keras'
side is timed in part and extrapolated: `--batches` batches of 32 images in memory through `keras.Model.fit`
and `keras.Model.evaluate` of the frozen network with the last step's head, after one batch that is not
counted. The seconds per image times the images that the study's own trials trained and validated on, epoch
by epoch as often as each ran, and tested, give its time. Reading files, generating images and drawing are
left out on that side. Both run on the same machine, one after the other.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

EPOCHS = 15


def subset(data: Path, images: int, folder: Path) -> Path:
    """A CoronaHack archive of some of another's radiographs, by links to them."""
    from neumo.data.published.coronahack import CSV_NAME, find_csv

    csv = find_csv(data)
    assert csv is not None
    rows = pd.read_csv(csv)
    files = {file.name: file for file in csv.parent.rglob("*.*")}
    rows = rows[rows["X_ray_image_name"].isin(files)]
    share = images / len(rows)
    rows = rows.groupby(["Dataset_type", "Label"], group_keys=False).sample(frac=share, random_state=0)
    for part, name in zip(rows["Dataset_type"].str.lower(), rows["X_ray_image_name"], strict=True):
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / name).symlink_to(files[name])
    rows.to_csv(folder / CSV_NAME, index=False)
    return folder


def time_neumo(data: Path, backbone: str, weights: str, epochs: int, out: Path, cache: Path) -> float:
    """Seconds of ``neumo study``; its results are left in `out`."""
    command = [sys.executable, "-m", "neumo", "study", str(data), f"--backbone={backbone}"]
    command += [f"--weights={weights}", f"--epochs={epochs}", f"--out={out}"]
    started = time.perf_counter()
    subprocess.run(command, env={**os.environ, "NEUMO_CACHE": str(cache)}, check=True)
    return time.perf_counter() - started


def time_keras(backbone_name: str, weights: str, batches: int) -> tuple[float, float]:
    """Seconds per image of Keras' `fit` and `evaluate` of the frozen network with the last head."""
    from neumo.features.backbones import backbone
    from neumo.training.head import build_network
    from neumo.training.steps import STEPS

    network = build_network(STEPS[-1], backbone(backbone_name, weights).build(), seed=0, mean=123.0, std=60.0)
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (32 * batches, 224, 224, 3)).astype(np.float32)
    y = random.integers(0, 2, (len(x), 1)).astype(np.float32)
    seconds = []
    for run in (network.fit, network.evaluate):
        run(x[:32], y[:32], batch_size=32, verbose=0)
        started = time.perf_counter()
        run(x, y, batch_size=32, verbose=0)
        seconds.append((time.perf_counter() - started) / len(x))
    return seconds[0], seconds[1]


def main() -> None:
    """Measure both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone", default="ResNet50")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--images", type=int, help="so many of the radiographs; all if not given")
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument(
        "--study", type=Path, help="where to leave the study; a temporary folder if not given"
    )
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    choices = parser.parse_args()

    from neumo.results.results import Results

    with tempfile.TemporaryDirectory() as folder:
        study = choices.study or Path(folder, "study")
        data = choices.data.absolute()
        data = subset(data, choices.images, Path(folder, "data")) if choices.images else data
        ours, again = (
            time_neumo(data, choices.backbone, choices.weights, epochs, out, Path(folder, "cache"))
            for epochs, out in ((EPOCHS, study), (EPOCHS - 1, Path(folder, "again")))
        )
        results = Results.load(study / "results.json")
    fit, evaluate = time_keras(choices.backbone, choices.weights, choices.batches)
    trained = validated = 0
    for run in results.runs:
        if run.validation_drawn == results.settings["validation_drawn"]:
            epochs = len(run.history["loss"])
            trained += epochs * sum(run.counts["train"].values())
            validated += epochs * sum(run.counts["validation"].values())
            validated += sum(run.counts["test"].values()) if run.test is not None else 0
    keras = trained * fit + validated * evaluate
    table = f"""| {choices.backbone}, {results.dataset["images"]:,} images, one seed | |
|---|---|
| neumo study, all of it, nothing cached | {ours / 60:.1f} min |
| of that features | {results.seconds["features"] / 60:.1f} min |
| of that heads | {results.seconds["heads"] / 60:.1f} min |
| the same with {EPOCHS - 1} epochs, features stored | {again / 60:.1f} min |
| first to second run | {ours / again:.1f} |
| plain Keras ({results.environment["keras backend"]}), fit | {1 / fit:.1f} images/s |
| plain Keras, evaluate | {1 / evaluate:.1f} images/s |
| images it trains / validates and tests on | {trained:,} / {validated:,} |
| plain Keras, extrapolated | {keras / 3600:.1f} h |
| plain Keras to neumo | {keras / ours:.0f} |
"""
    print(table)
    if choices.out:
        choices.out.write_text(table)


if __name__ == "__main__":
    main()
