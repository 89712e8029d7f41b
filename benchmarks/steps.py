"""Processor time per image of each step from a small file to a finding.

    python -m benchmarks.steps DATA [--model MODEL] [--images 256] [--rounds 5] [--out FILE]

DATA is a folder of real radiographs of 224 x 224, which are read as they are, from the page cache. Time is
that of all threads of the process, so other work on the machine matters little. All steps take turns; the
least and the median of the rounds are told. Parts of a step stand below it, with a dash; what these leave of
"findings" is the networks once more, for doubtful images turned around.
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import simplejpeg

from benchmarks.enlarge import small_files
from neumo.classifier.classifier import Classifier, load
from neumo.files import SHIPPED
from neumo.images.checks import look
from neumo.images.read import inspect_radiograph
from neumo.progress import track


def steps(classifier: Classifier, files: list[Path]) -> dict[str, Callable[[], object]]:
    """What does each step for all files."""
    data = [file.read_bytes() for file in files]
    images = [inspect_radiograph(file) for file in files]
    pixels = np.stack([image.pixels for image in images])
    engine, reference = classifier._engine, classifier._reference
    places = [slice(start, start + engine.batch) for start in range(0, len(files), engine.batch)]
    batches = [(pixels[at], engine(pixels[at]), images[at]) for at in places]

    def each(of: Iterable[object]) -> object:
        return deque(of, maxlen=0)

    found = {
        "`Classifier.stream`": lambda: each(classifier.stream(files)),
        "reading": lambda: each(map(inspect_radiograph, files)),
        "- decoding alone, to grey": lambda: each(simplejpeg.decode_jpeg(one, "GRAY") for one in data),
        "- `look`": lambda: each(look(image.pixels) for image in images),
        "networks": lambda: each(engine.map(some for some, _, _ in batches)),
        "findings": lambda: each(classifier._findings(*batch) for batch in batches),
        "- output": lambda: each(classifier._judge(features) for _, features, _ in batches),
    }
    if reference is not None:
        found["- distance"] = lambda: each(reference.distance(features) for _, features, _ in batches)
    return {**found, "`Classifier.examine`, of pixels in memory": lambda: classifier.examine(pixels, images)}


def main() -> None:
    """Measure all steps in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    choices = parser.parse_args()
    files = small_files(choices.data, choices.images)
    measured = steps(load(choices.model), files)
    took: dict[str, list[float]] = {name: [] for name in measured}
    for run in measured.values():
        run()  # compiles, and touches all memory once
    for _ in track(range(choices.rounds), "Measuring"):
        for name, run in measured.items():
            began = time.process_time()
            run()
            took[name].append(1000 * (time.process_time() - began) / len(files))
    rows = [f"| {name} | {min(ms):.2f} | {np.median(ms):.2f} |\n" for name, ms in took.items()]
    text = "| processor time per image, ms | least | median |\n|---|---|---|\n" + "".join(rows)
    print(text)
    if choices.out:
        choices.out.write_text(text)


if __name__ == "__main__":
    main()
