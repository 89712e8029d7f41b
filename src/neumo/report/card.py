"""A classifier's card, for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from markupsafe import escape

from neumo.classifier.findings import percent
from neumo.errors import NeumoError
from neumo.evaluation.metrics import METRICS
from neumo.evaluation.rule import Rule, read_rule

PROTOCOLS = {"random": "Random split", "patient": "Patients kept apart", "official": "Official test set"}
USUAL = ("pneumonia", "normal", "no pneumonia", "bacteria", "virus", "unknown")
"""Names of classes and causes that are translated."""

Block = tuple[str, Any]
"""("text", str), ("code", str), ("list", [str, ...]) or ("table", [row, ...]), a row being [str, ...]."""


class Say:
    """The language of a card, here its own: English."""

    def __call__(self, phrase: str) -> str:
        """A phrase in the reader's language, with the same fields in braces."""
        return phrase

    def number(self, value: float, spec: str) -> str:
        """A number as the language writes it; `spec` is as of `format`."""
        return format(value, spec)

    def percent(self, share: float) -> str:
        """A share in percent."""
        return percent(share)

    def rule(self, rule: Rule) -> str:
        """How the operating point was chosen."""
        return str(rule)


in_english = Say()


def card_markdown(card: dict[str, Any]) -> str:
    """A classifier's card as Markdown, all of it from `neumo.classifier.classifier.Classifier.card`.

    Raises:
        NeumoError: a field of it holds something else than neumo writes there.
    """
    parts = [f"# {_plain(card.get('name', 'A classifier'))}", f"> **{_plain(card.get('notice', ''))}**"]
    for title, blocks in _sections(card, in_english):
        parts += [f"## {title}", *(_markdown(kind, content) for kind, content in blocks)]
    return "\n\n".join(parts) + "\n"


def card_html(card: dict[str, Any], say: Say = in_english) -> str:
    """The same as an HTML fragment: an ``<article class="model-card">`` without styles or scripts.

    Args:
        card: as above.
        say: puts the card's own phrases and its numbers into another language; see `in_spanish`.

    Raises:
        NeumoError: likewise.
    """
    name, notice = escape(card.get("name", "A classifier")), escape(say(str(card.get("notice", ""))))
    parts = [f'<p class="notice" role="note"><strong>{notice}</strong></p>', f"<h1>{name}</h1>"]
    for title, blocks in _sections(card, say):
        shown = "\n".join(_html(kind, content, say) for kind, content in blocks)
        parts.append(f"<section>\n<h2>{escape(title)}</h2>\n{shown}\n</section>")
    return '<article class="model-card">\n' + "\n".join(parts) + "\n</article>\n"


def _sections(card: dict[str, Any], say: Say) -> list[tuple[str, list[Block]]]:
    try:
        return list(_told(card, say))
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        got = f"a card that cannot be told ({type(error).__name__}: {error})"
        raise NeumoError(f"{card.get('name')}: got {got}, expected one as neumo writes it") from error


def _told(card: dict[str, Any], say: Say) -> Iterator[tuple[str, list[Block]]]:
    results = card.get("results") or {
        protocol: {"metrics": {name: {"mean": value} for name, value in means.items()}}
        for protocol, means in card.get("test", {}).items()
    }
    limits = card.get("limits") or ["This card does not say what is known of its limits."]
    yield say("What it does"), _what(card, say)
    yield say("Limits"), [("list", [say(str(one)) for one in limits])]
    yield say("Results"), [*_results(results, card, say), *_itself(card, say)]
    if any(found.get("by_cause") for found in results.values()):
        yield say("By cause"), list(_by_cause(results, card, say))
    if any(found.get("calibration") for found in results.values()):
        yield say("Calibration"), list(_calibration(results, card, say))
    yield say("Operating point"), list(_operating_point(card, say))
    yield say("Training"), list(_training(card, say))
    citation = card.get("data", {}).get("citation")
    yield say("Cite"), [("text", say(citation or "The data set does not say how it wants to be cited."))]


def _what(card: dict[str, Any], say: Say) -> list[Block]:
    data, backbone = card.get("data", {}), card.get("backbone", {})
    positive, negative = _classes(card, say)
    text = say(
        "Tells {positive} from {negative} on frontal chest radiographs, by a {network} network. Made from "
        "{n} {kind} ({name}). It gives a probability, a decision at its operating point, and a warning where "
        "an image does not look like those it knows."
    )
    told = text.format(
        positive=positive,
        negative=negative,
        network=backbone.get("name", "neural"),
        n=say.number(data["images"], ",") if "images" in data else say("an unknown number of"),
        kind=say("SYNTHETIC radiographs" if data.get("synthetic") else "chest radiographs"),
        name=data.get("name", say("unknown")),
    )
    return [("text", told)]


