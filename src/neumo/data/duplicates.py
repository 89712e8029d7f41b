"""Images that are in a data set more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from neumo.data.inspections import inspect_images
from neumo.progress import track
from neumo.threads import in_threads

NEAR = 24  # bits of 256 in which the perceptual hashes of near-identical images differ at most
_ROWS, _COLUMNS = 16, 16384  # hashes compared at a time: what is computed of them fits a processor's cache


def identical_groups(table: pd.DataFrame) -> pd.Series:
    """Group ids of byte-identical images: Int64 on the table's index, NA where a file is the only one."""
    codes, _ = pd.factorize(table["sha256"])
    return _numbered(codes, table.index)


def near_identical_groups(table: pd.DataFrame, seen: pd.DataFrame | None = None) -> pd.Series:
    """Group ids of images that show the same picture: Int64 on the table's index, NA where there is no other.

    Two images are near-identical when their perceptual hashes (`imagehash.phash`, 16 x 16, 256 bits) differ
    in at most 24 bits; chains of such pairs make one group. Byte-identical images are always in one group;
    blank images, and those that cannot be decoded, are with no others.

    How 24 was chosen, measured by ``benchmarks/near_identical.py`` on the 5,903 CoronaHack images of 224 x
    224 pixels (17.4 million pairs): the nearest pair of different files (12 bits apart) is one radiograph
    published twice, the next nearest are different children (36, 38, 40, 42 ... bits), and of different
    classes the nearest are 42 apart. Of 300 images that were changed, within 24 bits of the original: JPEG
    quality 20, half the size, noise of 5 grey levels, brightness +20 %, contrast -20 %, gamma 1.5 all; 2 %
    cropped 93 %; turned by 1 degree 74 %; 4 % cropped 4 %; a marker pasted in 1 %; mirrored or inverted
    none. Hashes of 8 x 8 will not do: 38 pairs of different classes differ in at most 4 of 64 bits.

    Images are decoded in threads and remembered (see `neumo.data.inspections.inspect_images`); hashes are
    compared exhaustively: for 100,000 images 13 s of processor time (the same benchmark).

    Args:
        table: columns path, sha256.
        seen: of the same images, as from `inspect_images`, where that is there already.
    """
    seen = inspect_images(table) if seen is None else seen
    usable = (seen["phash"] != b"") & ~seen["problems"].map(lambda problems: "blank" in problems)
    content, _ = pd.factorize(table["sha256"])
    which, distinct = pd.factorize(seen["phash"][usable])
    hashes = np.frombuffer(b"".join(distinct), dtype=np.uint64).reshape(-1, 4)
    codes = len(table) + content
    codes[usable.to_numpy()] = components(_links(hashes, NEAR), len(hashes))[which]
    return _numbered(codes, table.index)


def close_pairs(hashes: np.ndarray, most: int) -> np.ndarray:
    """All pairs of hashes that differ in at most `most` bits.

    Args:
        hashes: uint64 (n, 4), 256 bits each.
        most: number of bits.

    Returns:
        int64 (pairs, 2), each pair once, the smaller index first.
    """
    return np.concatenate([np.empty((0, 2), np.int64), *_in_blocks(hashes, most)])


def _links(hashes: np.ndarray, most: int) -> np.ndarray:
    """Some of the pairs of `close_pairs`, which make the same groups; of many close images, not all pairs."""
    n = len(hashes)

    def thinned(pairs: np.ndarray) -> np.ndarray:
        if len(pairs) < n:
            return pairs
        group = components(pairs, n)
        first = np.unique(group, return_index=True)[1][group]
        return np.column_stack([first, np.arange(n)])[first != np.arange(n)]

    links, fresh = np.empty((0, 2), np.int64), []
    for pairs in _in_blocks(hashes, most, thinned):
        fresh.append(pairs)
        if sum(map(len, fresh)) > max(n, len(links)):
            links, fresh = thinned(np.concatenate([links, *fresh])), []
    return np.concatenate([links, *fresh])


def _in_blocks(
    hashes: np.ndarray, most: int, then: Callable[[np.ndarray], np.ndarray] = lambda pairs: pairs
) -> Iterator[np.ndarray]:
    """The close pairs, block by block, as `then` makes them."""
    halves = np.ascontiguousarray(hashes.T[2:])
    starts = range(0, len(hashes), _ROWS)
    blocks = in_threads(lambda start: then(_compare(hashes, halves, most, start)), starts)
    return track(blocks, "Comparing images", total=len(starts))


def _compare(hashes: np.ndarray, halves: np.ndarray, most: int, start: int) -> np.ndarray:
    """The close pairs whose first is one of the `_ROWS` hashes from `start` on."""
    third, fourth = halves
    rows = slice(start, start + _ROWS)
    found = []
    for other in range(start, len(hashes), _COLUMNS):
        columns = slice(other, other + _COLUMNS)
        # fine structure differs the most between chests: half of the bits rule out nearly all pairs
        half = np.bitwise_count(third[rows, None] ^ third[None, columns])
        half += np.bitwise_count(fourth[rows, None] ^ fourth[None, columns])
        a, b = np.divmod(np.flatnonzero(half <= most), half.shape[1])
        a, b = a + start, b + other
        near = np.bitwise_count(hashes[a] ^ hashes[b]).sum(axis=1, dtype=np.int64) <= most
        found.append(np.column_stack([a, b])[near & (a < b)])
    return np.concatenate(found)


def components(pairs: np.ndarray, n: int) -> np.ndarray:
    """Number the connected components of `n` nodes that `pairs`, int (pairs, 2), link: int (n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(links, directed=False)[1]


def _numbered(codes: np.ndarray, index: pd.Index) -> pd.Series:
    """Codes of groups of two or more, numbered from 0 in the order of the rows; NA for the others."""
    of_row = pd.Series(codes, index=index)
    several = of_row.duplicated(keep=False)
    numbers = pd.Series(pd.NA, index=index, dtype="Int64")
    numbers[several] = pd.factorize(of_row[several])[0]
    return numbers
