"""The saved classifier: from the pixels of any radiograph to a probability."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from neumo.errors import NeumoError
from neumo.features.backbones import SIZE
from neumo.features.engine import Engine
from neumo.features.scaling import Scaling
from neumo.files import whole_file
from neumo.images.read import read_radiograph

if TYPE_CHECKING:
    import openvino

    from neumo.backend import keras

FORMAT = 1
"""Of the saved file."""

AHEAD = 32
"""Radiographs that are read before they are needed."""

NOTICE = "A research tool, not a medical device: nothing here is a diagnosis."
SYNTHETIC = "This classifier was trained on SYNTHETIC radiographs and knows nothing of real ones."

# what a ZIP file of something else raises: missing, encrypted, oddly compressed members, another card
_WRONG_CONTENT = (KeyError, ValueError, TypeError, RuntimeError)


def notice(synthetic: bool) -> str:
    """What stands wherever a prediction is shown."""
    return f"{NOTICE} {SYNTHETIC}" if synthetic else NOTICE


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one radiograph.

    Attributes:
        path: the file, as it was given.
        probability: of pneumonia, 0 to 1.
        threshold: the operating point; at or above it the decision is the positive class.
        decision: name of the class.
        notice: that this is not a diagnosis, and where the classifier knows synthetic radiographs only, that.
    """

    path: str
    probability: float
    threshold: float
    decision: str
    notice: str = NOTICE


