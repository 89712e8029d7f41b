"""Anatomy of a drawn chest, projected along the beam.

Body coordinates: ``u`` runs across the chest, 0 at the midline and 1 at the widest point of the rib cage,
positive towards the patient's left, which is the right-hand side of the image; ``v`` runs down, 0 at the
apices of the lungs and 1 at the costophrenic angles. Thicknesses along the beam are in centimetres of a
small child's chest (the ages of the CoronaHack images are one to five years).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating]  # float32 (size, size), one value per pixel
Line = tuple[
    float, float, float, float, float, float
]  # u, v of start, u, v of end, width in u, thickness in cm

CHEST = 13.0  # cm from back to front
LUNG_DEPTH = 9.5  # cm of lung where it is deepest
HILA = {-1: (-0.20, 0.43), 1: (0.22, 0.39)}  # side of the image -> u, v; the left hilum is the higher one


@dataclass(frozen=True)
class Anatomy:
    """What stays the same in all radiographs of one patient; every number in body coordinates."""

    depth: float  # of the body, relative to CHEST
    wall: float  # soft tissue between the ribs and the skin
    taper: float  # how soon the rib cage widens below the apices
    bone: float  # density of bone, relative
    rib_spacing: float
    rib_phase: float
    rib_droop: float
    rib_width: float  # share of the spacing
    clavicle_slope: float
    scoliosis: float
    heart: float  # size, relative
    heart_tilt: float  # radians
    mediastinum: float  # half its width above the heart
    knob: float  # size of the aortic knob, relative
    dome: tuple[float, float]  # height of the right dome, the left dome
    bubble: float  # radius of the gas in the stomach, 0 where there is none
    bubble_at: float
    arm: tuple[float, float]  # end of the humerus: |u|, v; a negative v is a raised arm
    chin: float  # how far the jaw reaches into the image
    vessels: float  # how plainly the vessels stand out, relative
    tree: tuple[Line, ...]  # the vessels of both lungs
    texture: int  # seed of the fine texture of the lungs


def grow_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw a patient; label and difficulty play no part in it."""
    between, about = rng.uniform, rng.normal
    return Anatomy(
        depth=between(0.85, 1.15),
        wall=between(0.09, 0.19),
        taper=between(0.40, 0.52),
        bone=between(0.75, 1.2),
        rib_spacing=between(0.108, 0.130),
        rib_phase=between(0, 1),
        rib_droop=between(0.22, 0.42),
        rib_width=between(0.38, 0.50),
        clavicle_slope=between(0.02, 0.30),
        scoliosis=about(0, 0.012),
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
        tree=tuple(branch for side in (-1, 1) for branch in _vessel_tree(side, rng)),
        texture=int(rng.integers(2**31)),
    )


def _vessel_tree(side: int, rng: np.random.Generator, generations: int = 4) -> list[Line]:
    u, v = HILA[side]
    angles = np.radians(np.linspace(-78, 84, 8)) + rng.normal(0, 0.12, 8)
    tips = [(u, v, angle, rng.uniform(0.09, 0.15), 0.034) for angle in angles]
    tree: list[Line] = []
    for _ in range(generations):
        grown = []
        for u, v, angle, length, width in tips:
            end_u, end_v = u + side * length * np.cos(angle), v + length * np.sin(angle)
            tree.append((u, v, end_u, end_v, width, 26 * width))
            for fork in (-1, 1):
                turn = angle + fork * rng.uniform(0.12, 0.5)
                grown.append((end_u, end_v, turn, length * rng.uniform(0.7, 1.05), width * 0.68))
        tips = grown
    return tree


@dataclass(frozen=True)
class Pose:
    """How the patient stood in one radiograph."""

    width: float  # half the width of the rib cage over half the width of the image
    height: float  # height of the lungs over half the height of the image
    across: float  # shift in half images
    down: float
    tilt: float  # radians in the plane of the image
    turn: float  # of the body about its long axis: what lies in front moves by this much in u
    inspiration: float  # how far the diaphragm is pulled down

    def to_body(self, size: int) -> tuple[Map, Map]:
        """Body coordinates (u, v) of every pixel of a (size, size) image, float32."""
        axis = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / size) - np.float32(1)
        x, y = (axis - np.float32(self.across))[None, :], (axis - np.float32(self.down))[:, None]
        cos, sin = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        return (x * cos + y * sin) / np.float32(self.width), (y * cos - x * sin) / np.float32(
            self.height
        ) + np.float32(0.5)

    def to_pixels(self, u: float, v: float, size: int) -> tuple[float, float]:
        """Column and row (from the upper left corner, in pixels) of a point of the body."""
        x, y = u * self.width, (v - 0.5) * self.height
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        return (
            (x * cos - y * sin + self.across + 1) * size / 2,
            (x * sin + y * cos + self.down + 1) * size / 2,
        )


