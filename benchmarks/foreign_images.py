"""How many real radiographs are flagged, and how many images that are none: the figures of foreign-images.md.

pip install scikit-image pydicom-data   # pictures that these packages carry; without them, fewer kinds
python benchmarks/foreign_images.py CORONAHACK_FOLDER [--backbone NAME] [--weights FILE] [--out FILE]
python benchmarks/foreign_images.py CORONAHACK_FOLDER --model FILE.neumo [--out FILE]

A classifier is trained for each protocol, on that protocol's training part alone, and looks at its test part.
Foreign images are shown to the classifier of the official split, as it would see their files. With --model, a
saved classifier is shown the official test set and all foreign images instead.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

import neumo
from neumo.classifier.classifier import Classifier
from neumo.classifier.findings import Finding
from neumo.data.duplicates import near_identical_groups
from neumo.data.split import every_split
from neumo.errors import NeumoError
from neumo.images.checks import TURNED
from neumo.images.read import inspect_radiograph, read_radiograph
from neumo.progress import track
from neumo.threads import in_threads

SIDE = 224
DISTANT = 0.5  # grey levels: DICOM test files that differ by less are one picture, compressed in several ways


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def small_on(grey: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda a: np.pad(resized(a, SIDE // 2, SIDE // 2), SIDE // 4, constant_values=grey)


CHANGED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "radiographs as negatives": lambda a: 255 - a,
    "radiographs on their left side": lambda a: np.rot90(a),
    "radiographs on their right side": lambda a: np.rot90(a, 3),
    "radiographs upside down": lambda a: a[::-1, ::-1],
    "radiographs upside down and mirrored": lambda a: a[::-1],
    "radiographs mirrored": lambda a: a[:, ::-1],
    "radiographs, the middle third": lambda a: a[75:150, 75:150],
    "radiographs, the middle half": lambda a: a[56:168, 56:168],
    "radiographs, a quarter": lambda a: a[:112, :112],
    "radiographs, 80 % of height and width": lambda a: a[22:202, 22:202],
    "radiographs small on black": small_on(0),
    "radiographs small on white": small_on(255),
    "two radiographs side by side": lambda a: np.hstack([resized(a, SIDE // 2, SIDE)] * 2),
    "radiographs in black and white only": lambda a: np.where(a > np.median(a), 255, 0).astype(np.uint8),
}
"""What is made of real radiographs of the official test set."""


def png(pixels: np.ndarray) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    file.seek(0)
    return file


def quarters(pixels: np.ndarray) -> Iterator[np.ndarray]:
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    for top in (0, height):
        for left in (0, width):
            yield pixels[top : top + height, left : left + width]


def drawn() -> Iterator[tuple[str, np.ndarray]]:
    """Pictures that no package need carry."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    far = np.hypot(x - SIDE / 2, y - SIDE / 2)
    for grey in (0, 30, 128, 255):
        yield "blank", np.full((SIDE, SIDE), grey, np.uint8)
    for deviation in (10, 20, 60):
        noise = random.normal(128, deviation, (SIDE, SIDE))
        yield "noise", np.clip(noise, 0, 255).astype(np.uint8)
    for values in (x, y, far, -far, x + y):
        yield "gradients", np.rint(255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)
    for i in range(8):
        page = Image.new("L", (840, 1188), "white")
        for line in range(60, 1100, 26):
            words = "".join(random.choice(list("etaoin shrdlu"), 70 - 4 * i))
            ImageDraw.Draw(page).text((80, line), words, "black", font_size=16 + i)
        yield "pages of text", np.asarray(page)


def carried() -> Iterator[tuple[str, np.ndarray]]:
    """Pictures that scikit-learn and, where it is installed, scikit-image carry."""
    from sklearn.datasets import load_sample_images

    photographs = list(load_sample_images().images)
    if find_spec("skimage"):
        from skimage import data  # type: ignore[import-not-found, unused-ignore]

        names = ("astronaut", "brick", "camera", "cat", "clock", "coffee", "coins", "grass", "gravel", "moon")
        photographs += [getattr(data, name)() for name in (*names, "rocket", "hubble_deep_field")]
        for face in data.lfw_subset()[:100]:
            yield "faces", np.rint(255 * face / face.max()).astype(np.uint8)
        for name in ("cell", "immunohistochemistry", "microaneurysms", "retina", "shepp_logan_phantom"):
            picture = getattr(data, name)()
            yield (
                "microscopy, retina, phantom",
                picture if picture.dtype == np.uint8 else np.rint(255 * picture).astype(np.uint8),
            )
        for name in ("page", "text"):
            yield "pages of text", getattr(data, name)()
    for photograph in photographs:
        grey = np.asarray(Image.fromarray(photograph).convert("L"))  # in colour they would be told by it
        yield "photographs in grey", grey
        yield from (("photographs in grey", part) for part in quarters(grey))
        if photograph.ndim == 3:
            yield "photographs in colour", photograph


