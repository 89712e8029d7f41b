"""The image files at the places that people name."""

from __future__ import annotations

import codecs
import fnmatch
import glob
import os
import re
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from neumo.errors import NeumoError, UnreadableImageError
from neumo.files import ARRAYS, MARK, SPLIT_MARK
from neumo.images import dicom

IMAGE_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in "jpg jpeg jpe jfif png bmp gif tif tiff webp jp2 j2k pgm ppm dcm dicom dic".split()  # noqa: SIM905
)

_OF_DICOM = {".dcm", ".dicom", ".dic"}

WORKBOOKS = {".xlsx", ".xls", ".ods"}
"""Tables that cannot be read, which is to be told of them rather than that they are no images."""

_MASKS = re.compile(r"mask|(?:.*[\W_])?masks", re.IGNORECASE)

Named = str | UnreadableImageError
"""A file that is to be read, or why one, or a folder of them, cannot even be looked for."""


def find_each(
    places: Sequence[str | Path], path_column: str | None = None, *, lateral: set[str] | None = None
) -> list[Named]:
    """The image files at several places, labelled or not; whether they can be read is not looked at.

    No bad place or file stops the others: what cannot be looked for has an error in its place in the order,
    which names the folder, table, pattern or file. A place that is alone must name at least one file, be it
    a bad one.

    Args:
        places: each a file; a folder, with all below it; a CSV or Parquet file that names them;
            PneumoniaMNIST's archive; a pattern such as ``"scans/**/*.dcm"``; or ``"-"``: standard input names
            them, one path per line.
        path_column: of a CSV or Parquet file.
        lateral: gets the files that a table's column of views calls lateral.

    Raises:
        NeumoError: there is one place, and nothing at it.
    """
    found: list[Named] = []
    for place in places:
        try:
            found += _at(place, path_column, lateral)
        except (NeumoError, OSError) as error:
            if len(places) == 1:
                raise
            found.append(_fault(place, error))
    return found


def name_of(named: Named) -> str:
    """What a file is called in tables."""
    return named if isinstance(named, str) else str(named.path)


def _at(place: str | Path, path_column: str | None, lateral: set[str] | None = None) -> list[Named]:
    """The image files at one place, and what is wrong with others there, in order."""
    path = Path(place)
    found: list[Named] = [_as_text(str(path))]
    got = ""
    if isinstance(found[0], UnreadableImageError):
        pass
    elif str(place) == "-":
        lines = sys.stdin.buffer.read().removeprefix(codecs.BOM_UTF8).splitlines()
        found = [_as_text(os.fsdecode(line)) for line in lines if line.strip()]
        got = "nothing on standard input"
    elif os.path.isdir(path):  # noqa: PTH112 - unlike Path's, says no to a name that is too long
        found, got = _below(path), "a folder without images"
    elif path.suffix.lower() == ARRAYS and os.path.isfile(path):  # noqa: PTH113 - as above
        from neumo.data.published import medmnist  # only here, as it loads pandas

        found, got = _below(medmnist.unpack(path)), "an archive without images"
    elif is_table(path) and os.path.isfile(path):  # noqa: PTH113 - as above
        from neumo.data import listing  # only here, as it loads pandas

        listed = listing.paths(path, path_column, lateral)
        found = [_as_text(one) if isinstance(one, str) else one for one in listed]
    elif glob.has_magic(str(path)) and not os.path.lexists(path):
        found, got = _matching(str(path)), "a pattern that no image matches"
    if not found:
        raise UnreadableImageError(place, got, "radiographs")
    return found


def _matching(pattern: str) -> list[Named]:
    """The image files that a pattern matches, those below folders that it matches, and what hides others."""
    found: dict[str, Named] = {}
    for match in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207
        if os.path.isdir(match):  # noqa: PTH112
            some = _below(Path(match))
        else:
            some = [_as_text(str(Path(match)))] * is_image(Path(match))
        found |= {name_of(one): one for one in some}
    return list((found | {name_of(one): one for one in _shut(pattern)}).values())


def _shut(pattern: str) -> list[Named]:
    """Folders that a pattern would look into and that cannot be read; `glob` passes over them."""
    parts = Path(pattern).parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    above, folders_of = Path(*parts[:first]), parts[first:-1]
    faults: list[Named] = []

    def tell(error: OSError) -> None:
        named = _as_text(str(error.filename))
        faults.append(_fault(named, error) if isinstance(named, str) else named)

    for here, folders, _ in os.walk(above, onerror=tell):
        depth = len(Path(here).relative_to(above).parts)
        if "**" in parts:
            folders[:] = sorted(name for name in folders if not _is_junk(name))
        else:
            wanted = folders_of[depth : depth + 1]
            folders[:] = sorted(name for name in folders if wanted and fnmatch.fnmatch(name, wanted[0]))
    return faults


