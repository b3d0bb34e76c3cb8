"""Scores answers that the model writes against the right ones: exact match and F1 in the terms of the task's language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from evalsuite.texts.norms import Norms

_SEPARATORS = re.compile(r"[,;、，；\n]")
_PARTS = re.compile(r"[\s、。,.!！]")
_EDGES = " \t\"'“”‘’«»„-–—•*·.。「」『』()（）[]"


def answered(doc: Mapping[str, Any], results: Sequence[str], metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return `exact_match` and `f1` (0 to 1) of the reply's first line against `golds`: SQuAD's, in the task's language.

    Of several right answers, the nearest counts. Where `yes_no` is true, the golds are words for one of yes and no: the
    reply's first part counts ("はい、そうです。"), and `f1` is `exact_match`, as two such words may share a character.
    """
    from evalsuite.texts.overlap import exact_match, token_f1

    norms, golds, reply = Norms.of(metadata["norms"]), doc["golds"], first_line(results[0])
    if doc.get("yes_no"):
        right = exact_match(_PARTS.split(reply.strip(_EDGES))[0], golds, norms)
        return {"exact_match": right, "f1": right}
    return {"exact_match": exact_match(reply, golds, norms), "f1": token_f1(reply, golds, norms)}


def contained(doc: Mapping[str, Any], results: Sequence[str], metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return whether the reply's first line holds one of `golds`, each given by as many people as `votes` says.

    These are BLEnD's scores (Myung et al., 2024), with the language's normalisation in place of its lemmatiser: the words
    of an answer must stand in the reply as they are, in a row.

    Returns:
        `match`: 1 if an answer is in the reply, else 0; `match_weighted`: the votes of the answer that is in the reply,
        as a share of the votes of the most given answer (0 to 1). Both are 0 where nobody gave an answer.
    """
    from evalsuite.texts.overlap import key_tokens

    norms = Norms.of(metadata["norms"])
    said = key_tokens(first_line(results[0]), norms)
    found = [
        votes for gold, votes in zip(doc["golds"], doc["votes"], strict=True) if _within(key_tokens(gold, norms), said)
    ]
    best = max(found, default=0)
    return {"match": float(best > 0), "match_weighted": best / max(doc["votes"], default=1)}


def last_number(doc: Mapping[str, Any], results: Sequence[str], metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return `exact_match`: 1 if the last number of the reply's first line is `answer_number`, else 0.

    The number is read with the marks of the task's language. Where the metadata says `whole_numbers`, all right answers of
    the data are whole, so that "1.234" and "1,234" are 1234 in any language.
    """
    from evalsuite.texts.numerals import numbers

    found = numbers(first_line(results[0]), Norms.of(metadata["norms"]), whole=bool(metadata.get("whole_numbers")))
    return {"exact_match": float(bool(found) and found[-1] == Decimal(str(doc["answer_number"])))}


def extracted(doc: Mapping[str, Any], results: Sequence[str], metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return how the names that the reply's first line lists agree with `golds`, as sets of keys.

    A dash, or one of the metadata's words for `none`, is no name. A name with a comma in it counts as its parts, on both
    sides, as a list with commas cannot tell them apart.

    Returns:
        `f1` (0 to 1; 1 where there is no name and none was given), `exact_match` (the sets are equal), and the counts
        `tp`, `fp`, `fn`, from whose sums the F1 over all items can be had.
    """
    from evalsuite.texts.overlap import entity_scores

    norms = Norms.of(metadata["norms"])
    found = name_keys([first_line(results[0])], norms) - name_keys(metadata["none"], norms)
    right = name_keys(doc["golds"], norms)
    scores = entity_scores((("", key) for key in found), (("", key) for key in right))
    return {"f1": scores.f1, "exact_match": float(found == right), "tp": scores.tp, "fp": scores.fp, "fn": scores.fn}


def name_keys(lists: Iterable[str], norms: Norms) -> set[str]:
    """Return the keys of the names in lists with commas; what holds nothing but punctuation is no name."""
    from evalsuite.texts.normalise import answer_key

    return {key for names in lists for name in _SEPARATORS.split(names) if (key := answer_key(name, norms))}


def first_line(reply: str) -> str:
    """Return the first line that is not empty; a server may ignore the stop at the line's end."""
    return next((line.strip() for line in reply.splitlines() if line.strip()), "")


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Return whether `part` stands in `whole`, its words in a row; an empty part stands nowhere."""
    length = len(part)
    return length > 0 and any(whole[i : i + length] == part for i in range(len(whole) - length + 1))
