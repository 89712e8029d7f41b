"""Images per second of a frozen ResNet50 at 224 x 224: neumo's engine beside the other ways to compute it.

    python benchmarks/forward_pass.py [--python OTHER/bin/python] [--out FILE]

From grey levels in memory, uint8 (n, 224, 224), to 2,048 features, with the same random filters everywhere.
Every contestant is a process of its own; all are built first and then take turns, one at work at a time,
`--rounds` times over; the best turn counts. A way that needs what is not installed, or what the processor
does not have, is left out with a reason; Keras on TensorFlow is looked for in `--python` too, which needs
nothing of neumo's. The matrix rate, the best of n = 2,048 and 4,096 by PyTorch, NumPy and OpenVINO, takes
turns like the rest. An image counts as 7.7 GFLOP. The error is the largest of a feature vector, in L2,
relative to Keras' own in single precision.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

GFLOP = 7.7
MEAN, STD = 122.0, 60.0
Run = Callable[[np.ndarray], np.ndarray]


def matrix(precision: str) -> Callable[[], float]:
    """What measures GFLOP/s of a large matrix product."""
    import torch

    kind = {"f32": torch.float32, "bf16": torch.bfloat16}[precision]
    products: list[tuple[int, Any, Any, Any]] = []
    for n in (2048, 4096):
        a, b = (torch.rand(n, n).to(kind) for _ in range(2))
        products.append((n, torch.matmul, a, b))
        if precision == "f32":
            products.append((n, np.matmul, a.numpy(), b.numpy()))
        by_openvino = _openvino_product(b.float().numpy(), precision)
        products.append((n, lambda a, _, run=by_openvino: run(a), a.float().numpy(), b))

    def once() -> float:
        best = 0.0
        for n, product, a, b in products:
            started = time.perf_counter()
            product(a, b)
            best = max(best, 2e-9 * n**3 / (time.perf_counter() - started))
        return best

    return once


def _openvino_product(b: np.ndarray, precision: str) -> Callable[[np.ndarray], object]:
    """Of a matrix with this one; what goes in and comes out is in single precision."""
    import openvino
    import openvino.opset15 as ops

    a = ops.parameter(b.shape, np.float32)
    product = ops.matmul(a, ops.constant(b), False, False)
    network = openvino.Core().compile_model(
        openvino.Model([product], [a], "product"), "CPU", {"INFERENCE_PRECISION_HINT": precision}
    )
    request = network.create_infer_request()
    return lambda given: request.infer([given], share_inputs=True, share_outputs=True)


def neumo(precision: str, weights: Path) -> Run:
    """The engine; for int8 calibrated on 32 images of noise, as speed is all that is asked."""
    from neumo.features.backbones import backbone
    from neumo.features.engine import Engine
    from neumo.features.networks import kept_graph
    from neumo.features.precision import resolve_precision
    from neumo.features.quantise import quantise
    from neumo.features.scaling import Scaling

    resolve_precision(precision)
    graph, scaling = kept_graph(backbone("ResNet50", weights)), Scaling(MEAN, STD)
    if precision == "int8":
        graph = quantise(graph, images(32, seed=1), scaling)
    return Engine(graph, scaling, precision)


def keras_predict(weights: Path) -> Run:
    """`keras.Model.predict` on the backend that KERAS_BACKEND names."""
    model = _keras_model(weights)
    return lambda pixels: model.predict(_scaled(pixels), verbose=0)


def openvino_from_keras(weights: Path) -> Run:
    """Keras' own export to OpenVINO, channels last, compiled for throughput in batches of 8."""
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "resnet.xml"))
        _keras_model(weights).export(file, format="openvino", verbose=False)
        graph = openvino.Core().read_model(file)
        graph.reshape([8, 224, 224, 3])
        compiled = openvino.Core().compile_model(graph, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})

    def run(pixels: np.ndarray) -> np.ndarray:
        x, found = _scaled(pixels), np.empty((len(pixels), 2048), np.float32)
        queue = openvino.AsyncInferQueue(compiled)
        queue.set_callback(lambda request, at: found.__setitem__(at, request.get_output_tensor().data))
        for start in range(0, len(x), 8):
            queue.start_async([x[start : start + 8]], slice(start, start + 8))
        queue.wait_all()
        return found

    return run


