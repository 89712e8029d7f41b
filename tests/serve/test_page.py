"""The page in a real browser."""

from __future__ import annotations

import csv
import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest
import uvicorn

from neumo.classifier import Classifier
from neumo.serve.app import create_app
from tests.browser import chromium
from tests.serve.conftest import drawn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright (the extra test)")
CHROMIUM = chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")
PATIENCE = 60_000  # ms


@pytest.fixture(scope="module")
def address(classifier: Classifier) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(classifier)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("radiographs")
    for patient in range(3):
        (folder / f"patient {patient}.png").write_bytes(drawn(patient))
    (folder / "notes.png").write_bytes(b"no picture")
    return sorted(folder.iterdir())


def opened(browser: Browser, address: str, **context: object) -> Page:
    page = browser.new_context(**{"locale": "en-GB", **context}).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.wait_for_selector("#point:not([hidden])")
    return page


def drop(page: Page, files: list[Path]) -> None:
    page.set_input_files("#files", files)
    page.locator("tbody tr td:first-child:not(:empty)").nth(len(files) - 1).wait_for()


def test_probability_and_heat_map_of_a_radiograph(browser: Browser, address: str, files: list[Path]) -> None:
    page, faults = browser.new_context().new_page(), []
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    sent = []
    page.on("request", lambda request: sent.append((request.url, request.post_data_buffer or b"")))
    page.goto(address)
    page.wait_for_selector("#point:not([hidden])")
    drop(page, files[1:2])
    asked = httpx.post(f"{address}api/predict", files=[("files", ("x", files[1].read_bytes()))]).json()
    probability = asked["predictions"][0]["probability"]
    assert f"{100 * probability:.1f}" in page.inner_text("tbody tr td:nth-child(2)")
    page.locator("article .heat[src]").wait_for()
    page.locator("article .opacity input").fill("80")
    assert page.locator("article .heat").evaluate("image => image.style.opacity") == "0.8"
    assert "not a medical device" in page.inner_text("#notice")
    assert all(url.startswith((address, "data:", "blob:")) for url, _ in sent)
    assert not any(b"patient 0" in body for _, body in sent), "the name of a file left the browser"
    assert not faults


def test_a_bad_file_is_told_and_does_not_stop_the_rest(
    browser: Browser, address: str, files: list[Path]
) -> None:
    page = opened(browser, address)
    drop(page, files)
    rows = page.locator("tbody tr")
    told = {row.locator("td").nth(0).inner_text(): row.inner_text() for row in rows.all()}
    assert "could not be read" in told["notes.png"]
    assert "%" in told["patient 1.png"]
    assert "3 radiographs examined" in page.inner_text("#status")


def test_the_threshold_moves_rates_and_decisions(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address)
    drop(page, files[1:3])
    page.locator("#threshold").fill("0")
    assert page.locator("tbody tr.positive").count() == 2
    assert page.inner_text("#sensitivity") == "99.0%"
    page.locator("#threshold").fill("1")
    assert page.locator("tbody tr.positive").count() == 0
    assert page.inner_text("#specificity") == "80.0%"
    page.click("#reset")
    assert page.inner_text("#threshold-value") == "50.0%"


def test_the_table_sorts_and_downloads(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address)
    drop(page, files)
    page.click("[data-sort=probability]")
    shown = [
        float(text.rstrip("%")) for text in page.locator("tbody td:nth-child(2)").all_inner_texts() if text
    ]
    assert shown == sorted(shown, reverse=True)
    assert page.get_attribute("th:nth-child(2)", "aria-sort") == "descending"
    with page.expect_download() as download:
        page.click("#download")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert {row["file"] for row in rows} == {file.name for file in files}
    assert all("not a medical device" in row["notice"] for row in rows)


def test_spanish_on_a_phone(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address, locale="es-ES", viewport={"width": 390, "height": 844})
    drop(page, files[1:2])
    assert page.get_attribute("html", "lang") == "es"
    assert "no un producto sanitario" in page.inner_text("#notice")
    assert page.inner_text("tbody td:nth-child(3)") in ("neumonía", "normal")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.select_option("#language", "en")
    assert "not a medical device" in page.inner_text("#notice")


def test_a_phone_shows_remarks_and_all_of_the_card(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address, locale="es-ES", viewport={"width": 390, "height": 844})
    drop(page, files[:2])
    bad = page.locator("tbody tr").filter(has_text="notes.png").locator("td").nth(3)
    assert bad.is_visible()
    assert bad.inner_text() == "no se pudo leer: no es una imagen de un formato conocido"
    page.click("#about summary")
    page.evaluate("""document.querySelector("#card article").innerHTML =
        '<table><tr><th></th><td>1</td><td>2</td><td>0.755<small>0.7 to 0.8</small></td></tr></table>'""")
    assert page.locator("#card td").nth(2).is_visible()
    assert page.inner_text("#card td small") == "0.7 to 0.8"
    assert page.evaluate("getComputedStyle(document.querySelector('#card small')).display") == "block"


def test_every_word_is_in_every_language(browser: Browser, address: str) -> None:
    page = opened(browser, address)
    missing = page.evaluate("""async () => {
        const { WORDS } = await import("./words.js");
        const used = [...document.querySelectorAll("[data-word]")].map((one) => one.dataset.word);
        return Object.entries(WORDS).flatMap(([language, words]) =>
            [...used, ...Object.keys(WORDS.en)]
                .filter((name) => !(name in words))
                .map((name) => language + " " + name));
    }""")
    assert missing == []


def test_by_keyboard_alone(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address)
    drop(page, files[1:3])
    page.keyboard.press("Tab")
    reached, active = [], "document.activeElement.id || document.activeElement.dataset.sort"
    for _ in range(40):
        reached.append(page.evaluate(active))
        page.keyboard.press("Tab")
    assert {"files", "threshold", "reset", "download", "probability", "language"} <= set(reached)
    page.focus("#threshold")
    page.keyboard.press("End")
    assert page.inner_text("#threshold-value") == "100.0%"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(
    browser: Browser, address: str, files: list[Path], scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe (the extra test)")
    page = opened(browser, address, color_scheme=scheme, bypass_csp=True)
    drop(page, files)
    page.click("#about summary")
    found = axe.Axe().run(page).response["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ] == []
