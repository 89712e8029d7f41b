from __future__ import annotations

import copy
import json
from pathlib import Path

import neumo
from neumo import __version__
from neumo.classifier.classifier import Classifier
from tests.cli.here import neumo_here


def test_the_page_says_which_neumo_drew_it(phantom_classifier: Classifier, tmp_path: Path) -> None:
    """Not which one made the classifier, of which a card need not tell."""
    model, changed = tmp_path / "a.neumo", copy.copy(phantom_classifier)
    untold = {name: said for name, said in changed.card.items() if name != "made_by"}
    for card in ({**untold, "made_by": {"neumo": "0.0.1"}}, untold):
        changed.card = card
        changed.save(model)
        done = neumo_here("card", model, "--out", tmp_path / "card.html")
        assert (done.returncode, done.stderr) == (0, "")
        page = (tmp_path / "card.html").read_text(encoding="utf-8")
        assert f"Made by neumo {__version__} from" in page
        assert f'content="neumo {__version__}"' in page


def test_in_every_form(tmp_path: Path) -> None:
    card = neumo.load().card
    printed = neumo_here("card").stdout
    assert printed.startswith("# ")
    assert "not a medical device" in printed
    assert f"{card['test']['official']['auc']:.3f}" in printed
    assert json.loads(neumo_here("card", "--json").stdout) == card
    for name in ("card.md", "card.MD", "card.html", "card.HTM"):
        assert neumo_here("card", "--out", tmp_path / name).stdout == f"Card: {tmp_path / name}\n"
        written = (tmp_path / name).read_text(encoding="utf-8")
        assert "not a medical device" in written
        (tmp_path / name).unlink()
        assert json.loads(neumo_here("card", "--json", "--out", tmp_path / name).stdout) == card
        assert (tmp_path / name).read_text(encoding="utf-8") == written
        assert written == printed if "md" in name.lower() else written.startswith("<!doctype html>")
    told = "card.pdf: got a file called so, expected one that ends in .md or .html\n"
    assert neumo_here("card", "nowhere.neumo", "--out", tmp_path / "card.pdf").stderr.endswith(told)
