"""Fine-tuning of a backbone with its output layer."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from neumo.backend import keras
from neumo.features.gpu import enough_memory
from neumo.features.networks import versions
from neumo.features.precision import resolve_precision
from neumo.features.pytorch import forward
from neumo.files import cache_folder, whole_file
from neumo.images.read import pixels_id
from neumo.progress import advance
from neumo.training.maps import VIEWS, Maps
from neumo.training.recipes import Recipe

TUNING = 1  # raise it when `fine_tune` trains otherwise than before

WARM = 0.1
"""Share of the steps in which the learning rate rises."""


@enough_memory()
def fine_tune(
    base: keras.Model,
    head: keras.Model,
    maps: Maps,
    rows: pd.DataFrame,
    recipe: Recipe,
    *,
    seed: int,
    kept: Path,
    network_id: str,
    taught: np.ndarray | None = None,
) -> dict[str, list[float]]:
    """Train a backbone's upper layers with its output layer, in place.

    In an epoch all images of the rarer class are seen and as many of the other one, drawn anew; with weights
    as many, but drawn by them with replacement.
    After each epoch all that the rest depends on is written to a file, from which a run that was killed goes
    on, and which a later call with equal arguments only reads. Equal arguments give equal numbers on one
    machine with one number of threads, as far as its libraries add in one order.

    Args:
        base: scaled grey levels (n, height, width, 3) to features (n, d).
        head: (n, d) to (n, 1); it is one Dense(1, sigmoid).
        maps: of what `cut` calls the lower half of `base`, for each row; see `neumo.training.maps`.
        rows: columns sha256, label and part, "train", "validation" and others, which are not looked at; and
            weight, if images of a class are to be drawn by it.
        recipe: how.
        seed: of the order, the views and dropout.
        kept: folder of the states after an epoch, a file for all that they depend on.
        network_id: what tells `base` as it comes in, `head` and `maps` from others.
        taught: probability of pneumonia that others give each changed image, (views, rows); it takes the
            place of the training part's labels.

    Returns:
        "loss" and "accuracy" on the images as they were changed, "val_loss" and "val_accuracy" of the
        averaged weights on the images as they are; a number per epoch.

    Raises:
        NeumoError: the memory of the GPU is full; epochs that were done are kept.
        OSError: the disk is full; likewise.
    """
    file = kept / f"{_digest(rows, recipe, seed, network_id, taught)}.pt"
    return _Tuning(base, head, maps, rows, recipe, seed, file, taught).run()


class _Tuning:
    def __init__(
        self,
        base: keras.Model,
        head: keras.Model,
        maps: Maps,
        rows: pd.DataFrame,
        recipe: Recipe,
        seed: int,
        file: Path,
        taught: np.ndarray | None,
    ) -> None:
        self.taught, self.maps, self.recipe, self.seed, self.file = taught, maps, recipe, seed, file
        part, self.labels = rows["part"].to_numpy(), rows["label"].to_numpy(np.float32)
        self.drawn_by = rows["weight"].to_numpy() if "weight" in rows else None
        self.train, self.validation = (np.flatnonzero(part == one) for one in ("train", "validation"))
        _, upper = cut(base, recipe.trainable_fraction)
        for layer in upper.layers:
            layer.trainable = True
        self.upper = launched_at_once(forward(upper), upper, recipe.batch_size)
        self.kernel, self.bias = (variable.value for variable in head.layers[-1].weights)
        self.device = self.kernel.device
        body = [w.value for w in upper.trainable_weights]
        self.weights = [*body, self.kernel, self.bias]
        self.averaged = [w.detach().clone() for w in self.weights]
        self.adam = torch.optim.AdamW(
            [
                {"params": body, "peak": recipe.learning_rate},
                {"params": self.weights[-2:], "peak": recipe.head_learning_rate},
            ],
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.history: dict[str, list[float]] = {
            name: [] for name in ("loss", "accuracy", "val_loss", "val_accuracy")
        }
        self.steps = 0

    def run(self) -> dict[str, list[float]]:
        self._resume()
        with advance(f"Fine-tuning, seed {self.seed}", self.recipe.epochs) as bar:
            bar.step(len(self.history["loss"]))
            for epoch in range(len(self.history["loss"]), self.recipe.epochs):
                loss, accuracy = self._epoch(epoch)
                with self._with_averaged():
                    val_loss, val_accuracy = self._validate()
                for name, value in zip(self.history, (loss, accuracy, val_loss, val_accuracy), strict=True):
                    self.history[name].append(value)
                self._keep()
                bar.step()
        with torch.no_grad():
            torch._foreach_copy_(self.weights, self.averaged)
        return self.history

    def _epoch(self, epoch: int) -> tuple[float, float]:
        random = np.random.default_rng((self.seed, epoch))
        torch.manual_seed(int(random.integers(2**31)))
        order = self._drawn(random)
        views = random.integers(len(self.maps), size=len(order))
        size = self.recipe.batch_size
        told: list[tuple[Tensor, Tensor, int]] = []  # read in the end: asking a GPU each time stops it
        total = self.recipe.epochs * -(-len(order) // size)
        for number, x in enumerate(self.maps.tensors(views, order, size, self.device)):
            batch = slice(number * size, (number + 1) * size)
            for group in self.adam.param_groups:
                group["lr"] = group["peak"] * rate(self.steps / total)
            y = torch.from_numpy(self.labels[order[batch]]).to(self.device)
            logits = self._logits(functional.dropout(self.upper(x), self.recipe.dropout))
            if self.taught is None:
                wanted = y * (1 - 2 * self.recipe.label_smoothing) + self.recipe.label_smoothing
            else:
                wanted = torch.from_numpy(self.taught[views[batch], order[batch]]).to(self.device)
            loss = functional.binary_cross_entropy_with_logits(logits, wanted)
            self.adam.zero_grad()
            loss.backward()
            self.adam.step()
            self.steps += 1
            with torch.no_grad():
                torch._foreach_lerp_(self.averaged, self.weights, max(self.recipe.ema_rate, 1 / self.steps))
            told.append((loss.detach(), ((logits > 0) == (y > 0.5)).sum(), len(y)))
        losses = sum(loss.item() * n for loss, _, n in told)
        return losses / len(order), sum(int(right) for _, right, _ in told) / len(order)

    def _drawn(self, random: np.random.Generator) -> np.ndarray:
        """Rows of an epoch: as many of either class as the rarer one has, mixed."""
        classes = [self.train[self.labels[self.train] == label] for label in (0, 1)]
        fewest = min(map(len, classes))
        if self.drawn_by is not None:
            shares = [self.drawn_by[one] / self.drawn_by[one].sum() for one in classes]
            drawn = [random.choice(one, fewest, p=p) for one, p in zip(classes, shares, strict=True)]
            return random.permutation(np.concatenate(drawn))
        return random.permutation(np.concatenate([random.permutation(one)[:fewest] for one in classes]))

    def _logits(self, features: Tensor) -> Tensor:
        return (features @ self.kernel + self.bias)[:, 0]

    def _validate(self) -> tuple[float, float]:
        losses, right = 0.0, 0
        with torch.inference_mode():
            for start in range(0, len(self.validation), 64):
                row = self.validation[start : start + 64]
                y = torch.from_numpy(self.labels[row]).to(self.device)
                logits = self._logits(self.upper(self.maps.tensor(0, row, self.device)))
                losses += functional.binary_cross_entropy_with_logits(logits, y, reduction="sum").item()
                right += int(((logits > 0) == (y > 0.5)).sum())
        return losses / len(self.validation), right / len(self.validation)

    @contextlib.contextmanager
    def _with_averaged(self) -> Iterator[None]:
        own = [w.detach().clone() for w in self.weights]
        with torch.no_grad():
            torch._foreach_copy_(self.weights, self.averaged)
            yield
            torch._foreach_copy_(self.weights, own)

    def _keep(self) -> None:
        state = {"averaged": self.averaged, "history": self.history, "steps": self.steps}
        if len(self.history["loss"]) < self.recipe.epochs:
            state |= {"weights": self.weights, "adam": self.adam.state_dict()}
        with whole_file(self.file) as part, part.open("wb") as written:
            try:
                torch.save(state, written)
            except RuntimeError as error:  # all that PyTorch says where the system did not let it write
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise

    def _resume(self) -> None:
        try:
            state = torch.load(self.file, weights_only=True, map_location=self.device)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
            return
        self.averaged, self.history, self.steps = state["averaged"], state["history"], state["steps"]
        if "adam" in state:
            with torch.no_grad():
                torch._foreach_copy_(self.weights, state["weights"])
            self.adam.load_state_dict(state["adam"])


class _Module(torch.nn.Module):
    """A function whose weights PyTorch can find."""

    def __init__(self, compute: Callable[[Tensor], Tensor], weights: list[torch.nn.Parameter]) -> None:
        super().__init__()
        self.compute, self.weights = compute, torch.nn.ParameterList(weights)

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(x)


def launched_at_once(
    compute: Callable[[Tensor], Tensor], network: keras.Model, batch_size: int
) -> Callable[[Tensor], Tensor]:
    """The same function; on a GPU a whole batch that needs gradients is two launches, not thousands.

    Args:
        compute: `neumo.features.pytorch.forward` of `network`.
        network: channels last.
        batch_size: images of a whole batch.
    """
    weights = [variable.value for variable in network.trainable_weights]
    if not weights or weights[0].device.type != "cuda":
        return compute
    rows, columns, channels = network.input_shape[1:]
    x = torch.randn(batch_size, channels, rows, columns, device=weights[0].device)
    x = x.contiguous(memory_format=torch.channels_last)
    # recording runs on a stream of its own, which PyTorch would warn of in the first step
    torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)
    whole = torch.cuda.make_graphed_callables(_Module(compute, weights), (x,))

    def run(given: Tensor) -> Tensor:
        if given.shape == x.shape and torch.is_grad_enabled():
            return cast(Tensor, whole(given))
        return compute(given)

    return run


def tuned_folder() -> Path:
    """Where the networks of recipes are kept."""
    return cache_folder() / "tuned"


def _digest(rows: pd.DataFrame, recipe: Recipe, seed: int, network_id: str, taught: np.ndarray | None) -> str:
    """Of all that a trained network depends on."""
    told = [
        recipe.identity(),
        seed,
        network_id,
        [versions(), torch.__version__, TUNING, pixels_id(), VIEWS],
        [resolve_precision("auto"), torch.cuda.is_available()],
        rows[["sha256", "label", "part"]].values.tolist(),
    ]
    found = hashlib.sha256(json.dumps(told).encode())
    found.update(rows["weight"].to_numpy().tobytes() if "weight" in rows else b"")
    found.update(b"" if taught is None else taught.tobytes())
    return found.hexdigest()[:32]


def rate(done: float) -> float:
    """Learning rate, as a share of the highest, when this share of the steps is done."""
    return done / WARM if done < WARM else (1 + math.cos(math.pi * (done - WARM) / (1 - WARM))) / 2


def cut(network: keras.Model, trainable_fraction: float) -> tuple[keras.Model, keras.Model]:
    """Divide a network where one tensor alone joins its two halves.

    Args:
        network: functional.
        trainable_fraction: share of the layers that the upper half has at least.

    Returns:
        Lower and upper half; the lower one is the input alone where everything is above.
    """
    layers = network.layers
    place = {id(layer): i for i, layer in enumerate(layers)}
    lowest = len(layers)  # that any layer above reaches down to
    for i in range(len(layers) - 1, -1, -1):
        if lowest >= i and len(layers) - 1 - i >= trainable_fraction * (len(layers) - 1):
            break
        parents = [node.operation for inbound in layers[i]._inbound_nodes for node in inbound.parent_nodes]
        lowest = min([lowest, *(place[id(parent)] for parent in parents if id(parent) in place)])
    joint = layers[i].output
    upper = keras.Model(joint, network.output)
    return keras.Model(network.input, joint), upper
