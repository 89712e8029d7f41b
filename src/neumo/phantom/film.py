"""From thicknesses to the pixels of a developed radiograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumo.phantom.thorax import Map, Thorax

# Linear attenuation in 1/cm. NIST's tables (Hubbell and Seltzer, NISTIR 5632) give 0.227 for water and 0.81
# for cortical bone of 1.92 g/cm3 at 50 keV; a wide beam loses less, and a child's bone is less dense.
SOFT, BONE = 0.21, 0.62
AERATED = 0.26  # density of inflated lung relative to soft tissue (ICRU Report 46: 0.26 g/cm3)


@dataclass(frozen=True)
class Exposure:
    """How one radiograph was taken."""

    photons: float  # per pixel where nothing is in the beam
    scatter: float  # share of the signal that is scattered
    level: float  # attenuation that is shown as middle grey
    contrast: float  # steepness of the film curve there
    blur: float  # pixels of 256
    border: tuple[float, float, float, float]  # collimated away on the left, top, right, bottom: share
    marker: str  # letter on the film, "" where there is none
    marker_at: tuple[float, float]  # x, y as a share of the image
    marker_size: float

    def field(self, size: int) -> tuple[slice, slice]:
        """Rows and columns of a (size, size) image that the collimator leaves open."""
        left, top, right, bottom = (round(share * size) for share in self.border)
        return slice(top, size - bottom), slice(left, size - right)


def choose_exposure(rng: np.random.Generator, depth: float, official: str = "train") -> Exposure:
    """Draw the exposure of one radiograph.

    Args:
        rng: source of chance.
        depth: thickness of the patient's body, relative; a thicker one is exposed for longer.
        official: ``"train"`` or ``"test"``. The official test set of a real data set was taken at another
            time with other settings; here it is darker, flatter, noisier, with other markers.
    """
    between = rng.uniform
    test = official == "test"
    sides = between(0, 0.07, 4) * (rng.random(4) < 0.12)
    left_marker = rng.random() < (0.5 if test else 0.08)
    return Exposure(
        photons=between(2500, 6000) if test else between(4000, 12000),
        scatter=between(0.12, 0.30),
        level=depth * (between(1.90, 2.30) if test else between(1.75, 2.15)),
        contrast=between(1.2, 1.7) if test else between(1.35, 2.05),
        blur=between(0.45, 0.9),
        border=(float(sides[0]), float(sides[1]), float(sides[2]), float(sides[3])),
        marker="" if rng.random() < 0.15 else "L" if left_marker else "R",
        marker_at=(between(0.03, 0.12), between(0.03, 0.45)),
        marker_size=between(0.06, 0.09) if test else between(0.045, 0.075),
    )


def attenuation(thorax: Thorax, filled: Map | float = 0.0) -> Map:
    """Attenuation of the beam (natural logarithm), float32 (size, size).

    Args:
        thorax: what is in the beam.
        filled: share of the lung's air that fluid has replaced, 0 to 1.
    """
    air = (1 - AERATED) * np.maximum(thorax.lung * (1 - filled) - thorax.vessels, 0)
    soft = np.maximum(thorax.body - air - thorax.gas, 0)
    return SOFT * soft + (BONE - SOFT) * thorax.bone


def develop(beam: Map, exposure: Exposure, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Pixels, uint8 (size, size), of a radiograph whose beam was attenuated by exp(-beam)."""
    from scipy.ndimage import gaussian_filter

    size = len(beam)
    signal = np.exp(-gaussian_filter(beam, exposure.blur * size / 256))
    signal = (1 - exposure.scatter) * signal + exposure.scatter * _scattered(signal)
    counts = exposure.photons * signal
    # Normal with the variance of Poisson: hundreds of photons and more reach every pixel.
    counts += np.sqrt(counts) * rng.standard_normal(beam.shape, np.float32)
    density = -np.log(np.maximum(counts, 1) / np.float32(exposure.photons))
    grey = 1 / (1 + np.exp(np.float32(exposure.contrast) * (np.float32(exposure.level) - density)))
    floor = 1 / (1 + np.exp(exposure.contrast * exposure.level))  # the film behind nothing
    grey = (grey - floor) / (1 - floor) * np.float32(275)
    pixels = np.zeros((size, size), np.uint8)
    field = exposure.field(size)
    pixels[field] = np.clip(np.rint(grey[field]), 0, 255)
    return pixels


def _scattered(signal: Map) -> Map:
    """The signal spread over a wide neighbourhood, computed on 32 x 32 pixels."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    size = len(signal)
    small = Image.fromarray(signal).resize((32, 32), Image.Resampling.BOX)
    wide = gaussian_filter(np.asarray(small), 2.5, mode="nearest")
    return np.asarray(Image.fromarray(wide).resize((size, size), Image.Resampling.BICUBIC))


def burn_in(pixels: NDArray[np.uint8], exposure: Exposure) -> NDArray[np.uint8]:
    """Put the side marker on, and the word SYNTHETIC: the same pixels in every image, whatever it shows."""
    from PIL import Image, ImageDraw, ImageFont

    size = len(pixels)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    if exposure.marker:
        x, y = exposure.marker_at
        x = x if exposure.marker == "R" else 1 - x  # on the side of the patient that it names
        font = ImageFont.load_default(exposure.marker_size * size)
        draw.text((x * size, y * size), exposure.marker, fill=250, font=font, anchor="mt")
    height = max(8, round(size * 0.04))
    font = ImageFont.load_default(height * 0.75)
    width = round(draw.textlength("SYNTHETIC", font)) + height // 2
    draw.rectangle((0, size - height, width, size), fill=0)
    draw.text((height // 4, size - height / 2), "SYNTHETIC", fill=200, font=font, anchor="lm")
    return np.asarray(image)
