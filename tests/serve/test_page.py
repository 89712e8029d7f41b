"""The page in a real browser."""

from __future__ import annotations

import ast
import codecs
import csv
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest
import uvicorn

import neumo.images
import neumo.serve
from neumo.classifier.classifier import Classifier
from neumo.classifier.findings import NOTICE, SYNTHETIC
from neumo.images.checks import MEANING
from neumo.serve.app import create_app
from neumo.serve.limits import Limits
from tests.browser import chromium, painted
from tests.serve.conftest import drawn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright (the extra test)")
CHROMIUM = chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")
PATIENCE = 60_000  # ms


@contextmanager
def served(classifier: Classifier, limits: Limits | None = None, token: str | None = None) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(classifier, limits, token)
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
def address(classifier: Classifier) -> Iterator[str]:
    with served(classifier) as address:
        yield address


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


def drag(page: Page, paths: list[Path]) -> None:
    """Drop files and folders as from a desktop."""
    box = page.locator("#drop").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + 30, "y": box["y"] + 30}
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def names(page: Page) -> list[str]:
    return page.locator("tbody td:first-child").all_inner_texts()


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
    page.locator("#status", has_text="3 radiographs examined, 1 could not be read.").wait_for()
    page.select_option("#language", "es")
    assert page.inner_text("#status") == "3 radiografías examinadas, 1 no se pudo leer."


