"""The file that a classifier is saved in.

It is a ZIP archive of ``card.json``, ``backbone`` and ``head`` (``.xml`` with ``.bin``, OpenVINO),
``network.keras``, ``reference.npz``, ``usual.npz``, ``origin.npz`` and ``SHA256SUMS`` over them; it may lack
``network.keras`` and each of the arrays.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neumo.archive import Data, read_archive, read_arrays, write_archive
from neumo.classifier.origin import Origin
from neumo.errors import NeumoError
from neumo.features.compiled import core, save_graph
from neumo.features.reference import Reference
from neumo.features.scaling import Scaling

if TYPE_CHECKING:
    import openvino

FORMAT = 2
"""Of the file; see `read_parts`."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What the file holds; each as `neumo.classifier.classifier.Classifier` takes it."""

    card: dict[str, Any]
    backbone: openvino.Model | Callable[[], openvino.Model]
    head: openvino.Model
    keras_file: Data | None = None
    reference: Reference | None = None
    usual: Sequence[np.ndarray] = ()
    origin: Origin | None = None
    kept_as: str | None = None
    digest: str | None = None


def write_parts(file: str | Path, parts: Parts, *, compact: bool = False) -> None:
    """Write the file, whole or not at all.

    Args:
        file: where.
        parts: what it shall hold, but for "kept_as" and "digest", which are digests of its members.
        compact: keep the backbone's weights in 16 bits and leave out the network in Keras.
    """
    backbone = parts.backbone() if callable(parts.backbone) else parts.backbone
    members: dict[str, Data] = {"card.json": json.dumps(parts.card, indent=1).encode()}
    if parts.keras_file is not None and not compact:
        members["network.keras"] = parts.keras_file
    members["backbone.xml"], members["backbone.bin"] = _serialised(backbone, halved=compact)
    members["head.xml"], members["head.bin"] = _serialised(parts.head)
    if parts.reference is not None:
        members["reference.npz"] = parts.reference.to_bytes()
    if parts.usual:
        maps = io.BytesIO()
        np.savez_compressed(maps, *parts.usual)
        members["usual.npz"] = maps.getvalue()
    if parts.origin is not None:
        members["origin.npz"] = parts.origin.to_bytes()
    write_archive(file, members)


def read_parts(file: str | Path) -> Parts:
    """Read what `write_parts` wrote; nothing in it is run, and the backbone is read when it is asked for.

    Raises:
        NeumoError: it is not a classifier, is of another format, was changed or cut off, or its card lacks
            what predictions need.
    """
    expected = "expected a classifier that neumo saved"
    members, digests = read_archive(file, expected)
    try:
        card = json.loads(bytes(members["card.json"]))
        if card["format"] != FORMAT:
            what = "install a newer neumo" if card["format"] > FORMAT else "train it again with this neumo"
            raise NeumoError(f"{file}: got format {card['format']}, expected {FORMAT}: {what}")
        graphs = {name: (members[f"{name}.xml"], members[f"{name}.bin"]) for name in ("backbone", "head")}
        keras_file = members.get("network.keras")
        stored = members.get("reference.npz")
        reference = None if stored is None else Reference.from_bytes(stored)
        usual = _arrays(members["usual.npz"]) if "usual.npz" in members else ()
        origin = Origin.from_bytes(members["origin.npz"]) if "origin.npz" in members else None
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise NeumoError(f"{file}: got {str(error).lower() or 'a damaged file'}, {expected}") from error
    _check_card(file, card)
    kept_as = digests["backbone.xml"] + digests["backbone.bin"]
    backbone, head = (
        partial(_graph, *parts, f"{file}: got a {name} that OpenVINO cannot read, {expected}")
        for name, parts in graphs.items()
    )
    digest = hashlib.sha256("".join(digests.values()).encode()).hexdigest()
    return Parts(card, backbone, head(), keras_file, reference, usual, origin, kept_as, digest)


