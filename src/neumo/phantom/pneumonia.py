"""Pneumonia: air in the lungs replaced by fluid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neumo.phantom.thorax import HILA, Line, Map, Thorax, draw_lines

# Where consolidation sits, in body coordinates: side, u, v, half width, half height, how often.
LOBES = {
    "right upper": (-1, -0.42, 0.27, 0.28, 0.16, 0.18),
    "right middle": (-1, -0.38, 0.62, 0.24, 0.13, 0.20),
    "right lower": (-1, -0.50, 0.76, 0.28, 0.16, 0.24),
    "left upper": (1, 0.44, 0.28, 0.26, 0.17, 0.12),
    "lingula": (1, 0.50, 0.62, 0.22, 0.14, 0.08),
    "left lower": (1, 0.46, 0.78, 0.28, 0.15, 0.18),
}


@dataclass(frozen=True)
class Strength:
    """How plain a lesion is."""

    filling: float  # share of the air that is replaced where the lesion is densest
    size: float  # relative to a typical lesion

    @staticmethod
    def at(difficulty: float) -> Strength:
        """The strength at a difficulty of 0 (plain) to 1 (hardly visible)."""
        return Strength(filling=0.75 - 0.63 * difficulty, size=1.25 - 0.5 * difficulty)


def consolidation(
    thorax: Thorax, strength: Strength, patient: np.random.Generator, image: np.random.Generator
) -> Map:
    """Focal consolidation, as bacteria cause it: share of the air replaced, float32 (size, size) in 0 to 1.

    Soft-edged and lobar, with air bronchograms; the heart or diaphragm loses its border where the air beside
    it is gone. One focus, sometimes two.

    Args:
        thorax: the patient in this radiograph.
        strength: how plain it is.
        patient: chance that is the same in all images of the patient (which lobe, shape).
        image: chance of this image (the disease comes and goes).
    """
    filled = np.zeros_like(thorax.u)
    foci = 1 if patient.random() < 0.75 else 2
    odds = np.array([lobe[-1] for lobe in LOBES.values()])
    for name in patient.choice(list(LOBES), size=foci, replace=False, p=odds / odds.sum()):
        side, u, v, wide, high, _ = LOBES[name]
        at = (u + patient.normal(0, 0.05), v + patient.normal(0, 0.03))
        grown = strength.size * patient.uniform(0.7, 1.25) * image.uniform(0.85, 1.15)
        dense = strength.filling * patient.uniform(0.65, 1.15) * image.uniform(0.85, 1.15)
        reach = ((thorax.u - at[0]) / (wide * grown)) ** 2 + ((thorax.v - at[1]) / (high * grown)) ** 2
        reach += 0.9 * _clouds(thorax, patient, cells=6) + 0.35 * _clouds(thorax, patient, cells=14)
        focus = 1 / (1 + np.exp(np.clip(4.0 * (reach - 0.8), -30, 30)))
        if name == "right upper":  # the horizontal fissure is its sharp lower border
            focus *= 1 / (1 + np.exp(np.clip((thorax.v - 0.47) / 0.012, -30, 30)))
        bronchi = draw_lines(_bronchi(side, at, patient), thorax.pose, len(thorax.u))
        focus *= (np.sign(thorax.u) == side) * (1 - 0.35 * np.minimum(bronchi, 1))
        filled = np.maximum(filled, min(dense, 0.95) * focus)
    return (filled * thorax.lungs).astype(np.float32)


def _bronchi(side: int, at: tuple[float, float], rng: np.random.Generator) -> list[Line]:
    """Air-filled bronchi on their way from the hilum through a consolidation."""
    u, v = HILA[side]
    lines: list[Line] = []
    for _ in range(3):
        end_u, end_v = at[0] + side * rng.uniform(0.0, 0.18), at[1] + rng.normal(0, 0.10)
        mid_u, mid_v = (u + end_u) / 2, (v + end_v) / 2 + rng.normal(0, 0.03)
        lines += [(u, v, mid_u, mid_v, 0.020, 1.0), (mid_u, mid_v, end_u, end_v, 0.013, 0.8)]
    return lines


def interstitial(
    thorax: Thorax, strength: Strength, patient: np.random.Generator, image: np.random.Generator
) -> Map:
    """Diffuse interstitial pattern, as viruses cause it: share of the air replaced, float32 (size, size).

    On both sides around the hila: thickened walls of bronchi (streaks and rings), a net of thickened septa,
    a slight haze. Arguments as in `consolidation`.
    """
    size = len(thorax.u)
    reach = np.zeros_like(thorax.u)
    lines: list[Line] = []
    for side, (u, v) in HILA.items():
        share = patient.uniform(0.7, 1.2)
        wide, high = 0.42 * strength.size, 0.30 * strength.size
        at = (u + side * 0.12, v + 0.08)
        distance = ((thorax.u - at[0]) / wide) ** 2 + ((thorax.v - at[1]) / high) ** 2
        reach = np.maximum(reach, share * np.exp(-(distance**1.5)) * (np.sign(thorax.u) == side))
        lines += _streaks(side, at, wide, high, patient) + _rings(at, wide, high, patient)
    net = draw_lines(lines, thorax.pose, size)
    patches = 0.75 + 0.45 * _clouds(thorax, patient, cells=9)
    pattern = 0.55 * np.minimum(net, 1.2) + 0.22 * np.maximum(patches, 0)
    dense = strength.filling * patient.uniform(0.7, 1.2) * image.uniform(0.85, 1.15)
    return (np.clip(dense * reach * pattern, 0, 0.95) * thorax.lungs).astype(np.float32)


def _streaks(
    side: int, at: tuple[float, float], wide: float, high: float, rng: np.random.Generator
) -> list[Line]:
    """Thickened walls and septa: short lines, most of them pointing away from the hilum."""
    lines: list[Line] = []
    for _ in range(90):
        u, v = at[0] + wide * rng.normal(0, 0.6), at[1] + high * rng.normal(0, 0.6)
        angle = np.arctan2(v - HILA[side][1], u - HILA[side][0]) + rng.normal(0, 0.7)
        length = rng.uniform(0.03, 0.11)
        end = (u + length * np.cos(angle), v + length * np.sin(angle))
        lines.append((u, v, *end, rng.uniform(0.008, 0.020), rng.uniform(0.4, 1.0)))
    return lines


def _rings(at: tuple[float, float], wide: float, high: float, rng: np.random.Generator) -> list[Line]:
    """Peribronchial cuffing: bronchi seen end on, with thick walls."""
    lines: list[Line] = []
    for _ in range(3):
        u, v = at[0] + wide * rng.normal(0, 0.35), at[1] + high * rng.normal(0, 0.4)
        radius = rng.uniform(0.014, 0.022)
        corners = [
            (u + radius * np.cos(a), v + 0.7 * radius * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 9)
        ]
        lines += [(*corners[i], *corners[i + 1], 0.012, 0.8) for i in range(8)]
    return lines


def _clouds(thorax: Thorax, rng: np.random.Generator, cells: int) -> Map:
    """Smooth noise that moves with the patient, about `cells` blobs across the chest; mean 0, deviation 1."""
    from scipy.ndimage import map_coordinates

    noise = rng.standard_normal((cells * 2, cells * 2)).astype(np.float32)
    at = np.stack([(thorax.v + 0.5) * cells, (thorax.u + 1) / 2 * cells])
    return map_coordinates(noise, at, order=1, mode="grid-wrap") * np.float32(1.5)
