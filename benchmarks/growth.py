"""Time per image and memory for ever larger data sets.

    python benchmarks/growth.py CORONAHACK [--sizes 1000 10000 100000] [--weights FILE] [--out FILE]

The JPEGs of CORONAHACK are repeated under new names, each with a comment of its own in the file, so that no
two files have the same bytes. Every phase of every size runs in a process of its own:

audit       reading the table (hashes), decoding, perceptual hashes, near-identical groups
features    MobileNetV2-0.35 features of every image, nothing stored
looked up   the same again, all stored
head        one trial of a study: last step, three epochs, test part evaluated (with 1,000 bootstrap samples)
predict     a saved classifier over all files

Each phase is run on 64 other images first, which is not counted, and on 64 more, whose time is taken off:
compiling, reading weights. "ms" is what is left of the wall time over the number of images, "ms of
processor" the same of user and system time of all threads, which other work on the machine disturbs less.
"MB" is the peak of RssAnon in /proc/self/status, looked at every 20 ms: memory that the system cannot take
back; pages of files, the feature matrix among them, are not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

PHASES = ("audit", "features", "looked up", "head", "predict")
FIRST = 64
"""Images of each run before the one that counts."""


def make_images(originals: pd.DataFrame, n: int, folder: Path) -> None:
    """Write n files and twice `FIRST` more, and the tables "all", "first" and "warm" that list them."""
    originals = originals[[Path(p).read_bytes()[:2] == b"\xff\xd8" for p in originals["path"]]]
    originals = originals.sample(frac=1, random_state=0)
    contents = [Path(path).read_bytes() for path in originals["path"]]
    rows = []
    for i in range(n + 2 * FIRST):
        row = i % len(contents)
        name = folder / f"{i // 1000:03}" / f"{i:06}.jpeg"
        name.parent.mkdir(parents=True, exist_ok=True)
        comment = f"{i}".encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        name.write_bytes(contents[row][:2] + segment + contents[row][2:])
        rows.append(
            (
                str(name),
                originals["label"].iloc[row],
                f"{originals['patient'].iloc[row]}-{i // len(contents)}",
            )
        )
    table = pd.DataFrame(rows, columns=["path", "label", "patient"])
    table[:n].to_csv(folder / "all.csv", index=False)
    table[n : n + FIRST].to_csv(folder / "first.csv", index=False)
    table[n + FIRST :].to_csv(folder / "warm.csv", index=False)


def prepared(phase: str, weights: str, folder: Path) -> Callable[[str], None]:
    """What to run: a function of the table's name."""
    import neumo
    from neumo.features.backbones import backbone
    from neumo.features.extract import extract

    network = backbone("MobileNetV2-0.35", weights)

    def audit(name: str) -> None:
        dataset = neumo.read(folder / f"{name}.csv")
        neumo.audit(dataset)
        dataset.table.to_parquet(folder / f"{name}.parquet")

    def features(name: str) -> None:
        extract(pd.read_parquet(folder / f"{name}.parquet"), network)

    def head(name: str) -> None:
        from neumo.data.split import split
        from neumo.results.settings import Settings
        from neumo.study.trial import Bench, Plan
        from neumo.training.steps import Step

        dataset = neumo.Dataset(pd.read_parquet(folder / f"{name}.parquet"), name, "listing", folder, 0, {})
        last = Step("last", "", dense=(100, 50), batch_norm=True, dropout=0.5, early_stopping=True)
        bench = Bench(dataset, Settings(network.name, weights, epochs=3, copies=0), network)
        bench.fit(Plan(split(dataset.table), "random", last, 0, "before-balancing", tested=True))

    def predict(name: str) -> None:
        classifier = neumo.load(folder.parent / "classifier.neumo")
        paths = pd.read_csv(folder / f"{name}.csv")["path"].tolist()
        assert sum(1 for _ in classifier.stream(paths)) == len(paths)

    return {"audit": audit, "features": features, "looked up": features, "head": head, "predict": predict}[
        phase
    ]


def measure(phase: str, weights: str, folder: Path, n: int) -> dict[str, float]:
    """What the table shows of one phase: "ms", "processor", "mb"."""
    run = prepared(phase, weights, folder)
    peak, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            status = Path("/proc/self/status").read_text()
            peak = max(peak, int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024)  # type: ignore[index]

    def timed(name: str) -> tuple[float, float]:
        wall, processor = time.perf_counter(), time.process_time()
        run(name)
        return time.perf_counter() - wall, time.process_time() - processor

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    _, first, every = (timed(name) for name in ("warm", "first", "all"))
    done.set()
    watcher.join()
    wall, processor = (1000 * (b - a) / (n - FIRST) for a, b in zip(first, every, strict=True))
    return {"ms": wall, "processor": processor, "mb": peak}


def main() -> None:
    """Make the images, measure every phase and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--weights", default="none")
    parser.add_argument("--folder", type=Path, help="where to make the images; a temporary one if not given")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    parser.add_argument("--phase", choices=PHASES, help=argparse.SUPPRESS)
    choices = parser.parse_args()
    if choices.phase:
        (n,) = choices.sizes
        print(json.dumps(measure(choices.phase, choices.weights, choices.data, n)))
        return

    import neumo

    lines = ["| images | phase | ms | ms of processor | MB |", "|---|---|---|---|---|"]
    originals = neumo.read(choices.data).table
    with tempfile.TemporaryDirectory(dir=choices.folder) as name:
        for n in choices.sizes:
            folder = Path(name, str(n))
            make_images(originals, n, folder)
            environment = {**os.environ, "NEUMO_CACHE": str(folder / "cache")}
            if n == choices.sizes[0]:
                make = f"import neumo; neumo.train({str(folder / 'all.csv')!r}, backbone='MobileNetV2-0.35', "
                make += (
                    f"weights={choices.weights!r}, epochs=1).save({str(Path(name, 'classifier.neumo'))!r})"
                )
                other = {**environment, "NEUMO_CACHE": str(Path(name, "cache"))}
                subprocess.run([sys.executable, "-c", make], env=other, check=True)
            for phase in PHASES:
                command = [sys.executable, __file__, str(folder), "--sizes", str(n), "--phase", phase]
                command += ["--weights", choices.weights]
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                found = json.loads(done.stdout.splitlines()[-1])
                lines.append(
                    f"| {n:,} | {phase} | {found['ms']:.2f} | {found['processor']:.2f} | {found['mb']:.0f} |"
                )
                print(lines[-1], file=sys.stderr)
    table = "\n".join(lines) + "\n"
    print(table)
    if choices.out:
        choices.out.write_text(table)


if __name__ == "__main__":
    main()
