"""Builds the documents of the `long` tasks: the project's own texts, with messages or codes put in at known depths."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from datasets import DatasetDict

_TASKS = Path(__file__).parent.parent
SIZES = {512: (5, 4), 1024: (4, 5), 2048: (2, 10), 5000: (2, 10), 8000: (2, 10)}
"""Tokens of a prompt: (documents, items of each). In a short text so many items would crowd out the rest."""
BYTES_PER_TOKEN = 4.2
"""UTF-8 bytes for each token: what the English texts, with names and codes in them, come to with SmolLM2's tokenizer."""
_FILLER = ("reading", "answer", "translate")
_SENTENCES = 5
"""Sentences of `translate` that make a paragraph."""
_BREAK = "\n\n"
_LABEL_BYTES = 30
"""Of what stands before a message or a code in English, with the break; also of the question's label."""
_SENTENCE_END = re.compile(r"(?:[.!?…]+[»”\"')]*(?=\s)|[。！？]+[」』）]*)(?=.)", re.DOTALL)

Count = Callable[[str], int]


class Hidden(NamedTuple):
    """A paragraph that is asked for."""  # No dataclass: lm-eval loads this file without a place among the modules.

    text: str
    ask: str
    """The question's label, which the prompt ends with."""
    columns: dict[str, Any]
    """What the item has beside what all items have."""
    english_bytes: int
    """About the length of the paragraph in English."""


def load(
    language: str,
    hidden: str,
    equal: str,
    words: Mapping[str, Any],
    delimiter: str,
    count_tokens: Count | None = None,
    **metadata: Any,
) -> DatasetDict:
    """Return the items as a data set with one split, `test`.

    Number, order, ids and right answers of items are the same in every language, and with every tokenizer.

    Args:
        language: Code of the texts' language.
        hidden: `messages`, whose category is asked for, or `codes`.
        equal: `content`: the same paragraphs in every language, as many as make the English prompt about as long as the
            size says, at `BYTES_PER_TOKEN`. `tokens`: as much text as fits the size, to the sentence.
        words: Prompt words of the language.
        delimiter: What stands between two sentences.
        count_tokens: Tokens of a text for the model that is asked. Without it, the tokenizer of transformers that the
            metadata names (`tokenizer` or `pretrained`), else one token for each `BYTES_PER_TOKEN`.
        metadata: The task's other metadata.
    """
    from datasets import Dataset, DatasetDict

    count = lru_cache(maxsize=4096)(count_tokens or named_counter(metadata) or nominal_tokens)
    texts = paragraphs(language, delimiter)
    lengths = {key: len(text.encode()) for key, text in paragraphs("en", " ").items()} if equal == "content" else {}
    rows: list[dict[str, Any]] = []
    make = {"messages": messages, "codes": codes}[hidden]
    for size, (documents, items) in SIZES.items():
        for number in range(1, documents + 1):
            name = f"{size:04d}-d{number}"
            put_in = make(language, words, name, len(rows), items)
            if equal == "content":
                text = joined([texts[key] for key in same_content(name, size, put_in, lengths)], put_in)
            else:
                text = joined(fitting(name, size, put_in, texts, count), put_in)
            rows += _items(name, size, text, put_in)
    return DatasetDict({"test": Dataset.from_list(rows)})


def _items(name: str, size: int, text: str, put_in: Sequence[Hidden]) -> Iterator[dict[str, Any]]:
    for place, one in enumerate(put_in):
        yield {
            "id": f"{name}-n{place + 1}",
            "size": size,
            "depth": depth(place, len(put_in)),
            "document": name,
            "text": text,
            "ask": one.ask,
            **one.columns,
        }


# --- what is put in


def messages(language: str, words: Mapping[str, Any], document: str, first: int, items: int) -> list[Hidden]:
    """Return messages of the set `labels` under invented first names, to be asked for their category.

    Args:
        language: Code of the messages' language.
        words: `message` and `category` with their holes, and `names`.
        document: Seeds the order of names.
        first: Items before these: categories are used in turns, and no message twice.
        items: How many.
    """
    data, english = (_labels(code) for code in (language, "en"))
    keys = list(data["categories"])
    choices = [data["categories"][key]["name"] for key in keys]
    names = ranked(words["names"], document)
    found = []
    for place in range(items):
        turn, rank = divmod(first + place, len(keys))
        # Drawn by key and number, and not by the text: the same in every language.
        key = ranked(keys, f"category:{turn}")[rank]
        number = ranked(range(len(english["messages"][key])), f"message:{key}")[turn]
        name, message = names[place], data["messages"][key][number]
        found.append(
            Hidden(
                text=words["message"].format(name=name, text=message),
                ask=words["category"].format(name=name),
                columns={"what": name, "category": key, "choices": choices, "gold": keys.index(key)},
                english_bytes=len(english["messages"][key][number].encode()) + _LABEL_BYTES,
            )
        )
    return found


def codes(language: str, words: Mapping[str, Any], document: str, first: int, items: int) -> list[Hidden]:
    """Return codes of four digits under labels such as "Code of the blue cabinet", to be asked for by the label."""
    del language, first
    labels = ranked(words["codes"], document)
    return [
        Hidden(
            text=words["code"].format(label=label, code=code),
            ask=words["ask"].format(label=label),
            columns={"what": label, "answer_number": code},
            english_bytes=_LABEL_BYTES + 6,
        )
        for label, code in zip(labels, itertools.islice(_codes(document), items), strict=False)
    ]


