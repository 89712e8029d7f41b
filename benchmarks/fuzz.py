"""Broken JPEG, PNG, TIFF, WebP and DICOM files through reader and server: crashes, hangs, growth, status 500.

python benchmarks/fuzz.py [FOLDER ...] [--model MODEL] [--files 10000] [--out TABLE]

Broken are a synthetic radiograph in every coding that neumo reads, and real files from the folders;
of the real JPEG and PNG files, TIFF and WebP files are made as well.

Everything runs in a process of its own, as a decoder in C can take its process down; it is started again
behind the file that did. Seconds are of its processor time, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import multiprocessing
import os
import queue
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.mutations import PATIENT, mutate, seeds
from neumo.files import SHIPPED

HANG = 5.0  # seconds of processor time
STUCK = 120.0  # seconds of any time
SMALL = 500_000  # bytes; larger files take part less often
ENDS = ("jpeg", "png", "dcm")
CONTENT = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "dicom": "application/dicom",
    "tiff": "image/tiff",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "jpeg2000": "image/jp2",
    "ppm": "image/x-portable-pixmap",
}


def all_seeds(folders: list[Path]) -> dict[str, list[bytes]]:
    """Whole files: real ones from the folders, and a synthetic radiograph in every coding."""
    from neumo.phantom.radiograph import draw_radiograph

    real = [[path for folder in folders for path in sorted(folder.rglob(f"*.{end}"))[:12]] for end in ENDS]
    return seeds(draw_radiograph("bacteria", patient=1, size=224)[0], *real)


def broken_file(whole: dict[str, list[bytes]], seed: int, index: int) -> tuple[str, bytes]:
    """The file of this number, by kind in turn; of real DICOM files, which are large, a tenth."""
    random = Random(f"{seed} {index}")
    kind = tuple(CONTENT)[index % len(CONTENT)]
    small = [data for data in whole[kind] if len(data) < SMALL]
    data = random.choice(whole[kind] if random.random() < 0.2 else small)
    return kind, mutate(data, small, random)


def work(arguments: argparse.Namespace, start: int, told: Any) -> None:
    """Try files from `start` on; tell of each one before and after."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

    import neumo
    from neumo.errors import UnreadableImageError
    from neumo.images.read import inspect_radiograph
    from neumo.serve.app import create_app

    whole = all_seeds(arguments.folders)
    app = create_app(neumo.load(arguments.model))
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as client:
        for index in range(start, arguments.files):
            parent = multiprocessing.parent_process()
            if parent is None or not parent.is_alive():
                return
            kind, data = broken_file(whole, arguments.seed, index)
            told.put(("begin", index, kind, ""))
            began, outcome, fault = time.process_time(), "refused", ""
            try:
                inspect_radiograph(io.BytesIO(data), max_pixels=40_000_000)
                outcome = "read"
            except UnreadableImageError:
                pass
            except BaseException as error:
                fault = f"reader: {type(error).__name__}: {error}"
            read = time.process_time()
            verb = "explain" if index % 10 == 9 else "predict"
            answer = client.post(f"/api/{verb}", content=data, headers={"content-type": CONTENT[kind]})
            fault = fault or _fault(verb, answer, outcome)
            seconds = max(read - began, time.process_time() - read)
            told.put(("end", index, kind, (outcome, fault, seconds, _memory())))


def _fault(verb: str, answer: Any, outcome: str) -> str:
    """What is wrong with the server's answer; nothing mostly."""
    if PATIENT[:6] in answer.text:  # with its ^, which base64 does not have
        return "the answer names the patient"
    if answer.status_code not in ((200,) if verb == "predict" else (200, 422)):
        return f"{verb}: status {answer.status_code} {answer.text}"
    said = answer.json()
    if verb == "predict":
        said = said["predictions"][0]
    if (outcome == "read") == ("error" in said):
        return f"{verb}: the reader said {outcome}, the server {said}"
    return ""


def _next(told: Any, process: Any, seconds: float) -> Any:
    """What the process says next; None where it computes so long without a word, is stuck, or has ended."""
    until, busy = time.monotonic() + STUCK, _processor_time(process.pid)
    while time.monotonic() < until and _processor_time(process.pid) < busy + seconds:
        try:
            return told.get(timeout=0.5)
        except queue.Empty:
            if not process.is_alive() and told.empty():
                return None
    return None


def _processor_time(pid: int) -> float:
    """Seconds, of all threads of a process (proc(5), utime and stime); 0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    index, faults, counts = arguments.start, [], Counter[str]()
    slowest, memory = (0.0, -1), []
    while index < arguments.files:
        told = context.Queue()
        process = context.Process(target=work, args=(arguments, index, told))
        process.start()
        current, patience = -1, 60.0  # the first file waits for imports and a compiled network
        while index < arguments.files:
            heard = _next(told, process, patience)
            if heard is None:
                alive = process.is_alive()
                end = f"hangs for more than {HANG:g} s" if alive else f"ends with {process.exitcode}"
                process.kill()
                process.join()
                if current < 0:
                    sys.exit(f"the process {end} before its first file")
                faults.append(f"file {max(current, index)}: the process {end}")
                print(faults[-1], flush=True)
                index = max(current, index) + 1
                break
            what, at, kind, more = heard
            if what == "begin":
                current, patience = at, 2 * HANG  # reader and server
                continue
            outcome, fault, seconds, resident = more
            patience, index = 60.0, at + 1
            counts[f"{kind} {outcome}"] += 1
            memory.append(resident)
            slowest = max(slowest, (seconds, at))
            if seconds > HANG:
                fault = fault or f"took {seconds:.1f} s"
            if fault:
                faults.append(f"file {at} ({kind}): {fault}")
                print(faults[-1], flush=True)
            if at % 500 == 499:
                print(f"{at + 1} files, {resident / 2**20:.0f} MiB", flush=True)
        else:
            process.join(30)
    early = max(memory[: max(1, len(memory) // 5)]) / 2**20
    table = [
        "| | |",
        "|---|---|",
        f"| mutated files | {sum(counts.values()):,} |",
        *(f"| {name} | {count:,} |" for name, count in sorted(counts.items())),
        f"| crashes, hangs over {HANG:g} s, answers of 500, other faults | {len(faults)} |",
        f"| slowest file in reader or server, processor time | {slowest[0]:.1f} s |",
        f"| memory, most in the first fifth / at the end | {early:.0f} / {memory[-1] / 2**20:.0f} MiB |",
    ]
    print(*faults, *table, sep="\n")
    if arguments.out:
        arguments.out.write_text("\n".join(table) + "\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
