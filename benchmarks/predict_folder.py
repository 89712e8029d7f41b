"""``neumo predict FOLDER`` against each of its two stages alone: reading, and the forward pass.

    python -m benchmarks.predict_folder DATA [--backbone ResNet50] [--images 120] [--out FILE]

DATA is a folder of real radiographs; some are enlarged to 1,500 x 1,100 (see `benchmarks.enlarge`) and saved
as JPEG at quality 90. The classifier has random filters and an untrained head: time does not depend on them.
The command runs as a user runs it, in a process of its own; what it takes for one file is taken off its time,
as start-up is not throughput. Reading alone uses the same threads, and the forward pass the same engine on
the same pixels in memory, each with all cores to itself. In the whole the two share the cores: where both
need the processor all of the time, no order of work does better than 1 / (1 / reading + 1 / forward).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.enlarge import enlarge, small_files
from benchmarks.untrained import untrained
from neumo.images.many import inspect_many
from neumo.images.read import Inspection
from neumo.progress import track

DIFFERENT = 24
"""Enlarged files; the others are copies of them."""


def make_folder(data: Path, folder: Path, n: int) -> list[Path]:
    """`n` JPEG files of 1,500 x 1,100."""
    folder.mkdir()
    small = small_files(data, DIFFERENT)
    for i, file in enumerate(track(small[:n], "Making files")):
        enlarge(file, 1500, 1100, seed=i).save(folder / f"{i:05}.jpg", quality=90)
    for i in range(DIFFERENT, n):
        (folder / f"{i:05}.jpg").write_bytes((folder / f"{i % DIFFERENT:05}.jpg").read_bytes())
    return sorted(folder.iterdir())


def time_command(classifier: Path, place: Path, out: Path) -> float:
    """Seconds of ``neumo predict``."""
    command = [sys.executable, "-m", "neumo", "predict", str(classifier), str(place), "--out", str(out)]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def time_reading(files: list[Path]) -> float:
    """Seconds of reading alone."""
    started = time.perf_counter()
    deque(inspect_many(files), maxlen=0)
    return time.perf_counter() - started


def time_forward(classifier: Path, files: list[Path]) -> float:
    """Seconds of the forward pass alone, on pixels in memory."""
    import neumo

    model = neumo.load(classifier)
    pixels = [image.pixels for _, image in inspect_many(files) if isinstance(image, Inspection)]
    engine = model._engine

    def batches() -> Iterator[np.ndarray]:
        for start in range(0, len(pixels), engine.batch):
            yield np.stack(pixels[start : start + engine.batch])

    deque(engine.map(batches()), maxlen=0)  # compiles, and touches all memory once
    started = time.perf_counter()
    deque(engine.map(batches()), maxlen=0)
    return time.perf_counter() - started


def main() -> None:
    """Measure all three, three times in turns, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone", default="ResNet50")
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    choices = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        classifier, folder = Path(scratch, "classifier.neumo"), Path(scratch, "folder")
        files = make_folder(choices.data, folder, choices.images)
        untrained(choices.backbone).save(classifier)
        time_command(classifier, files[0], Path(scratch, "one.csv"))  # what is compiled once is kept on disk
        start, whole, reading, forward = (
            min(seconds)
            for seconds in zip(
                *(
                    (
                        time_command(classifier, files[0], Path(scratch, "one.csv")),
                        time_command(classifier, folder, Path(scratch, "all.csv")),
                        time_reading(files),
                        time_forward(classifier, files),
                    )
                    for _ in range(3)
                ),
                strict=True,
            )
        )
    n = len(files)
    rate, slower = (n - 1) / (whole - start), n / max(reading, forward)
    shared = n / (reading + forward)
    text = f"""| {choices.backbone}, {n} JPEG of 1,500 x 1,100 | images/s |
|---|---|
| reading alone | {n / reading:.1f} |
| forward pass alone | {n / forward:.1f} |
| neumo predict FOLDER, without its start of {start:.2f} s | {rate:.1f} |
| of the slower stage | {rate / slower:.0%} |
| of what the two can do on the same cores, {shared:.1f} images/s | {rate / shared:.0%} |
"""
    print(text)
    if choices.out:
        choices.out.write_text(text)


if __name__ == "__main__":
    main()
