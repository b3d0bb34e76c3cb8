"""Which language a text is in, and whether a reply keeps to the language that was wanted."""

from __future__ import annotations

import copy
import importlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from evalsuite.errors import InputError
from evalsuite.texts.normalise import clean

__all__ = ["OTHER", "Fidelity", "Identified", "LineVerdict", "Verdict", "evidence", "fidelity", "identify"]

OTHER = "other"
"""Code of a text that is in a language known to the identifier, but not in one of those asked for."""

MIN_PROBABILITY = 0.7
"""Below this, no language is named; see docs/texts.md for what it costs and gains."""
MIN_EVIDENCE = 20
"""Letters that a text must have to be judged."""
_DENSE = 4
_DENSE_CHARACTERS = re.compile("[\u3040-\u9fff]+")
# What a reply may drift into. The identifier's rarer labels (Occitan, Aragonese, Venetian ...) are left out: they take
# more short lines from Catalan, Galician and Spanish than they would find in replies.
_NEIGHBOURS = (
    "en", "es", "pt", "ca", "gl", "eu", "ja", "fr", "it", "de", "nl", "ro", "pl", "ru", "uk", "ar", "he", "el", "zh", "ko",
    "hi", "th", "tr", "vi", "id", "sv",
)  # fmt: skip
_FENCE = re.compile(r"^\s*(?:```|~~~)")
# Code between backticks, HTML tags, links and addresses.
_CODE = re.compile(r"`[^`\n]*`|<[^<>\n]{1,80}>|\b(?:https?://|www\.)\S+|[\w.+-]{1,64}@[\w.-]{1,255}")
# Quotes of up to a dozen words, which are often names and titles.
_QUOTE = re.compile(
    r"\"(?:[^\s\"]+ ){0,11}[^\s\"]+\"|“(?:[^\s“”]+ ){0,11}[^\s“”]+”|« ?[^\s«»]+(?: [^\s«»]+){0,11} ?»"
    r"|「[^「」\n]{1,30}」|『[^『』\n]{1,30}』"
)


@dataclass(frozen=True, slots=True)
class Identified:
    """A text's language, `OTHER`, or `None` if it cannot be told; and the probability of the likeliest (0 to 1).

    The probability is 0 for a text too short to be judged.
    """

    code: str | None
    probability: float


class Verdict(StrEnum):
    """Whether a text is in the language that was wanted."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LineVerdict:
    """One line of a reply as it stands there, its language, and whether that is the one that was wanted."""

    text: str
    identified: Identified
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Fidelity:
    """A reply's verdict, and those of its lines that are not blank."""

    verdict: Verdict
    lines: tuple[LineVerdict, ...]

    @property
    def line_pass_rate(self) -> float | None:
        """Share of right lines among those that were judged (0 to 1); `None` if none was."""
        judged = [line for line in self.lines if line.verdict is not Verdict.UNKNOWN]
        return sum(line.verdict is Verdict.RIGHT for line in judged) / len(judged) if judged else None


def identify(
    texts: Iterable[str],
    languages: Sequence[str],
    *,
    min_probability: float = MIN_PROBABILITY,
    min_evidence: int = MIN_EVIDENCE,
) -> list[Identified]:
    """Return the language of each text, taken as a whole: line breaks are spaces.

    The identifier is py3langid (Barbaresi; after langid.py, Lui and Baldwin, 2012), a naive Bayes classifier over byte
    n-grams that ships with its model. Its probabilities are taken over `languages` and other widely used ones.

    Args:
        texts: Any texts.
        languages: ISO 639-1 codes that may be named; any other language is `OTHER`.
        min_probability: Below this the language is `None`, 0 to 1.
        min_evidence: Letters below which a text is not judged; a kana or kanji counts as four (see `evidence`).

    Raises:
        InputError: A code is unknown to the identifier, or py3langid is not installed.
    """
    model = _model()
    known = frozenset(model.labels)
    unknown = [code for code in languages if code not in known]
    if unknown or not languages:
        raise InputError(
            f"languages: {', '.join(map(repr, unknown)) or 'none given'}: not known to the language identifier",
            fix=f"use codes among {', '.join(sorted(c for c in known if len(c) == 2))}",
        )
    among = _restricted(frozenset((*languages, *_NEIGHBOURS)))
    asked = frozenset(languages)
    return [_one(among, text, asked, (min_probability, min_evidence)) for text in texts]


