"""Several networks as one say what they say together."""

from __future__ import annotations

import numpy as np
import pytest

from neumo.features.backbones import backbone, smooth_noise
from neumo.features.engine import Engine
from neumo.features.graph import convert
from neumo.features.scaling import Scaling
from neumo.training.ensemble import Member, averaged
from neumo.training.head import build_head
from neumo.training.maps import Maps
from neumo.training.steps import step

GREY = (128 + 40 * smooth_noise(4, np.random.default_rng(3))[..., 0].clip(-3, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def members() -> list[Member]:
    """Two backbones that expect their input scaled otherwise, with heads of their own."""
    found = []
    for seed, name in enumerate(("MobileNetV2-0.35", "ResNet50V2", "DenseNet121")):
        chosen = backbone(name, "none")
        head = build_head(step("normalised"), chosen.features, seed)
        head.layers[-1].set_weights(
            [3 * head.layers[-1].get_weights()[0], np.array([0.1 * seed], np.float32)]
        )
        found.append(Member(chosen.build(), head, chosen.scaling, Maps(np.empty(0))))
    scalings = {member.scaling for member in found}
    assert len(scalings) == 2
    assert any(isinstance(scaling.mean, tuple) for scaling in scalings)  # one for each channel
    return found


def logits(member: Member, scaled: np.ndarray) -> np.ndarray:
    p = member.head.predict(member.base.predict(scaled, verbose=0), verbose=0)[:, 0].astype(float)
    return np.log(p / (1 - p))


def test_the_mean_of_the_logits(members: list[Member]) -> None:
    base, head = averaged(members)
    expected = np.mean([logits(member, member.scaling(GREY)) for member in members], axis=0)
    assert np.ptp(expected) > 0.05
    assert base.output_shape[1] == sum(member.base.output_shape[1] for member in members)
    joint = Member(base, head, members[0].scaling, Maps(np.empty(0)))
    np.testing.assert_allclose(logits(joint, members[0].scaling(GREY)), expected, atol=2e-3)
    features = Engine(convert(base), members[0].scaling, "f32")(GREY)
    kernel, bias = head.layers[-1].get_weights()
    np.testing.assert_allclose((features @ kernel + bias)[:, 0], expected, atol=5e-3)


def test_the_image_is_also_moved_to_either_side(members: list[Member]) -> None:
    alone = [members[0]]
    base, head = averaged(alone, tta_shift=8)
    scaled = members[0].scaling(GREY)
    right, left = np.zeros_like(scaled), np.zeros_like(scaled)
    right[:, :, 8:], left[:, :, :-8] = scaled[:, :, :-8], scaled[:, :, 8:]
    expected = np.mean([logits(members[0], x) for x in (scaled, right, left)], axis=0)
    assert np.abs(expected - logits(members[0], scaled)).max() > 1e-3
    joint = Member(base, head, Scaling(), Maps(np.empty(0)))
    np.testing.assert_allclose(logits(joint, scaled), expected, atol=2e-3)


def test_one_alone_stays_as_it_is(members: list[Member]) -> None:
    base, head = averaged(members[:1])
    assert base is members[0].base
    assert head is members[0].head