def other_dicom() -> Iterator[tuple[str, Path, np.ndarray]]:
    """CT, MR, ... as DICOM file and as picture, one of each, from pydicom and, if installed, pydicom-data."""
    import pydicom

    folders = [Path(pydicom.__file__).parent / "data" / "test_files"]
    if (package := find_spec("data_store")) and package.submodule_search_locations:  # pydicom-data
        folders += [Path(place) / "data" for place in package.submodule_search_locations]
    seen: list[np.ndarray] = []
    for file in sorted(file for folder in folders for file in folder.glob("*.dcm")):
        try:
            dataset = pydicom.dcmread(file)
            frame = dataset.pixel_array
            if min(dataset.Rows, dataset.Columns) < 64 or dataset.Modality == "RTDOSE":
                continue
        except Exception:  # many of the test files are broken on purpose
            continue
        if dataset.get("BodyPartExamined") == "CHEST" and dataset.Modality in ("CR", "DX"):
            continue
        frame = frame[0] if int(dataset.get("NumberOfFrames") or 1) > 1 else frame
        low, high = np.percentile(frame, (0.5, 99.5))
        grey = np.rint(255 * np.clip((frame - low) / max(high - low, 1e-9), 0, 1)).astype(np.uint8)
        grey = 255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey
        thumbnail = np.asarray(Image.fromarray(grey).convert("L").resize((32, 32)), np.float32)
        if all(np.abs(thumbnail - other).mean() > DISTANT for other in seen):
            seen.append(thumbnail)
            yield f"DICOM {dataset.Modality}", file, grey


def told(classifier: Classifier, file: io.BytesIO | Path) -> Finding | None:
    """What `neumo predict` would find in a file; None where it is refused."""
    try:
        image = inspect_radiograph(file)
    except NeumoError:
        return None
    return classifier.examine(image.pixels[None], [image])[0]


def real(classifier: Classifier, paths: list[str]) -> dict[str, float]:
    """How test images, and they turned around, are flagged."""
    pixels = np.stack(list(in_threads(read_radiograph, paths)))
    warned: dict[str, list[tuple[str, ...]]] = {"": [], **{name: [] for name in TURNED}}
    for start in track(range(0, len(pixels), 64), "Test images"):
        part = pixels[start : start + 64]
        for name, told in warned.items():
            told += [one.warnings for one in classifier.examine(TURNED[name](part) if name else part)]
    return {
        "n": len(pixels),
        **{name: sum(name in told for told in warned[""]) for name in ("unfamiliar", *TURNED)},
        "flagged, %": round(100 * float(np.mean([bool(told) for told in warned[""]])), 2),
        **{
            f"{name} told, %": round(100 * float(np.mean([name in told for told in warned[name]])), 2)
            for name in TURNED
        },
    }


def look_at(classifier: Classifier, images: list[tuple[str, io.BytesIO | Path]]) -> pd.DataFrame:
    """By kind of image: how many are refused, and how many are scored without a warning."""
    rows = []
    for kind, file in track(images, "Foreign images"):
        finding = told(classifier, file)
        silent = finding is not None and not finding.warnings
        distance = np.nan if finding is None else finding.distance
        rows.append({"images": kind, "refused": finding is None, "silent": silent, "distance": distance})
    kinds = pd.DataFrame(rows).groupby("images", sort=False)
    table = kinds.agg(n=("silent", "size"), refused=("refused", "sum"), silent=("silent", "sum"))
    table["caught, %"] = (100 * (1 - table["silent"] / table["n"])).round(1)
    return table.assign(nearest=kinds["distance"].min(), median=kinds["distance"].median()).reset_index()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder")
    arguments.add_argument("--backbone", default="MobileNetV2-0.35")
    arguments.add_argument("--weights", default="imagenet")
    arguments.add_argument(
        "--model", type=Path, help="a saved classifier to look at, instead of training any"
    )
    arguments.add_argument("--out", type=Path, help="writes the tables as JSON")
    options = arguments.parse_args()
    data = neumo.read(options.folder)
    trained, flagged = {}, []
    splits: dict[tuple[str, int], pd.DataFrame] = {}
    if options.model:
        trained["official"] = neumo.load(options.model)
        paths = data.table.loc[data.table["official"] == "test", "path"].tolist()
        flagged.append({"protocol": "official", **real(trained["official"], paths)})
    else:
        splits, _ = every_split(data.table, groups=near_identical_groups(data.table))
    for (protocol, _), rows in splits.items():
        trained[protocol] = neumo.train(
            data,
            protocol=protocol,
            ladder_step="normalised",
            epochs=2,
            copies=0,
            backbone=options.backbone,
            weights=options.weights,
        )
        paths = rows.loc[rows["part"] == "test", "path"].tolist()
        flagged.append({"protocol": protocol, **real(trained[protocol], paths)})

    images: list[tuple[str, io.BytesIO | Path]] = []
    for kind, picture in (*carried(), *drawn()):
        images.append((kind, png(picture)))
    for kind, path, picture in other_dicom():
        images += [(f"{kind}, the file", path), (f"{kind}, as PNG", png(picture))]
    for name in data.table.loc[data.table["official"] == "test", "path"].iloc[::4]:
        pixels = read_radiograph(name)
        images += [(kind, png(change(pixels))) for kind, change in CHANGED.items()]
    foreign = look_at(trained["official"], images)
    print(pd.DataFrame(flagged).to_string(index=False))
    print(foreign.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    if options.out:
        tables = {"flagged": flagged, "foreign": json.loads(foreign.to_json(orient="records"))}
        options.out.write_text(json.dumps(tables, indent=1))


if __name__ == "__main__":
    main()
