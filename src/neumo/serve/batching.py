"""Radiographs of many requests, computed together."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neumo.errors import NeumoError, UnreadableImageError
from neumo.images.read import Inspection, inspect_radiograph
from neumo.serve.limits import Upload

if TYPE_CHECKING:
    from neumo.classifier.findings import Finding

log = logging.getLogger("neumo.serve")

PATIENCE = 0.05
"""Seconds that a batch waits for more images at most, while others are read or computed anyway."""


@dataclass(frozen=True)
class Examined:
    """What is known of one radiograph.

    Attributes:
        finding: what the classifier says.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
    """

    finding: Finding
    width: int
    height: int


@dataclass
class _Job:
    upload: Upload
    answer: Future[Examined]
    image: Inspection | None = None


class Batching:
    """Read radiographs in several threads and compute them in batches.

    A batch starts when it is full, or when nothing else is being read or computed: an image that comes alone
    is not kept waiting, and under load batches are full. `neumo.serve.limits.Admission` bounds how many wait.

    Args:
        examine: as `neumo.classifier.classifier.Classifier.examine`.
        batch: images that are computed together.
        workers: batches that are computed at the same time.
        readers: threads that read.
        max_pixels: larger pictures are refused.
        told: called with the number of images of each batch.
    """

    def __init__(
        self,
        examine: Callable[[np.ndarray, Sequence[Inspection]], list[Finding]],
        *,
        batch: int,
        workers: int,
        readers: int,
        max_pixels: int,
        told: Callable[[int], object] = lambda images: None,
    ) -> None:
        self._examine = examine
        self._batch = batch
        self._max_pixels = max_pixels
        self._told = told
        self._waiting: deque[_Job] = deque()
        self._change = threading.Condition()
        self._reading = self._computing = 0
        self._stopped = False
        self.readers = ThreadPoolExecutor(readers, "neumo-read")
        self._workers = [
            threading.Thread(target=self._work, name=f"neumo-compute-{i}", daemon=True)
            for i in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def examine(self, upload: Upload) -> Future[Examined]:
        """Read a file and examine it; the upload is closed when this is over, also when it was cancelled.

        The future raises `NeumoError` where the file cannot be used as a radiograph.
        """
        job = _Job(upload, Future())
        with self._change:
            self._reading += 1
        self.readers.submit(self._read, job)
        return job.answer

    def stop(self) -> None:
        """Finish what was taken, then end the threads."""
        self.readers.shutdown(wait=True)
        with self._change:
            self._stopped = True
            self._change.notify_all()
        for worker in self._workers:
            worker.join()

    def _read(self, job: _Job) -> None:
        try:
            if not job.answer.cancelled():
                with reading():
                    job.image = inspect_radiograph(job.upload.file, max_pixels=self._max_pixels)
                job.upload.drop()
            else:
                job.upload.close()
        except NeumoError as error:
            job.upload.close()
            if job.answer.set_running_or_notify_cancel():
                job.answer.set_exception(error)
        with self._change:
            self._reading -= 1
            if job.image is not None:
                self._waiting.append(job)
            self._change.notify_all()

    def _work(self) -> None:
        while jobs := self._next_batch():
            try:
                images = [job.image for job in jobs if job.image is not None]
                pixels = np.stack([image.pixels for image in images])
                findings = self._examine(pixels, images)
                for job, image, finding in zip(jobs, images, findings, strict=True):
                    job.upload.close()
                    job.answer.set_result(Examined(finding, image.width, image.height))
            except BaseException as error:
                log.error("computing a batch failed: %s", type(error).__name__)
                for job in jobs:
                    job.upload.close()
                    if not job.answer.done():
                        job.answer.set_exception(error)
            finally:
                with self._change:
                    self._computing -= 1
                    self._change.notify_all()

    def _next_batch(self) -> list[_Job]:
        """The next images whose answer somebody still waits for; none where all is over."""
        with self._change:
            while True:
                self._change.wait_for(lambda: self._waiting or self._stopped)
                until = time.monotonic() + PATIENCE
                self._change.wait_for(self._worth_starting, until - time.monotonic())
                jobs: list[_Job] = []
                while self._waiting and len(jobs) < self._batch:
                    job = self._waiting.popleft()
                    if job.answer.set_running_or_notify_cancel():
                        jobs.append(job)
                    else:
                        job.upload.close()
                if jobs:
                    self._computing += 1
                    self._told(len(jobs))
                    return jobs
                if self._stopped:
                    return []

    def _worth_starting(self) -> bool:
        return len(self._waiting) >= self._batch or not (self._reading or self._computing) or self._stopped


@contextmanager
def reading() -> Iterator[None]:
    """Let reading a file fail with a `NeumoError` alone: no fault of a decoder is one of the server."""
    try:
        yield
    except NeumoError:
        raise
    except BaseException as error:
        log.error("reading a file failed: %s", type(error).__name__)
        raise UnreadableImageError(
            "radiograph",
            "a picture too large for this machine's memory" if isinstance(error, MemoryError) else "a file",
            "a radiograph that can be read",
        ) from None
