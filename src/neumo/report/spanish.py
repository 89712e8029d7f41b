"""What a classifier's card says, in Spanish."""

from __future__ import annotations

import re

from neumo.evaluation.rule import Rule
from neumo.report.card import Say

PHRASES = {
    "What it does": "Qué hace",
    "Limits": "Límites",
    "Results": "Resultados",
    "By cause": "Por causa",
    "Calibration": "Calibración",
    "Operating point": "Punto de operación",
    "Training": "Entrenamiento",
    "Cite": "Cómo citarlo",
    "pneumonia": "neumonía",
    "normal": "normal",
    "no pneumonia": "sin neumonía",
    "bacteria": "bacteria",
    "virus": "virus",
    "unknown": "desconocida",
    (
        "Tells {positive} from {negative} on frontal chest radiographs, by a {network} network. Made "
        "from {n} {kind} ({name}). It gives a probability, a decision at its operating point, and a "
        "warning where an image does not look like those it knows."
    ): (
        "Distingue «{positive}» de «{negative}» en radiografías frontales de tórax, con una red "
        "{network}. Hecho con {n} {kind} ({name}). Da una probabilidad, una decisión según su punto "
        "de operación y un aviso cuando una imagen no se parece a las que conoce."
    ),
    "an unknown number of": "un número desconocido de",
    "chest radiographs": "radiografías de tórax",
    "SYNTHETIC radiographs": "radiografías SINTÉTICAS",
    ("A research tool, not a medical device: nothing here is a diagnosis."): (
        "Una herramienta de investigación, no un producto sanitario: nada de esto es un diagnóstico."
    ),
    (
        "A research tool, not a medical device: nothing here is a diagnosis. This classifier was trained on "
        "SYNTHETIC radiographs and knows nothing of real ones."
    ): (
        "Una herramienta de investigación, no un producto sanitario: nada de esto es un diagnóstico. Este "
        "clasificador se entrenó con radiografías SINTÉTICAS y no sabe nada de las reales."
    ),
    ("A research tool, not a medical device: nothing it says may guide the care of a patient."): (
        "Una herramienta de investigación, no un producto sanitario: nada de lo que dice debe guiar "
        "la atención de un paciente."
    ),
    (
        "It tells two kinds of frontal chest radiographs apart. Whatever else a radiograph shows, "
        "from a fracture to a tumour, is called one of the two."
    ): (
        "Distingue dos clases de radiografías frontales de tórax. Cualquier otra cosa que muestre "
        "una radiografía, de una fractura a un tumor, se asigna a una de las dos."
    ),
    (
        "Nearly all of its radiographs are of children of one to five years from one hospital "
        "(Guangzhou Women and Children's Medical Center; Kermany et al., Cell 172, 2018). On adults, "
        "other hospitals and other equipment it is untested."
    ): (
        "Casi todas sus radiografías son de niños de uno a cinco años de un solo hospital (Guangzhou "
        "Women and Children's Medical Center; Kermany et al., Cell 172, 2018). No se ha probado en "
        "adultos, en otros hospitales ni con otros equipos."
    ),
    ("The labels are readings of the radiographs, not laboratory findings."): (
        "Las etiquetas son lecturas de las radiografías, no hallazgos de laboratorio."
    ),
    (
        "Who was radiographed, where, and with what equipment is not known to neumo, nor who set the "
        "labels and how. Elsewhere expect other figures: neumo evaluate measures them."
    ): (
        "neumo no sabe a quién se radiografió, dónde ni con qué equipo, ni quién puso las etiquetas "
        "ni cómo. En otro lugar espere otras cifras: neumo evaluate las mide."
    ),
    ("Its radiographs were drawn by a program and show no patient: it knows nothing of real ones."): (
        "Sus radiografías las dibujó un programa y no muestran a ningún paciente: no sabe nada de las reales."
    ),
    (
        "It could not be tested on patients kept apart, so its figures may flatter it: images of one "
        "patient resemble each other."
    ): (
        "No se pudo probar con pacientes separados, así que sus cifras pueden favorecerlo: las "
        "imágenes de un mismo paciente se parecen."
    ),
    ("This card does not say what is known of its limits."): (
        "Esta ficha no dice qué se sabe de sus límites."
    ),
    "This card has no test results.": "Esta ficha no tiene resultados de prueba.",
    "Random split": "División al azar",
    "Patients kept apart": "Pacientes separados",
    "Official test set": "Conjunto de prueba oficial",
    "random": "al azar",
    "patient": "por pacientes",
    "official": "oficial",
    "radiographs": "radiografías",
    "seeds": "semillas",
    "Accuracy": "Exactitud",
    "AUC": "AUC",
    "Average precision": "Precisión media",
    "Sensitivity": "Sensibilidad",
    "Specificity": "Especificidad",
    "Balanced accuracy": "Exactitud equilibrada",
    "Loss": "Pérdida",
    "Brier score": "Índice de Brier",
    "Calibration error (ECE)": "Error de calibración (ECE)",
    "{low} to {high}": "{low} a {high}",
    "of {n}": "de {n}",
    (
        "Test radiographs; mean over the seeds, ± standard deviation over the seeds where there are "
        "several, then the 95 % interval, for which patients are resampled where they are known."
    ): (
        "Radiografías de prueba; media de las semillas, ± desviación típica entre ellas donde hay "
        "varias, y el intervalo del 95 %, para el que se remuestrean los pacientes donde se conocen."
    ),
    "Mean over the seeds": "Media de las semillas",
    "{truth}, called {said}": "{truth}, considerada {said}",
    "{truth}, called {said} (false alarms)": "{truth}, considerada {said} (falsas alarmas)",
    "{truth}, called {said} (missed)": "{truth}, considerada {said} (no detectadas)",
    (
        "The columns above are of networks trained in the same way, one for each seed and test part. "
        "This classifier is one of them, of seed {seed}. On its own {n} test radiographs, which it "
        "was not made from, it gave:"
    ): (
        "Las columnas de arriba son de redes entrenadas del mismo modo, una por semilla y parte de "
        "prueba. Este clasificador es una de ellas, de la semilla {seed}. En sus propias {n} "
        "radiografías de prueba, con las que no se hizo, dio:"
    ),
    "This classifier": "Este clasificador",
    "Share found": "Proporción encontrada",
    ("Sensitivity by cause, with 95 % intervals (Wilson), which take radiographs as independent."): (
        "Sensibilidad por causa, con intervalos del 95 % (Wilson), que toman las radiografías por "
        "independientes."
    ),
    ("Numbers of radiographs are means over the seeds."): (
        "Los números de radiografías son medias de las semillas."
    ),
    "Probability given": "Probabilidad dada",
    (
        "The share that has {positive}, of the test radiographs given a probability in each range. "
        "The calibration error above is the mean distance of the two."
    ): (
        "La proporción que tiene «{positive}», de las radiografías de prueba con una probabilidad en "
        "cada intervalo. El error de calibración de arriba es la distancia media entre ambas."
    ),
    (
        "Called {positive} from a probability of {threshold} on (rule: {rule}). No test part had a say in it."
    ): (
        "Se considera «{positive}» a partir de una probabilidad de {threshold} (regla: {rule}). "
        "Ninguna parte de prueba intervino."
    ),
    ("On validation that finds {sensitivity} of {positive} and leaves {specificity} of {negative} alone."): (
        "En validación eso encuentra el {sensitivity} de «{positive}» y no alarma en el "
        "{specificity} de «{negative}»."
    ),
    (
        "Its logits were divided by a temperature of {temperature}{shifted}, which was fitted on the "
        "validation part."
    ): (
        "Sus logits se dividieron por una temperatura de {temperature}{shifted}, según la parte de "
        "validación."
    ),
    " and shifted by {shift}": " y se desplazaron {shift}",
    ("protocol: {protocol}, seed {seed}, way: {step}"): (
        "protocolo: {protocol}, semilla {seed}, método: {step}"
    ),
    "train": "entrenamiento",
    "validation": "validación",
    "test": "prueba",
    "generated": "generadas",
    "not told": "no consta",
    "made by": "hecho con",
    ("The same data and this command train it again:"): (
        "Los mismos datos y esta orden lo entrenan otra vez:"
    ),
    ("The data set does not say how it wants to be cited."): (
        "El conjunto de datos no dice cómo quiere ser citado."
    ),
    "Drawn by neumo phantom; shows no patient.": "Dibujado por neumo phantom; no muestra a ningún paciente.",
}
"""The same in Spanish, with the same fields."""

