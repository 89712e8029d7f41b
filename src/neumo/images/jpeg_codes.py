"""Whether the codes of a lossless JPEG are whole: GDCM makes up what is missing, and decodes on."""

from __future__ import annotations

import re

import numpy as np

from neumo.images.jpeg_layout import segments

_TOGETHER = 1 << 16  # bytes of codes that are looked up at once; each takes a few dozen bytes of memory
_END = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")  # any marker but those between restart intervals
_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")


def check_codes(jpeg: bytes) -> None:
    """Refuse a lossless picture (T.81, annex H) of which not each sample has its Huffman code, and no other.

    Raises:
        ValueError: some are missing, left over or unknown, or it is no such picture of one component.
    """
    lengths: dict[int, np.ndarray] = {}
    samples = interval = 0
    for marker, content, end in segments(jpeg):
        if marker == 0xC4:
            lengths |= _lengths(content)
        elif marker == 0xDD:
            interval = int.from_bytes(content[:2])
        elif marker == 0xC3:
            samples = int.from_bytes(content[1:3]) * int.from_bytes(content[3:5])
        elif marker == 0xDA and samples and content[0] == 1:
            stop = _END.search(jpeg, end)
            codes = jpeg[end : stop.start() if stop else len(jpeg)]
            restarts = (samples - 1) // interval if interval else 0
            if [marker[-1] & 7 for marker in _RESTART.findall(codes)] != [i % 8 for i in range(restarts)]:
                raise ValueError("restart intervals that are not all there")
            for part in _RESTART.split(codes):
                some = min(interval or samples, samples)
                _check_part(part.replace(b"\xff\0", b"\xff"), some, lengths[content[2] >> 4])
                samples -= some
            return
    raise ValueError("no lossless scan of one component")


def _lengths(content: bytes) -> dict[int, np.ndarray]:
    """What `_check_part` needs of the Huffman tables in a DHT segment (T.81, annex C), by destination."""
    found = {}
    at = 0
    while at < len(content):
        lengths = np.repeat(np.arange(1, 17), list(content[at + 1 : at + 17]))
        categories = np.frombuffer(content, np.uint8, len(lengths), at + 17)
        spans = 1 << (16 - lengths)  # of the numbers of 16 bits that begin with a code
        if spans.sum() > 1 << 16 or max(categories, default=0) > 16:
            raise ValueError("a Huffman table that is none")
        table = np.zeros(1 << 16, np.uint8)
        table[: spans.sum()] = np.repeat(lengths + categories % 16, spans)
        found[content[at]] = table
        at += 17 + len(lengths)
    return found


def _check_part(data: bytes, samples: int, lengths: np.ndarray) -> None:
    """Refuse a restart interval of more or fewer samples.

    Args:
        data: without stuffed bytes.
        samples: that it should have.
        lengths: of a code with the difference behind it, in bits, by the 16 bits that begin there; 0 where
            there is no such code.
    """
    at = 0
    for start in range(0, len(data), _TOGETHER):
        size = 8 * min(_TOGETHER, len(data) - start)
        steps = lengths[_windows(data[start : start + _TOGETHER + 2])[:size]].tobytes()
        while at < size and samples:
            if not (step := steps[at]):
                raise ValueError("an unknown code")
            at += step
            samples -= 1
        at -= size
    if samples or not -8 < at <= 0:
        raise ValueError("codes of more or fewer samples than there should be")


def _windows(data: bytes) -> np.ndarray:
    """The 16 bits that begin at each bit, uint32 (8 * len(data),); ones follow the end."""
    padded = np.frombuffer(data + b"\xff\xff", np.uint8).astype(np.uint32)
    words = padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]
    return ((words[:, None] >> np.arange(8, 0, -1, dtype=np.uint32)) & 0xFFFF).ravel()
