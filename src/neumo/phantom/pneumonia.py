"""Pneumonia: air in the lungs replaced by fluid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neumo.phantom.thorax import HILA, Lines, Map, Thorax, draw_lines, sample

# Where consolidation sits, in body coordinates: side, u, v, half width, half height, how often.
LOBES = {
    "right upper": (-1, -0.42, 0.27, 0.28, 0.16, 0.18),
    "right middle": (-1, -0.38, 0.62, 0.24, 0.13, 0.20),
    "right lower": (-1, -0.50, 0.76, 0.28, 0.16, 0.24),
    "left upper": (1, 0.44, 0.28, 0.26, 0.17, 0.12),
    "lingula": (1, 0.52, 0.62, 0.24, 0.15, 0.08),
    "left lower": (1, 0.54, 0.76, 0.28, 0.15, 0.18),
}


@dataclass(frozen=True)
class Strength:
    """How plain a lesion is."""

    filling: float  # share of the air that is replaced where the lesion is densest
    size: float  # relative to a typical lesion

    @staticmethod
    def at(difficulty: float) -> Strength:
        """The strength at a difficulty of 0 (plain) to 1 (hardly visible)."""
        return Strength(filling=0.98 - 0.56 * difficulty, size=1.75 - 0.8 * difficulty)


def consolidation(
    thorax: Thorax, strength: Strength, patient: np.random.Generator, image: np.random.Generator
) -> Map:
    """Focal consolidation, as bacteria cause it: share of the air replaced, float32 (size, size) in 0 to 1.

    Soft-edged and lobar, with air bronchograms; the heart or the diaphragm loses its border where the air
    beside it is gone. One focus, sometimes two.

    Args:
        thorax: the patient in this radiograph.
        strength: how plain it is.
        patient: chance that is the same in all images of the patient (which lobe, its shape).
        image: chance of this image (the disease comes and goes).
    """
    filled = np.zeros_like(thorax.lung)
    foci = 1 if patient.random() < 0.6 else 2
    odds = np.array([lobe[-1] for lobe in LOBES.values()])
    for name in patient.choice(list(LOBES), size=foci, replace=False, p=odds / odds.sum()):
        side, u, v, wide, high, _ = LOBES[name]
        at = (u + patient.normal(0, 0.05), v + patient.normal(0, 0.03))
        grown = strength.size * patient.uniform(0.7, 1.25) * image.uniform(0.85, 1.15)
        dense = strength.filling * patient.uniform(0.75, 1.15) * image.uniform(0.85, 1.15)
        du, dv = (thorax.u - at[0]) / (wide * grown), (thorax.v - at[1]) / (high * grown)
        reach = du * du + dv * dv
        shape = 0.6 * _clouds(thorax, patient, cells=6) + 0.25 * _clouds(thorax, patient, cells=14)
        reach += shape - shape[reach < 0.5].mean()
        focus = _sigmoid(4.0 * (0.8 - reach)) * (np.sign(thorax.u) == side)
        if name == "right upper":  # the horizontal fissure is its sharp lower border
            focus *= _sigmoid((0.47 - thorax.v) / 0.012)
        bronchi = draw_lines(_bronchi(side, at, patient), thorax.pose, len(focus))
        focus *= 1 - 0.35 * np.minimum(bronchi, 1)
        filled = np.maximum(filled, min(dense, 0.95) * focus)
    return filled * thorax.lungs


def _bronchi(side: int, at: tuple[float, float], rng: np.random.Generator) -> Lines:
    """Air-filled bronchi on their way from the hilum through a consolidation."""
    start = np.tile(HILA[side], (3, 1))
    end = np.array(at) + np.stack([side * rng.uniform(0, 0.18, 3), rng.normal(0, 0.10, 3)], axis=1)
    middle = (start + end) / 2 + rng.normal(0, 0.03, (3, 1)) * (0, 1)
    near = np.concatenate([start, middle, np.tile((0.020, 1.0), (3, 1))], axis=1)
    far = np.concatenate([middle, end, np.tile((0.013, 0.8), (3, 1))], axis=1)
    return np.concatenate([near, far])


def interstitial(
    thorax: Thorax, strength: Strength, patient: np.random.Generator, image: np.random.Generator
) -> Map:
    """Diffuse interstitial pattern, as viruses cause it: share of the air replaced, float32 (size, size).

    On both sides around the hila: thickened walls of bronchi (streaks and rings), a net of thickened septa,
    a patchy haze. Arguments as in `consolidation`.
    """
    from scipy.ndimage import gaussian_filter

    reach = np.zeros_like(thorax.lung)
    lines: list[Lines] = []
    wide, high = 0.38 * strength.size, 0.28 * strength.size
    for side, (u, v) in HILA.items():
        at = (u + side * 0.12, v + 0.08)
        distance = np.square((thorax.u - at[0]) / wide) + np.square((thorax.v - at[1]) / high)
        share = np.float32(patient.uniform(0.7, 1.2)) * (np.sign(thorax.u) == side)
        reach = np.maximum(reach, share * np.exp(-distance * np.sqrt(distance)))
        lines += [_streaks(side, at, wide, high, patient), _rings(at, wide, high, patient)]
    streaks = gaussian_filter(draw_lines(np.concatenate(lines), thorax.pose, len(reach)), len(reach) / 320)
    net = np.exp(
        -np.square(_clouds(thorax, patient, cells=22) / np.float32(0.3))
    )  # thin where the noise is 0
    haze = np.maximum(0.75 + 0.45 * _clouds(thorax, patient, cells=9), 0)
    dense = strength.filling * patient.uniform(0.7, 1.2) * image.uniform(0.85, 1.15)
    return np.clip(dense * reach * (0.5 * streaks + 0.35 * net + 0.42 * haze), 0, 0.95) * thorax.lungs


def _streaks(side: int, at: tuple[float, float], wide: float, high: float, rng: np.random.Generator) -> Lines:
    """Thickened walls and septa: short lines, most of them pointing away from the hilum."""
    start = np.array(at) + rng.normal(0, 0.6, (90, 2)) * (wide, high)
    away = start - HILA[side]
    angle = np.arctan2(away[:, 1], away[:, 0]) + rng.normal(0, 0.5, 90)
    length = rng.uniform(0.03, 0.11, (90, 1))
    end = start + length * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([start, end, rng.uniform((0.008, 0.4), (0.020, 1.0), (90, 2))], axis=1)


def _rings(at: tuple[float, float], wide: float, high: float, rng: np.random.Generator) -> Lines:
    """Peribronchial cuffing: bronchi seen end on, with thick walls."""
    rings, corners = 3, 8
    centre = np.array(at) + rng.normal(0, 0.4, (rings, 2)) * (wide, high)
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    circle = np.stack([np.cos(angle), 0.7 * np.sin(angle)], axis=1)
    start = centre[:, None] + rng.uniform(0.014, 0.022, (rings, 1, 1)) * circle
    end = np.roll(start, -1, axis=1)
    return np.concatenate([start, end, np.tile((0.012, 0.8), (rings, corners, 1))], axis=2).reshape(-1, 6)


def _clouds(thorax: Thorax, rng: np.random.Generator, cells: int) -> Map:
    """Smooth noise that moves with the patient, `cells` blobs across the chest, mean 0, deviation about 1."""
    from PIL import Image

    grid = np.pad(rng.standard_normal((cells, cells)).astype(np.float32), 2, mode="wrap")
    side = 24 * len(grid)
    smooth = np.asarray(Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC))
    return 1.4 * sample(smooth[48:-48, 48:-48], thorax.u, thorax.v)


def _sigmoid(x: Map) -> Map:
    return 1 / (1 + np.exp(np.clip(-x, -30, 30)))
