"""The CoronaHack archive: one CSV beside flat folders of training and test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from neumo.data.cells import contradictions
from neumo.data.columns import is_headed, load
from neumo.data.image_files import images_in, subfolders
from neumo.data.patients import patient_of
from neumo.data.places import relative
from neumo.data.table import (
    NORMAL,
    PNEUMONIA,
    UNLABELLED,
    Dataset,
    counts,
    new_table,
)
from neumo.errors import NeumoError

CSV_NAME = "Chest_xray_Corona_Metadata.csv"
SYNTHETIC_NAME = "SYNTHETIC.txt"
DRAWN = "Drawn by neumo phantom; shows no patient."
"""What is cited of synthetic radiographs."""
COLUMNS = ("X_ray_image_name", "Label", "Dataset_type", "Label_1_Virus_category")
CITATION = (
    "CoronaHack chest X-ray data set (Praveen Govi, Kaggle 2020). Images: D. S. Kermany, K. Zhang, "
    "M. Goldbaum, Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for Classification, "
    "Mendeley Data v2, 2018, doi:10.17632/rscbjbr9sj.2 (CC BY 4.0); J. P. Cohen, P. Morrison, L. Dao, "
    "COVID-19 Image Data Collection, 2020, arXiv:2003.11597 (licence per image)."
)
AGES = (1, 5)
"""Completed years of the children of Kermany et al. (Cell 172, 2018), whose nearly all of the images are."""

_LABELS = {
    "normal": NORMAL,
    "pnemonia": PNEUMONIA,
    "pneumonia": PNEUMONIA,
}  # the archive spells it 'Pnemonia'
_CAUSES = {"bacteria": "bacteria", "virus": "virus"}


def find_csv(data: Path) -> Path | None:
    """The archive's CSV, given the CSV or a folder of the archive; None for another layout."""
    if data.is_file():
        return data if data.suffix.lower() == ".csv" and is_headed(data, COLUMNS) else None
    below = [data, *subfolders(data)]
    above = [p for p in list(data.parents)[:3] if data.name.lower().startswith("coronahack")]
    return next((f / CSV_NAME for f in [*below, *above] if is_headed(f / CSV_NAME, COLUMNS)), None)


def survey(csv: Path) -> Dataset:
    """Read the archive that `csv` (from `find_csv`) belongs to.

    The archive is known to list images that are not there and the other way round, so neither is a fault.
    Causes other than bacteria and virus (two images are listed as "Stress-Smoking") become "unknown".

    Raises:
        NeumoError: there is no ``train`` or ``test`` folder near the CSV.
    """
    rows = load(csv)
    root = csv.parent
    folder = _image_folder(root)
    name = rows["X_ray_image_name"].fillna("").str.strip()
    part = rows["Dataset_type"].str.strip().str.lower()
    label = rows["Label"].str.strip().str.lower().map(_LABELS).fillna(UNLABELLED).astype("int8")
    cause = rows["Label_1_Virus_category"].str.strip().str.lower().map(_CAUSES).fillna("unknown")
    found = pd.DataFrame(
        {
            "path": [str(folder / str(p) / n) for p, n in zip(part, name, strict=True)],
            "label": label,
            "cause": cause.where(label == PNEUMONIA, ""),
            "patient": [patient_of(n) for n in name],
            "official": part.where(part.isin(["train", "test"])),
        }
    )
    there = found["path"].map(lambda p: Path(p).is_file())
    listed = set(found["path"])
    on_disk = [p for part in ("train", "test") if (folder / part).is_dir() for p in images_in(folder / part)]
    synthetic = any((f / SYNTHETIC_NAME).is_file() for f in (root, folder))
    return Dataset(
        table=new_table(found[there].drop_duplicates("path")),
        name="Phantom (synthetic)" if synthetic else "CoronaHack",
        layout="phantom" if synthetic else "coronahack",
        root=root,
        rows=len(rows),
        listed_counts=counts(label),
        missing=[relative(Path(p), root) for p in found["path"][~there]],
        unlisted=[p.relative_to(root).as_posix() for p in on_disk if str(p) not in listed],
        repeated=[relative(Path(p), root) for p in found["path"][found["path"].duplicated()]],
        citation=DRAWN if synthetic else CITATION,
        synthetic=synthetic,
        ages=None if synthetic else AGES,
        faults=tuple(
            [
                f"{csv}: got no X_ray_image_name in row {row + 1}, expected one in every row"
                for row in np.flatnonzero(name == "")
            ]
            + [
                f"{csv}: got the label {rows['Label'][row]!r} in row {row + 1}, expected Normal or Pnemonia"
                for row in np.flatnonzero(label == UNLABELLED)
            ]
            + contradictions(found[there], csv)
        ),
    )


def _image_folder(root: Path) -> Path:
    """The folder with ``train`` and ``test`` in it: `root`, or up to two levels below."""
    level = [root]
    for _ in range(3):
        for folder in level:
            if (folder / "train").is_dir() or (folder / "test").is_dir():
                return folder
        level = [below for folder in level for below in subfolders(folder)]
    raise NeumoError(
        f"{root}: got {CSV_NAME} without its images, expected a folder 'train' or 'test' beside it or in "
        "Coronahack-Chest-XRay-Dataset"
    )
