"""A CSV or Parquet file as text, with what its columns hold."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_object_dtype

from neumo.data.dicom_ids import ELEMENTS, element_of, identified
from neumo.data.image_files import IMAGE_SUFFIXES, WORKBOOKS, is_image
from neumo.data.labels import quoted
from neumo.data.places import TRIED, Places
from neumo.data.table import bare
from neumo.errors import NeumoError

USUAL = {  # in order of preference, compared without case, spaces and punctuation
    "path": "path filepath file filename image imagepath imagefile imagename img imgpath imageindex imageid "
    "xrayimagename dicom dicompath dicomfile",
    "label": "label class classname labelname target diagnosis finding findinglabel findinglabels findings "
    "labels category diagnostico etiqueta clase befund diagnose klasse pneumonia neumonia pneumonie y",
    "patient": "patient patientid patid patientnumber patientno patientnr patno patientcode "
    "patientidentifier patientuid patientname idpatient mrn medicalrecordnumber subject subjectid "
    "subjectnumber subjectno person personid anonid anonymisedid anonymizedid paciente pacienteid "
    "idpaciente nhc paziente pazienteid idpaziente patientenid patientennummer patientennr patnr "
    "participant participantid",
    "cause": "cause pathogen etiology aetiology label1viruscategory",
    "official": "official split datasettype subset partition set",
    "sha256": "sha256",
    "view": "view viewposition frontallateral projection",
}
_NO_HEADING = "column {}"
"""What columns of a table without a header are called, counted from 1."""
_VALUES = {"pneumonia", "neumonia", "pneumonie", "y"}
"""Of the usual headings, those that are a class, too."""
_LARGEST = 2 << 30
"""Bytes of a compressed table's text."""


def load(file: Path, *, quiet: bool = False) -> pd.DataFrame:
    """A CSV (separator comma, semicolon, tab or bar) or Parquet file as a frame of strings, NA where empty.

    The text may be compressed with gzip. It is UTF-8, UTF-16 with its mark, or else Windows-1252, which a
    line on standard error says, unless `quiet`. A first line such as ``sep=;`` says what separates; a bar
    does where the first line has no other separator. Blank lines before the header count for nothing. Where
    the first line names an image and has no usual heading, there is no header: the columns are "column 1",
    "column 2", ...

    Raises:
        NeumoError: the file is neither, has no rows, holds NULs, or is compressed and has over 2 GiB of text.
    """
    if file.suffix.lower() in WORKBOOKS:
        raise NeumoError(f"{file}: got a spreadsheet's workbook, expected the sheet of images saved as CSV")
    try:
        if file.suffix.lower() in {".parquet", ".pq"}:
            frame = pd.read_parquet(file)
            if any(name is not None for name in frame.index.names):  # pandas' own, as of images by their path
                frame = frame.reset_index()
            frame = frame.reset_index(drop=True)
            for column in filter(lambda name: is_object_dtype(frame[name]), frame.columns):
                frame[column] = frame[column].map(_joined, na_action="ignore")
            frame = frame.astype(dict.fromkeys(frame.columns, "str"))
        else:
            frame = _from_csv(file, quiet=quiet)
    except OSError as error:
        if type(error).__module__.startswith("pyarrow") or error.errno is None:
            raise NeumoError(f"{file}: {_unreadable(file, error)}") from error
        raise
    except (ValueError, ImportError, EOFError, MemoryError, zlib.error) as error:
        raise NeumoError(f"{file}: {_unreadable(file, error)}") from error
    frame.columns = [str(column).strip() for column in frame.columns]
    frame = frame.loc[:, ~frame.columns.duplicated()]
    if frame.empty:
        raise NeumoError(f"{file}: got no rows, expected one row per image with a path and a label")
    return frame


def columns(
    frame: pd.DataFrame, file: Path, needed: Sequence[str] = ("path", "label"), **given: str | None
) -> dict[str, str | None]:
    """Which column is which: as `given`, else by the `USUAL` names; those `needed` are always there.

    Raises:
        NeumoError: a given column is not there, or there is none for one that is needed.
    """
    by_plain_name = {bare(str(c)): str(c) for c in reversed(frame.columns)}
    chosen: dict[str, str | None] = {}
    for what, usual in USUAL.items():
        name = given.get(what)
        if name is not None and name not in frame.columns:
            raise NeumoError(
                f"{file}: got no column {name!r}, expected --{what}-column to name one of the columns found: "
                f"{quoted(frame.columns)}"
            )
        taken = set(chosen.values()) | set(given.values())
        guess = (by_plain_name[u] for u in usual.split() if u in by_plain_name)
        chosen[what] = name or next((column for column in guess if column not in taken), None)
    for what in needed:
        if chosen[what] is None:
            raise NeumoError(
                f"{file}: got no column that is called like a {what}, expected one among the columns found "
                f"({quoted(frame.columns)}) to be named with --{what}-column"
            )
    return chosen


