"""What a server keeps of its engine's speed under load.

python benchmarks/serve_load.py MODEL FOLDER [--clients 16] [--seconds 40] [--steady 120] [--out TABLE]

Needs wrk (apt-get install wrk), which posts real images over loopback; it shares the processor with the
server. The engine's own speed is measured in the same run, before and after.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from neumo.classifier import Classifier, load
from neumo.features.engine import BATCH
from neumo.images.read import inspect_radiograph

IMAGES = 256
TOGETHER = 8  # files in a request of several
SCRIPT = Path(__file__).with_suffix(".lua")


def engine_speed(classifier: Classifier, pixels: np.ndarray, seconds: float) -> float:
    """Images per second from pixels in memory to findings, nothing else."""
    began, done = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        classifier.examine(pixels)
        done += len(pixels)
    return done / (time.perf_counter() - began)


def batch_time(classifier: Classifier, pixels: np.ndarray) -> float:
    """Seconds of one batch alone, median of 40."""
    times = []
    for _ in range(40):
        began = time.perf_counter()
        classifier.examine(pixels[:BATCH])
        times.append(time.perf_counter() - began)
    return float(np.median(times))


class Server:
    """``neumo serve`` in a process of its own."""

    def __init__(self, model: Path) -> None:
        command = [sys.executable, "-m", "neumo", "serve", str(model), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if found := re.search(r"serving at (\S+)", line):
                self.url = found[1]
                break
        else:
            sys.exit("the server did not start")
        threading.Thread(target=lambda: list(self.process.stderr or ()), daemon=True).start()

    def memory(self) -> float:
        """Resident MiB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def loaded(server: Server, bodies: Path, content: str, clients: int, seconds: float) -> dict[str, Any]:
    """What wrk measured with so many clients that each wait for their answer."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:.0f}s", "--timeout", "30s", "-s", str(SCRIPT)]
    run = subprocess.run(
        [*command, server.url, "--", str(bodies), content], capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout.strip().splitlines()[-1])


def write_forms(files: list[Path], folder: Path) -> tuple[Path, str]:
    """Requests of several files each, and their content type."""
    paths = []
    for start in range(0, len(files) - TOGETHER + 1, TOGETHER):
        parts = [
            b'--load\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n%b\r\n'
            % file.read_bytes()
            for file in files[start : start + TOGETHER]
        ]
        paths.append(folder / f"{start}.form")
        paths[-1].write_bytes(b"".join([*parts, b"--load--\r\n"]))
    return listed(paths, folder / "forms.txt"), "multipart/form-data; boundary=load"


def listed(paths: list[Path], file: Path) -> Path:
    """The paths as lines of a file."""
    file.write_text("".join(f"{path.resolve()}\n" for path in paths))
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--steady", type=float, default=120, help="seconds of the run that watches memory")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("needs wrk: apt-get install wrk")
    files = sorted(arguments.folder.rglob("*.jpeg"))
    files = files[:: max(1, len(files) // IMAGES)][:IMAGES]
    classifier = load(arguments.model)
    began = time.perf_counter()
    pixels = np.stack([inspect_radiograph(file).pixels for file in files])
    reading = (time.perf_counter() - began) / len(files)
    classifier.examine(pixels)
    engine, batch = [engine_speed(classifier, pixels, 8)], [batch_time(classifier, pixels)]
    began = time.perf_counter()
    streamed = sum(1 for _ in classifier.stream(files * 4))
    stream = streamed / (time.perf_counter() - began)
    server = Server(arguments.model)
    clients, memory = arguments.clients, []
    with tempfile.TemporaryDirectory() as folder:
        singles, forms = listed(files, Path(folder, "files.txt")), write_forms(files, Path(folder))
        loaded(server, singles, "image/jpeg", clients, 5)
        one = loaded(server, singles, "image/jpeg", clients, arguments.seconds)
        many = loaded(server, *forms, clients, arguments.seconds)
        alone = loaded(server, singles, "image/jpeg", 1, 8)
        watch = threading.Event()

        def look() -> None:
            while not watch.wait(1):
                memory.append(server.memory())

        looking = threading.Thread(target=look)
        looking.start()
        steady = loaded(server, singles, "image/jpeg", clients, arguments.steady)
        watch.set()
        looking.join()
    server.process.terminate()
    server.process.wait()
    engine.append(engine_speed(classifier, pixels, 8))
    batch.append(batch_time(classifier, pixels))
    own, batch_seconds = float(np.mean(engine)), float(np.mean(batch))
    speed, speed_many = one["requests"] / one["seconds"], TOGETHER * many["requests"] / many["seconds"]
    half = len(memory) // 2
    table = [
        f"| {classifier.card['name']}, {os.cpu_count()} cores, {clients} clients | |",
        "|---|---|",
        f"| engine alone, from pixels | {own:.0f} images/s |",
        f"| engine with reading files, `Classifier.stream` | {stream:.0f} images/s |",
        f"| reading one file, one thread | {1000 * reading:.1f} ms |",
        f"| server, one image per request | {speed:.0f} images/s, {speed / own:.0%} of the engine alone, "
        f"{speed / stream:.0%} of it with reading |",
        f"| server, {TOGETHER} images per request | {speed_many:.0f} images/s, {speed_many / own:.0%}, "
        f"{speed_many / stream:.0%} |",
        f"| one batch of {BATCH}, alone | {1000 * batch_seconds:.0f} ms |",
        f"| latency, one image per request: median, p99 | {1000 * one['median']:.0f} ms, "
        f"{1000 * one['p99']:.0f} ms, {one['p99'] / batch_seconds:.1f} batches |",
        f"| latency with one client: median, p99 | {1000 * alone['median']:.0f} ms, "
        f"{1000 * alone['p99']:.0f} ms |",
        f"| 30 minutes at this speed | {1800 * speed:,.0f} requests |",
        f"| memory watched over | {steady['requests']:,} requests, {steady['seconds'] / 60:.1f} min |",
        f"| memory, most in the first half / in the second | {max(memory[:half]):.0f} / "
        f"{max(memory[half:]):.0f} MiB |",
        f"| requests that failed | {sum(run['failed'] for run in (one, many, alone, steady))} |",
    ]
    print(*table, sep="\n")
    if arguments.out:
        arguments.out.write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
