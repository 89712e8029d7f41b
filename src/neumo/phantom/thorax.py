"""Anatomy of a drawn chest, projected along the beam.

Body coordinates: ``u`` runs across the chest, 0 at the midline and about 1 at the widest point of the rib
cage, positive towards the patient's left, which is the right-hand side of the image; ``v`` runs down, 0 at
the apices of the lungs and about 1 at the costophrenic angles. Thicknesses along the beam are in centimetres
of a small child's chest (the children of the CoronaHack images are one to five years old). Proportions are
drawn after what normal images of that set look like.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating]  # float32 (size, size), one value per pixel
Lines = NDArray[np.floating]  # (n, 6): u, v of the start, u, v of the end, width in u, thickness in cm

CHEST = 13.0  # cm from back to front
LUNG_DEPTH = 9.5  # cm of lung where it is deepest
BASE = 1.05  # v of the costophrenic angles
HILA = {-1: (-0.20, 0.43), 1: (0.22, 0.39)}  # side of the image -> u, v; the left hilum is the higher one


@dataclass(frozen=True)
class Anatomy:
    """What stays the same in all radiographs of one patient, in body coordinates."""

    depth: float  # of the body, relative to CHEST
    wall: float  # soft tissue between the ribs and the skin
    taper: float  # how late the rib cage widens below the apices
    bone: float  # density of bone, relative
    rib_spacing: float
    rib_phase: float  # where the first rib lies, in spacings
    rib_droop: float  # how steeply the ribs run down to the sides
    rib_width: float  # share of the spacing
    clavicle_slope: float
    scoliosis: float  # sideways bend of the spine
    heart: float  # size, relative
    heart_tilt: float  # radians
    mediastinum: float  # half its width above the heart
    knob: float  # how far the aortic knob stands out, relative
    dome: tuple[float, float]  # height of the right and of the left dome of the diaphragm
    bubble: float  # radius of the gas in the stomach, 0 where there is none
    bubble_at: float
    arm: tuple[float, float]  # |u|, v of the elbow; a negative v is a raised arm
    chin: float  # how far the jaw reaches into the image
    vessels: float  # how plainly the vessels stand out, relative
    tree: Lines  # the vessels of both lungs
    texture: int  # seed of the fine texture of the lungs


def grow_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw a patient."""
    between = rng.uniform
    return Anatomy(
        depth=between(0.85, 1.15),
        wall=between(0.09, 0.19),
        taper=between(0.40, 0.52),
        bone=between(0.85, 1.35),
        rib_spacing=between(0.108, 0.130),
        rib_phase=between(0, 1),
        rib_droop=between(0.22, 0.42),
        rib_width=between(0.38, 0.50),
        clavicle_slope=between(0.02, 0.30),
        scoliosis=rng.normal(0, 0.012),
        heart=between(0.88, 1.14),
        heart_tilt=between(0.25, 0.75),
        mediastinum=between(0.12, 0.19),
        knob=between(0.3, 1.2),
        dome=(between(0.21, 0.29), between(0.15, 0.22)),
        bubble=max(0.0, between(-0.06, 0.17)),
        bubble_at=between(0.36, 0.52),
        arm=(between(1.35, 1.7), between(0.5, 0.9) * (1 if rng.random() < 0.6 else -1)),
        chin=between(-0.25, 0.12),
        vessels=between(0.6, 1.6),
        tree=np.concatenate([_vessel_tree(side, rng) for side in HILA]),
        texture=int(rng.integers(2**31)),
    )


def _vessel_tree(side: int, rng: np.random.Generator, generations: int = 4) -> Lines:
    """Vessels that leave a hilum and fork; each branch is thinner than the one it comes from."""
    angle = np.radians(np.linspace(-78, 84, 8)) + rng.normal(0, 0.12, 8)
    start = np.tile(HILA[side], (8, 1))
    length, width, tree = rng.uniform(0.09, 0.15, 8), 0.034, []
    for _ in range(generations):
        end = start + length[:, None] * np.stack([side * np.cos(angle), np.sin(angle)], axis=1)
        tree.append(np.concatenate([start, end, np.tile((width, 30 * width), (len(end), 1))], axis=1))
        angle = (angle + [[-1], [1]] * rng.uniform(0.12, 0.5, (2, len(angle)))).ravel()
        start, length = np.tile(end, (2, 1)), np.tile(length, 2) * rng.uniform(0.7, 1.05, len(angle))
        width *= 0.68
    return np.concatenate(tree)


