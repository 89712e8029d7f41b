"""The command line as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import neumo
from neumo.cli import TAKES_SEEDS, _one_option_each, app
from neumo.cli import verb as register

VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "neumo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("study D --seed 0 1 2 --out O", "study D --seed 0 --seed 1 --seed 2 --out O"),
        ("train D --seed 0 1", "train D --seed 0 --seed 1"),
        ("study --seed=3 2020", "study --seed=3 2020"),
        ("phantom --seed 3 2020", "phantom --seed 3 2020"),
        ("study --seed 3 D", "study --seed 3 D"),
        ("study --seed 0 --seed 1 2", "study --seed 0 --seed 1 --seed 2"),
        ("study --epochs 3", "study --epochs 3"),
    ],
)
def test_several_seeds_after_one_option(given: str, meant: str) -> None:
    assert _one_option_each(given.split()) == meant.split()


def test_help_names_every_verb_and_what_neumo_is_not() -> None:
    printed = run("--help").stdout
    for verb in VERBS:
        assert f" {verb} " in printed
    assert "not a medical device" in printed


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = run(verb, "--help")
    assert done.returncode == 0
    assert f"neumo {verb}" in done.stdout


def test_no_flag_has_a_negative_form() -> None:
    for verb in VERBS.values():
        assert [name for one in verb.params for name in one.secondary_opts] == []


def test_verbs_that_take_several_seeds() -> None:
    several = {name for name, one in VERBS.items() for p in one.params if p.name == "seed" and p.multiple}
    assert several == set(TAKES_SEEDS)


def test_help_of_train_tells_every_recipe() -> None:
    from neumo.training.recipes import RECIPES

    printed = run("train", "--help").stdout
    for one in RECIPES:
        assert f" {one.name}: " in printed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("learn", "No such command 'learn'; neumo --help says what is expected"),
        ("predict", "Missing argument 'RADIOGRAPH'; neumo predict --help says what is expected"),
        ("study --nothing", "No such option: --nothing"),
        ("train x --seed one", "Invalid value for '--seed': "),
        ("split x --out y --seed 0 1 2", "Got unexpected extra argument(s) (1 2)"),
        ("card .", ".: got a folder, expected a classifier that neumo saved"),
    ],
)
def test_a_wrong_command_is_told_in_one_line(arguments: str, told: str) -> None:
    done = run(*arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"neumo: {told}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("predict", ""), ("split", "", "--out", "x"), ("audit", "x", "--positive", "")]
)
def test_an_empty_argument_is_not_this_folder(arguments: tuple[str, ...], drawn: Path) -> None:
    command = [sys.executable, "-m", "neumo", *arguments]
    done = subprocess.run(command, cwd=drawn, capture_output=True, text=True, check=False)
    told = "neumo: got an empty argument, expected none; is a variable of the shell not set?\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
    assert not (drawn / "x").exists()


def test_a_path_that_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("phantom", str(tmp_path / "file" / "folder"), "--patients", "8", "--size", "64")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "file" in done.stderr


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    command = [sys.executable, "-m", "neumo", "predict", str(tmp_path / "pipe.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "pipe.jpg: got a pipe or device, expected a radiograph" in done.stderr


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of synthetic radiographs."""
    return neumo.make_phantoms(tmp_path_factory.mktemp("drawn") / "set", patients=8, size=64)


WRITE = ("--help", "card --json", "audit DATA", "predict DATA")
"""Commands that write to standard output: little and much, themselves and through Rich."""


def written_to(place: str, command: str, data: Path, buffered: bool) -> tuple[int, str]:
    """Exit code and standard error of a command whose standard output goes to a place of the shell's."""
    line = f"{sys.executable} -m neumo {command.replace('DATA', str(data))} {place}; exit ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stderr


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("command", WRITE)
def test_a_reader_that_has_seen_enough_is_no_error(command: str, buffered: bool, drawn: Path) -> None:
    assert written_to("| true", command, drawn, buffered) == (0, "")


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("command", WRITE)
def test_standard_output_on_a_full_disk(command: str, buffered: bool, drawn: Path) -> None:
    code, told = written_to("> /dev/full", command, drawn, buffered)
    assert (code, told.count("\n")) == (2, 1), told
    assert told.startswith("neumo: standard output: got a full disk, expected room to write")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_stops_nothing(closed: str, drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    radiograph = next(drawn.rglob("*.jpeg"))
    assert written_to(f"--out {out} {closed}", f"predict {radiograph} nowhere.png", drawn, True)[0] == 1
    assert len(out.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "options", "goes_on"),
    [
        *((name, {}, True) for name in ("audit", "split", "study", "train")),
        *((name, {"out": Path("out")}, True) for name in ("evaluate", "predict")),
        *((name, {"out": None}, False) for name in ("evaluate", "predict")),
        *(
            (name, {"out": Path("out")}, False)
            for name in ("card", "compare", "explain", "export", "phantom")
        ),
        *((name, {}, False) for name in ("cache", "report", "serve")),
    ],
)
def test_a_stop_promises_only_what_is_kept(
    name: str,
    options: dict[str, Path | None],
    goes_on: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(**_: object) -> None:
        raise KeyboardInterrupt

    known = [command.callback.__name__ for command in app.registered_commands if command.callback]
    assert name in known
    stopped.__name__ = name
    monkeypatch.setattr(app, "registered_commands", [])
    register(stopped)
    callback = app.registered_commands[0].callback
    assert callback is not None
    with pytest.raises(SystemExit) as end:
        callback(**options)
    assert end.value.code == 130
    kept = "; what was computed is kept, and the same command goes on from there"
    assert capsys.readouterr().err == f"neumo: stopped{kept if goes_on else ''}\n"


def test_version() -> None:
    assert run("--version").stdout.strip() == neumo.__version__


def test_an_unknown_option_is_told_with_exit_code_2() -> None:
    done = run("study", "--sead", "1")
    assert done.returncode == 2
    assert "--sead" in done.stderr
    assert "Traceback" not in done.stderr
