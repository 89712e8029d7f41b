"""Where the time of predicting a radiograph goes, as a table and a picture.

    python -m benchmarks.where_time_goes DATA [--out FILE.svg]

DATA is a folder of real radiographs; some are enlarged to 1,500 x 1,100 (see `benchmarks.enlarge`) and saved
as JPEG at quality 90. Everything is computed by one core. "decoding" is libjpeg-turbo reading the file to an
eighth of its size, which is little else than undoing the entropy coding; "shrinking and checks" is the rest
of `inspect_radiograph`. Layers are summed by kind from OpenVINO's own counters over batches of the engine's
size; "head and distance" is what follows them: output and distance to the training images.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg

from benchmarks.enlarge import enlarge, small_files

FILES, ROUNDS = 16, 5
BACKBONES = ("MobileNetV2-0.35", "ResNet50")


def least(run: Callable[[], object], n: int) -> float:
    """Milliseconds of the processor per item: the least of a few rounds."""
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        run()
        found.append(1000 * (time.process_time() - started) / n)
    return min(found)


def reading(files: list[Path]) -> dict[str, float]:
    """Milliseconds per file by part."""
    from neumo.images.read import inspect_radiograph

    data = [file.read_bytes() for file in files]
    small = {"min_height": math.ceil(1100 / 8), "min_width": math.ceil(1500 / 8)}
    decoding = least(lambda: [simplejpeg.decode_jpeg(one, "GRAY", **small) for one in data], len(files))
    whole = least(lambda: [inspect_radiograph(file) for file in files], len(files))
    return {"decoding": decoding, "shrinking and checks": whole - decoding}


def forward(backbone_name: str, pixels: np.ndarray) -> dict[str, float]:
    """Milliseconds per image by kind of layer, and of what follows the network."""
    from neumo.features.backbones import backbone
    from neumo.features.compiled import core
    from neumo.features.engine import BATCHES
    from neumo.features.grey import with_grey_input
    from neumo.features.networks import kept_graph
    from neumo.features.precision import resolve_precision
    from neumo.features.reference import Reference
    from neumo.features.scaling import Scaling

    size = BATCHES["f32" if resolve_precision("auto") == "f32" else "bf16"]
    graph = with_grey_input(kept_graph(backbone(backbone_name, "none")), Scaling(122, 60), size)
    shapes = {node.get_friendly_name(): node for node in graph.get_ops()}
    options = {"PERF_COUNT": "YES", "INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1"}
    request = core().compile_model(graph, "CPU", options).create_infer_request()
    rounds = []
    for _ in range(ROUNDS + 1):
        kinds: Counter[str] = Counter()
        features = np.concatenate(
            [request.infer([pixels[at : at + size]])[0] for at in range(0, len(pixels), size)]
        )
        for info in request.get_profiling_info():
            kinds[_kind(info, shapes)] += info.real_time.total_seconds() * 1000 / size
        rounds.append(kinds)
    best = min(rounds[1:], key=lambda one: sum(one.values()))
    many: np.ndarray = np.resize(features, (1000, features.shape[1]))
    many += np.random.default_rng(0).normal(0, 0.01, many.shape)
    reference, head = Reference.fit(many, many), np.ones(many.shape[1], np.float32)
    after = least(lambda: (reference.distance(features), features @ head), len(features))
    return {**best, "head and distance": after}


def _kind(info: object, shapes: dict[str, object]) -> str:
    kind = info.node_type  # type: ignore[attr-defined]
    if kind not in ("Convolution", "GroupConvolution"):
        return "other layers"
    node = shapes.get(info.node_name)  # type: ignore[attr-defined]
    while node is not None and node.get_type_name() not in ("Convolution", "GroupConvolution"):  # type: ignore[attr-defined]
        node = node.input_value(0).get_node()  # type: ignore[attr-defined]
    if node is None:
        return "other layers"
    if node.get_type_name() == "GroupConvolution":  # type: ignore[attr-defined]
        return "depthwise convolutions"
    side = node.input_value(1).get_shape()[-1]  # type: ignore[attr-defined]
    return "convolutions of 1 x 1" if side == 1 else "larger convolutions"


def draw(found: dict[str, dict[str, float]], file: Path) -> None:
    """One bar for each network, of the share that each part has."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for parts in found.values() for name in parts))
    colours = ("#56b4e9", "#0072b2", "#e69f00", "#d55e00", "#cc79a7", "#999999", "#009e73")
    figure = Figure((7.2, 2.9), layout="constrained")
    axes = figure.subplots()
    for row, parts in enumerate(found.values()):
        at, total = 0.0, sum(parts.values())
        for name, colour in zip(names, colours, strict=False):
            share = 100 * parts.get(name, 0) / total
            axes.barh(row, share, left=at, color=colour, label=name if row == 0 else None)
            if share > 6:
                axes.text(at + share / 2, row, f"{share:.0f} %", ha="center", va="center", color="white")
            at += share
    axes.set_yticks(
        range(len(found)), [f"{name}\n{sum(parts.values()):.1f} ms" for name, parts in found.items()]
    )
    axes.invert_yaxis()
    axes.set_xlabel("share of the processor's time for one radiograph, %")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlim(0, 100)
    figure.legend(ncols=3, loc="outside upper center", frameon=False, fontsize=8)
    figure.savefig(file)


def main() -> None:
    """Measure, print the table, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, help="draw the picture there")
    choices = parser.parse_args()

    from neumo.images.read import read_radiograph

    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, small in enumerate(small_files(choices.data, FILES)):
            files.append(Path(folder, f"{i}.jpg"))
            enlarge(small, 1500, 1100, seed=i).save(files[-1], quality=90)
        read = reading(files)
        pixels = np.stack([read_radiograph(file) for file in files])
    found = {name: {**read, **forward(name, pixels)} for name in BACKBONES}
    print("| part, ms of one core |", " | ".join(found), "|\n|---|" + "---|" * len(found))
    for name in dict.fromkeys(name for parts in found.values() for name in parts):
        print(f"| {name} |", " | ".join(f"{parts.get(name, 0):.2f}" for parts in found.values()), "|")
    if choices.out:
        draw(found, choices.out)


if __name__ == "__main__":
    main()
