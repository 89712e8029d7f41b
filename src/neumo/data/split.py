"""The three protocols that divide a data set into training, validation and test part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd

from neumo.data.table import check_table
from neumo.errors import NeumoError, TooFewImagesError, as_number, told

PARTS = ("train", "validation", "test")
CLASSES = ("normal", "pneumonia")
"""The class of label 0, of label 1."""

SEEDS = f"whole numbers from 0 to {2**32 - 1}"
"""What seeds of draws are, as scikit-learn and NumPy take them."""

_DRAWS = 100
"""Random orders tried in search of a grouped part of exactly the size asked for."""


@dataclass(frozen=True)
class Protocol:
    """One way to choose the images that a classifier is tested on.

    Attributes:
        name: as given on the command line.
        meaning: one plain sentence for a reader of the results.
        grouped: whether the validation part is drawn by whole groups rather than by single images.
        draw: table (n rows), group ids (n,), fraction, seed -> bool (n,), true for the test part.
        lacks: what the data set would need and does not have, or None.
    """

    name: str
    meaning: str
    grouped: bool
    draw: Callable[[pd.DataFrame, np.ndarray, float, int], np.ndarray]
    lacks: Callable[[pd.DataFrame], str | None] = lambda table: None


def _draw_images(table: pd.DataFrame, groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Single images, stratified by label: scikit-learn's ``train_test_split`` as the study used it."""
    from sklearn.model_selection import train_test_split

    drawn = np.zeros(len(table), bool)
    try:
        rows = np.arange(len(table))
        _, chosen = train_test_split(rows, test_size=fraction, stratify=table["label"], random_state=seed)
    except ValueError:  # fewer images than classes on one side: an empty part, which `split` reports
        return drawn
    drawn[chosen] = True
    return drawn


