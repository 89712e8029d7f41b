"""Whether heat maps can be trusted: the pointing game on phantoms, and maps after weights were shuffled.

python benchmarks/explain_checks.py --out FILE
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt, uniform_filter
from scipy.stats import spearmanr

import neumo
from neumo.classifier.classifier import Classifier
from neumo.data.sources import read
from neumo.explain.cam import enlarge, evidence, heat_map
from neumo.explain.usual import usual_maps
from neumo.phantom.dataset import make_phantoms
from neumo.phantom.radiograph import draw_radiograph
from neumo.progress import track

SIZE, CELL = 224, 32
NEAR = 15  # pixels off the lesion that Zhang et al. 2016 (arXiv:1608.00507) still count as a hit
FRESH = 9000  # seed of the phantoms that are pointed at: nothing was trained on them or chosen by them
CAUSES = {"bacteria": "focal consolidation", "virus": "diffuse interstitial"}


def draw(cause: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and lesions, (n, 224, 224)."""
    drawn = [draw_radiograph(cause, patient=i, size=SIZE, seed=FRESH + seed) for i in range(n)]
    pixels, lesions = zip(*drawn, strict=True)
    return np.stack(pixels), np.stack(lesions)


def trained(seed: int, folder: Path) -> tuple[Classifier, Any]:
    """The embedded default's classifier, and the table it was trained on."""
    data = read(make_phantoms(folder / str(seed), seed=seed))
    return neumo.train(data, backbone="MobileNetV2-0.35", weights="phantom", seed=seed), data.table


def plain(classifier: Classifier) -> Classifier:
    """The same without the average normal radiograph: Grad-CAM as published."""
    return with_graphs(classifier, classifier._backbone, classifier._head)


def with_graphs(classifier: Classifier, backbone: Any, head: Any) -> Classifier:
    return Classifier(classifier.card, backbone, head, b"")


def hits(heat: np.ndarray, lesions: np.ndarray) -> tuple[float, float]:
    """Share of maps whose hottest place is on the lesion, and of those where it is at most 15 pixels off.

    A map without heat points nowhere: a miss.
    """
    off = [
        distance_transform_edt(~lesion)[np.unravel_index(one.argmax(), one.shape)] if one.any() else np.inf
        for one, lesion in zip(heat, lesions, strict=True)
    ]
    return float(np.mean(np.equal(off, 0))), float(np.mean(np.less_equal(off, NEAR)))


def perfect(lesions: np.ndarray) -> np.ndarray:
    """Maps on the network's own grid that know the lesion: what so coarse a grid permits."""
    cells = SIZE // CELL
    shares = lesions.reshape(-1, cells, CELL, cells, CELL).mean((2, 4), dtype=np.float32)
    return np.stack([enlarge(one, SIZE, SIZE) for one in shares])


def pointing(classifiers: list[tuple[Classifier, Any]], n: int) -> Iterator[tuple[str, str, list[float]]]:
    """Cause, what points, its hits by seed."""
    for cause in CAUSES:
        rows: dict[str, list[float]] = {}
        for seed, (classifier, _) in enumerate(classifiers):
            pixels, lesions = draw(cause, n, seed)
            fixed = draw(cause, n, seed + 100)[1].mean(axis=0)  # the place that most lesions of others cover
            heat = heat_map(classifier, pixels)
            named = {
                "heat map": hits(heat, lesions)[0],
                f"heat map, {NEAR} pixels off counted": hits(heat, lesions)[1],
                "plain Grad-CAM": hits(heat_map(plain(classifier), pixels), lesions)[0],
                "chance: the lesion's share of the picture": float(lesions.mean()),
                "always the best fixed place": hits(np.repeat(fixed[None], n, axis=0), lesions)[0],
                "a 7 x 7 map that knows the lesion": hits(perfect(lesions), lesions)[0],
            }
            for name, value in named.items():
                rows.setdefault(name, []).append(value)
        for name, values in rows.items():
            yield CAUSES[cause], name, values


def shuffled(classifier: Classifier, first: int, last: int) -> Classifier:
    """With the weights of its layers `first` to `last` (before), counted from the output, each shuffled."""
    import openvino.opset15 as ops

    random = np.random.default_rng(0)
    backbone, head = classifier._backbone.clone(), classifier._head.clone()
    for place, layer in enumerate(_layers(backbone, head)):
        if first <= place < last:
            for constant in layer:
                values = random.permutation(constant.data.ravel()).reshape(constant.data.shape)
                constant.output(0).replace(ops.constant(values).output(0))
    return with_graphs(classifier, backbone, head)


