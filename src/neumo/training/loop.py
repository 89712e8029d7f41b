"""The training loop of a head.

Keras on PyTorch spends milliseconds per batch around a head's few small matrix products. So on PyTorch the
loop here runs the head's own Keras layers and variables through PyTorch's functions, with Adam, losses and
callbacks as `keras.Model.fit` has them; tests hold both to the same numbers. On another backend it is
`keras.Model.fit` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neumo.backend import keras
from neumo.features.matrix import AT_ONCE, Rows, blocks

Orders = Iterator[NDArray[np.int64]]
Floats = NDArray[np.floating]
Part = tuple[Floats | Rows, Floats]
"""Features and labels."""


def fit(
    model: keras.Model,
    train: Part,
    validation: Part,
    orders: Orders,
    *,
    epochs: int,
    batch_size: int,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Train a compiled head; the epochs' numbers are in `model.history` afterwards.

    Args:
        model: a Sequential of BatchNormalization, Dense and Dropout that ends in a probability, compiled
            with Adam, binary cross-entropy and accuracy.
        train: (n, features) features and (n, 1) labels of the training part; features are gathered batch by
            batch, so that they need not be in memory.
        validation: the same of the validation part.
        orders: gives the order of the n images for each epoch.
        epochs: how many, unless a callback stops earlier.
        batch_size: images per step of Adam; the last batch of an epoch may be smaller.
        callbacks: they are told of the beginning and end of training and of each epoch, not of batches.
    """
    run = _fit_torch if keras.backend.backend() == "torch" else _fit_keras
    run(model, train, validation, orders, epochs, batch_size, callbacks)


