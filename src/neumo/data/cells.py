"""What the cells of a listing say, each column by what it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from neumo.data.columns import USUAL, filled
from neumo.data.labels import UNKNOWN, plain
from neumo.data.patients import is_nobody
from neumo.images.dicom_view import is_lateral

_SIDEWAYS = {"L", "COSTAL", "EXCLUDE", "AXIAL", "CORONAL", "SAGITTAL"}
"""What else a column of views says, in upper case, of rows that are not frontal (COSTAL: PadChest)."""


def cleaned(
    frame: pd.DataFrame, column: dict[str, str | None], positive: Sequence[str] | None
) -> pd.DataFrame:
    """The columns by what they hold, all of `USUAL`; NA where a cell says that nothing is known.

    Args:
        frame: as from `neumo.data.columns.load`.
        column: what is held -> heading, as from `neumo.data.columns.columns`.
        positive: labels that count as positive, and so as known whatever they are.
    """
    there = {what: frame[name] for what, name in column.items() if name is not None}
    given = pd.DataFrame({what: filled(cells, but=("nan", "NaN")) for what, cells in there.items()})
    given = given.reindex(columns=list(USUAL)).astype("str")
    given["label"] = filled(each(given["label"], _between_bars).astype("str"))
    given["patient"] = _one_spelling(given["patient"])
    for what in ("label", "cause", "sha256"):
        said = each(given[what], plain)
        unknown = set(UNKNOWN)
        if what == "label":
            unknown -= {plain(name) for name in positive or ()}
            if not set(said.dropna()) <= {"-1", "1"}:
                unknown |= {"-1"}  # CheXpert's "uncertain"
        given[what] = given[what].mask(said.isin(list(unknown)))
    return given


def are_lateral(views: pd.Series) -> pd.Series:
    """Whether each cell of a column of views tells one that is not frontal."""
    named = each(views, is_lateral).eq(True)
    return named | views.str.strip().str.upper().isin(_SIDEWAYS)


def contradictions(found: pd.DataFrame, file: Path, what: str = "label") -> list[str]:
    """A fault for each row that says something else of an image than the first row that says anything.

    Args:
        found: columns path and `what`, in which blanks say nothing; the index counts the rows of the file
            from 0.
        file: that lists them.
        what: the column: "label", "patient" or "official".
    """
    called = "official part" if what == "official" else what
    said = found[found[what].notna()]
    first = said.drop_duplicates("path").set_index("path")[what]
    others = said[said["path"].map(first).ne(said[what])]
    return [
        f"{path}: got another {called} in row {row + 1} of {file} than in an earlier row, expected one"
        for row, path in zip(others.index, others["path"], strict=True)
    ]


def _one_spelling(patient: pd.Series) -> pd.Series:
    """Patients as they are first written: "P7" and "p7" are one, so are "7", "007" and Excel's "7.0"."""
    patient = patient.mask(each(patient, is_nobody).eq(True))
    same = each(patient, plain).astype("str").str.replace(r"^0+(?=\d+$)", "", regex=True)
    return patient.groupby(same).transform("first").astype("str")


def _between_bars(label: str) -> str:
    """Findings that are written as a list, as PadChest has them, between bars; other labels as they are."""
    if not (label.startswith("[") and label.endswith("]")):
        return label
    return "|".join(one for one in (part.strip(" '\"") for part in label[1:-1].split(",")) if one)


def each(values: pd.Series, told: Callable[[str], object]) -> pd.Series:
    """What is told of each value, asked but once where many are the same; NA stays."""
    return values.map({value: told(value) for value in values.dropna().unique()})


def or_none(values: pd.Series) -> list[str | None]:
    """The cells as text, None where there is nothing."""
    return [None if pd.isna(value) else str(value) for value in values]
