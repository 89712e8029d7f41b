"""How long neumo takes to start, beside a plain Keras script that predicts the same image.

    python -m benchmarks.start_up [--backbone ResNet50] [--python OTHER/bin/python] [--out FILE]

Every figure is the wall-clock time of a fresh process, the median and the smallest of `--times`. Files are in
the operating system's cache, as they are after the first time; "first" has an empty cache folder of neumo's,
so that the network is compiled, and the others find it compiled there. The classifier has random filters and
an untrained head, since neither changes the time. Keras loads the network that is inside it. TensorFlow is
looked for in `--python` too, which needs nothing of neumo's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KERAS = """
import sys
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1], compile=False)
image = keras.utils.load_img(sys.argv[2], target_size=(224, 224))
print(model.predict(np.asarray(image, "float32")[None], verbose=0))
"""


def make(backbone_name: str, folder: Path) -> tuple[Path, Path, Path]:
    """A classifier, its network as Keras' own file, and a radiograph."""
    import numpy as np
    from PIL import Image

    from benchmarks.untrained import untrained
    from neumo.phantom.radiograph import draw_radiograph

    classifier = untrained(backbone_name)
    files = folder / "start-up.neumo", folder / "start-up.keras", folder / "radiograph.png"
    classifier.save(files[0])
    classifier.keras_model().save(files[1])
    pixels, _ = draw_radiograph("bacteria", patient=1, size=1024)
    Image.fromarray(np.asarray(pixels)).save(files[2])
    return files


def seconds(command: list[str], times: int, cache: Path, *, first: bool = False, **own: str) -> list[float]:
    """Wall-clock times of a command; none where it fails."""
    found = []
    for i in range(times + (not first)):
        if first:
            shutil.rmtree(cache, ignore_errors=True)
        started = time.perf_counter()
        done = subprocess.run(
            command, env={**os.environ, "NEUMO_CACHE": str(cache), **own}, capture_output=True, text=True
        )
        if done.returncode:
            print(f"{' '.join(command[:3])}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            return []
        if i or first:  # one more, which is not counted, fills the caches
            found.append(time.perf_counter() - started)
    return found


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--backbone", default="ResNet50")
    parser.add_argument("--python", help="interpreter for what this one has not")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    choices = parser.parse_args()

    neumo = [sys.executable, "-m", "neumo"]
    lines = [f"| {choices.backbone} | median, s | smallest, s |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        classifier, keras_file, radiograph = make(choices.backbone, folder)
        predict = [*neumo, "predict", str(classifier), str(radiograph)]
        script = folder / "plain.py"
        script.write_text(KERAS)
        told = {
            "python, nothing else": seconds([sys.executable, "-c", ""], choices.times, folder / "cache"),
            "import neumo": seconds([sys.executable, "-c", "import neumo"], choices.times, folder / "cache"),
            "neumo --help": seconds([*neumo, "--help"], choices.times, folder / "cache"),
            "neumo predict, one image": seconds(predict, choices.times, folder / "cache"),
            "neumo predict, one image, first": seconds(predict, choices.times, folder / "first", first=True),
        }
        for backend in ("torch", "tensorflow"):
            for python in filter(None, (sys.executable, choices.python)):
                command = [python, str(script), str(keras_file), str(radiograph)]
                found = seconds(command, max(1, choices.times // 2), folder / "cache", KERAS_BACKEND=backend)
                if found:
                    break
            told[f"the same in Keras on {backend}"] = found
        for what, times in told.items():
            shown = f"{statistics.median(times):.2f} | {min(times):.2f}" if times else "not installed | "
            lines.append(f"| {what} | {shown} |")
    table = "\n".join(lines) + "\n"
    print(table)
    if choices.out:
        choices.out.write_text(table)


if __name__ == "__main__":
    main()
