from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neumo.errors import NeumoError
from neumo.features import quantise as module
from neumo.features.backbones import Backbone
from neumo.features.engine import Engine
from neumo.features.extract import extract
from neumo.features.networks import kept_graph, networks_folder
from neumo.features.quantise import Calibration, quantise
from neumo.features.scaling import Scaling

SCALING = Scaling(122.0, 60.0)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IMAGES", 8)


def kinds(graph: Any) -> list[str]:
    return [node.get_type_name() for node in graph.get_ops()]


def test_features_are_near_those_of_single_precision_and_no_nearer(
    mobilenet: Backbone, pixels: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    graph = kept_graph(mobilenet)
    small = quantise(graph, pixels[:8], SCALING)
    assert capfd.readouterr().out == ""
    true = Engine(graph, SCALING, "f32")(pixels)
    found = Engine(small, SCALING, "int8")(pixels)
    cosine = (found * true).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(true, axis=1)
    assert 0.9 < cosine.min() < 0.9999
    assert kinds(small).count("FakeQuantize") > 50
    assert "FakeQuantize" not in kinds(graph)
    assert small.input(0).get_partial_shape().to_string() == "[?,3,224,224]"
    first = next(node for node in small.get_ordered_ops() if node.get_type_name() == "Convolution")
    assert (
        first.input_value(1).get_node().get_type_name() == "Constant"
    )  # single precision, so it can be folded


def test_calibration_is_on_the_same_originals_whatever_the_order(rows: pd.DataFrame) -> None:
    some = Calibration.of(rows, SCALING)
    generated = pd.concat([rows.assign(copy=1), rows, rows.assign(path="elsewhere")])
    assert Calibration.of(generated.iloc[::-1].sort_values("copy"), SCALING).hashes == some.hashes
    assert some.hashes == tuple(sorted(rows["sha256"])[:8])
    assert some.id == Calibration.of(rows.sample(frac=1, random_state=0), SCALING).id
    fewer = rows[rows["sha256"] != some.hashes[0]]
    assert len({some.id, Calibration.of(fewer, SCALING).id, Calibration.of(rows, Scaling(1, 2)).id}) == 3
    with pytest.raises(NeumoError, match="calibration: got no training image"):
        Calibration.of(rows.assign(copy=1), SCALING)


def test_calibration_on_radiographs_that_are_read_otherwise_is_another_one(
    rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Calibration.of(rows, SCALING)
    before = one.id
    monkeypatch.setattr(module, "pixels_id", lambda: {"pixels": -1})
    assert one.id != before


def test_what_is_extracted_depends_on_the_training_part(mobilenet: Backbone, rows: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="got int8 without calibration"):
        extract(rows, mobilenet, SCALING, precision="int8")
    first = np.array(extract(rows, mobilenet, SCALING, precision="int8", calibration=rows[:10]))
    other = np.array(extract(rows, mobilenet, SCALING, precision="int8", calibration=rows[10:]))
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, extract(rows, mobilenet, SCALING, precision="f32"))
    assert len(list(networks_folder().iterdir())) == 3
    ranges = Calibration.of(rows[:10], SCALING)
    again = Engine(kept_graph(mobilenet, ranges), SCALING, "int8")
    pixels = np.stack([module.read_radiograph(path) for path in rows["path"]])
    np.testing.assert_array_equal(again(pixels), first)
    assert len(list(networks_folder().iterdir())) == 3


def test_without_nncf(monkeypatch: pytest.MonkeyPatch, rows: pd.DataFrame) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        NeumoError, match=r"^precision: got int8, which needs nncf; .* pip install 'neumo\[int8\]'"
    ):
        Calibration.of(rows, SCALING)
