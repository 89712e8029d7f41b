"""What helps on a hard validation part; the test part is never read."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image, ImageOps
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neumo
from neumo.data.hard_validation import with_hard_validation
from neumo.data.split import split, together
from neumo.features.backbones import backbone
from neumo.features.engine import Engine
from neumo.features.networks import kept_graph
from neumo.images.augment import Augmentation, augment
from neumo.images.read import read_radiograph
from neumo.images.stretch import stretch
from neumo.report.drawing import BLUE, ORANGE, STYLE, VERMILLION, canvas
from neumo.threads import in_threads

SEEDS = range(3)
SHARE = 0.4
"""Of the patients with pneumonia: the classes become nearly of one size, the work half."""
KINDS = {"usual": 0.0, "hard, 20 %": 0.2, "hard, 10 %": 0.1}
"""Validation part -> fraction for `with_hard_validation`, 0 for whole patients at random."""
EVEN = 1.4
"""Ratio of steps between the medians of the two classes in the training part."""
STILL = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

Change = Callable[[np.ndarray], np.ndarray]


def cropped(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels)
    return np.asarray(image.resize(image.size, Image.Resampling.BILINEAR, box=(22, 22, 202, 202)))


def halved(pixels: np.ndarray) -> np.ndarray:
    small = Image.fromarray(pixels).resize((112, 112), Image.Resampling.BILINEAR)
    return np.asarray(small.resize((224, 224), Image.Resampling.BILINEAR))


def spread(pixels: np.ndarray) -> np.ndarray:
    """From the 1st to the 99th percentile."""
    low, high = np.percentile(pixels, (1, 99))
    return ((pixels - low) * (255 / max(high - low, 1))).clip(0, 255).astype(np.uint8)


def equalised(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(ImageOps.equalize(Image.fromarray(pixels)))


def evened(pixels: np.ndarray) -> np.ndarray:
    """Squeezed, and mirrored at the edges, until its ratio of steps is that of all others."""
    for _ in range(2):  # what is resampled loses some of its steps
        ratio = float(np.exp(np.clip(stretch(pixels)[0] - np.log(EVEN), -0.35, 0.35)))
        pixels = _squeezed(pixels.T, 1 / ratio).T if ratio < 1 else _squeezed(pixels, ratio)
    return pixels


def _squeezed(pixels: np.ndarray, times: float) -> np.ndarray:
    """From top to bottom."""
    size = len(pixels)
    height = round(size / times)
    small = Image.fromarray(pixels).resize((size, height), Image.Resampling.BILINEAR)
    above = (size - height) // 2
    return np.pad(np.asarray(small), ((above, size - height - above), (0, 0)), mode="reflect")


PREPARED: dict[str, Change] = {
    "histogram equalised": equalised,
    "percentiles spread": spread,
    "centre crop, 80 %": cropped,
    "half resolution": halved,
    "stretch evened": evened,
}
"""Done to every image, in training and validation."""

CHANGED = {
    "copies moved, zoomed": Augmentation(**{**vars(STILL), "shift": 0.06, "zoom": 0.15}),
    "copies exposed": Augmentation(**{**vars(STILL), "gamma": 0.4, "contrast": 0.25, "brightness": 20}),
    "copies stretched": Augmentation(**{**vars(STILL), "stretch": 0.5}),
    "copies blurred": Augmentation(**{**vars(STILL), "blur": 1.5}),
    "copies changed in all ways": Augmentation(),
}
"""Done at random to one copy of each training image, which is trained on beside it."""


def sample(data: str) -> pd.DataFrame:
    """Training images of known patients: all normal ones, pneumonia of a share of the patients.

    The test part's rows stay for the split, which needs them; their images are not read.
    """
    table = neumo.read(data).table
    table = table[table["official"].notna() & table["patient"].notna()]
    ill = table["patient"][(table["label"] == 1) & (table["official"] == "train")].unique()
    kept = np.random.default_rng(0).permutation(ill)[: int(SHARE * len(ill))]
    return table[(table["label"] == 0) | (table["official"] == "test") | table["patient"].isin(kept)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="the CoronaHack archive")
    parser.add_argument(
        "--weights", required=True, help="MobileNetV2-0.35's ImageNet weights, without its top"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("official-test-set"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)

    table = sample(asked.data)
    inside = (table["official"] == "train").to_numpy()
    rows = table[inside]
    y = rows["label"].to_numpy()
    pixels = list(in_threads(read_radiograph, rows["path"]))
    network = backbone("MobileNetV2-0.35", asked.weights)
    engine = Engine(kept_graph(network), network.scaling, "f32")

    def seen(images: Iterable[np.ndarray]) -> np.ndarray:
        return engine(np.stack(list(images)))

    parts: dict[str, list[np.ndarray]] = {name: [] for name in KINDS}
    for seed in SEEDS:
        usual = split(table, "official", seed=seed)
        for name, fraction in KINDS.items():
            drawn = with_hard_validation(usual, fraction, seed) if fraction else usual
            parts[name].append((drawn["part"] == "validation").to_numpy()[inside])
    print(f"{len(rows)} training images of {together(rows).max() + 1} patients, {y.mean():.2f} pneumonia")

    plain = seen(pixels)
    for name, masks in kept_apart(rows, np.stack([stretch(one) for one in pixels])).items():
        runs = [worth(y, held, plain, None, left) for held, left in masks]
        text = "AUC {:.3f}, sensitivity {:.3f}, specificity {:.3f}".format(*np.mean(runs, 0))
        print(f"validation on {name}: {text}; lowest AUC {np.min(runs, 0)[0]:.3f}", flush=True)
    cures: list[tuple[str, np.ndarray, np.ndarray | None]] = [("nothing", plain, None)]
    prepared = {name: list(in_threads(change, pixels)) for name, change in PREPARED.items()}
    for name, images in {"nothing": pixels, **prepared}.items():
        told = roc_auc_score(y, [stretch(one)[0] for one in images])
        print(f"{name}: the ratio of steps alone tells the classes with AUC {told:.3f}", flush=True)
    cures += [(name, seen(images), None) for name, images in prepared.items()]
    for name, by in CHANGED.items():
        copies = (augment(one, by, seed) for seed, one in enumerate(pixels))
        cures.append((name, plain, seen(copies)))

    found: dict[str, dict[str, np.ndarray]] = {}
    for name, x, changed in cures:
        for kind, masks in parts.items():
            runs = [worth(y, held, x, changed) for held in masks]
            found.setdefault(kind, {})[name] = np.mean(runs, 0)
            text = "AUC {:.4f}, sensitivity {:.3f}, specificity {:.3f}".format(*np.mean(runs, 0))
            print(f"{name}, {kind}: {text}; AUC's sd over seeds {np.std(runs, 0, ddof=1)[0]:.4f}", flush=True)
    with matplotlib.rc_context(STYLE):
        figure = canvas(3)
        ax = figure.subplots()
        for kind, colour, mark in zip(KINDS, (BLUE, ORANGE, VERMILLION), "osD", strict=True):
            auc = [one[0] for one in found[kind].values()]
            ax.plot(auc, range(len(auc)), mark, color=colour, label=kind)
        ax.set_yticks(range(len(cures)), [cure[0] for cure in cures])
        ax.invert_yaxis()
        ax.set_xlabel("AUC")
        figure.legend(loc="outside lower center", ncols=2)
        figure.savefig(asked.out / "cures.svg", metadata={"Date": None})


Masks = list[tuple[np.ndarray, np.ndarray]]


def kept_apart(rows: pd.DataFrame, numbers: np.ndarray) -> dict[str, Masks]:
    """Other validation parts, one class of which is of another kind than in training.

    Returns:
        What is kept apart -> one pair for each kind: images held out, images left out altogether; bool (n,).
    """
    y, cause, patient = (rows[name].to_numpy() for name in ("label", "cause", "patient"))
    normal, nobody = y == 0, np.zeros(len(y), bool)
    fifth = {0: draw_patients(patient, normal, 0.2), 1: draw_patients(patient, ~normal, 0.2)}
    number = rows["patient"].str.extract(r"(\d+)$")[0].fillna("-1").astype(int).to_numpy()
    series = np.where(rows["patient"].str.startswith("NORMAL2"), 1, 0)
    stretches: Masks = []
    for part in range(5):
        held = fifth[1].copy()
        for one in (0, 1):
            inside = normal & (series == one)
            held |= inside & np.isin(number, np.array_split(np.unique(number[inside]), 5)[part])
        stretches.append((held, nobody))
    scaled = StandardScaler().fit_transform(numbers)
    kinds = KMeans(5, random_state=0, n_init=10).fit(scaled[normal]).predict(scaled)
    clusters = [((normal & (kinds == kind)) | fifth[1], nobody) for kind in range(5)]
    causes = [
        (fifth[0] | (cause == held), ~normal & (cause != held) & np.isin(patient, patient[cause == held]))
        for held in ("bacteria", "virus")
    ]
    return {
        "each fifth of the normal archive, by number": stretches,
        "each of five clusters of normal images by stretch and detail": clusters,
        "each cause of pneumonia": causes,
    }


def draw_patients(patient: np.ndarray, inside: np.ndarray, share: float) -> np.ndarray:
    """A share of the patients that have an image inside, as a mask of their images inside."""
    whose = np.unique(patient[inside].astype(str))
    drawn = np.random.default_rng(1).permutation(whose)[: round(share * len(whose))]
    return inside & np.isin(patient.astype(str), drawn)


def worth(
    y: np.ndarray,
    held: np.ndarray,
    x: np.ndarray,
    copies: np.ndarray | None,
    left_out: np.ndarray | None = None,
) -> list[float]:
    """AUC, sensitivity, specificity on the held-out images of a head fitted to the others."""
    truth, p = y[held], x[held]
    if left_out is not None:
        y, x, held = y[~left_out], x[~left_out], held[~left_out]
    train = x[~held] if copies is None else np.concatenate([x[~held], copies[~held]])
    head = LogisticRegression(C=0.003, max_iter=400, class_weight="balanced")
    fit = make_pipeline(StandardScaler(), head).fit(train, np.tile(y[~held], len(train) // (~held).sum()))
    p = fit.predict_proba(p)[:, 1]
    return [float(roc_auc_score(truth, p)), (p[truth == 1] >= 0.5).mean(), (p[truth == 0] < 0.5).mean()]


if __name__ == "__main__":
    main()