WITH_NUMBERS = (
    (
        r"Its radiographs are of patients of (\d{1,3}) to (\d{1,3}) years\.",
        r"Sus radiografías son de pacientes de #1 a #2 años.",
    ),
    (
        r"([\d.]{1,9}%) of its training radiographs have ([^,.]{1,100})\. Where fewer do, more of its "
        r"alarms are false, and its probabilities are too high\.",
        r"El #1 de sus radiografías de entrenamiento tiene «\2». Donde haya menos, más alarmas serán "
        r"falsas y sus probabilidades serán demasiado altas.",
    ),
    (
        r"([\d.]{1,9}%) of its training radiographs have ([^,.]{1,100}), and its probabilities are made "
        r"for places where ([\d.]{1,9}%) do\. Where fewer do, more of its alarms are false, and its "
        r"probabilities are too high\.",
        r"El #1 de sus radiografías de entrenamiento tiene «\2», y sus probabilidades son para "
        r"lugares donde lo tiene el #3. Donde haya menos, más alarmas serán falsas y sus "
        r"probabilidades serán demasiado altas.",
    ),
    (
        r"It was tested on very few radiographs, (\d{1,3}) of one class: its figures, and their "
        r"intervals, say next to nothing\.",
        r"Se probó con muy pocas radiografías, #1 de una clase: sus cifras y sus intervalos no dicen "
        r"casi nada.",
    ),
    (r"(.{1,2000}), as in the (.{1,100}) data set\.", r"\1, como en el conjunto de datos \2."),
)
"""Sentences that a card brings along filled in: a pattern of the whole, and the same in Spanish.

Of what is filled in, ``#1`` is a number, in Spanish written otherwise, and ``\\1`` a name, which stays.
"""

