"""Grad-CAM against PyTorch's own gradients, through the same network in Keras."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from neumo.classifier.classifier import Classifier
from neumo.errors import NeumoError
from neumo.explain import cam
from neumo.explain.cam import enlarge, evidence, evidence_graph, heat_map
from neumo.features.precision import resolve_precision

NEAR = 5e-2 if resolve_precision("auto") == "auto" else 2e-4


def autograd(maps: Any, head: Callable[[Any], Any]) -> np.ndarray:
    """Grad-CAM before it is cut off at 0 (Selvaraju et al. 2017, eq. 1 and 2), by PyTorch.

    Args:
        maps: tensor (n, rows, columns, channels).
        head: maps to logits, (n, 1).
    """
    maps = maps.detach().requires_grad_()
    head(maps).sum().backward()
    weight = maps.grad.mean((1, 2), keepdim=True)
    return (weight * maps).sum(-1).detach().numpy()


def logit_of(head: Any) -> Callable[[Any], Any]:
    """A head without the sigmoid of its last layer."""

    def logit(x: Any) -> Any:
        for layer in head.layers[:-1]:
            x = layer(x, training=False)
        return x @ head.layers[-1].kernel.value + head.layers[-1].bias.value

    return logit


@pytest.fixture(scope="module")
def truth(classifier: Classifier, radiographs: np.ndarray) -> np.ndarray:
    """Grad-CAM of the classifier through its Keras network, (8, 7, 7)."""
    import torch

    from neumo.backend import keras

    _, scale, base, head = classifier.keras_model().layers
    pixels = torch.from_numpy(radiographs.astype(np.float32))[..., None].expand(-1, -1, -1, 3)
    with torch.no_grad():
        maps = keras.Model(base.input, base.layers[-2].output)(scale(pixels), training=False)
    return autograd(maps, lambda x: logit_of(head)(x.mean((1, 2))))


def test_equals_autograd(classifier: Classifier, radiographs: np.ndarray, truth: np.ndarray) -> None:
    probabilities, maps = evidence(classifier, radiographs)
    assert maps.shape == (8, 7, 7)
    np.testing.assert_allclose(probabilities, classifier.probabilities(radiographs), atol=NEAR)
    np.testing.assert_allclose(maps / 49, truth, atol=NEAR * np.abs(truth).max())
    assert (truth.max((1, 2)) > 0.01 * np.abs(truth).max()).sum() > 4  # else there is little to compare


def test_the_hottest_place_is_as_hot_as_the_probability(
    classifier: Classifier, radiographs: np.ndarray, truth: np.ndarray
) -> None:
    heat = heat_map(classifier, radiographs)
    assert heat.shape == radiographs.shape
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    probability = classifier.probabilities(radiographs)
    for one, p, coarse in zip(heat, probability, truth, strict=True):
        if coarse.max() > 0:
            assert one.max() == pytest.approx(p, abs=NEAR)
            large = enlarge(np.maximum(coarse, 0), 224, 224)
            np.testing.assert_allclose(one, large * p / large.max(), atol=10 * NEAR)
            middle = 32 * np.array(np.unravel_index(coarse.argmax(), coarse.shape)) + 16
            assert (
                np.abs(np.unravel_index(one.argmax(), one.shape) - middle).max() < 32
            )  # that cell or between
        else:
            assert not one.any()
    assert len(heat_map(classifier, radiographs[:0])) == 0


def test_faint_evidence_is_as_hot_as_the_probability_too(
    classifier: Classifier, radiographs: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = np.full((2, 7, 7), -1, np.float32)
    maps[0, 3, 3] = 0.01
    monkeypatch.setattr(cam, "evidence", lambda *_: (np.array([0.3, 0.2], np.float32), maps))
    heat = heat_map(classifier, radiographs[:2])
    np.testing.assert_allclose(heat.max(axis=(1, 2)), [0.3, 0])


def test_threads_may_share_a_classifier(classifier: Classifier, radiographs: np.ndarray) -> None:
    alone = [heat_map(classifier, radiographs[i : i + 2]) for i in range(7)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: heat_map(classifier, radiographs[i % 7 : i % 7 + 2]), range(21)))
    for i, heat in enumerate(together):
        np.testing.assert_allclose(heat, alone[i % 7], atol=1e-5)


def test_the_map_depends_on_the_weights(classifier: Classifier, radiographs: np.ndarray) -> None:
    """Adebayo et al. 2018 (arXiv:1810.03292): a map that survives other weights explains nothing."""
    from scipy.stats import spearmanr

    def alike(spoil: Callable[[Any], bool]) -> float:
        """Mean rank correlation of the maps with those of a classifier some of whose weights are shuffled."""
        random = np.random.default_rng(0)
        backbone, head = classifier._backbone.clone(), classifier._head.clone()
        for graph in (backbone, head):
            for node in graph.get_ordered_ops():
                if node.get_type_name() in ("Convolution", "GroupConvolution", "MatMul") and spoil(node):
                    weights = node.input_value(1).get_node()
                    _replace(weights, random.permutation(weights.data.ravel()).reshape(weights.data.shape))
        other = Classifier(classifier.card, backbone, head, b"")
        maps, others = evidence(classifier, radiographs)[1], evidence(other, radiographs)[1]
        return float(
            np.nanmean([spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(maps, others, strict=True)])
        )

    assert alike(lambda node: False) > 0.999
    assert alike(lambda node: node.get_type_name() == "MatMul") < 0.6
    assert alike(lambda node: node.get_type_name() != "MatMul") < 0.6


def _replace(constant: Any, values: np.ndarray) -> None:
    import openvino.opset15 as ops

    constant.output(0).replace(ops.constant(values).output(0))


def _network(tail: Callable[[Any], Any], *, grids: int = 1) -> tuple[Any, Any]:
    """A small network with random weights: from (15, 15, 3) to probabilities; and to its maps and logit."""
    from neumo.backend import keras

    layers = keras.layers
    picture = keras.Input((15, 15, 3))
    random = keras.initializers.HeNormal
    maps = [
        layers.Conv2D(8, 3, strides=2 + i, activation="relu", kernel_initializer=random(i))(picture)
        for i in range(grids)
    ]
    pooled = [layers.GlobalAveragePooling2D()(one) for one in maps]
    features = tail(layers.Concatenate()(pooled) if grids > 1 else pooled[0])
    logit = layers.Dense(1, kernel_initializer=random(7))(features)
    return keras.Model(picture, layers.Activation("sigmoid")(logit)), keras.Model(picture, [*maps, logit])


def _dense(activation: str, scale: float = 2) -> Callable[[Any], Any]:
    def tail(x: Any) -> Any:
        from neumo.backend import keras

        kernel = keras.initializers.VarianceScaling(scale, seed=2)
        return keras.layers.Dense(6, activation, kernel_initializer=kernel)(x)

    return tail


def _norms(x: Any) -> Any:
    from neumo.backend import keras

    return _dense("relu")(keras.layers.LayerNormalization(epsilon=1e-2)(x))  # as ConvNeXt ends


def _branches(x: Any) -> Any:
    """Each feature used twice, and a clipped ReLU."""
    from neumo.backend import keras

    return keras.layers.Concatenate()([keras.layers.ReLU(0.6)(_dense("linear")(x)), _dense("silu")(x)])


KINDS = ("relu", "silu", "gelu", "sigmoid", "hard_silu")
TAILS = [lambda x: x, *map(_dense, KINDS), _dense("hard_silu", 40), _norms, _branches]


@pytest.mark.parametrize("grids", [1, 2])
@pytest.mark.parametrize("tail", TAILS)
def test_equals_autograd_through_any_head(tail: Callable[[Any], Any], grids: int) -> None:
    import openvino
    import torch
    from torch.nn.functional import interpolate

    from neumo.features.graph import convert

    network, inside = _network(tail, grids=grids)
    pictures = np.random.default_rng(0).normal(0, 2, (5, 15, 15, 3)).astype(np.float32)
    graph, shape = evidence_graph(convert(network))
    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled([np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))])[0]

    *maps, logit = inside(torch.from_numpy(pictures), training=False)
    gradients = torch.autograd.grad(logit.sum(), maps)
    whole = torch.zeros(5, 1, 7, 7)
    for one, gradient in zip(maps, gradients, strict=True):
        part = (one * gradient.sum((1, 2), keepdim=True)).sum(-1)[:, None]
        whole += interpolate(part, (7, 7), mode="bilinear")
    expected = whole[:, 0].detach().numpy()
    assert shape == (7, 7)
    np.testing.assert_allclose(found[:, 0], torch.sigmoid(logit)[:, 0].detach().numpy(), atol=1e-5)
    near = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(found[:, 1:].reshape(5, 7, 7), expected, atol=near)
    assert expected.std() > 1e-3


def test_a_network_without_pooled_maps_is_told() -> None:
    import openvino
    import openvino.opset15 as ops

    x = ops.parameter([-1, 3, 8, 8], np.float32)
    largest = ops.reduce_max(x, [2, 3])
    logit = ops.matmul(largest, np.ones((3, 1), np.float32), False, False)
    with pytest.raises(NeumoError, match="got ReduceMax between the last maps and the probability"):
        evidence_graph(openvino.Model([ops.sigmoid(logit)], [x], "peak"))


def test_neither_keras_nor_pytorch_is_imported(classifier: Classifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "a.neumo")
    code = (
        "import sys, numpy, neumo; from neumo.explain.cam import heat_map; "
        f"print(heat_map(neumo.load({str(tmp_path / 'a.neumo')!r}), numpy.zeros((1, 224, 224), 'u1')).shape, "
        "sorted({'keras', 'torch'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "(1, 224, 224) []"


def test_the_example_in_the_documentation_runs(
    phantom_classifier: Classifier, phantoms: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(__file__).parents[2].joinpath("docs", "explain.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    phantom_classifier.save(tmp_path / "classifier.neumo")
    Image.fromarray(phantoms[0]).save(tmp_path / "xray.jpg")
    monkeypatch.chdir(tmp_path)
    made: dict[str, Any] = {}
    exec(code, made)
    assert (made["heat"].shape, made["heat"].dtype) == ((224, 224), np.float32)
