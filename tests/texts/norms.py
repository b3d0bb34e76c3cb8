"""The languages' norms, as the language files give them; a copy, so that these tests need no catalog."""

from __future__ import annotations

from evalsuite.texts.norms import Norms

EN = Norms(articles=("a", "an", "the"), decimal=".", group=(",",))
ES = Norms(articles=("el", "la", "los", "las", "un", "una", "unos", "unas"), decimal=",", group=(".", " "))
PT = Norms(articles=("o", "a", "os", "as", "um", "uma", "uns", "umas"), decimal=",", group=(".", " "))
CA = Norms(
    articles=("el", "la", "els", "les", "un", "una", "uns", "unes"), elisions=("l'",), decimal=",", group=(".", " ")
)
GL = Norms(articles=("o", "a", "os", "as", "un", "unha", "uns", "unhas"), decimal=",", group=(".", " "))
EU = Norms(decimal=",", group=(".", " "))
JA = Norms(
    spaced=False,
    decimal=".",
    group=(",",),
    multipliers=(("百", 100), ("千", 1000), ("万", 10**4), ("億", 10**8), ("兆", 10**12)),
)
FR = Norms(articles=("le", "la", "les", "un", "une", "des"), elisions=("l'",), decimal=",", group=(" ", "."))
NORMS = {"en": EN, "es": ES, "pt": PT, "ca": CA, "gl": GL, "eu": EU, "ja": JA, "fr": FR}
ISO3 = {"en": "eng", "es": "spa", "pt": "por", "ca": "cat", "gl": "glg", "eu": "eus", "ja": "jpn"}