def _fit_torch(
    model: keras.Model,
    train: Part,
    validation: Part,
    orders: Orders,
    epochs: int,
    batch_size: int,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    device = model.weights[0].value.device
    (x, labels), (x_val, labels_val) = train, validation
    y, y_val = (torch.from_numpy(a).to(device) for a in (labels, labels_val))
    layers = [_TRAINED[type(layer)](layer) for layer in model.layers]
    adam = _Adam(model)
    told = keras.callbacks.CallbackList(callbacks, add_history=True, model=model)
    model.stop_training = False
    told.on_train_begin()
    with _one_thread():
        for epoch in range(epochs):
            told.on_epoch_begin(epoch)
            order = next(orders)
            wanted = y[torch.from_numpy(order).to(device)]
            outputs = []
            for start, y_batch in zip(range(0, len(x), batch_size), wanted.split(batch_size), strict=True):
                p = torch.from_numpy(x[order[start : start + batch_size]]).to(device)
                for layer in layers:
                    p = layer(p)
                adam.step(_cross_entropy(p, y_batch))
                outputs.append(p.detach())
            logs = _measured(torch.cat(outputs), wanted)
            with torch.no_grad():
                p = torch.cat([model(torch.from_numpy(x).to(device), training=False) for x in blocks(x_val)])
                logs |= {f"val_{k}": v for k, v in _measured(p, y_val).items()}
            told.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
    told.on_train_end(logs)


def _cross_entropy(p: Tensor, y: Tensor) -> Tensor:
    """Keras' binary cross-entropy of probabilities."""
    edge = keras.config.epsilon()
    return torch.nn.functional.binary_cross_entropy(p.clamp(edge, 1 - edge), y)


def _measured(p: Tensor, y: Tensor) -> dict[str, float]:
    return {"accuracy": ((p > 0.5) == (y > 0.5)).float().mean().item(), "loss": _cross_entropy(p, y).item()}


class _Adam:
    """Keras' Adam by PyTorch's fused one.

    Keras adds epsilon to the root of the second moment as it stands, PyTorch to the root of the
    bias-corrected one, so PyTorch's epsilon follows the correction (Kingma and Ba, arXiv:1412.6980,
    section 2, has both forms).
    """

    def __init__(self, model: keras.Model) -> None:
        self.adam, self.steps = model.optimizer, 0
        self.rate = float(self.adam.learning_rate)
        self.weights = [w.value for w in model.trainable_weights]
        self.means, self.squares = ([torch.zeros_like(w) for w in self.weights] for _ in range(2))
        self.counts = [torch.zeros((), device=w.device) for w in self.weights]

    def step(self, loss: Tensor) -> None:
        self.steps += 1
        gradients = torch.autograd.grad(loss, self.weights)
        with torch.no_grad():
            torch._foreach_add_(self.counts, 1)
            # what torch.optim.Adam(fused=True) calls, without its checks, which take as long
            torch._fused_adam_(
                self.weights,
                gradients,
                self.means,
                self.squares,
                [],
                self.counts,
                lr=self.rate,
                beta1=self.adam.beta_1,
                beta2=self.adam.beta_2,
                eps=self.adam.epsilon / (1 - self.adam.beta_2**self.steps) ** 0.5,
                weight_decay=0.0,
                amsgrad=False,
                maximize=False,
            )


def _batch_normalization(layer: keras.layers.BatchNormalization) -> Callable[[Tensor], Tensor]:
    gamma, beta, moving_mean, moving_variance = (w.value for w in layer.weights)

    def train(x: Tensor) -> Tensor:
        y, mean, inverse_std = torch.native_batch_norm(x, gamma, beta, None, None, True, 0.0, layer.epsilon)
        with torch.no_grad():
            moving_mean.lerp_(mean, 1 - layer.momentum)
            moving_variance.lerp_(inverse_std.pow(-2) - layer.epsilon, 1 - layer.momentum)
        return y

    return train


def _dense(layer: keras.layers.Dense) -> Callable[[Tensor], Tensor]:
    kernel, bias = (w.value for w in layer.weights)
    activation = _ACTIVATIONS.get(layer.activation, layer.activation)
    return lambda x: activation(torch.addmm(bias, x, kernel))


def _dropout(layer: keras.layers.Dropout) -> Callable[[Tensor], Tensor]:
    """Keras' masks: the generator starts anew for each batch, from the layer's seed and a count."""
    seed, count = (int(v) for v in layer.seed_generator.state.value)
    keep = 1 - layer.rate

    def train(x: Tensor) -> Tensor:
        nonlocal count
        generator = torch.Generator(x.device).manual_seed((seed + count) & 0xFFFFFFFF)
        count += 1
        return x * torch.bernoulli(torch.full(x.shape, keep, device=x.device), generator=generator) / keep

    return train


_TRAINED = {
    keras.layers.BatchNormalization: _batch_normalization,
    keras.layers.Dense: _dense,
    keras.layers.Dropout: _dropout,
}
_ACTIVATIONS = {keras.activations.relu: torch.relu, keras.activations.sigmoid: torch.sigmoid}


@contextmanager
def _one_thread() -> Iterator[None]:
    """A batch is too little work to share: threads would spend their time waiting for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _fit_keras(
    model: keras.Model,
    train: Part,
    validation: Part,
    orders: Orders,
    epochs: int,
    batch_size: int,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    batches = _Batches(*train, batch_size)
    validating = _Batches(*validation, AT_ONCE)
    reorder = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.reorder(next(orders)))
    model.fit(
        batches,
        validation_data=validating,
        epochs=epochs,
        callbacks=[reorder, *callbacks],
        shuffle=False,
        verbose=0,
    )


class _Batches(keras.utils.PyDataset):
    """Batches in an order that is set for each epoch; Keras' own shuffling draws from global state."""

    def __init__(self, x: Floats | Rows, y: Floats, size: int) -> None:
        super().__init__()
        self.x, self.y, self.size = x, y, size
        self.reorder(np.arange(len(x)))

    def reorder(self, order: NDArray[np.int64]) -> None:
        self.order = order

    def __len__(self) -> int:
        return -(-len(self.x) // self.size)

    def __getitem__(self, batch: int) -> tuple[Floats, Floats]:
        rows = self.order[batch * self.size : (batch + 1) * self.size]
        return self.x[rows], self.y[rows]
