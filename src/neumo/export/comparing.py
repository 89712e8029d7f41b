"""A written graph read back and compared with the classifier it was made of."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neumo.errors import UnreadableImageError
from neumo.features.backbones import SIZE
from neumo.features.compiled import core
from neumo.features.engine import Engine
from neumo.images.many import in_batches, inspect_many
from neumo.images.read import Inspection
from neumo.progress import track

if TYPE_CHECKING:
    from neumo.classifier.classifier import Classifier

BATCH, PHANTOMS = 32, 16


def reader(file: Path) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """What reads a written graph back: its name and version, and pixels to probabilities in it."""
    if file.suffix == ".onnx" and importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]

        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        name = f"ONNX Runtime {onnxruntime.__version__}"
        return name, lambda pixels: session.run(["probability"], {"pixels": pixels})[0]
    written = core().compile_model(core().read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return f"OpenVINO {version('openvino')}", lambda pixels: written([pixels])[0]


def compare(
    classifier: Classifier, run: Callable[[np.ndarray], np.ndarray], pixels: Iterable[np.ndarray]
) -> tuple[int, float]:
    """How many radiographs were compared, and the largest difference of a probability; NaN where one is."""
    own = Engine(classifier.network(), classifier.scaling, "f32")
    off = [np.abs(own(some)[:, 0] - run(some)) for some in pixels]
    return sum(map(len, off)), float(np.concatenate([np.zeros(0), *off]).max(initial=0.0))


def batches(
    radiographs: Sequence[str | Path | UnreadableImageError],
    unreadable: Callable[[UnreadableImageError], None] | None,
) -> Iterator[np.ndarray]:
    """Pixels, uint8 (n, 224, 224), of the files, or of phantoms where there are none."""
    if radiographs:
        read = track(inspect_many(radiographs), "Comparing", len(radiographs))
        for some in in_batches(read, BATCH):
            pixels = []
            for _, image in some:
                if isinstance(image, Inspection):
                    pixels.append(image.pixels)
                elif unreadable is None:
                    raise image
                else:
                    unreadable(image)
            if pixels:
                yield np.stack(pixels)
        return
    from neumo.phantom.radiograph import draw_radiograph

    for kind in ("", "bacteria"):
        yield np.stack([draw_radiograph(kind, patient=i, size=SIZE)[0] for i in range(PHANTOMS // 2)])
