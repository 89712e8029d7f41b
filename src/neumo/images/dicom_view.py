"""How a DICOM header says that the patient was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset

LATERAL = (
    "LL",
    "RL",
    "LATERAL",
    "LAT",
    "LLAT",
    "RLAT",
    "LLO",
    "RLO",
    "LLD",
    "RLD",
    "LAO",
    "RAO",
    "LPO",
    "RPO",
)
"""Views (PS3.3 C.8.1.1 and C.8.11.5, and what is written in their place) that are lateral, oblique or of a
patient lying on a side."""

CHEST = ("CHEST", "THORA", "TORAX", "TORSO", "LUNG", "PULM", "CXR", "RIB")
"""Parts of the words for the chest in the languages of its users; BodyPartExamined is often typed by hand."""


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
    views = {str(dataset.get("ViewPosition") or "").upper()}
    codes = [str(code.get("CodeMeaning") or "").lower() for code in dataset.get("ViewCodeSequence") or ()]
    turned = any(word in code for code in codes for word in ("lateral", "oblique", "decubitus"))
    lateral = turned or bool(views & set(LATERAL)) or bool({"A", "P"} & set(_directions(dataset)))
    part = str(dataset.get("BodyPartExamined") or "").upper()
    elsewhere = bool(part) and not any(word in part for word in CHEST)
    raw = str(dataset.get("PresentationIntentType") or "") == "FOR PROCESSING"
    return ("lateral",) * lateral + ("elsewhere",) * elsewhere + ("raw",) * raw


def _directions(dataset: Dataset) -> tuple[str, str]:
    """Main directions of the rows and of the columns, of "LRAPHF"; blanks where the header does not say."""
    told = dataset.get("PatientOrientation") or ()
    if isinstance(told, str) or len(told) != 2 or dataset.get("AnatomicalOrientationType") == "QUADRUPED":
        return " ", " "
    row, column = (str(direction)[:1].upper() or " " for direction in told)
    return row, column
