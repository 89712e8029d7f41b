"""Compiled networks, kept on disk."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import io
import json
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neumo.files import cache_folder, whole_file

if TYPE_CHECKING:
    import openvino

ROOM = 1 << 30
"""Bytes that they may take on disk; those that were used least lately make room."""

_DIGEST = 32  # bytes of a SHA-256, which stands at the end of each file


def save_graph(graph: openvino.Model, file: Path, *, halved: bool = False) -> None:
    """Write a graph as OpenVINO's .xml, with the .bin beside it.

    Args:
        graph: what to write.
        file: the .xml.
        halved: whether weights are written in 16 bits.

    Raises:
        OSError: the disk is full.
    """
    import openvino

    try:
        openvino.save_model(graph, file, compress_to_fp16=halved)
    except RuntimeError as error:
        if "iostream" not in str(error):  # all that OpenVINO says of a full disk
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from error


@functools.cache
def core() -> openvino.Core:
    """OpenVINO, started once."""
    import openvino

    return openvino.Core()


def compiled(
    graph: Callable[[], openvino.Model], properties: dict[str, str], kept_as: str | None = None
) -> openvino.CompiledModel:
    """Compile a network for this processor, or take it from the disk as an earlier call left it.

    What is on disk is used only if all of it is as it was written, and for the same version of OpenVINO on
    the same kind of processor. Where the cache folder cannot be read or written, time is all that is lost.

    Args:
        graph: gives the network, and is asked for it only where that is needed.
        properties: as OpenVINO's ``compile_model`` takes them.
        kept_as: a name that no other network has; None to keep nothing.
    """
    if kept_as is None:
        return core().compile_model(graph(), "CPU", properties)
    file = compiled_folder() / f"{_key(kept_as, properties)}.blob"
    found = _read(file, properties)
    if found is None:
        found = core().compile_model(graph(), "CPU", properties)
        with contextlib.suppress(OSError, RuntimeError):
            _write(found, file)
    return found


class Requests:
    """A compiled network with its requests, which are used again and again; threads may share it.

    OpenVINO lets who asks a busy network for a new request or a property wait until it has computed what it
    is at; for a property, with Python's lock held, so that all other threads wait, too.

    Attributes:
        network: as `compiled` gives it.
        at_once: requests that it computes at the same time.
    """

    def __init__(self, network: openvino.CompiledModel) -> None:
        self.network = network
        self.at_once: int = network.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._idle: deque[openvino.InferRequest] = deque()

    def take(self) -> openvino.InferRequest:
        """One that nobody uses."""
        try:
            return self._idle.pop()
        except IndexError:
            return self.network.create_infer_request()

    def give_back(self, request: openvino.InferRequest) -> None:
        """Let others have it, after what it computed was copied."""
        self._idle.append(request)


def remembered(find_out: Callable[[], str], words: tuple[str, ...], kept_as: str | None = None) -> str:
    """Find out which word is true of a network on this processor, or look on the disk, as `compiled` does."""
    if kept_as is None:
        return find_out()
    file = compiled_folder() / f"{_key(kept_as, {})}.txt"
    with contextlib.suppress(OSError, ValueError):
        word = file.read_text("ascii")
        if word in words:
            return word
    word = find_out()
    with contextlib.suppress(OSError), whole_file(file) as part:
        part.write_text(word, "ascii")
    return word


def compiled_folder() -> Path:
    """Where they are kept."""
    return cache_folder() / "compiled"


def _key(kept_as: str, properties: dict[str, str]) -> str:
    import openvino

    processor = [
        core().get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
    ]
    told = [kept_as, properties, openvino.__version__, *processor]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _read(file: Path, properties: dict[str, str]) -> openvino.CompiledModel | None:
    import openvino

    try:
        data = np.memmap(file, np.uint8, "r")  # neumo replaces such files, and writes into none
        blob, digest = data[:-_DIGEST], data[-_DIGEST:].tobytes()
        if hashlib.sha256(blob.data).digest() != digest:
            return None
        found = core().import_model(openvino.Tensor(blob), "CPU", properties)
    except (OSError, RuntimeError, ValueError):  # ValueError: an empty file
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return found


def _write(network: openvino.CompiledModel, file: Path) -> None:
    stream = io.BytesIO()
    network.export_model(stream)
    blob = stream.getbuffer()
    if len(blob) + _DIGEST > ROOM:
        return
    with whole_file(file) as part, part.open("wb") as written:
        written.write(blob)
        written.write(hashlib.sha256(blob).digest())
    newest_first = sorted(file.parent.glob("*"), key=lambda kept: kept.stat().st_mtime, reverse=True)
    room = ROOM
    for kept in newest_first:
        room -= kept.stat().st_size
        if room < 0:
            kept.unlink(missing_ok=True)
