"""A header's age, in the forms that headers have it in."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from neumo.images.dicom_age import age_in_years


def header(**elements: str) -> Dataset:
    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


@pytest.mark.parametrize(
    ("told", "years"),
    [
        ("062Y", 62),
        ("003Y", 3),
        ("018M", 1.5),
        ("026W", 0.5),
        ("010D", 10 / 365.25),
        ("000Y", 0),
        ("62", 62),
        ("62 ", 62),
        ("5y", 5),
        ("130Y", 130),
    ],
)
@pytest.mark.filterwarnings("ignore:.*value for VR AS")
def test_an_age_is_read(told: str, years: float) -> None:
    assert age_in_years(header(PatientAge=told)) == pytest.approx(years, rel=1e-2)


@pytest.mark.parametrize("told", ["", "Y", "O62Y", "62 years", "-03Y", "131Y", "999Y"])
@pytest.mark.filterwarnings("ignore:.*value for VR AS")
def test_what_is_no_age_says_nothing(told: str) -> None:
    assert age_in_years(header(PatientAge=told)) is None


def test_dates_tell_where_no_age_does() -> None:
    dates = {"PatientBirthDate": "19400305", "SeriesDate": "20040826", "ContentDate": "19500305"}
    assert age_in_years(header(**dates)) == pytest.approx(64.48, abs=0.01)
    assert age_in_years(header(**dates, StudyDate="19410305")) == pytest.approx(1, abs=0.01)
    assert age_in_years(header(**dates, PatientAge="007Y")) == 7
    assert age_in_years(header(**dates, PatientAge="soon")) == pytest.approx(64.48, abs=0.01)


@pytest.mark.parametrize(
    "dates",
    [
        {},
        {"PatientBirthDate": "19400305"},
        {"StudyDate": "20040826"},
        {"PatientBirthDate": "1940", "StudyDate": "20040826"},
        {"PatientBirthDate": "20040827", "StudyDate": "20040826"},
        {"PatientBirthDate": "17000101", "StudyDate": "20040826"},
    ],
)
@pytest.mark.filterwarnings("ignore:.*value for VR DA")
def test_dates_that_tell_nothing(dates: dict[str, str]) -> None:
    assert age_in_years(header(**dates)) is None
