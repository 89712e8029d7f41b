from __future__ import annotations

import pytest

from neumo.cli.telling import tell


def test_a_file_name_of_two_lines_is_told_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    tell("a\nb.png: got nothing, expected an image")
    assert capsys.readouterr().err == "neumo: a b.png: got nothing, expected an image\n"