@dataclass(frozen=True)
class Pose:
    """How the patient stood in one radiograph."""

    width: float  # pixels per u, in half images
    height: float  # pixels per v, in half images
    across: float  # shift in half images
    down: float
    tilt: float  # radians in the plane of the image
    turn: float  # of the body about its long axis: how far in u what lies in front moves
    inspiration: float  # how far in v the diaphragm is pulled down

    def to_body(self, size: int) -> tuple[Map, Map]:
        """Body coordinates (u, v) of every pixel of a (size, size) image, float32."""
        axis = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / size) - 1
        x, y = (axis - np.float32(self.across))[None, :], (axis - np.float32(self.down))[:, None]
        cos, sin = np.cos(np.float32(self.tilt)), np.sin(np.float32(self.tilt))
        u, v = (x * cos + y * sin) / np.float32(self.width), (y * cos - x * sin) / np.float32(self.height)
        return u, v + np.float32(0.5)

    def to_pixels(self, u: Map, v: Map, size: int) -> tuple[Map, Map]:
        """Columns and rows, in pixels from the upper left corner, of points of the body."""
        x, y = u * self.width, (v - 0.5) * self.height
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        column, row = x * cos - y * sin + self.across, x * sin + y * cos + self.down
        return (column + 1) * size / 2, (row + 1) * size / 2


def strike_pose(rng: np.random.Generator) -> Pose:
    """Draw how a patient stands in one radiograph."""
    return Pose(
        width=rng.uniform(0.72, 0.96),
        height=rng.uniform(1.10, 1.36),
        across=rng.normal(0, 0.035),
        down=rng.uniform(-0.16, 0.04),
        tilt=rng.normal(0, 0.025),
        turn=rng.normal(0, 0.022),
        inspiration=rng.normal(0, 0.025),
    )


@dataclass(frozen=True)
class Thorax:
    """A patient projected along the beam: thicknesses in cm, float32 (size, size)."""

    pose: Pose
    u: Map  # body coordinates of every pixel
    v: Map
    body: Map  # from skin to skin
    bone: Map
    gas: Map  # in the trachea and the stomach
    vessels: Map  # blood in the lungs
    lung: Map  # aerated lung
    heart: Map

    @property
    def lungs(self) -> NDArray[np.bool_]:
        """Where there is lung in the beam, behind the heart as well."""
        return self.lung > 0.12 * LUNG_DEPTH


def project(anatomy: Anatomy, pose: Pose, size: int) -> Thorax:
    """Project a patient onto a (size, size) image."""
    u, v = pose.to_body(size)
    front = u - np.float32(pose.turn)
    back = u + np.float32(pose.turn) - np.float32(anatomy.scoliosis) * np.sin(5 * v)
    cage = _cage(v, anatomy)
    across = np.abs(u) / cage
    heart = _heart(front, v, anatomy, pose)
    lung = LUNG_DEPTH * _root(1 - np.square(across * across))
    lung *= 1 - 0.80 * heart
    lung *= 1 - _below_diaphragm(u, v, anatomy, pose)
    lung *= 1 - _mediastinum(front, v, anatomy)
    return Thorax(
        pose=pose,
        u=u,
        v=v,
        body=_body(u, v, anatomy),
        bone=_bone(u, v, front, back, across, anatomy),
        gas=_gas(u, v, front, anatomy, pose),
        vessels=draw_lines(anatomy.tree, pose, size) * np.float32(anatomy.vessels) * (lung > 0),
        lung=lung * (1 + np.float32(0.05) * _texture(u, v, anatomy.texture)),
        heart=heart * LUNG_DEPTH,
    )


def draw_lines(lines: Lines, pose: Pose, size: int) -> Map:
    """Thickness (cm, at most 2.55) of thin tubes, (size, size); where they cross, that of the last."""
    from PIL import Image, ImageDraw

    double = 2 * size  # drawn at twice the size and averaged
    start = pose.to_pixels(lines[:, 0], lines[:, 1], double)
    end = pose.to_pixels(lines[:, 2], lines[:, 3], double)
    widths = np.maximum(np.rint(lines[:, 4] * pose.width * size), 1).astype(int)
    levels = np.clip(np.rint(lines[:, 5] * 100), 0, 255).astype(int)
    canvas = Image.new("L", (double, double))
    line = ImageDraw.Draw(canvas).line
    ways = np.stack([*start, *end], axis=1).tolist()
    for way, level, width in zip(ways, levels.tolist(), widths.tolist(), strict=True):
        line(way, fill=level, width=width)
    return np.asarray(canvas.reduce(2), np.float32) / 100


def sample(noise: Map, u: Map, v: Map) -> Map:
    """Read periodic noise at body coordinates, so that it moves with the patient; its period is 2."""
    height, width = noise.shape
    row = (v * np.float32(height / 2) + height).astype(np.int32) % height
    column = (u * np.float32(width / 2) + width).astype(np.int32) % width
    return noise.ravel().take(row * width + column)


def _root(x: Map) -> Map:
    return np.sqrt(np.maximum(x, 0))


