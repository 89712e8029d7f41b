"""Images per second of fine-tuning all of a network: neumo's way beside others.

    python -m benchmarks.fine_tuning [--backbone NAME] [--rounds 5] [--threads 1] [--out FILE]

One step is a batch of 32 at 224 x 224, forward, backward and AdamW, with random filters; on a GPU,
where there is one. All ways take turns in one process, `--rounds` times over; the best turn counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from neumo.backend import keras
from neumo.features import pytorch as lean
from neumo.features.backbones import backbone
from neumo.training.finetune import launched_at_once

BATCH, SIDE = 32, 224
Step = Callable[[], float]


def neumo(
    name: str,
    order: torch.memory_format = torch.channels_last,
    *,
    bf16: bool = False,
    at_once: bool = True,
) -> Step:
    """What `neumo.training.finetune` does with a batch."""
    base, (kernel, bias) = _base(name), (variable.value for variable in _head(name).weights)
    compute, weights = lean.forward(base), [w.value for w in base.trainable_weights] + [kernel, bias]
    mixed = torch.autocast(kernel.device.type, torch.bfloat16, enabled=bf16, cache_enabled=False)
    if at_once:
        with mixed:
            compute = launched_at_once(compute, base, BATCH)
    adam = torch.optim.AdamW(weights, fused=True)
    x, y = (torch.from_numpy(part).to(kernel.device) for part in _batch())
    x = x.permute(0, 3, 1, 2).contiguous(memory_format=order)

    def step() -> float:
        with mixed:
            features = compute(x)
        loss = functional.binary_cross_entropy_with_logits((features.float() @ kernel + bias)[:, 0], y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    return step


def keras_fit(name: str) -> Step:
    """`keras.Model.train_on_batch`, whose batch normalisations keep to stored statistics as neumo's do."""
    base = _base(name)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    model = keras.Model(base.input, _head(name)(base.output))
    model.compile(keras.optimizers.AdamW(), "binary_crossentropy")
    x, y = (keras.ops.convert_to_tensor(part) for part in _batch())  # on the device, as neumo's
    return lambda: float(model.train_on_batch(x, y[:, None]))


def with_layer(kind: str, rule: Callable[..., Any]) -> Callable[[str], Step]:
    """As neumo does it, but for one kind of layer."""

    def build(name: str) -> Step:
        with _replaced(kind, rule):
            step = neumo(name)

        def replaced() -> float:
            with _replaced(kind, rule):
                return step()

        return replaced

    return build


def unfolded(name: str) -> Step:
    """As neumo does it, but batch normalisations take the batch's own statistics."""
    normalised, lean._normalised = lean._normalised, lambda network: {}
    try:
        return with_layer("BatchNormalization", _running)(name)
    finally:
        lean._normalised = normalised


def _running(layer: Any, x: torch.Tensor) -> torch.Tensor:
    mean, variance = layer.moving_mean.value, layer.moving_variance.value
    return functional.batch_norm(
        x, mean, variance, layer.gamma.value, layer.beta.value, training=True, eps=layer.epsilon
    )


def _clamped(layer: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x) if layer.max_value is None else x.clamp(0, layer.max_value)


WAYS: dict[str, Callable[[str], Step]] = {
    "**neumo**": neumo,
    "each operation launched by itself": lambda name: neumo(name, at_once=False),
    "in bfloat16": lambda name: neumo(name, bf16=True),
    "channels first in memory": lambda name: neumo(name, torch.contiguous_format, at_once=False),
    "clipped ReLU by `clamp`": with_layer("ReLU", _clamped),
    "batch normalisation not folded, with the batch's statistics": unfolded,
    "Keras `train_on_batch` on PyTorch": keras_fit,
}


@contextmanager
def _replaced(kind: str, rule: Callable[..., Any]) -> Iterator[None]:
    own, lean._LAYERS[kind] = lean._LAYERS[kind], rule
    try:
        yield
    finally:
        lean._LAYERS[kind] = own


def _base(name: str) -> keras.Model:
    base = backbone(name, "none").build()
    base.trainable = True
    return base


def _head(name: str) -> keras.layers.Dense:
    head = keras.layers.Dense(1, activation="sigmoid")
    head.build((None, backbone(name, "none").features))
    return head


def _batch() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (BATCH, SIDE, SIDE, 3)).astype(np.float32)
    return x, random.integers(0, 2, BATCH).astype(np.float32)


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--backbone", default="MobileNetV2-0.35")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    parser.add_argument("--out", type=Path)
    choices = parser.parse_args()
    torch.set_num_threads(choices.threads)
    ways = dict(WAYS)
    if not (torch.cuda.is_available() or torch.cpu._is_amx_tile_supported()):
        del ways["in bfloat16"]  # 18 times slower where there are no units for it
    if not torch.cuda.is_available():
        del ways["each operation launched by itself"]  # as the first one
    steps = {way: build(choices.backbone) for way, build in ways.items()}
    best = dict.fromkeys(steps, np.inf)
    for turn in range(choices.rounds + 1):
        for way, step in steps.items():
            started = time.perf_counter()
            loss = step()
            took = time.perf_counter() - started
            if not np.isfinite(loss):
                raise SystemExit(f"{way}: got a loss of {loss}")
            if turn:  # the first one prepares
                best[way] = min(best[way], took)
    own = best["**neumo**"]
    lines = [
        f"| {choices.backbone}, {torch.get_num_threads()} thread(s) | images/s | neumo is |",
        "|---|---|---|",
        *(f"| {way} | {BATCH / took:.1f} | {took / own:.2f} times as fast |" for way, took in best.items()),
    ]
    print("\n".join(lines))
    if choices.out:
        choices.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
