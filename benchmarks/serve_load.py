"""What a server keeps of its engine's speed under load.

python benchmarks/serve_load.py FOLDER [--model MODEL] [--clients 16] [--rounds 5] [--steady 60] [--out TABLE]

Needs wrk (apt-get install wrk), which posts real images over loopback; it shares the processor with the
server. The engine's own speed is measured in every round, before and after.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neumo.classifier.classifier import Classifier, load
from neumo.files import SHIPPED
from neumo.images.read import inspect_radiograph

IMAGES = 256
TOGETHER = 8  # files in a request of several
SCRIPT = Path(__file__).with_suffix(".lua")


def engine_speed(classifier: Classifier, pixels: np.ndarray, seconds: float) -> tuple[float, float]:
    """Images per second, and processor seconds per image, from pixels in memory to findings, nothing else."""
    began, used, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() < began + seconds:
        classifier.examine(pixels)
        done += len(pixels)
    return done / (time.perf_counter() - began), (time.process_time() - used) / done


def batch_time(classifier: Classifier, pixels: np.ndarray) -> float:
    """Seconds of one batch alone, median of 40."""
    times = []
    for _ in range(40):
        began = time.perf_counter()
        classifier.examine(pixels[: classifier.batch])
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

    def processor_time(self) -> float:
        """Seconds that all of its threads have used (proc(5))."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

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


@dataclass
class Round:
    """Images per second, one after the other within half a minute, and what wrk said of single images."""

    engine: float
    stream: float
    single: float
    several: float
    batch: float  # seconds
    wrk: dict[str, Any]
    processor: tuple[float, float, float, float]  # seconds per image, in the order of the first four


def one_round(
    classifier: Classifier, files: list[Path], pixels: np.ndarray, server: Server, folder: Path, clients: int
) -> Round:
    """Measure all that is compared."""
    singles, (forms, content) = listed(files, folder / "files.txt"), write_forms(files, folder)
    batch = batch_time(classifier, pixels)
    began, used = time.perf_counter(), time.process_time()
    streamed = sum(1 for _ in classifier.stream(files * 2))
    stream, stream_used = streamed / (time.perf_counter() - began), (time.process_time() - used) / streamed
    engine, engine_used = engine_speed(classifier, pixels, 3)
    start = server.processor_time()
    one = loaded(server, singles, "image/jpeg", clients, 6)
    between = server.processor_time()
    many = loaded(server, forms, content, clients, 6)
    one_used = (between - start) / one["requests"]
    many_used = (server.processor_time() - between) / (TOGETHER * many["requests"])
    again, again_used = engine_speed(classifier, pixels, 3)
    engine, engine_used = (engine + again) / 2, (engine_used + again_used) / 2
    single, several = one["requests"] / one["seconds"], TOGETHER * many["requests"] / many["seconds"]
    one["failed"] += many["failed"]
    used_each = (engine_used, stream_used, one_used, many_used)
    return Round(engine, stream, single, several, batch, one, used_each)


def steady_memory(
    server: Server, files: list[Path], folder: Path, clients: int, seconds: float
) -> tuple[list[float], dict[str, Any]]:
    """The server's memory in MiB, each second of a long load, and what wrk said of it."""
    memory: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(1):
            memory.append(server.memory())

    looking = threading.Thread(target=look)
    looking.start()
    found = loaded(server, listed(files, folder / "files.txt"), "image/jpeg", clients, seconds)
    over.set()
    looking.join()
    return memory, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steady", type=float, default=60, help="seconds of the load that watches memory")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("needs wrk: apt-get install wrk")
    files = sorted(arguments.folder.rglob("*.jpeg"))
    files = files[:: max(1, len(files) // IMAGES)][:IMAGES]
    classifier = load(arguments.model)
    pixels = np.stack([inspect_radiograph(file).pixels for file in files])
    classifier.examine(pixels)
    server, clients = Server(arguments.model), arguments.clients
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loaded(server, listed(files, folder / "files.txt"), "image/jpeg", clients, 3)  # warm
        rounds = [
            one_round(classifier, files, pixels, server, folder, clients) for _ in range(arguments.rounds)
        ]
        memory, steady = steady_memory(server, files, folder, clients, arguments.steady)
    server.process.terminate()
    server.process.wait()

    def middle(of: Callable[[Round], float]) -> float:
        return float(np.median([of(one) for one in rounds]))

    used = [1000 * middle(lambda one, i=i: one.processor[i]) for i in range(4)]  # type: ignore[misc]
    speed, half = middle(lambda one: one.single), len(memory) // 2
    table = [
        f"| {classifier.card['name']}, {os.cpu_count()} cores, {clients} clients, median of "
        f"{len(rounds)} rounds | |",
        "|---|---|",
        f"| engine alone, from pixels in memory | {middle(lambda one: one.engine):.0f} images/s |",
        f"| engine with reading, `Classifier.stream` | {middle(lambda one: one.stream):.0f} images/s |",
        f"| server, one image per request | {speed:.0f} images/s |",
        f"| of the engine alone / with reading | {middle(lambda one: one.single / one.engine):.0%} / "
        f"{middle(lambda one: one.single / one.stream):.0%} |",
        f"| server, {TOGETHER} images per request | {middle(lambda one: one.several):.0f} images/s |",
        f"| of the engine alone / with reading | {middle(lambda one: one.several / one.engine):.0%} / "
        f"{middle(lambda one: one.several / one.stream):.0%} |",
        f"| processor time per image: engine, with reading, server, server of {TOGETHER} | "
        f"{', '.join(f'{one:.1f}' for one in used)} ms |",
        f"| one batch of {classifier.batch}, alone | {1000 * middle(lambda one: one.batch):.0f} ms |",
        f"| latency, one image per request: median | {1000 * middle(lambda one: one.wrk['median']):.0f} ms |",
        f"| 99th percentile | {1000 * middle(lambda one: one.wrk['p99']):.0f} ms, "
        f"{middle(lambda one: one.wrk['p99'] / one.batch):.1f} batches |",
        f"| 30 minutes at this speed | {1800 * speed:,.0f} requests |",
        f"| memory watched over, after the rounds | {steady['requests']:,} requests, "
        f"{steady['seconds'] / 60:.1f} min |",
        f"| memory, most in the first half / in the second | {max(memory[:half]):.0f} / "
        f"{max(memory[half:]):.0f} MiB |",
        f"| requests that failed | {steady['failed'] + sum(one.wrk['failed'] for one in rounds)} |",
    ]
    print(*table, sep="\n")
    if arguments.out:
        arguments.out.write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
