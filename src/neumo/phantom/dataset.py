"""A whole synthetic data set in the layout of the CoronaHack archive."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from neumo import __version__
from neumo.data.published.coronahack import CSV_NAME, SYNTHETIC_NAME
from neumo.errors import NeumoError, as_number, as_whole
from neumo.files import named
from neumo.phantom.radiograph import draw_radiograph
from neumo.progress import track

DIFFICULTIES: Mapping[object, float] = {"easy": 0.0, "medium": 0.5, "hard": 1.0}
IMAGES_PER_PATIENT = 3.2
# Shares of the images, as in the real archive: 1,576 normal, 2,777 bacterial and 1,557 viral of 5,910. The
# official test set has more normal images there as well; it is a fifth here, not a tenth, so that figures
# on the small default set mean something.
SHARES = {
    "train": {"": 0.25, "bacteria": 0.48, "virus": 0.27},
    "test": {"": 0.36, "bacteria": 0.40, "virus": 0.24},
}
TEST_SHARE = 0.2

IMAGES = PurePosixPath("Coronahack-Chest-XRay-Dataset/Coronahack-Chest-XRay-Dataset")
COLUMNS = (
    "",
    "X_ray_image_name",
    "Label",
    "Dataset_type",
    "Label_2_Virus_category",
    "Label_1_Virus_category",
)
CHECKSUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Planned:
    """One image of the set before it is drawn."""

    name: str
    cause: str
    official: str
    patient: int
    image: int


def make_phantoms(
    folder: str | Path,
    *,
    patients: int = 150,
    images: int | None = None,
    size: int = 256,
    difficulty: float | str = 0.5,
    seed: int = 0,
    masks: bool = False,
) -> Path:
    """Draw a synthetic chest X-ray data set that reads like CoronaHack's archive.

    The same arguments give the same bytes, under the same versions of NumPy, SciPy and Pillow. A set that an
    interruption left half done is completed, a complete one is only checked; nothing that is already in
    `folder` is ever changed.

    Args:
        folder: a new or empty folder, or one that holds this very set.
        patients: how many patients.
        images: how many images; 3.2 per patient where not given (480 of 150).
        size: height and width of the images in pixels, 64 to 2048.
        difficulty: 0 (plain lesions) to 1 (hardly visible ones), or ``"easy"``, ``"medium"``, ``"hard"``
            (0, 0.5, 1). The patients stay the same.
        seed: another seed, other patients.
        masks: also write ``lesions/<image name>.png``, 255 where the lesion is, for every pneumonia.

    Returns:
        `folder`.

    Raises:
        NeumoError: an argument out of range, or a folder that holds anything else.

    Example:
        >>> from neumo.phantom.dataset import make_phantoms
        >>> make_phantoms("phantoms", patients=20, seed=1)
    """
    folder = Path(folder)
    as_number("patients", patients, _enough_patients, "at least 6 (three kinds in two parts)")
    images = round(IMAGES_PER_PATIENT * patients) if images is None else as_whole("images", images, 1)
    level = _level(difficulty)
    _check(patients, images, size, seed)
    notice = _notice(patients, images, size, level, seed, masks)
    planned = plan(patients, images, seed)
    if _holds(folder, notice):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    sums: list[str] = []
    # glibc gives memory of this many bytes back to the system once, and keeps what is smaller from then on:
    # without it a quarter of the time goes into pages that each temporary array gets anew.
    np.empty(1 << 24, np.uint8)

    def put(name: str | PurePosixPath, content: bytes) -> None:
        _put(folder / name, content)
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")

    put(SYNTHETIC_NAME, notice.encode())
    for image in track(planned, "Drawing radiographs"):
        pixels, lesion = draw_radiograph(
            image.cause,
            patient=image.patient,
            image=image.image,
            size=size,
            difficulty=level,
            official=image.official,
            seed=seed,
        )
        put(IMAGES / image.official / image.name, _jpeg(pixels))
        if masks and image.cause:
            put(PurePosixPath("lesions") / f"{PurePosixPath(image.name).stem}.png", _png(lesion))
    put(CSV_NAME, _table(planned).encode())
    _put(folder / CHECKSUMS, "".join(sums).encode())
    return folder


def plan(patients: int, images: int, seed: int = 0) -> list[Planned]:
    """Who is in the set: every image with its patient, cause and official part, in the order of the table."""
    rng = np.random.default_rng([seed, 0x9A7E])
    extra = rng.multinomial(images - patients, rng.dirichlet(np.full(patients, 1.5)))
    planned: list[Planned] = []
    for patient, (part, cause) in enumerate(_parts(1 + extra, images)):
        for image in range(1 + int(extra[patient])):
            name = (
                f"person{patient + 1}_{cause}_{len(planned) + 1}.jpeg"
                if cause
                else f"IM-{patient + 1:04d}-{image + 1:04d}.jpeg"
            )
            planned.append(Planned(name, cause, part, patient, image))
    return sorted(planned, key=lambda image: (image.official != "train", image.cause))


def _parts(counts: NDArray[np.int64], images: int) -> list[tuple[str, str]]:
    """Official part and cause of every patient: each goes where most images are still wanted.

    The largest patients choose first; the last ones fill what would stay empty.
    """
    wanted = {
        (part, cause): images * (TEST_SHARE if part == "test" else 1 - TEST_SHARE) * share
        for part, shares in SHARES.items()
        for cause, share in shares.items()
    }
    chosen = [("", "")] * len(counts)
    for left, patient in zip(range(len(counts), 0, -1), np.argsort(-counts, kind="stable"), strict=True):
        empty = wanted.keys() - set(chosen)
        open_to = wanted if left > len(empty) else empty
        chosen[patient] = max((cell for cell in wanted if cell in open_to), key=lambda cell: wanted[cell])
        wanted[chosen[patient]] -= int(counts[patient])
    return chosen


def _level(difficulty: float | str) -> float:
    try:
        level = DIFFICULTIES[difficulty] if difficulty in DIFFICULTIES else float(difficulty)
    except ValueError:
        level = np.nan
    if not 0 <= level <= 1:
        names = ", ".join(map(str, DIFFICULTIES))
        raise NeumoError(f"difficulty: got {difficulty}, expected one of {names} or a number from 0 to 1")
    return level


def _enough_patients(patients: object) -> bool:
    return isinstance(patients, Integral) and int(patients) >= 6


def _check(patients: int, images: int, size: int, seed: int) -> None:
    if images < patients:
        raise NeumoError(f"images: got {images} for {patients} patients, expected at least one each")
    as_number("size", size, lambda side: 64 <= side == int(side) <= 2048, "64 to 2048 pixels")
    as_whole("seed", seed, 0)


def _holds(folder: Path, notice: str) -> bool:
    """Whether `folder` holds the whole set already; False where there is nothing or a half of it.

    Raises:
        NeumoError: there is anything else, or a file of the set was changed.
    """
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise NeumoError(f"{folder}: got a file, expected a new or empty folder")
    if not any(folder.iterdir()):
        return False
    try:
        same = notice.startswith((folder / SYNTHETIC_NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError):
        same = False
    if not same:
        raise NeumoError(
            f"{folder}: got a folder that holds something else, expected a new or empty folder, or this very "
            "phantom set (same options, same neumo version)"
        )
    if not (folder / CHECKSUMS).is_file():
        return False
    for line in (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition("  ")
        file = folder / name
        if not file.is_file():
            return False
        if hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            raise NeumoError(
                f"{file}: got a file that was changed, expected it as neumo drew it; it is left alone"
            )
    return True


def _put(file: Path, content: bytes) -> None:
    """Write a file that is not there; let the same one be, and go on with one that was cut off."""
    if file.exists():
        there = file.read_bytes()
        if there == content:
            return
        if not content.startswith(there):
            raise NeumoError(
                f"{file}: got a file that was changed, expected it as neumo drew it; it is left alone"
            )
    file.parent.mkdir(parents=True, exist_ok=True)
    with named(file):
        file.write_bytes(content)


def _notice(patients: int, images: int, size: int, difficulty: float, seed: int, masks: bool) -> str:
    return f"""These radiographs are SYNTHETIC: drawn by a program, not taken of anybody.

They show no patient, teach nothing about disease, and a figure measured on them says nothing about any
real radiograph. They exist so that neumo can be tried and tested without a data set. The layout is that
of the CoronaHack archive; the patients, causes and official parts are invented.

drawn by     neumo {__version__} (neumo phantom)
patients     {patients}
images       {images}
size         {size}
difficulty   {difficulty:g}
seed         {seed}
masks        {"yes" if masks else "no"}
"""


def _table(planned: list[Planned]) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for number, image in enumerate(planned):
        label = "Pnemonia" if image.cause else "Normal"  # the archive spells it so
        virus = image.cause.replace("virus", "Virus")
        table.writerow((number, image.name, label, image.official.upper(), "", virus))
    return text.getvalue()


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(
        file, "JPEG", quality=90, comment=b"SYNTHETIC: drawn by neumo, not a radiograph"
    )
    return file.getvalue()


def _png(mask: NDArray[np.bool_]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(file, "PNG")
    return file.getvalue()
