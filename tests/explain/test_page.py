"""The page of explained radiographs: what a browser finds in it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from neumo.classifier.classifier import Classifier
from neumo.classifier.findings import Prediction
from neumo.explain.many import Explained
from neumo.explain.overlay import coloured
from neumo.explain.page import Row, write_page
from neumo.images.checks import MEANING
from neumo.phantom.radiograph import draw_radiograph
from tests.browser import opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

NOTICE = "A research tool, not a medical device: nothing here is a diagnosis."
CARD = {
    "name": "test",
    "positive": "pneumonia",
    "negative": "normal",
    "threshold": {"threshold": 0.3},
    "notice": NOTICE,
}


class _Found(HTMLParser):
    """Every attribute and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attributes]

    def handle_data(self, data: str) -> None:
        self.text += data


def _explained(name: str, probability: float, *warnings: str) -> Explained:
    decision = "pneumonia" if probability >= 0.3 else "normal"
    heat = np.zeros((224, 224), np.float32)
    heat[:112] = probability
    pixels, _ = draw_radiograph("", patient=int(100 * probability), size=224)
    prediction = Prediction(name, probability, 0.3, decision, NOTICE, warnings=warnings)
    return Explained(prediction, 600, 400, pixels, heat)


@pytest.fixture
def page(tmp_path: Path) -> str:
    given = [
        _explained("folder/low.png", 0.1),
        _explained("folder/<b>high.png", 0.9, "unfamiliar"),
        _explained("folder/middle.png", 0.3),
    ]
    model = Classifier(CARD, None, None, b"")
    write_page(model, [Row.of(one) for one in given], ["bad.png: got <i>nothing</i>"], tmp_path / "page.html")
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_most_probable_come_first_in_their_class(page: str) -> None:
    text = " ".join(_Found(page).text.split())
    order = [
        "Called pneumonia: 2",
        "0.900",
        "middle.png",
        "Called normal: 1",
        "0.100",
        "Not read: 1",
        "bad.png",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert MEANING["unfamiliar"] in text
    assert text.count(NOTICE) == 2
    assert "<b>high.png" in text  # as text, not as a tag
    assert "<i>nothing</i>" in text


def test_no_probability_is_rounded_to_certainty(tmp_path: Path) -> None:
    rows = [Row.of(_explained("one.png", 0.99996)), Row.of(_explained("two.png", 0.0001))]
    write_page(Classifier(CARD, None, None, b""), rows, [], tmp_path / "page.html")
    text = _Found((tmp_path / "page.html").read_text(encoding="utf-8")).text
    assert "> 0.999 pneumonia" in text
    assert "< 0.001 normal" in text


def test_a_low_operating_point_is_not_told_as_0(tmp_path: Path) -> None:
    card = {**CARD, "threshold": {"threshold": 0.00031}}
    write_page(Classifier(card, None, None, b""), [], [], tmp_path / "page.html")
    text = _Found((tmp_path / "page.html").read_text(encoding="utf-8")).text
    assert "At or above the operating point of 0.00031 a radiograph" in text


def test_one_radiograph_is_told_as_one(tmp_path: Path) -> None:
    write_page(
        Classifier(CARD, None, None, b""), [Row.of(_explained("one.png", 0.9))], [], tmp_path / "p.html"
    )
    text = _Found((tmp_path / "p.html").read_text(encoding="utf-8")).text
    assert text.count("What speaks for pneumonia on 1 radiograph\n") == 2


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    links = [value for _, name, value in _Found(page).attributes if name in ("src", "href", "action", "data")]
    assert all(value.startswith(("data:", "#")) for value in links)
    assert "url(" not in page
    assert "@import" not in page
    assert "http" not in page


def test_heat_lies_over_its_radiograph_in_the_shape_of_the_file(page: str) -> None:
    found = _Found(page)
    pictures = [value for tag, name, value in found.attributes if (tag, name) == ("img", "src")]
    assert [value.split(";")[0] for value in pictures] == ["data:image/jpeg", "data:image/png"] * 3
    assert [value for _, name, value in found.attributes if name == "style"] == [
        "aspect-ratio: 600 / 400"
    ] * 3
    radiograph, heat = (Image.open(io.BytesIO(base64.b64decode(one.split(",")[1]))) for one in pictures[:2])
    pixels, _ = draw_radiograph("", patient=90, size=224)
    assert np.abs(np.asarray(radiograph, int) - pixels).mean() < 3
    small = np.asarray(heat)
    assert small.shape == (28, 28, 4)
    np.testing.assert_array_equal(small[2, 2], coloured(np.full((1, 1), 0.9))[0, 0])
    assert not small[-2, :, 3].any()


def test_hundreds_of_radiographs_are_a_few_megabytes() -> None:
    row = Row.of(_explained("one.png", 0.8))
    assert len(row.radiograph) + len(row.heat) < 20_000


@pytest.fixture
def shown(page: str, tmp_path: Path) -> Iterator[Page]:
    with opened(tmp_path / "page.html") as shown:
        yield shown


def test_the_slider_tells_the_opacity_of_a_page_that_is_gone_back_to(shown: Page) -> None:
    """Browsers put a control back to where it was; Firefox when a page is reloaded, too."""
    shown.locator("#opacity").fill("1")
    shown.goto("about:blank")
    shown.go_back()
    opacity = shown.locator(".lit .heat").first.evaluate("image => getComputedStyle(image).opacity")
    assert float(shown.input_value("#opacity")) == float(opacity)


def test_the_scale_of_the_colours_is_printed(shown: Page) -> None:
    """Browsers print no backgrounds unless they are told to."""
    assert b"/ShadingType" in shown.pdf(print_background=False)
