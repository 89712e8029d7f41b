"""The table: the one thing that passes from reading to training."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from neumo.errors import NeumoError, told
from neumo.images.dicom_age import OLDEST
from neumo.progress import track
from neumo.threads import in_threads

NORMAL, PNEUMONIA, UNLABELLED = 0, 1, -1

COLUMNS = {
    "path": "str",  # absolute path of the image file
    "label": "int8",  # 0 normal, 1 pneumonia (the positive class); -1 unknown, which only an audit accepts
    "cause": "str",  # "" for normal, else "bacteria", "virus", "unknown" or the class' own name in lower case
    "patient": "str",  # whose image it is, NA where that is not known
    "official": "str",  # "train" or "test" as the data set itself divides, NA where it does not
    "sha256": "str",  # hex SHA-256 of the file's bytes
}

OFFICIAL = {
    **dict.fromkeys(["train", "training", "val", "valid", "validate", "validation", "dev"], "train"),
    **dict.fromkeys(["trainval", "trainvalid", "entrenamiento", "validacion"], "train"),
    **dict.fromkeys(["test", "testing", "prueba", "pruebas"], "test"),
}
"""What data sets call their parts, in lower case -> the table's word; validation is drawn from training."""

_ENDING = r"(?:data|sets?|images?|imgs?|files?|split|part|partition|folder|fold|samples|cases|radiographs)"
_PART = re.compile(rf"({'|'.join(OFFICIAL)}){_ENDING}*")


def check_table(table: pd.DataFrame, *columns: str) -> None:
    """See that an argument is a table of images with these columns, `part` if it must be divided.

    Raises:
        NeumoError: it is not.
    """
    gives = "neumo.split gives it" if "part" in columns else "neumo.read(...).table is"
    if not isinstance(table, pd.DataFrame):
        raise NeumoError(f"table: got {told(table)}, expected a DataFrame of images, as {gives}")
    if lacking := [name for name in columns if name not in table]:
        raise NeumoError(f"table: got no column {' and '.join(lacking)}, expected one of images, as {gives}")


def official_part(name: str) -> str | None:
    """What the table calls a part that a data set calls so ("Training set": "train"); None of other names."""
    found = _PART.fullmatch(bare(name))
    return OFFICIAL[found[1]] if found else None


def bare(name: str) -> str:
    """A name in lower case without accents, spaces and punctuation, to compare it by."""
    return re.sub(r"[\W_]+", "", unaccented(name).lower())


def unaccented(text: str) -> str:
    """A text without the accents of its letters."""
    apart = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.combining(c)))


@dataclass(frozen=True)
class Dataset:
    """A data set as it was found on disk.

    Attributes:
        table: one row per image that is there, columns as in `COLUMNS`, RangeIndex.
        name: what to call it, for example ``"CoronaHack"``.
        layout: ``"coronahack"``, ``"phantom"``, ``"class-folders"``, ``"listing"`` or ``"images"``.
        root: the folder that names in `missing` and `unlisted` are relative to.
        rows: rows listed, those without an image included.
        listed_counts: label -> rows as listed, before missing images are left out.
        missing: names of images that are listed but not there.
        lateral: names of images that are listed as lateral or oblique views, which are left out.
        unlisted: names of images that are there but not listed.
        repeated: names of images that are listed more than once with one label; they are in `table` once.
        citation: how to cite the data, empty where unknown.
        synthetic: whether the images were drawn and show no patient.
        positive_name: what label 1 is called in this data set.
        negative_name: what label 0 is called in this data set.
        ages: of its patients, the youngest and the oldest in completed years; None where they are not known.
        faults: what makes the data unfit for training, one line each; `neumo.read` raises the first.
    """

    table: pd.DataFrame
    name: str
    layout: str
    root: Path
    rows: int
    listed_counts: dict[int, int]
    missing: list[str] = field(default_factory=list)
    lateral: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    citation: str = ""
    synthetic: bool = False
    positive_name: str = "pneumonia"
    negative_name: str = "normal"
    ages: tuple[int, int] | None = None
    faults: tuple[str, ...] = ()

    def __repr__(self) -> str:
        by_label = counts(self.table["label"]).items()
        classes = ", ".join(f"{n:,} {self.label_name(label)}" for label, n in by_label)
        patients = self.table["patient"].nunique()
        whose = f" of {patients:,} patient{'s' * (patients != 1)}" if patients else ""
        drawn = " (SYNTHETIC)" if self.synthetic else ""
        return f"<Dataset {self.name!r}: {len(self.table):,} images{whose}: {classes}{drawn}>"

    def label_name(self, label: int) -> str:
        """The name of a label: `negative_name`, `positive_name` or ``"unlabelled"``."""
        return {NORMAL: self.negative_name, PNEUMONIA: self.positive_name}.get(int(label), "unlabelled")

    def with_faults(self, *faults: str) -> Dataset:
        """The same data set with more faults."""
        return replace(self, faults=(*self.faults, *faults))

    def aged(self, youngest: int, oldest: int) -> Dataset:
        """The same data set, known to be of patients of these ages; its classifiers warn of others.

        Args:
            youngest: completed years.
            oldest: likewise, at most `neumo.images.dicom_age.OLDEST`.

        Raises:
            NeumoError: they are no ages.
        """
        if not 0 <= youngest <= oldest <= OLDEST:
            raise NeumoError(
                f"ages: got {youngest} to {oldest}, expected the youngest and the oldest patient's, in years"
            )
        return replace(self, ages=(youngest, oldest))

    def named(self, pattern: str) -> Dataset:
        """The same data set without images whose file name the regular expression does not find.

        Raises:
            NeumoError: it is none, or finds no image.
        """
        try:
            found = self.table["path"].map(lambda path: re.search(pattern, Path(path).name) is not None)
        except re.error as error:
            raise NeumoError(f"names: got {pattern!r} ({error}), expected a regular expression") from error
        if not found.any():
            raise NeumoError(f"names: got {pattern!r}, which no file name matches, expected one that some do")
        return replace(self, table=self.table[found].reset_index(drop=True))


def new_table(found: pd.DataFrame) -> pd.DataFrame:
    """Complete `found` (all columns but ``sha256``) to the table: types set, every file hashed.

    Raises:
        OSError: a file cannot be read.
    """
    table = found.reset_index(drop=True)
    table["sha256"] = list(track(in_threads(sha256_of, table["path"]), "Hashing files", len(table)))
    return table.astype(COLUMNS)[list(COLUMNS)]


def sha256_of(path: str | Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def counts(labels: pd.Series) -> dict[int, int]:
    """Label -> how many rows have it, by label."""
    return {int(label): int(n) for label, n in labels.value_counts().sort_index().items()}  # type: ignore[call-overload]
