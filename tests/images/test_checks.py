"""What is odd about an image, and that a classifier says so: a real one, of real radiographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from sklearn.datasets import load_sample_images

import neumo
from neumo.classifier.classifier import Classifier
from neumo.files import SHIPPED
from neumo.images.checks import BLANK, MEANING, TURNED, as_read, as_scored, look, with_lateral
from neumo.images.read import read_radiograph

TRAINING, OTHERS = 320, 60


@pytest.fixture(scope="module")
def table(coronahack: Path) -> pd.DataFrame:
    """Real radiographs: of every class some to train on, and as "test" some of the official test set."""
    data = neumo.read(coronahack).table
    train = data[data["official"] == "train"].groupby("label").sample(TRAINING // 2, random_state=0)
    test = data[data["official"] == "test"].groupby("label").sample(OTHERS // 2, random_state=0)
    return pd.concat([train, test]).reset_index(drop=True)


@pytest.fixture(scope="module")
def classifier(
    coronahack: Path,
    table: pd.DataFrame,
    mobilenet_weights: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Classifier:
    """MobileNetV2-0.35 with its real weights and a head trained on the training images alone."""
    whole = neumo.read(coronahack)
    saved = tmp_path_factory.mktemp("model") / "real.neumo"
    neumo.train(
        neumo.Dataset(**{**vars(whole), "table": table}),
        protocol="official",
        ladder_step="normalised",
        epochs=8,
        copies=0,
        backbone="MobileNetV2-0.35",
        weights=str(mobilenet_weights),
    ).save(saved)
    return neumo.load(saved)


@pytest.fixture(scope="module")
def unseen(table: pd.DataFrame) -> np.ndarray:
    """Radiographs of the test part, uint8 (n, 224, 224)."""
    return np.stack([read_radiograph(path) for path in table.loc[table["official"] == "test", "path"]])


def test_hardly_any_unseen_radiograph_is_flagged(classifier: Classifier, unseen: np.ndarray) -> None:
    found = classifier.examine(unseen)
    assert sum(bool(one.warnings) for one in found) <= 1
    assert not any({"inverted", "upside-down"} & set(one.warnings) for one in found)
    probability = classifier.probabilities(unseen)
    np.testing.assert_allclose([one.probability for one in found], probability, atol=1e-6)
    assert np.ptp(probability) > 0.5


def test_negatives_are_turned_around_before_they_are_scored(
    classifier: Classifier, unseen: np.ndarray
) -> None:
    found = classifier.examine(255 - unseen)
    turned = ["inverted" in one.warnings for one in found]
    assert np.mean(turned) > 0.9
    near = np.abs(np.array([one.probability for one in found]) - classifier.probabilities(unseen))
    assert near[turned].max() < 1e-4


def test_radiographs_on_their_head_are_put_on_their_feet(classifier: Classifier, unseen: np.ndarray) -> None:
    found = classifier.examine(np.ascontiguousarray(unseen[:, ::-1, ::-1]))
    turned = ["upside-down" in one.warnings for one in found]
    assert np.mean(turned) > 0.8
    near = np.abs(np.array([one.probability for one in found]) - classifier.probabilities(unseen))
    assert near[turned].max() < 1e-4


def test_images_are_turned_without_filling_up_batches(classifier: Classifier, unseen: np.ndarray) -> None:
    classifier.examine(255 - unseen[:1])
    assert list(classifier._turning._networks) == [len(TURNED)]
    for n in (1, 3):
        features = classifier._turned(unseen[:n])
        for name, turn in TURNED.items():
            expected = classifier._engine(turn(unseen[:n]))
            assert np.linalg.norm(features[name] - expected) < 1e-5 * np.linalg.norm(expected)
    assert list(classifier._turning._networks) == [len(TURNED)]


def test_pairs_of_one_radiograph_agree(classifier: Classifier, dicom_folder: Path) -> None:
    """The same pixels tagged MONOCHROME1 and MONOCHROME2, and in two compressions."""
    files = sorted(dicom_folder.glob("cr_*.dcm"))
    found = classifier.predict(files)
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert abs(first.probability - second.probability) < 0.02, first.path
    wrongly_tagged, rightly_tagged = found[:2]
    assert "inverted" in wrongly_tagged.warnings
    assert "inverted" not in rightly_tagged.warnings


def test_what_is_no_radiograph_is_flagged(classifier: Classifier, tmp_path: Path) -> None:
    ct = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False)).pixel_array.astype(float)
    y, x = np.mgrid[:224, :224]
    pictures = {
        "ct": np.rint(255 * (ct - ct.min()) / np.ptp(ct)).astype(np.uint8),
        "photograph": np.asarray(Image.fromarray(load_sample_images().images[0]).convert("L")),
        "flower": load_sample_images().images[1],
        "blank": np.full((300, 300), 90, np.uint8),
        "gradient": ((x + y) // 2).astype(np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (224, 224)).astype(np.uint8),
        "tiny": np.full((40, 40), 90, np.uint8),
    }
    for name, picture in pictures.items():
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    found = {name: classifier.predict(tmp_path / f"{name}.png") for name in pictures}
    for name, one in found.items():
        assert "unfamiliar" in one.warnings, name
        assert one.distance > 1, name
        assert set(one.warnings) <= set(MEANING)
    assert "blank" in found["blank"].warnings
    assert "colour" in found["flower"].warnings
    assert "colour" not in found["photograph"].warnings
    assert "tiny" in found["tiny"].warnings


def test_radiographs_that_lie_on_a_side_are_flagged(classifier: Classifier, unseen: np.ndarray) -> None:
    found = classifier.examine(np.ascontiguousarray(np.rot90(unseen, axes=(1, 2))))
    assert np.mean(["unfamiliar" in one.warnings for one in found]) > 0.9


def test_files_and_pixels_give_one_finding(
    classifier: Classifier, table: pd.DataFrame, unseen: np.ndarray, tmp_path: Path
) -> None:
    """`predict` reads ahead in batches; a batch may have images that need a second look."""
    paths = table.loc[table["official"] == "test", "path"].tolist()[:20]
    negatives = [tmp_path / f"{i}.png" for i in range(10)]
    for file, pixels in zip(negatives, unseen, strict=False):
        Image.fromarray(255 - pixels).save(file)
    mixed = [file for pair in zip(paths[:10], negatives, strict=True) for file in pair]
    pixels = np.stack([read_radiograph(file) for file in mixed])
    for one, other in zip(classifier.predict(mixed), classifier.examine(pixels), strict=True):
        assert (one.probability, one.distance, one.warnings) == (
            other.probability,
            other.distance,
            other.warnings,
        )


def test_an_image_is_shown_as_scored_and_its_heat_map_as_read() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(as_scored(picture, ("tiny",)), picture)
    np.testing.assert_array_equal(as_scored(picture, ("inverted", "tiny")), 255 - picture)
    np.testing.assert_array_equal(as_scored(picture, ("upside-down",)), picture[::-1, ::-1])
    np.testing.assert_array_equal(as_read(picture, ("inverted",)), picture)
    np.testing.assert_array_equal(as_read(picture, ("upside-down",)), picture[::-1, ::-1])


def test_blank_is_seen_in_the_pixels() -> None:
    assert look(np.full((224, 224), 7, np.uint8)) == ("blank",)
    specks = np.full((224, 224), 7, np.uint8)
    specks[0, :100] = 255
    assert look(specks) == ("blank",)
    assert look(np.arange(224, dtype=np.uint8)[None].repeat(224, axis=0)) == ()


@pytest.mark.parametrize(("spread", "told"), [(7, ("blank",)), (8, ())])
def test_blank_is_less_than_8_grey_levels(spread: int, told: tuple[str, ...]) -> None:
    pixels = np.full((224, 224), 90, np.uint8)
    pixels[:112] += np.uint8(spread)
    assert look(pixels) == told


@pytest.mark.parametrize(
    ("warnings", "known", "told"),
    [
        (("tiny",), True, ("lateral", "tiny")),
        (("tiny",), False, ("tiny",)),
        (("tiny", "lateral"), True, ("tiny", "lateral")),
        ((), True, ("lateral",)),
    ],
)
def test_lateral_is_told_once_where_it_is_known(
    warnings: tuple[str, ...], known: bool, told: tuple[str, ...]
) -> None:
    assert with_lateral(warnings, known) == told


@pytest.mark.parametrize("shape", [(224, 224), (1, 1), (3, 50), (200, 9), (17, 300)])
def test_blank_is_what_the_percentiles_of_all_pixels_say(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    told = set()
    for contrast in np.linspace(0, 12, 49):
        noise = random.normal(100, contrast / 4, shape)
        across = np.full(shape, 50.0)
        across[:: random.integers(1, 40)] += contrast
        few = np.full(shape, 90.0)
        few.flat[: round(few.size * contrast / 200)] += 8  # up to 6 % of the pixels
        for grey in (noise, across, few):
            pixels = np.rint(grey).astype(np.uint8)
            low, high = np.quantile(pixels, (0.01, 0.99), method="inverted_cdf").astype(int)
            assert look(pixels) == ("blank",) * bool(high - low < BLANK)
            told.add(look(pixels))
    assert len(told) == 1 + (shape != (1, 1))


def test_pairs_agree_for_the_shipped_classifier(dicom_folder: Path) -> None:
    found = neumo.load(SHIPPED).predict(sorted(dicom_folder.glob("cr_*.dcm")))
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert abs(first.probability - second.probability) < 0.02, first.path


def test_the_shipped_classifier_knows_no_adults(dicom_folder: Path) -> None:
    found = neumo.load(SHIPPED).predict(sorted(dicom_folder.glob("*.dcm")))
    assert ["age" in one.warnings for one in found] == [True] * 5