def strike_pose(rng: np.random.Generator) -> Pose:
    """Draw how a patient stands in one radiograph."""
    between, about = rng.uniform, rng.normal
    return Pose(
        width=between(0.70, 0.92),
        height=between(1.10, 1.36),
        across=about(0, 0.035),
        down=between(-0.16, 0.04),
        tilt=about(0, 0.025),
        turn=about(0, 0.022),
        inspiration=about(0, 0.025),
    )


@dataclass(frozen=True)
class Thorax:
    """A patient projected along the beam: thicknesses in cm, float32 (size, size)."""

    pose: Pose
    u: Map
    v: Map
    body: Map  # from skin to skin
    bone: Map
    gas: Map  # in the trachea, the stomach
    vessels: Map  # blood in the lungs
    lung: Map  # aerated lung
    heart: Map

    @property
    def lungs(self) -> NDArray[np.bool_]:
        """Where there is lung in the beam (behind the heart as well)."""
        return self.lung > 0.12 * LUNG_DEPTH


def project(anatomy: Anatomy, pose: Pose, size: int) -> Thorax:
    """Project a patient onto a (size, size) image."""
    u, v = pose.to_body(size)
    front = u - np.float32(pose.turn)
    back = u + np.float32(pose.turn) - np.float32(anatomy.scoliosis) * np.sin(5 * v)
    cage = _cage(v, anatomy)
    heart = _heart(front, v, anatomy, pose)
    below = _below_diaphragm(u, v, anatomy, pose)
    mediastinum = _mediastinum(front, v, anatomy)
    across = np.abs(u) / cage
    cavity = np.sqrt(np.maximum(1 - across**4, 0))
    lung = LUNG_DEPTH * cavity * (1 - 0.80 * heart) * (1 - below) * (1 - mediastinum)
    vessels = draw_lines(anatomy.tree, pose, size) * np.float32(anatomy.vessels) * (lung > 0)
    return Thorax(
        pose=pose,
        u=u,
        v=v,
        body=_body(u, v, cage, anatomy),
        bone=_bone(u, v, front, back, across, anatomy),
        gas=_gas(u, v, front, anatomy, pose),
        vessels=vessels,
        lung=lung * (1 + np.float32(0.05) * _texture(u, v, anatomy.texture)),
        heart=heart * LUNG_DEPTH,
    )


def draw_lines(lines: tuple[Line, ...] | list[Line], pose: Pose, size: int) -> Map:
    """Thickness (cm) of thin tubes, given in body coordinates, as a (size, size) float32 map."""
    from PIL import Image, ImageDraw

    unit = 2 * size * pose.width / 2  # pixels per u, drawn at twice the size and averaged
    canvas = Image.new("L", (2 * size, 2 * size))
    draw = ImageDraw.Draw(canvas)
    for start_u, start_v, end_u, end_v, width, thickness in lines:
        ends = (*pose.to_pixels(start_u, start_v, 2 * size), *pose.to_pixels(end_u, end_v, 2 * size))
        draw.line(ends, fill=min(255, round(100 * thickness)), width=max(1, round(width * unit)))
    return np.asarray(canvas.reduce(2), np.float32) / 100


def _step(x: Map) -> Map:
    """A soft edge: 0 below -1, 1 above 1."""
    x = np.clip((x + 1) / 2, 0, 1)
    return x * x * (3 - 2 * x)


def _ellipse(u: Map, v: Map, at: tuple[float, float], axes: tuple[float, float], angle: float = 0.0) -> Map:
    """Chord of an ellipsoid, 1 in its middle and 0 outside."""
    du, dv = u - np.float32(at[0]), v - np.float32(at[1])
    if angle:
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        du, dv = du * cos + dv * sin, dv * cos - du * sin
    return np.sqrt(np.maximum(1 - (du / np.float32(axes[0])) ** 2 - (dv / np.float32(axes[1])) ** 2, 0))


