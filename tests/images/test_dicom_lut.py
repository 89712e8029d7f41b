"""Lookup tables, entry by entry; whole files with them are in `tests.images.test_dicom`."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset

from neumo.images.dicom_lut import look_up, lookup_table, most_of


def table(descriptor: list[int], data: bytes | list[int]) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if descriptor[1] < 0 else "US", descriptor)
    item.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    return item


def test_values_outside_get_the_entries_at_the_ends() -> None:
    ends = np.array([-10, 10])
    one = table([3, -1, 10], [100, 200, 300])
    found = look_up(np.array([-10, -2, -1, 0, 1, 2, 10]), one, ends, little_endian=True)
    assert found.tolist() == [100, 100, 100, 200, 300, 300, 300]
    assert most_of(one) == 1023


def test_the_order_of_bytes_is_the_files() -> None:
    values, ends = np.array([0, 1]), np.array([0, 1])
    one = table([2, 0, 16], bytes([1, 2, 3, 4]))
    assert look_up(values, one, ends, little_endian=True).tolist() == [0x0201, 0x0403]
    assert look_up(values, one, ends, little_endian=False).tolist() == [0x0102, 0x0304]


def test_an_odd_number_of_entries_of_a_byte_is_filled_up() -> None:
    found = look_up(np.arange(4), table([3, 0, 8], bytes([7, 8, 9, 0])), np.array([0, 3]), little_endian=True)
    assert found.tolist() == [7, 8, 9, 9]


@pytest.mark.parametrize("count", [0, 65535])
def test_a_count_of_none_is_all_that_sixteen_bits_can_say(count: int) -> None:
    data = np.arange(65536, dtype="<u2").tobytes()
    one = table([count, 0, 16], data)
    found = look_up(np.array([65534, 65535]), one, np.array([0, 65535]), little_endian=True)
    assert found.tolist() == [65534, 65534 if count else 65535]


def test_a_first_value_below_the_sign_bit_reads_one_way() -> None:
    one = table([3, 0, 10], [100, 200, 300])
    found = look_up(np.array([-65536, -65535, -1024]), one, np.array([-66559, -1024]), little_endian=True)
    assert found.tolist() == [100, 100, 100]  # all before the first value that the table maps


def test_a_sequence_without_entries_is_no_table() -> None:
    dataset, empty = Dataset(), Dataset()
    assert lookup_table(dataset, "VOILUTSequence") is None
    empty.LUTDescriptor = [0, 0, 16]
    dataset.VOILUTSequence = [empty]
    assert lookup_table(dataset, "VOILUTSequence") is None
    dataset.VOILUTSequence = [table([1, 0, 16], [5])]
    assert lookup_table(dataset, "VOILUTSequence") == dataset.VOILUTSequence[0]
