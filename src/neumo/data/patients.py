"""Which patient an image is of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from neumo.data.dicom_ids import read_header
from neumo.data.image_files import is_dicom

_PATIENT = (
    re.compile(r"^(?:NORMAL|BACTERIA|VIRUS)-(\d+)-\d{4}$"),
    re.compile(r"^(person\d+)_", re.IGNORECASE),
    re.compile(r"^((?:NORMAL2-)?IM-\d+)-", re.IGNORECASE),
    re.compile(r"^(.+)-day\d+$", re.IGNORECASE),
)
_FOLDER = re.compile(r"patient[ _-]?\d+|p\d{8}|sub-(?=.*\d)[a-z0-9]{3,}", re.IGNORECASE)
_CAUSE = re.compile(r"^(?i:person\d+_(bacteria|virus)_)|^(BACTERIA|VIRUS)-\d+-\d{4}\.")
_FIGURE_PANEL = re.compile(r"[a-z]?-Fig\d+[a-z]?$", re.IGNORECASE)
_NOBODY = frozenset(
    (
        *("anon", "anonym", "anonymous", "anonymized", "anonymised", "anonymize", "anonymise"),
        *("deidentified", "de", "identified", "unknown", "unnamed", "none", "null", "nil", "na", "n", "a"),
        *("not", "available", "no", "name", "id", "number", "patient", "removed", "deleted", "redacted"),
    )
)
"""Words that an identifier may consist of and still tell nobody; one with a number among them does."""
_NAMES = {"na", "n", "a", "null", "none"}
"""Those of them that a patient may be called, too."""


def patients_in(paths: Sequence[str | Path]) -> list[str | None]:
    """The patient of each image file of a data set, None where that is not known.

    By `dicom_patient`, else by a folder that it lies in, else by `patient_of`. A DICOM file's name is not
    asked: OsiriX calls the first image of every patient ``IM-0001-0001.dcm``.

    Folders that tell are called as those of CheXpert (``patient00001``), MIMIC-CXR (``p10000032``) and BIDS
    (``sub-S03068``). A folder that all of the images lie in tells no patient: it may be a user's.
    """
    folders = [Path(path).parts[:-1] for path in paths]
    levels = zip(*set(folders), strict=False)
    shared = len(list(takewhile(lambda level: len(set(level)) == 1, levels)))
    found = []
    for path, above in zip(paths, folders, strict=True):
        dicom = is_dicom(Path(path))
        told = next(filter(_FOLDER.fullmatch, above[shared:]), None)
        found.append((dicom_patient(path) or told) if dicom else (told or patient_of(path)))
    return found


def patient_of(name: str | Path) -> str | None:
    """The patient that a file name tells of, None where it tells of none.

    =====================================  ====================  =============================================
    file name                              patient               comes from
    =====================================  ====================  =============================================
    ``BACTERIA-227418-0002.jpeg``          ``227418``            Kermany et al. 2018, as they publish it
    ``person1_virus_6.jpeg``               ``person1``           the same as on Kaggle, pneumonia
    ``IM-0115-0001.jpeg``                  ``IM-0115``           the same, normal
    ``NORMAL2-IM-0421-0001.jpeg``          ``NORMAL2-IM-0421``   the same, normal, a second series
    ``...-evolution-1-day3.jpg``           ``...-evolution-1``   covid-chestxray-dataset, a series over days
    =====================================  ====================  =============================================

    How sure that is: names such as the first are of the disease, a randomised number of the patient and one
    of the image, as their makers say. What the numbers on Kaggle mean is said nowhere. A number groups images
    that mostly look like one child's, so treating it as one patient is the careful reading; but ``person``
    numbers were given anew in the test set and for each cause (``person1`` has bacterial images in train and
    viral ones in test), so that one number may well be two children. Grouping by number can put too much
    together and never too little. ``IM-0421`` and ``NORMAL2-IM-0421`` count as two patients, as the two
    series are numbered separately.

    Of covid-chestxray-dataset only names that end in ``-dayN`` are read: those are one source's series over
    days. Names of journal figures (``jkms-35-e79-g001-l-a.jpg``) can show one patient or several, and random
    identifiers tell nothing, so both give None.
    """
    stem = Path(name).stem
    for pattern in _PATIENT:
        if match := pattern.match(stem):
            return _FIGURE_PANEL.sub("", match[1])
    return None


def cause_of(name: str | Path) -> str | None:
    """``"bacteria"`` or ``"virus"`` where a file name of Kermany et al. 2018 says so, else None."""
    match = _CAUSE.match(Path(name).name)
    return (match[1] or match[2]).lower() if match else None


def dicom_patient(path: str | Path) -> str | None:
    """The patient of a DICOM file by its Patient ID (0010,0020), None where that is empty or a placeholder.

    A file whose header cannot be read, see `read_header`, has no known patient.

    What is returned is its `pseudonym`, ``"dicom-"`` and twelve digits.
    """
    header = read_header(path, ["PatientID"])
    try:
        number = "" if header is None else str(header.get("PatientID") or "").strip()
    except Exception:  # pydicom takes an element apart when it is asked for
        return None
    return None if is_nobody(number, typed=False) else pseudonym(number, "dicom")


def names_people(heading: str, values: Iterable[str]) -> bool:
    """Whether a column holds people's names or a hospital's numbers of them, by its heading or its values."""
    called = re.search(r"name|mrn|record|nombre|nome\b|nhc", heading.lower()) is not None
    return called or any(re.search(r"[a-z].*[ ,^].*[a-z]", value.lower()) for value in values)


def is_nobody(identifier: str, *, typed: bool = True) -> bool:
    """Whether an identifier says that the patient is not known: "unknown", "-", "anonymous", "-1".

    Args:
        identifier: of a patient.
        typed: by people, as in a table, who may call a patient so: "NA", "null", "X", "0". Programs that
            fill in a DICOM header do not.
    """
    words = set(re.findall(r"[^\W_]+", identifier.lower()))
    if re.fullmatch(r"-1(\.0)?", identifier.strip()):  # what pandas codes a missing one as
        return True
    if typed:
        return words <= _NOBODY - _NAMES or words == {"n", "a"}
    return words <= _NOBODY or re.fullmatch("0*|x*", re.sub(r"[\W_]+", "", identifier.lower())) is not None


def pseudonym(identifier: str, kind: str = "patient") -> str:
    """An identifier that could name a person as ``"patient-"`` and twelve hex digits of its SHA-256.

    Tables and reports get passed on. Who knows all identifiers that there can be can tell which it was.
    """
    return f"{kind}-{hashlib.sha256(identifier.encode()).hexdigest()[:12]}"
