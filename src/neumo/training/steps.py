"""The five steps of the published study's ladder."""

from __future__ import annotations

from dataclasses import dataclass

from neumo.errors import NeumoError


@dataclass(frozen=True)
class Step:
    """One rung of the ladder: what stands on the frozen, average-pooled backbone.

    `neumo.training.head` takes variants, too, as `dataclasses.replace(step, dense=(200,))`.

    Args:
        name: short name, as in ``step("deeper")``.
        title: what the step adds to the one before, as in the report's table.
        normalise: input pixels get mean 0 and variance 1 by the training part's statistics before the
            backbone (Keras' ``featurewise_center`` with ``featurewise_std_normalization``).
        dense: units of the hidden dense layers, from the backbone to the output.
        activation: of the hidden dense layers. The report does not say which; ReLU is neumo's choice.
        batch_norm: BatchNormalization right after the backbone.
        dropout: rate of the Dropout after each hidden dense layer, 0 for none. The report does not say
            which; 0.5 is neumo's choice, the rate of Srivastava et al., JMLR 15 (2014), for hidden layers.
        early_stopping: stop when the validation loss no longer falls; the best epoch's weights are kept.
    """

    name: str
    title: str
    normalise: bool = False
    dense: tuple[int, ...] = ()
    activation: str = "relu"
    batch_norm: bool = False
    dropout: float = 0.0
    early_stopping: bool = False


# fmt: off
STEPS = (
    Step("base", "Frozen backbone + Dense(1, sigmoid)"),
    Step("normalised", "+ input pixels of mean 0 and variance 1",
         normalise=True),
    Step("deeper", "+ Dense 100 and Dense 50 before the output",
         normalise=True, dense=(100, 50)),
    Step("regularised", "+ BatchNormalization after the backbone, Dropout after each dense layer",
         normalise=True, dense=(100, 50), batch_norm=True, dropout=0.5),
    Step("early stopping", "+ early stopping on the validation loss",
         normalise=True, dense=(100, 50), batch_norm=True, dropout=0.5, early_stopping=True),
)
# fmt: on


def step(name: str) -> Step:
    """The step of that name.

    Raises:
        NeumoError: no step has that name; the message lists those that there are.
    """
    for known in STEPS:
        if known.name == name:
            return known
    raise NeumoError(f"step: got {name!r}, expected one of {', '.join(repr(s.name) for s in STEPS)}")
