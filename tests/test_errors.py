"""What users are told stays short."""

from __future__ import annotations

import pickle

from neumo.errors import UnreadableImageError


def test_what_a_decoder_says_is_cut() -> None:
    said = "invalid literal " + repr(bytes(range(256)))
    error = UnreadableImageError("a.dcm", "a broken DICOM file", "a DICOM radiograph", said)
    assert error.detail == said[:117] + "..."
    assert str(error) == f"a.dcm: got a broken DICOM file ({said[:117]}...), expected a DICOM radiograph"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