def _tube(u: Map, v: Map, start: tuple[float, float], end: tuple[float, float], radius: float) -> Map:
    """Chord of a round tube between two points, 1 on its axis and 0 outside."""
    (a, b), (c, d) = start, end
    du, dv = c - a, d - b
    along = np.clip(((u - a) * du + (v - b) * dv) / np.float32(du * du + dv * dv), 0, 1)
    distance = (u - a - along * np.float32(du)) ** 2 + (v - b - along * np.float32(dv)) ** 2
    return np.sqrt(np.maximum(1 - distance / np.float32(radius**2), 0))


def _cage(v: Map, anatomy: Anatomy) -> Map:
    """Half the inner width of the rib cage at height v."""
    down = np.clip(v / 0.95, 0, 1)
    return (1 - (1 - down) ** 2.4) ** np.float32(anatomy.taper) * 0.93 + np.float32(1e-3)


def _body(u: Map, v: Map, cage: Map, anatomy: Anatomy) -> Map:
    side = np.abs(u)
    width = _cage(v + 0.14, anatomy) + np.float32(anatomy.wall)
    torso = np.sqrt(np.maximum(1 - (side / width) ** 3, 0)) * (1 + 0.16 * _step((v - 0.9) / 0.25))
    torso *= _step((v + 0.16) / 0.10)
    neck = 0.75 * _tube(side, v, (0.0, -0.05), (0.0, -1.0), 0.36)
    shoulder = 0.85 * _tube(side, v, (0.1, -0.10), (1.10, 0.10), 0.24 + anatomy.wall / 3)
    arm = 0.62 * _tube(side, v, (1.18, 0.10), anatomy.arm, 0.17 + anatomy.wall / 2)
    chin = 0.95 * _ellipse(u, v, (0.0, anatomy.chin - 0.55), (0.52, 0.36))
    soft = np.maximum(np.maximum(torso, neck), np.maximum(shoulder, arm))
    return np.float32(CHEST * anatomy.depth) * np.maximum(soft, chin)


def _heart(front: Map, v: Map, anatomy: Anatomy, pose: Pose) -> Map:
    """Chord of the heart, 1 in its middle; its apex points to the patient's left."""
    s, drop = anatomy.heart, pose.inspiration
    ventricles = _ellipse(front, v, (0.16, 0.69 + drop), (0.40 * s, 0.25 * s), anatomy.heart_tilt)
    atrium = 0.85 * _ellipse(front, v, (-0.07, 0.66 + drop), (0.20 * s, 0.24 * s))
    return np.maximum(ventricles, atrium) ** np.float32(0.7)


def _mediastinum(front: Map, v: Map, anatomy: Anatomy) -> Map:
    """Share of the chest's depth that is mediastinum: spine, great vessels, hila."""
    apex = 0.13 * np.exp(-np.maximum(v, 0) / np.float32(0.06))
    edge = np.float32(anatomy.mediastinum) + apex - 0.02 * _step((v - 0.55) / 0.2)
    left = 0.06 * anatomy.knob * np.exp(-(((v - 0.24) / 0.06) ** 2)) + 0.06 * np.exp(
        -(((v - 0.41) / 0.08) ** 2)
    )
    right = 0.04 * np.exp(-(((v - 0.45) / 0.09) ** 2))
    return _step((edge + np.where(front > 0, left, right) - np.abs(front - 0.01)) / 0.03)


def _below_diaphragm(u: Map, v: Map, anatomy: Anatomy, pose: Pose) -> Map:
    """Share of the lung's depth that is abdomen; the right dome is the higher one."""
    right, left = anatomy.dome
    height = np.where(u < 0, np.float32(right), np.float32(left))
    arch = np.sqrt(np.maximum(1 - ((np.abs(u) - 0.42) / 0.53) ** 2, 0))
    depth = v - (1.05 + np.float32(pose.inspiration)) + height * arch
    return np.sqrt(np.clip(depth / 0.16, 0, 1)) * (1 - 0.06 * (depth < 0.25))


