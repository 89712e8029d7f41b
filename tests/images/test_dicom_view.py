r"""A header's orientation is followed: what is shown is L\F, however the pixels are stored."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from neumo.images.dicom_view import is_lateral, odd_view, upright

PIXELS = np.arange(12).reshape(3, 4)
"""As they should be shown: rows run to the patient's left, columns to the feet."""


def header(orientation: list[str] | str | None = None, **elements: str | list[str]) -> Dataset:
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
        (header(BodyPartExamined="TÓRAX"), ()),
        (header(BodyPartExamined="胸部"), ()),
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


def test_a_coded_view_that_is_modified() -> None:
    view, modifier = Dataset(), Dataset()
    view.CodeMeaning, modifier.CodeMeaning = "antero-posterior", "Left lateral decubitus"
    view.ViewModifierCodeSequence = [modifier]
    dataset = header()
    dataset.ViewCodeSequence = [view]
    assert odd_view(dataset) == ("lateral",)


@pytest.mark.parametrize(
    ("part", "value", "meaning", "odd"),
    [
        ("", "T-D8810", "Knee joint", ("elsewhere",)),
        ("", "T-D3000", "Chest", ()),
        ("", "51185008", "Brustkorb", ()),
        ("", "RID1243", "Thorax", ()),
        ("", "RID1243", "胸郭", ()),
        ("CHEST", "T-D8810", "Knee joint", ()),
        ("HAND", "T-D3000", "Chest", ("elsewhere",)),
    ],
)
def test_coded_parts_of_the_body(part: str, value: str, meaning: str, odd: tuple[str, ...]) -> None:
    code = Dataset()
    code.CodeValue, code.CodeMeaning = value, meaning
    dataset = header(BodyPartExamined=part)
    dataset.AnatomicRegionSequence = [code]
    assert odd_view(dataset) == odd


@pytest.mark.parametrize(
    "view",
    [
        *(
            "LAT L",
            "L LAT",
            "LATERAL LEFT",
            "CHEST LAT",
            "lat.",
            "AP LLD",
            "left_lateral",
            "Profil",
            "perfil",
        ),
        *("OBL", "R obl.", "PROFILE", "LATS", "DECUB", "L DECUB", "AP decubitus", "decúbito lateral"),
    ],
)
def test_names_of_lateral_views(view: str) -> None:
    assert is_lateral(view)
    assert odd_view(header(ViewPosition=view)) == ("lateral",)


@pytest.mark.parametrize(
    "view",
    [
        *("PA", "AP SUPINE", "bilateral PA", "Laterality: L", "LATERALITY", "", "L", "R"),
        *("AP decúbito supino", "Décubitus dorsal", "BILATS"),
    ],
)
def test_names_of_other_views(view: str) -> None:
    assert not is_lateral(view)


ELEMENTS = (
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
    "StudyDescription",
)


@pytest.mark.parametrize("name", ELEMENTS)
@pytest.mark.parametrize(
    "text",
    [
        *(
            "CHEST LAT",
            "Thorax lateral",
            "W033 Chest,LATERAL",
            "W Chest Lat.",
            "CHEST_LAT",
            "CHEST OBL",
            "Chest LATS",
            "CHEST PROFILE",
            "Thorax seitlich",
        ),
        *("Thorax de profil", "Thorax de profil gauche latérale", "Tórax perfil", "TORAX LATERAL IZQUIERDO"),
    ],
)
def test_descriptions_of_lateral_views(name: str, text: str) -> None:
    assert odd_view(header(**{name: text})) == ("lateral",)
    assert odd_view(header(ViewPosition="", **{name: text})) == ("lateral",)
    for view in ("PA", "AP"):
        assert odd_view(header(ViewPosition=view, **{name: text})) == ()


@pytest.mark.parametrize("name", ELEMENTS)
@pytest.mark.parametrize(
    "text",
    [
        *(
            "CHEST PA AND LATERAL",
            "Thorax PA+LAT",
            "Chest 2 views (frontal and lateral)",
            "Thorax p.a./seitl.",
        ),
        *(
            "Thorax face et profil",
            "Tórax frente y perfil",
            "Tórax PA y lateral",
            "CHEST A.P. LAT",
            "Chest AP/LAT",
        ),
        *(
            "Thorax a. p. und seitlich",
            "Radiographie du thorax de face",
            "RIBS BILATERAL",
            "CHEST",
            "LATERALITY",
        ),
        *("Chest posteroanterior and lateral", "chest antero-posterior, lateral", "Thorax, 2 Ebenen", ""),
    ],
)
def test_descriptions_that_tell_nothing(name: str, text: str) -> None:
    assert odd_view(header(**{name: text})) == ()


def test_what_is_about_the_image_goes_before_what_is_about_the_study() -> None:
    assert odd_view(header(SeriesDescription="PA", StudyDescription="Thorax lateral")) == ()
    both = "CHEST PA AND LATERAL"
    assert odd_view(header(SeriesDescription="LAT", StudyDescription=both)) == ("lateral",)
    assert odd_view(header(SeriesDescription=both, ProtocolName="LAT")) == ("lateral",)


def test_a_coded_view_goes_before_descriptions() -> None:
    code = Dataset()
    code.CodeMeaning = "postero-anterior"
    dataset = header(SeriesDescription="CHEST LAT")
    dataset.ViewCodeSequence = [code]
    assert odd_view(dataset) == ()


def test_a_description_of_several_values_or_beyond_its_length(recwarn: pytest.WarningsRecorder) -> None:
    dataset = header(ProtocolName=["Doe", "LAT"])
    assert odd_view(dataset) == ("lateral",)
    assert odd_view(header(SeriesDescription="Doe^Jane " * 20 + "lateral")) == ("lateral",)
    assert not any("Doe" in str(warning.message) for warning in recwarn)
