"""Reading a radiograph to 224 x 224 grey, against Pillow, one thread.

    python -m benchmarks.reading DATA [--classifier FILE] [--images 16] [--out FILE]

DATA is a folder of real radiographs; some are enlarged (see `benchmarks.enlarge`), saved as JPEG at quality
90 or as PNG, and read from the page cache. The usual way is
``Image.open(file).convert("L").resize((224, 224))``: its filter is bicubic, as Pillow's is unless told
otherwise; bilinear and Lanczos are timed too. The reference that errors are held against is the full picture
through Pillow's bilinear filter, which averages as it shrinks. Times are of the processor in the one thread,
the least of five rounds for each file, all ways taking turns file by file. With a classifier, its
probabilities on what each way reads are held against those on the reference.
"""

from __future__ import annotations

import argparse
import io
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from benchmarks.enlarge import BICUBIC, BILINEAR, enlarge, small_files
from neumo.images.read import read_radiograph
from neumo.progress import track

SIDE, ROUNDS = 224, 5
LANCZOS = Image.Resampling.LANCZOS
Way = Callable[[Path], np.ndarray]


def pillow(resampling: Image.Resampling) -> Way:
    return lambda file: np.asarray(Image.open(file).convert("L").resize((SIDE, SIDE), resampling))


def draft(least: int) -> Way:
    """Pillow's own scaled decoding, to at least so many pixels a side."""

    def read(file: Path) -> np.ndarray:
        image = Image.open(file)
        image.draft("L", (least, least))
        return np.asarray(image.convert("L").resize((SIDE, SIDE), BILINEAR))

    return read


def scaled(scale: int, shrink: bool = True) -> Way:
    """libjpeg-turbo to 1/scale, then Pillow; without shrinking, what decoding alone takes."""

    def read(file: Path) -> np.ndarray:
        data = file.read_bytes()
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        least = {"min_height": math.ceil(height / scale), "min_width": math.ceil(width / scale)}
        pixels = simplejpeg.decode_jpeg(data, "GRAY", **least)[..., 0]
        if not shrink:
            return pixels
        inside = (0, 0, width / scale, height / scale)
        return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), BILINEAR, inside))

    return read


PLAIN, REFERENCE, NEUMO = "Pillow, as it is (bicubic)", "Pillow, bilinear: the reference", "**neumo**"
WAYS: dict[str, Way] = {
    PLAIN: pillow(BICUBIC),
    REFERENCE: pillow(BILINEAR),
    "Pillow, Lanczos": pillow(LANCZOS),
    NEUMO: read_radiograph,
}
FRONTIER: dict[str, Way] = {
    **WAYS,
    "Pillow's draft mode to 448, bilinear": draft(448),
    "Pillow's draft mode to 224, bilinear": draft(224),
    "libjpeg-turbo to grey, bilinear": scaled(1),
    "libjpeg-turbo to grey at 1/2, bilinear": scaled(2),
    "libjpeg-turbo to grey at 1/4, bilinear": scaled(4),
    "libjpeg-turbo to grey at 1/8, nothing else": scaled(8, shrink=False),
}
KINDS = {
    "grey JPEG 1,500 x 1,100": ("L", (1500, 1100), "jpg"),
    "colour JPEG 1,500 x 1,100": ("RGB", (1500, 1100), "jpg"),
    "grey JPEG 1,000 x 750": ("L", (1000, 750), "jpg"),
    "grey JPEG 3,000 x 2,400": ("L", (3000, 2400), "jpg"),
    "grey PNG 1,500 x 1,100": ("L", (1500, 1100), "png"),
}


def milliseconds(ways: dict[str, Way], files: list[Path]) -> dict[str, float]:
    """Of the processor, per file, each way."""
    least = {name: np.full(len(files), np.inf) for name in ways}
    for place, file in enumerate(files):
        for _ in range(ROUNDS):
            for name, way in ways.items():
                started = time.thread_time()
                way(file)
                least[name][place] = min(least[name][place], time.thread_time() - started)
    return {name: 1000 * seconds.mean() for name, seconds in least.items()}


