"""How far apart perceptual hashes of chest radiographs are: the figures behind `neumo.data.duplicates.NEAR`.

python benchmarks/near_identical.py CORONAHACK_FOLDER
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable

import imagehash
import numpy as np
from PIL import Image, ImageEnhance

from neumo.data.duplicates import NEAR, close_pairs
from neumo.data.sources import read
from neumo.images.read import read_radiograph
from neumo.progress import track
from neumo.threads import in_threads


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def cropped(image: Image.Image, share: float) -> Image.Image:
    edge = image.width * share / 2
    box = (edge, edge, image.width - edge, image.height - edge)
    return image.resize(image.size, Image.Resampling.BILINEAR, box=box)


def marked(image: Image.Image) -> Image.Image:
    image = image.copy()
    image.paste(255, (10, 10, 40, 30))
    return image


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG quality 20": lambda image: jpeg(image, 20),
    "half the size": lambda image: image.resize((112, 112), Image.Resampling.BILINEAR),
    "noise of 5 grey levels": lambda image: Image.fromarray(
        np.clip(np.asarray(image) + np.random.default_rng(0).normal(0, 5, (224, 224)), 0, 255).astype(
            np.uint8
        )
    ),
    "brightness +20 %": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "contrast -20 %": lambda image: ImageEnhance.Contrast(image).enhance(0.8),
    "gamma 1.5": lambda image: image.point(lambda grey: 255 * (grey / 255) ** 1.5),
    "2 % cropped": lambda image: cropped(image, 0.02),
    "4 % cropped": lambda image: cropped(image, 0.04),
    "turned by 1 degree": lambda image: image.rotate(1, Image.Resampling.BILINEAR),
    "a marker pasted in": marked,
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "inverted": lambda image: image.point(lambda grey: 255 - grey),
}


def hashed(image: Image.Image, size: int = 16) -> np.ndarray:
    return np.packbits(imagehash.phash(image, size).hash)


def opened(path: str) -> Image.Image:
    return Image.fromarray(read_radiograph(path))


def main(folder: str) -> None:
    table = read(folder).table.drop_duplicates("sha256", ignore_index=True)
    hashes = in_threads(lambda p: (hashed(opened(p), 8), hashed(opened(p), 16)), table["path"])
    both = list(track(hashes, "Hashing", total=len(table)))
    label = table["label"].to_numpy()
    for size in (8, 16):
        codes = np.stack([pair[size == 16] for pair in both])
        padded = np.pad(codes, ((0, 0), (32 - codes.shape[1], 0))).view(np.uint64)
        most = {8: 4, 16: 44}[size]
        pairs = close_pairs(padded, most)
        bits = np.bitwise_count(codes[pairs[:, 0]] ^ codes[pairs[:, 1]]).sum(axis=1)
        across = label[pairs[:, 0]] != label[pairs[:, 1]]
        print(f"{size} x {size}: {len(pairs)} pairs of different files at most {most} bits apart, of which")
        print(
            f"  {across.sum()} across classes; bits apart: {np.sort(bits)[:10]}, "
            f"across classes {np.sort(bits[across])[:3]}"
        )

    sample = np.random.default_rng(0).choice(len(table), 300, replace=False)
    originals = [opened(table["path"][row]) for row in sample]
    for name, change in CHANGES.items():
        apart = [np.bitwise_count(hashed(change(image)) ^ hashed(image)).sum() for image in originals]
        share = np.mean(np.array(apart) <= NEAR)
        print(f"{name}: median {np.median(apart):.0f} bits, {share:.1%} within {NEAR}")

    rng = np.random.default_rng(0)
    many = np.concatenate([np.stack([pair[1] for pair in both])] * 18)[:100_000]
    many = (many ^ np.packbits(rng.random((len(many), 256)) < 0.05, axis=1)).view(np.uint64)
    wall, processor = time.perf_counter(), time.process_time()
    close_pairs(many, NEAR)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    print(f"{len(many):,} hashes compared in {wall:.1f} s, {processor:.1f} s of processor time")


if __name__ == "__main__":
    main(sys.argv[1])
