from __future__ import annotations

import pytest

from neumo.cli.telling import tell


def test_a_file_name_of_two_lines_is_told_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    tell("a\nb.png: got nothing, expected an image")
    assert capsys.readouterr().err == "neumo: a b.png: got nothing, expected an image\n"


@pytest.mark.parametrize(
    ("name", "told"),
    [("\x1b[2J.png", r"\x1b[2J.png"), ("\x9b2J\a.png", r"\x9b2J\x07.png"), ("ñ 胸\u200d", "ñ 胸\u200d")],
)
def test_a_file_name_gives_the_terminal_no_orders(
    name: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(f"{name}: got nothing")
    assert capsys.readouterr().err == f"neumo: {told}: got nothing\n"