_PATTERNS = [(re.compile(english), spanish) for english, spanish in WITH_NUMBERS]
_WRITTEN = {ord(","): ".", ord("."): ",", ord("%"): "\u00a0%"}


class _Spanish(Say):
    """Phrases and numbers of the card in Spanish."""

    def __call__(self, phrase: str) -> str:
        """A phrase in Spanish; one that is not known stays as it is."""
        if phrase in PHRASES:
            return PHRASES[phrase]
        for pattern, spanish in _PATTERNS:
            if found := pattern.fullmatch(phrase):
                said = _filled(spanish, found)
                return re.sub(r"«(\w+)»", lambda name: f"«{PHRASES.get(name[1], name[1])}»", said)
        return phrase

    def number(self, value: float, spec: str) -> str:
        """A number with a comma before its decimals and points between its thousands."""
        return _written(super().number(value, spec))

    def percent(self, share: float) -> str:
        """A share in percent."""
        return _written(super().percent(share))

    def rule(self, rule: Rule) -> str:
        """How the operating point was chosen."""
        value = "" if rule.value is None else self.number(rule.value, "")
        if rule.by == "default":
            return f"{value}, el valor usual"
        if rule.by == "threshold":
            return f"{value}, como se pidió"
        said = "la mejor suma de sensibilidad y especificidad"
        if rule.by == "sensitivity":
            said = f"el más alto que encuentra una fracción de {self.number(rule.value or 0, '.4g')}"
        said += f" en la parte {'difícil ' if rule.hard else ''}de validación"
        if rule.changes:
            said += f", tal cual y modificada de {rule.changes} maneras"
        if rule.reach > 1:
            said += f", hasta {rule.reach} veces más que en el entrenamiento"
        return said + (", sorteada para que el estirado no distinga las clases" if rule.matched else "")


def _filled(spanish: str, found: re.Match[str]) -> str:
    """A sentence of `WITH_NUMBERS` with what was found in the English one."""
    return found.expand(re.sub(r"#(\d)", lambda place: _written(found[int(place[1])]), spanish))


def _written(number: str) -> str:
    """A number in English as Spanish writes it."""
    return number.translate(_WRITTEN)


in_spanish = _Spanish()
