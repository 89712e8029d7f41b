from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from neumo.report import draw_data, draw_result, draw_training
from neumo.report.drawing import STYLE, VARIABLES, Drawing, protocol_sides
from neumo.report.figures import draw, finished, save_figures
from neumo.results import published
from neumo.results.results import Results

SVG = "{http://www.w3.org/2000/svg}"


def lines(ax: Axes, alpha: float | None = None) -> list[np.ndarray]:
    """The lines of an axis, each (points, 2); those of one opacity if it is given."""
    return [np.asarray(line.get_xydata()) for line in ax.lines if alpha in (None, line.get_alpha())]


def texts(drawing: Drawing) -> list[str]:
    return ["".join(one.itertext()) for one in ET.fromstring(drawing.svg).iter(f"{SVG}text")]


def test_saves_every_figure_twice(study: Results, drawings: dict[str, Drawing], tmp_path: Path) -> None:
    files = save_figures(study, tmp_path / "figures", drawings)
    assert {file.name for file in files} == {f"{name}.{end}" for name in drawings for end in ("png", "svg")}
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {file.name for file in files}
    for file in files:
        if file.suffix == ".png":
            with Image.open(file) as picture:
                assert picture.width >= 600
                assert np.asarray(picture.convert("L")).std() > 5  # not blank
        else:
            assert ET.parse(file).getroot().tag == f"{SVG}svg"
            assert b"<dc:date>" not in file.read_bytes()


def test_the_same_results_give_the_same_bytes(
    results: Results, drawings: dict[str, Drawing], tmp_path: Path
) -> None:
    some = ("calibration", "ladder", "counts", "roc")
    again = draw(results)
    first = save_figures(results, tmp_path / "first", {name: drawings[name] for name in some})
    second = save_figures(results, tmp_path / "second", {name: again[name] for name in some})
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    assert len(first) == 8


def test_inline_is_one_themed_element_with_ids_of_its_own(drawings: dict[str, Drawing]) -> None:
    for name, drawing in drawings.items():
        inline = drawing.inline()
        root = ET.fromstring(inline)
        assert root.get("role") == "img"
        assert root.get("aria-label") == drawing.alt
        assert root.get("viewBox")
        assert "width" not in root.attrib
        ids = re.findall(r' id="([^"]+)"', inline)
        assert all(one.startswith(f"{name}-") for one in ids)
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', inline)) == set(ids)
        assert "<style" not in inline
        assert not [colour for colour in VARIABLES if colour in inline]
        assert re.findall(r"#[0-9a-f]{6}", inline) == []
        # what is said stays as it is, whatever was rounded
        assert ["".join(one.itertext()) for one in root.iter("text")] == texts(drawing)


def test_every_figure_of_synthetic_radiographs_says_so(
    results: Results, drawings: dict[str, Drawing]
) -> None:
    assert all("SYNTHETIC radiographs" in texts(drawing) for drawing in drawings.values())
    results.dataset["synthetic"] = False
    assert not any("SYNTHETIC" in drawing.svg for drawing in draw(results).values())


def test_ladder_shows_means_and_the_report(study: Results, drawings: dict[str, Drawing]) -> None:
    loss, accuracy = drawings["ladder"].figure.axes
    for ax, what in ((loss, "loss"), (accuracy, "accuracy")):
        drawn = {(round(float(x), 9), float(y)) for line in lines(ax) for x, y in line}
        for row, (step, report) in enumerate(published.STEPS.items()):
            ours = [run.validation[what] for run in study.ladder(step)]
            for value in (min(ours), np.mean(ours), max(ours)):
                assert (round(float(value), 9), row) in drawn
            if report is not None:
                assert (getattr(report, what), row) in drawn
        assert (getattr(published.TEST, what), len(published.STEPS)) in drawn


def test_training_curves_show_every_seed(study: Results, drawings: dict[str, Drawing]) -> None:
    axes = drawings["training-2-normalised"].figure.axes
    for ax, what in zip(axes, ("loss", "accuracy"), strict=True):
        curves = [list(line[:, 1]) for line in lines(ax)]
        for run in study.ladder("normalised"):
            assert run.history[what] in curves
            assert run.history[f"val_{what}"] in curves
            assert [run.history[f"val_{what}"][run.best_epoch - 1]] in curves


def test_mean_ends_with_the_first_seed_that_stops(results: Results) -> None:
    first, second = results.ladder("early stopping")
    for values in first.history.values():
        del values[2:]
    first.best_epoch = 1
    second.best_epoch = 3
    loss = draw_training.training(results, "early stopping").figure.axes[0]
    curves = [list(line[:, 1]) for line in lines(loss)]
    mean = np.mean([first.history["val_loss"], second.history["val_loss"][:2]], axis=0)
    assert any(len(curve) == 2 and np.allclose(curve, mean) for curve in curves)


def test_roc_curve_encloses_the_auc(study: Results, drawings: dict[str, Drawing]) -> None:
    ax = drawings["roc"].figure.axes[0]
    areas = [np.trapezoid(y=curve[:, 1], x=curve[:, 0]) for curve in lines(ax, alpha=0.35)]
    aucs = [
        run.test["metrics"]["auc"]["value"]
        for protocol in ("random", "patient", "official")
        for run in study.tested(protocol)
        if run.test
    ]
    assert np.allclose(areas, aucs, atol=1e-9)


