"""A split as folders of images for other tools: one per part, in it one per class."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import pandas as pd

from neumo.data.labels import assign
from neumo.data.split import CLASSES
from neumo.data.split_file import save_split
from neumo.data.table import NORMAL, PNEUMONIA, sha256_of
from neumo.errors import NeumoError
from neumo.files import SPLIT_MARK, whole_file
from neumo.progress import track

TABLE = "split.csv"
"""The split itself, beside the parts; written last, so that it is there only when all images are."""

_INCOMING = ".incoming-neumo-split"
"""A file on its way into the folder, renamed when it is whole."""

_LONGEST = 80
"""Bytes of a class's folder name."""

Digests = dict[str, list[str]]


def class_folders(negative: str, positive: str) -> tuple[str, str]:
    """The folders that a data set's classes are laid out in, made of its own names for them.

    Joined ("covid or viral pneumonia") and overlong names, and such that would not be read back with the same
    labels, give ``normal`` and ``pneumonia``.

    Args:
        negative: `neumo.data.table.Dataset.negative_name`.
        positive: likewise.
    """
    names = tuple(re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "-", name).strip(" .") for name in (negative, positive))
    own = all(0 < len(name.encode()) <= _LONGEST and not re.search(r" or |, ", name) for name in names)
    if own and names[0].casefold() != names[1].casefold():
        label, faults = assign(names, None, "")
        if not faults and [label[name] for name in names] == [NORMAL, PNEUMONIA]:
            return names[0], names[1]
    return CLASSES


def lay_out(
    split: pd.DataFrame,
    folder: str | Path,
    *,
    link: bool = False,
    beside: Iterable[Path] = (),
    classes: tuple[str, str] = CLASSES,
) -> list[Path]:
    """Lay the images of a split out as ``folder/part/class/image``, beside them the split as ``split.csv``.

    Images keep their names; where two of one part and class share a name, the second becomes ``name-2``.
    Stopped at any point, the next call goes on where it was. In a folder that it made before, the new layout
    takes the place of the old one; whatever else has been put there is left alone.

    Args:
        split: the table with its column `part`.
        folder: a new or empty folder, or one that this function made.
        link: make symbolic links instead of copies, or hard links where the system has no symbolic ones.
        beside: files to copy beside the parts, for example the note that the images are synthetic.
        classes: the folders of label 0 and 1, see `class_folders`.

    Returns:
        The file of each row.

    Raises:
        NeumoError: the folder has files but was not made by this function, or it holds the images of `split`
            themselves; a file in the way was not written by it or has been changed since; an image has been
            changed or taken away since it was read.
        OSError: the folder cannot be written or the disk is full.
    """
    folder = Path(folder).absolute()
    before = made_before(folder)
    paths = [Path(path) for path in split["path"]]
    for path in {path.parent for path in paths} | {path.resolve() for path in paths if path.is_symlink()}:
        if {folder, folder.resolve()} & {path, path.resolve(), *path.parents, *path.resolve().parents}:
            raise NeumoError(f"{folder}: got the folder that images are read from, expected another one")
    names = _names(split, classes)
    digests = dict(zip(names, split["sha256"], strict=True))
    with TemporaryDirectory() as scratch:
        save_split(split, table := Path(scratch, TABLE))
        further = {path.name: path for path in (*beside, table)}
        digests |= {name: sha256_of(path) for name, path in further.items()}
        _check_in_the_way(folder, before, digests)

        folder.mkdir(parents=True, exist_ok=True)
        _mark(folder, before, digests)
        for name in [TABLE, *(before.keys() - digests.keys())]:
            (folder / name).unlink(missing_ok=True)
        for name, path in zip(track(names, "Laying out images"), paths, strict=True):
            _place(path, folder, name, digests[name], link)
        for name, path in further.items():
            _place(path, folder, name, digests[name], link=False)
    _mark(folder, {}, digests)
    for name in before.keys() - digests.keys():
        for emptied in (folder / name).parents[:2]:
            with suppress(OSError):  # not empty, or gone already
                emptied.rmdir()
    return [folder / name for name in names]