def _results(results: dict[str, Any], card: dict[str, Any], say: Say) -> Iterator[Block]:
    if not results:
        yield "text", say("This card has no test results.")
        return
    shown = [name for name in METRICS if any(name in found["metrics"] for found in results.values())]
    protocols = _protocols(results, say)
    rows = [["", *protocols]]
    if all({"images", "seeds"} <= found.keys() for found in results.values()):
        rows.append([say("radiographs"), *(say.number(found["images"], ",") for found in results.values())])
        rows.append([say("seeds"), *(", ".join(map(str, found["seeds"])) for found in results.values())])
    rows += [
        [say(METRICS[name]), *(_figure(found["metrics"].get(name), say) for found in results.values())]
        for name in shown
    ]
    yield "table", rows
    yield (
        "text",
        say(
            "Test radiographs; mean over the seeds, ± standard deviation over the seeds where there are "
            "several, then the 95 % interval, for which patients are resampled where they are known."
        ),
    )
    if all("confusion" in found for found in results.values()):
        yield (
            "table",
            [
                [say("Mean over the seeds"), *protocols],
                *(
                    [said, *(_count(found["confusion"][row][column], say) for found in results.values())]
                    for said, row, column in _outcomes(card, say)
                ),
            ],
        )


def _itself(card: dict[str, Any], say: Say) -> Iterator[Block]:
    """Of the one network that this classifier is, where the figures before are of several."""
    own = card.get("own")
    if not own:
        return
    text = say(
        "The columns above are of networks trained in the same way, one for each seed and test part. This "
        "classifier is one of them, of seed {seed}. On its own {n} test radiographs, which it was not made "
        "from, it gave:"
    )
    yield "text", text.format(seed=own["seed"], n=say.number(own["images"], ","))
    figures = {name: {**one, "mean": one["value"]} for name, one in own["metrics"].items()}
    yield (
        "table",
        [
            [say("This classifier"), *_protocols([own["protocol"]], say)],
            *([say(METRICS[name]), _figure(figures[name], say)] for name in METRICS if name in figures),
            *(
                [said, _count(own["confusion"][row][column], say)]
                for said, row, column in _outcomes(card, say)
            ),
        ],
    )


def _protocols(names: Iterable[str], say: Say) -> list[str]:
    return [say(PROTOCOLS[name]) if name in PROTOCOLS else name for name in names]


def _outcomes(card: dict[str, Any], say: Say) -> list[tuple[str, int, int]]:
    """What can become of a test radiograph, with its row and column of a confusion matrix."""
    positive, negative = _classes(card, say)
    right, alarm, missed = (
        say(text)
        for text in (
            "{truth}, called {said}",
            "{truth}, called {said} (false alarms)",
            "{truth}, called {said} (missed)",
        )
    )
    return [
        (right.format(truth=negative, said=negative), 0, 0),
        (alarm.format(truth=negative, said=positive), 0, 1),
        (right.format(truth=positive, said=positive), 1, 1),
        (missed.format(truth=positive, said=negative), 1, 0),
    ]


def _figure(one: dict[str, float] | None, say: Say) -> str:
    if one is None or one.get("mean") is None:
        return "–"
    sd = f" ± {say.number(one['sd'], '.3f')}" if one.get("sd") else ""
    interval = f" ({_interval(one, say)})" if one.get("low") is not None else ""
    return f"{say.number(one['mean'], '.3f')}{sd}{interval}"


def _interval(one: dict[str, float], say: Say) -> str:
    return _range(one["low"], one["high"], ".3f", say)


def _range(low: float, high: float, spec: str, say: Say) -> str:
    return say("{low} to {high}").format(low=say.number(low, spec), high=say.number(high, spec))


def _by_cause(results: dict[str, Any], card: dict[str, Any], say: Say) -> Iterator[Block]:
    causes = sorted({cause for found in results.values() for cause in found.get("by_cause", {})})
    rows = [[say("Share found"), *_protocols(results, say)]]
    for cause in causes:
        found = [one.get("by_cause", {}).get(cause) for one in results.values()]
        name = _named(cause, say) if cause else _classes(card, say)[0]
        rows.append([name, *(_share(one, say) for one in found)])
    yield "table", rows
    yield (
        "text",
        say("Sensitivity by cause, with 95 % intervals (Wilson), which take radiographs as independent.")
        + _means_said(results, say),
    )


def _share(one: dict[str, float] | None, say: Say) -> str:
    if one is None:
        return "–"
    return f"{say.number(one['sensitivity'], '.3f')} ({_interval(one, say)}; {_of(one['n'], say)})"


