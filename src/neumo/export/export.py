"""A classifier for other runtimes: one graph from pixels to probability."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neumo.errors import NeumoError, UnreadableImageError
from neumo.export.comparing import batches, compare, reader
from neumo.features.backbones import SIZE
from neumo.features.compiled import save_graph
from neumo.features.grey import with_grey_input
from neumo.files import named, part_of, settle

if TYPE_CHECKING:
    import openvino

    from neumo.classifier.classifier import Classifier

FORMATS = {"onnx": ".onnx", "openvino": ".xml"}
TOLERANCE = 1e-3
"""Largest difference of a probability from the classifier's own, both in single precision."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: a .onnx file, or OpenVINO's .xml with the .bin beside it.
        images: how many images it was compared on with the classifier.
        phantoms: whether these were phantoms, for want of real radiographs.
        runtime: what ran it, with its version.
        difference: the largest of a probability.
    """

    files: tuple[Path, ...]
    images: int
    phantoms: bool
    runtime: str
    difference: float


def export(
    classifier: Classifier,
    file: str | Path,
    format: str = "onnx",
    radiographs: Sequence[str | Path | UnreadableImageError] = (),
    unreadable: Callable[[UnreadableImageError], None] | None = None,
) -> Exported:
    """Write a classifier as one graph from "pixels", uint8 (n, 224, 224), to "probability", float32 (n,).

    Scaling, backbone, head, sigmoid and temperature are all in it; its metadata have the card, the names of
    the classes, the threshold and the notice. It is read back and compared with the classifier before it gets
    its name: an ONNX graph by ONNX Runtime where that is installed, else by OpenVINO.

    Args:
        classifier: what to write.
        file: where to.
        format: "onnx" or "openvino".
        radiographs: files that both are compared on; an error among them counts as one that cannot be read.
            Phantoms, drawn for it, where none are given.
        unreadable: told of each radiograph that cannot be read, which is then left out; without it, the first
            such one ends the export.

    Raises:
        NeumoError: another format or suffix, a classifier in int8 for ONNX, no radiograph that can be read,
            an operation that ONNX lacks, or a probability that differs by more than `TOLERANCE`; then nothing
            is written.
    """
    file = Path(file)
    if format not in FORMATS:
        raise NeumoError(f"format: got {format!r}, expected {' or '.join(FORMATS)}")
    if file.suffix.lower() != FORMATS[format]:
        expected = " or ".join(f"{suffix} for {name}" for name, suffix in FORMATS.items())
        raise NeumoError(f"{file}: got the suffix {file.suffix!r} for {format}, expected {expected}")
    if format == "onnx" and classifier.card.get("precision") == "int8":
        raise NeumoError(
            f"{file}: got a classifier in 8-bit integers, which each runtime rounds in its own way, "
            "expected one in single precision for onnx, or the format openvino"
        )
    graph = whole_graph(classifier)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(file, FORMATS[format])
    parts = {part: file}
    if format == "openvino":
        parts[part.with_suffix(".bin")] = file.with_suffix(".bin")
    try:
        with named(file, part):
            _write(graph, part, metadata(classifier))
        runtime, run = reader(part)
        images, difference = compare(classifier, run, batches(radiographs, unreadable))
        if not images:
            raise NeumoError(f"{file}: got no radiograph that can be read, expected one to compare on")
        if not difference <= TOLERANCE:
            raise NeumoError(
                f"{file}: got probabilities {difference:.2g} away from the classifier's in {runtime}, "
                f"expected {TOLERANCE} at most; nothing was written"
            )
        for written, wanted in reversed(parts.items()):
            settle(written, wanted)
    finally:
        for written in parts:
            written.unlink(missing_ok=True)
    return Exported(tuple(parts.values()), images, not radiographs, runtime, difference)


def whole_graph(classifier: Classifier) -> openvino.Model:
    """The classifier as one OpenVINO graph, from "pixels", uint8 (n, 224, 224), to "probability", (n,)."""
    import openvino
    import openvino.opset15 as ops

    graph = with_grey_input(classifier.network(), classifier.scaling, -1)
    probability = ops.squeeze(graph.output(0).get_node().input_value(0), [1])
    whole = openvino.Model([probability], graph.get_parameters(), "neumo")
    whole.input(0).tensor.set_names({"pixels"})
    whole.output(0).tensor.set_names({"probability"})
    return whole


def metadata(classifier: Classifier) -> dict[str, str]:
    """What the written model says of itself."""
    card = classifier.card
    return {
        "notice": card["notice"],
        "name": card["name"],
        "positive": card["positive"],
        "negative": card["negative"],
        "threshold": repr(classifier.threshold),
        "input": f"grey levels of frontal chest radiographs, stretched to {SIZE} x {SIZE}; 0 is black",
        "output": f"probability of {card['positive']}; at or above the threshold it is called that",
        "card": json.dumps(card),
    }


def _write(graph: openvino.Model, file: Path, facts: dict[str, str]) -> None:
    if file.suffix == ".onnx":
        if importlib.util.find_spec("onnx") is None:
            raise NeumoError("onnx: got no such package, expected it: pip install 'neumo[export]'")
        from neumo.export.onnx_graph import to_onnx

        file.write_bytes(to_onnx(graph, facts).SerializeToString())
        return
    for key, value in facts.items():
        graph.set_rt_info(value, ["neumo", key])
    save_graph(graph, file)