def _cubed(x: Map) -> Map:
    return x * x * x  # NumPy's ** 3 takes tens of times as long


def _step(x: Map, width: float) -> Map:
    """A soft edge: 0 where x is below -width, 1 where it is above width."""
    x = np.clip(x * np.float32(0.5 / width) + np.float32(0.5), 0, 1)
    return x * x * (3 - 2 * x)


def _bump(v: Map, at: float, width: float) -> Map:
    return np.exp(-np.square((v - np.float32(at)) / np.float32(width)))


def _ellipse(u: Map, v: Map, at: tuple[float, float], axes: tuple[float, float], angle: float = 0.0) -> Map:
    """Chord of an ellipsoid, 1 in its middle and 0 outside."""
    du, dv = u - np.float32(at[0]), v - np.float32(at[1])
    if angle:
        cos, sin = np.cos(np.float32(angle)), np.sin(np.float32(angle))
        du, dv = du * cos + dv * sin, dv * cos - du * sin
    return _root(1 - np.square(du / np.float32(axes[0])) - np.square(dv / np.float32(axes[1])))


def _tube(u: Map, v: Map, start: tuple[float, float], end: tuple[float, float], radius: float) -> Map:
    """Chord of a round tube between two points, 1 on its axis and 0 outside."""
    (a, b), (du, dv) = start, (end[0] - start[0], end[1] - start[1])
    along = np.clip(((u - a) * du + (v - b) * dv) / np.float32(du * du + dv * dv), 0, 1)
    distance = np.square(u - a - along * np.float32(du)) + np.square(v - b - along * np.float32(dv))
    return _root(1 - distance / np.float32(radius**2))


def _cage(v: Map, anatomy: Anatomy) -> Map:
    """Half the inner width of the rib cage at height v."""
    heights = np.linspace(0, 1, 512, dtype=np.float32)
    widths = 0.93 * (1 - (1 - heights) ** 2.4) ** np.float32(anatomy.taper) + np.float32(1e-3)
    return widths.take((v * np.float32(511 / 0.95) + np.float32(0.5)).astype(np.int32), mode="clip")


def _body(u: Map, v: Map, anatomy: Anatomy) -> Map:
    side = np.abs(u)
    width = _cage(v + np.float32(0.14), anatomy) + np.float32(anatomy.wall)
    torso = _root(1 - _cubed(side / width)) * (1 + 0.16 * _step(v - 0.9, 0.25)) * _step(v + 0.13, 0.18)
    neck = 0.75 * _tube(side, v, (0.0, -0.05), (0.0, -1.0), 0.36)
    shoulder = 0.68 * _tube(side, v, (0.1, -0.12), (1.10, 0.12), 0.22 + anatomy.wall / 3)
    arm = 0.55 * _tube(side, v, (1.18, 0.12), anatomy.arm, 0.17 + anatomy.wall / 2)
    chin = 0.95 * _ellipse(u, v, (0.0, anatomy.chin - 0.55), (0.52, 0.36))
    limbs = np.maximum(np.maximum(neck, chin), np.maximum(shoulder, arm))
    return np.float32(CHEST * anatomy.depth) * np.maximum(torso, limbs)


def _heart(front: Map, v: Map, anatomy: Anatomy, pose: Pose) -> Map:
    """Chord of the heart, 1 in its middle; its apex points to the patient's left."""
    s, drop = anatomy.heart, pose.inspiration
    ventricles = _ellipse(front, v, (0.16, 0.69 + drop), (0.40 * s, 0.25 * s), anatomy.heart_tilt)
    atrium = 0.85 * _ellipse(front, v, (-0.07, 0.66 + drop), (0.20 * s, 0.24 * s))
    chord = np.maximum(ventricles, atrium)
    return np.float32(0.4) * chord + np.float32(0.6) * np.sqrt(chord)


def _mediastinum(front: Map, v: Map, anatomy: Anatomy) -> Map:
    """Share of the chest's depth that is mediastinum: spine, great vessels, hila."""
    edge = np.float32(anatomy.mediastinum) + 0.15 * np.exp(-np.maximum(v, 0) / np.float32(0.08))
    edge -= 0.02 * _step(v - 0.55, 0.2)
    knob_and_trunk = 0.06 * anatomy.knob * _bump(v, 0.24, 0.06) + 0.06 * _bump(v, 0.41, 0.08)
    hilum = 0.04 * _bump(v, 0.45, 0.09)
    left = front > 0
    return _step(edge + left * knob_and_trunk + ~left * hilum - np.abs(front - np.float32(0.01)), 0.03)


