"""A validation part whose normal radiographs look like pneumonia by everything but the lungs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neumo.data.resemblance import resemblance
from neumo.data.split import together
from neumo.data.table import NORMAL, PNEUMONIA
from neumo.errors import NeumoError


def with_hard_validation(
    divided: pd.DataFrame, fraction: float = 0.2, seed: int = 0, *, groups: pd.Series | None = None
) -> pd.DataFrame:
    """Draw the validation part anew, so that what misleads a network there no longer helps.

    Of the images outside the test part, the `fraction` of the normal ones with the highest `resemblance` and
    as large a fraction of the pneumonia ones, drawn at random, become the validation part; whole groups, so
    that the numbers are nearly met. Its normal images are of a kind that training hardly shows, which is part
    of what makes the official test set of Kermany et al. 2018 hard; how much of that drop this part shows is
    measured in docs/official-test-set.md. The test part is neither read nor changed. Choose recipes and
    thresholds on it; then train on all of it.

    Args:
        divided: the table with its column "part"; an earlier validation part goes back into the draw.
        fraction: of either class, between 0 and 1.
        seed: of the draw of pneumonia images; the normal ones are the same for every seed.
        groups: further images that belong together, see `neumo.data.split.together`.

    Returns:
        The table with "part" anew.

    Raises:
        UnreadableImageError: an image cannot be read.
        NeumoError: a fraction out of range, or too few images.

    Example:
        >>> hard = with_hard_validation(split(neumo.read("coronahack").table, "official"))
    """
    if not 0 < fraction < 1:
        raise NeumoError(f"validation fraction: got {fraction}, expected a number between 0 and 1")
    rest = divided[divided["part"] != "test"].sort_values(["path", "sha256"])  # whatever the order of rows
    groups = None if groups is None else groups[rest.index]
    ids, y = together(rest, groups), rest["label"].to_numpy()
    scores = resemblance(rest, groups=groups)
    chance = np.random.default_rng(seed).random(ids.max() + 1)[ids]
    drawn = np.zeros(len(rest), bool)
    for label, by in ((NORMAL, scores), (PNEUMONIA, chance)):
        left = round(fraction * (y == label).sum()) - (drawn & (y == label)).sum()
        order = np.argsort(-by[y == label], kind="stable")
        chosen = ids[y == label][order]
        chosen = chosen[~np.isin(chosen, ids[drawn])][: max(left, 0)]
        drawn |= np.isin(ids, chosen)
    if any(drawn[y == label].all() or not drawn[y == label].any() for label in (NORMAL, PNEUMONIA)):
        raise NeumoError(
            f"hard validation: got a fraction of {fraction} of {len(rest)} images, expected one that "
            "leaves images of both classes on either side"
        )
    part = np.where(drawn, "validation", "train")
    anew = divided.copy()
    anew.loc[rest.index, "part"] = part
    return anew
