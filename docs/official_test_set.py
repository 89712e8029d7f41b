"""Draws what docs/official-test-set.md shows, prints its figures."""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neumo
from neumo.data.duplicates import near_identical_groups
from neumo.data.split import together
from neumo.features.backbones import backbone
from neumo.features.engine import Engine
from neumo.features.extract import extract
from neumo.features.networks import kept_graph
from neumo.images.exposure import EXPOSURE, exposure
from neumo.images.read import read_radiograph
from neumo.images.stretch import STRETCH, stretch
from neumo.report.drawing import BLUE, GREEN, INK, MUTED, ORANGE, STYLE, VERMILLION, canvas
from neumo.threads import in_threads

BINS = np.array([0.7, 1.2, 1.3, 1.4, 1.5, 1.6, 2.2])
"""Of horizontal over vertical steps."""
CORNER = 56
"""Pixels of 224: letters and markers lie there."""
GROUPS = {
    ("train", 0): ("training, normal", BLUE, "-"),
    ("test", 0): ("test, normal", VERMILLION, "-"),
    ("train", 1): ("training, pneumonia", GREEN, "--"),
    ("test", 1): ("test, pneumonia", ORANGE, "--"),
}


def model(strength: float) -> Any:
    """Logistic regression on standardised columns; `strength` is scikit-learn's C."""
    fit = LogisticRegression(C=strength, max_iter=400, class_weight="balanced")
    return make_pipeline(StandardScaler(), fit)


def out_of_fold(x: np.ndarray, y: np.ndarray, ids: np.ndarray | None = None, c: float = 1.0) -> np.ndarray:
    """Probabilities (n,), each from a fit without the image's fold; with `ids`, without its patient."""
    kind = StratifiedKFold if ids is None else StratifiedGroupKFold
    folds = kind(5, shuffle=True, random_state=0)
    return cross_val_predict(model(c), x, y, groups=ids, cv=folds, method="predict_proba")[:, 1]


class Study:
    """The two parts of the official division, with what is known of each image."""

    def __init__(self, data: str, weights: str) -> None:
        table = neumo.read(data).table
        self.table = table[table["official"].notna() & table["patient"].notna()].reset_index(drop=True)
        self.y = self.table["label"].to_numpy()
        self.test = (self.table["official"] == "test").to_numpy()
        self.ids = together(self.table)
        network = backbone("MobileNetV2-0.35", weights)
        self.engine = Engine(kept_graph(network), network.scaling, "f32")
        self.features = extract(self.table, network, network.scaling)
        self.pixels = np.stack(list(in_threads(read_radiograph, self.table["path"])))
        rows = [[*stretch(p), *exposure(p).values()] for p in self.pixels]
        self.numbers = pd.DataFrame(rows, columns=[*STRETCH, *EXPOSURE])
        self.ratio = np.exp(self.numbers["stretch"].to_numpy())
        self.p = self.both(self.features, 0.003)

    def both(self, x: np.ndarray, c: float = 1.0) -> np.ndarray:
        """Probabilities: of training images out of fold, of test images from a fit to all training images."""
        train, p = ~self.test, np.empty(len(x))
        p[train] = out_of_fold(x[train], self.y[train], self.ids[train], c)
        p[self.test] = model(c).fit(x[train], self.y[train]).predict_proba(x[self.test])[:, 1]
        return p

    def of(self, part: str, label: int) -> np.ndarray:
        return (self.test == (part == "test")) & (self.y == label)

    def right(self) -> np.ndarray:
        return (self.p >= 0.5) == self.y


