"""What neumo finds at a place where nothing is wrong."""

from __future__ import annotations

from pathlib import Path

from neumo.data.image_files import find_each


def found_at(place: str | Path) -> list[str]:
    """The image files at a place; an error among them is raised."""
    found = []
    for named in find_each([place]):
        if not isinstance(named, str):
            raise named
        found.append(named)
    return found
