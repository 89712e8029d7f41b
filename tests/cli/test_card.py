from __future__ import annotations

import copy
from pathlib import Path

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
