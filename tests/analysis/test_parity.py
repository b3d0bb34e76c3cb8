"""Bits, information parity and token tax: golden values from the records themselves, and from a jackknife."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evalsuite.analysis import Run, analyse, load_run, write_accuracy_table
from evalsuite.analysis.parity import ParityRow, information_parity
from evalsuite.records import Cell, Record
from tests.analysis.test_markdown import _tables
from tests.synthetic import MODELS
from tests.synthetic_parity import CODES, ITEMS, ParityPlan, bits_of, build_parity, texts, tokens_of

SMOL, GEMMA = MODELS


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load_run(build_parity(tmp_path_factory.mktemp("runs") / "read"))


def row(run: Run, model: str, code: str) -> ParityRow:
    (found,) = [r for r in information_parity(run) if (r.model, r.language) == (model, code)]
    return found


def jackknife(top: np.ndarray, bottom: np.ndarray) -> float:
    """Return the standard error of a ratio of sums by leaving out one item at a time (Quenouille and Tukey)."""
    n = len(top)
    ratios = (top.sum() - top) / (bottom.sum() - bottom)
    return math.sqrt((n - 1) / n * float(((ratios - ratios.mean()) ** 2).sum()))


def test_there_is_a_row_for_each_model_and_language(read: Run) -> None:
    assert [(r.model, r.language, r.group) for r in information_parity(read)] == [
        (m, c, "toy_texts") for m in MODELS for c in CODES
    ]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("code", CODES)
def test_bits_are_the_log_likelihoods_of_the_records(read: Run, model: str, code: str) -> None:
    found = row(read, model, code)
    bits = np.array([bits_of(i, code, model) for i in range(ITEMS)])
    chars = np.array([60 + i for i in range(ITEMS)])
    assert found.items == found.bits_per_item.n == found.bits_per_byte.n == found.bits_per_char.n == ITEMS
    assert found.bits_per_item.value == pytest.approx(bits.mean())
    assert found.bits_per_char.value == pytest.approx(bits.sum() / chars.sum())
    # A made-up Japanese character takes three bytes.
    assert found.bits_per_byte.value == pytest.approx(bits.sum() / chars.sum() / (3 if code == "ja" else 1))
    assert found.tokens_per_item.value == pytest.approx(np.mean([tokens_of(i, code, model) for i in range(ITEMS)]))
    assert found.reason is None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("code", CODES[1:])
def test_parity_is_bits_of_the_reference_over_bits_here_and_the_tax_the_other_way_round(
    read: Run, model: str, code: str
) -> None:
    found = row(read, model, code)
    here, there = (np.array([bits_of(i, c, model) for i in range(ITEMS)]) for c in (code, "en"))
    assert found.reference == "en"
    assert found.parity.value == pytest.approx(there.sum() / here.sum())
    assert found.parity.low is not None
    assert found.parity.high is not None
    # Student's t with 29 degrees of freedom: 2.045, from any table of it.
    assert found.parity.high - found.parity.low == pytest.approx(2 * 2.045 * jackknife(there, here), rel=0.03)
    tokens, fewer = (sum(tokens_of(i, c, model) for i in range(ITEMS)) for c in (code, "en"))
    assert found.token_tax.value == pytest.approx(tokens / fewer)


def test_what_costs_the_model_more_has_a_parity_below_one_and_a_tax_above_one(read: Run) -> None:
    basque, japanese = row(read, SMOL, "eu"), row(read, GEMMA, "ja")
    assert basque.parity.high is not None
    assert basque.token_tax.low is not None
    assert basque.parity.high < 0.5
    assert basque.token_tax.low > 1.5
    # As many bits as in English, and hardly more tokens.
    assert japanese.parity.value == pytest.approx(1, abs=0.05)


def test_the_reference_has_no_parity_with_itself(read: Run) -> None:
    english = row(read, SMOL, "en")
    assert (english.reference, english.parity.value, english.token_tax.value) == (None, None, None)
    assert english.parity.reason == "the reference language"
    assert english.bits_per_item.value is not None


def test_only_texts_that_both_languages_have_count_for_parity(tmp_path: Path) -> None:
    def drop(cell: Cell, made: Record) -> Record | None:
        lost = {"toy_texts_en": 0, "toy_texts_eu": 7}.get(cell.task)
        return None if made.item_index == lost else made

    run = load_run(build_parity(tmp_path / "run", ParityPlan(codes=("en", "eu"), hook=drop)))
    found = row(run, SMOL, "eu")
    both = [i for i in range(ITEMS) if i not in (0, 7)]
    assert (found.items, found.parity.n, found.token_tax.n) == (ITEMS - 1, ITEMS - 2, ITEMS - 2)
    expected = sum(bits_of(i, "en", SMOL) for i in both) / sum(bits_of(i, "eu", SMOL) for i in both)
    assert found.parity.value == pytest.approx(expected)


def uncounted(_cell: Cell, made: Record) -> Record:
    return made.model_copy(update={"answer_tokens": ()})


def repeated(_cell: Cell, made: Record) -> Record:
    return made.model_copy(update={"item_id": "one"})


@pytest.mark.parametrize(
    ("plan", "parity", "tax"),
    [
        (ParityPlan(codes=("eu",)), "no reference", "no reference"),
        (ParityPlan(hook=uncounted), None, "the engine gave no token counts"),
        (ParityPlan(hook=repeated), *["item ids are not unique, so items cannot be paired"] * 2),
        (ParityPlan(failed=("toy_texts_en",)), "no bits in the reference language", "no tokens in the reference language"),
        (ParityPlan(failed=("toy_texts_eu",)), *["failed: the engine crashed: SIGSEGV"] * 2),
        (
            ParityPlan(more=(texts("again_en", "en", "toy_texts"),)),
            *["more than one task in the reference language"] * 2,
        ),
    ],
    ids=["no reference", "no tokens", "equal ids", "reference failed", "language failed", "two references"],
)  # fmt: skip
def test_what_is_missing_has_its_reason(tmp_path: Path, plan: ParityPlan, parity: str | None, tax: str) -> None:
    found = row(load_run(build_parity(tmp_path / "run", plan)), SMOL, "eu")
    assert (found.parity.reason, found.token_tax.reason) == (parity, tax)
    assert (found.parity.value is None) == (parity is not None)
    assert found.token_tax.value is None


def test_texts_stand_in_no_other_table(read: Run) -> None:
    tables = analyse(read)
    others = (tables.scores, tables.gaps, tables.comparisons, tables.tokens, tables.flags, tables.wordings)
    assert others == ((), (), (), (), (), ())
    assert len(tables.parity) == len(MODELS) * len(CODES)


def test_texts_change_nothing_of_what_is_said_about_answers(tmp_path: Path) -> None:
    def only_answers(cell: Cell, made: Record) -> Record | None:
        return made if cell.task.startswith("toy_topics") else None

    both = analyse(load_run(build_parity(tmp_path / "both", ParityPlan(answered=True))))
    answers = analyse(load_run(build_parity(tmp_path / "answers", ParityPlan(answered=True, hook=only_answers))))
    assert both.scores
    for table in ("scores", "gaps", "comparisons", "tokens", "flags"):
        assert getattr(both, table) == getattr(answers, table)
        assert {getattr(r, "group", "toy_topics") for r in getattr(both, table)} <= {"toy_topics"}


@pytest.mark.parametrize("answered", [False, True])
def test_the_markdown_has_a_row_for_each_row(tmp_path: Path, answered: bool) -> None:
    run = load_run(build_parity(tmp_path / "run", ParityPlan(answered=answered)))
    text = write_accuracy_table(run)
    assert text.startswith("# Accuracy: Compact" if answered else "# Compact")
    assert ("Scores are percentages" in text) == ("## Reading" in text) == answered
    assert "## Text\n" not in text
    (heads, *lines) = _tables(text)["Information parity: toy_texts"]
    rows = information_parity(run)
    assert len(lines) == len(rows)
    for line, one in zip(lines, rows, strict=True):
        shown = dict(zip(heads, line, strict=True))
        assert shown["bits per text"].startswith(f"{one.bits_per_item.value:.1f} (")
        assert shown["n"] == str(ITEMS)
        if one.reference:
            e = one.parity
            assert shown["parity"] == f"{e.value:.2f} ({e.low:.2f} to {e.high:.2f})"
            assert shown["against"] == "English"
        else:
            assert (shown["parity"], shown["against"]) == ("— the reference language", "—")


def test_the_order_of_records_changes_no_number(tmp_path: Path, read: Run) -> None:
    hook: Callable[[Cell, Record], Record] = lambda cell, made: made if cell.language == "en" else turned(cell, made)  # noqa: E731

    def turned(cell: Cell, made: Record) -> Record:
        index = ITEMS - 1 - made.item_index
        nats = -bits_of(index, cell.language, cell.model) * math.log(2)
        return made.model_copy(update={"item_id": f"id-{index}", "logprobs": (nats,)})

    other = load_run(build_parity(tmp_path / "run", ParityPlan(hook=hook)))
    assert row(other, SMOL, "eu").parity.value == pytest.approx(row(read, SMOL, "eu").parity.value, rel=1e-12)
    assert row(other, SMOL, "eu").parity.low == pytest.approx(row(read, SMOL, "eu").parity.low, rel=1e-9)
