"""The weights of the embedded default, trained on synthetic radiographs.

``weights="phantom"`` exists so that `neumo study` shows something without a data set or a download. It has
seen 1,000 phantoms with pneumonia and the same 1,000 without, other patients than in any set that is drawn
with a seed below a million, and no real radiograph: on real ones it is of no use. The same versions of the
libraries on the same kind of processor make the same file again, in nine minutes of one core::

    python -m neumo.phantom.pretrain src/neumo/features/phantom_mobilenet_v2_0.35.weights.h5

A logistic regression on what it sees in 80 phantoms of a fresh seed tells 80 other patients apart with an
AUC of 0.946 (``pytest -s tests/phantom/test_pretrain.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumo.phantom.radiograph import LESIONS, draw_radiograph
from neumo.progress import advance, track

if TYPE_CHECKING:
    from neumo.backend import keras

SEED = 1_000_000  # of every phantom that is trained on; nothing else should be drawn with it
SIZE = 224
WHOLE, SECTION = (SIZE, 12), (128, 32)  # pixels: side, and how far off the middle of the image it may be
CELL = 32  # pixels per cell of the network's last map
PAIRS = 8  # in a batch
RATE = 3e-3  # of Adam, at its highest


def pretrain(*, pairs: int = 1000, cropped: int = 6, whole: int = 1) -> keras.Model:
    """Train MobileNetV2-0.35 end to end on phantoms.

    They come in pairs: the same patient in the same pose and exposure with pneumonia and without, so that
    nothing but the lesion tells them apart. The network learns whether there is a lesion, which of the two
    has it, and where it is. That way a thousand pairs are enough. Difficulties are spread around that of the
    default set. Sections, which cost a third of whole images, come first.

    Args:
        pairs: how many pairs are drawn.
        cropped: epochs on sections of 128 pixels around the middle.
        whole: epochs on whole images after them.

    Returns:
        The network without its top: (n, height, width, 3) float32, mean 0 and deviation 1, to (n, 1280).
    """
    import torch
    from torch.nn.functional import avg_pool2d, softplus
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    from neumo.backend import keras

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    network = keras.applications.MobileNetV2(
        alpha=0.35, weights=None, include_top=False, pooling="avg", input_shape=(None, None, 3)
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.95  # with Keras' 0.999 the initial statistics would outlive this training
    whether, where = keras.layers.Dense(1), keras.layers.Dense(1)
    both = keras.Model(network.input, [whether(network.output), where(network.layers[-2].output)])

    pixels, lesions = draw_pairs(pairs)
    mean, std = pixels.mean(), pixels.std()
    steps, epochs = -(-pairs // PAIRS), cropped + whole
    adam = torch.optim.Adam([weight.value for weight in both.trainable_weights])
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=epochs * steps, pct_start=0.15)
    with advance("Training on phantoms", epochs * steps) as bar:
        for epoch in range(epochs):
            window = SECTION if epoch < cropped else WHOLE
            for some in np.array_split(rng.permutation(pairs), steps):
                x = ((pixels[some] - mean) / std).astype(np.float32)
                grey, lesion = map(torch.from_numpy, _sections(x, lesions[some], window, rng))
                share = avg_pool2d(lesion, CELL)
                ill = (share.amax((1, 2)) > 0.1).float()
                logit, cells = both(grey[..., None].expand(-1, -1, -1, 3), training=True)
                normal, other = logit.reshape(-1, 2).T
                loss = (
                    cross_entropy(logit[:, 0], ill)
                    + cross_entropy(cells[..., 0], share, pos_weight=torch.tensor(3.0))
                    + (ill[1::2] * softplus(normal - other)).mean()
                )
                adam.zero_grad()
                loss.backward()
                adam.step()
                rate.step()
                bar.step()
    return network


def draw_pairs(pairs: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Pixels, uint8, and lesions, bool, (pairs, 2, 224, 224): each patient without and with pneumonia."""
    rng = np.random.default_rng(SEED)
    drawn = []
    for patient in track(range(pairs), "Drawing phantoms"):
        cause, official = rng.choice(list(LESIONS)), rng.choice(["train", "test"])
        difficulty = rng.uniform(0, 0.9)
        drawn += [
            draw_radiograph(
                kind, patient=patient, size=SIZE, difficulty=difficulty, official=official, seed=SEED
            )
            for kind in ("", cause)
        ]
    pixels, lesions = (np.stack(part).reshape(pairs, 2, SIZE, SIZE) for part in zip(*drawn, strict=True))
    return pixels, lesions


def _sections(
    x: NDArray[np.float32], lesions: NDArray[np.bool_], window: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One section of each pair, exposed a little differently, and its lesions: (2 * pairs, side, side)."""
    side, off = window
    edge = ((0, 0), (0, 0), (off, off), (off, off))
    x, lesions = np.pad(x, edge, mode="edge"), np.pad(lesions, edge)
    corner = (SIZE - side) // 2 + rng.integers(0, 2 * off + 1, (len(x), 2))
    cut = [np.s_[pair, :, top : top + side, left : left + side] for pair, (top, left) in enumerate(corner)]
    contrast, brightness = np.exp(rng.normal(0, 0.2, len(x))), rng.normal(0, 0.35, len(x))
    exposed = [x[section] * c + b for section, c, b in zip(cut, contrast, brightness, strict=True)]
    return (
        np.concatenate(exposed, dtype=np.float32),
        np.concatenate([lesions[section] for section in cut], dtype=np.float32),
    )


def save(network: keras.Model, file: str | Path) -> None:
    """Write its weights in half precision, which is half the size; Keras reads them into any precision."""
    from neumo.backend import keras

    def half(layer: keras.Layer) -> keras.Layer:
        return layer.from_config({**layer.get_config(), "dtype": "float16"})

    twin = keras.models.clone_model(network, clone_function=half)
    twin.set_weights(network.get_weights())
    twin.save_weights(file)


if __name__ == "__main__":
    import argparse

    import torch

    parser = argparse.ArgumentParser(description="Train the weights for synthetic radiographs, in minutes.")
    parser.add_argument("file", help="where to write them")
    choices = parser.parse_args()
    torch.set_num_threads(1)  # more of them sum in another order, and so end at other weights
    save(pretrain(), choices.file)
