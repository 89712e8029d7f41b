"""What is in a data set, what is wrong with it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from neumo.data.duplicates import identical_groups, near_identical_groups
from neumo.data.inspections import inspect_images
from neumo.data.places import relative
from neumo.data.sources import survey
from neumo.data.table import NORMAL, PNEUMONIA, Dataset


@dataclass(frozen=True)
class Audit:
    """What is in a data set, what is wrong with it.

    All values are plain (str, int, float, bool, list, dict, None), so that `to_dict` can go into JSON as it
    is; its keys are these attributes. A *file* is a path relative to `root`.

    Attributes:
        name: what the data set is called.
        layout: "coronahack", "phantom", "class-folders", "listing" or "images".
        root: the data set's folder.
        citation: how to cite it, "" where unknown.
        synthetic: whether the images were drawn and show no patient.
        rows: rows listed.
        images: images that are there.
        classes: per class "name", "label" (0, 1 or -1), "listed" (rows), "images" (there).
        composition: per class, cause and official part that occurs: "class", "cause", "official" ("train",
            "test" or None), "images".
        imbalance: "minority" (class name), "share" (of the images, 0 to 0.5), "ratio" (images of the larger
            class per image of the smaller); None where there is one class only.
        missing: files that are listed but not there.
        lateral: files that are listed as lateral or oblique views, which are left out.
        unlisted: files that are there but not listed.
        repeated: files that are listed more than once.
        undecodable: per image that cannot be decoded "file", "reason".
        odd: per image that can, but is odd, "file", "problems" (of "tiny", "blank", "colour",
            "transparent"), "mode", "width", "height".
        modes: how pixels are stored -> images.
        sizes: "width" and "height", each "smallest", "median", "largest" in pixels; {} without images.
        identical: groups of byte-identical images: "groups" (each "files", "classes", "official",
            "across_classes", "across_official"), "count" (of groups), "images" (in groups),
            "across_classes", "across_official" (groups that do).
        near_identical: the same for groups of images that show the same picture in different files, see
            `neumo.data.duplicates.near_identical_groups`.
        patients: "known" (images whose patient is known), "unknown" (images), "count" (of patients),
            "most_images" (of one patient), "across_classes", "across_official" (patients with images in
            both), "names_across_official" (who they are).
        faults: what makes the data unfit for training, one line each; empty where it is fit.
    """

    name: str
    layout: str
    root: str
    citation: str
    synthetic: bool
    rows: int
    images: int
    classes: list[dict[str, Any]]
    composition: list[dict[str, Any]]
    imbalance: dict[str, Any] | None
    missing: list[str]
    lateral: list[str]
    unlisted: list[str]
    repeated: list[str]
    undecodable: list[dict[str, Any]]
    odd: list[dict[str, Any]]
    modes: dict[str, int]
    sizes: dict[str, dict[str, int]]
    identical: dict[str, Any]
    near_identical: dict[str, Any]
    patients: dict[str, Any]
    faults: list[str]

    def to_dict(self) -> dict[str, Any]:
        """The audit as plain values, ready for JSON; the keys are the attributes of `Audit`."""
        return dataclasses.asdict(self)


def audit(
    data: str | Path | Dataset,
    *,
    seen: pd.DataFrame | None = None,
    near_identical: pd.Series | None = None,
) -> Audit:
    """Audit a data set; every image is decoded once, later audits of the same images are quick.

    Faults of the data never stop it: they are reported.

    Args:
        data: a folder or file for `neumo.read`, which may be unfit for training, or a data set.
        seen: `inspect_images` of the table, where that is there already.
        near_identical: `near_identical_groups` of the table, likewise.

    Example:
        >>> audit("coronahack").patients["across_official"]
        170
    """
    dataset = data if isinstance(data, Dataset) else survey(data)
    table = dataset.table
    seen = inspect_images(table) if seen is None else seen
    near = near_identical_groups(table, seen) if near_identical is None else near_identical
    files = [relative(Path(path), dataset.root) for path in table["path"]]
    about = table.assign(file=files, name=table["label"].map(dataset.label_name).astype("str"))
    readable = seen["unreadable"] == ""
    odd = seen[seen["problems"].map(len) > 0]
    return Audit(
        name=dataset.name,
        layout=dataset.layout,
        root=str(dataset.root),
        citation=dataset.citation,
        synthetic=dataset.synthetic,
        rows=dataset.rows,
        images=len(table),
        classes=[
            {
                "name": dataset.label_name(label),
                "label": label,
                "listed": listed,
                "images": int((table["label"] == label).sum()),
            }
            for label, listed in sorted(dataset.listed_counts.items())
        ],
        composition=_composition(about),
        imbalance=_imbalance(dataset),
        missing=list(dataset.missing),
        lateral=list(dataset.lateral),
        unlisted=list(dataset.unlisted),
        repeated=list(dataset.repeated),
        undecodable=[
            {"file": file, "reason": reason}
            for file, reason in zip(about["file"], seen["unreadable"], strict=True)
            if reason
        ],
        odd=[
            {
                "file": about["file"][row],
                "problems": list(odd["problems"][row]),
                "mode": str(odd["mode"][row]),
                "width": int(odd["width"][row]),
                "height": int(odd["height"][row]),
            }
            for row in odd.index
        ],
        modes={str(mode): int(n) for mode, n in seen["mode"][readable].value_counts().items()},
        sizes={
            side: {
                "smallest": int(seen[side][readable].min()),
                "median": int(seen[side][readable].median()),
                "largest": int(seen[side][readable].max()),
            }
            for side in ("width", "height")
            if readable.any()
        },
        identical=_groups(about, identical_groups(table)),
        near_identical=_groups(about, _only_different_files(table, near)),
        patients=_patients(about),
        faults=list(dataset.faults),
    )


def _composition(about: pd.DataFrame) -> list[dict[str, Any]]:
    by = ["label", "name", "cause", "official"]
    sizes = about.groupby(by, dropna=False).size().reset_index(name="images")
    return [
        {
            "class": name,
            "cause": cause,
            "official": None if pd.isna(official) else official,
            "images": int(n),
        }
        for name, cause, official, n in sizes[[*by[1:], "images"]].itertuples(index=False)
    ]


def _imbalance(dataset: Dataset) -> dict[str, Any] | None:
    normal, pneumonia = (int((dataset.table["label"] == label).sum()) for label in (NORMAL, PNEUMONIA))
    fewer, more = sorted((normal, pneumonia))
    if not fewer:
        return None
    return {
        "minority": dataset.label_name(NORMAL if normal <= pneumonia else PNEUMONIA),
        "share": fewer / (fewer + more),
        "ratio": more / fewer,
    }


def _only_different_files(table: pd.DataFrame, groups: pd.Series) -> pd.Series:
    """Without the groups whose files are all the same bytes."""
    return groups.where(table["sha256"].groupby(groups).transform("nunique") > 1)


def _groups(about: pd.DataFrame, groups: pd.Series) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for _, members in about[groups.notna()].groupby(groups[groups.notna()]):
        classes = sorted(set(members["name"]))
        official = sorted(set(members["official"].dropna()))
        found.append(
            {
                "files": list(members["file"]),
                "classes": classes,
                "official": official,
                "across_classes": len(classes) > 1,
                "across_official": len(official) > 1,
            }
        )
    return {
        "count": len(found),
        "images": sum(len(group["files"]) for group in found),
        "across_classes": sum(group["across_classes"] for group in found),
        "across_official": sum(group["across_official"] for group in found),
        "groups": found,
    }


def _patients(about: pd.DataFrame) -> dict[str, Any]:
    known = about[about["patient"].notna()]
    by_patient = known.groupby("patient")
    in_both = by_patient["official"].nunique() > 1
    return {
        "known": len(known),
        "unknown": len(about) - len(known),
        "count": int(known["patient"].nunique()),
        "most_images": int(by_patient.size().max()) if len(known) else 0,
        "across_classes": int((by_patient["label"].nunique() > 1).sum()),
        "across_official": int(in_both.sum()),
        "names_across_official": sorted(str(patient) for patient in in_both.index[in_both]),
    }
