"""Bars are drawn for people, and leave their terminal and standard output as they were."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from neumo.progress import track

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor; see "DECTCEM" in the manual of the VT510


@contextmanager
def _terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Standard error as a terminal; what was drawn on it is in the list once the block has ended."""
    ours, theirs = os.openpty()
    drawn: list[str] = []

    def read() -> None:
        data = b""
        while True:
            try:
                data += os.read(ours, 1 << 16)
            except OSError:  # nobody has it open any longer
                break
        drawn.append(data.decode())

    reader = threading.Thread(target=read)
    reader.start()
    with open(theirs, "w", encoding="utf-8") as stream, monkeypatch.context() as patched:  # noqa: PTH123
        patched.setattr("sys.stderr", stream)
        patched.setenv("TERM", "xterm")
        yield drawn
    reader.join(10)
    os.close(ours)


def test_bars_nest_and_the_terminal_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with _terminal(monkeypatch) as drawn:
        pairs = [(a, b) for a in track([1, 2, 3], "Outer") for b in track(iter("xy"), "Inner", total=2)]
        for item in track("z", "Later"):
            print(item)
    assert pairs == [(a, b) for a in (1, 2, 3) for b in "xy"]
    assert capsys.readouterr().out == "z\n"
    first, later = drawn[0].split(SHOW)[:2]
    assert first.count(HIDE) == later.count(HIDE) == 1
    assert first.count("Inner") >= 3
    last = first.rpartition("Outer")[2]
    assert "3/3" in last
    assert "Inner" not in last
    assert "1/1" in later
    assert "Outer" not in later
    assert drawn[0].endswith(f"{SHOW}\r\x1b[1A\x1b[2K")


def test_nothing_is_drawn_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(3), "Outer")) == [0, 1, 2]
    assert capfd.readouterr() == ("", "")
