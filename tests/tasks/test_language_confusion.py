"""The Language Confusion Benchmark on the mirror: prompts, groups and what is asked for."""

from __future__ import annotations

import pytest

from tests.tasks.building import catalog, group, needs, on_mirror

mirror = needs("for-ai/language-confusion")
NAMES = {"es": "Spanish", "pt": "Portuguese", "ja": "Japanese"}
ROWS = {"en": 200, "es": 300, "pt": 200, "ja": 100}


def test_groups() -> None:
    assert set(group("language_confusion_cross")) == set(NAMES)
    assert {catalog()[f"language_confusion_mono_{code}"].parallel_group for code in ROWS} == {None}


@mirror
@pytest.mark.parametrize("code", NAMES)
def test_crosslingual_prompts_ask_in_english_for_the_language(code: str) -> None:
    built = on_mirror(f"language_confusion_cross_{code}")
    shown = built.prompts(range(299))
    assert len(built) == built.task.items == 299
    assert all(NAMES[code].casefold() in item["context"].casefold() for item in shown)
    assert all(item["context"].endswith("\nAnswer:") for item in shown)
    assert {row["language"] for row in built._docs} == {code}


@mirror
def test_crosslingual_rows_are_the_same_prompt_but_for_the_language() -> None:
    columns = [on_mirror(f"language_confusion_cross_{code}")._docs["prompt"] for code in NAMES]
    bare = [[text.replace(name, "*") for text in column] for name, column in zip(NAMES.values(), columns, strict=True)]
    same = sum(len(set(row)) == 1 for row in zip(*bare, strict=True))
    assert same >= 0.98 * 299


@mirror
@pytest.mark.parametrize("code", ROWS)
def test_monolingual_prompts(code: str) -> None:
    built = on_mirror(f"language_confusion_mono_{code}")
    assert len(built) == built.task.items == ROWS[code]
    shown = built.prompts(range(ROWS[code]))
    label = catalog()[f"language_confusion_mono_{code}"].path.read_text(encoding="utf-8")
    assert all(item["context"].rpartition("\n")[2] in label for item in shown)
    assert all(item["context"] == item["context"].strip() for item in shown)
    repeats = len(shown) - len({row["prompt"] for row in built._docs})
    assert (f"{repeats} repeat" if repeats else "none repeat") in str(built.task.note)
