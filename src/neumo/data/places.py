"""Where the images that a table names are."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from neumo.data.image_files import images_in, is_mask
from neumo.errors import UnreadableImageError

TRIED = 20
"""Paths of a table that are looked for to learn where all are."""


class Places:
    """The places where a table's images can be.

    Args:
        folder: of the table.
        strict: an error where something cannot be looked into; otherwise it is passed over.
    """

    def __init__(self, folder: Path, *, strict: bool = True) -> None:
        self.folder = folder
        self._is_file = Path.is_file if strict else os.path.isfile
        self._faults: list[UnreadableImageError] | None = None if strict else []
        self._by_name: dict[str, list[Path]] | None = None
        self._several: dict[str, list[Path]] = {}
        self.moved: dict[Path, str] = {}
        self._dropped = ""

    def look_over(self, listed: Sequence[str]) -> None:
        """Find out whether the folder that all paths begin with is missing here, and drop it then.

        As where an archive's own folder was renamed: CheXpert's table says ``CheXpert-v1.0-small/valid/...``,
        and the table lies beside ``valid``. None of the first paths may be there as listed, and half of them
        must be without that folder.
        """
        first = {name.replace("\\", "/").split("/", 1)[0] for name in listed}
        start, some = f"{min(first, default='')}/", listed[:TRIED]
        if len(first) != 1 or PureWindowsPath(start).root or PureWindowsPath(start).drive:
            return
        if any(self.is_there(self.find(name)) for name in some):
            return
        rest = [name.replace("\\", "/").removeprefix(start) for name in some]
        if 2 * sum(self.is_there(self.folder / name) for name in rest) >= len(some):
            self._dropped = start

    def find(self, listed: str) -> Path:
        """The image that a table calls so: at the place itself, else the one that ends so below the folder.

        A name may lack its suffix, and a number may have become ``7.0``. A path from the root on whose folder
        is not there was written elsewhere: its longest end counts that is there with its folder, and `moved`
        has it. Where there is none, or several, it is the place itself, at which there is no image;
        `instead_of` then says what there is.
        """
        if self._dropped:
            listed = listed.replace("\\", "/").removeprefix(self._dropped)
        for name in (listed, listed.replace("\\", "/")):
            for base in (self.folder, Path.cwd()):
                if self.is_there(path := base / name):
                    return path
        for name in dict.fromkeys((listed, re.sub(r"^(\d+)\.0$", r"\1", listed))):
            ends = self._ending(name)
            if len(ends) == 1:
                if _from_elsewhere(name) and self.moved.setdefault(ends[0], listed) != listed:
                    break  # is another image already
                return ends[0]
            if ends:
                self._several[listed] = ends
        return self.folder / listed

    def is_there(self, path: Path) -> bool:
        """Whether this is a file."""
        try:
            return self._is_file(path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return False
            raise

    def instead_of(self, listed: str) -> str:
        """What there is where a listed image is missing, for a message."""
        ends = self._several.get(listed, [])
        shown = ", ".join(relative(path, self.folder) for path in ends[:3])
        return f"{len(ends)} files that end so ({shown})" if ends else "no such file"

    def _ending(self, name: str) -> list[Path]:
        wanted = PurePosixPath(name.replace("\\", "/")).parts
        same = self._below().get(wanted[-1], []) if wanted else []
        for n in range(len(wanted) - 1, 1, -1) if _from_elsewhere(name) else [len(wanted)]:
            if ends := [path for path in same if path.parts[-n:-1] == wanted[-n:-1]]:
                return ends
        return []

    def _below(self) -> dict[str, list[Path]]:
        """The images below the folder, by name with and without suffix; looked for when first asked."""
        if self._by_name is None:
            self._by_name = {}
            for path in images_in(self.folder, faults=self._faults):
                if not is_mask(path, self.folder):
                    for key in {path.name, path.stem}:
                        self._by_name.setdefault(key, []).append(path)
        return self._by_name


def _from_elsewhere(name: str) -> bool:
    """Whether a path starts at a root and its folder is not on this machine."""
    if os.name != "nt" and PureWindowsPath(name).is_absolute():
        return True
    return Path(name).is_absolute() and not os.path.isdir(Path(name).parent)  # noqa: PTH112 - too long


def relative(path: Path, root: Path) -> str:
    """A path from a folder on, or as it is where it lies elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
