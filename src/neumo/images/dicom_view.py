"""How a DICOM header says that the patient was looked at."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset

_CODES = frozenset(("LL", "RL", "LLAT", "RLAT", "LLO", "RLO", "LLD", "RLD", "LAO", "RAO", "LPO", "RPO"))
"""Words of views (PS3.3 C.8.1.1 and C.8.11.5, and what is written in their place) that are lateral, oblique
or of a patient lying on a side."""

_LATERAL = re.compile(r"LATERAL(?!I[TDS])|LATS?$|OBLS?$|OBLI[CQ]U|SEITL|SEITENLAGE|SCHRAG|PROFILE?$|PERFIL$")
"""What begins words for such views in English, Spanish, German and French, in capitals without accents; no
laterality is among them."""

_LYING = re.compile(r"DECUB")
_ON_BACK_OR_FRONT = re.compile(r"SUPIN|DORSAL|PRON|VENTRAL")
"""Of words with the first, those that mean no side: "decúbito supino", "décubitus dorsal"."""

_FRONTAL = re.compile(r"(PA|AP)$|FRONT|FACE$|FRENTE$|POSTERO|ANTERO")
"""The same for frontal views."""

_DESCRIPTIONS = (
    "AcquisitionDeviceProcessingDescription",
    "SeriesDescription",
    "ProtocolName",
    "StudyDescription",
)
"""Elements that are typed in freely, what is about the image before what is about the whole study."""

VIEW_ELEMENTS = (
    *("ViewPosition", "ViewCodeSequence", "PatientOrientation", "AnatomicalOrientationType"),
    *("BodyPartExamined", "AnatomicRegionSequence", "PresentationIntentType", *_DESCRIPTIONS),
)
"""What `odd_view` looks at."""

CHEST = ("CHEST", "THORA", "TORAX", "TORSO", "LUNG", "PULM", "CXR", "RIB")
"""Parts of the words for the chest in the languages of its users; BodyPartExamined is often typed by hand."""

CHEST_CODES = frozenset(("T-D3000", "51185008", "T-28000", "39607008"))
"""The chest and the lungs, in any language, by SNOMED (PS3.16 CID 4031)."""


def upright(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    r"""Turn a radiograph so that its rows run to the patient's left and its columns to the feet.

    That is L\F in Patient Orientation (PS3.3 C.7.6.1.1.1), as a radiograph is hung; of a lateral view only
    the feet come down. A header that does not say leaves the picture as it is.

    Args:
        pixels: (rows, columns).
        dataset: its header.
    """
    row, column = _directions(dataset)
    if row in "HF" and column in "LRAP":
        pixels, row, column = pixels.T, column, row
    if row not in "LRAP" or column not in "HF":
        return pixels
    if column == "H":
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels[:, ::-1] if row == "R" else pixels)


def odd_view(dataset: Dataset) -> tuple[str, ...]:
    """What the header says that is odd: "lateral", "elsewhere", "raw"; see `neumo.images.checks.MEANING`."""
    views = dataset.get("ViewCodeSequence") or ()
    coded = [code for view in views for code in (view, *(view.get("ViewModifierCodeSequence") or ()))]
    codes = [str(code.get("CodeMeaning") or "").lower() for code in coded]
    turned = any(word in code for code in codes for word in ("lateral", "oblique", "decubitus"))
    told = is_lateral(_text(dataset, "ViewPosition"))
    lateral = turned or told or bool({"A", "P"} & set(_directions(dataset))) or _described(dataset, codes)
    elsewhere = _of_another_part(dataset)
    raw = code_string(dataset, "PresentationIntentType") == "FOR PROCESSING"
    return ("lateral",) * lateral + ("elsewhere",) * elsewhere + ("raw",) * raw


def _of_another_part(dataset: Dataset) -> bool:
    """Whether the header names a part of the body and not the chest: by its term, else by a code.

    What is written in other letters than these tells nothing.
    """
    regions = dataset.get("AnatomicRegionSequence") or ()
    if not (part := _words(_text(dataset, "BodyPartExamined"))):
        if CHEST_CODES & {_text(region, "CodeValue").strip() for region in regions}:
            return False
        part = [word for region in regions for word in _words(_text(region, "CodeMeaning"))]
    latin = [word for word in part if word.isascii()]
    return bool(latin) and not any(known in word for word in latin for known in CHEST)


def code_string(dataset: Dataset, name: str) -> str:
    """An element's code in capitals, without the spaces around it, which mean nothing (PS3.5 6.2, "CS")."""
    return str(dataset.get(name) or "").strip().upper()


def is_lateral(view: str) -> bool:
    """Whether the name of a view says that it is lateral, oblique or of a patient lying on a side."""
    words = _words(view)
    on_side = any(map(_LYING.match, words)) and not any(map(_ON_BACK_OR_FRONT.match, words))
    return on_side or any(word in _CODES or _LATERAL.match(word) for word in words)


def _described(dataset: Dataset, codes: list[str]) -> bool:
    """Whether descriptions say that a view is lateral, where nothing says that it is frontal.

    One that names both ("CHEST PA AND LATERAL") is about several images and tells nothing of this one.
    """
    view = " ".join((_text(dataset, "ViewPosition"), *codes))
    if any(_FRONTAL.match(word) for word in _words(view)):
        return False
    for name in _DESCRIPTIONS:
        words = _words(_text(dataset, name))
        lateral, frontal = (any(kind.match(word) for word in words) for kind in (_LATERAL, _FRONTAL))
        if lateral != frontal:
            return lateral
    return False


def _words(text: str) -> list[str]:
    """The words of a text in capitals without accents; "p.a." is one."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.upper()) if not unicodedata.combining(c))
    return re.findall(r"[^\W\d_]+", re.sub(r"\b([AP])[. ]+([AP])\b", r"\1\2", plain))


def _text(dataset: Dataset, name: str) -> str:
    value = dataset.get(name) or ""
    return value if isinstance(value, str) else " ".join(map(str, value))


def _directions(dataset: Dataset) -> tuple[str, str]:
    """Main directions of the rows and of the columns, of "LRAPHF"; blanks where the header does not say."""
    told = dataset.get("PatientOrientation") or ()
    if (
        isinstance(told, str)
        or len(told) != 2
        or code_string(dataset, "AnatomicalOrientationType") == "QUADRUPED"
    ):
        return " ", " "
    row, column = (str(direction).strip()[:1].upper() or " " for direction in told)
    return row, column
