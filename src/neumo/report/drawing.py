"""One figure of a study, for a file or for a page.

A figure is about as wide as a phone, in a small set of colours that colour-blind readers can tell apart
(Okabe and Ito, https://jfly.uni-koeln.de/color/), each with a mark or a line of its own. Saved, it stands on
white; in a page, its colours become the page's CSS variables and follow the reader's light or dark mode.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import matplotlib
import numpy as np
from markupsafe import escape
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from neumo.evaluation.metrics import METRICS
from neumo.files import whole_file
from neumo.report.card import PROTOCOLS
from neumo.results.results import Results

INK, MUTED, GRID, PAPER = "#1b1f24", "#69727d", "#dce1e6", "#ffffff"
BLUE, GREEN, VERMILLION, ORANGE = "#0072b2", "#009e73", "#d55e00", "#e69f00"
VARIABLES = {
    INK: "--ink", MUTED: "--muted", GRID: "--rule", PAPER: "--page",
    BLUE: "--blue", GREEN: "--green", VERMILLION: "--vermillion", ORANGE: "--orange",
}  # fmt: skip
"""Colour in a figure -> CSS variable of the page that it becomes."""

WIDTH = 4.3
"""Inches; at 9 point that is still readable on a phone of 360 pixels."""

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and edited, and files are small
    "svg.hashsalt": "neumo",  # the same results give the same bytes
    "path.simplify_threshold": 0.5,
    "text.parse_math": False,  # a data set's own names may hold a dollar sign
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.0,
    "legend.handletextpad": 0.5,
}


@dataclass(frozen=True)
class Look:
    """How a protocol is called, in full and in a legend, and drawn."""

    title: str
    short: str
    colour: str
    line: Any
    mark: str


LOOKS = {
    "random": Look(PROTOCOLS["random"], "random", BLUE, "-", "o"),
    "patient": Look(PROTOCOLS["patient"], "patients apart", GREEN, (0, (5, 1.5)), "s"),
    "official": Look(PROTOCOLS["official"], "official", VERMILLION, (0, (1.2, 1.2)), "D"),
}


class Tested(Protocol):
    """What is drawn of a test: a `Run`, or what is like it."""

    @property
    def test(self) -> dict[str, Any] | None: ...

    @property
    def by_cause(self) -> dict[str, dict[str, float]]: ...


@dataclass(frozen=True)
class Side:
    """Something that was tested once per seed, beside others in a figure.

    Attributes:
        name: ends the names of figures that show it alone.
        look: how it is called and drawn.
        runs: one per seed.
        positive: what the radiographs that are to be found have.
        negative: what the others are.
        called: what the classifier calls the others and them, where it has other names.
    """

    name: str
    look: Look
    runs: Sequence[Tested]
    positive: str
    negative: str
    called: tuple[str, str] | None = None

    @property
    def says(self) -> tuple[str, str]:
        """What the classifier calls a radiograph below and from its operating point on."""
        return self.called or (self.negative, self.positive)


def protocol_sides(results: Results) -> list[Side]:
    """The protocols that a study was tested on."""
    return [
        Side(name, look, runs, *results.classes)
        for name, look in LOOKS.items()
        if (runs := results.tested(name))
    ]


@dataclass(frozen=True)
class Drawing:
    """A figure with what it shows.

    Attributes:
        name: of the file without its ending, and prefix of every id in the page.
        figure: the matplotlib figure.
        alt: what is to be seen, with the main numbers, for who cannot see it.
    """

    name: str
    figure: Figure
    alt: str

    @cached_property
    def svg(self) -> str:
        """The figure as an SVG document on white."""
        text = io.StringIO()
        with matplotlib.rc_context(STYLE):
            undated = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            self.figure.savefig(text, format="svg", metadata=undated)
        return text.getvalue()

    def save(self, folder: Path) -> list[Path]:
        """Write ``folder/NAME.svg`` and ``folder/NAME.png`` (200 dots per inch)."""
        svg, png = (folder / f"{self.name}.{ending}" for ending in ("svg", "png"))
        with whole_file(svg) as part:
            part.write_text(self.svg, encoding="utf-8")
        with whole_file(png) as part, matplotlib.rc_context(STYLE):
            self.figure.savefig(part, format="png", dpi=200, metadata={"Software": None})
        return [svg, png]

    def inline(self) -> str:
        """The figure as an ``<svg>`` element: in the page's colours, as wide as its place, ids of its own."""
        svg = self.svg[self.svg.index("<svg") :]
        # matplotlib's style sheet would reach the whole page, whose own says the same for figures
        svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
        used = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
        svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{self.name}-{m[1]}"' if m[1] in used else "", svg)
        svg = re.sub(r'(href="|url\()#', rf"\1#{self.name}-", svg)
        svg = re.sub(r'\b(?:d|x|y|transform|viewBox)="[^"]*"', lambda m: _rounded(m[0]), svg)
        svg = re.sub(r"font-family: [^;\"]+", "font-family: inherit", svg)
        for colour, variable in VARIABLES.items():
            svg = svg.replace(colour, f"var({variable})")
        opening = re.sub(r' (?:width|height|version|xmlns)="[^"]*"', "", svg[: svg.index(">")])
        svg = f'{opening} role="img" aria-label="{escape(self.alt)}"' + svg[svg.index(">") :]
        return re.sub(r"\s*\n\s*", " ", svg)


