"""Which DICOM files have an identifier that a table names images by."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from neumo.data.image_files import is_dicom
from neumo.data.table import bare
from neumo.images.dicom import NO_RADIOGRAPH
from neumo.images.dicom_bombs import check_sequences, metered
from neumo.images.dicom_view import VIEW_ELEMENTS, odd_view
from neumo.progress import track
from neumo.threads import in_threads

if TYPE_CHECKING:
    from pydicom import Dataset

ELEMENTS = {
    "SOPInstanceUID": "sopinstanceuid sopuid instanceuid imageuid",
    "SeriesInstanceUID": "seriesinstanceuid seriesuid",
    "StudyInstanceUID": "studyinstanceuid studyuid",
    "AccessionNumber": "accessionnumber accession accessionno accessionnr accessionid",
    "PatientID": "patientid",
}
"""What a table can name images by, the most particular first, and what its column is called then."""


@dataclass
class Identified:
    """The DICOM files of a folder by one of `ELEMENTS`.

    Attributes:
        files: identifier -> files that have it; where there are several, the frontal ones, if any.
        twice: files of an SOP instance that a larger file has, or an earlier one as large; they are not in
            `files`. The smaller may be the header alone, which Orthanc keeps as a file of its own.
        narrowed: identifiers of which lateral views were left out.
    """

    files: dict[str, list[Path]] = field(default_factory=dict)
    twice: list[Path] = field(default_factory=list)
    narrowed: set[str] = field(default_factory=set)

    def of(self, listed: str) -> list[Path]:
        """The files of an identifier in a table, where Excel takes zeros before numbers away or adds ".0"."""
        return self.files.get(self.identifier(listed), [])

    def identifier(self, listed: str) -> str:
        """The identifier that is meant by one in a table, "" where there is none."""
        return listed if listed in self.files else self._whole.get(as_number(listed), "")

    @functools.cached_property
    def _whole(self) -> dict[str, str]:
        """Identifiers by what `as_number` leaves of them, where it leaves that of no other."""
        times = Counter(map(as_number, self.files))
        return {short: one for one in self.files if times[short := as_number(one)] == 1}


def element_of(heading: str | None) -> str | None:
    """The element that a column of this heading holds, None for other columns."""
    return next((name for name, usual in ELEMENTS.items() if bare(heading or "") in usual.split()), None)


def identified(paths: Iterable[Path], element: str) -> Identified:
    """Find out which of these files has which identifier, by the headers of those in DICOM.

    Reports, presentation states and the like, which a PACS exports with a study's images, count for none.

    Args:
        paths: image files.
        element: one of `ELEMENTS`.
    """
    there = [(path, path.stat()) for path in paths if path.is_file()]
    headers = _headers(tuple((str(path), about.st_mtime_ns, about.st_size) for path, about in there))
    size = {str(path): about.st_size for path, about in there}
    largest: dict[str, str] = {}
    for name, (ids, _) in headers:
        instance = ids["SOPInstanceUID"] or name
        largest[instance] = max(largest.get(instance, name), name, key=size.__getitem__)
    found = Identified()
    every: dict[str, list[tuple[Path, bool]]] = {}
    for name, (ids, lateral) in headers:
        if largest[ids["SOPInstanceUID"] or name] != name:
            found.twice.append(Path(name))
        elif ids[element]:
            every.setdefault(ids[element], []).append((Path(name), lateral))
    for one, files in every.items():
        frontal = [path for path, lateral in files if not lateral]
        found.files[one] = frontal if frontal and files[1:] else [path for path, _ in files]
        if len(found.files[one]) < len(files):
            found.narrowed.add(one)
    return found


def read_header(path: str | Path, elements: Sequence[str]) -> Dataset | None:
    """Some elements of a DICOM header, None where it cannot be read or would become huge.

    It is read as `neumo.images.dicom.read_dicom` reads it: without a preamble, deflated, in bounds.
    """
    import pydicom

    from neumo.images.read import MAX_PIXELS

    try:
        with Path(path).open("rb") as file:
            whole = metered(file, MAX_PIXELS)
            return pydicom.dcmread(whole, force=True, stop_before_pixels=True, specific_tags=[*elements])
    except Exception:  # pydicom raises nearly every kind on broken files
        return None


def as_number(identifier: str) -> str:
    """An identifier without zeros before it and ".0" after it, if it is else of digits."""
    return re.sub(r"^0*(\d+)(?:\.0)?$", r"\1", identifier)


@functools.lru_cache(maxsize=1)
def _headers(
    stamps: tuple[tuple[str, int, int], ...],
) -> list[tuple[str, tuple[dict[str, str], bool]]]:
    """Identifiers of each radiograph, and whether it is a lateral view; remembered while no file changes."""
    names = [name for name, *_ in stamps]
    read = track(in_threads(_header, names), "Reading DICOM headers", total=len(names))
    return [(name, found) for name, found in zip(names, read, strict=True) if found]


def _header(name: str) -> tuple[dict[str, str], bool] | None:
    header = read_header(name, [*ELEMENTS, *VIEW_ELEMENTS, "Modality"]) if is_dicom(Path(name)) else None
    if header is None or header.get("Modality") in NO_RADIOGRAPH:
        return None
    try:
        check_sequences(header)
        ids = {element: str(header.get(element) or "").strip() for element in ELEMENTS}
        return ids, "lateral" in odd_view(header)
    except Exception:  # as in `read_header`
        return None