def could_be_labels(frame: pd.DataFrame) -> list[str]:
    """The columns that are called as one of labels is, in the order of the table."""
    return [str(name) for name in frame.columns if bare(str(name)) in USUAL["label"].split()]


def naming_images(frame: pd.DataFrame, file: Path, *, quiet: bool = False, **given: str | None) -> str | None:
    """The path column that is `given` or called so, else one whose values name images; unless `quiet` told.

    As a patient's number does in data of one file for each. Of several, it is the one of most values. Where
    there is no header, it is one whose first value ends as images' names do, be they there or not. Failing
    that, it is one of identifiers that DICOM files below the table's folder have.
    """
    known = columns(frame, file, (), **given)
    if known["path"] is not None:
        return known["path"]
    where = Places(file.parent, strict=False)
    others = {name for what, name in known.items() if what != "patient"}
    values = {str(c): filled(frame[c]).dropna().unique() for c in frame.columns if c not in others}
    bare = list(frame.columns) == [_NO_HEADING.format(i) for i in range(1, 1 + len(frame.columns))]
    named = {c: values[c] for c in values if bare and _is_named_so(frame[c].iloc[0])}
    values = named or values
    for column in sorted(values, key=lambda column: -len(values[column])):
        first = [where.find(value) for value in values[column][:TRIED]]
        there = sum(os.path.isfile(path) and is_image(path) for path in first)  # noqa: PTH113 - too long
        if there and 2 * there >= len(first):
            if not quiet:
                print(
                    f"neumo: {file}: takes column {column!r} for paths, as it names images", file=sys.stderr
                )
            return column
    if named:
        return next(iter(named))
    return _in_headers(values, where, file, quiet=quiet)


def _in_headers(values: dict[str, Any], where: Places, file: Path, *, quiet: bool) -> str | None:
    """The column that is called as an identifier and has those of DICOM files beside a table."""
    called = {element_of(column): column for column in reversed(values)}
    for element in filter(called.__contains__, ELEMENTS):
        column = called[element]
        if any(where.is_there(where.find(name)) for name in values[column][:TRIED]):
            continue
        found = identified(where.images, element)
        there = [bool(found.of(name)) for name in values[column]]
        first, files = there[:TRIED], sum(there)
        if files and (2 * sum(first) >= len(first) or 2 * files >= len(found.files)):
            if not quiet:
                said = f"looks for {column!r} in DICOM headers, as no file is called so"
                print(f"neumo: {file}: {said}", file=sys.stderr)
            return column
    return None


def is_listing(file: Path, given: Mapping[str, str | None], *, search: bool = False) -> bool:
    """Whether a file is a table with a column of labels and one of paths, `given` or called so.

    Args:
        file: what it is about.
        given: names of columns, by what they hold.
        search: a column whose values name images is one of paths, too.
    """
    try:
        frame = load(file, quiet=True)
        path = naming_images(frame, file, quiet=True, **given) if search else given.get("path")
        columns(frame, file, ("path", "label"), **{**given, "path": path})
    except (NeumoError, OSError):
        return False
    return True


def is_headed(file: Path, headings: Collection[str]) -> bool:
    """Whether a file's first line has all of these headings between commas, as it has where it is a CSV."""
    try:
        with file.open(encoding="utf-8-sig") as text:
            first = text.readline()
    except (OSError, UnicodeDecodeError):
        return False
    return set(headings) <= {heading.strip().strip('"') for heading in first.split(",")}


def filled(values: pd.Series, but: Sequence[str] = ()) -> pd.Series:
    """Texts without spaces around them, NA where nothing is left or one of `but`."""
    bare = values.str.strip()
    return bare.mask(bare.isin(["", *but]))


