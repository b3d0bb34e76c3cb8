"""Prepares texts with marked names: what a text says, and the people, places and organisations that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

_TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
"""Universal NER's, by number."""
_KINDS = ("PER", "LOC", "ORG")
_JAPANESE_KINDS = ("人名", "地名", "法人名", "政治的組織名", "その他の組織名")
_NO_SPACE_BEFORE = re.compile(r" ([,.;:!?)\]»”…%])")
_QUOTED = re.compile(r'" ([^"]*?) "')
_NO_SPACE_AFTER = re.compile(r"([(\[«“¿¡]) ")


def galician_docs(docs: Dataset) -> Dataset:
    """Return the rows of SLI_NERC with `text`, set as it is usually written, and `golds`, the names in it."""
    return docs.map(galician_item, load_from_cache_file=False, keep_in_memory=True)


def galician_item(doc: dict[str, Any]) -> dict[str, Any]:
    """Return what `galician_docs` changes of a row; fixed phrases are one token there (`a_través_da`, `xa#que`)."""
    tokens = [token if len(token) == 1 else re.sub("[#_]", " ", token) for token in doc["tokens"]]
    names = [written(tokens[start:end]) for start, end in spans(doc["ner_tags"])]
    return {"text": written(tokens), "golds": names}


def universal_docs(docs: Dataset) -> Dataset:
    """Return the rows of Universal NER with `golds`, the names in the text, and `document`, where the sentence is from."""
    return docs.map(universal_item, load_from_cache_file=False, keep_in_memory=True)


def universal_item(doc: dict[str, Any]) -> dict[str, Any]:
    """Return what `universal_docs` changes of a row; `idx` begins with the document (`n01001-0012`)."""
    from evalsuite.texts.normalise import clean

    places = located(doc["text"], doc["tokens"])
    found = spans([_TAGS[tag] for tag in doc["ner_tags"]])
    names = [doc["text"][places[start][0] : places[end - 1][1]] for start, end in found]
    return {
        "text": clean(doc["text"]).strip(),
        "golds": [clean(n) for n in names],
        "document": doc["idx"].partition("-")[0],
    }


def japanese_docs(docs: Dataset) -> Dataset:
    """Return the rows of the Wikipedia set with `golds`, the names of people, places and organisations in the text."""
    return docs.map(japanese_item, load_from_cache_file=False, keep_in_memory=True)


def japanese_item(doc: dict[str, Any]) -> dict[str, Any]:
    """Return what `japanese_docs` changes of a row; buildings, products and events are left out, as elsewhere."""
    return {"golds": [entity["name"] for entity in doc["entities"] if entity["type"] in _JAPANESE_KINDS]}


def spans(tags: Sequence[str]) -> list[tuple[int, int]]:
    """Return where names begin and end, in tokens, from tags such as B-PER and I-PER.

    As in CoNLL's evaluation, an I- tag that continues no name of its kind begins one.
    """
    found: list[tuple[int, int]] = []
    open_kind = ""
    for place, tag in enumerate(tags):
        kind = tag[2:]
        if kind in _KINDS and tag.startswith("I-") and kind == open_kind:
            found[-1] = (found[-1][0], place + 1)
        elif kind in _KINDS:
            found.append((place, place + 1))
        open_kind = kind
    return found


def located(text: str, tokens: Iterable[str]) -> list[tuple[int, int]]:
    """Return where each token stands in the text, first and past the last character.

    Raises:
        ValueError: A token does not come next in the text.
    """
    found, end = [], 0
    for token in tokens:
        start = text.index(token, end)
        if text[end:start].strip():
            raise ValueError(f"the token {token!r} does not come next in {text[end:]!r}; the data set has changed")
        end = start + len(token)
        found.append((start, end))
    return found


def written(tokens: Sequence[str]) -> str:
    """Return tokens as running text: no spaces before points and commas, or inside brackets and quotes."""
    from evalsuite.texts.normalise import clean

    text = _QUOTED.sub(r'"\1"', " ".join(tokens))
    return clean(_NO_SPACE_AFTER.sub(r"\1", _NO_SPACE_BEFORE.sub(r"\1", text))).strip()
