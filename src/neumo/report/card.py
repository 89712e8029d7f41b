"""A classifier's card, for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from markupsafe import escape

from neumo.evaluation.metrics import METRICS

PROTOCOLS = {"random": "Random split", "patient": "Patients kept apart", "official": "Official test set"}
Say = Callable[[str], str]

Block = tuple[str, Any]
"""("text", str), ("code", str), ("list", [str, ...]) or ("table", [row, ...]), a row being [str, ...]."""


def card_markdown(card: dict[str, Any]) -> str:
    """A classifier's card as Markdown, all of it from `neumo.classifier.Classifier.card`."""
    parts = [f"# {_plain(card.get('name', 'A classifier'))}", f"> **{_plain(card.get('notice', ''))}**"]
    for title, blocks in _sections(card):
        parts += [f"## {title}", *(_markdown(kind, content) for kind, content in blocks)]
    return "\n\n".join(parts) + "\n"


def card_html(card: dict[str, Any], say: Say = str) -> str:
    """The same as an HTML fragment: an ``<article class="model-card">`` without styles or scripts.

    Args:
        card: as above.
        say: puts a heading, a sentence, an item or a cell into another language.
    """
    name, notice = escape(card.get("name", "A classifier")), escape(say(card.get("notice", "")))
    parts = [f'<p class="notice" role="note"><strong>{notice}</strong></p>', f"<h1>{name}</h1>"]
    for title, blocks in _sections(card):
        shown = "\n".join(_html(kind, content, say) for kind, content in blocks)
        parts.append(f"<section>\n<h2>{escape(say(title))}</h2>\n{shown}\n</section>")
    return '<article class="model-card">\n' + "\n".join(parts) + "\n</article>\n"


def _sections(card: dict[str, Any]) -> Iterator[tuple[str, list[Block]]]:
    results = card.get("results") or {
        protocol: {"metrics": {name: {"mean": value} for name, value in means.items()}}
        for protocol, means in card.get("test", {}).items()
    }
    yield "What it does", _what(card)
    yield "Limits", [("list", card.get("limits") or ["This card does not say what is known of its limits."])]
    yield "Results", [*_results(results, card), *_itself(card)]
    if any(found.get("by_cause") for found in results.values()):
        yield "By cause", list(_by_cause(results, card))
    if any(found.get("calibration") for found in results.values()):
        yield "Calibration", list(_calibration(results, card))
    yield "Operating point", list(_operating_point(card))
    yield "Training", list(_training(card))
    citation = card.get("data", {}).get("citation")
    yield "Cite", [("text", citation or "The data set does not say how it wants to be cited.")]


def _what(card: dict[str, Any]) -> list[Block]:
    data, backbone = card.get("data", {}), card.get("backbone", {})
    positive, negative = _classes(card)
    kind = "SYNTHETIC radiographs" if data.get("synthetic") else "chest radiographs"
    return [
        (
            "text",
            f"Tells {positive} from {negative} on frontal chest radiographs, by a "
            f"{backbone.get('name', 'neural')} network. Made from {data.get('images', 0):,} "
            f"{kind} ({data.get('name', 'unknown')}). It gives a probability, a decision at its operating "
            "point, and a warning where an image does not look like those it knows.",
        )
    ]


def _results(results: dict[str, Any], card: dict[str, Any]) -> Iterator[Block]:
    if not results:
        yield "text", "This card has no test results."
        return
    shown = [name for name in METRICS if any(name in found["metrics"] for found in results.values())]
    rows = [["", *(PROTOCOLS.get(name, name) for name in results)]]
    if all("seeds" in found for found in results.values()):
        rows.append(["radiographs", *(f"{found['images']:,}" for found in results.values())])
        rows.append(["seeds", *(", ".join(map(str, found["seeds"])) for found in results.values())])
    rows += [
        [METRICS[name], *(_figure(found["metrics"].get(name)) for found in results.values())]
        for name in shown
    ]
    yield "table", rows
    yield (
        "text",
        "Test radiographs; mean over the seeds, ± standard deviation over the seeds where there are several, "
        "then the 95 % interval, for which patients are resampled where they are known.",
    )
    if all("confusion" in found for found in results.values()):
        yield (
            "table",
            [
                ["Mean over the seeds", *(PROTOCOLS.get(name, name) for name in results)],
                *(
                    [said, *(_count(found["confusion"][row][column]) for found in results.values())]
                    for said, row, column in _outcomes(card)
                ),
            ],
        )


def _itself(card: dict[str, Any]) -> Iterator[Block]:
    """Of the one network that this classifier is, where the figures before are of several."""
    own = card.get("own")
    if not own:
        return
    yield (
        "text",
        "The columns above are of networks trained in the same way, one for each seed and test part. This "
        f"classifier is one of them, of seed {own['seed']}. On its own {own['images']:,} test radiographs, "
        "which it was not made from, it gave:",
    )
    figures = {name: {**one, "mean": one["value"]} for name, one in own["metrics"].items()}
    yield (
        "table",
        [
            ["This classifier", PROTOCOLS.get(own["protocol"], own["protocol"])],
            *([METRICS[name], _figure(figures[name])] for name in METRICS if name in figures),
            *([said, _count(own["confusion"][row][column])] for said, row, column in _outcomes(card)),
        ],
    )


def _outcomes(card: dict[str, Any]) -> list[tuple[str, int, int]]:
    """What can become of a test radiograph, with its row and column of a confusion matrix."""
    positive, negative = _classes(card)
    return [
        (f"{negative}, called {negative}", 0, 0),
        (f"{negative}, called {positive} (false alarms)", 0, 1),
        (f"{positive}, called {positive}", 1, 1),
        (f"{positive}, called {negative} (missed)", 1, 0),
    ]