def _codes(document: str) -> Iterator[int]:
    """Yield numbers of four different digits, none of them round and none that reads as a year."""
    seen = set()
    for number in itertools.count():
        code = 2101 + int(hashlib.sha256(f"{document}:code:{number}".encode()).hexdigest(), 16) % 7700
        if len(set(str(code))) == 4 and code % 10 and code not in seen:
            seen.add(code)
            yield code


# --- the text around it


def paragraphs(language: str, delimiter: str) -> dict[str, str]:
    """Return the paragraphs of the starter sets by a key that is the same in every language."""
    found = {row["id"]: row["text"] for name in _FILLER[:2] for row in _read(name, language)}
    sentences = _read(_FILLER[2], language)
    for start in range(0, len(sentences), _SENTENCES):
        part = sentences[start : start + _SENTENCES]
        found[part[0]["id"]] = delimiter.join(row["text"] for row in part)
    return found


def same_content(document: str, size: int, put_in: Sequence[Hidden], lengths: Mapping[str, int]) -> list[str]:
    """Return keys of paragraphs that together fill a prompt of `size` tokens in English, in the document's order.

    A paragraph that no longer fits is left out, and the next one tried. When all are used, they come again in another order.

    Args:
        document: Seeds the order.
        size: Tokens, of `BYTES_PER_TOKEN` each.
        put_in: What else stands in the prompt.
        lengths: UTF-8 bytes of the English paragraphs by key.
    """
    left = size * BYTES_PER_TOKEN - _LABEL_BYTES - sum(one.english_bytes for one in put_in)
    chosen: list[str] = []
    for turn in itertools.count():
        full = False
        for key in ranked(lengths, f"{document}:{turn}"):
            need = lengths[key] + len(_BREAK)
            if need <= left:
                chosen.append(key)
                left -= need
            else:
                full = True
        if full:
            return chosen
    raise AssertionError


def fitting(document: str, size: int, put_in: Sequence[Hidden], texts: Mapping[str, str], count: Count) -> list[str]:
    """Return as many paragraphs, the last one cut behind a sentence, as keep every prompt within `size` tokens.

    What is put in stays whole: where it alone is longer, there is nothing around it.
    """
    asks = sorted((one.ask for one in put_in), key=lambda ask: -count(_BREAK + ask))
    cuts: list[tuple[int, int]] = []
    order: list[str] = []

    def filler(sentences: int) -> list[str]:
        if not sentences:
            return []
        last, end = cuts[sentences - 1]
        return [*order[:last], order[last][:end]]

    def fits(sentences: int, questions: Sequence[str]) -> bool:
        text = joined(filler(sentences), put_in)
        return all(count(f"{text}{_BREAK}{ask}") <= size for ask in questions)

    # First a guess from the counts of single sentences, then exact counts of whole prompts about it.
    used = count(joined([], put_in) + _BREAK + asks[0])
    endless = (key for turn in itertools.count() for key in ranked(texts, f"{document}:{turn}"))
    guess = 0
    while used <= size or len(cuts) < guess + _SENTENCES:
        text = texts[next(endless)]
        start = 0
        for end in [*(found.end() for found in _SENTENCE_END.finditer(text)), len(text)]:
            cuts.append((len(order), end))
            used += count(("" if start else _BREAK) + text[start:end])
            guess = len(cuts) if used <= size else guess
            start = end
        order.append(text)
    while guess < len(cuts) and fits(guess + 1, asks[:1]):
        guess += 1
    while guess and not fits(guess, asks[:1]):
        guess -= 1
    while guess and not fits(guess, asks):
        guess -= 1
    return filler(guess)


def joined(filler: Sequence[str], put_in: Sequence[Hidden]) -> str:
    """Return the document: what is put in stands evenly spread between the paragraphs, the k-th of m at (k − 0.5) / m."""
    places = [int(depth(place, len(put_in)) * len(filler) + 0.5) for place in range(len(put_in))]
    parts: list[str] = []
    for index in range(len(filler) + 1):
        parts += [one.text for one, place in zip(put_in, places, strict=True) if place == index]
        parts += filler[index : index + 1]
    return _BREAK.join(parts)


def depth(place: int, of: int) -> float:
    """Return where the `place`-th of so many stands, counted from 0: a share of the document's paragraphs."""
    return round((place + 0.5) / of, 4)


# --- tokens, orders, files


def nominal_tokens(text: str) -> int:
    """Return how many tokens a text has at `BYTES_PER_TOKEN`."""
    return -int(-len(text.encode()) // BYTES_PER_TOKEN)


def named_counter(metadata: Mapping[str, Any]) -> Count | None:
    """Return what counts tokens with the tokenizer that lm-eval's `--metadata` names; none where it names none."""
    name = metadata.get("tokenizer") or metadata.get("pretrained")
    return None if name is None else _transformers_counter(str(name))


@lru_cache(maxsize=2)
def _transformers_counter(name: str) -> Count:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(name)
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def ranked(values: Any, seed: str) -> list[Any]:
    """Return values in an order that depends on `seed`, on the keys of a mapping, and on the places of a list."""
    keys = list(values)
    names = keys if isinstance(values, Mapping) else range(len(keys))
    drawn = sorted(
        zip(names, keys, strict=True), key=lambda pair: hashlib.sha256(f"{seed}:{pair[0]}".encode()).digest()
    )
    return [value for _, value in drawn]


@lru_cache(maxsize=8)
def _labels(language: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((_TASKS / "labels" / "data" / f"{language}.yaml").read_text(encoding="utf-8"))
    return data


def _read(name: str, language: str) -> list[dict[str, Any]]:
    """Return the lines of a starter set's file."""
    path = _TASKS / name / "data" / f"{language}.jsonl"
    # Not `splitlines`, which would also split at separators within a text.
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return [json.loads(line) for line in lines]
