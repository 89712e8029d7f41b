"""Photograph neumo for the documentation: ``python docs/screenshots.py CLASSIFIER``.

It serves the classifier on this machine and shows it synthetic radiographs that neumo draws; then it runs two
studies of others, which takes minutes. No patient is on a picture.
"""

from __future__ import annotations

import argparse
import html
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from neumo.phantom.radiograph import draw_radiograph

PICTURES = Path(__file__).parent / "screenshots"
PATIENCE = 30_000  # ms
LARGEST = 200_000  # bytes of a picture
CAUSES = {"A": "virus", "B": "", "C": "bacteria"}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1100, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
TERMINAL = """<body style="margin: 0; background: #14171a; color: #e6e8ea">
<pre style="font: 15px/1.45 'DejaVu Sans Mono', monospace; margin: 0; padding: 24px">"""


def draw(folder: Path) -> list[Path]:
    """Write one synthetic radiograph per cause."""
    folder.mkdir(exist_ok=True)
    for patient, (name, cause) in enumerate(CAUSES.items()):
        pixels, _ = draw_radiograph(cause, patient=patient, size=512, difficulty=0.2, seed=12)
        Image.fromarray(pixels).save(folder / f"synthetic {name}.png")
    return sorted(folder.glob("*.png"))


def neumo(*words: str | Path, folder: Path) -> None:
    """Run a command of neumo in a folder."""
    command = [sys.executable, "-m", "neumo", *map(str, words)]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def keep_reports(browser: Browser, folder: Path) -> None:
    """Photograph the report of a study of synthetic radiographs, and a shorter one compared with it."""
    neumo("study", "--out", "full", folder=folder)
    neumo("study", "--out", "short", "--epochs", "4", folder=folder)
    neumo("compare", "full", "short", "--out", "compared", folder=folder)
    page = browser.new_context(viewport={"width": 1100, "height": 800}).new_page()
    page.goto((folder / "full/report.html").as_uri())
    keep(page, "report", height=1120)
    page.goto((folder / "compared/comparison.html").as_uri())
    box = page.locator("#pairs").bounding_box()
    assert box is not None
    keep(page, "compare", box["y"] + 40, 620)


def keep_terminal(browser: Browser, address: str, classifier: Path, folder: Path) -> None:
    """Photograph what a command and the server say of the radiographs in a folder, one of them cut off."""
    shutil.copy(classifier, folder / "classifier.neumo")
    shown = draw(folder / "radiographs")
    (folder / "radiographs/cut off.png").write_bytes(shown[0].read_bytes()[:5000])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    said = ""
    for command in (
        "neumo predict classifier.neumo radiographs",
        f"curl -s -F 'files=@radiographs/{shown[0].name}' {address}api/predict | python -m json.tool",
    ):
        environment = {**os.environ, "PATH": path, "COLUMNS": "100"}
        told = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, text=True
        )
        said += f"$ {command}\n{told.stdout.rstrip()}\n{told.stderr}\n"
    page = browser.new_context(viewport={"width": 1040, "height": 400}).new_page()
    page.set_content(TERMINAL + html.escape(said.rstrip()))
    keep(page, "terminal", height=page.evaluate("document.querySelector('pre').offsetHeight"))


def visit(browser: Browser, address: str, files: list[Path], **context: Any) -> Page:
    """Open the page and wait until it has examined and explained every file."""
    page = browser.new_context(**{"locale": "en-GB", **context}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.locator("#point:not([hidden])").wait_for()
    page.set_input_files("#files", files)
    page.locator("tbody tr td:first-child:not(:empty)").nth(len(files) - 1).wait_for()
    for card in page.locator("#cards article").all():
        card.scroll_into_view_if_needed()  # a heat map is drawn when it comes into view
        card.locator(".heat[src]").wait_for()
    return page


def keep(page: Page, name: str, top: float = 0, height: float = 800) -> None:
    """Save a strip of the page, in fewer colours where that is large; `top` and `height` in pixels."""
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    strip: Any = {"x": 0, "y": top, "width": page.evaluate("innerWidth"), "height": height}
    shot = page.screenshot(animations="disabled", full_page=True, clip=strip)
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    file = PICTURES / f"{name}.png"
    picture.save(file, optimize=True)
    if file.stat().st_size > LARGEST:
        picture.quantize(256, kmeans=1).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size:,} bytes")


def main() -> None:
    """Serve the classifier and take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("classifier", type=Path, help="a classifier that neumo saved (NAME.neumo)")
    command = [sys.executable, "-c", "from neumo.cli import main; main()", "serve"]
    classifier = parser.parse_args().classifier
    command += [str(classifier), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout is not None
    try:
        found = next(filter(None, (re.search(r"http://[\d.]+:\d+/", line) for line in server.stdout)))
        PICTURES.mkdir(exist_ok=True)
        with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            files = draw(Path(folder))
            keep(page := visit(browser, found[0], files, **DESKTOP), "page", height=1000)
            box = page.locator("#cards article").last.bounding_box()
            assert box is not None
            keep(page, "radiograph", box["y"], box["height"])
            keep(visit(browser, found[0], files[:1], color_scheme="dark", **DESKTOP), "dark", height=1000)
            keep(visit(browser, found[0], files[:1], locale="es-ES", **PHONE), "phone-spanish", height=844)
            keep_terminal(browser, found[0], classifier, Path(folder))
            keep_reports(browser, Path(folder))
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
