"""Images per second of frozen networks by how many images are computed together.

    python -m benchmarks.batch_sizes [--backbone NAME ...] [--sizes 2 4 8 16] [--rounds 5] [--out FILE]

In single precision, from uint8 pixels in memory; by default the network of the classifier that neumo brings,
MobileNetV2-0.35, EfficientNetB0 and ResNet50, the last three with random weights, which change no speed. All
sizes take turns; the median of the rounds is told, and as a ratio to batches of 8 in the same rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neumo.classifier.classifier import load
from neumo.features.backbones import backbone
from neumo.features.engine import Engine
from neumo.features.networks import kept_graph
from neumo.progress import track

IMAGES = 48
SECONDS = 1.0  # of each size in each round, at least one pass
PEER = 8


def engines(names: list[str], sizes: list[int]) -> Iterator[tuple[str, dict[int, Engine]]]:
    """Each network, compiled for every size."""
    classifier = load()
    yield (
        "the classifier that neumo brings",
        {size: Engine(classifier._backbone, classifier.scaling, "f32", batch=size) for size in sizes},
    )
    for name in names:
        network = backbone(name, "none")
        graph = kept_graph(network)
        yield name, {size: Engine(graph, network.scaling, "f32", batch=size) for size in sizes}


def speed(engine: Engine, pixels: np.ndarray) -> float:
    """Images per second."""
    began, done = time.perf_counter(), 0
    while not done or time.perf_counter() < began + SECONDS:
        done += len(engine(pixels))
    return done / (time.perf_counter() - began)


def main() -> None:
    """Measure all sizes in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--backbone", nargs="*", default=["MobileNetV2-0.35", "EfficientNetB0", "ResNet50"], metavar="NAME"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 4, 6, 8, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    choices = parser.parse_args()
    sizes = sorted({*choices.sizes, PEER})
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 224, 224), np.uint8)
    head = f"| images/s (times batches of {PEER}) | {' | '.join(map(str, sizes))} |\n"
    head += f"|---|{'---|' * len(sizes)}\n"
    rows = []
    for name, of_size in engines(choices.backbone, sizes):
        for engine in of_size.values():
            engine(pixels)  # compiles, and touches all memory once
        rounds = [
            {size: speed(engine, pixels) for size, engine in of_size.items()}
            for _ in track(range(choices.rounds), f"Measuring {name}")
        ]
        cells = (
            f"{np.median([one[size] for one in rounds]):.0f} "
            f"({np.median([one[size] / one[PEER] for one in rounds]):.2f})"
            for size in sizes
        )
        rows.append(f"| {name} | {' | '.join(cells)} |\n")
    table = head + "".join(rows)
    print(table, end="")
    if choices.out:
        choices.out.write_text(table)


if __name__ == "__main__":
    main()
