"""Folders of images by class, divided into train, val and test around the classes, inside, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from neumo.data.image_files import images_in, is_mask, of_masks, subfolders, tell_left_out
from neumo.data.labels import (
    UNKNOWN,
    assign,
    cause_from,
    class_names,
    is_known,
    plain,
    quoted,
    tell_pneumonia_as_negative,
)
from neumo.data.patients import cause_of, patient_of, patients_in
from neumo.data.published.coronahack import AGES
from neumo.data.table import NORMAL, UNLABELLED, Dataset, bare, counts, new_table, official_part

KERMANY = (
    "D. S. Kermany, K. Zhang, M. Goldbaum, Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images "
    "for Classification, Mendeley Data v2, 2018, doi:10.17632/rscbjbr9sj.2 (CC BY 4.0)."
)

LOST = "{}: got a link to a file that is not there, expected an image; leave such out with --skip-missing"
WAITS = "{}: got a pipe or device, expected an image; leave such out with --skip-missing"

MOST = 12
"""Folders none of which is called as a class is; more of them are patients, studies or heaps."""

_HEAPS = {
    "image",
    "images",
    "img",
    "imgs",
    "pictures",
    "files",
    "data",
    "all",
    "xray",
    "xrays",
    "radiographs",
}
"""What folders of images without a class are called, without case, spaces and punctuation."""

Classes = list[tuple[Path, str | None]]  # class folder, official part


def find(root: Path) -> tuple[Path, Classes]:
    """The folder that holds the classes, at or below `root`, with its class folders; none where it is not so.

    A folder that only wraps another one is passed through. Archives of Kermany et al. hold
    everything twice, ``chest_xray/train`` beside ``chest_xray/chest_xray/train``; the inner copy is not read.
    A folder of masks, or called unknown or unlabelled, is no class, nor is one called images or test beside
    a class that is named or several others.
    """
    inside = [folder for folder in subfolders(root) if not _is_none(folder)]
    parts = [(folder, part) for folder in inside if (part := official_part(folder.name))]
    divided: Classes = [
        (c, part) for folder, part in parts for c in subfolders(folder) if not _is_none(c) and images_in(c)
    ]
    if divided:
        return root, _without_heaps(divided)
    if len(inside) == 1 and not images_in(root, deep=False) and subfolders(inside[0]):
        below = find(inside[0])
        if below[1]:
            return below
    of_parts = [folder for folder, _ in parts]
    classes: Classes = [(folder, None) for folder in inside if folder not in of_parts and images_in(folder)]
    if len(classes) == 1 and not is_known(classes[0][0].name):
        return root, []  # one folder of any other name is a heap of images, no class
    return root, [] if parts and not are_named(classes) else _without_heaps(classes)


def _without_heaps(classes: Classes) -> Classes:
    """The classes without folders beside them that say nothing of what is in them ("test/images")."""
    kept = [(folder, part) for folder, part in classes if not _is_heap(folder.name)]
    names = {folder.name for folder, _ in kept}
    return kept if len(names) > 1 or any(map(is_known, names)) else classes


def _is_heap(folder_name: str) -> bool:
    return bare(folder_name) in _HEAPS or official_part(folder_name) is not None


def are_named(classes: Classes, positive: Sequence[str] | None = None) -> bool:
    """Whether these are several folders of which one is called as a class is, in words or by `positive`."""
    wanted = {plain(name) for name in positive or ()}
    names = {folder.name for folder, _ in classes}
    told = (plain(name) in wanted or (is_known(name) and not name.isdigit()) for name in names)
    return len(classes) > 1 and (any(told) or names == {"0", "1"})


def are_heaps(classes: Classes) -> bool:
    """Whether these are so many folders, none of them called as a class is, that they are no classes."""
    names = {folder.name for folder, _ in classes}
    return len(names) > MOST and not any(map(is_known, names))


def survey(
    root: Path,
    classes: Classes,
    positive: Sequence[str] | None = None,
    skip_missing: bool | None = None,
) -> Dataset:
    """Read the class folders that `find` gave.

    The public validation folder of Kermany et al. has 16 images, so ``val`` counts as training. The cause is
    bacteria or virus where a file name of Kermany et al. says so, else the class folder's name. Images in a
    folder of masks inside a class (as in the COVID-19 Radiography Database) are left out, which a line on
    standard error says.

    Where the classes are outside and the parts inside (``NORMAL/train``), what is in a class beside its parts
    counts as training.

    A link to nothing is a missing image, and a fault unless `skip_missing`.

    Raises:
        NeumoError: a class in `positive` is not there.
    """
    if around := _around_classes(classes, positive):
        label = dict.fromkeys((folder.name for folder, _ in classes), UNLABELLED)
        got = f"{root}: got folders that have classes inside ({quoted(around, 3)})"
        faults = [f"{got}, expected the classes outermost, as normal/A and pneumonia/A; or name one folder"]
    else:
        label, faults = assign((folder.name for folder, _ in classes), positive, str(root))
    if not positive and any(name.isdigit() and name not in ("0", "1") for name in label):
        label = dict.fromkeys(label, UNLABELLED)
        ask = "or to be told which are positive, with --positive NAME"
        faults.append(f"{root}: got the classes {quoted(label)}, expected 0 and 1, names, {ask}")
    images = {folder: images_in(folder) for folder, _ in classes}
    kept = {folder: [p for p in found if not is_mask(p, folder)] for folder, found in images.items()}
    masks = sum(map(len, images.values())) - sum(map(len, kept.values()))
    tell_left_out(root, masks, "images in folders of masks")
    negative = [folder for folder, _ in classes if label[folder.name] == NORMAL]
    tell_pneumonia_as_negative(root, ((str(p), folder.name) for folder in negative for p in kept[folder]))
    found = pd.DataFrame(
        [
            {
                "path": str(image),
                "label": label[folder.name],
                "cause": "" if label[folder.name] == NORMAL else cause_of(image) or cause_from(folder.name),
                "official": part or _part_inside(image, folder),
            }
            for folder, part in classes
            for image in kept[folder]
        ],
        columns=["path", "label", "cause", "official"],
    )
    if found["official"].notna().any():  # what was not set apart for a test is for training
        found["official"] = found["official"].fillna("train")
    found["patient"] = patients_in(list(found["path"]))
    negative_name, positive_name = class_names(label, positive)
    listed = set(found["path"])
    there = found["path"].map(lambda path: Path(path).is_file()).astype(bool)
    if skip_missing:
        tell_left_out(root, int((~there).sum()), "images that are links to nothing, pipes or devices")
    else:
        faults += [(WAITS if Path(p).exists() else LOST).format(p) for p in found["path"][~there]]
    faults += _in_two_classes(found[there])
    loose = sorted(_beside(root, classes) - set(map(Path, listed)))
    tell_left_out(root, len(loose), "images beside the class folders")
    kermany = {f.name for f, _ in classes} == {"NORMAL", "PNEUMONIA"} and found["cause"].eq("bacteria").any()
    kermany &= found["path"].map(patient_of).notna().all()  # the ages on any other image are not known
    return Dataset(
        table=new_table(found[there]),
        name="Kermany 2018" if kermany else root.name,
        layout="class-folders",
        root=root,
        rows=len(found),
        listed_counts=counts(found["label"]),
        missing=[Path(path).relative_to(root).as_posix() for path in found["path"][~there]],
        unlisted=[p.relative_to(root).as_posix() for p in loose],
        citation=KERMANY if kermany else "",
        ages=AGES if kermany else None,
        positive_name=positive_name,
        negative_name=negative_name,
        faults=tuple(faults),
    )


def _around_classes(classes: Classes, positive: Sequence[str] | None) -> list[str]:
    """Names of folders that have classes inside, as hospitals do; none where one is called as a class is."""
    if are_named(classes, positive):
        return []
    return [folder.name for folder, _ in classes if are_named(find(folder)[1], positive)]


def _part_inside(image: Path, folder: Path) -> str | None:
    """The official part of an image whose class folder is divided itself, None outside of its parts."""
    below = image.relative_to(folder).parts[:-1]
    return official_part(below[0]) if below else None


def _is_none(folder: Path) -> bool:
    """Whether a folder among class folders is none of them."""
    return of_masks(folder.name) or plain(folder.name) in UNKNOWN


def _beside(root: Path, classes: Classes) -> set[Path]:
    """Images in no class folder, without masks and the inner copy of archives that hold everything twice."""
    around = {root, *(folder.parent for folder, _ in classes)}
    taken = {folder for folder, _ in classes} | around
    inside = {folder.relative_to(root) for folder, _ in classes}
    aside = [f for above in around for f in subfolders(above) if f not in taken and not _is_copy(f, inside)]
    beside = {p for folder in around for p in images_in(folder, deep=False)}
    return beside | {p for folder in aside for p in images_in(folder) if not is_mask(p, root)}


def _is_copy(folder: Path, inside: set[Path]) -> bool:
    """Whether a folder has all the class folders that the folder around it has."""
    return all((folder / name).is_dir() for name in inside)


def _in_two_classes(found: pd.DataFrame) -> list[str]:
    """A fault for each image that a link to its folder puts into another class as well."""
    real = {folder: folder.resolve() for folder in {Path(path).parent for path in found["path"]}}
    first: dict[Path, tuple[str, int]] = {}
    faults = []
    for path, label in zip(found["path"], found["label"], strict=True):
        file = real[Path(path).parent] / Path(path).name
        earlier, as_label = first.setdefault(file, (path, label))
        if as_label != label:
            faults.append(f"{path}: got the same file as {earlier}, expected it in one class")
    return faults