def test_a_folder_that_is_dropped(
    browser: Browser, address: str, files: list[Path], tmp_path: Path, dicom_folder: Path
) -> None:
    folder = tmp_path / "study"
    for name, file in (
        ("b/IM1", dicom_folder / "cr_pa_1024_jpeg_baseline_monochrome1.dcm"),
        ("b/c/2.png", files[2]),
        ("a.png", files[1]),
        (".hidden.png", files[1]),
        (".hidden/1.png", files[1]),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(file.read_bytes())
    (tmp_path / "empty").mkdir()
    page = opened(browser, address)
    drag(page, [tmp_path / "empty"])
    page.locator("#status", has_text="no files").wait_for()
    drag(page, [files[3], folder, files[1]])
    page.locator("#status", has_text="5 radiographs examined.").wait_for()
    assert names(page) == [
        "patient 2.png",
        *("study/a.png", "study/b/IM1", "study/b/c/2.png"),
        "patient 0.png",
    ]


def test_a_folder_of_very_many_files(browser: Browser, address: str, tmp_path: Path) -> None:
    """Browsers list a hundred at a time."""
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(210):
        (folder / f"{i:03d}").write_bytes(b"")
    page = opened(browser, address)
    drag(page, [folder])
    page.locator("#status", has_text="0 radiographs examined, 210 could not be read.").wait_for()
    assert names(page) == [f"many/{i:03d}" for i in range(210)]


def test_more_files_than_a_function_takes_arguments(browser: Browser, address: str) -> None:
    page = opened(browser, address)
    script = httpx.get(f"{address}app.js").text + "\nwindow.brought = brought;"
    page.route("**/app.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    page.reload()
    page.wait_for_function("'brought' in window")
    found = page.evaluate("""async () => {
      const entry = (i) => ({ name: `${i}`, fullPath: `/many/${i}`, isFile: true, file: (done) => done({}) });
      const lists = [Array.from({ length: 200000 }, (_, i) => entry(i)), []];
      const reader = { readEntries: (done) => done(lists.shift()) };
      const folder = { fullPath: "/many", isDirectory: true, createReader: () => reader };
      const item = { kind: "file", webkitGetAsEntry: () => folder, getAsFile: () => null };
      const found = await window.brought({ items: [item] });
      return [found.length, found[0].name, found.at(-1).name, found.some((one) => one.fault)];
    }""")
    assert found == [200_000, "many/0", "many/99999", False]


def test_a_file_that_is_gone_stops_no_other(
    browser: Browser, address: str, files: list[Path], tmp_path: Path
) -> None:
    chosen = [tmp_path / f"{i}.png" for i in range(11)]
    for file in chosen:
        file.write_bytes(files[1].read_bytes())
    page = opened(browser, address)

    def first(route: Route) -> None:
        chosen[8].unlink(missing_ok=True)
        chosen[9].write_bytes(b"changed")
        route.continue_()

    page.route("**/api/predict", first, times=1)
    drop(page, chosen)
    page.locator("#status", has_text="9 radiographs examined, 2 could not be read.").wait_for()
    remarks = page.locator("tbody td:nth-child(4)").all_inner_texts()
    assert [i for i, text in enumerate(remarks) if "the browser cannot read it" in text] == [8, 9]
    assert not any("server" in text for text in remarks)
    page.select_option("#language", "es")
    told = page.locator("tbody td:nth-child(4)").nth(8).inner_text()
    assert told.startswith("no se pudo leer: el navegador no puede leerlo")


def test_a_heat_map_of_a_file_that_is_gone(
    browser: Browser, address: str, files: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "1.png"
    file.write_bytes(files[1].read_bytes())
    page = opened(browser, address)

    def examined(route: Route) -> None:
        answer = route.fetch()
        file.unlink()
        route.fulfill(response=answer)

    page.route("**/api/predict", examined)
    drop(page, [file])
    page.locator(".wait", has_text="the browser cannot read it").wait_for()


def test_what_was_not_examined_is_counted(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address)
    page.route("**/api/predict", lambda route: route.fulfill(status=503, json={"error": "stopping"}))
    drop(page, files[1:3])
    page.locator("#status", has_text="0 radiographs examined, 2 not examined.").wait_for()


def test_any_file_can_be_chosen(browser: Browser, address: str) -> None:
    """What a PACS exports often has no suffix."""
    assert opened(browser, address).get_attribute("#files", "accept") is None


def test_the_table_keeps_the_order_that_was_chosen(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address)
    drop(page, files[1:2])
    page.click("[data-sort=name]")
    page.click("[data-sort=name]")
    drop(page, files)
    page.locator("#status", has_text="4 radiographs examined").wait_for()
    assert names(page) == sorted(names(page), reverse=True)
    assert page.locator("#cards h3").all_inner_texts() == names(page)
    page.click("[data-sort=decision]")
    values = page.locator("tbody td:nth-child(2)").all_inner_texts()
    highest = max(float(text.rstrip("%")) for text in values if text)
    page.locator("#threshold").fill(f"{int(2 * highest - 0.2) / 200:.3f}")  # a step of the slider below
    decisions = page.locator("tbody td:nth-child(3)").all_inner_texts()
    assert {"normal", "pneumonia"} < set(decisions)
    assert decisions == sorted(decisions)


def test_no_table_of_the_card_is_told_as_sortable(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address)
    drop(page, files[1:2])
    page.locator("#card").evaluate("card => (card.innerHTML = '<table><tr><th>Metric</th></tr></table>')")
    page.click("[data-sort=name]")
    assert page.get_attribute("#results th", "aria-sort") == "ascending"
    assert page.get_attribute("#card th", "aria-sort") is None


def test_the_table_is_put_in_order_once(browser: Browser, address: str, tmp_path: Path) -> None:
    """Not after each of the requests that bring its rows."""
    chosen = [tmp_path / f"{i:02d}.png" for i in range(20)]
    for file in chosen:
        file.write_bytes(b"no picture")
    page = opened(browser, address)
    drop(page, chosen[:1])
    for _ in range(2):
        page.click("[data-sort=name]")
    page.evaluate("""() => {
      window.placed = 0;
      const count = (changes) => { for (const one of changes) window.placed += one.addedNodes.length; };
      new MutationObserver(count).observe(document.querySelector("tbody"), { childList: true });
    }""")
    drop(page, chosen[1:])
    page.locator("#status", has_text="20 could not be read").wait_for()
    assert names(page) == [file.name for file in reversed(chosen)]
    assert page.evaluate("window.placed") == 19 + 20


def test_the_download_is_in_one_language(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address, locale="es-ES")
    drop(page, files)
    page.locator("#threshold").fill("0")
    with page.expect_download() as download:
        page.click("#download")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    assert {row["decision"] for row in rows} == {"", "neumonía"}
    assert all("no un producto sanitario" in row["notice"] for row in rows)


def test_the_download_opens_in_a_spreadsheet_as_it_is_shown(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    chosen = [tmp_path / name for name in ("b.png", "niño.png", "a.png")]
    for file in chosen:
        file.write_bytes(b"no picture")
    page = opened(browser, address)
    drop(page, chosen)
    page.click("[data-sort=name]")
    with page.expect_download() as download:
        page.click("#download")
    content = Path(download.value.path()).read_bytes()
    assert content.startswith(codecs.BOM_UTF8)
    told = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    assert [row["file"] for row in told] == names(page) == ["a.png", "b.png", "niño.png"]


def test_the_download_holds_no_formula(browser: Browser, address: str, tmp_path: Path) -> None:
    chosen = [tmp_path / name for name in ("=1+1.png", "\t=1+1.png", "plain-name.png")]
    for file in chosen:
        file.write_bytes(b"no picture")
    page = opened(browser, address)
    drop(page, chosen)
    with page.expect_download() as download:
        page.click("#download")
    told = csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig")))
    assert [row["file"] for row in told] == ["'=1+1.png", "'\t=1+1.png", "plain-name.png"]


def test_the_download_of_what_is_not_examined_yet(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address)
    drop(page, files[1:2])
    page.route("**/api/predict", lambda route: None)
    page.set_input_files("#files", files[2:3])
    page.locator("#status", has_text="1 to go").wait_for()
    with page.expect_download(timeout=10_000) as download:
        page.click("#download")
    told = csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig")))
    assert [(row["file"], row["decision"] != "", row["remarks"]) for row in told] == [
        (files[1].name, True, ""),
        (files[2].name, False, "not examined"),
    ]


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


def test_the_chosen_point_has_its_own_rates(browser: Browser, address: str) -> None:
    """Those of the nearest of the slider's points can be worse than what was asked of it."""
    page = browser.new_context(locale="en-GB").new_page()
    card = httpx.get(f"{address}api/card").json()
    card["threshold"] |= {"sensitivity": 0.912, "specificity": 0.789}
    page.route("**/api/card", lambda route: route.fulfill(json=card))
    page.goto(address)
    page.wait_for_selector("#point:not([hidden])")
    assert (page.inner_text("#sensitivity"), page.inner_text("#specificity")) == ("91.2%", "78.9%")
    page.locator("#threshold").fill("0.45")
    assert (page.inner_text("#sensitivity"), page.inner_text("#specificity")) == ("90.0%", "80.0%")
    page.click("#reset")
    assert page.inner_text("#sensitivity-text") == "of 100 with pneumonia, 91 are found"


@pytest.mark.parametrize(("reach", "said"), [(1, "En otras, espere menos"), (3, "estropeadas a propósito")])
def test_what_the_rates_of_the_point_are_of(browser: Browser, address: str, reach: int, said: str) -> None:
    page = browser.new_context(locale="es-ES").new_page()
    card = httpx.get(f"{address}api/card").json()
    card["threshold"]["rule"] = {"by": "balanced", "value": None, "changes": 6, "reach": reach}
    page.route("**/api/card", lambda route: route.fulfill(json=card))
    page.goto(address)
    page.wait_for_selector("#point:not([hidden])")
    assert said in page.inner_text("#point-text")
    page.select_option("#language", "en")
    assert ("spoilt on purpose" in page.inner_text("#point-text")) == (reach > 1)


def test_only_all_and_nothing_are_told_so(browser: Browser, address: str, files: list[Path]) -> None:
    page = browser.new_context(locale="es-ES").new_page()
    card, points = (httpx.get(f"{address}api/{what}").json() for what in ("card", "operating-points"))
    card["threshold"] |= {"sensitivity": 0.9996, "specificity": 0.0004}
    card["own"] = {"protocol": "official"}
    card["own"]["metrics"] = {"sensitivity": {"value": 1}, "specificity": {"value": 0.9999}}
    points["chosen"] = 0.9998
    answer = {"index": 0, "warnings": [], "distance": 0, "width": 9, "height": 9, "decision": "pneumonia"}
    told = {"predictions": [answer | {"probability": 0.9995}], "meaning": {}, "notice": card["notice"]}
    page.route("**/api/card", lambda route: route.fulfill(json=card))
    page.route("**/api/operating-points", lambda route: route.fulfill(json=points))
    page.route("**/api/predict", lambda route: route.fulfill(json=told))
    page.goto(address)
    page.wait_for_selector("#point:not([hidden])")
    shown = {
        name: page.inner_text(f"#{name}").replace("\u00a0", " ") for name in ("sensitivity", "specificity")
    }
    assert shown == {"sensitivity": "99,96 %", "specificity": "0,04 %"}
    assert page.inner_text("#sensitivity-text") == "de 100 con neumonía, se encuentran 99,96"
    assert page.inner_text("#threshold-value").replace("\u00a0", " ") == "99,98 %"
    tested = page.inner_text("#tested").replace("\u00a0", " ")
    assert "sensibilidad 100,0 %, especificidad 99,99 %" in tested
    page.set_input_files("#files", files[1:2])
    page.locator("tbody td:nth-child(2)", has_text="99,9").wait_for()
    assert page.inner_text("tbody td:nth-child(2)").replace("\u00a0", " ") == "> 99,9 %"


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
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
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


def test_the_card_is_told_in_the_language_of_the_page(browser: Browser, address: str) -> None:
    page = opened(browser, address, locale="es-ES")
    page.click("#about summary")
    assert "Punto de operación" in page.inner_text("#card")
    page.select_option("#language", "en")
    page.locator("#card h2", has_text="Operating point").wait_for()
    assert "Punto de operación" not in page.inner_text("#card")


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


def test_every_refusal_and_warning_is_in_spanish(browser: Browser, address: str) -> None:
    told = refusals()
    for part in (
        "at most 16 bits",
        "NaN",
        "in mode",
        "too many scans",
        "memory",
        "stopping",
        "took more than",
    ):
        assert any(part in text for text in told), part
    page = opened(browser, address)
    es = page.evaluate(
        """async (told) => {
            const { es } = (await import("./words.js")).WORDS;
            const english = told.filter((text) => !es.faults.some(([kind]) => kind.test(text)));
            return { english, warnings: Object.keys(es.warnings), notice: Object.keys(es.notice) };
        }""",
        told,
    )
    assert es["english"] == []
    assert set(MEANING) <= set(es["warnings"])
    assert {NOTICE, SYNTHETIC} <= set(es["notice"])


def refusals() -> list[str]:
    """Every line by which the readers and the server refuse, 7 in place of numbers and names."""
    images, serve = Path(neumo.images.__file__).parent, Path(neumo.serve.__file__).parent
    told = ["the server failed on this request", "unreachable", "lost"]
    for file in [
        *(images / f"{name}.py" for name in ("read", "dicom", "grey", "tiff_layout")),
        *serve.glob("*.py"),
    ]:
        for call in ast.walk(ast.parse(file.read_text())):
            if not isinstance(call, ast.Call):
                continue
            name = ast.unparse(call.func)
            if name in ("UnreadableImageError", "refuse"):
                first = 1 if name == "UnreadableImageError" else 0
                expected = literal(call.args[first + 1]) if len(call.args) > first + 1 else [""]
                for got in literal(call.args[first]):
                    told += [f"got {got}, expected {other}" for other in expected if got + other != "77"]
            elif name in ("Refused", "cls") and len(call.args) > 2:
                told += [text for text in literal(call.args[1]) if text != "7"]
    return told


def literal(node: ast.expr) -> list[str]:
    if isinstance(node, ast.IfExp):
        return literal(node.body) + literal(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)]
    return [str(node.value) if isinstance(node, ast.Constant) else "7"]


def test_a_drop_keeps_to_the_limits_of_the_server(
    browser: Browser, classifier: Classifier, tmp_path: Path
) -> None:
    files = [tmp_path / f"{i}.png" for i in range(9)]
    for i, file in enumerate(files):
        file.write_bytes(drawn(i) if i != 4 else bytes(200_000))
    most = 3 * max(file.stat().st_size for file in files if file.name != "4.png")
    limits = Limits(files=4, request_bytes=most, file_bytes=150_000)
    with served(classifier, limits) as address:
        page = opened(browser, address)
        drop(page, files)
        remarks = page.locator("tbody td:nth-child(4)").all_inner_texts()
    assert [i for i, text in enumerate(remarks) if "bytes" in text] == [4]
    with served(classifier, Limits(files=2)) as address:
        page = opened(browser, address)
        drop(page, files[:4])
        assert page.locator("tbody td:nth-child(2)", has_text="%").count() == 4


def test_a_busy_server_is_not_asked_without_end(browser: Browser, address: str, files: list[Path]) -> None:
    page, asked = opened(browser, address), []

    def busy(route: Route) -> None:
        asked.append(1)
        body = '{"error": "the server is busy; try again in a moment"}'
        route.fulfill(status=429, body=body, headers={"retry-after": "0.001"})

    page.route("**/api/predict", busy)
    page.set_input_files("#files", files[1:2])
    page.locator("tbody td:nth-child(4)", has_text="server is busy").wait_for()
    assert len(asked) == 60
    page.select_option("#language", "es")
    assert page.inner_text("tbody td:nth-child(4)").startswith("sin examinar: el servidor está ocupado")


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (503, "this took more than 60 s", "No se pudo dibujar el mapa de calor: el servidor tardó demasiado"),
        (
            422,
            "got ReduceMax; Grad-CAM cannot explain this network",
            "Este clasificador no tiene mapa de calor.",
        ),
    ],
)
def test_a_heat_map_that_is_not_drawn(
    browser: Browser, address: str, files: list[Path], status: int, error: str, told: str
) -> None:
    page = opened(browser, address)
    page.route("**/api/explain", lambda route: route.fulfill(status=status, json={"error": error}))
    drop(page, files[1:2])
    page.locator(".wait", has_text="heat map" if status == 503 else "No heat map").wait_for()
    page.select_option("#language", "es")
    assert page.inner_text(".wait") == told


def test_a_slider_that_was_moved_stays(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address)
    held: list[Route] = []
    page.route("**/api/explain", lambda route: held.append(route))
    drop(page, files[1:2])
    page.locator("#cards article").scroll_into_view_if_needed()
    page.locator(".opacity input").fill("20")
    until = time.monotonic() + 20
    while not held and time.monotonic() < until:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.locator("article .heat[src]").wait_for()
    assert page.locator("article .heat").evaluate("image => image.style.opacity") == "0.2"


def test_the_token(browser: Browser, classifier: Classifier, files: list[Path]) -> None:
    token = "correct-horse-battery-staple"
    with served(classifier, token=token) as address:
        page = browser.new_context(locale="en-GB").new_page()
        page.goto(address)
        page.locator("#ask").wait_for()
        assert page.locator("#denied").is_hidden()
        drop(page, files[1:2])
        assert page.inner_text("tbody td:nth-child(4)") == "not examined: the server asks for its token"
        page.click("#clear")
        for _ in range(2):
            page.fill("#token", "wrong")
            page.keyboard.press("Enter")
            page.get_by_role("alert").filter(has_text="does not know this token").wait_for()
        page.select_option("#language", "es")
        assert page.inner_text("[role=alert]") == "El servidor no conoce esta clave."
        page.fill("#token", token)
        page.click("#ask button")
        page.wait_for_selector("#point:not([hidden])")
        assert page.locator("#ask").is_hidden()
        drop(page, files[1:2])
        assert "%" in page.inner_text("tbody td:nth-child(2)")
        page = opened(browser, f"{address}#token={token}")
        assert page.locator("#ask").is_hidden()
        assert token not in page.url
        page = browser.new_context(locale="en-GB").new_page()
        page.goto(f"{address}#token=wrong")
        page.locator("#denied").wait_for()
        page.fill("#token", "25 €")
        page.keyboard.press("Enter")
        page.get_by_role("alert").filter(has_text="does not know this token").wait_for()
        assert page.inner_text("#status") == ""
        page = browser.new_context(locale="en-GB").new_page()
        page.goto(f"{address}#token=50%")
        page.locator("#denied").wait_for(timeout=10_000)


def test_nothing_is_decided_before_the_operating_point_is_known(
    browser: Browser, address: str, files: list[Path]
) -> None:
    page = browser.new_context(locale="en-GB").new_page()
    page.route("**/api/card", lambda route: route.abort())
    page.goto(address)
    page.locator("#status", has_text="the server cannot be reached").wait_for()
    drop(page, files[1:2])
    assert page.inner_text("tbody td:nth-child(3)") == ""
    assert page.inner_text("tbody td:nth-child(4)") == "not examined: the server cannot be reached"
    page.unroute("**/api/card")
    drop(page, files[1:3])
    page.locator("#status", has_text="2 radiographs examined, 1 not examined.").wait_for()
    assert page.inner_text("#threshold-value") == "50.0%"
    assert "operating point of 50.0%" in page.locator(".decision:visible").first.inner_text()


def test_what_is_cleared_is_asked_for_no_more(browser: Browser, address: str, tmp_path: Path) -> None:
    chosen = [tmp_path / f"{i:02d}.png" for i in range(20)]
    for file in chosen:
        file.write_bytes(b"no picture")
    page = opened(browser, address)
    held: list[Route] = []
    page.route("**/api/predict", lambda route: held.append(route))
    page.set_input_files("#files", chosen)
    page.locator("#status", has_text="20 to go").wait_for()
    page.click("#clear")
    page.set_input_files("#files", chosen[:1])
    page.locator("#status", has_text="1 to go").wait_for()
    while len(held) < 2:
        page.wait_for_timeout(20)
    for route in held:
        with suppress(playwright.Error):  # the page has let go of the first
            route.continue_()
    page.locator("#status", has_text="0 radiographs examined, 1 could not be read.").wait_for()
    page.wait_for_timeout(200)
    assert len(held) == 2
    page.click("#clear")
    assert page.inner_text("#status") == ""


def test_answers_of_two_classifiers_are_not_mixed(browser: Browser, address: str, files: list[Path]) -> None:
    page, now = opened(browser, address), {"classifier": "other", "positive": "tuberculosis"}

    def of_another(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(json=answer.json() | now)

    drop(page, files[1:2])
    for path in ("predict", "explain", "card", "operating-points"):
        page.route(f"**/api/{path}", of_another)
    page.set_input_files("#files", files[2:3])
    said = "The server has another classifier now"
    page.locator("#status", has_text=f"1 radiograph examined, 1 not examined. {said}").wait_for()
    told = page.locator("tbody tr").nth(1).locator("td").all_inner_texts()
    assert told == [files[2].name, "", "", "not examined: the server has another classifier now"]
    page.select_option("#language", "es")
    assert "El servidor tiene ahora otro clasificador" in page.inner_text("#status")
    page.click("#clear")
    page.set_input_files("#files", files[2:3])
    page.locator("tbody td:nth-child(2)", has_text="%").wait_for()
    assert "otro clasificador" not in page.inner_text("#status")
    now["classifier"] = "third"  # while the table is empty
    page.click("#clear")
    page.set_input_files("#files", files[1:2])
    page.locator("tbody td:nth-child(2)", has_text="%").wait_for()


def test_the_theme(browser: Browser, address: str) -> None:
    page = opened(browser, address, color_scheme="light")
    colour = "getComputedStyle(document.body).backgroundColor"
    seen = []
    for theme in ("", "dark", "light"):
        page.select_option("#theme", theme)
        seen.append(page.evaluate(colour))
    assert seen[0] == seen[2] != seen[1]


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_files_that_are_dropped_or_pasted(
    browser: Browser, address: str, dicom_folder: Path, way: str
) -> None:
    page = opened(browser, address)
    given = [
        [name, list(data)]
        for name, data in (
            ("a.png", drawn(1)),
            ("b.dcm", (dicom_folder / "cr_pa_1024_jpeg_baseline_monochrome1.dcm").read_bytes()),
        )
    ]
    page.evaluate(
        """([way, given]) => {
            const carried = new DataTransfer();
            for (const [name, data] of given) carried.items.add(new File([new Uint8Array(data)], name));
            const target = document.querySelector("#drop");
            const options = { bubbles: true, cancelable: true };
            const event = way === "drop" ? new DragEvent("drop", { ...options, dataTransfer: carried })
                : new ClipboardEvent("paste", { ...options, clipboardData: carried });
            if (target.dispatchEvent(event) && way === "drop") throw new Error("the browser would open it");
        }""",
        [way, given],
    )
    page.locator("tbody td:first-child:not(:empty)").nth(1).wait_for()
    assert page.locator("tbody td:nth-child(2)", has_text="%").count() == 2
    page.locator("#cards article").nth(1).scroll_into_view_if_needed()
    page.locator("#cards article").nth(1).locator(".grey[src]").wait_for()


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


def tab_to(page: Page, which: str) -> None:
    """Go on with the tabulator key until an element has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("which => document.activeElement.matches(which)", which):
            return
    raise AssertionError(f"{which} is not reached")


def test_by_keyboard_alone(browser: Browser, address: str, files: list[Path]) -> None:
    page = opened(browser, address)
    # Playwright does not wait until it catches file choosers: a key pressed at once can be ahead of it.
    page.on("filechooser", lambda chooser: chooser.set_files(files[1:4]))
    page.bring_to_front()
    tab_to(page, "#files")
    page.keyboard.press("Enter")
    page.locator("tbody tr td:first-child:not(:empty)").nth(2).wait_for()
    tab_to(page, "#threshold")
    page.keyboard.press("End")
    assert page.inner_text("#threshold-value") == "100.0%"
    tab_to(page, "#reset")
    page.keyboard.press("Enter")
    assert page.inner_text("#threshold-value") == "50.0%"
    tab_to(page, "#download")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert len(download.value.path().read_text().splitlines()) >= 4
    tab_to(page, "[data-sort=probability]")
    shown = []
    for _ in range(2):
        page.keyboard.press("Space")
        shown.append(
            [float(text.rstrip("%")) for text in page.locator("tbody td:nth-child(2)").all_inner_texts()]
        )
    assert shown[0] in (sorted(shown[0]), sorted(shown[0], reverse=True))
    assert shown[0] == shown[1][::-1]
    page.locator("article .heat[src]").first.wait_for()
    tab_to(page, "article .opacity input")
    page.keyboard.press("Home")
    assert page.locator("article .heat").first.evaluate("image => image.style.opacity") == "0"
    tab_to(page, "#about summary")
    page.keyboard.press("Enter")
    page.locator("#card .model-card").wait_for()
    tab_to(page, "#language")
    page.keyboard.press("e")
    page.keyboard.press("s")
    page.wait_for_function("document.documentElement.lang === 'es'")
    tab_to(page, "#clear")
    page.keyboard.press("Enter")
    assert page.locator("#results").is_hidden()


def test_nothing_is_wider_than_a_narrow_phone(browser: Browser, address: str, files: list[Path]) -> None:
    long = files[1].with_name("1.2.826.0.1.3680043." + "8" * 120 + ".png")
    long.write_bytes(files[1].read_bytes())
    files = [*files, long]
    for language in ("en-GB", "es-ES"):
        page = opened(browser, address, viewport={"width": 320, "height": 640}, locale=language)
        drop(page, files)
        page.click("#about summary")
        page.locator("#card .model-card").wait_for()
        assert page.locator("#cards article").count() == len(files)
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        beyond = """[...document.querySelectorAll("body *")].filter(one => one.checkVisibility()
            && !one.closest(".wide, .scroll, pre, .skip") && one.getBoundingClientRect().right > 320.5)
            .map(one => one.outerHTML.slice(0, 80))"""
        assert page.evaluate(beyond) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en-GB", "es-ES"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_serious_fault_of_accessibility(
    browser: Browser, address: str, files: list[Path], scheme: str, language: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe (the extra test)")
    size = {"width": width, "height": 800}
    page = opened(browser, address, color_scheme=scheme, locale=language, viewport=size, bypass_csp=True)
    drop(page, files)
    page.click("#about summary")
    found = axe.Axe().run(page).response["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ] == []


def test_a_heat_map_that_is_not_drawn_yet_is_not_printed(
    browser: Browser, address: str, files: list[Path]
) -> None:
    page = opened(browser, address)
    drop(page, files[1:2])
    page.locator("#cards article .heat[src]").wait_for()
    page.route("**/api/explain", lambda route: None)  # never answered
    drop(page, files[1:3])
    last = page.locator("#cards article").last
    last.locator(".wait").wait_for()
    page.emulate_media(media="print")
    assert page.locator("#cards article .figure").first.is_visible()
    assert last.locator(".decision").is_visible()
    assert not last.locator(".figure").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_bar_and_its_mark_are_printed(
    browser: Browser, address: str, files: list[Path], theme: str
) -> None:
    """Browsers print no backgrounds unless they are told to, and a dark page on white paper."""
    page = opened(browser, address)
    page.select_option("#theme", theme)
    drop(page, files[1:2])
    page.locator("#threshold").fill("1")
    negative, ink = (0x00, 0x72, 0xB2), (0x1B, 0x1F, 0x24)
    assert {negative, ink} <= painted(page.pdf(print_background=False))