def _names(split: pd.DataFrame, classes: tuple[str, str]) -> list[str]:
    """The file of each row below the folder, no two the same even where upper and lower case are one."""
    names = [
        f"{part}/{classes[label]}/{Path(path).name}"
        for part, label, path in zip(split["part"], split["label"], split["path"], strict=True)
    ]
    taken: set[str] = set()
    later = []
    for row in sorted(range(len(names)), key=lambda row: str(split["path"].iloc[row])):
        if names[row].casefold() in taken:
            later.append(row)
        taken.add(names[row].casefold())
    seen: Counter[str] = Counter()
    for row in later:
        name, key = PurePosixPath(names[row]), names[row].casefold()
        while names[row].casefold() in taken:
            seen[key] += 1
            names[row] = str(name.with_name(f"{name.stem}-{seen[key] + 1}{name.suffix}"))
        taken.add(names[row].casefold())
    return names


def made_before(folder: Path) -> Digests:
    """What `lay_out` wrote to a folder: file -> SHA-256 digests it may have; nothing for a new one.

    Raises:
        NeumoError: the folder has files but was not made by `lay_out`.
    """
    marker = folder / SPLIT_MARK
    if marker.is_file():
        try:
            files = json.loads(marker.read_text("utf-8"))["files"]
            return {name: [*digests] for name, digests in files.items() if _is_below(name)}
        except (ValueError, TypeError, LookupError, AttributeError):
            raise NeumoError(
                f"{marker}: got a damaged list of the files that neumo made here, expected it as neumo wrote "
                "it; lay out into another folder"
            ) from None
    if folder.exists() and not folder.is_dir():
        raise NeumoError(f"{folder}: got a file, expected a new or empty folder")
    if folder.is_dir() and any(not p.name.startswith(f".{SPLIT_MARK}.") for p in folder.iterdir()):
        raise NeumoError(
            f"{folder}: got a folder with files that neumo did not make, expected a new or empty one, or one "
            "that neumo split made"
        )
    return {}


def _is_below(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _mark(folder: Path, before: Digests, digests: dict[str, str]) -> None:
    """Note what may be in the folder from now on: the files that were made before, those that will be."""
    for stale in folder.glob(f".{SPLIT_MARK}.*"):  # left by a run that was killed here
        stale.unlink()
    files = {name: list(found) for name, found in before.items()}
    for name, digest in digests.items():
        files[name] = sorted({*files.get(name, ()), digest})
    with whole_file(folder / SPLIT_MARK) as part:
        part.write_text(json.dumps({"made by": "neumo split", "files": files}, indent=0), "utf-8")


def _check_in_the_way(folder: Path, before: Digests, digests: dict[str, str]) -> None:
    """Raise NeumoError unless whatever will be replaced or removed is as neumo wrote it."""
    for parent in sorted({folder / up for name in (*before, *digests) for up in PurePosixPath(name).parents}):
        if parent == folder:
            continue
        if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
            raise NeumoError(f"{parent}: got a link or a file, expected a folder that neumo made")
    for name in track(sorted({*before, *digests}), "Checking what is there"):
        file = folder / name
        if not os.path.lexists(file) or (name in before and file.is_symlink()):
            continue
        if name not in before or not any(_holds(file, digest) for digest in before[name]):
            raise NeumoError(
                f"{file}: got a file that neumo did not write or that has been changed since, expected none; "
                "move it away or lay out into another folder"
            )


def _holds(file: Path, digest: str) -> bool:
    return file.is_file() and sha256_of(file) == digest


def _place(source: Path, folder: Path, name: str, digest: str, link: bool) -> None:
    """Put a copy of `source`, or a link to it, at ``folder/name``, unless it is there."""
    file, incoming = folder / name, folder / _INCOMING
    if link and file.is_symlink() and file.readlink() == source and _holds(source, digest):
        return
    if not link and not file.is_symlink() and _holds(file, digest):
        return
    incoming.unlink(missing_ok=True)  # of a stopped run, or a hard link that was renamed to itself
    try:
        if link:
            _link(source, incoming)
        else:
            shutil.copyfile(source, incoming)
    except FileNotFoundError:
        raise NeumoError(f"{source}: got no such file any more, expected the image that was read") from None
    if not _holds(incoming, digest):
        incoming.unlink()
        raise NeumoError(f"{source}: got other bytes than when it was read, expected the same image")
    file.parent.mkdir(parents=True, exist_ok=True)
    incoming.replace(file)


def _link(source: Path, link: Path) -> None:
    try:
        link.symlink_to(source)
    except (NotImplementedError, OSError):  # Windows lets only some users make symbolic links
        try:
            link.hardlink_to(source)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise NeumoError(
                f"{link.parent}: got no links from this file system ({error.strerror}), expected a link to "
                f"{source}; lay out copies instead"
            ) from None
