"""Long documents: the same content or equal lengths, what is hidden in them at its depth, and the same ids everywhere."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pytest

from evalsuite.catalog.data import DataFinder
from evalsuite.harness import BuiltTask, build_task
from evalsuite.records import PromptForm
from tests.tasks.building import catalog, group, module, scored

CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")
TOPICS, FINDS = ("long_topic", "long_topic_tokens"), ("long_find", "long_find_tokens")
SIZES = (512, 1024, 2048, 5000, 8000)
documents = module("long/documents")


def toy(text: str) -> int:
    """Count words and other characters: a tokenizer that anyone can check."""
    return len(re.findall(r"\w+|[^\w\s]", text))


@lru_cache(maxsize=64)
def built(name: str, count: Callable[[str], int] | None = None) -> BuiltTask:
    return build_task(catalog()[name], DataFinder(offline=True), PromptForm.NATIVE, count)


@lru_cache(maxsize=64)
def rows(name: str, count: Callable[[str], int] | None = None) -> list[dict[str, Any]]:
    return list(built(name, count)._docs)


def prompt(row: dict[str, Any]) -> str:
    return f"{row['text']}\n\n{row['ask']}"


@pytest.mark.parametrize("tag", [*TOPICS, *FINDS])
def test_every_language_has_the_same_items(tag):
    tasks = group(tag)
    assert set(tasks) == set(CODES)
    columns = ("id", "size", "depth", "document", *(("gold",) if tag in TOPICS else ("answer_number",)))
    expected = [tuple(row[c] for c in columns) for row in rows(f"{tag}_en")]
    for code in CODES:
        assert [tuple(row[c] for c in columns) for row in rows(f"{tag}_{code}")] == expected
        assert len(expected) == tasks[code].items == 100
    assert len({row[0] for row in expected}) == 100
    assert Counter(row[1] for row in expected) == dict.fromkeys(SIZES, 20)


@pytest.mark.parametrize("tag", [*TOPICS, *FINDS])
def test_number_and_ids_of_items_do_not_depend_on_the_tokenizer(tag):
    for code in ("en", "ja"):
        by_rate, by_toy = rows(f"{tag}_{code}"), rows(f"{tag}_{code}", toy)
        fields = ("id", "size", "depth", "what", "ask")
        assert [[row[f] for f in fields] for row in by_rate] == [[row[f] for f in fields] for row in by_toy]
        assert (by_rate == by_toy) is not tag.endswith("_tokens")


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("tag", [*TOPICS, *FINDS])
def test_items_of_a_document_share_its_text_and_what_is_asked_for_stands_once_at_its_depth(tag, code):
    words = module_words(code)
    found = rows(f"{tag}_{code}")
    texts: dict[str, set[str]] = {}
    for row in found:
        texts.setdefault(row["document"], set()).add(row["text"])
        parts = row["text"].split("\n\n")
        begin = (words["message"] if tag in TOPICS else words["code"]).partition("{text}")[0].partition("{code}")[0]
        begin = begin.format(name=row["what"], label=row["what"])
        (place,) = [i for i, part in enumerate(parts) if part.startswith(begin)]
        assert row["text"].count(begin) == 1
        # The paragraphs before it, without those that are asked for too.
        hidden = sum(1 for other in found if other["document"] == row["document"])
        before = sum(1 for other in found if other["document"] == row["document"] and other["depth"] < row["depth"])
        assert place - before == int(row["depth"] * (len(parts) - hidden) + 0.5)
        assert row["ask"] in prompt(row).splitlines()[-1]
    assert all(len(same) == 1 for same in texts.values())


def module_words(code: str) -> dict[str, Any]:
    from evalsuite.catalog.languages import load_languages

    return load_languages()[code].prompts["long"]


@pytest.mark.parametrize("tag", [TOPICS[0], FINDS[0]])
def test_the_content_is_the_same_in_every_language(tag):
    def keys(code: str) -> list[list[str | None]]:
        delimiter = "" if code == "ja" else " "
        of = {text: key for key, text in documents.paragraphs(code, delimiter).items()}
        return [[of.get(part) for part in row["text"].split("\n\n")] for row in rows(f"{tag}_{code}")]

    english = keys("en")
    for row, found in zip(rows(f"{tag}_en"), english, strict=True):
        # Only what is asked for is no paragraph of the starter sets.
        assert found.count(None) == sum(r["document"] == row["document"] for r in rows(f"{tag}_en"))
    for code in CODES[1:]:
        assert keys(code) == english


@pytest.mark.parametrize("tag", [TOPICS[0], FINDS[0]])
def test_an_english_prompt_is_about_as_long_as_its_size_at_the_nominal_rate(tag):
    for row in rows(f"{tag}_en"):
        assert row["size"] - 80 < documents.nominal_tokens(prompt(row)) <= row["size"] + 10, row["id"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("tag", [TOPICS[1], FINDS[1]])
def test_prompts_fill_their_size_by_the_tokenizer_to_the_sentence(tag, code):
    delimiter = "" if code == "ja" else " "
    ends = documents._SENTENCE_END
    longest = 0
    for text in documents.paragraphs(code, delimiter).values():
        cuts = [0, *(found.end() for found in ends.finditer(text)), len(text)]
        longest = max(longest, *(toy(text[a:b]) for a, b in pairwise(cuts)))
    by_document: dict[str, int] = {}
    for row in rows(f"{tag}_{code}", toy):
        tokens = toy(prompt(row))
        assert tokens <= row["size"], row["id"]
        by_document[row["document"]] = max(tokens, by_document.get(row["document"], 0))
    for document, tokens in by_document.items():
        assert int(document[:4]) - tokens < longest


def test_what_is_hidden_takes_less_than_sixty_percent_of_the_text():
    for tag in (*TOPICS, *FINDS):
        for code in CODES:
            for row in rows(f"{tag}_{code}"):
                same = [r for r in rows(f"{tag}_{code}") if r["document"] == row["document"]]
                hidden = [p for p in row["text"].split("\n\n") if any(r["what"] in p[:60] for r in same)]
                assert sum(map(len, hidden)) < 0.6 * len(row["text"]), (tag, code, row["id"])


def test_no_message_is_used_twice_and_categories_are_used_evenly():
    for code in CODES:
        data = documents._labels(code)
        found = rows(f"long_topic_{code}")
        used = Counter(row["category"] for row in found)
        assert set(used.values()) == {8, 9}
        lines = []
        for row in found:
            (line,) = [p for p in row["text"].split("\n\n") if f"({row['what']})" in p or f"（{row['what']}）" in p]
            (message,) = [m for m in data["messages"][row["category"]] if line.endswith(m)]
            lines.append(message)
            assert row["choices"][row["gold"]] == data["categories"][row["category"]]["name"]
        assert len(set(lines)) == 100


def test_codes_have_four_digits_are_not_round_and_stand_once_in_a_document():
    for code in CODES:
        by_document: dict[str, list[int]] = {}
        for row in rows(f"long_find_{code}"):
            number = str(row["answer_number"])
            assert len(number) == len(set(number)) == 4
            assert not number.endswith("0")
            assert row["text"].count(number) == 1
            by_document.setdefault(row["document"], []).append(row["answer_number"])
        assert all(len(set(same)) == len(same) for same in by_document.values())


@pytest.mark.parametrize("code", CODES)
def test_a_reply_is_scored_by_its_last_number(code):
    task, right = built(f"long_find_{code}"), str(rows(f"long_find_{code}")[7]["answer_number"])
    assert scored(task, 7, f" {right}{'。' if code == 'ja' else '.'}")["exact_match"] == 1
    assert scored(task, 7, f" 12 → {right}")["exact_match"] == 1
    assert scored(task, 7, f" {right[:3]}")["exact_match"] == 0
    assert scored(task, 7, "")["exact_match"] == 0


def test_prompts_end_with_the_question():
    assert built("long_find_en").prompts([0])[0]["context"].splitlines()[-2:] == ["", rows("long_find_en")[0]["ask"]]
    shown = built("long_topic_ja").prompts([0])[0]
    assert shown["context"].endswith("）：")
    assert shown["target"] == rows("long_topic_ja")[0]["choices"][rows("long_topic_ja")[0]["gold"]]


def test_stock_lm_eval_counts_with_the_tokenizer_that_its_metadata_names(monkeypatch):
    class Tokenizer:
        @classmethod
        def from_pretrained(cls, name: str) -> Tokenizer:
            assert name == "made/up"
            return cls()

        def encode(self, text: str, *, add_special_tokens: bool) -> list[str]:
            assert add_special_tokens is False
            return text.split()

    class Transformers:
        AutoTokenizer = Tokenizer

    monkeypatch.setitem(sys.modules, "transformers", Transformers)
    count = documents.named_counter({"tokenizer": "made/up"})
    assert count("one two three") == 3
    assert documents.named_counter({"pretrained": "made/up"})("a b") == 2
    assert documents.named_counter({}) is None


def test_what_is_hidden_stays_whole_where_it_alone_is_too_long():
    put_in = documents.codes("en", module_words("en"), "0512-d1", 0, 4)
    assert documents.fitting("0512-d1", 10, put_in, documents.paragraphs("en", " "), toy) == []
    assert documents.joined([], put_in).count("\n\n") == 3