def _below(folder: Path) -> list[Named]:
    """The image files in and below a folder, and what is wrong with others there, in order of path."""
    faults: list[UnreadableImageError] = []
    found: list[Named] = [str(path) for path in radiographs_in(folder, faults=faults)]
    return sorted([*found, *faults], key=lambda named: Path(name_of(named)).parts) if faults else found


def _as_text(name: str) -> Named:
    """The name of a file, or what is wrong with it."""
    shown = os.fsencode(name).decode(errors="backslashreplace")
    if shown == name:
        return name
    return UnreadableImageError(shown, "a file name that is not UTF-8", "one; rename the file")


def _fault(place: str | Path, error: Exception) -> UnreadableImageError:
    """What is wrong with a place, as an error that stands in for its files."""
    if isinstance(error, UnreadableImageError):
        return error
    if isinstance(error, PermissionError):
        return UnreadableImageError(place, "no permission", "a file or folder that this user may read")
    if isinstance(error, OSError):
        got = f"the system's answer {error.strerror!r}"
        return UnreadableImageError(place, got, "a file or folder that can be read")
    got, _, expected = str(error).removeprefix(f"{place}: got ").partition(", expected ")
    return UnreadableImageError(place, got, expected)


def is_dicom(path: Path) -> bool:
    """Whether a file's first bytes are those of a DICOM file, whatever it is called."""
    return dicom.is_dicom(_head(path)[:132])


def _head(path: Path) -> bytes:
    """A file's first bytes, none of what is no file or cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait for its writer
            return b""
        with path.open("rb") as file:
            return file.read(dicom.HEAD)
    except OSError:
        return b""


def is_table(path: Path) -> bool:
    """Whether a file is named like a table: text, compressed with gzip or not, Parquet, or `WORKBOOKS`."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return Path(path.stem).suffix.lower() in {".csv", ".tsv"}
    return suffix in {".csv", ".tsv", ".txt", ".parquet", ".pq"} | WORKBOOKS


def is_image(path: Path) -> bool:
    """Whether a file is named like an image or is a DICOM file; DICOM files often have no suffix.

    A DICOMDIR, the index of a medium, is none, nor are a PACS's reports, presentation states and the like.
    """
    if path.name.startswith(".") or path.name.upper() == "DICOMDIR":
        return False
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES - _OF_DICOM:
        return True
    head = _head(path)
    return (suffix in _OF_DICOM or dicom.is_dicom(head[:132])) and not dicom.is_record(head)


def of_masks(folder_name: str) -> bool:
    """Whether a folder is called after masks, pictures of where something is: "masks", "lung masks"."""
    return _MASKS.fullmatch(folder_name) is not None


def is_mask(image: Path, folder: Path) -> bool:
    """Whether an image lies in a folder of masks below `folder`."""
    return any(map(of_masks, image.relative_to(folder).parts[:-1]))


def tell_left_out(data: str | Path, n: int, which: str) -> None:
    """Say on standard error how many rows or images are left out, if any, and which."""
    if n:
        print(f"neumo: {data}: leaves out {n:,} {which}", file=sys.stderr)


def subfolders(folder: Path) -> list[Path]:
    """The folders in `folder` in order of name, without hidden ones and what macOS leaves in archives.

    Nor those that neumo wrote (results of a study, a split): they are data only where they are named.
    """
    inside = (p for p in folder.iterdir() if p.is_dir() and not _is_junk(p.name))
    return sorted(p for p in inside if not _is_written(p))


def images_in(
    folder: Path, deep: bool = True, *, faults: list[UnreadableImageError] | None = None
) -> list[Path]:
    """The image files in `folder` (and, `deep`, below it), in order of path; no pictures of neumo's results.

    Args:
        folder: where.
        deep: in its subfolders as well.
        faults: is told of what is passed over; without it, the first is raised, as to pass over a folder
            would lose its images unseen.

    Raises:
        PermissionError: a folder cannot be read.
        NeumoError: a name is not UTF-8, so that no table can hold it.

    Links are followed, but to no folder a second time, nor to one that `folder` is in.
    """

    def stop(error: OSError) -> None:
        if faults is None:
            raise error
        named = _as_text(str(error.filename))
        faults.append(_fault(named, error) if isinstance(named, str) else named)

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
    kept = []
    for path in found:
        named = _as_text(str(path))
        if isinstance(named, str):
            kept.append(path)
        elif faults is None:
            raise named
        else:
            faults.append(named)
    return sorted(kept, key=lambda path: path.parts)  # as paths compare, but faster


def radiographs_in(folder: Path, *, faults: list[UnreadableImageError] | None = None) -> list[Path]:
    """As `images_in`, without those in folders of masks, which a line on standard error says."""
    images = images_in(folder, faults=faults)
    kept = [path for path in images if not is_mask(path, folder)]
    tell_left_out(folder, len(images) - len(kept), "images in folders of masks")
    return kept


def _identity(folder: str | Path) -> tuple[int, int]:
    """What tells a folder from all others, by whatever links it is reached."""
    about = os.stat(folder)  # noqa: PTH116 - of what `os.walk` gives, faster
    return about.st_dev, about.st_ino


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
