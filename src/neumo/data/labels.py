"""What a data set calls its classes -> normal or pneumonia."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from neumo.data.table import NORMAL, PNEUMONIA, UNLABELLED, unaccented
from neumo.errors import NeumoError

_HEALTHY = {
    *("normal", "healthy", "normales", "sano", "sana", "sanos", "sanas"),  # English, Spanish
    *("gesund", "gesunde", "unauffallig", "unauffaellig"),  # German
    *("sain", "saine", "sains", "saines", "normale", "normaux"),  # French
    *("saudavel", "saudaveis", "normais", "sani", "sane", "normali"),  # Portuguese, Italian
}
_ILL = {
    *("pneumonia", "pnemonia", "neumonia", "neumonias", "pulmonia", "pneumonie", "pneumonies"),
    *("lungenentzundung", "lungenentzuendung", "polmonite", "polmoniti", "pneumonias"),
}
_WITHOUT = {"no", "non", "sin", "sem", "sans", "pas de", "ohne", "kein", "keine", "senza", "without"}
_WITHOUT |= {"nao", "nicht", "aucune", "nessuna", "nenhuma"}
_NEGATIVE = _HEALTHY | {f"{no} {ill}" for no in _WITHOUT for ill in _ILL}
_ABSENT = {"0", "false", "no", "n", "negative", "negativo", "negativa", "negativ", "negatif"}
_ABSENT |= {"nein", "non", "nao"}
_BARE = {"1", "true", "yes", "y", "positive", "positivo", "positiva", "positiv", "positif"}
_BARE |= {"si", "s", "sim", "ja", "j", "oui", "o"}
_NEGATIVE |= _ABSENT | {"ohne befund", "sin hallazgos", "kein befund", "normalbefund"}
_NEGATIVE |= {"no finding", "no findings", "nofinding", "none", "control", "controls"}
UNKNOWN = {
    *("", "?", "nan", "na", "n/a", "n.a.", "#n/a", "null", "not available", "not known", "unknown", "todo"),
    *("uncertain", "indeterminate", "undetermined", "unlabelled", "unlabeled"),
    *("unclear", "unsure", "equivocal", "inconclusive", "unklar", "dudoso", "indeterminado"),
}
"""What stands where a class is not known, as `plain` has it."""

_DENYING = {"no", "not", "non", "without", "negative", "neg", "absent", "absence", "free", "clear"}
_FINE = _HEALTHY | {"clear", "norm", "control", "nofinding"}
_DENYING |= _FINE | _WITHOUT | {"nenhum", "nessun", "aucun", "ausente", "ausencia", "assente", "assenza"}
_DENYING |= {"excluded", "unlikely", "out"}  # ruled out
_NOT_FINE = re.compile(rf"(?:not|non|no|nicht|nao|pas) (?:{'|'.join(sorted(_HEALTHY))})\b")
_BOTH = {"vs", "versus", "or", "and", "pos", "positive"}
_POSITIVE = _BARE | _ILL | {"bacteria", "virus", "abnormal"}
_CAUSES = {"bacteria", "bacterial", "virus", "viral"}
_PNEUMONIA = re.compile(r"pneu?moni[ae]|neumonia|pulmonia|lungenentzue?ndung|polmonit[ei]")
_KIND = re.compile(
    r"\b(?:covid|ncov|corona ?virus|sars|tur?ber[ck][ou]l|ba[ckt]teri|vir(?:al|us|ic)|fung|opaci|[ck]onsolid)"
    r"|\b(?:mers|tb)\b"
)
"""What stands beside pneumonia in data sets of it: causes, and what it looks like."""
_NEUTRAL = {  # headings that do not say what a 1 means, in lower case without spaces and punctuation
    *(
        "",
        "label",
        "labels",
        "class",
        "classes",
        "classname",
        "labelname",
        "target",
        "targets",
        "y",
        "truth",
        "groundtruth",
    ),
    *("diagnosis", "diagnoses", "finding", "findings", "findinglabels", "category", "categories", "gt"),
    *("outcome", "result", "positive"),
}
_ENDS = ("no pneumonia", "pneumonia")
"""What 0 and 1 are called where the heading does not say otherwise."""
_MOST = 3  # class names that are joined to one


def plain(name: str) -> str:
    """A class name in lower case with single spaces and no accents; "1.0" and "1,0" are ``"1"``."""
    name = unaccented(name.strip().lower())
    if found := re.fullmatch(r"([+-]?\d+)(?:[.,]0*)?", name):
        return found[1]
    return " ".join(part for part in re.split(r"[\s_-]+", name) if part)


def is_known(name: str) -> bool:
    """Whether a class is called what data sets call their normal class or pneumonia."""
    return is_negative(name) or plain(name) in _POSITIVE


def is_whole(name: str) -> bool:
    """Whether a class is a whole number; "1.0" and "1,0" are."""
    return re.fullmatch(r"[+-]?\d+", plain(name)) is not None


def is_number(name: str) -> bool:
    """Whether a class is a number, with a decimal point or a comma, as in much of Europe."""
    return re.fullmatch(r"[+-]?\d+(?:[.,]\d*)?", name.strip()) is not None


def is_negative(name: str) -> bool:
    """Whether a class is called as normal ones are, or not something; "not normal" is positive."""
    name = plain(name)
    several = [part.strip() for part in _findings(name)]
    if len(several) > 1 and name not in UNKNOWN:
        return all(map(is_negative, several))
    return name in _NEGATIVE or (name.startswith("not ") and not _DENYING & set(re.findall(r"\w+", name[4:])))


def speaking(names: Iterable[str], heading: str) -> dict[str, int] | None:
    """Class name -> 0 normal or 1 pneumonia where all are called so, and both there are; None of others.

    Args:
        names: the classes that occur in a column.
        heading: of the column.
    """
    names = [*names]
    if not all(is_known(name) or _names_pneumonia(name) for name in names):
        return None
    label, faults = assign(names, None, "", heading)
    return None if faults or len({*label.values()}) < 2 else label


def assign(
    names: Iterable[str], positive: Iterable[str] | None, where: str, heading: str = ""
) -> tuple[dict[str, int], list[str]]:
    """Class name -> 0 normal or 1 pneumonia; and what makes that impossible, one line each.

    With `positive` the classes of these names are positive, all others negative; a name is a whole class or
    one of several findings in it ("Effusion|Pneumonia", "Pneumonia/Viral"). Without, classes called normal,
    healthy (or sano, gesund, sain ...), negative, no finding, control, 0, not this or that ... are negative,
    all others positive. Classes get -1 where nothing tells them apart: several without a normal one; 0 and 1
    under a heading that is itself negative ("No Finding", "Negative for Pneumonia"); and those beside a
    normal one where one denies something ("No Lung Opacity / Not Normal"), where one is neither yes nor no
    ("possible" beside them), where some are pneumonia or a kind of it (viral, COVID-19, tuberculosis, lung
    opacity ...) and others are not, or where some of more than three name pneumonia itself and others do not.

    Args:
        names: the classes that occur.
        positive: names of positive classes, in any case.
        where: what a message is about, for example the folder.
        heading: of the column of classes, "" where there is none.

    Raises:
        NeumoError: a name in `positive` does not occur.
    """
    names = sorted(set(names))
    wanted = _listed(positive)
    if wanted:
        chosen = {plain(name) for name in wanted}
        label = {n: PNEUMONIA if chosen & {plain(part) for part in _parts(n)} else NORMAL for n in names}
        for name in wanted:
            if not any(plain(name) in map(plain, _parts(n)) for n in names):
                raise NeumoError(
                    f"{where}: got no class {name!r} (--positive), expected one of {quoted(names)}"
                    + _already_positive(names, name, heading)
                )
        return label, []
    label = {n: NORMAL if is_negative(n) else PNEUMONIA for n in names}
    if names and _only_bare(names) and _denied(heading) is not None:
        no = next((name for name in names if plain(name) in _ABSENT), "0")
        yes = next((name for name in names if plain(name) in _BARE), "1")
        return dict.fromkeys(names, UNLABELLED), [
            f"{where}: got {yes} for {heading!r}, expected it for the positive class; "
            f"make {no} that with --positive {no}"
        ]
    if len(names) > 1 and NORMAL not in label.values():
        return dict.fromkeys(names, UNLABELLED), [
            f"{where}: got the classes {quoted(names)}, expected one called normal or healthy; "
            "say which are positive with --positive NAME"
        ]
    others = [name for name in names if label[name] == PNEUMONIA]
    if denying := [name for name in others if _denied(name) is not None]:
        negated = [name for name in denying if _denied(name, _DENYING - _FINE) is not None]
        which = "is called after what it is not" if negated else "could be a normal one"
        return {name: UNLABELLED if name in others else NORMAL for name in names}, [
            f"{where}: got a class that {which} ({quoted(negated or denying, 3)}), expected to be told which "
            "are positive, with --positive NAME"
        ]
    bare = [name for name in others if plain(name) in _BARE]
    neither = [name for name in others if not (name in bare or is_number(name) or _is_kind(name))]
    if bare and neither:
        return {name: UNLABELLED if name in neither else label[name] for name in names}, [
            f"{where}: got {quoted(bare, 3)} and a class that may be neither that nor its opposite "
            f"({quoted(neither, 3)}), expected a blank instead, or to be told which are positive, with "
            "--positive NAME"
        ]
    rules = {"pneumonia or a kind of it": _is_kind, "pneumonia": _names_pneumonia}
    for what, is_that in list(rules.items())[: 1 + (len(others) > _MOST)]:
        named = [name for name in others if is_that(name)]
        strange = [name for name in others if not is_that(name) and plain(name) not in _BARE | _ILL]
        if named and strange:
            return {name: UNLABELLED if name in others else NORMAL for name in names}, [
                f"{where}: got classes that name {what} ({quoted(named, 3)}) and others that do not "
                f"({quoted(strange, 3)}), expected to be told which are positive, with --positive NAME"
            ]
    return label, []


def tell_pneumonia_as_negative(data: str | Path, negative: Iterable[tuple[str, str]]) -> None:
    """Say on standard error how many images are negative though their class has the word pneumonia in it.

    Args:
        data: what the message is about.
        negative: negative images with their classes, an image as often as it has one.
    """
    told = [(image, name) for image, name in negative if _has_pneumonia(name)]
    if told:
        names = quoted(sorted({name for _, name in told}), 3)
        print(
            f"neumo: {data}: counts {len({image for image, _ in told}):,} images of {names} as negative; "
            "--positive NAME, which can be given several times, counts them in",
            file=sys.stderr,
        )


def class_names(
    label: Mapping[str, int], positive: Iterable[str] | None, heading: str = ""
) -> tuple[str, str]:
    """What to call the negative and the positive class, in reports.

    Up to three names are joined: "bacteria or virus". More negative ones are "not" what `positive` says,
    more positive ones "pneumonia" where all name it, else "abnormal". Nothing but 0 and 1 (no and yes, false
    and true) is called by the heading of its column: "not tuberculosis", "tuberculosis"; and "no pneumonia"
    and "pneumonia" where that names pneumonia or nothing ("label"): what is 0 need not be healthy.

    Args:
        label: class name -> label, as from `assign`.
        positive: as for `assign`.
        heading: likewise.
    """
    names = {value: [n for n, v in label.items() if v == value] for value in (NORMAL, PNEUMONIA)}
    if label and _only_bare(label):
        told = re.sub(r"[\W_]+", "", heading.lower()) not in _NEUTRAL
        ends = _by_heading(heading) if told else _ENDS
        turned = any(plain(name) in _BARE for name in names[NORMAL])
        turned |= any(plain(name) in _ABSENT for name in names[PNEUMONIA])
        return ends[::-1] if turned else ends
    if not positive:
        own = all(_names_pneumonia(n) or plain(n) in _POSITIVE for n in names[PNEUMONIA])
        return one_name(names[NORMAL], "normal"), one_name(
            names[PNEUMONIA], "pneumonia" if own else "abnormal"
        )
    spelt = {plain(part): part for name in label for part in _parts(name)}
    asked = [spelt.get(plain(name), name).strip().lower() for name in _listed(positive)]
    asked = sorted(set(asked))
    more = len(asked) - _MOST
    many = f"{', '.join(asked[:_MOST])} or {more} other{'s' * (more > 1)}"
    yes = one_name(asked, "pneumonia" if all(map(_names_pneumonia, asked)) or more <= 0 else many)
    foreign = any(not is_negative(name) and plain(name) not in _BARE for name in names[NORMAL])
    return one_name(names[NORMAL], f"not {yes}" if foreign else "normal"), yes


def _already_positive(names: Iterable[str], asked: str, heading: str) -> str:
    """What to write where a column of 0 and 1 was asked for a name; "" of another column."""
    yes = next((name for name in names if plain(name) in _BARE), None)
    if yes is None or not _only_bare(names) or _denied(heading) is not None:
        return ""
    called = class_names({n: NORMAL if is_negative(n) else PNEUMONIA for n in names}, None, heading)[1]
    other = "" if plain(asked) == plain(called) else "; another finding's column is named with --label-column"
    return f"; {yes} is {called} there, so leave --positive out, or write --positive {yes}{other}"


def _listed(positive: Iterable[str] | None) -> list[str]:
    return [positive] if isinstance(positive, str) else list(positive or ())


def _parts(name: str) -> list[str]:
    """A class name and, of several findings in it, each."""
    return [*_findings(name), name]


def _findings(name: str) -> list[str]:
    """The findings in a class name; "1,0" is the number 1, while "1,2" has 1 and 2."""
    return [name] if is_whole(name) else re.split(r"[|/;,]", name)


def _only_bare(names: Iterable[str]) -> bool:
    return all(plain(name) in _ABSENT | _BARE for name in names)


def _names_pneumonia(name: str) -> bool:
    name = plain(name)
    return name in _CAUSES or (_PNEUMONIA.search(name) is not None and not is_negative(name))


def _has_pneumonia(name: str) -> bool:
    """Whether the word pneumonia is in a class name, in one of its findings, and not denied there."""
    found = [part for part in _parts(name)[:-1] if _PNEUMONIA.search(plain(part))]
    return any(not is_negative(part) and _denied(part) is None for part in found)


def _is_kind(name: str) -> bool:
    return _names_pneumonia(name) or _KIND.search(plain(name)) is not None


def _denied(heading: str, by: Set[str] = frozenset(_DENYING)) -> str | None:
    """What a heading denies `by` words: "finding" of "no finding", "not healthy" of "healthy"; else None."""
    name = plain(re.sub(r"([a-z])([A-Z])", r"\1 \2", heading))
    name = re.sub(r"^(is|has) ", "", name)
    words = re.sub(r"\bnon(?=pneumonia)", "non ", name).split()
    if not by & set(words) or _BOTH & set(words) or _NOT_FINE.match(name):
        return None
    left = " ".join(word for word in words if word not in _DENYING | {"for", "of"})
    return left if left and not _FINE & set(words) else f"not {name}"


def _by_heading(heading: str) -> tuple[str, str]:
    """What 0 and 1 are under a heading."""
    denied, name = _denied(heading), re.sub(r"[\s_]+", " ", heading.strip().lower())
    if denied is not None:
        return denied, name
    if _names_pneumonia(name):
        return _ENDS
    return (name[4:] if name.startswith("not ") else f"not {name}"), name


def cause_from(name: str) -> str:
    """The cause that a positive class is named for, in lower case; "unknown" for a bare yes, no, 0 or 1."""
    return "unknown" if plain(name) in _BARE | _ABSENT else name.strip().lower()


def one_name(names: Iterable[str], otherwise: str) -> str:
    """One name for all the classes of a label, for reports."""
    found = sorted({name.strip().lower() for name in names if not re.fullmatch(r"-?\d+", plain(name))})
    return " or ".join(found) if 0 < len(found) <= _MOST else otherwise


def quoted(names: Iterable[str], most: int = 12) -> str:
    """Names for a message: ``'a', 'b' ... (20 in all)``."""
    names = [str(name) for name in names]
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" ... ({len(names)} in all)" if len(names) > most else "")
