"""Where the images that a table names are."""

from __future__ import annotations

import errno
import functools
import itertools
import os
import re
import stat
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from neumo.data.dicom_ids import Identified, identified
from neumo.data.image_files import IMAGE_SUFFIXES, images_in, is_mask
from neumo.data.table import official_part
from neumo.errors import UnreadableImageError

TRIED = 20
"""Paths of a table that are looked for to learn where all are."""

_DEPTH = 3
_NONE = {errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP, errno.ENAMETOOLONG}
"""What the system answers where there is no file; anything else may hide one."""


class Places:
    """The places where a table's images can be.

    Args:
        folder: of the table.
        strict: an error where something cannot be looked into; otherwise it is passed over.
        element: of DICOM headers, where the table's names stand for that; see `neumo.data.dicom_ids`.
    """

    def __init__(self, folder: Path, *, strict: bool = True, element: str | None = None) -> None:
        self.folder = folder
        self.element = element
        self.identified: Identified | None = None
        self._strict = strict
        self._faults: list[UnreadableImageError] | None = None if strict else []
        self._by_end: dict[tuple[str, ...], list[Path]] | None = None
        self._several: dict[str, list[Path]] = {}
        self.moved: dict[Path, str] = {}
        self._bases = [str(folder), *{os.getcwd()} - {str(folder)}]  # noqa: PTH109 - of many rows, faster
        self._as_named = False
        self._dropped = ""
        self._any_suffix = False

    def look_over(self, listed: Sequence[str]) -> None:
        """Find out how all names are meant.

        Where none is a file's in the table's folder, they are those of the working folder; or, where none of
        the first is found at all, they stand in DICOM headers; or images were converted to another format; or
        an archive's own folder was renamed. All but the headers is told on standard error, unless not
        `strict`.
        """
        some, (own, *working) = listed[:TRIED], self._bases
        self._as_named = any(self._straight(name, [own]) for name in listed)
        abroad = not self._as_named and any(self._straight(name, working) for name in listed)
        self._bases = working if abroad else [own]  # a name is never another image's elsewhere
        if abroad and self._faults is None:
            said = f"takes paths from the working folder on, {working[0]}, as none is here"
            print(f"neumo: {self.folder}: {said}", file=sys.stderr)
        if abroad or any(self.is_there(self.find(name)) for name in some):
            return
        if not (self._are_identifiers() or self._are_converted(some)):
            self._drop_folder(listed)

    def _are_identifiers(self) -> bool:
        found = identified(self.images, self.element) if self.element else None
        if found and found.files:
            self.identified = found
        return self.identified is not None

    def _are_converted(self, some: Sequence[str]) -> bool:
        """Whether half of them are there but for the suffix; then paths are looked for without it."""
        self._any_suffix = True
        if not some or 2 * sum(self.is_there(self.find(path)) for path in some) < len(some):
            self._any_suffix = False
            self._several, self.moved = {}, {}  # of paths as they are not looked for after all
        elif self._faults is None:
            said = "takes images that are called as listed but for the suffix, as none is called so"
            print(f"neumo: {self.folder}: {said}", file=sys.stderr)
        return self._any_suffix

    def _drop_folder(self, listed: Sequence[str]) -> None:
        """Look for paths without the folder that all begin with, where half of the first are there so.

        CheXpert's table says ``CheXpert-v1.0-small/valid/...``, and lies beside ``valid``. What is left must
        be in a folder at least: bare names could be anybody's.
        """
        first = {name.replace("\\", "/").split("/", 1)[0] for name in listed}
        name = min(first, default="")
        if len(first) != 1 or name in ("", ".", "..") or PureWindowsPath(name).drive or official_part(name):
            return
        rest = [path.replace("\\", "/").removeprefix(f"{name}/") for path in listed[:TRIED]]
        if 2 * sum("/" in path and self.is_there(self.folder / path) for path in rest) >= len(rest):
            self._dropped = f"{name}/"
            if self._faults is None:
                print(f"neumo: {self.folder}: looks for paths without {self._dropped!r}", file=sys.stderr)

    def find(self, listed: str) -> Path:
        """The image that a table calls so: at the place itself, else the one that ends so below the folder.

        A name may lack its suffix, a number may have become ``7.0``, and a letter may have its accent apart,
        as macOS spells names of files. A folder in it is that very one where others of the table's are at the
        place itself. A path from the root on whose folder is not there was written elsewhere: its longest end
        counts that is there with its folder, and `moved` has it. Where there is none, or several, it is the
        place itself, at which there is no image; `instead_of` then says what there is.
        """
        if self.identified is not None:
            files = self.identified.of(listed)
            return files[0] if len(files) == 1 else self.folder / listed
        here = self._without_dropped(listed)
        if self._any_suffix and Path(here).suffix.lower() in IMAGE_SUFFIXES:
            here = here[: -len(Path(here).suffix)]
        if straight := self._straight(here, self._bases):
            return straight
        for name in dict.fromkeys((here, re.sub(r"^(\d+)\.0$", r"\1", here))):
            ends = self._ending(name)
            if len(ends) == 1:
                if _from_elsewhere(name) and self.moved.setdefault(ends[0], listed) != listed:
                    break  # is another image already
                return ends[0]
            if ends:
                self._several[listed] = ends
        return self.folder / listed

    def _straight(self, name: str, bases: Sequence[str]) -> Path | None:
        """The file at a path from one of these folders on."""
        for spelt in dict.fromkeys((name, name.replace("\\", "/"))):
            for base in bases:
                if self.is_there(path := os.path.join(base, spelt)):  # noqa: PTH118 - of many rows, faster
                    return Path(path)
        return None

    def here(self, listed: str) -> str:
        """The place itself that a table names, be there an image or not."""
        return str(Path(self._bases[0], self._without_dropped(listed).replace("\\", "/")))

    def is_there(self, path: str | Path) -> bool:
        """Whether this is a file."""
        try:
            return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - of many rows, faster
        except ValueError:  # a NUL in it
            return False
        except OSError as error:
            if self._strict and error.errno not in _NONE:
                raise
            return False

    def instead_of(self, listed: str) -> str:
        """What there is where a listed image is missing, for a message."""
        if self.identified is not None:
            files = self.identified.of(listed)
            named = ", ".join(relative(path, self.folder) for path in files[:3])
            several = f"{len(files)} images of one {self.element} ({named})"
            return several if files else f"no DICOM file of the {self.element}"
        ends = self._several.get(listed, [])
        shown = ", ".join(relative(path, self.folder) for path in ends[:3])
        return f"{len(ends)} files that end so ({shown})" if ends else "no such file"

    def _without_dropped(self, listed: str) -> str:
        return listed.replace("\\", "/").removeprefix(self._dropped) if self._dropped else listed

    def _ending(self, name: str) -> list[Path]:
        wanted, elsewhere = _spelt(PurePosixPath(name.replace("\\", "/"))), _from_elsewhere(name)
        for n in range(len(wanted) - 1, 1, -1) if elsewhere else [len(wanted)]:
            ends = self._below().get(wanted[-n:][-_DEPTH:], [])
            if self._as_named and not elsewhere and n > 1:
                folder = _spelt(Path(self.folder, *wanted[:-1]))
                ends = [path for path in ends if _spelt(path.parent) == folder]
            if n > _DEPTH:
                ends = [path for path in ends if _spelt(path)[-n:-1] == wanted[-n:-1]]
            if ends:
                return ends
        return []

    def _below(self) -> dict[tuple[str, ...], list[Path]]:
        """The images below the folder by the ends of their paths, with and without suffix.

        Of up to `_DEPTH` parts: in CheXpert a hundred thousand end in ``study1/view1_frontal.jpg``.
        """
        if self._by_end is None:
            self._by_end = {}
            for path in self.images:
                whole, bare = _spelt(path), _spelt(path.with_suffix(""))
                for spelt, n in itertools.product({whole, bare}, range(1, _DEPTH + 1)):
                    self._by_end.setdefault(spelt[-n:], []).append(path)
        return self._by_end

    @functools.cached_property
    def images(self) -> list[Path]:
        """The images below the folder, in order of path."""
        found = images_in(self.folder, faults=self._faults)
        return [path for path in found if not is_mask(path, self.folder)]


def _spelt(path: PurePath) -> tuple[str, ...]:
    """The parts of a path, each letter one character with its accent."""
    return tuple(unicodedata.normalize("NFC", part) for part in path.parts)


def _from_elsewhere(name: str) -> bool:
    """Whether a path starts at a root and its folder is not on this machine."""
    if name[:1] not in "/\\" and name[1:2] != ":":
        return False
    if os.name != "nt" and PureWindowsPath(name).is_absolute():
        return True
    return Path(name).is_absolute() and not os.path.isdir(Path(name).parent)  # noqa: PTH112 - too long


def relative(path: Path, root: Path) -> str:
    """A path from a folder on, or as it is where it lies elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
