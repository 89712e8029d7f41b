"""Images per second of a frozen network at 224 x 224 on a GPU: neumo, Keras, and what the card can do.

    python benchmarks/forward_pass_gpu.py [--backbone ResNet50] [--rounds 5] [--out FILE]

From grey levels in memory, uint8 (n, 224, 224), to features in memory, with random filters. All take turns
in one process, `--rounds` times over; the best turn counts. The card's rate is that of a product of two
bfloat16 matrices of 8,192 x 8,192, in the same run; an image of ResNet50 counts as 7.7 GFLOP. The error is
the largest of a feature vector, in L2, relative to single precision on the processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from neumo.backend import keras
from neumo.features.backbones import Backbone, backbone
from neumo.features.engine import Engine
from neumo.features.gpu import GpuEngine
from neumo.features.networks import kept_graph

GFLOP = {"ResNet50": 7.7}
IMAGES, MATRIX = 512, 8192
Run = Callable[[np.ndarray], np.ndarray]


def neumo(network: Backbone, batch: int, *, bf16: bool = False) -> Run:
    """The engine that `neumo study` uses where there is a GPU, in single precision."""
    engine = GpuEngine(network.build(), network.scaling, batch=batch, bf16=bf16)
    return lambda pixels: np.concatenate(
        list(engine.map(pixels[start : start + batch] for start in range(0, len(pixels), batch)))
    )


def keras_predict(network: Backbone, policy: str) -> Run:
    """`keras.Model.predict` on PyTorch, in batches of 64; it too scales grey levels on the card."""
    mean, std = network.scaling.channels
    keras.config.set_dtype_policy(policy)
    try:
        base = network.build()
        grey = keras.Input(base.input_shape[1:3])
        channels = keras.layers.Concatenate()([keras.layers.Reshape((*base.input_shape[1:3], 1))(grey)] * 3)
        scaled = keras.layers.Normalization(mean=mean, variance=std**2)(channels)
        model = keras.Model(grey, base(scaled))
    finally:
        keras.config.set_dtype_policy("float32")
    base.set_weights(network.build().get_weights())
    return lambda pixels: model.predict(pixels, batch_size=64, verbose=0)


def matrix_rate() -> float:
    """TFLOP/s of one large product, the mean of ten."""
    a, b = (torch.randn(MATRIX, MATRIX, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    a @ b
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(10):
        a @ b
    torch.cuda.synchronize()
    return 10 * 2e-12 * MATRIX**3 / (time.perf_counter() - started)


def main() -> None:
    """Let all take turns, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--backbone", default="ResNet50")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    choices = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("got no GPU that PyTorch can use, expected one")
    network = backbone(choices.backbone, "none")
    ways = {f"**neumo**, batches of {n}": neumo(network, n) for n in (16, 64, 256)}
    ways |= {f"neumo in bfloat16, batches of {n}": neumo(network, n, bf16=True) for n in (64, 256)}
    ways |= {
        f"Keras `predict`, {policy}": keras_predict(network, policy)
        for policy in ("float32", "mixed_bfloat16")
    }
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 224, 224), np.uint8)
    true = Engine(kept_graph(network), network.scaling, "f32")(pixels[:16])
    error = {
        way: (np.linalg.norm(run(pixels)[:16] - true, axis=1) / np.linalg.norm(true, axis=1)).max()
        for way, run in ways.items()
    }
    rates, limit = dict.fromkeys(ways, 0.0), 0.0
    for _ in range(choices.rounds):
        limit = max(limit, matrix_rate())
        for way, run in ways.items():
            started = time.perf_counter()
            run(pixels)
            rates[way] = max(rates[way], IMAGES / (time.perf_counter() - started))
    work = GFLOP.get(choices.backbone)

    def share(rate: float) -> str:
        return f"{rate * work / limit / 1000:.1%}" if work else ""

    lines = [
        f"{torch.cuda.get_device_name()}: {limit:.0f} TFLOP/s in bfloat16",
        "",
        f"| {choices.backbone} | images/s | of the card's rate | error |",
        "|---|---|---|---|",
        *(f"| {way} | {rate:,.0f} | {share(rate)} | {error[way]:.2%} |" for way, rate in rates.items()),
    ]
    print("\n".join(lines))
    if choices.out:
        choices.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
