"""The classifier: from the pixels of any radiograph to a probability."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from io import IOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from neumo.archive import Data
from neumo.classifier.findings import Finding, Prediction
from neumo.classifier.origin import Origin
from neumo.classifier.saved_file import Parts, read_parts, write_parts
from neumo.errors import NeumoError, UnreadableImageError, told
from neumo.features.backbones import SIZE
from neumo.features.compiled import Requests, compiled
from neumo.features.engine import Engine
from neumo.features.precision import resolve_precision
from neumo.features.reference import Reference, clearly_nearer
from neumo.features.scaling import Scaling
from neumo.files import SHIPPED
from neumo.images.checks import TURNED, look
from neumo.images.many import Read, in_batches, inspect_many
from neumo.images.read import PIXELS, Inspection

if TYPE_CHECKING:
    import openvino

    from neumo.backend import keras


class Classifier:
    """A trained network with all that its input and output need.

    It carries its own pre-processing and normalisation, so nobody can feed it wrongly scaled pixels, its
    operating point, and a card that says what it was trained and tested on.

    Args:
        card: what the file's ``card.json`` says; see `Classifier.card`.
        backbone: OpenVINO graph from scaled grey levels, float32 (n, 3, 224, 224), to features, (n, d); or
            what gives it, asked when it is needed.
        head: OpenVINO graph from features to probabilities, (n, 1); always computed in float32, as the
            operating point was chosen on its answers in float32.
        keras_file: the same network as a ``.keras`` file, from grey levels (n, 224, 224, 3); None where it
            was saved without, see `save`.
        reference: what the training set looks like; None where nothing is known of it.
        usual: as the attribute.
        origin: as the attribute.
        kept_as: a name that no other network has, to keep the compiled network on disk under; see `Engine`.
        digest: of all that was saved of it; None where it was not.

    Attributes:
        card: "format", "name", "positive", "negative", "size", "pixels" (how they were read, see
            `neumo.images.read.PIXELS`; older ones lack it), "threshold" with the "rule" that chose it (see
            `neumo.evaluation.rule`), "backbone", "scaling", "data" (what it was trained on, how to cite it,
            whether it was synthetic), "training" (protocol, step, seed, counts, settings), "test" (metrics by
            protocol, mean over seeds), "made_by" (versions) and "notice"; "precision" (see
            `neumo.features.engine.Engine`) where that is not left to the processor; of a run's classifier
            also "own", "results", "limits", "ages" and "command", see `neumo.study.card.told`.
        usual: the network's last maps on the average normal radiograph, see `neumo.explain.usual`; nothing
            where that is not known. Heat maps show what differs from it.
        origin: what the radiographs that it was made from look like; None where that is not known.
    """

    def __init__(
        self,
        card: dict[str, Any],
        backbone: openvino.Model | Callable[[], openvino.Model],
        head: openvino.Model,
        keras_file: Data | None,
        reference: Reference | None = None,
        usual: Sequence[np.ndarray] = (),
        origin: Origin | None = None,
        kept_as: str | None = None,
        digest: str | None = None,
    ) -> None:
        self.card = card
        self._given_backbone = backbone
        self._head = head
        self._keras_file = keras_file
        self._reference = reference
        self.usual = tuple(usual)
        self.origin = origin
        self._kept_as = kept_as
        self._digest = digest

    def __repr__(self) -> str:
        card = self.card
        return (
            f"<Classifier {card['name']!r}: {card['positive']} from {self.threshold:.4g} on, "
            f"else {card['negative']}{' (SYNTHETIC data)' if card['data']['synthetic'] else ''}>"
        )

    @property
    def identity(self) -> str:
        """16 hexadecimal digits that another saved classifier does not have; of its card and its file."""
        told = json.dumps([self.card, self._digest], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @overload
    def predict(self, radiographs: str | Path) -> Prediction: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, radiographs: Iterable[str | Path]) -> list[Prediction]: ...
    def predict(self, radiographs: str | Path | Iterable[str | Path]) -> Prediction | list[Prediction]:
        """Predict one radiograph, or several in order.

        Args:
            radiographs: a file that `neumo.read_radiograph` can read, or several.

        Raises:
            NeumoError: a file cannot be read as a radiograph, or something else than paths is given.

        Example:
            >>> neumo.load("classifier.neumo").predict("xray.jpg").probability
            0.97
        """
        if isinstance(radiographs, str | Path):
            return next(self.stream([radiographs]))
        if not isinstance(radiographs, Iterable) or isinstance(radiographs, bytes | IOBase):
            raise NeumoError(f"radiographs: got {told(radiographs)}, {_PATHS}")
        return list(self.stream(_paths(radiographs)))

    def stream(
        self,
        radiographs: Iterable[str | Path | UnreadableImageError],
        *,
        unreadable: Callable[[NeumoError], None] | None = None,
    ) -> Iterator[Prediction]:
        """Predict any number of radiographs in order, reading ahead; see `predict`.

        Args:
            radiographs: files; an error among them counts as one that cannot be read.
            unreadable: told of each file that cannot be read, in its place in the order, which is then left
                out; without it, the first such file ends the stream.
        """
        waiting: deque[list[Read]] = deque()

        def batches() -> Iterator[np.ndarray]:
            for some in in_batches(inspect_many(radiographs), self._engine.batch):
                waiting.append(some)
                yield _stacked([image for _, image in some if isinstance(image, Inspection)])

        for features in self._engine.map(batches()):
            some = waiting.popleft()
            images = [image for _, image in some if isinstance(image, Inspection)]
            findings = iter(self._findings(_stacked(images), features, images) if images else [])
            for path, image in some:
                if isinstance(image, Inspection):
                    yield self.prediction(path, next(findings))
                elif unreadable is None:
                    raise image
                else:
                    unreadable(image)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Probability of the positive class, float64 (n,), of grey levels, uint8 (n, 224, 224).

        Raises:
            NeumoError: the pixels are no such array.
        """
        _check(pixels)
        return self._judge(self._engine(pixels))

    def examine(self, pixels: np.ndarray, images: Sequence[Inspection] | None = None) -> list[Finding]:
        """Predict images, and say which of them do not look like what the classifier was trained on.

        A negative of a radiograph is turned around before it is scored, with the warning "inverted"; one that
        stands on its head is put on its feet, with the warning "upside-down".

        Args:
            pixels: grey levels, uint8 (n, 224, 224).
            images: what was seen when each file was read; nothing where they are no files.

        Raises:
            NeumoError: the pixels are no such array.
        """
        _check(pixels)
        return self._findings(pixels, self._engine(pixels), images)

    def _findings(
        self, pixels: np.ndarray, features: np.ndarray, images: Sequence[Inspection] | None
    ) -> list[Finding]:
        """Findings of images (n, 224, 224) with their features (n, d)."""
        probability, distance = self._judge(features), np.zeros(len(features))
        problems = [()] * len(pixels) if images is None else [self._problems(image) for image in images]
        warnings = [[*told, *look(image)] for told, image in zip(problems, pixels, strict=True)]
        if self._reference is not None:
            distance = self._reference.distance(features)
            doubtful = np.flatnonzero(distance > self._reference.doubt)
            meaning: dict[int, str] = {}
            for name, turned in self._turned(pixels[doubtful]).items():
                nearer = self._reference.distance(turned)
                meant = clearly_nearer(distance[doubtful], nearer)
                which = doubtful[meant]
                distance[which], probability[which] = nearer[meant], self._judge(turned)[meant]
                meaning |= dict.fromkeys(which.tolist(), name)
            for i, name in meaning.items():
                warnings[i].append(name)
            for far in np.flatnonzero(distance > 1):
                warnings[far].append("unfamiliar")
        return [
            Finding(float(p), float(at), tuple(dict.fromkeys(told)))
            for p, at, told in zip(probability, distance, warnings, strict=True)
        ]

    def _turned(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Features (n, d) of images (n, 224, 224) turned in each way of `TURNED`; nothing of no images."""
        if not len(pixels):
            return {}
        features = self._turning(np.concatenate([turn(pixels) for turn in TURNED.values()]))
        return dict(zip(TURNED, np.split(features, len(TURNED)), strict=True))

    def _problems(self, image: Inspection) -> tuple[str, ...]:
        """What was odd when a file was read, and whether its patient is of an age not learnt from."""
        ages = self.card.get("ages")
        known = ages is None or image.age is None or ages[0] <= int(image.age) <= ages[1]
        return image.problems if known else (*image.problems, "age")

    @property
    def threshold(self) -> float:
        """The operating point: probabilities at or above it are called positive."""
        return float(self.card["threshold"]["threshold"])

    @property
    def scaling(self) -> Scaling:
        """How grey levels become the input of `network`."""
        return Scaling(self.card["scaling"]["mean"], self.card["scaling"]["std"])

    def network(self) -> openvino.Model:
        """Backbone and head as one graph: scaled grey levels, float32 (n, 3, 224, 224), to (n, 1)."""
        import openvino

        backbone, head = self._backbone.clone(), self._head.clone()
        features = backbone.output(0).get_node().input_value(0)
        head.get_parameters()[0].output(0).replace(features)
        return openvino.Model(head.get_results(), backbone.get_parameters(), "network")

    def keras_model(self) -> keras.Model:
        """The network in Keras: grey levels, float32 (n, 224, 224, 3), 0 to 255, to (n, 1) probabilities.

        Raises:
            NeumoError: it was saved without.
        """
        from neumo.backend import keras

        if self._keras_file is None:
            raise NeumoError(
                f"{self.card['name']}: got a compact classifier, expected one with its network in Keras; "
                "train it again for that (neumo card says how)"
            )

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "network.keras")
            file.write_bytes(self._keras_file)
            return keras.saving.load_model(file, compile=False)

    def save(self, file: str | Path, *, compact: bool = False) -> None:
        """Write the classifier as one file, whole or not at all.

        Its format is told in `neumo.classifier.saved_file`. Nothing in it is code.

        Args:
            file: where.
            compact: keep the backbone's weights in 16 bits and leave out the network in Keras, for a file a
                quarter as large.
        """
        parts = Parts(
            self.card,
            self._backbone,
            self._head,
            self._keras_file,
            self._reference,
            self.usual,
            self.origin,
        )
        write_parts(file, parts, compact=compact)

    @cached_property
    def _backbone(self) -> openvino.Model:
        given = self._given_backbone
        return given() if callable(given) else given

    @cached_property
    def _engine(self) -> Engine:
        precision = self.card.get("precision", "auto")
        if precision == "bf16":
            try:
                resolve_precision(precision)
            except NeumoError:  # it was trained on a processor that has it
                precision = "f32"
        return Engine(lambda: self._backbone, self.scaling, precision, kept_as=self._kept_as)

    @cached_property
    def _turning(self) -> Engine:
        """The same network for images that are turned: few of a batch are, often one, and in `TURNED` ways.

        To fill up a batch, or to compute one image by all cores together, takes twice as long or longer.
        """
        precision, graph = self._engine.settle(), lambda: self._backbone
        return Engine(graph, self.scaling, precision, batch=len(TURNED), kept_as=self._kept_as)

    @property
    def batch(self) -> int:
        """Images that are computed together; `examine` takes any number."""
        return self._engine.batch

    @property
    def at_once(self) -> int:
        """Batches that are computed at the same time, where several threads ask for one."""
        return self._engine.at_once

    @cached_property
    def _compiled_head(self) -> Requests:
        # a few products of a batch take less time than threads take to meet
        properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        return Requests(compiled(lambda: self._head, properties))

    def _judge(self, features: np.ndarray) -> np.ndarray:
        """Probability of the positive class, float64 (n,), of features (n, d)."""
        request = self._compiled_head.take()
        found = np.array(request.infer(features, share_inputs=True)[0][:, 0], np.float64)
        self._compiled_head.give_back(request)
        return found

    def decision(self, probability: float) -> str:
        """The name of the class that a radiograph of this probability is called."""
        return self.card["positive" if probability >= self.threshold else "negative"]

    def prediction(self, path: str | Path, finding: Finding) -> Prediction:
        """A finding with the file it is about, the operating point and the decision there."""
        return Prediction(
            path=str(path),
            probability=finding.probability,
            threshold=self.threshold,
            decision=self.decision(finding.probability),
            notice=self.card["notice"],
            distance=finding.distance,
            warnings=finding.warnings,
        )


_PATHS = "expected a path or several; pixels in memory go to Classifier.probabilities or .examine"


def _paths(radiographs: Iterable[str | Path]) -> Iterator[str | Path]:
    for one in radiographs:
        if not isinstance(one, str | os.PathLike) and not hasattr(one, "read"):
            raise NeumoError(f"radiographs: got {told(one)}, {_PATHS}")
        yield one


def _check(pixels: np.ndarray) -> None:
    got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else told(pixels)
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (SIZE, SIZE):
        raise NeumoError(
            f"pixels: got {got}, expected uint8 (n, {SIZE}, {SIZE}), as neumo.read_radiograph gives each"
        )


def _stacked(images: list[Inspection]) -> np.ndarray:
    """Their pixels, uint8 (n, 224, 224)."""
    return np.stack([image.pixels for image in images]) if images else np.empty((0, SIZE, SIZE), np.uint8)


def load(file: str | Path = SHIPPED) -> Classifier:
    """Load a saved classifier; nothing in the file is run.

    Args:
        file: written by `Classifier.save`; by default the classifier that neumo brings.

    The backbone is read when it is first needed, and what is wrong with it is said then. Where this neumo
    reads the pixels of radiographs otherwise than the one that trained it, a line on standard error says so.

    Raises:
        NeumoError: it is not a classifier, is of another format, was changed or cut off, or its card lacks
            what predictions need.
    """
    parts = read_parts(file)
    pixels = parts.card.get("pixels", PIXELS)
    if pixels != PIXELS:
        got = f"got a classifier of radiographs as another neumo reads them (pixels {pixels!r})"
        told = f"expected this one's (pixels {PIXELS}): its probabilities may differ; train it again"
        print(f"neumo: {file}: {got}, {told}", file=sys.stderr)
    return Classifier(**vars(parts))
