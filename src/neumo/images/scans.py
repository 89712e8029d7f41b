"""How often a JPEG goes through all of its picture."""

MAX_SCANS = 64  # of a progressive JPEG, which has about ten; each goes through all of the picture once more


def too_many_scans(data: bytes) -> bool:
    """Whether a JPEG, or the frame of a DICOM file, would take far longer to decode than its size tells.

    A start of scan (ITU-T T.81, B.1.1.3) cannot stand in the coded data, only where it is meant or in a
    preview, which has few.
    """
    return data.count(b"\xff\xda") > MAX_SCANS