def _layers(backbone: Any, head: Any) -> list[list[Any]]:
    """Constants of each convolution or dense layer with the scales and biases behind it, output first."""
    layers: list[list[Any]] = []
    behind: list[Any] = []
    for node in (node for graph in (head, backbone) for node in reversed(graph.get_ordered_ops())):
        kind = node.get_type_name()
        if kind in ("Convolution", "GroupConvolution", "MatMul", "Multiply", "Add"):
            constants = [given.get_node() for given in node.input_values()]
            behind += [one for one in constants if one.get_type_name() == "Constant" and one.data.size > 1]
            if kind not in ("Multiply", "Add"):
                layers.append(behind)
                behind = []
    return layers


def likeness(classifier: Classifier, other: Classifier, pixels: np.ndarray) -> tuple[float, float]:
    """Mean rank correlation of the signed maps, and mean structural similarity of the heat."""
    ranks = [
        spearmanr(a.ravel(), b.ravel())[0]
        for a, b in zip(evidence(classifier, pixels)[1], evidence(other, pixels)[1], strict=True)
    ]
    heats = [heat_map(model, pixels) for model in (classifier, other)]
    scaled = [heat / np.maximum(heat.max((1, 2), keepdims=True), 1e-9) for heat in heats]
    return float(np.nanmean(ranks)), float(np.mean([ssim(a, b) for a, b in zip(*scaled, strict=True)]))


def ssim(a: np.ndarray, b: np.ndarray, window: int = 7) -> float:
    """Structural similarity of two pictures of 0 to 1 (Wang et al. 2004, IEEE TIP 13:600, eq. 13)."""
    mean_a, mean_b = uniform_filter(a, window), uniform_filter(b, window)
    spread_a, spread_b, both = (
        uniform_filter(x * y, window) - mean_x * mean_y
        for x, y, mean_x, mean_y in (
            (a, a, mean_a, mean_a),
            (b, b, mean_b, mean_b),
            (a, b, mean_a, mean_b),
        )
    )
    light = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    return float(np.mean(light * (2 * both + 0.03**2) / (spread_a + spread_b + 0.03**2)))


def randomised(classifier: Classifier, table: Any, n: int) -> Iterator[tuple[str, float, float]]:
    """What is shuffled, rank correlation and structural similarity with the maps of the trained one."""
    pixels = np.concatenate([draw(cause, n // 2, 0)[0] for cause in CAUSES])
    rows = table.assign(part=np.where(table["official"] == "train", "train", "test"))
    total = len(_layers(classifier._backbone, classifier._head))
    dense = sum(node.get_type_name() == "MatMul" for node in classifier._head.get_ordered_ops())
    parts = {
        "nothing": (0, 0),
        "output layer": (0, 1),
        f"head ({dense} layers)": (0, dense),
        f"head and the last convolution, {dense + 1} of {total} layers": (0, dense + 1),
        **{f"from the output, {k} of {total} layers": (0, k) for k in (total // 4, total // 2, total)},
        "the last convolution alone": (dense, dense + 1),
        "a convolution half way alone": (total // 2, total // 2 + 1),
        "the first convolution alone": (total - 1, total),
    }
    classifier = plain(classifier)
    classifier.usual = usual_maps(classifier, rows)
    for name, (first, last) in track(parts.items(), "Shuffling", total=len(parts)):
        other = shuffled(classifier, first, last)
        other.usual = usual_maps(other, rows)
        yield name, *likeness(classifier, other, pixels)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=3, help="classifiers, each with its own phantoms")
    asked.add_argument("--images", type=int, default=100, help="radiographs of each kind and seed")
    asked.add_argument("--out", type=Path, help="where to write the tables as well")
    args = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        classifiers = [trained(seed, Path(folder)) for seed in range(args.seeds)]
        lines = [
            f"| lesion | what points | hits, mean of {args.seeds} seeds | by seed |",
            "|---|---|---|---|",
        ]
        for lesion, name, values in pointing(classifiers, args.images):
            each = ", ".join(f"{value:.2f}" for value in values)
            lines.append(f"| {lesion} | {name} | {np.mean(values):.2f} | {each} |")
        lines += ["", "| weights shuffled | rank correlation | structural similarity |", "|---|---|---|"]
        for name, rank, similarity in randomised(*classifiers[0], args.images):
            lines.append(f"| {name} | {rank:.2f} | {similarity:.2f} |")
        lines += ["", "| phantoms | hottest place, mean | highest |", "|---|---|---|"]
        for cause, what in {"": "normal", **CAUSES}.items():
            peaks = np.concatenate(
                [
                    heat_map(one, draw(cause, args.images, seed)[0]).max((1, 2))
                    for seed, (one, _) in enumerate(classifiers)
                ]
            )
            lines.append(f"| {what} | {peaks.mean():.2f} | {peaks.max():.2f} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if args.out:
        args.out.write_text(text)


if __name__ == "__main__":
    main()