def _of(n: float, say: Say) -> str:
    return say("of {n}").format(n=_count(n, say))


def _means_said(results: dict[str, Any], say: Say) -> str:
    several = any(len(found.get("seeds", ())) > 1 for found in results.values())
    return f" {say('Numbers of radiographs are means over the seeds.')}" * several


def _count(value: float, say: Say) -> str:
    """A number of images, or its mean over the seeds."""
    return say.number(value, ",.0f" if value == round(value) else ",.1f")


def _classes(card: dict[str, Any], say: Say) -> tuple[str, str]:
    return _named(card.get("positive", "pneumonia"), say), _named(card.get("negative", "normal"), say)


def _named(name: str, say: Say) -> str:
    """A class or cause in the reader's language, if it is one of the usual ones; others are data."""
    return say(name) if name in USUAL else name


def _calibration(results: dict[str, Any], card: dict[str, Any], say: Say) -> Iterator[Block]:
    told = {name: found["calibration"] for name, found in results.items() if found.get("calibration")}
    first = next(iter(told.values()))
    rows = [[say("Probability given"), *_protocols(told, say)]]
    for i, (low, high) in enumerate(zip(first["low"], first["high"], strict=True)):
        cells = [
            f"{say.number(one['observed'][i], '.2f')} ({_of(one['count'][i], say)})"
            if one["count"][i]
            else "–"
            for one in told.values()
        ]
        rows.append([_range(low, high, ".1f", say), *cells])
    yield "table", rows
    text = say(
        "The share that has {positive}, of the test radiographs given a probability in each range. "
        "The calibration error above is the mean distance of the two."
    )
    yield "text", text.format(positive=_classes(card, say)[0]) + _means_said(results, say)


def _operating_point(card: dict[str, Any], say: Say) -> Iterator[Block]:
    point, (positive, negative) = card.get("threshold", {}), _classes(card, say)
    if "threshold" in point:
        text = say(
            "Called {positive} from a probability of {threshold} on (rule: {rule}). "
            "No test part had a say in it."
        )
        stored = point.get("rule", "not told")
        known = read_rule(stored)
        rule = say(str(stored)) if known is None else say.rule(known)
        threshold = say.number(point["threshold"], ".4g")
        yield "text", text.format(positive=positive, threshold=threshold, rule=rule)
    if "sensitivity" in point:
        text = say(
            "On validation that finds {sensitivity} of {positive} and leaves {specificity} of {negative} "
            "alone."
        )
        rates = {name: say.percent(point[name]) for name in ("sensitivity", "specificity")}
        yield "text", text.format(positive=positive, negative=negative, **rates)
    if card.get("temperature", 1) != 1 or card.get("shift"):
        shift = say(" and shifted by {shift}").format(shift=say.number(card.get("shift") or 0, ".3f"))
        text = say(
            "Its logits were divided by a temperature of {temperature}{shifted}, which was fitted on the "
            "validation part."
        )
        temperature = say.number(card.get("temperature", 1), ".3f")
        yield "text", text.format(temperature=temperature, shifted=shift if card.get("shift") else "")


def _training(card: dict[str, Any], say: Say) -> Iterator[Block]:
    training, unknown = card.get("training", {}), say("not told")
    called = dict(zip(("pneumonia", "normal"), _classes(card, say), strict=True))
    called["generated"] = say("generated")
    run = {name: training.get(name, unknown) for name in ("protocol", "seed", "step")}
    if run["protocol"] in PROTOCOLS:
        run["protocol"] = say(run["protocol"])
    told = [
        say("protocol: {protocol}, seed {seed}, way: {step}").format(**run),
        *(
            f"{say(part)}: "
            + ", ".join(f"{say.number(n, ',')} {called.get(kind, kind)}" for kind, n in kinds.items() if n)
            for part, kinds in training.get("counts", {}).items()
        ),
        say("made by")
        + " "
        + ", ".join(f"{name} {version}" for name, version in card.get("made_by", {}).items()),
    ]
    yield "list", told
    if card.get("command"):
        yield "text", say("The same data and this command train it again:")
        yield "code", card["command"]


def _html(kind: str, content: Any, say: Say) -> str:
    if kind == "code":
        return f"<pre><code>{escape(content)}</code></pre>"
    if kind == "list":
        return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in content) + "</ul>"
    if kind == "table":
        return _html_table(content, say)
    return f"<p>{escape(content)}</p>"


def _html_table(rows: Sequence[Sequence[str]], say: Say) -> str:
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in rows[0])
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(map(_cell, rest))}</tr>'
        for first, *rest in rows[1:]
    )
    label = escape(rows[0][0] or say("Results"))
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