def _rounded(attribute: str) -> str:
    return re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), attribute)


def canvas(height: float, width: float = WIDTH) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def legend(figure: Figure, *handles: Artist) -> None:
    """Below the figure, in one line where that is short enough."""
    letters = sum(len(str(handle.get_label())) + 5 for handle in handles)
    columns = len(handles) if letters <= 70 else max(1, 70 * len(handles) // (letters + 10))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def sides_legend(figure: Figure, sides: Sequence[Side], metric: str = "") -> None:
    """What was tested, each with its mean of a metric."""
    handles = []
    for look, runs in ((side.look, side.runs) for side in sides):
        label = look.short + (f" {np.mean(values(runs, metric)):.3f}" if metric else "")
        style: dict[str, Any] = {
            "color": look.colour,
            "linestyle": look.line,
            "marker": look.mark,
            "markersize": 5,
        }
        handles.append(Line2D([], [], label=label, **style))
    legend(figure, *handles)


def folded(text: str, letters: int, lines: int = 2) -> str:
    """A text that holds a data set's own name, in as many lines at most; what is more is cut off."""
    return "\n".join(textwrap.wrap(text, letters, max_lines=lines, placeholder="…"))


def named_rows(ax: Axes, names: Sequence[str]) -> None:
    """Make the y axis one of named rows, the first on top; each line of a name is folded."""
    for row in range(1, len(names)):
        ax.axhline(row - 0.5, color=GRID, linewidth=0.6)
    ax.set_yticks(
        range(len(names)), ["\n".join(folded(line, 26) for line in one.split("\n")) for one in names]
    )
    ax.tick_params(axis="y", labelcolor=INK, length=0)
    ax.grid(axis="y", visible=False)
    ax.set_ylim(len(names) - 0.5, -0.5)


def image_axis(ax: Axes) -> None:
    """Make the x axis one that counts images, with room for a number at the end of the longest bar."""
    ax.margins(x=0.14)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def values(runs: Sequence[Tested], metric: str, part: str = "value") -> list[float]:
    """A metric of the test part by seed; NaN where it is not defined."""
    found = [run.test["metrics"][metric][part] for run in runs if run.test is not None]
    return [np.nan if one is None else one for one in found]


def means(sides: Sequence[Side], metric: str) -> str:
    """A metric's means by what was tested, in words."""
    found = (f"{side.look.title} {np.mean(values(side.runs, metric)):.3f}" for side in sides)
    return f"{METRICS[metric]}: {', '.join(found)}."
