"""The trainable head that turns a frozen backbone's features into a probability."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neumo.backend import keras
from neumo.errors import NeumoError
from neumo.features.matrix import Rows, blocks
from neumo.progress import advance
from neumo.training import loop
from neumo.training.steps import Step

EPOCHS = 15
BATCH_SIZE = 32  # Keras' default; the report gives none
MIN_DELTA = 1e-3
PATIENCE = 8


def build_head(step: Step, features: int, seed: int) -> keras.Model:
    """The head of a step as a Keras model, compiled with Adam and binary cross-entropy.

    Args:
        step: which layers it has.
        features: how many numbers the backbone gives per image.
        seed: of the initial weights and the dropout masks; equal seeds give equal heads.

    Returns:
        Model from (n, features) float32 to (n, 1) float32, the probability of pneumonia.
    """
    seeds = (int(s) for s in np.random.default_rng(seed).integers(2**31, size=2 * len(step.dense) + 1))
    layers = [keras.Input((features,), name="features")]
    if step.batch_norm:
        layers.append(keras.layers.BatchNormalization(name="batch_norm"))
    for i, units in enumerate(step.dense, start=1):
        layers.append(_dense(units, step.activation, next(seeds), f"dense_{i}"))
        if step.dropout:
            layers.append(keras.layers.Dropout(step.dropout, seed=next(seeds), name=f"dropout_{i}"))
    layers.append(_dense(1, "sigmoid", next(seeds), "probability"))
    return _compiled(keras.Sequential(layers, name="head"))


def build_network(
    step: Step, base: keras.Model, seed: int, *, mean: float = 0.0, std: float = 1.0
) -> keras.Model:
    """The same head on top of the frozen backbone, from pixels to probability, as the report has it.

    neumo trains on stored features instead; this network is what that must equal.

    Args:
        step: which layers the head has.
        base: average-pooled backbone, (n, height, width, 3) float32 to (n, features); it is frozen.
        seed: as in `build_head`.
        mean: grey level that becomes 0 at the backbone's input.
        std: grey levels that become 1 there.

    Returns:
        Compiled model from (n, height, width, 3) grey levels, 0 to 255, to (n, 1) probabilities.
    """
    base.trainable = False
    pixels = keras.Input(base.input_shape[1:], name="pixels")
    scaled = pixels
    if (mean, std) != (0.0, 1.0):
        scaled = keras.layers.Normalization(mean=mean, variance=std**2)(pixels)
    head = build_head(step, base.output_shape[-1], seed)
    return _compiled(keras.Model(pixels, head(base(scaled, training=False)), name="network"))


@dataclass(frozen=True)
class Fitted:
    """A trained head.

    Args:
        model: (n, features) float32 to (n, 1) float32.
        history: "loss", "accuracy", "val_loss" and "val_accuracy", one number per epoch.
        best_epoch: the epoch, counted from 1, whose weights the model has: the last one, or that of the
            best validation loss where the step stops early.
    """

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int


def fit_head(
    step: Step,
    x: ArrayLike | Rows,
    y: ArrayLike,
    x_val: ArrayLike | Rows,
    y_val: ArrayLike,
    *,
    seed: int,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
) -> Fitted:
    """Train the head of a step on features; equal arguments give equal numbers on one machine.

    Args:
        step: which layers the head has, and whether it stops early.
        x: (n, features) features of the training part; given as `neumo.features.matrix.Rows`, they are never
            copied together.
        y: (n,) 0 normal, 1 pneumonia.
        x_val: (m, features) features of the validation part.
        y_val: (m,) its labels.
        seed: of the initial weights, the dropout masks and the order of the images.
        epochs: how often each image is seen at most.
        batch_size: images per step of Adam.

    Raises:
        NeumoError: one class only, no validation, features that are not finite, sizes that do not fit.
    """
    x, y = _examples("training part", x, y)
    x_val, y_val = _examples("validation part", x_val, y_val)
    if x.shape[1] != x_val.shape[1]:
        raise NeumoError(
            f"validation part: got {x_val.shape[1]} features, expected {x.shape[1]}, as for training"
        )
    if len(np.unique(y)) < 2:
        raise NeumoError(
            f"training part: got {len(y)} images all of class {y[0, 0]:.0f}, expected both classes"
        )
    if epochs < 1 or batch_size < 1:
        raise NeumoError(f"got {epochs} epochs with batches of {batch_size}, expected 1 or more of each")

    model = build_head(step, x.shape[1], seed)
    with advance(f"Training {step.name}", epochs) as bar:
        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.step())]
        if step.early_stopping:
            stopping = keras.callbacks.EarlyStopping(
                monitor="val_loss", min_delta=MIN_DELTA, patience=PATIENCE, restore_best_weights=True
            )
            callbacks.append(stopping)
        loop.fit(
            model,
            (x, y),
            (x_val, y_val),
            orders(len(x), seed),
            epochs=epochs,
            batch_size=batch_size,
            callbacks=callbacks,
        )
    history = {name: [float(v) for v in values] for name, values in model.history.history.items()}
    return Fitted(model, history, stopping.best_epoch + 1 if step.early_stopping else len(history["loss"]))


def orders(n: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """The order in which each epoch goes through n images: a new seeded permutation per epoch."""
    random = np.random.default_rng(seed)
    while True:
        yield random.permutation(n)


def _dense(units: int, activation: str, seed: int, name: str) -> keras.layers.Dense:
    initial = keras.initializers.GlorotUniform(seed)
    return keras.layers.Dense(units, activation=activation, kernel_initializer=initial, name=name)


def _compiled(model: keras.Model) -> keras.Model:
    model.compile(keras.optimizers.Adam(name="adam"), "binary_crossentropy", metrics=["accuracy"])
    return model


def _examples(part: str, x: ArrayLike | Rows, y: ArrayLike) -> loop.Part:
    """`x` and `y` as (n, features) and (n, 1) float32 arrays that can be learnt from."""
    x, y = x if isinstance(x, Rows) else np.asarray(x, np.float32), np.asarray(y)
    if len(x) == 0:
        raise NeumoError(f"{part}: got no images, expected at least one")
    if len(x.shape) != 2 or y.shape != (len(x),):
        raise NeumoError(f"{part}: got features {x.shape}, labels {y.shape}, expected (n, features), (n,)")
    if not np.isin(y, (0, 1)).all():
        wrong = y[~np.isin(y, (0, 1))][0]
        raise NeumoError(f"{part}: got label {wrong}, expected 0 for normal or 1 for pneumonia")
    finite = np.concatenate([np.isfinite(block).all(axis=1) for block in blocks(x)])
    if not finite.all():
        row = int(np.argmin(finite))
        raise NeumoError(f"{part}: got features that are not finite in row {row}, expected finite numbers")
    return x, y.astype(np.float32)[:, None]
