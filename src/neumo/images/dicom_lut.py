"""Values through a lookup table of a DICOM file.

Not by pydicom 3, which counts entries of 8 bits in 8 bits, so that a table of 4,096 of them is read from its
start again after 256, and knows neither packed entries nor a modality LUT of 9 to 15 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset


def lookup_table(dataset: Dataset, sequence: str) -> Dataset | None:
    """The first table of a sequence of them; None where there is none, or none with entries."""
    tables = dataset.get(sequence)
    return tables[0] if tables and tables[0].get("LUTData") else None


def look_up(values: np.ndarray, table: Dataset, ends: np.ndarray, *, little_endian: bool) -> np.ndarray:
    """What a table makes of values (DICOM PS3.3 C.11.1.1.1 and C.11.2.1.1).

    Args:
        values: integers; those before the first that the table maps get the first entry, beyond the last the
            last.
        table: its LUT Descriptor and LUT Data, in bytes or numbers, as pydicom reads them.
        ends: least and largest value that the table can be given.
        little_endian: how the file's bytes are ordered.

    Returns:
        Int64, as `values`; at most `most_of` the table.

    Raises:
        ValueError: it has fewer entries than its descriptor says, or of no number of bits that they can have.
    """
    count, first, _ = table.LUTDescriptor
    first, count = signed_as(first, ends), count % 2**16 or 2**16
    data = table.LUTData
    if isinstance(data, bytes):
        words = np.frombuffer(data, "<u2" if little_endian else ">u2", len(data) // 2)
    else:
        words = np.atleast_1d(np.asarray(data, np.int64))
    entries = words.astype("<u2")
    if most_of(table) < 256 and len(entries) < count:  # two in each word, the first in its low byte
        entries = entries.view(np.uint8)
    if len(entries) < count:
        raise ValueError(f"a lookup table of {len(entries):,} entries that should have {count:,}")
    return entries[np.clip(values - first, 0, count - 1)].astype(np.int64)


def signed_as(value: int, ends: np.ndarray) -> int:
    """A number of 16 bits, read as signed or not, the way that puts it between `ends`, or as it was read.

    The standard lets such an element have the sign of the pixels that it is about, and not all files do.
    """
    other = value + 2**16 if value < 0 else value - 2**16 if value >= 2**15 else value
    return value if ends[0] <= value <= ends[1] or not ends[0] <= other <= ends[1] else other


def most_of(table: Dataset) -> int:
    """The largest value that an entry can have.

    Raises:
        ValueError: that would be none.
    """
    bits = int(table.LUTDescriptor[2])
    if not 1 <= bits <= 16:
        raise ValueError(f"a lookup table of {bits} bits an entry")
    return 2**bits - 1