def _figure(one: dict[str, float] | None) -> str:
    if one is None or one.get("mean") is None:
        return "–"
    sd = f" ± {one['sd']:.3f}" if one.get("sd") else ""
    interval = f" ({one['low']:.3f} to {one['high']:.3f})" if one.get("low") is not None else ""
    return f"{one['mean']:.3f}{sd}{interval}"


def _by_cause(results: dict[str, Any], card: dict[str, Any]) -> Iterator[Block]:
    causes = sorted({cause for found in results.values() for cause in found.get("by_cause", {})})
    rows = [["Share found", *(PROTOCOLS.get(name, name) for name in results)]]
    for cause in causes:
        found = [one.get("by_cause", {}).get(cause) for one in results.values()]
        rows.append([cause or _classes(card)[0], *map(_share, found)])
    yield "table", rows
    yield "text", f"Sensitivity by cause, with 95 % intervals (Wilson).{_means_said(results)}"


def _share(one: dict[str, float] | None) -> str:
    if one is None:
        return "–"
    return f"{one['sensitivity']:.3f} ({one['low']:.3f} to {one['high']:.3f}; of {_count(one['n'])})"


def _means_said(results: dict[str, Any]) -> str:
    several = any(len(found.get("seeds", ())) > 1 for found in results.values())
    return " Numbers of radiographs are means over the seeds." * several


def _count(value: float) -> str:
    """A number of images, or its mean over the seeds."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def _classes(card: dict[str, Any]) -> tuple[str, str]:
    return card.get("positive", "pneumonia"), card.get("negative", "normal")


def _calibration(results: dict[str, Any], card: dict[str, Any]) -> Iterator[Block]:
    told = {name: found["calibration"] for name, found in results.items() if found.get("calibration")}
    first = next(iter(told.values()))
    rows = [["Probability given", *(PROTOCOLS.get(name, name) for name in told)]]
    for i, (low, high) in enumerate(zip(first["low"], first["high"], strict=True)):
        cells = [
            f"{one['observed'][i]:.2f} (of {_count(one['count'][i])})" if one["count"][i] else "–"
            for one in told.values()
        ]
        rows.append([f"{low:.1f} to {high:.1f}", *cells])
    yield "table", rows
    yield (
        "text",
        f"The share that has {_classes(card)[0]}, of the test radiographs given a probability in each range. "
        f"The calibration error above is the mean distance of the two.{_means_said(results)}",
    )


def _operating_point(card: dict[str, Any]) -> Iterator[Block]:
    point, (positive, negative) = card.get("threshold", {}), _classes(card)
    if "threshold" in point:
        yield (
            "text",
            f"Called {positive} from a probability of {point['threshold']:.4g} on (rule: "
            f"{point.get('rule', 'not told')}). No test part had a say in it.",
        )
    if "sensitivity" in point:
        yield (
            "text",
            f"On validation that finds {point['sensitivity']:.1%} of {positive} and leaves "
            f"{point['specificity']:.1%} of {negative} alone.",
        )
    if card.get("temperature", 1) != 1 or card.get("shift"):
        shift = f" and shifted by {card['shift']:.3f}" if card.get("shift") else ""
        yield (
            "text",
            f"Its logits were divided by a temperature of {card.get('temperature', 1):.3f}{shift}, which was "
            "fitted on the validation part.",
        )


def _training(card: dict[str, Any]) -> Iterator[Block]:
    training = card.get("training", {})
    called = dict(zip(("pneumonia", "normal"), _classes(card), strict=True))
    told = [
        f"protocol: {training.get('protocol', 'not told')}, seed {training.get('seed', 'not told')}, "
        f"way: {training.get('step', 'not told')}",
        *(
            f"{part}: " + ", ".join(f"{n:,} {called.get(kind, kind)}" for kind, n in kinds.items() if n)
            for part, kinds in training.get("counts", {}).items()
        ),
        "made by " + ", ".join(f"{name} {version}" for name, version in card.get("made_by", {}).items()),
    ]
    yield "list", told
    if card.get("command"):
        yield "text", "The same data and this command train it again:"
        yield "code", card["command"]


def _html(kind: str, content: Any, say: Say) -> str:
    if kind == "code":
        return f"<pre><code>{escape(content)}</code></pre>"
    if kind == "list":
        return "<ul>" + "".join(f"<li>{escape(say(item))}</li>" for item in content) + "</ul>"
    if kind == "table":
        return _html_table([[say(cell) for cell in row] for row in content])
    return f"<p>{escape(say(content))}</p>"


def _html_table(rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in rows[0])
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(map(_cell, rest))}</tr>'
        for first, *rest in rows[1:]
    )
    label = escape(rows[0][0] or "Results")
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">{table}</div>'


def _cell(text: str) -> str:
    """A figure, with what stands in brackets below it."""
    figure, _, rest = text.partition(" (")
    below = f'<small class="quiet">{escape(rest.removesuffix(")"))}</small>' if rest else ""
    return f"<td>{escape(figure)}{below}</td>"


def _markdown(kind: str, content: Any) -> str:
    if kind == "code":
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", content)), default=0))
        return f"{fence}\n{content}\n{fence}"
    if kind == "list":
        return "\n".join(f"- {_plain(item)}" for item in content)
    if kind == "table":
        return "\n".join([_row(content[0]), "|" + " --- |" * len(content[0]), *map(_row, content[1:])])
    return _plain(content)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: Any) -> str:
    """Text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*_\[\]<>|#&~$])", r"\\\1", " ".join(str(text).split()))