def _from_csv(file: Path, *, quiet: bool) -> pd.DataFrame:
    text = _without_blank_lines(_text_of(file, quiet=quiet))
    if told := re.match(r'"?sep=(.)"?\r?\n', text, re.IGNORECASE):  # Excel's own
        separator, text = told[1], _without_blank_lines(text[told.end() :])
    else:
        first_line = re.findall(r"\A[^\r\n]*", text)[0]
        separator = max(",;\t", key=first_line.count)
        if separator not in first_line and "|" in first_line:  # beside others, it is between findings
            separator = "|"
    options: dict[str, Any] = {}
    with contextlib.suppress(csv.Error):
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        header, longest = next(rows, []), 0
        for number, row in enumerate(filter(None, rows), 1):
            if any(cell.strip() for cell in row[len(header) :]):
                raise NeumoError(
                    f"{file}: got {len(row)} values in row {number}, expected {len(header)} as in the first "
                    f"line; a text with {separator!r} in it needs quotes around it"
                )
            longest = max(longest, len(row))
        first: int | None = 0
        if _is_row(header, file.parent):
            header, first = [_NO_HEADING.format(i) for i in range(1, 1 + len(header))], None
        if first is None or longest > len(header):  # separators at the end of rows
            empty = [f"empty {i}" for i in range(longest - len(header))]
            options = {"names": [*header, *empty], "header": first, "usecols": range(len(header))}
    return pd.read_csv(
        io.StringIO(text),
        sep=separator,
        dtype="str",
        skipinitialspace=True,
        keep_default_na=False,  # a class may be called None, a patient NA
        na_values=[""],
        index_col=False,
        **options,
    )


def _text_of(file: Path, *, quiet: bool) -> str:
    """The text of a file, in UTF-8, in UTF-16 by its mark, or else in Windows-1252, which is told."""
    text = _decoded(_unpacked(file) if file.suffix.lower() == ".gz" else file.read_bytes(), file, quiet=quiet)
    if "\0" in text:
        raise NeumoError(
            f"{file}: got text with NULs in it, as UTF-16 without its mark has, expected a CSV in UTF-8, or "
            "in UTF-16 with its mark"
        )
    return text


def _unpacked(file: Path) -> bytes:
    parts, size = [], 0
    with gzip.open(file) as packed:
        while part := packed.read(1 << 20):
            size += len(part)
            if size > _LARGEST:
                raise NeumoError(
                    f"{file}: got over {_LARGEST:,} bytes of text when uncompressed, expected fewer; larger "
                    "tables are read uncompressed"
                )
            parts.append(part)
    return b"".join(parts)


def _decoded(content: bytes, file: Path, *, quiet: bool) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in content:
            raise
        text = content.decode("cp1252")
    if not quiet:
        print(f"neumo: {file}: takes the text for Windows-1252, as it is not UTF-8", file=sys.stderr)
    return text


def _without_blank_lines(text: str) -> str:
    """A text from its first line on that is not blank."""
    return re.sub(r"\A(?:[^\S\r\n]*[\r\n])+", "", text)


def _is_row(first: Sequence[str], folder: Path) -> bool:
    """Whether a table's first line is a row: it names an image, and has no usual heading beside that."""
    others = [cell for cell in first if not _names_image(cell.strip(), folder)]
    usual = {name for names in USUAL.values() for name in names.split()} - _VALUES
    return len(others) < len(first) and not any(bare(cell) in usual for cell in others)


def _names_image(text: str, folder: Path) -> bool:
    """Whether a text is an image's name: ends so, or there is one in `folder` or in the working folder."""
    places = (folder / text, Path(text)) if text else ()
    return _is_named_so(text) or any(os.path.isfile(path) and is_image(path) for path in places)  # noqa: PTH113


def _is_named_so(text: object) -> bool:
    """Whether a text ends as names of images do."""
    return isinstance(text, str) and Path(text.strip()).suffix.lower() in IMAGE_SUFFIXES


def _joined(cell: object) -> object:
    """The findings of a cell that is a list, as in Parquet, between bars; other cells as they are."""
    return cell if isinstance(cell, str) or not hasattr(cell, "__iter__") else "|".join(map(str, cell))


def _unreadable(file: Path, error: Exception) -> str:
    why = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "got more than fits into memory, expected a smaller table"
    if file.suffix.lower() in {".parquet", ".pq"}:
        return f"got something that is not Parquet ({why}), expected a Parquet file"
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return f"got something that is not gzip ({why}), expected a CSV, compressed"
    if isinstance(error, UnicodeDecodeError):
        return "got bytes that are not UTF-8 text, expected a CSV with a path and a label column"
    if isinstance(error, pd.errors.EmptyDataError):
        return "got an empty file, expected a CSV with a path and a label column"
    return f"got text that is not a table ({why}), expected a CSV with a path and a label column"