def test_enlarges_the_corner_only_where_curves_leave_room(results: Results) -> None:
    for auc, axes in ((0.95, 1), (0.85, 0)):
        for run in results.tested("random"):
            assert run.test is not None
            run.test["metrics"]["auc"]["value"] = auc
        assert len(draw_result.roc(protocol_sides(results)[:1]).figure.axes[0].child_axes) == axes


def test_operating_points_lie_on_the_roc_curves(drawings: dict[str, Drawing]) -> None:
    ax = drawings["roc"].figure.axes[0]
    curves = lines(ax, alpha=0.35)
    points = [line[0] for line in lines(ax) if len(line) == 1]
    assert len(points) == len(curves) == 6
    steps = np.linspace(0, 1, 201)[:, None]
    for point, curve in zip(points, curves, strict=True):
        walked = np.concatenate([start + steps * (end - start) for start, end in itertools.pairwise(curve)])
        assert np.abs(walked - point).sum(axis=1).min() < 0.01


def test_operating_points_have_the_precision_of_the_confusion_matrix(
    study: Results, drawings: dict[str, Drawing]
) -> None:
    ax = drawings["precision-recall"].figure.axes[0]
    points = [line[0] for line in lines(ax) if len(line) == 1]
    expected = []
    for protocol in ("random", "patient", "official"):
        for run in study.tested(protocol):
            assert run.test is not None
            (_, false_alarms), (missed, found) = run.test["confusion"]
            expected.append((found / (found + missed), found / (found + false_alarms)))
    assert np.allclose(points, expected)


def test_who_calls_nothing_pneumonia_has_no_precision(results: Results) -> None:
    for run in results.tested("random"):
        assert run.test is not None
        (right, wrong), (missed, found) = run.test["confusion"]
        run.test["confusion"] = [[right + wrong, 0], [missed + found, 0]]
    ax = draw_result.precision_recall(protocol_sides(results)[:1]).figure.axes[0]
    assert not [line for line in lines(ax) if len(line) == 1]


def test_names_are_no_formulas(results: Results) -> None:
    for one in results.audit["composition"]:
        one["class"] = "a$b$c & <d>"
    with matplotlib.rc_context(STYLE):
        assert any("a$b$c & <d>" in text for text in texts(draw_data.composition(results)))


def test_confusion_matrix_adds_up(study: Results, drawings: dict[str, Drawing]) -> None:
    for protocol in ("random", "patient", "official"):
        cells = [
            float(text.replace(",", ""))
            for text in texts(drawings[f"confusion-{protocol}"])
            if re.match(r"[\d,.]+$", text)
        ]
        normal = np.mean([run.counts["test"]["normal"] for run in study.tested(protocol)])
        pneumonia = np.mean([run.counts["test"]["pneumonia"] for run in study.tested(protocol)])
        assert cells[0] + cells[1] == pytest.approx(normal, abs=0.11)
        assert cells[2] + cells[3] == pytest.approx(pneumonia, abs=0.11)
        accuracy = np.mean(
            [run.test["metrics"]["accuracy"]["value"] for run in study.tested(protocol) if run.test]
        )
        assert (cells[0] + cells[3]) / (normal + pneumonia) == pytest.approx(accuracy, abs=0.02)


def test_counts_are_those_of_the_split(study: Results, drawings: dict[str, Drawing]) -> None:
    shown = {
        int(text.strip().replace(",", ""))
        for text in texts(drawings["counts"])
        if re.match(r" [\d,]+$", text)
    }
    for protocol in ("random", "patient", "official"):
        run = study.tested(protocol)[0]
        assert {sum(kinds.values()) for kinds in run.counts.values()} <= shown


def test_leaves_out_what_was_not_run(results: Results) -> None:
    results.runs = [
        run for run in results.runs if run.protocol == "random" and run.validation_drawn == "before-balancing"
    ]
    names = set(draw(results))
    assert "confusion-random" in names
    assert not names & {"confusion-official", "confusion-patient", "validation-drawing"}


def test_a_single_miss_is_not_rounded_away(results: Results) -> None:
    for run in results.tested("random"):
        assert run.test is not None
        run.test["confusion"] = [[2000, 0], [1, 2999]]
    shares = [text for text in texts(draw_result.confusion(protocol_sides(results)[0])) if "%" in text]
    assert shares == ["100.0%", "0.0%", "0.03%", "99.97%"]


@pytest.mark.parametrize(
    "names",
    [
        ("COVID-19 pneumonia", "no acute abnormality"),
        ("bacterial pneumonia or consolidation of unknown cause", "lungs_clear_without_any_finding_at_all"),
    ],
)
def test_long_names_of_classes_leave_room_and_overlap_nothing(
    results: Results, names: tuple[str, str]
) -> None:
    called = dict(zip(("pneumonia", "normal"), names, strict=True))
    results.dataset |= {"positive_name": names[0], "negative_name": names[1], "synthetic": False}
    for one in results.audit["composition"]:
        one["class"] = called[one["class"]]
    sides = protocol_sides(results)
    with matplotlib.rc_context(STYLE):
        drawn = [draw_result.confusion(sides[0]), draw_data.composition(results), draw_result.by_cause(sides)]
        for drawing in finished([*drawn, draw_result.calibration(sides)], synthetic=False).values():
            figure = drawing.figure
            ax = figure.axes[0]
            assert ax.get_position().width > 0.5
            assert ax.get_position().height > 0.4
            for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
                boxes = [label.get_window_extent() for label in labels]
                assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
            for one in (*figure.axes, *figure.legends):
                box = one.get_tightbbox()
                assert box is not None
                assert figure.bbox.padded(1).containsx(box.x0)
                assert figure.bbox.padded(1).containsx(box.x1)