def _gas(u: Map, v: Map, front: Map, anatomy: Anatomy, pose: Pose) -> Map:
    trachea = _tube(front, v, (-0.01, -0.5), (-0.015, 0.30), 0.065) * 1.3
    bronchi = np.maximum(
        _tube(front, v, (-0.015, 0.30), (-0.17, 0.42), 0.04), _tube(front, v, (0, 0.30), (0.2, 0.39), 0.04)
    )
    gas = np.maximum(trachea, 0.9 * bronchi)
    if anatomy.bubble > 0.03:
        top = 1.05 + pose.inspiration - anatomy.dome[1] + 0.03 + anatomy.bubble * 0.8
        gas = gas + 4 * _ellipse(u, v, (anatomy.bubble_at, top), (anatomy.bubble * 1.5, anatomy.bubble * 0.8))
    return gas


def _bone(u: Map, v: Map, front: Map, back: Map, across: Map, anatomy: Anatomy) -> Map:
    side_back, side_front = np.abs(back), np.abs(front)
    inside = _step((1.03 - across) / 0.03) * _step((v - 0.01) / 0.03)
    grazing = 1 / np.sqrt(np.maximum(1 - across**2, 0.09))  # along the wall the beam follows the rib

    posterior = v - np.float32(anatomy.rib_droop) * side_back**2 * (0.6 + 0.4 * v) - 0.15 * side_back**8
    posterior += 0.10 * side_back * (1.1 - v)
    ribs = 0.55 * _ribs(posterior / np.float32(anatomy.rib_spacing) + anatomy.rib_phase, anatomy.rib_width)
    ribs *= _step((side_back - 0.08) / 0.04)

    anterior = v - 0.42 * (1 - across) - 0.25 * across**2
    fronts = _ribs(anterior / np.float32(anatomy.rib_spacing * 1.06), anatomy.rib_width * 1.1)
    ribs += 0.30 * fronts * _step((side_front - 0.42) / 0.14) * _step((0.80 - v) / 0.15)
    ribs *= inside * (0.55 + 0.45 * grazing)

    level = v / np.float32(anatomy.rib_spacing) + anatomy.rib_phase
    discs = np.float32(0.5) * (1 + np.cos(np.float32(2 * np.pi) * level))
    spine = (0.9 - 0.35 * discs**3) * _step((0.10 + 0.02 * discs - side_back) / 0.02)
    process = 0.4 * _step((0.025 - side_back) / 0.012) * discs

    clavicle_line = 0.07 - np.float32(anatomy.clavicle_slope) * side_front + 0.03 * np.sin(5 * side_front)
    thin = (v - clavicle_line) / 0.036
    clavicle = 0.7 * np.sqrt(np.maximum(1 - thin**2, 0)) * _step((side_front - 0.13) / 0.02)
    clavicle *= _step((1.05 - side_front) / 0.05)

    side = np.abs(u)
    scapula = 0.13 * _step((side - 0.78 - 0.35 * (0.45 - v)) / 0.03) * _step((1.12 - side) / 0.05)
    scapula *= _step((v - 0.02) / 0.05) * _step((0.50 - v) / 0.05)
    humerus = 0.9 * _tube(side, v, (1.20, 0.12), anatomy.arm, 0.065)
    head = 0.8 * _ellipse(side, v, (1.16, 0.09), (0.12, 0.09))
    jaw = 0.45 * (_ellipse(u, v, (0.0, anatomy.chin - 0.58), (0.44, 0.33)) > 0)
    jaw = jaw - 0.3 * _ellipse(u, v, (0.0, anatomy.chin - 0.60), (0.36, 0.26)) ** 0.5
    limbs = np.maximum(np.maximum(humerus, head), np.maximum(clavicle, jaw))
    return np.float32(anatomy.bone) * (ribs + spine + process + scapula + limbs)


def _ribs(level: Map, width: float) -> Map:
    """Bone of evenly spaced hollow ribs; whole numbers of `level` are their axes."""
    off = (level - np.rint(level)) * np.float32(2 / width)
    shell = np.sqrt(np.maximum(1 - off**2, 0))
    marrow = np.sqrt(np.maximum(1 - (off / 0.75) ** 2, 0))
    return 1.5 * shell - 0.7 * marrow


def _texture(u: Map, v: Map, seed: int, cells: int = 256) -> Map:
    """Fine mottle of the lungs that moves with the patient, standard deviation 1."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).standard_normal((cells, cells), np.float32)
    noise = gaussian_filter(noise, 1.4, mode="wrap")
    noise /= noise.std()
    return noise[(v * 90).astype(np.intp) % cells, (u * 75).astype(np.intp) % cells]