def fidelity(reply: str, wanted: str, languages: Sequence[str]) -> Fidelity:
    """Return whether a reply is in the language that was wanted, line by line and as a whole.

    As in Marchisio et al. (2024), "Understanding and Mitigating Language Confusion in LLMs": a reply is right if no
    line is in a wrong language, and short lines are left out. A line is unknown if it is too short or its language
    unsure (`identify`), if it is code (between ``` or ~~~ fences) or if less than half of its marks are letters. Code
    between backticks, tags and links are taken out first, and so are quotes of up to twelve words (or thirty characters
    of Japanese) if the rest of the line is enough to judge: they are often names. If no line can be judged, all that is
    left is judged together. A reply of nothing that can be judged is unknown; the paper leaves such replies out too.

    Unlike the paper, a line whose language is unsure is unknown, not wrong: Galician and Portuguese, or Spanish, are
    often close in short lines. Varieties (European and Brazilian Portuguese) are not told apart.

    Args:
        reply: A model's reply.
        wanted: ISO 639-1 code.
        languages: Codes that may be named in the lines' verdicts.

    Raises:
        InputError: A code is unknown to the identifier, `wanted` is not among them, or py3langid is not installed.
    """
    if wanted not in languages:
        raise InputError(f"wanted: {wanted!r} is not among the languages {', '.join(languages)}", fix="add it to them")
    lines = _prose(reply)
    found = identify([prose for _, prose in lines], languages)
    verdicts = tuple(LineVerdict(line, hit, _verdict(hit, wanted)) for (line, _), hit in zip(lines, found, strict=True))
    seen = {line.verdict for line in verdicts}
    if seen <= {Verdict.UNKNOWN}:
        seen = {_verdict(identify([" ".join(prose for _, prose in lines)], languages)[0], wanted)}
    whole = next(v for v in (Verdict.WRONG, Verdict.RIGHT, Verdict.UNKNOWN) if v in seen)
    return Fidelity(whole, verdicts)


def evidence(text: str) -> int:
    """Return how many letters a text has; a kana or kanji counts as four, being rarely shared between languages."""
    # Counted twice rather than letter by letter: evidence is asked for several times for each line of each reply.
    return sum(map(str.isalpha, text)) + (_DENSE - 1) * sum(map(str.isalpha, "".join(_DENSE_CHARACTERS.findall(text))))


def _verdict(hit: Identified, wanted: str) -> Verdict:
    if hit.code is None:
        return Verdict.UNKNOWN
    return Verdict.RIGHT if hit.code == wanted else Verdict.WRONG


def _one(model: Any, text: str, asked: frozenset[str], limits: tuple[float, int]) -> Identified:
    text = " ".join(clean(text).split())
    if evidence(text) < max(1, limits[1]):
        return Identified(None, 0.0)
    code, probability = model.classify(text)
    if probability < limits[0]:
        return Identified(None, probability)
    return Identified(code if code in asked else OTHER, probability)


def _prose(reply: str) -> list[tuple[str, str]]:
    """Return the lines that are not blank, each with what of it is prose; nothing of code and of what is mostly marks."""
    lines: list[tuple[str, str]] = []
    fenced = False
    for line in clean(reply).split("\n"):
        fence = bool(_FENCE.match(line))
        fenced ^= fence
        if not line.strip():
            continue
        prose = "" if fence or fenced else _CODE.sub(" ", line)
        unquoted = _QUOTE.sub(" ", prose)
        prose = unquoted if evidence(unquoted) >= MIN_EVIDENCE else prose
        marks = "".join(prose.split())
        if 2 * sum(map(str.isalpha, marks)) < len(marks):
            prose = ""
        lines.append((line, prose))
    return lines


@lru_cache(maxsize=8)
def _restricted(candidates: frozenset[str]) -> Any:
    """Return the identifier for some languages alone, whose probabilities sum to 1 over them."""
    import numpy as np

    # A shallow copy: the tables are shared, and what is restricted is bound anew.
    model = copy.copy(_model())
    model.set_languages(candidates)
    # Rows are picked for each text, and are added in this precision in any case.
    model.nb_ptc = np.ascontiguousarray(model.nb_ptc, dtype=np.float32)
    return model


@lru_cache(maxsize=1)
def _model() -> Any:
    try:
        langid = importlib.import_module("py3langid.langid")
    except ImportError as error:
        raise InputError(
            f"language identification needs py3langid: {error}", fix="pip install 'py3langid>=0.4,<0.5'"
        ) from error
    # An instance of its own: the module's global one can be restricted by other users.
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