class Classifier:
    """A trained network with all that its input and output need.

    It carries its own pre-processing and normalisation, so nobody can feed it wrongly scaled pixels, its
    operating point, and a card that says what it was trained and tested on.

    Args:
        card: what the file's ``card.json`` says; see `Classifier.card`.
        backbone: OpenVINO graph from scaled grey levels, float32 (n, 3, 224, 224), to features, (n, d).
        head: OpenVINO graph from features to probabilities, (n, 1); always computed in float32, as the
            operating point was chosen on its answers in float32.
        keras_file: the same network as a ``.keras`` file, from grey levels (n, 224, 224, 3).

    Attributes:
        card: "format", "name", "positive", "negative", "size", "threshold" with the "rule" that chose it,
            "backbone", "scaling", "data" (what it was trained on, how to cite it, whether it was synthetic),
            "training" (protocol, step, seed, counts, settings), "test" (metrics by protocol, mean over
            seeds), "made_by" (versions) and "notice".
    """

    def __init__(
        self, card: dict[str, Any], backbone: openvino.Model, head: openvino.Model, keras_file: bytes
    ) -> None:
        self.card = card
        self._backbone = backbone
        self._head = head
        self._keras_file = keras_file

    @overload
    def predict(self, radiographs: str | Path) -> Prediction: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, radiographs: Iterable[str | Path]) -> list[Prediction]: ...
    def predict(self, radiographs: str | Path | Iterable[str | Path]) -> Prediction | list[Prediction]:
        """Predict one radiograph, or several in order.

        Args:
            radiographs: a file that `neumo.read_radiograph` can read, or several.

        Raises:
            NeumoError: a file cannot be read as a radiograph.

        Example:
            >>> neumo.load("classifier.neumo").predict("xray.jpg").probability
            0.97
        """
        if isinstance(radiographs, str | Path):
            return next(self.stream([radiographs]))
        return list(self.stream(radiographs))

    def stream(
        self,
        radiographs: Iterable[str | Path],
        *,
        unreadable: Callable[[NeumoError], None] | None = None,
    ) -> Iterator[Prediction]:
        """Predict any number of radiographs in order, reading ahead; see `predict`.

        Args:
            radiographs: files.
            unreadable: told of each file that cannot be read, which is then left out; without it, the first
                such file ends the stream.
        """
        paths: deque[str | Path] = deque()

        def batches() -> Iterator[np.ndarray]:
            readable = self._readable(radiographs, unreadable)
            while some := list(islice(readable, self._engine.batch)):
                paths.extend(path for path, _ in some)
                yield np.stack([pixels for _, pixels in some])

        for features in self._engine.map(batches()):
            for probability in self._judge(features):
                yield self._prediction(paths.popleft(), float(probability))

    def _readable(
        self, radiographs: Iterable[str | Path], unreadable: Callable[[NeumoError], None] | None
    ) -> Iterator[tuple[str | Path, np.ndarray]]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            rest = iter(radiographs)
            ahead = deque((path, pool.submit(read_radiograph, path)) for path in islice(rest, AHEAD))
            while ahead:
                path, reading = ahead.popleft()
                ahead.extend((path, pool.submit(read_radiograph, path)) for path in islice(rest, 1))
                try:
                    yield path, reading.result()
                except NeumoError as error:
                    if unreadable is None:
                        raise
                    unreadable(error)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Probability of the positive class, float64 (n,), of grey levels, uint8 (n, 224, 224)."""
        return self._judge(self._engine(pixels))

    @property
    def threshold(self) -> float:
        """The operating point: probabilities at or above it are called positive."""
        return float(self.card["threshold"]["threshold"])

    def keras_model(self) -> keras.Model:
        """The network in Keras: grey levels, float32 (n, 224, 224, 3), 0 to 255, to (n, 1) probabilities."""
        from neumo.backend import keras

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "network.keras")
            file.write_bytes(self._keras_file)
            return keras.saving.load_model(file, compile=False)

    def save(self, file: str | Path) -> None:
        """Write the classifier as one file, whole or not at all.

        It is a ZIP archive of ``card.json``, ``backbone`` and ``head`` (``.xml`` with ``.bin``, OpenVINO),
        ``network.keras`` and ``SHA256SUMS`` over them. Nothing in it is code.
        """
        members = {"card.json": json.dumps(self.card, indent=1).encode(), "network.keras": self._keras_file}
        for name, graph in (("backbone", self._backbone), ("head", self._head)):
            members[f"{name}.xml"], members[f"{name}.bin"] = _serialised(graph)
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in members.items())
        with whole_file(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("SHA256SUMS", sums)
            for name, data in members.items():
                archive.writestr(name, data)

    @cached_property
    def _engine(self) -> Engine:
        scaling = self.card["scaling"]
        return Engine(self._backbone, Scaling(scaling["mean"], scaling["std"]))

    @cached_property
    def _compiled_head(self) -> openvino.CompiledModel:
        import openvino

        return openvino.Core().compile_model(self._head, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def _judge(self, features: np.ndarray) -> np.ndarray:
        """Probability of the positive class, float64 (n,), of features (n, d)."""
        return np.asarray(self._compiled_head([features])[0][:, 0], np.float64)

    def _prediction(self, path: str | Path, probability: float) -> Prediction:
        positive = probability >= self.threshold
        decision = self.card["positive" if positive else "negative"]
        return Prediction(str(path), probability, self.threshold, decision, self.card["notice"])


def load(file: str | Path) -> Classifier:
    """Load a saved classifier; nothing in the file is run.

    Args:
        file: written by `Classifier.save`.

    Raises:
        NeumoError: it is not a classifier, is of another format, or was changed or cut off.
    """
    expected = "expected a classifier that neumo saved"
    try:
        data = Path(file).read_bytes()
    except FileNotFoundError:
        raise NeumoError(f"{file}: got no such file, {expected}") from None
    except IsADirectoryError:
        raise NeumoError(f"{file}: got a folder, {expected}") from None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            lines = archive.read("SHA256SUMS").decode().splitlines()
            sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
            members = {name: archive.read(name) for name in sums}
        changed = [name for name, data in members.items() if hashlib.sha256(data).hexdigest() != sums[name]]
        if changed:
            raise NeumoError(f"{file}: got a changed {changed[0]}, {expected} and nobody edited")
        card = json.loads(members["card.json"])
        if card["format"] != FORMAT:
            raise NeumoError(
                f"{file}: got format {card['format']}, expected {FORMAT}; another neumo wrote it"
            )
        graphs = [(members[f"{name}.xml"], members[f"{name}.bin"]) for name in ("backbone", "head")]
        keras_file = members["network.keras"]
    except (zipfile.BadZipFile, zlib.error, EOFError, *_WRONG_CONTENT) as error:
        raise NeumoError(f"{file}: got {str(error).lower() or 'a damaged file'}, {expected}") from error
    import openvino

    core = openvino.Core()
    backbone, head = (core.read_model(xml, weights) for xml, weights in graphs)
    return Classifier(card, backbone, head, keras_file)


def new_classifier(
    card: dict[str, Any], graph: openvino.Model, base: keras.Model, head: keras.Model
) -> Classifier:
    """Make a classifier of a frozen backbone and the head that was trained on its features.

    Args:
        card: as `Classifier.card`, without "format", "size" and "notice".
        graph: the backbone in OpenVINO, see `neumo.features.networks.kept_graph`.
        base: the same in Keras, scaled grey levels (n, 224, 224, 3) to features (n, d).
        head: features to probabilities, (n, 1).
    """
    from neumo.backend import keras
    from neumo.features.graph import convert

    mean, std = Scaling(card["scaling"]["mean"], card["scaling"]["std"]).channels
    grey = keras.Input((SIZE, SIZE, 3), name="grey")
    scaled = keras.layers.Normalization(mean=mean.tolist(), variance=np.square(std).tolist())(grey)
    bare = keras.models.clone_model(head)  # without optimiser
    bare.set_weights(head.get_weights())
    network = keras.Model(grey, bare(base(scaled)), name="neumo")
    with tempfile.TemporaryDirectory() as folder:
        network.save(Path(folder, "network.keras"))
        keras_file = Path(folder, "network.keras").read_bytes()
    told = notice(card["data"]["synthetic"])
    whole_card = {**card, "format": FORMAT, "size": SIZE, "notice": told}
    return Classifier(whole_card, graph, convert(head), keras_file)


def _serialised(graph: openvino.Model) -> tuple[bytes, bytes]:
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(graph, Path(folder, "graph.xml"), compress_to_fp16=False)
        return Path(folder, "graph.xml").read_bytes(), Path(folder, "graph.bin").read_bytes()
