"""How old a DICOM header says that the patient was."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

OLDEST = 130
"""Years; what is above is taken for a slip of the pen."""

_AGE = re.compile(r"(\d{1,3})\s*([DWMY]?)", re.IGNORECASE)
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")


def age_in_years(dataset: Dataset) -> float | None:
    """The patient's age when the radiograph was taken.

    It is PatientAge (PS3.5 section 6.2, "AS": three digits and one of D, W, M and Y; without a letter, as
    some files have it, years are meant). Where that says nothing it is the time from PatientBirthDate to the
    date of the study, of the series, of the acquisition or of the picture, the first that is there.

    Returns:
        Years; None where the header does not say, or says less than 0 or more than `OLDEST`.
    """
    told = _AGE.fullmatch(str(dataset.get("PatientAge") or "").strip())
    if told:
        age = int(told[1]) / _PER_YEAR[told[2].upper() or "Y"]
    else:
        born = _date(dataset, "PatientBirthDate")
        taken = next((date for name in _DATES if (date := _date(dataset, name))), None)
        if born is None or taken is None:
            return None
        age = (taken - born).days / _PER_YEAR["D"]
    return age if 0 <= age <= OLDEST else None


def _date(dataset: Dataset, name: str) -> datetime | None:
    try:
        return datetime.strptime(str(dataset.get(name) or "")[:8], "%Y%m%d")
    except ValueError:
        return None
