"""A classifier's card in Spanish."""

from __future__ import annotations

import re

PHRASES = (
    # headings
    ("What it does", "Qué hace"),
    ("Limits", "Límites"),
    ("Results", "Resultados"),
    ("By cause", "Por causa"),
    ("Calibration", "Calibración"),
    ("Operating point", "Punto de operación"),
    ("Training", "Entrenamiento"),
    ("Cite", "Cómo citarlo"),
    # what it does
    (
        r"Tells (.+) from (.+) on frontal chest radiographs, by a (.+) network\. Made from (.+) "
        r"(chest|SYNTHETIC) radiographs \((.+)\)\. It gives a probability, a decision at its operating "
        r"point, and a warning where an image does not look like those it knows\.",
        r"Distingue «\1» de «\2» en radiografías frontales de tórax, con una red \3. Hecho con \4 "
        r"radiografías (\5; \6). Da una probabilidad, una decisión según su punto de operación y un "
        "aviso cuando una imagen no se parece a las que conoce.",
    ),
    (r"(.* radiografías) \(chest; (.*)", r"\1 (\2"),
    (r"(.* radiografías) \(SYNTHETIC; (.*)", r"\1 SINTÉTICAS (\2"),
    # limits
    (
        r"A research tool, not a medical device: nothing it says may guide the care of a patient\.",
        "Una herramienta de investigación, no un producto sanitario: nada de lo que dice debe guiar la "
        "atención de un paciente.",
    ),
    (
        r"A research tool, not a medical device: nothing here is a diagnosis\.",
        "Una herramienta de investigación, no un producto sanitario: nada de esto es un diagnóstico.",
    ),
    (
        r"This classifier was trained on SYNTHETIC radiographs and knows nothing of real ones\.",
        "Este clasificador se entrenó con radiografías SINTÉTICAS y no sabe nada de las reales.",
    ),
    (
        r"It tells two kinds of frontal chest radiographs apart\. Whatever else a radiograph shows, from "
        r"a fracture to a tumour, is called one of the two\.",
        "Distingue dos clases de radiografías frontales de tórax. Cualquier otra cosa que muestre una "
        "radiografía, de una fractura a un tumor, se asigna a una de las dos.",
    ),
    (
        "Nearly all of its radiographs are of children of one to five years from one hospital "
        r"\((.+?)\)\. On adults, other hospitals and other equipment it is untested\.",
        r"Casi todas sus radiografías son de niños de uno a cinco años de un solo hospital (\1). No se "
        "ha probado en adultos, en otros hospitales ni con otros equipos.",
    ),
    (
        r"The labels are readings of the radiographs, not laboratory findings\.",
        "Las etiquetas son lecturas de las radiografías, no hallazgos de laboratorio.",
    ),
    (
        "Who was radiographed, where, and with what equipment is not known to neumo, nor who set the "
        r"labels and how\. Elsewhere expect other figures: neumo evaluate measures them\.",
        "neumo no sabe a quién se radiografió, dónde ni con qué equipo, ni quién puso las etiquetas ni "
        "cómo. En otro lugar espere otras cifras: neumo evaluate las mide.",
    ),
    (
        r"Its radiographs were drawn by a program and show no patient: it knows nothing of real ones\.",
        "Sus radiografías las dibujó un programa y no muestran a ningún paciente: no sabe nada de las "
        "reales.",
    ),
    (
        r"Its radiographs are of patients of (\d+) to (\d+) years\.",
        r"Sus radiografías son de pacientes de \1 a \2 años.",
    ),
    (
        r"(\d+%) of its training radiographs have (.+?)\. Where fewer do, more of its alarms are false, "
        r"and its probabilities are too high\.",
        r"El \1 de sus radiografías de entrenamiento tiene «\2». Donde haya menos, más alarmas serán "
        "falsas y sus probabilidades serán demasiado altas.",
    ),
    (
        r"(.*), and its probabilities are made for places where (\d+%) do»(.*)",
        r"\1», y sus probabilidades son para lugares donde lo tiene el \2\3",
    ),
    (
        r"It was tested on very few radiographs, (\d+) of one class: its figures, and their intervals, "
        r"say next to nothing\.",
        r"Se probó con muy pocas radiografías, \1 de una clase: sus cifras y sus intervalos no dicen "
        "casi nada.",
    ),
    (
        "It could not be tested on patients kept apart, so its figures may flatter it: images of one "
        r"patient resemble each other\.",
        "No se pudo probar con pacientes separados, así que sus cifras pueden favorecerlo: las imágenes "
        "de un mismo paciente se parecen.",
    ),
    (
        r"This card does not say what is known of its limits\.",
        "Esta ficha no dice qué se sabe de sus límites.",
    ),
    # results
    (r"This card has no test results\.", "Esta ficha no tiene resultados de prueba."),
    ("Random split", "División al azar"),
    ("Patients kept apart", "Pacientes separados"),
    ("Official test set", "Conjunto de prueba oficial"),
    ("radiographs", "radiografías"),
    ("seeds", "semillas"),
    ("Accuracy", "Exactitud"),
    ("Average precision", "Precisión media"),
    ("Sensitivity", "Sensibilidad"),
    ("Specificity", "Especificidad"),
    ("Balanced accuracy", "Exactitud equilibrada"),
    ("Precision", "Precisión"),
    ("Loss", "Pérdida"),
    ("Brier score", "Índice de Brier"),
    (r"Calibration error \(ECE\)", "Error de calibración (ECE)"),
    (r"(.+), called (.+) \(false alarms\)", r"\1, considerada \2 (falsas alarmas)"),
    (r"(.+), called (.+) \(missed\)", r"\1, considerada \2 (no detectadas)"),
    ("(.+), called (.+)", r"\1, considerada \2"),
    ("Mean over the seeds", "Media de las semillas"),
    (
        "Test radiographs; mean over the seeds, ± standard deviation over the seeds where there are "
        r"several, then the 95 % interval, for which patients are resampled where they are known\.",
        "Radiografías de prueba; media de las semillas, ± desviación típica entre ellas donde hay "
        "varias, y el intervalo del 95 %, para el que se remuestrean los pacientes donde se conocen.",
    ),
    (
        r"The columns above are of networks trained in the same way, one for each seed and test part\. "
        r"This classifier is one of them, of seed (\d+)\. On its own ([\d,]+) test radiographs, which it "
        "was not made from, it gave:",
        "Las columnas de arriba son de redes entrenadas del mismo modo, una por semilla y parte de "
        r"prueba. Este clasificador es una de ellas, de la semilla \1. En sus propias \2 radiografías de "
        "prueba, con las que no se hizo, dio:",
    ),
    ("This classifier", "Este clasificador"),
    # by cause, calibration
    ("Share found", "Proporción encontrada"),
    ("bacteria", "bacteria"),
    ("virus", "virus"),
    ("unknown", "desconocida"),
    (
        r"Sensitivity by cause, with 95 % intervals \(Wilson\)\.(.*)",
        r"Sensibilidad por causa, con intervalos del 95 % (Wilson).\1",
    ),
    (
        r"(.*) Numbers of radiographs are means over the seeds\.",
        r"\1 Los números de radiografías son medias de las semillas.",
    ),
    ("Probability given", "Probabilidad dada"),
    (r"(\d\.\d) to (\d\.\d)", r"\1 a \2"),
    (
        r"The share that has (.+?), of the test radiographs given a probability in each range\. The "
        r"calibration error above is the mean distance of the two\.(.*)",
        r"La proporción que tiene «\1», de las radiografías de prueba con una probabilidad en cada "
        r"intervalo. El error de calibración de arriba es la distancia media entre ambas.\2",
    ),
    # operating point
    (
        r"Called (.+) from a probability of ([\d.]+) on \(rule: (.+)\)\. No test part had a say in it\.",
        r"Se considera «\1» a partir de una probabilidad de \2 (regla: \3). Ninguna parte de prueba "
        "intervino.",
    ),
    (r"(.*)\(regla: 0\.5, the default\)(.*)", r"\1(regla: 0,5, el valor usual)\2"),
    (
        "(.*)best sensitivity and specificity together on the (hard )?validation part(.*)",
        r"\1la mejor suma de sensibilidad y especificidad en la parte de validación\3",
    ),
    (
        r"(.*)the highest that finds ([\d.]+) of the (?:hard )?validation part's pneumonias(.*)",
        r"\1el más alto que encuentra una fracción de \2 en la parte de validación\3",
    ),
    (r"(.*), as it is and changed in (\d+) ways(.*)", r"\1, tal cual y modificada de \2 maneras\3"),
    (
        r"On validation that finds ([\d.]+%) of (.+) and leaves ([\d.]+%) of (.+) alone\.",
        r"En validación eso encuentra el \1 de «\2» y no alarma en el \3 de «\4».",
    ),
    (
        r"Its logits were divided by a temperature of ([\d.]+)( and shifted by (.+))?, which was fitted "
        r"on the validation part\.",
        r"Sus logits se dividieron por una temperatura de \1\2, ajustada en la parte de validación.",
    ),
    ("(.*) and shifted by (.+), ajustada (.*)", r"\1 y se desplazaron \2, con valores ajustados \3"),
    # training
    (r"protocol: (.+), seed (.+), way: (.+)", r"protocolo: \1, semilla \2, método: \3"),
    ("train: (.+)", r"entrenamiento: \1"),
    ("validation: (.+)", r"validación: \1"),
    ("test: (.+)", r"prueba: \1"),
    (r"(.*\d) generated(.*)", r"\1 generadas\2"),
    ("made by (.*)", r"hecho con \1"),
    ("The same data and this command train it again:", "Los mismos datos y esta orden lo entrenan otra vez:"),
    (
        r"The data set does not say how it wants to be cited\.",
        "El conjunto de datos no dice cómo quiere ser citado.",
    ),
)
"""What the card says in English, as a pattern of a whole text, and the same in Spanish."""

_PATTERNS = [(re.compile(english, re.DOTALL), spanish) for english, spanish in PHRASES]
_FIGURE = re.compile(r"^[–\d.,]+( ± [\d.]+)?( \(([\d.]+ to [\d.]+)?(; )?(of [\d.,]+)?\))?$")


def in_spanish(text: str) -> str:
    """A heading, sentence, list item or table cell of a card; what is not known stays as it is."""
    if _FIGURE.match(text):
        return text.replace(" to ", " a ").replace("of ", "de ")
    said = text
    for pattern, spanish in _PATTERNS:
        if pattern.fullmatch(said):
            said = pattern.sub(spanish, said, count=1)
    if said == text != "pneumonia":
        return text
    for english, spanish in (("pneumonia", "neumonía"), ("not told", "no consta")):
        said = re.sub(rf"\b{english}\b", spanish, said)
    return said
