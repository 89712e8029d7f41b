"""The command line: one file per verb."""

from __future__ import annotations

import errno
import functools
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, NoReturn
from zipfile import BadZipFile, ZipFile, is_zipfile

import typer
from typer.exceptions import TyperException

from neumo import __version__
from neumo.cli.audit import audit
from neumo.cli.cache import cache
from neumo.cli.card import card
from neumo.cli.compare import compare
from neumo.cli.evaluate import evaluate
from neumo.cli.explain import explain
from neumo.cli.export import export
from neumo.cli.phantom import phantom
from neumo.cli.predict import predict
from neumo.cli.report import report
from neumo.cli.serve import serve
from neumo.cli.split import split
from neumo.cli.study import study
from neumo.cli.telling import tell
from neumo.cli.train import train
from neumo.errors import NeumoError
from neumo.files import SHIPPED

app = typer.Typer(
    name="neumo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def neumo(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    """From a folder of chest X-rays to a pneumonia classifier that can be trusted.

    A research tool, not a medical device.
    """
    if version:
        print(__version__)
        raise typer.Exit


def verb(function: Callable[..., None]) -> None:
    """Register a verb; bad input ends it with one line on standard error and exit code 2."""

    @functools.wraps(function)
    def told(*args: object, **kwargs: object) -> None:
        try:
            function(*args, **kwargs)
        except NeumoError as error:
            _end(str(error), 2)
        except KeyboardInterrupt:
            name = function.__name__
            kept = name in _GOES_ON or (name in _GOES_ON_WITH_OUT and kwargs.get("out") is not None)
            rest = "; what was computed is kept, and the same command goes on from there"
            _end(f"stopped{rest if kept else ''}", 130)

    app.command()(told)


_GOES_ON = ("audit", "split", "study", "train")
"""Verbs that keep what they did: trials, epochs; of audit and split what was seen of each image."""
_GOES_ON_WITH_OUT = ("evaluate", "predict")
"""Those that do so beside what they write."""

_TOLD = {
    errno.ENOSPC: "got a full disk, expected room to write; free some and run the same command again",
    errno.EDQUOT: "got a full quota, expected room to write; free some and run the same command again",
    errno.EFBIG: "got a file size limit, expected room to write; lift it and run the same command again",
    errno.EACCES: "got no permission, expected a file or folder that this user may read or write",
    errno.EPERM: "got no permission, expected a file or folder that this user may read or write",
    errno.EROFS: "got a read-only file system, expected one that can be written",
}


def _end(message: str, code: int) -> NoReturn:
    tell(" ".join(message.split()))
    sys.exit(code)


verb(audit)
verb(cache)
verb(card)
verb(compare)
verb(evaluate)
verb(explain)
verb(export)
verb(phantom)
verb(predict)
verb(report)
verb(serve)
verb(split)
verb(study)
verb(train)


def _one_option_each(arguments: list[str]) -> list[str]:
    """Let ``--seed 0 1 2`` stand for ``--seed 0 --seed 1 --seed 2`` where a verb takes several seeds."""
    if not arguments or arguments[0] not in TAKES_SEEDS:
        return arguments
    plain: list[str] = []
    in_seeds = False
    for argument in arguments:
        in_seeds = argument == "--seed" or (in_seeds and argument.isdecimal())
        if in_seeds and argument != "--seed" and plain[-1] != "--seed":
            plain.append("--seed")
        plain.append(argument)
    return plain


def _with_classifier(arguments: list[str]) -> list[str]:
    """Let verbs that take a classifier first take the one that neumo brings where none is given."""
    if not arguments or arguments[0] not in TAKES_CLASSIFIER or {"-h", "--help"} & set(arguments):
        return arguments
    given = _first_operand(arguments)
    alone = arguments[0] in TAKES_NOTHING_ELSE
    if given and (alone or given.endswith(".neumo") or _is_classifier(given)):
        return arguments
    return [arguments[0], str(SHIPPED), *arguments[1:]]


def _is_classifier(given: str) -> bool:
    """Whether this is the name of an archive with a card, whatever it is called."""
    # unlike Path's, says no to a name that is too long; and a pipe would wait
    if not os.path.isfile(given) or not is_zipfile(given):  # noqa: PTH113
        return False
    try:
        with ZipFile(given) as archive:
            return "card.json" in archive.namelist()
    except (BadZipFile, OSError):
        return False


def _first_operand(arguments: list[str]) -> str:
    """The first argument of a verb that is neither an option nor the value of one; "" where there is none."""
    options = [one for one in _command().commands[arguments[0]].params if one.param_type_name == "option"]
    takes_value = {name for one in options if not one.is_flag for name in one.opts}
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "--":
            return next(rest, "")
        if argument == "-" or not argument.startswith("-"):
            return argument
        if argument in takes_value:
            next(rest, None)
    return ""


@functools.cache
def _command() -> Any:
    """The command line as it is parsed; `commands` has its verbs by name."""
    return typer.main.get_command(app)


TAKES_SEEDS = ("study", "train")
TAKES_CLASSIFIER = ("card", "evaluate", "explain", "export", "predict", "serve")
TAKES_NOTHING_ELSE = ("card", "export", "serve")


def main() -> None:
    """Run the command line."""
    for chatty in ("PIL", "pydicom"):  # what they warn of on standard error, neumo says in its one line
        warnings.filterwarnings("ignore", module=chatty)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started neumo, as by 2>&-
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    code: Any = 0
    try:
        try:
            _run(sys.argv[1:])
        except SystemExit as end:  # Rich and Typer end with 1 where a pipe is closed
            code = 0 if isinstance(end.__context__, BrokenPipeError) else end.code
        sys.stdout.flush()  # else Python would, when it ends, and tell in its own way what went wrong
    except BrokenPipeError:  # whoever read standard output, such as head, has seen enough
        _leave_stdout()
    except OSError as error:
        if error.filename is None:
            _leave_stdout()
        other = f"got the system's answer {error.strerror!r}, expected a file or folder that can be used"
        _end(f"{error.filename or 'standard output'}: {_TOLD.get(error.errno or 0, other)}", 2)
    sys.exit(code)


def _run(arguments: list[str]) -> NoReturn:
    if "" in arguments:  # which as a path is this folder
        _end("got an empty argument, expected none; is a variable of the shell not set?", 2)
    arguments = _with_classifier(_one_option_each(arguments))
    if not arguments:
        _command()()  # shows the help
    try:
        sys.exit(_command()(arguments, standalone_mode=False))
    except TyperException as error:
        verbs = [argument for argument in arguments[:1] if argument in _command().commands]
        asked = " ".join(["neumo", *verbs])
        why = getattr(error, "format_message", error.__str__)()
        _end(f"{why.rstrip('.')}; {asked} --help says what is expected", 2)


def _leave_stdout() -> None:
    """Let what is still to be written to standard output, which cannot be, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