def _draw_groups(table: pd.DataFrame, groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Whole groups, so that each class gives as nearly as possible `fraction` of its images.

    Groups come in random order and each is taken if that brings the part nearer to the number of images
    wanted of both classes. The first of `_DRAWS` orders that meets them exactly is used, else the nearest.
    """
    sizes = np.zeros((groups.max() + 1, 2), int)
    np.add.at(sizes, (groups, table["label"].to_numpy()), 1)
    normal, pneumonia = (int(n) for n in sizes.sum(0))
    want = [round(fraction * n) for n in (normal, pneumonia)]
    rng = np.random.default_rng(seed)

    def distance(a: int, b: int) -> float:
        without = (a in (0, normal)) + (b in (0, pneumonia))  # a class without an image on one side
        return without + abs(a - want[0]) / (2 * normal or 1) + abs(b - want[1]) / (2 * pneumonia or 1)

    best, nearest = np.zeros(len(sizes), bool), distance(0, 0)
    for _ in range(_DRAWS):
        taken, a, b, off = np.zeros(len(sizes), bool), 0, 0, distance(0, 0)
        for group in rng.permutation(len(sizes)):
            more_a, more_b = int(sizes[group, 0]), int(sizes[group, 1])
            if (nearer := distance(a + more_a, b + more_b)) < off:
                taken[group], a, b, off = True, a + more_a, b + more_b, nearer
        if off < nearest:
            best, nearest = taken, off
        if nearest == 0:
            break
    return best[groups]


def _draw_official(table: pd.DataFrame, groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    return (table["official"] == "test").fillna(False).to_numpy(bool)


def _lacks_official(table: pd.DataFrame) -> str | None:
    test = _draw_official(table, np.empty(0), 0, 0)
    whole = table["label"][test].nunique() == table["label"][~test].nunique() == 2
    return None if whole else "a test set of the data set's own and images beside it, of both classes each"


def _lacks_patients(table: pd.DataFrame) -> str | None:
    known = table["patient"].notna().mean() >= 0.5
    return None if known else "images whose patient is known, at least half of them"


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "random",
            "All images are mixed and some are drawn for the test, so that other images of a tested patient "
            "may have been trained on.",
            grouped=False,
            draw=_draw_images,
        ),
        Protocol(
            "official",
            "The test is the data set's own test set, which its makers set apart.",
            grouped=True,
            draw=_draw_official,
            lacks=_lacks_official,
        ),
        Protocol(
            "patient",
            "Patients are drawn for the test with all their images, so that none of them was trained on; an "
            "image of an unknown patient counts as one.",
            grouped=True,
            draw=_draw_groups,
            lacks=_lacks_patients,
        ),
    )
}


def split(
    table: pd.DataFrame,
    protocol: str = "random",
    *,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.2,
    seed: int = 0,
    groups: pd.Series | None = None,
) -> pd.DataFrame:
    """Divide the images of a data set into training, validation and test part.

    The draw depends on the images and the seed, not on the order of the rows.

    Args:
        table: the images; columns path, label, patient, official, sha256.
        protocol: a name in `PROTOCOLS`.
        test_fraction: share of the images to test on, between 0 and 1; "official" does not use it.
        validation_fraction: share of the training part that is set apart for validation, 0 for none. It is
            drawn before balancing, stratified by label; in "official" and "patient" by whole groups.
        seed: of the draws, from 0 to 2**32 - 1.
        groups: further ids, on the table's index, of images that belong together, NA for none; for example
            from `neumo.data.duplicates.near_identical_groups`. See `together`.

    Returns:
        The table with a column `part`: "train", "validation" or "test".

    Raises:
        NeumoError: the data set or an argument does not allow such a division.
        TooFewImagesError: a part would have no image of a class.

    Example:
        >>> split(neumo.read("chest_xray").table, "patient", seed=1).groupby("part").size()
    """
    chosen = PROTOCOLS.get(protocol)
    if chosen is None:
        raise NeumoError(f"protocol: got {protocol!r}, expected one of {', '.join(PROTOCOLS)}")
    # scikit-learn takes no float32
    test_fraction = as_number(
        "test fraction", test_fraction, lambda share: 0 < share < 1, "a number between 0 and 1"
    )
    validation_fraction = as_number(
        "validation fraction",
        validation_fraction,
        lambda share: 0 <= share < 1,
        "0 or a number between 0 and 1",
    )
    if not is_seed(seed):
        raise NeumoError(f"seed: got {seed}, expected one of the {SEEDS}")
    check_table(table, "path", "label", "patient", "official", "sha256")
    _check_classes(table)
    if missing := chosen.lacks(table):
        raise NeumoError(f"{protocol} protocol: expected {missing}, got a data set without")

    group_ids = together(table, groups)
    order = np.lexsort([table[column].to_numpy(object).astype(str) for column in ("path", "sha256")])
    rows = table.iloc[order]
    group_ids = pd.factorize(group_ids[order])[0]  # numbered in the order of the draw
    part = np.full(len(rows), "train", dtype=object)
    part[chosen.draw(rows, group_ids, test_fraction, seed)] = "test"
    if validation_fraction:
        train = np.flatnonzero(part == "train")
        if len(train):
            draw = _draw_groups if chosen.grouped else _draw_images
            ids = pd.factorize(group_ids[train])[0]
            part[train[draw(rows.iloc[train], ids, validation_fraction, seed)]] = "validation"

    back = np.empty_like(part)
    back[order] = part
    divided = table.assign(part=pd.Series(back, index=table.index, dtype="str"))
    wanted = PARTS if validation_fraction else ("train", "test")
    if gap := lacking(divided, wanted):
        of_class = rows["label"].to_numpy() == gap[1]
        held = f" in {len(set(group_ids[of_class]))} inseparable groups" if chosen.grouped else ""
        raise TooFewImagesError(
            f"{protocol} protocol: got {of_class.sum()} {CLASSES[gap[1]]} images{held}, expected enough to "
            f"have some in each of {', '.join(wanted)} (test fraction {test_fraction}, validation fraction "
            f"{validation_fraction})"
        )
    return divided


def is_seed(value: object) -> bool:
    """Whether this is one of the `SEEDS`."""
    return isinstance(value, Integral) and 0 <= int(value) < 2**32


def with_validation(divided: pd.DataFrame, fraction: float, seed: int = 0) -> pd.DataFrame:
    """Draw a validation part from the training part of a split that has none; another is left as it is.

    Where the patients of most images are known and none is both in test and training part, whole patients are
    drawn, with all images of the same bytes, as `split` does by "patient"; otherwise single images.

    Args:
        divided: the table with its column "part", as `neumo split` lays out by default.
        fraction: share of the training part, stratified by label.
        seed: of the draw.

    Raises:
        NeumoError: the training part is too small, or has too few patients.
    """
    if (divided["part"] == "validation").any():
        return divided
    train = divided[divided["part"] == "train"].drop(columns="part").reset_index()
    apart = PROTOCOLS["patient"].lacks(train) is None and not patients_on_both_sides(divided)
    protocol = "patient" if apart else "random"
    drawn = split(train, protocol, test_fraction=fraction, validation_fraction=0, seed=seed)
    completed = divided.copy()
    completed.loc[drawn.loc[drawn["part"] == "test", "index"], "part"] = "validation"
    return completed


def every_split(
    table: pd.DataFrame,
    seeds: Sequence[int] = (0,),
    *,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.2,
    groups: pd.Series | None = None,
) -> tuple[dict[tuple[str, int], pd.DataFrame], dict[str, NeumoError]]:
    """Divide a data set by every protocol that it allows with all of these seeds.

    Returns:
        (protocol, seed) -> `split`, seed by seed; and of the other protocols name -> why.
    """
    found: dict[tuple[str, int], pd.DataFrame] = {}
    reasons: dict[str, NeumoError] = {}
    shares = {"test_fraction": test_fraction, "validation_fraction": validation_fraction}
    for seed in seeds:
        for name in PROTOCOLS:
            try:
                if name not in reasons:
                    found[name, seed] = split(table, name, **shares, seed=seed, groups=groups)
            except NeumoError as error:
                reasons[name] = error
    return {(name, seed): one for (name, seed), one in found.items() if name not in reasons}, reasons


def together(table: pd.DataFrame, groups: pd.Series | None = None) -> np.ndarray:
    """Number the images that must not be separated: int (n,), the same number for one group.

    Images belong together when they are of one patient, have the same bytes or share an id in `groups`, and
    when a chain of such images links them. An image without any of these is a group of its own.

    Raises:
        NeumoError: `groups` is not on the index of `table`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if groups is not None and not (isinstance(groups, pd.Series) and groups.index.equals(table.index)):
        got = f"{len(groups)} ids on another index" if isinstance(groups, pd.Series) else told(groups)
        raise NeumoError(f"groups: got {got}, expected one for each of {len(table)} rows")
    n = nodes = len(table)
    ends: list[tuple[np.ndarray, np.ndarray]] = []
    for column in (table["patient"], table["sha256"], *([] if groups is None else [groups])):
        codes, values = pd.factorize(column)
        known = np.flatnonzero(codes >= 0)
        ends.append((known, nodes + codes[known]))
        nodes += len(values)
    start, end = (np.concatenate(side) for side in zip(*ends, strict=True))
    _, component = connected_components(coo_array((np.ones(len(start)), (start, end)), (nodes, nodes)), False)
    return component[:n]


def part_counts(split: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images per part that has any, in the order of `PARTS`, then per class."""
    return {
        part: {
            name: int((split["label"][split["part"] == part] == i).sum()) for i, name in enumerate(CLASSES)
        }
        for part in PARTS
        if (split["part"] == part).any()
    }


def patients_on_both_sides(split: pd.DataFrame) -> int:
    """Known patients of the test part who are in the training or validation part as well."""
    test = split["part"] == "test"
    return len(set(split["patient"][test].dropna()) & set(split["patient"][~test].dropna()))


def copied_images(split: pd.DataFrame, groups: pd.Series) -> int:
    """Images of the test part that have a copy in the training or validation part.

    Args:
        split: the table with its column `part`.
        groups: as from `neumo.data.duplicates.near_identical_groups`, on its index.
    """
    test = split["part"] == "test"
    return int(groups[test].dropna().isin(groups[~test].dropna()).sum())


def _check_classes(table: pd.DataFrame) -> None:
    labels = table["label"]
    if not labels.isin((0, 1)).all():
        raise NeumoError(
            f"got {(~labels.isin((0, 1))).sum()} images without a label, expected every image to be "
            f"{' or '.join(CLASSES)}"
        )
    if labels.nunique() != 2:
        got = " and ".join(f"{(labels == i).sum()} {name}" for i, name in enumerate(CLASSES))
        raise NeumoError(f"got {got} images, expected images of both classes")


def lacking(split: pd.DataFrame, parts: tuple[str, ...] | list[str]) -> tuple[str, int] | None:
    """The first part without an image of a class, with that class; of both classes, the rarer one."""
    have = set(zip(split["part"], split["label"], strict=True))
    rarer_first = sorted((0, 1), key=lambda label: int((split["label"] == label).sum()))
    return next(((part, label) for label in rarer_first for part in parts if (part, label) not in have), None)
