"""Flags on made-up tables of scores; golden values from scipy's binomtest, statsmodels and exact fractions."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from evalsuite.analysis import analyse, find_flags, load_run
from evalsuite.analysis.flags import Flag, FlagKind, items_needed
from evalsuite.analysis.rows import AnswerSpread, Scale, ScoreRow
from evalsuite.records import Cell, CellStatus, PromptForm, Record
from evalsuite.stats.intervals import Estimate, wilson
from tests.synthetic import MODELS, Plan, build_run

CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")
SMOL, GEMMA = MODELS


def _row(
    right: int,
    n: int = 100,
    *,
    code: str = "en",
    model: str = "m",
    group: str = "g",
    chance: float | None = 0.25,
    form: PromptForm = PromptForm.NATIVE,
    spread: AnswerSpread | None = None,
) -> ScoreRow:
    estimate = wilson(right, n)
    return ScoreRow(
        model=model,
        task=f"{group}_{code}",
        group=group,
        language=code,
        form=form,
        metric="acc",
        estimate=estimate,
        scale=Scale.SHARE,
        chance=chance,
        above_chance=None if chance is None or estimate.low is None else estimate.low > chance,
        alternatives=(),
        spread=spread,
        planned=n,
        not_scored=0,
        binary=True,
        reproduced=n,
        status=CellStatus.DONE,
    )


def _rows(counts: list[int], n: int = 100, **fields: object) -> list[ScoreRow]:
    return [_row(right, n, code=code, **fields) for code, right in zip(CODES, counts, strict=False)]  # type: ignore[arg-type]


def _spread(**changes: object) -> AnswerSpread:
    spread = AnswerSpread(
        n=40, answer="yes", answer_share=0.5, answer_right=0.5, place=0, place_share=0.3, place_right=0.25
    )
    return replace(spread, **changes)  # type: ignore[arg-type]


def _kinds(rows: list[ScoreRow]) -> list[FlagKind]:
    return [flag.kind for flag in find_flags(rows)]


def _tail(right: int, n: int, chance: Fraction) -> Fraction:
    """P(X >= right), exactly."""
    return sum((math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(right, n + 1)), start=Fraction(0))


def test_a_model_at_chance_in_every_language_is_flagged() -> None:
    counts = [25, 28, 22, 30, 31, 19, 33]
    (flag,) = find_flags(_rows(counts))
    assert (flag.kind, flag.model, flag.groups, flag.languages) == (FlagKind.AT_CHANCE, "m", ("g",), CODES)
    assert [(s.items, s.score, s.chance) for s in flag.seen] == [(100, c / 100, 0.25) for c in counts]
    # Another implementation of test and correction: scipy's binomtest, statsmodels' Holm.
    single = [binomtest(c, 100, 0.25, alternative="greater").pvalue for c in counts]
    assert [s.p_holm for s in flag.seen] == pytest.approx(list(multipletests(single, method="holm")[1]))


def test_p_is_the_exact_tail() -> None:
    (flag,) = find_flags([_row(12, 40, chance=0.25)])
    assert flag.seen[0].p_holm == pytest.approx(float(_tail(12, 40, Fraction(1, 4))), rel=1e-12)
    assert flag.seen[0].p_holm == pytest.approx(0.28486, abs=1e-5)


def test_one_language_that_is_shown_lifts_the_flag() -> None:
    assert _kinds(_rows([25, 25, 25, 25, 25, 25, 25])) == [FlagKind.AT_CHANCE]
    # p of 38 of 100 is 0.0027; times 7 it is 0.019.
    assert 7 * binomtest(38, 100, 0.25, alternative="greater").pvalue < 0.05
    assert _kinds(_rows([25, 25, 25, 25, 25, 25, 38])) == []


def test_one_good_language_of_many_may_be_luck() -> None:
    # Alone, 36 of 100 is better than chance, by its interval and by the test (0.0094); as one of seven it is not.
    assert binomtest(36, 100, 0.25, alternative="greater").pvalue < 0.05
    (flag,) = find_flags(_rows([25, 25, 25, 25, 25, 25, 36]))
    assert flag.kind is FlagKind.AT_CHANCE
    assert [s.above_chance for s in flag.seen] == [False] * 6 + [True]
    assert _kinds([_row(36)]) == []


def test_below_chance_is_not_better_than_chance() -> None:
    assert _kinds(_rows([3, 2, 0, 5])) == [FlagKind.AT_CHANCE]


def test_a_guesser_seldom_escapes() -> None:
    # Seeded simulation: 7 languages of 60 items and 7 options; the correction promises at most 5 in 100.
    drawn = np.random.default_rng(1).binomial(60, 1 / 7, size=(1000, 7))
    escaped = sum(not find_flags(_rows([int(c) for c in counts], 60, chance=1 / 7)) for counts in drawn)
    assert escaped / 1000 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1000)


def test_why_wilson_is_not_used() -> None:
    # The figures of docs/statistics.md: with 40 items and a chance of 1/12 Wilson's interval clears chance from 7 on.
    assert [_row(right, 40, chance=1 / 12).above_chance for right in (6, 7)] == [False, True]
    tail = float(_tail(7, 40, Fraction(1, 12)))
    assert (round(tail, 3), round(1 - (1 - tail) ** 7, 2)) == (0.045, 0.28)


@pytest.mark.parametrize("chance", [None, 0.0, 1.0])
def test_what_has_no_chance_level_is_left_out(chance: float | None) -> None:
    assert _kinds(_rows([0, 0, 0], chance=chance)) == []
    assert _kinds([*_rows([25, 25]), _row(0, code="ja", chance=chance)]) == []


def test_scores_that_are_not_0_or_1_are_left_out() -> None:
    row = replace(_row(25), estimate=Estimate(0.25, 0.2, 0.3, 100, "bootstrap"), binary=False)
    assert _kinds([row, _row(25, code="es")]) == []


def test_languages_without_scores_do_not_count() -> None:
    hole = replace(_row(0, code="ja"), estimate=Estimate(None, None, None, 0, "", "failed"), above_chance=None)
    (flag,) = find_flags([*_rows([25, 27]), hole])
    assert flag.languages == ("en", "es")
    assert find_flags([hole]) == ()


def _can_tell(n: int, chance: float, languages: int) -> bool:
    right = math.floor(min(2 * chance, (1 + chance) / 2) * n + 1e-9)
    return bool(binomtest(right, n, chance, alternative="greater").pvalue * languages < 0.05)


@pytest.mark.parametrize(
    ("chance", "languages", "expected"), [(0.25, 1, 16), (0.25, 7, 28), (1 / 7, 7, 60), (1 / 12, 7, 108), (0.5, 7, 31)]
)
def test_how_many_items_are_needed(chance: float, languages: int, expected: int) -> None:
    assert items_needed(chance, languages) == expected
    # One by one with binomtest: the last count that cannot tell is the one before.
    assert not _can_tell(expected - 1, chance, languages)
    assert all(_can_tell(n, chance, languages) for n in range(expected, expected + 60))


def test_there_may_be_no_number_that_is_enough() -> None:
    assert items_needed(0.0001, 7) is None
    (flag,) = find_flags([_row(0, chance=0.0001)])
    assert (flag.kind, flag.items_needed) == (FlagKind.TOO_FEW_ITEMS, None)


def test_too_few_items_are_no_suspicion() -> None:
    (few,) = find_flags(_rows([6] * 7, 27))
    assert (few.kind, few.items_needed, few.others) == (FlagKind.TOO_FEW_ITEMS, 28, None)
    assert _kinds(_rows([6] * 7, 28)) == [FlagKind.AT_CHANCE]
    # A model that is much better is shown to be, on however few items.
    assert _kinds(_rows([10] * 7, 10)) == []


def test_enough_items_in_one_language_are_enough() -> None:
    rows = [*_rows([1, 1], 4), _row(25, 100, code="ja")]
    assert _kinds(rows) == [FlagKind.AT_CHANCE]


def test_a_model_at_chance_on_all_groups_gets_one_flag() -> None:
    rows = [*_rows([25, 25], group="a"), *_rows([24, 20], group="b"), *_rows([90, 90], group="c", chance=None)]
    (flag,) = find_flags(rows)
    assert (flag.kind, flag.groups) == (FlagKind.MODEL_AT_CHANCE, ("a", "b"))
    assert [(s.group, s.language) for s in flag.seen] == [("a", "en"), ("a", "es"), ("b", "en"), ("b", "es")]
    # One group that is shown, or that cannot be told, and the model as a whole is not accused.
    assert _kinds([*rows, *_rows([60, 60], group="d")]) == [FlagKind.AT_CHANCE, FlagKind.AT_CHANCE]
    few = _kinds([*rows, *_rows([1, 1], 4, group="d")])
    assert few == [FlagKind.AT_CHANCE, FlagKind.AT_CHANCE, FlagKind.TOO_FEW_ITEMS]


def test_prompt_forms_are_judged_apart() -> None:
    flags = find_flags([*_rows([25, 25]), *_rows([70, 70], form=PromptForm.CHAT)])
    assert [(f.kind, f.form) for f in flags] == [(FlagKind.AT_CHANCE, PromptForm.NATIVE)]


def test_other_models_tell_whether_the_task_can_be_done() -> None:
    bad = _rows([25, 25])

    def others(*rows: ScoreRow) -> dict[str, tuple[str, ...] | None]:
        return {f.model: f.others for f in find_flags([*bad, *rows])}

    assert others() == {"m": None}
    assert others(*_rows([70, 26], model="other")) == {"m": ("other",)}
    assert others(*_rows([24, 26], model="other")) == {"m": (), "other": ()}
    assert others(*_rows([1, 1], 4, model="few")) == {"m": None, "few": None}


def _answer_flags(spread: AnswerSpread, **more: AnswerSpread) -> list[Flag]:
    rows = [_row(60, spread=spread), *(_row(60, code=code, spread=s) for code, s in more.items())]
    return list(find_flags(rows))


def test_a_constant_answer_is_flagged_by_language() -> None:
    constant = _spread(answer="entrega", answer_share=0.95, answer_right=0.075)
    (flag,) = _answer_flags(_spread(), es=constant, eu=replace(constant, answer_share=1.0))
    assert (flag.kind, flag.languages, flag.others) == (FlagKind.SAME_ANSWER, ("es", "eu"), None)
    assert [(s.answer, s.place, s.share, s.right_share, s.items) for s in flag.seen] == [
        ("entrega", None, 0.95, 0.075, 40),
        ("entrega", None, 1.0, 0.075, 40),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"answer_share": 0.9}, [FlagKind.SAME_ANSWER]),
        ({"answer_share": 0.875}, []),
        ({"answer_share": 1.0, "n": 19}, []),
        ({"answer_share": 1.0, "n": 20}, [FlagKind.SAME_ANSWER]),
        # What the right answers explain is no sign of anything: 38 of 40 where it is right for 90 % (p 0.22).
        ({"answer_share": 0.95, "answer_right": 0.9}, []),
        ({"answer_share": 1.0, "answer_right": 1.0}, []),
        # All of 40 where it is right for 80 %: 0.8 ** 40 is 0.0001.
        ({"answer_share": 1.0, "answer_right": 0.8}, [FlagKind.SAME_ANSWER]),
        ({"answer_share": 1.0, "answer_right": None}, []),
        ({"place_share": 1.0}, [FlagKind.SAME_PLACE]),
        ({"place_share": 1.0, "place_right": 1.0}, []),
        ({"answer_share": 1.0, "place_share": 1.0}, [FlagKind.SAME_ANSWER]),
    ],
)
def test_when_answers_count_as_alike(changes: dict[str, object], expected: list[FlagKind]) -> None:
    assert [f.kind for f in _answer_flags(_spread(**changes))] == expected


def test_the_gravest_comes_first() -> None:
    rows = [
        *_rows([1, 1], 4, group="few"),
        _row(60, group="same", spread=_spread(place_share=1.0)),
        *_rows([25, 25], group="guess"),
    ]
    assert _kinds(rows) == [FlagKind.AT_CHANCE, FlagKind.SAME_PLACE, FlagKind.TOO_FEW_ITEMS]


def test_a_broken_log_likelihood_of_a_run_is_found(tmp_path: Path) -> None:
    def equal(cell: Cell, record: Record) -> Record:
        """Every choice gets the same log-probability, so that the first wins; the choices differ from item to item."""
        if cell.model != SMOL:
            return record
        choices = tuple(f"{choice} {record.item_index}" for choice in record.choices)
        right = float(record.target == "0")
        changes = {"choices": choices, "logprobs": (-1.0,) * len(choices), "prediction": 0, "score": right}
        return record.model_copy(update=changes)

    run = load_run(build_run(tmp_path / "run", Plan(codes=("en", "es"), holes=False, record_hook=equal)))
    flags = analyse(run).flags
    assert {f.model for f in flags} == {SMOL}
    first, *rest = flags
    assert (first.kind, first.groups, first.others) == (
        FlagKind.MODEL_AT_CHANCE, ("toy_topics", "toy_facts"), (GEMMA,)
    )  # fmt: skip
    assert [(f.kind, f.groups, f.languages) for f in rest] == [
        (FlagKind.SAME_PLACE, ("toy_topics",), ("en", "es")),
        (FlagKind.SAME_PLACE, ("toy_facts",), ("en", "es")),
    ]
    assert {(s.place, s.answer, s.share) for f in rest for s in f.seen} == {(0, None, 1.0)}
    # The right answers go round the places: 9 of 60 of seven places, 15 of 60 of four.
    assert [s.right_share for f in rest for s in f.seen] == [9 / 60, 9 / 60, 0.25, 0.25]


def test_a_run_without_trouble_has_no_flags(run) -> None:
    assert analyse(run).flags == ()