def onnx_runtime(weights: Path) -> Run:
    """The graph of the engine, channels first, as ONNX, in batches of 8."""
    import onnxruntime

    from neumo.export.onnx_graph import to_onnx
    from neumo.features.backbones import backbone
    from neumo.features.grey import with_grey_input
    from neumo.features.networks import kept_graph
    from neumo.features.scaling import Scaling

    graph = with_grey_input(kept_graph(backbone("ResNet50", weights)), Scaling(MEAN, STD), -1)
    graph.input(0).tensor.set_names({"pixels"})
    graph.output(0).tensor.set_names({"features"})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))  # it would take all cores there are
    session = onnxruntime.InferenceSession(to_onnx(graph, {}).SerializeToString(), options)
    return _in_batches(lambda some: session.run(None, {"pixels": some})[0], 8)


def pytorch(precision: str, weights: Path) -> Run:
    """Traced and frozen, batch normalisations folded, channels last in memory, in batches of 8."""
    import torch

    from neumo.features.backbones import backbone
    from neumo.features.pytorch import forward

    kind = {"f32": torch.float32, "bf16": torch.bfloat16}[precision]
    network = forward(backbone("ResNet50", weights).build())

    class Module(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return network(x)

    def inputs(pixels: np.ndarray) -> Any:
        x = (torch.from_numpy(pixels).float() - MEAN) / STD
        return x[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)

    with torch.inference_mode(), torch.autocast("cpu", kind, enabled=precision != "f32"):
        traced = torch.jit.freeze(torch.jit.trace(Module().eval(), inputs(images(8)), check_trace=False))

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return traced(inputs(pixels)).float().numpy()

    return _in_batches(run, 8)


def images(n: int, seed: int = 0) -> np.ndarray:
    """Smooth noise, uint8 (n, 224, 224)."""
    coarse = np.random.default_rng(seed).normal(122, 60, (n, 28, 28)).clip(0, 255)
    return coarse.repeat(8, 1).repeat(8, 2).astype(np.uint8)


def _keras_model(weights: Path) -> Any:
    import keras

    model = keras.applications.ResNet50(
        include_top=False, pooling="avg", weights=None, input_shape=(224, 224, 3)
    )
    model.load_weights(weights)
    return model


def _scaled(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(
        ((pixels.astype(np.float32) - np.float32(MEAN)) / np.float32(STD))[..., None], 3, axis=-1
    )


def _in_batches(run: Run, size: int) -> Run:
    return lambda x: np.concatenate([run(x[start : start + size]) for start in range(0, len(x), size)])


# Name -> KERAS_BACKEND, images of a turn, what builds it from a weights file.
CONTESTANTS: dict[str, tuple[str, int, Callable[[Path], Any]]] = {
    "matrix product, f32": ("torch", 0, lambda _: matrix("f32")),
    "matrix product, bf16": ("torch", 0, lambda _: matrix("bf16")),
    "neumo, f32": ("torch", 96, lambda weights: neumo("f32", weights)),
    "neumo, bf16": ("torch", 96, lambda weights: neumo("bf16", weights)),
    "neumo, int8": ("torch", 96, lambda weights: neumo("int8", weights)),
    "Keras predict on TensorFlow": ("tensorflow", 32, keras_predict),
    "Keras predict on PyTorch": ("torch", 32, keras_predict),
    "OpenVINO, exported by Keras": ("openvino", 64, openvino_from_keras),
    "ONNX Runtime, f32": ("torch", 64, onnx_runtime),
    "PyTorch, f32, folded, channels last": ("torch", 64, lambda weights: pytorch("f32", weights)),
    "PyTorch, bf16, folded, channels last": ("torch", 64, lambda weights: pytorch("bf16", weights)),
}


def contest(name: str, weights: Path, features: Path) -> None:
    """Be a contestant: build, say so, and give a rate for every line that comes in."""
    _, n, build = CONTESTANTS[name]
    if name.endswith(", bf16") or ", bf16," in name:
        from neumo.features.precision import resolve_precision

        resolve_precision("bf16")
    run = build(weights)
    pixels = images(n)
    if n:
        np.save(features, np.asarray(run(pixels[:16]))[:8])
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        result = run(pixels) if n else run()
        print(n / (time.perf_counter() - started) if n else result, flush=True)


class Contestant:
    """The other end of `contest`."""

    def __init__(self, name: str, pythons: list[str], weights: Path, features: Path) -> None:
        self.name, self.features, self.rates = name, features, list[float]()
        self.reason, said = "", features.with_suffix(".log")
        for python in pythons:
            self.process = subprocess.Popen(
                [python, __file__, "--contest", name, str(weights), str(features)],
                env={
                    **os.environ,
                    "KERAS_BACKEND": CONTESTANTS[name][0],
                    "NEUMO_CACHE": str(weights.parent / "cache"),
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said.open("w"),
                text=True,
            )
            if self._line() == "ready":
                return
            self.process.wait()
            self.reason = self.reason or said.read_text().strip().splitlines()[-1]

    def _line(self) -> str:
        assert self.process.stdout is not None
        return next((line.strip() for line in self.process.stdout if line[0] in "r.0123456789"), "")

    def turn(self) -> None:
        """Let it work once."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.rates.append(float(self._line()))


def main() -> None:
    """Let all take turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--python", help="interpreter for what this one has not")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=CONTESTANTS)
    parser.add_argument("--contest", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    choices = parser.parse_args()
    if choices.contest:
        contest(choices.contest[0], *map(Path, choices.contest[1:]))
        return

    from neumo.features.backbones import backbone

    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "resnet50.weights.h5")
        backbone("ResNet50", "none").build().save_weights(weights)
        pythons = [sys.executable, *([choices.python] if choices.python else [])]
        all_of_them = [
            Contestant(name, pythons, weights, Path(folder, f"{i}.npy"))
            for i, name in enumerate(choices.only)
        ]
        there = [one for one in all_of_them if one.process.poll() is None]
        for _ in range(choices.rounds):
            for one in there:
                one.turn()
        truth = next((np.load(one.features) for one in there if one.name.startswith("Keras")), None)
        table = _table(all_of_them, truth)
    print(table)
    if choices.out:
        choices.out.write_text(table)


def _table(contestants: list[Contestant], truth: np.ndarray | None) -> str:
    best = {one.name: max(one.rates, default=0.0) for one in contestants}
    lines = ["| | images/s | GFLOP/s | of the matrix rate | neumo, f32, is | error |", "|---" * 6 + "|"]
    for one in contestants:
        rate = best[one.name]
        if not rate:
            lines.append(f"| {one.name} | left out: {one.reason} | | | | |")
        elif one.name.startswith("matrix"):
            lines.append(f"| {one.name} | | {rate:.0f} | | | |")
        else:
            kind = "bf16" if "bf16" in one.name else "f32"
            peak, ours = best.get(f"matrix product, {kind}"), best.get("neumo, f32")
            share = f"{rate * GFLOP / peak:.0%}" if peak else ""
            ratio = f"{ours / rate:.2f} times as fast" if ours else ""
            error = ""
            if truth is not None:
                off = np.linalg.norm(np.load(one.features) - truth, axis=1) / np.linalg.norm(truth, axis=1)
                error = f"{off.max():.1e}"
            lines.append(f"| {one.name} | {rate:.1f} | {rate * GFLOP:.0f} | {share} | {ratio} | {error} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
