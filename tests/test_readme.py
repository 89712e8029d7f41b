"""README.md is true: its first block has the two commands, its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import neumo

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def test_the_first_block_installs_and_tests_in_two_lines() -> None:
    assert blocks("[a-z]*")[0].splitlines() == [
        "pip install . && neumo study",
        "pip install -e '.[test]' && pytest -n 2",
    ]


def test_the_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    phantoms = neumo.make_phantoms(tmp_path / "CoronaHack", patients=30, size=64)
    next(phantoms.rglob("*.jpeg")).rename(tmp_path / "xray.jpg")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    assert 'backbone="ResNet50"' in code
    small = 'backbone="MobileNetV2-0.35", weights="none", epochs=2'
    exec(code.replace('backbone="ResNet50"', small), {})
    assert re.search(
        r"Prediction\(path='xray.jpg', probability=0\.\d+, .*decision='\w+'", capsys.readouterr().out
    )


def test_every_verb_that_it_names_is_one() -> None:
    from neumo.cli import app

    verbs = {command.callback.__name__ for command in app.registered_commands if command.callback}
    named = set(re.findall(r"^neumo ([a-z]+)", "".join(blocks("bash")), re.MULTILINE))
    named |= set(re.findall(r"`neumo ([a-z]+)", README.read_text()))
    assert {"audit", "study", "cache"} <= named <= verbs
