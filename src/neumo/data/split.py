"""The three protocols that divide a data set into training, validation and test part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from os.path import commonpath
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from neumo.errors import NeumoError, TooFewImagesError
from neumo.files import whole_file

PARTS = ("train", "validation", "test")
CLASSES = ("normal", "pneumonia")
"""The class of label 0, of label 1."""

SEEDS = f"whole numbers from 0 to {2**32 - 1}"
"""What seeds of draws are, as scikit-learn and NumPy take them."""

_COLUMNS = ["path", "sha256", "label", "part"]
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
            "Patients are drawn for the test with all their images, so that none of them was trained on.",
            grouped=True,
            draw=_draw_groups,
            lacks=lambda table: None if table["patient"].notna().any() else "images whose patient is known",
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
    if not 0 < test_fraction < 1:
        raise NeumoError(f"test fraction: got {test_fraction}, expected a number between 0 and 1")
    if not 0 <= validation_fraction < 1:
        raise NeumoError(
            f"validation fraction: got {validation_fraction}, expected 0 or a number between 0 and 1"
        )
    if not is_seed(seed):
        raise NeumoError(f"seed: got {seed}, expected one of the {SEEDS}")
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
    if gap := _gap(divided, wanted):
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

    Where the split has no patient both in test and training part, whole patients are drawn, with all images
    of the same bytes, as `split` does by "patient"; otherwise single images.

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
    apart = train["patient"].notna().any() and not patients_on_both_sides(divided)
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
) -> tuple[dict[tuple[str, int], pd.DataFrame], dict[str, str]]:
    """Divide a data set by every protocol that it allows with all of these seeds.

    Returns:
        (protocol, seed) -> `split`, seed by seed; and of the other protocols name -> why, in one line.
    """
    found: dict[tuple[str, int], pd.DataFrame] = {}
    reasons: dict[str, str] = {}
    shares = {"test_fraction": test_fraction, "validation_fraction": validation_fraction}
    for seed in seeds:
        for name in PROTOCOLS:
            try:
                if name not in reasons:
                    found[name, seed] = split(table, name, **shares, seed=seed, groups=groups)
            except NeumoError as error:
                reasons[name] = str(error)
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

    if groups is not None and not groups.index.equals(table.index):
        raise NeumoError(
            f"groups: got {len(groups)} ids on another index, expected one for each of {len(table)} rows"
        )
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


def save_split(split: pd.DataFrame, file: str | Path) -> None:
    """Save a split as CSV or Parquet, by the suffix of `file`: columns path, sha256, label, part.

    Paths are relative to the folder that holds all images, so that the file holds on another machine.

    Raises:
        NeumoError: another suffix.
    """
    saved = split[["sha256", "label", "part"]].assign(path=_relative(split))[_COLUMNS]
    _check_suffix(file)
    with whole_file(file) as part:
        if Path(file).suffix.lower() == ".csv":
            saved.to_csv(part, index=False)
        else:
            saved.to_parquet(part, index=False)


def load_split(file: str | Path, table: pd.DataFrame) -> pd.DataFrame:
    """Give `table` the column `part` that was saved, after a check that it is about the same images.

    Args:
        file: written by `save_split`; its column `part` may have been edited.
        table: the images as read now, in any order, wherever the data set lies.

    Raises:
        NeumoError: the file cannot be read or lacks a column; a part has another name than those in `PARTS`;
            an image is in one of the two only, has other bytes or another label; a part lacks a class.
    """
    saved = _read(file)
    first = 2 if Path(file).suffix.lower() == ".csv" else 0  # a CSV's first row stands on line 2
    where = "line" if first else "row"
    if wrong := [
        f"{where} {i + first}: {part!r}" for i, part in enumerate(saved["part"]) if part not in PARTS
    ]:
        raise NeumoError(f"{file}: got as part {_some(wrong)}, expected {', '.join(PARTS)}")
    if twice := [
        f"{where} {i + first}: {saved['path'][i]}" for i in np.flatnonzero(saved["path"].duplicated())
    ]:
        raise NeumoError(f"{file}: got an image a second time ({_some(twice)}), expected each once")

    known = saved.set_index("path")
    paths = _relative(table)
    sha256 = dict(zip(paths, table["sha256"], strict=True))
    label = dict(zip(paths, table["label"].astype(str), strict=True))
    wrong = [f"{path} (not in the data set)" for path in known.index if path not in sha256]
    wrong += [f"{path} (not in the split)" for path in paths if path not in known.index]
    for path, its_sha256, its_label in zip(known.index, known["sha256"], known["label"], strict=True):
        if path in sha256 and its_sha256 != sha256[path]:
            wrong.append(f"{path} (other bytes)")
        elif path in label and its_label != label[path]:
            wrong.append(f"{path} (label {its_label} in the split, {label[path]} in the data set)")
    if wrong:
        raise NeumoError(
            f"{file}: got a split that differs in {len(wrong)} images, expected one of this data set: "
            f"{_some(wrong)}"
        )
    part = known["part"].reindex(paths).to_numpy()
    divided = table.assign(part=pd.Series(part, index=table.index, dtype="str"))
    if gap := _gap(divided, [p for p in PARTS if p != "validation" or (divided["part"] == p).any()]):
        raise NeumoError(
            f"{file}: got a {gap[0]} part without {CLASSES[gap[1]]} images, expected both classes"
        )
    return divided


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


def _gap(split: pd.DataFrame, parts: tuple[str, ...] | list[str]) -> tuple[str, int] | None:
    """The first part without an image of a class, with that class."""
    have = set(zip(split["part"], split["label"], strict=True))
    return next(((part, label) for label in (0, 1) for part in parts if (part, label) not in have), None)


def _relative(table: pd.DataFrame) -> list[str]:
    """Paths from the folder that holds all images, with forward slashes."""
    paths = [PurePath(path) for path in table["path"]]
    root = commonpath([path.parent for path in paths])
    return [path.relative_to(root).as_posix() for path in paths]


def _read(file: str | Path) -> pd.DataFrame:
    """A saved split with all its columns as str."""
    _check_suffix(file)
    if not Path(file).is_file():
        raise NeumoError(f"{file}: got no such file, expected a saved split")
    try:
        if Path(file).suffix.lower() == ".csv":
            saved = pd.read_csv(file, dtype=str, keep_default_na=False)
        else:
            saved = pd.read_parquet(file)
    except PermissionError:
        raise
    except (ValueError, OSError) as error:  # what the parsers of pandas and pyarrow raise
        raise NeumoError(f"{file}: got an unreadable file ({error}), expected a saved split") from None
    if missing := [column for column in _COLUMNS if column not in saved]:
        raise NeumoError(
            f"{file}: got no column {', '.join(missing)}, expected the columns {', '.join(_COLUMNS)}"
        )
    return saved[_COLUMNS].astype("str").fillna("").reset_index(drop=True)


def _check_suffix(file: str | Path) -> None:
    if Path(file).suffix.lower() not in (".csv", ".parquet"):
        raise NeumoError(f"{file}: got the suffix {Path(file).suffix!r}, expected .csv or .parquet")


def _some(names: list[str], most: int = 20) -> str:
    return "; ".join(names[:most]) + (f"; and {len(names) - most} more" if len(names) > most else "")