def _below_diaphragm(u: Map, v: Map, anatomy: Anatomy, pose: Pose) -> Map:
    """Share of the lung's depth that is abdomen; the right dome is the higher one."""
    right, left = anatomy.dome
    height = np.float32(left) + np.float32(right - left) * (u < 0)
    arch = _root(1 - np.square((np.abs(u) - 0.42) / 0.53))
    below = v - np.float32(BASE + pose.inspiration) + height * arch
    return np.sqrt(np.clip(below / np.float32(0.16), 0, 1)) * (1 - np.float32(0.06) * (below < 0.25))


def _gas(u: Map, v: Map, front: Map, anatomy: Anatomy, pose: Pose) -> Map:
    trachea = 1.3 * _tube(front, v, (-0.01, -0.5), (-0.015, 0.30), 0.065)
    right = 0.9 * _tube(front, v, (-0.015, 0.30), (-0.17, 0.42), 0.04)
    left = 0.9 * _tube(front, v, (0.0, 0.30), (0.20, 0.39), 0.04)
    gas = np.maximum(trachea, np.maximum(right, left))
    if anatomy.bubble > 0.03:
        under = BASE + pose.inspiration - anatomy.dome[1] + 0.03 + 0.8 * anatomy.bubble
        gas += 4 * _ellipse(u, v, (anatomy.bubble_at, under), (1.5 * anatomy.bubble, 0.8 * anatomy.bubble))
    return gas


def _bone(u: Map, v: Map, front: Map, back: Map, across: Map, anatomy: Anatomy) -> Map:
    side, side_back, side_front = np.abs(u), np.abs(back), np.abs(front)
    spacing, phase = np.float32(anatomy.rib_spacing), np.float32(anatomy.rib_phase)

    # All ribs of a kind at once: a curve that each of them follows, and how far below it a pixel lies.
    square = np.square(side_back)
    posterior = v - np.float32(anatomy.rib_droop) * square * (0.6 + 0.4 * v)
    posterior += 0.10 * side_back * (1.1 - v) - 0.15 * np.square(square * square)
    ribs = 0.55 * _ribs(posterior / spacing + phase, anatomy.rib_width) * _step(side_back - 0.08, 0.04)
    anterior = v - 0.42 * (1 - across) - 0.25 * np.square(across)
    fronts = _ribs(anterior / (spacing * np.float32(1.06)), anatomy.rib_width * 1.1)
    ribs += 0.30 * fronts * _step(side_front - 0.42, 0.14) * _step(0.80 - v, 0.15)
    grazing = 1 / np.sqrt(np.maximum(1 - np.square(across), 0.09))  # along the wall the beam follows the rib
    ribs *= (0.55 + 0.45 * grazing) * _step(1.03 - across, 0.03) * _step(v - 0.01, 0.03)

    discs = 0.5 + 0.5 * np.cos(np.float32(2 * np.pi) * (v / spacing + phase))
    spine = (0.9 - 0.35 * _cubed(discs)) * _step(0.10 + 0.02 * discs - side_back, 0.02)
    processes = 0.4 * _step(0.025 - side_back, 0.012) * discs

    rise = 0.07 - np.float32(anatomy.clavicle_slope) * side_front + 0.03 * np.sin(5 * side_front)
    clavicle = 0.7 * _root(1 - np.square((v - rise) / np.float32(0.036)))
    clavicle *= _step(side_front - 0.13, 0.02) * _step(1.05 - side_front, 0.05)
    scapula = 0.13 * _step(side - 0.78 - 0.35 * (0.45 - v), 0.03) * _step(1.12 - side, 0.05)
    scapula *= _step(v - 0.02, 0.05) * _step(0.50 - v, 0.05)
    humerus = 0.9 * _tube(side, v, (1.20, 0.12), anatomy.arm, 0.065)
    humerus = np.maximum(humerus, 0.8 * _ellipse(side, v, (1.16, 0.09), (0.12, 0.09)))
    jaw = np.float32(0.45) * (_ellipse(u, v, (0.0, anatomy.chin - 0.58), (0.44, 0.33)) > 0)
    jaw -= 0.3 * np.sqrt(_ellipse(u, v, (0.0, anatomy.chin - 0.60), (0.36, 0.26)))
    limbs = np.maximum(np.maximum(humerus, clavicle), jaw)
    return np.float32(anatomy.bone) * (ribs + spine + processes + scapula + limbs)


def _ribs(level: Map, width: float) -> Map:
    """Bone of evenly spaced hollow ribs; whole numbers of `level` are their axes."""
    off = np.square((level - np.rint(level)) * np.float32(2 / width))
    return 1.5 * _root(1 - off) - 0.7 * _root(1 - off * np.float32(1 / 0.75**2))


def _texture(u: Map, v: Map, seed: int) -> Map:
    """Fine mottle of the lungs, standard deviation 1."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).standard_normal((160, 160), np.float32)
    noise = gaussian_filter(noise, 1.2, mode="wrap")
    return sample(noise / noise.std(), u, v)
