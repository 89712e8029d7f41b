"""What is said of one radiograph."""

from __future__ import annotations

from dataclasses import dataclass

NOTICE = "A research tool, not a medical device: nothing here is a diagnosis."
SYNTHETIC = "This classifier was trained on SYNTHETIC radiographs and knows nothing of real ones."


def notice(synthetic: bool) -> str:
    """What stands wherever a prediction is shown."""
    return f"{NOTICE} {SYNTHETIC}" if synthetic else NOTICE


def chance(probability: float, decimals: int = 3) -> str:
    """A probability in words and figures, never rounded to certainty."""
    least = 10.0**-decimals
    if least / 2 < probability < 1 - least / 2:
        return f"{probability:.{decimals}f}"
    return f"< {least:.{decimals}f}" if probability < 0.5 else f"> {1 - least:.{decimals}f}"


def operating_point(threshold: float, digits: int = 3) -> str:
    """A threshold in so many digits that count, or in as many as keep it from 1."""
    while threshold < 1 <= float(f"{threshold:.{digits}g}"):
        digits += 1
    return f"{threshold:.{digits}g}"


def percent(share: float, decimals: int = 1, sign: str = "%") -> str:
    """A share in percent, with as many decimals as keep nearly all from being all, and few from none."""
    while share not in (0, 1) and float(f"{share:.{decimals}%}"[:-1]) in (0, 100):
        decimals += 1
    return f"{share:.{decimals}%}"[:-1] + sign


@dataclass(frozen=True)
class Finding:
    """What a classifier finds in the pixels of one image.

    Attributes:
        probability: of the positive class, 0 to 1.
        distance: to the training set, in feature space; beyond 1, where less than 1 % of its own kind lie,
            the image is unfamiliar. 0 where the classifier was made without a reference.
        warnings: names of what is odd about the image, see `neumo.images.checks.MEANING`; a probability with
            one may mean nothing.
    """

    probability: float
    distance: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one radiograph.

    Attributes:
        path: the file, as it was given.
        probability: of pneumonia, 0 to 1.
        threshold: the operating point; at or above it the decision is the positive class.
        decision: name of the class.
        notice: that this is not a diagnosis, and where the classifier knows synthetic radiographs only, that.
        distance: to the training set; see `Finding`.
        warnings: what is odd about the image; see `Finding`.
    """

    path: str
    probability: float
    threshold: float
    decision: str
    notice: str = NOTICE
    distance: float = 0.0
    warnings: tuple[str, ...] = ()
