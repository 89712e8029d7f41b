"""Generated images for the rarer class of the training part."""

from __future__ import annotations

import pandas as pd

from neumo.data.table import check_table
from neumo.errors import NeumoError, as_whole


def balance(split: pd.DataFrame, copies: int = 2) -> pd.DataFrame:
    """Add rows for generated images of the class that is rarer in the training part.

    The study says that it made one generated image of each normal training image, but its 3,783 normal images
    are three times 1,261, so it made two. Validation and test part get none.

    Args:
        split: the table with its column `part`.
        copies: generated images of each training image of the rarer class; where both classes have as many,
            none are made.

    Returns:
        The rows of `split`, then the generated ones, on a new RangeIndex, with a column `copy`: int, 0 for
        the original, k for the k-th image generated from it (see `neumo.images.generate`).

    Raises:
        NeumoError: `copies` is negative, or `split` is not divided.
    """
    check_table(split, "label", "part")
    return _with_copies(split, split["part"] == "train", copies)


def copied(split: pd.DataFrame, where: pd.Series) -> pd.DataFrame:
    """The rows that generated images are made from: the rarer class among those `where` is true.

    None, where both classes have as many.
    """
    counts = split["label"][where].value_counts()
    rarer = split["label"] == counts.idxmin()
    return split[where & rarer] if counts.nunique() > 1 else split[:0]


def balance_then_validate(
    split: pd.DataFrame, copies: int = 2, validation_fraction: float = 0.2, seed: int = 0
) -> pd.DataFrame:
    """Balance first and draw the validation part from the balanced rows, as the study probably did.

    Images generated from one original then stand on both sides, so that the classifier is validated on what
    it was trained on. It is here only to measure how much that flatters the validation figures; to train a
    classifier, use `balance`.

    Args:
        split: the table with its column `part`; its training and validation part are taken together.
        copies: as in `balance`.
        validation_fraction: share of the balanced rows to validate on, between 0 and 1, stratified by label.
        seed: of the draw.

    Returns:
        As from `balance`, with generated images in the validation part too; the test part is left as it is.

    Raises:
        NeumoError: `copies` is negative, `validation_fraction` is out of range or there are too few rows.
    """
    from sklearn.model_selection import train_test_split

    if not 0 < validation_fraction < 1:
        raise NeumoError(f"validation fraction: got {validation_fraction}, expected a number between 0 and 1")
    balanced = _with_copies(split, split["part"] != "test", copies)
    pool = balanced[balanced["part"] != "test"].sort_values(["sha256", "path", "copy"])
    try:
        _, validation = train_test_split(
            pool.index, test_size=validation_fraction, stratify=pool["label"], random_state=seed
        )
    except ValueError as error:  # too few rows; the message tells how many of what
        raise NeumoError(f"validation fraction: got {validation_fraction}: {error}") from None
    balanced.loc[pool.index, "part"] = "train"
    balanced.loc[validation, "part"] = "validation"
    return balanced


def _with_copies(split: pd.DataFrame, where: pd.Series, copies: int) -> pd.DataFrame:
    """Add `copies` rows for each row of the rarer class among the rows `where` is true."""
    copies = as_whole("generated images per original", copies, 0)
    originals = copied(split, where)
    return pd.concat(
        [split.assign(copy=0), *(originals.assign(copy=k) for k in range(1, copies + 1))], ignore_index=True
    )