def _check_card(file: str | Path, card: dict[str, Any]) -> None:
    """Refuse a card that lacks what a prediction needs, or has something else in a field's place.

    Fields that only tell of the classifier may be absent, as in an older or a foreign card.
    """

    def scaling(said: Any) -> bool:
        return bool(np.isfinite(Scaling(said["mean"], said["std"]).channels).all())

    def number(said: Any, least: float = -math.inf, most: float = math.inf) -> bool:
        return isinstance(said, int | float) and math.isfinite(said) and least <= said <= most

    def threshold(said: Any) -> bool:
        rates = [said[name] for name in ("sensitivity", "specificity") if name in said]
        return all(number(one, 0, 1) for one in (said["threshold"], *rates)) and len(rates) != 1

    def data(said: Any) -> bool:
        named = isinstance(said.get("name", ""), str) and number(said.get("images", 0), 0)
        return isinstance(said["synthetic"], bool) and named

    def points(said: Any) -> bool:
        rates = [said[name] for name in ("threshold", "sensitivity", "specificity")]
        return len({*map(len, rates)}) == 1 and all(number(one, 0, 1) for some in rates for one in some)

    def training(said: Any) -> bool:
        counts = said.get("counts", {}).values()
        return all(number(n, 0) for kinds in counts for n in kinds.values())

    def test(said: Any) -> bool:
        return all(one is None or number(one) for means in said.values() for one in means.values())

    text = (lambda said: isinstance(said, str) and bool(said), "text")
    named = (lambda said: isinstance(said, dict), "fields by name")
    asked: dict[str, tuple[Callable[[Any], bool], str]] = {
        **dict.fromkeys(("name", "positive", "negative", "notice"), text),
        "threshold": (
            threshold,
            '{"threshold": a number from 0 to 1}, with or without both "sensitivity" and "specificity"',
        ),
        "scaling": (scaling, '{"mean": numbers, "std": numbers above 0}'),
        "data": (data, '{"synthetic": true or false}, with or without "name" (text) and "images" (a number)'),
    }
    telling: dict[str, tuple[Callable[[Any], bool], str]] = {
        "ages": (lambda said: said is None or 0 <= said[0] <= said[1], "[least, largest]"),
        "temperature": (lambda said: number(said) and said > 0, "a number above 0"),
        "shift": (lambda said: said is None or number(said), "a number"),
        "operating_points": (points, '"threshold", "sensitivity" and "specificity", as many numbers of each'),
        "training": (training, '{"counts": {part: {class: a number}}}'),
        "test": (test, "{protocol: {metric: a number}}"),
        "limits": (lambda said: said is None or all(isinstance(one, str) for one in said), "a list of text"),
        **dict.fromkeys(("backbone", "made_by"), named),
    }
    for key, (fits, expected) in (asked | telling).items():
        if key not in card:
            if key in telling:
                continue
            raise NeumoError(f"{file}: got a card without {key!r}, expected there {expected}")
        try:
            good = fits(card[key])
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError):
            good = False
        if not good:
            got = json.dumps(card[key])[:60]
            raise NeumoError(f"{file}: got a card whose {key!r} is {got}, expected {expected}")
    try:
        json.dumps(card, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:  # also half of a surrogate pair, which no page and no terminal can show
        got = "a card with a number or a character that JSON does not have"
        raise NeumoError(f"{file}: got {got}, expected one that neumo wrote") from error


def _graph(xml: Data, weights: Data, otherwise: str) -> openvino.Model:
    """The network with all its weights in 32 bits; a `NeumoError` that says `otherwise` if it is none."""
    import openvino

    try:
        graph = core().read_model(bytes(xml), openvino.Tensor(np.frombuffer(weights, np.uint8)))
    except (RuntimeError, ValueError) as error:  # ValueError: no weights at all
        raise NeumoError(otherwise) from error
    if (len(graph.inputs), len(graph.outputs)) != (1, 1):
        raise NeumoError(otherwise)
    for node in graph.get_ops():
        if node.get_type_name() == "Convert":
            stored = node.input_value(0).get_node()
            if stored.get_type_name() == "Constant" and stored.get_element_type() == openvino.Type.f16:
                whole = openvino.op.Constant(stored.data.astype(np.float32))
                node.output(0).replace(whole.output(0))
    return graph


def _arrays(data: Data) -> tuple[np.ndarray, ...]:
    """What `numpy.savez` was given, in order."""
    kept = read_arrays(data)
    return tuple(kept[f"arr_{place}"] for place in range(len(kept)))


def _serialised(graph: openvino.Model, *, halved: bool = False) -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        save_graph(graph, Path(folder, "graph.xml"), halved=halved)
        return Path(folder, "graph.xml").read_bytes(), Path(folder, "graph.bin").read_bytes()
