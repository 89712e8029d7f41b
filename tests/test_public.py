"""What ``import neumo`` gives, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys

import neumo

HEAVY = {"torch", "keras", "openvino", "pandas", "numpy", "scipy", "sklearn", "matplotlib", "pydicom", "PIL"}


def imported_by(code: str) -> set[str]:
    """Top-level modules that are loaded after `code`, in a fresh Python."""
    report = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}; {report}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_import_loads_nothing_heavy() -> None:
    assert not imported_by("import neumo") & HEAVY


def test_the_command_line_loads_nothing_heavy_for_its_help() -> None:
    assert not imported_by("import neumo.cli") & HEAVY


def test_reading_loads_no_training_library() -> None:
    assert not imported_by("import neumo; neumo.read; neumo.split; neumo.audit") & {
        "torch",
        "keras",
        "openvino",
    }


def test_every_public_name_is_there_and_documented() -> None:
    for name in neumo.__all__:
        assert getattr(neumo, name).__doc__, name
        assert name in dir(neumo)


def test_public_names_stay_what_they_are_when_rooms_are_imported() -> None:
    import neumo.evaluation.metrics
    import neumo.study.train

    assert callable(neumo.train)
    assert callable(neumo.evaluate)
    assert callable(neumo.split)
    assert callable(neumo.audit)