def errors(way: Way, files: list[Path]) -> np.ndarray:
    """Mean absolute difference to the reference in grey levels, per file."""
    reference = WAYS[REFERENCE]
    return np.array([np.abs(way(file) - reference(file).astype(float)).mean() for file in files])


def main() -> None:
    """Make the files, measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--classifier", type=Path)
    parser.add_argument("--images", type=int, default=16, help="that are timed, of each kind")
    parser.add_argument("--predicted", type=int, default=120, help="that are predicted")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    choices = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = tables(choices.data, Path(folder), choices.images)
        if choices.classifier:
            text += predictions(choices.data, Path(folder), choices.predicted, choices.classifier)
    print(text)
    if choices.out:
        choices.out.write_text(text)


def tables(data: Path, folder: Path, n: int) -> str:
    """Every kind of file read by neumo and Pillow; every way to read a grey JPEG."""
    text = (
        "| file | KB | Pillow ms | neumo ms | ratio | to bilinear | to Lanczos | error, mean (worst) |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    frontier = "\n| way, grey JPEG 1,500 x 1,100 | ms | ratio | error, mean (worst) |\n|---|---|---|---|\n"
    small = small_files(data, n)
    for kind, (mode, size, suffix) in KINDS.items():
        files = [folder / f"{mode}{size[0]}-{i}.{suffix}" for i in range(n)]
        for i, file in enumerate(track(files, f"Making {kind}")):
            enlarge(small[i], *size, seed=i).convert(mode).save(file, quality=90)
        first = kind == next(iter(KINDS))
        took = milliseconds(FRONTIER if first else WAYS, files)
        kb = np.mean([file.stat().st_size for file in files]) / 1024
        wrong = errors(WAYS[NEUMO], files)
        ratios = [took[name] / took[NEUMO] for name in (PLAIN, REFERENCE, "Pillow, Lanczos")]
        text += (
            f"| {kind} | {kb:,.0f} | {took[PLAIN]:.2f} | {took[NEUMO]:.2f} | {ratios[0]:.2f} "
            f"| {ratios[1]:.2f} | {ratios[2]:.2f} | {wrong.mean():.2f} ({wrong.max():.2f}) |\n"
        )
        if first:
            for name, way in FRONTIER.items():
                seen = (
                    ""
                    if "nothing else" in name
                    else f"{errors(way, files).mean():.2f} ({errors(way, files).max():.2f})"
                )
                frontier += f"| {name} | {took[name]:.2f} | {took[PLAIN] / took[name]:.2f} | {seen} |\n"
    return text + frontier


def predictions(data: Path, folder: Path, n: int, classifier: Path) -> str:
    """What a classifier makes of what each way reads."""
    import neumo

    model = neumo.load(classifier)
    ways = {
        name: FRONTIER[name] for name in (REFERENCE, NEUMO, "libjpeg-turbo to grey at 1/2, bilinear", PLAIN)
    }
    ways["Pillow, Lanczos"] = WAYS["Pillow, Lanczos"]
    pixels: dict[str, list[np.ndarray]] = {name: [] for name in [*ways, "the small picture"]}
    for i, small in enumerate(track(small_files(data, n), "Making pictures to predict")):
        file = folder / "predicted.jpg"
        enlarge(small, 1500, 1100, seed=i).save(file, quality=90)
        for name, way in ways.items():
            pixels[name].append(way(file))
        pixels["the small picture"].append(read_radiograph(io.BytesIO(small.read_bytes())))
    found = {name: model.probabilities(np.stack(some)) for name, some in pixels.items()}
    text = (
        f"\n| probabilities of {n} radiographs against those by the reference | mean difference | largest "
        "| other decision |\n|---|---|---|---|\n"
    )
    for name, probability in found.items():
        if name != REFERENCE:
            moved = np.abs(probability - found[REFERENCE])
            flips = ((probability >= model.threshold) != (found[REFERENCE] >= model.threshold)).sum()
            text += f"| {name} | {moved.mean():.4f} | {moved.max():.3f} | {flips} |\n"
    return text


if __name__ == "__main__":
    main()