def worth(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Accuracy, AUC, sensitivity, specificity at 0.5."""
    right = (p >= 0.5) == y
    return np.array([right.mean(), roc_auc_score(y, p), right[y == 1].mean(), right[y == 0].mean()])


def numbers(study: Study, out: Path) -> None:
    """Which file numbers the normal images of either part have."""
    figure = canvas(2.6)
    for ax, series in zip(figure.subplots(2, sharex=True), ("IM-", "NORMAL2-IM-"), strict=True):
        patients = study.table["patient"].str.fullmatch(rf"{series}\d+").to_numpy()
        number = study.table["patient"][patients].str.extract(r"(\d+)$")[0].astype(int)
        for part in ("train", "test"):
            name, colour, _ = GROUPS[part, 0]
            inside = number[study.test[patients] == (part == "test")]
            ax.hist(inside, bins=list(range(0, 1450, 25)), color=colour, label=name)
            print(f"{series}: {part} {len(inside)} images, numbers {inside.min()} to {inside.max()}")
        ax.set_title(f"{series}NNNN")
    ax.set_xlabel("number in the file name")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(out / "numbers.svg", metadata={"Date": None})


def stretched(study: Study, out: Path) -> None:
    """How far images were squeezed, by class and part."""
    figure = canvas(2.6)
    ax = figure.subplots()
    for (part, label), (name, colour, line) in GROUPS.items():
        inside = study.ratio[study.of(part, label)]
        style: dict[str, Any] = {"histtype": "step", "color": colour, "linestyle": line, "linewidth": 1.6}
        ax.hist(inside, bins=np.linspace(0.8, 2.2, 36).tolist(), density=True, label=name, **style)
        print(f"{name}: {len(inside)}, median {np.median(inside):.3f}, over 1.5 {np.mean(inside > 1.5):.3f}")
    ax.set(xlabel="horizontal over vertical steps between neighbours", ylabel="density")
    ax.legend()
    figure.savefig(out / "stretch.svg", metadata={"Date": None})


def averages(study: Study, out: Path) -> None:
    """The mean image of every group: an aggregate that shows no patient."""
    figure = canvas(1.5, 5.6)
    for ax, (key, (name, _, _)) in zip(figure.subplots(1, 4), GROUPS.items(), strict=True):
        ax.imshow(study.pixels[study.of(*key)].mean(0), cmap="gray", vmin=0, vmax=230)
        ax.set_title(name, fontsize=7, color=INK)
        ax.set_axis_off()
    figure.savefig(out / "averages.png", dpi=110)


def recognised(study: Study, out: Path) -> None:
    """The share that is classified correctly, by how far images were squeezed."""
    figure, right = canvas(2.5, 5.6), study.right()
    for label, ax in enumerate(figure.subplots(1, 2, sharey=True)):
        for part, shift in (("train", -0.06), ("test", 0.06)):
            name, colour, _ = GROUPS[part, label]
            for i, (low, high) in enumerate(pairwise(BINS)):
                inside = study.of(part, label) & (study.ratio >= low) & (study.ratio < high)
                if n := int(inside.sum()):
                    k = int(right[inside].sum())
                    ci = binomtest(k, n).proportion_ci(method="wilson")
                    ax.plot([i + shift] * 2, [ci.low, ci.high], color=colour)
                    ax.plot(i + shift, k / n, "o", color=colour, markersize=4, label=name if i == 4 else None)
                    print(f"{name}, ratio {low} to {high}: {k} of {n} right, {k / n:.3f}")
        ax.set_xticks(range(len(BINS) - 1), [f"{a}–\n{b}" for a, b in pairwise(BINS)], fontsize=6)
        ax.set(title=("Normal", "Pneumonia")[label], xlabel="horizontal over vertical steps", ylim=(0, 1.02))
        ax.legend(loc="lower left")
    figure.savefig(out / "recognised.svg", metadata={"Date": None})


def told_apart(study: Study, out: Path) -> None:
    """How well the classes are told apart by simple numbers and by the network, in either part."""
    sets = {
        "ratio of steps alone": ["stretch"],
        "stretch and detail (5)": list(STRETCH),
        "exposure and border (6)": list(EXPOSURE),
        "all eleven numbers": [*STRETCH, *EXPOSURE],
    }
    found = {name: study.both(study.numbers[columns].to_numpy()) for name, columns in sets.items()}
    found["frozen network"] = study.p
    figure = canvas(2.3)
    ax = figure.subplots()
    for row, (name, p) in enumerate(found.items()):
        a, b = (roc_auc_score(study.y[part], p[part]) for part in (~study.test, study.test))
        ax.plot([a, b], [row, row], color=MUTED, zorder=1)
        ax.plot(a, row, "o", color=BLUE, label="training, patients apart" if not row else None)
        ax.plot(b, row, "D", color=VERMILLION, label="official test" if not row else None)
        print(f"normal or pneumonia by {name}: AUC {a:.4f} in training, {b:.4f} in the test")
    ax.set_yticks(range(len(found)), list(found))
    ax.invert_yaxis()
    ax.set_xlabel("AUC, normal against pneumonia")
    figure.legend(loc="outside lower center", ncols=2)
    figure.savefig(out / "told-apart.svg", metadata={"Date": None})


def domains(study: Study, out: Path) -> None:
    """Which part an image comes from, told within a class; the map of both questions."""
    across = np.empty(len(study.y))
    for label, name in ((0, "normal"), (1, "pneumonia")):
        inside = study.y == label
        where, ids = study.test[inside].astype(int), study.ids[inside]
        simple = study.numbers[inside]
        by_features = out_of_fold(study.features[inside], where, ids, 0.001)
        by_numbers = out_of_fold(simple.to_numpy(), where, ids)
        across[inside] = np.log(by_features / (1 - by_features))
        scores = [roc_auc_score(where, by) for by in (by_features, by_numbers)]
        print(f"training or test, {name}: AUC {scores[0]:.3f} by features, {scores[1]:.3f} by eleven numbers")
        single = {c: max(a := roc_auc_score(where, simple[c]), 1 - a) for c in simple}
        print("    alone:", pd.Series(single).sort_values(ascending=False).head(5).round(3).to_dict())
    figure = canvas(3.4)
    ax = figure.subplots()
    along = np.log(study.p / (1 - study.p))
    for key, (name, colour, _) in sorted(GROUPS.items(), reverse=True):  # test on top
        inside = study.of(*key)
        ax.scatter(along[inside], across[inside], s=3, alpha=0.5, color=colour, label=name, linewidths=0)
    ax.set_xlabel("log odds of the class  →  pneumonia")
    ax.set_ylabel("log odds of the part  →  test")
    figure.legend(loc="outside lower center", ncols=2, markerscale=3)
    figure.savefig(out / "map.png", dpi=110)


def errors(study: Study, out: Path) -> None:
    """Errors by part, cause and naming series; what prevalence and near copies are worth."""
    right, table = study.right(), study.table
    for part, here in (("training", ~study.test), ("test", study.test)):
        names = ("accuracy", "AUC", "sensitivity", "specificity")
        found = worth(study.y[here], study.p[here])
        print(part, ", ".join(f"{name} {value:.3f}" for name, value in zip(names, found, strict=True)))
    series = table["patient"].str.extract(r"^(person|IM|NORMAL2)")[0].replace("person", "") + table["cause"]
    shares = pd.DataFrame({"right": right}).groupby([series, table["official"]])["right"]
    print(shares.agg(["sum", "size", "mean"]).round(3).to_string())
    prevalence = study.y[~study.test].mean()
    _, _, sensitivity, specificity = worth(study.y[study.test], study.p[study.test])
    same = prevalence * sensitivity + (1 - prevalence) * specificity
    print(f"test accuracy at the training part's share of pneumonia, {prevalence:.3f}: {same:.3f}")
    tables = [str(getattr(Image.open(path), "quantization", "no JPEG")) for path in table["path"]]
    coded = pd.Series(tables).groupby([table["label"], table["official"]]).value_counts(normalize=True)
    print("share with the commonest JPEG quantisation:", coded.groupby(level=[0, 1]).max().round(3).to_dict())
    copies = near_identical_groups(table)
    near = study.test & copies.isin(copies[~study.test].dropna()).to_numpy()
    without = right[study.test & ~near].mean()
    print(f"test images with a near copy in training: {near.sum()}; accuracy without them {without:.3f}")
    ill = study.of("test", 1)
    shared = table["patient"].isin(table["patient"][~study.test]).to_numpy()
    for text, inside in (("also in training", ill & shared), ("not", ill & ~shared)):
        print(f"sensitivity, person number {text}: {right[inside].mean():.3f} of {inside.sum()}")


def further_suspects(study: Study, out: Path) -> None:
    """What corners, where markers are, are worth; how many labels the network doubts."""
    blanked = study.pixels.copy()
    level = np.median(blanked, (1, 2)).astype(np.uint8)[:, None, None]
    for rows in (slice(0, CORNER), slice(-CORNER, None)):
        for columns in (slice(0, CORNER), slice(-CORNER, None)):
            blanked[:, rows, columns] = level
    found = {"as they are": study.p, "corners blanked": study.both(study.engine(blanked), 0.003)}
    for name, p in found.items():
        for part, here in (("training", ~study.test), ("test", study.test)):
            _, auc, sensitivity, specificity = worth(study.y[here], p[here])
            print(
                f"{name}, {part}: AUC {auc:.3f}, sensitivity {sensitivity:.3f}, specificity {specificity:.3f}"
            )
    for part, label in GROUPS:
        inside = study.of(part, label)
        sure = (study.p[inside] > 0.99) if label == 0 else (study.p[inside] < 0.01)
        print(f"{GROUPS[part, label][0]}: {sure.sum()} of {inside.sum()} surely of the other class (0.99)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="the CoronaHack archive")
    parser.add_argument(
        "--weights", required=True, help="MobileNetV2-0.35's ImageNet weights, without its top"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("official-test-set"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    study = Study(asked.data, asked.weights)
    with matplotlib.rc_context(STYLE):
        for draw in (numbers, stretched, averages, recognised, told_apart, domains, errors, further_suspects):
            draw(study, asked.out)


if __name__ == "__main__":
    main()
