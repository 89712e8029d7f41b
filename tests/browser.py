"""The browser that pages are tested in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive"}
PATIENCE = 600  # seconds, for Debian's mirror


def chromium() -> str | None:
    """Where Chromium is, None where it is not installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def opened(file: Path, **options: Any) -> Iterator[Page]:
    """A page of this machine in Chromium, in a tab with such options; skips where there is no browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright (the extra test)")
    if (installed := chromium()) is None:
        pytest.skip("needs Chromium on the PATH")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        page = browser.new_page(**options)
        page.goto(file.as_uri())
        yield page
        browser.close()


def painted(printed: bytes) -> set[tuple[int, ...]]:
    """The colours, of 0 to 255, that a printed page (PDF) fills areas or draws letters with."""
    streams = re.findall(rb"/FlateDecode[^>]*>>\s*stream\r?\n(.*?)endstream", printed, re.DOTALL)
    fills = re.findall(
        rb"([\d.]+) ([\d.]+) ([\d.]+) rg\b", b"".join(zlib.decompressobj().decompress(one) for one in streams)
    )
    return {tuple(round(255 * float(part)) for part in fill) for fill in fills}


def install_on_ci() -> None:
    """Have Debian's Chromium where CI runs as root and lacks it; nobody else's machine is changed.

    No package of Python brings a browser, and what Playwright would download is no package at all. Where this
    fails, tests that need the browser are skipped, and say so.
    """
    if chromium() or not os.environ.get("CI") or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    for step in (["update"], ["install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"]):
        command = ["apt-get", "-qq", *step]
        try:
            subprocess.run(
                command,
                env={**os.environ, **ENVIRONMENT},
                stdout=subprocess.DEVNULL,
                timeout=PATIENCE,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            print(f"no browser for the tests: {error}")
            return
