r"""A header's orientation is followed: what is shown is L\F, however the pixels are stored."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from neumo.images.dicom_view import odd_view, upright

PIXELS = np.arange(12).reshape(3, 4)
"""As they should be shown: rows run to the patient's left, columns to the feet."""


def header(orientation: list[str] | str | None = None, **elements: str) -> Dataset:
    dataset = Dataset()
    if orientation is not None:
        dataset.PatientOrientation = orientation
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (["L", "F"], PIXELS),
        (["R", "F"], PIXELS[:, ::-1]),
        (["L", "H"], PIXELS[::-1]),
        (["R", "H"], PIXELS[::-1, ::-1]),
        (["F", "L"], PIXELS.T),
        (["F", "R"], PIXELS[:, ::-1].T),
        (["H", "L"], PIXELS[::-1].T),
        (["H", "R"], PIXELS[::-1, ::-1].T),
        (["LP", "FA"], PIXELS),
        (["A", "H"], PIXELS[::-1]),
        (["H", "P"], PIXELS[::-1].T),
    ],
)
def test_every_orientation_is_turned_upright(orientation: list[str], stored: np.ndarray) -> None:
    np.testing.assert_array_equal(upright(stored, header(orientation)), PIXELS)


@pytest.mark.parametrize(
    "orientation", [None, "", "L", ["", ""], ["L", "R"], ["A", "P"], ["L", "F", "F"], ["1", "2"]]
)
def test_a_header_that_does_not_say_leaves_the_picture(orientation: list[str] | str | None) -> None:
    np.testing.assert_array_equal(upright(PIXELS, header(orientation)), PIXELS)


def test_animals_have_other_letters() -> None:
    dataset = header(["RT", "CD"], AnatomicalOrientationType="QUADRUPED")
    np.testing.assert_array_equal(upright(PIXELS, dataset), PIXELS)


@pytest.mark.parametrize(
    ("dataset", "odd"),
    [
        (header(["L", "F"], ViewPosition="PA", BodyPartExamined="CHEST"), ()),
        (header(ViewPosition="AP", BodyPartExamined="PORT CHEST"), ()),
        (header(BodyPartExamined=""), ()),
        (header(ViewPosition="LL"), ("lateral",)),
        (header(ViewPosition="lateral"), ("lateral",)),
        (header(ViewPosition="RLD"), ("lateral",)),
        (header(["A", "F"]), ("lateral",)),
        (header(BodyPartExamined="HAND"), ("elsewhere",)),
        (header(PresentationIntentType="FOR PROCESSING"), ("raw",)),
        (header(PresentationIntentType="FOR PRESENTATION"), ()),
    ],
)
def test_views_that_the_classifier_does_not_know(dataset: Dataset, odd: tuple[str, ...]) -> None:
    assert odd_view(dataset) == odd


@pytest.mark.parametrize(("meaning", "odd"), [("left lateral", ("lateral",)), ("postero-anterior", ())])
def test_coded_views(meaning: str, odd: tuple[str, ...]) -> None:
    code = Dataset()
    code.CodeMeaning = meaning
    dataset = header()
    dataset.ViewCodeSequence = [code]
    assert odd_view(dataset) == odd
