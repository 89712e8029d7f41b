"""The image files at the places that people name."""

from __future__ import annotations

import glob
import os
import stat
import sys
from pathlib import Path

from neumo.errors import NeumoError
from neumo.files import MARK, SPLIT_MARK
from neumo.images import dicom

TABLE_SUFFIXES = frozenset([".csv", ".tsv", ".txt", ".parquet", ".pq"])
IMAGE_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in "jpg jpeg jpe jfif png bmp gif tif tiff webp jp2 j2k pgm ppm dcm dicom dic".split()  # noqa: SIM905
)


def find_radiographs(place: str | Path, path_column: str | None = None) -> list[str]:
    """The image files at a place, labelled or not; whether they can be read is not looked at.

    Args:
        place: a file; a folder, with all below it; a CSV or Parquet file that names them; a pattern such as
            ``"scans/**/*.dcm"``; or ``"-"``: standard input names them, one path per line.
        path_column: of a CSV or Parquet file.

    Raises:
        NeumoError: there are none.
    """
    path = Path(place)
    if str(place) == "-":
        lines = sys.stdin.buffer.read().splitlines()
        found, got = [os.fsdecode(line) for line in lines if line.strip()], "nothing on standard input"
    elif os.path.isdir(path):  # noqa: PTH112 - unlike Path's, says no to a name that is too long
        found, got = [str(image) for image in images_in(path)], "a folder without images"
    elif path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
        from neumo.data import listing  # only here, as it loads pandas

        found, got = listing.paths(path, path_column), "a table without rows"
    elif glob.has_magic(str(path)) and not os.path.lexists(path):
        found, got = _matching(str(path)), "a pattern that no image matches"
    else:
        found, got = [str(path)], ""
    for name in found:
        _check_text(name)
    if not found:
        raise NeumoError(f"{place}: got {got}, expected radiographs")
    return found


def _matching(pattern: str) -> list[str]:
    """The image files that a pattern matches, and those below folders that it matches."""
    matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207
    images = [images_in(match) if match.is_dir() else [match] * is_image(match) for match in matches]
    return list(dict.fromkeys(str(image) for some in images for image in some))


def is_dicom(path: Path) -> bool:
    """Whether a file's first bytes are those of a DICOM file, whatever it is called."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait for its writer
            return False
        with path.open("rb") as file:
            return dicom.is_dicom(file.read(132))
    except OSError:
        return False


def is_image(path: Path) -> bool:
    """Whether a file is named like an image or is a DICOM file; DICOM files often have no suffix."""
    if path.name.startswith("."):
        return False
    return path.suffix.lower() in IMAGE_SUFFIXES or is_dicom(path)


def subfolders(folder: Path) -> list[Path]:
    """The folders in `folder` in order of name, without hidden ones and what macOS leaves in archives.

    Nor those that neumo wrote (results of a study, a split): they are data only where they are named.
    """
    inside = (p for p in folder.iterdir() if p.is_dir() and not _is_junk(p.name))
    return sorted(p for p in inside if not _is_written(p))


def images_in(folder: Path, deep: bool = True) -> list[Path]:
    """The image files in `folder` (and, `deep`, below it), in order of path; no pictures of neumo's results.

    Raises:
        PermissionError: a folder cannot be read; to pass over it would lose its images unseen.
        NeumoError: a name is not UTF-8, so that no table can hold it.

    Links are followed, but to no folder a second time, nor to one that `folder` is in.
    """

    def stop(error: OSError) -> None:
        raise error

    found = []
    seen = {_identity(above) for above in folder.resolve().parents}
    for base, folders, files in os.walk(folder, onerror=stop, followlinks=True):
        if (here := _identity(base)) in seen:
            folders.clear()
            continue
        seen.add(here)
        if base != str(folder) and any(_is_mark(name) and name != SPLIT_MARK for name in files):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if deep and not _is_junk(name))
        found += [path for path in (Path(base, name) for name in files) if is_image(path)]
    for path in found:
        _check_text(str(path))
    return sorted(found, key=lambda path: path.parts)  # as paths compare, but faster


def _identity(folder: str | Path) -> tuple[int, int]:
    """What tells a folder from all others, by whatever links it is reached."""
    about = os.stat(folder)  # noqa: PTH116 - of what `os.walk` gives, faster
    return about.st_dev, about.st_ino


def _check_text(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = name.encode(errors="replace").decode()
        raise NeumoError(
            f"{shown}: got a file name that is not UTF-8, expected one; rename the file"
        ) from None


def _is_junk(folder_name: str) -> bool:
    return folder_name.startswith(".") or folder_name == "__MACOSX"


def _is_mark(file_name: str) -> bool:
    return file_name.startswith(MARK)


def _is_written(folder: Path) -> bool:
    """Whether neumo wrote a folder: it leaves a file in each, see `neumo.files.claim` and `neumo split`."""
    try:
        return any(map(_is_mark, os.listdir(folder)))  # noqa: PTH208 - of many files, faster
    except OSError:  # to be told by whoever reads it
        return False
