"""How long an epoch of a head takes in neumo's loop, and in `keras.Model.fit` on each of Keras' backends.

    python benchmarks/heads.py [--python OTHER/bin/python] [--out FILE]

Every contestant runs in a process of its own, one after the other, on the same features: random ones, as
skewed as average-pooled ReLU features are, with labels that can be learnt in part; and from the same initial
weights, drawn as Keras draws them. An epoch goes through the training part once and then validates on an
eighth as many vectors; the first epoch, in which backends compile, is not counted, and of the others the
median is given. A backend is looked for in this Python and in `--python`, which needs Keras and that backend
and nothing of neumo's. A backend takes as many threads as it likes; neumo's loop takes one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

STEPS = ("base", "deeper", "regularised")
CONTESTANTS = ("neumo", "torch", "jax", "tensorflow")


def examples(n: int, features: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Float32 (n, features) and (n, 1)."""
    random = np.random.default_rng(seed)
    x = random.gamma(0.5, size=(n, features))
    wanted = x[:, :20].sum(axis=1) + random.normal(size=n)
    return x.astype(np.float32), (wanted > 10).astype(np.float32)[:, None]


def plain_head(keras: Any, name: str, features: int) -> Any:
    """The same layers as `neumo.training.head.build_head` gives a step, in plain Keras."""
    layers, dense = keras.layers, name != "base"
    inside = [layers.BatchNormalization()] if name == "regularised" else []
    for units in (100, 50) if dense else ():
        inside.append(layers.Dense(units, "relu"))
        inside += [layers.Dropout(0.5)] if name == "regularised" else []
    model = keras.Sequential([keras.Input((features,)), *inside, layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def draw_weights(model: Any) -> None:
    """Glorot's uniform kernels (Glorot and Bengio 2010) from one seed, whatever the backend."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        if type(layer).__name__ == "Dense":
            reach = (6 / sum(layer.kernel.shape)) ** 0.5
            layer.kernel.assign(random.uniform(-reach, reach, layer.kernel.shape).astype(np.float32))


def one(contestant: str, n: int, features: int, batch_size: int, epochs: int) -> dict[str, dict[str, float]]:
    """Step -> "seconds" of an epoch, with "loss" and "accuracy" on validation after the last."""
    train, validation = examples(n, features, 0), examples(n // 8, features, 1)
    if contestant == "neumo":
        from neumo.backend import keras
    else:
        import keras
    found = {}
    for name in STEPS:
        keras.utils.set_random_seed(0)
        ends: list[float] = []
        clock = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_, ends=ends: ends.append(time.perf_counter())
        )
        options: dict[str, Any] = {"epochs": epochs + 1, "batch_size": batch_size, "callbacks": [clock]}
        if contestant == "neumo":
            from neumo.training import loop
            from neumo.training.head import build_head, orders
            from neumo.training.steps import step

            model = build_head(step(name), features, 0)
            draw_weights(model)
            loop.fit(model, train, validation, orders(n, 0), **options)
        else:
            model = plain_head(keras, name, features)
            draw_weights(model)
            model.fit(*train, validation_data=validation, validation_batch_size=1024, verbose=0, **options)
        history = model.history.history
        found[name] = {
            "seconds": statistics.median(np.diff(ends)),
            "loss": history["val_loss"][-1],
            "accuracy": history["val_accuracy"][-1],
        }
    return found


def main() -> None:
    """Run all that can be run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=7250, help="vectors of the training part")
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=7, help="that are counted")
    parser.add_argument("--python", help="interpreter for backends that this one has not")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=CONTESTANTS)
    parser.add_argument("--one", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    choices = parser.parse_args()
    size = (choices.n, choices.features, choices.batch_size, choices.epochs)
    if choices.one:
        print(json.dumps(one(choices.one, *size)))
        return

    lines = [
        f"| {choices.n:,} vectors of {choices.features:,}, batches of {choices.batch_size} | "
        + " | ".join(f"{name}, s an epoch" for name in STEPS)
        + " | its loss | its accuracy |",
        "|---" * (len(STEPS) + 3) + "|",
    ]
    for contestant in choices.only:
        found = _in_own_process(contestant, [sys.executable, choices.python], size)
        title = "neumo" if contestant == "neumo" else f"Keras on {contestant}"
        cells = ["not installed"] + [""] * (len(STEPS) + 1)
        if found is not None:
            last = found[STEPS[-1]]
            cells = [f"{found[name]['seconds']:.3f}" for name in STEPS]
            cells += [f"{last['loss']:.3f}", f"{last['accuracy']:.3f}"]
        lines.append(f"| {' | '.join([title, *cells])} |")
        print(lines[-1], file=sys.stderr)
    table = "\n".join(lines) + "\n"
    print(table)
    if choices.out:
        choices.out.write_text(table)


def _in_own_process(
    contestant: str, pythons: list[str | None], size: tuple[int, int, int, int]
) -> dict[str, dict[str, float]] | None:
    """What `one` gives; None where no interpreter has the backend."""
    backend = "torch" if contestant == "neumo" else contestant
    own = {**os.environ, "KERAS_BACKEND": backend}
    options = ["--n", "--features", "--batch-size", "--epochs"]
    sizes = [text for option, value in zip(options, size, strict=True) for text in (option, str(value))]
    for python in filter(None, pythons):
        asked = subprocess.run([python, "-c", "import keras"], env=own, capture_output=True)
        if asked.returncode == 0:
            done = subprocess.run(
                [python, __file__, "--one", contestant, *sizes],
                env=own,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            return json.loads(done.stdout.splitlines()[-1])
    return None


if __name__ == "__main__":
    main()
