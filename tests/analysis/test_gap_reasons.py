"""What lies behind a gap, on runs whose answers are set by hand: every count below is made by hand from them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis import Run, gaps, load_run, token_tax
from evalsuite.analysis.gap_reasons import _dealt_anew, gap_reasons
from evalsuite.analysis.gap_rows import Explains, GapReasons, GrownConfusion, ItemChanges, Part
from evalsuite.errors import InputError
from evalsuite.records import Cell, Record
from tests.synthetic import Plan, build_run
from tests.synthetic_forms import SENTENCES, Forms, build_forms
from tests.synthetic_labels import Labels, build_labels

# The category that is answered for each of twelve items; item i is of category i // 4.
_PICKS = {
    "en": (1, 1, 0, 0, 1, 1, 1, 2, 0, 2, 2, 2),
    "eu": (1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 2, 2),
    "ca": (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2),
}


def _values(cell: Cell, index: int) -> Sequence[float]:
    return [-1.0 if i == _PICKS[cell.language][index] else -5.0 for i in range(3)]


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Run:
    plan = Labels(categories=3, each=4, codes=("en", "ca", "eu"), models={"m": "M"}, values=_values)
    return load_run(build_labels(tmp_path_factory.mktemp("runs") / "labels", plan))


@pytest.fixture(scope="module")
def basque(labels: Run) -> GapReasons:
    return next(r for r in gap_reasons(labels) if r.language == "eu")


def test_items_are_named_that_are_lost_and_gained(basque: GapReasons) -> None:
    assert basque.reference == "en"
    assert basque.items.found == ItemChanges(lost=("key0-2", "key2-1"), gained=("key1-3",), both_right=6, both_wrong=3)
    assert (basque.difference.only_first, basque.difference.only_second) == (1, 2)


def test_the_same_wrong_option_is_counted_beside_what_habit_would_give(basque: GapReasons) -> None:
    # Both wrong: items 0 and 1, answered 1 in both; item 8, answered 0 in English and 1 in Basque.
    found = basque.mistakes.found
    assert found is not None
    assert (found.same.value, found.same.n) == (2 / 3, 3)
    assert (found.same.low, found.same.high) == pytest.approx(proportion_confint(2, 3, method="wilson"))
    # Dealt anew among items with the same right answer: 0 and 1 stay alike, 8 has no other to change with.
    assert found.expected == pytest.approx(2 / 3)


def test_the_habit_is_the_mean_over_all_ways_of_dealing_answers_anew() -> None:
    strata = np.array(["0", "0", "0", "1", "1"], dtype=object)
    first, second = np.array([1.0, 1.0, 2.0, 0.0, 2.0]), np.array([1.0, 2.0, 2.0, 0.0, 0.0])
    shares = [
        np.mean([*(first[:3] == second[list(one)]), *(first[3:] == second[list(other)])])
        for one in permutations(range(3))
        for other in permutations((3, 4))
    ]
    assert _dealt_anew(strata, first, second) == pytest.approx(np.mean(shares))


def test_confusions_that_grew_most_come_first(basque: GapReasons) -> None:
    assert basque.confusions.found == (
        GrownConfusion("eu-xxxxx2", "eu-xxx1", "en-xxxxx2", "en-xxx1", 2, 0),
        GrownConfusion("eu-x0", "eu-xxx1", "en-x0", "en-xxx1", 3, 2),
    )


def test_one_answer_that_takes_over_is_seen_by_its_place(basque: GapReasons) -> None:
    found = basque.options.found
    assert found is not None
    assert (found.here.place, found.here.answer) == (1, "eu-xxx1")
    assert (found.here.place_share, found.place_share_reference) == (9 / 12, 5 / 12)
    assert found.here.place_right == found.reference.place_right == 4 / 12


def test_kinds_of_item_are_sorted_by_how_far_they_are_behind(basque: GapReasons) -> None:
    assert basque.kinds.found is not None
    assert [(k.column, k.kind, k.difference.n, k.difference.difference) for k in basque.kinds.found] == [
        ("category", "key0", 4, -0.25),
        ("category", "key2", 4, -0.25),
        ("category", "key1", 4, 0.25),
    ]


def test_another_reference_may_be_named(labels: Run) -> None:
    rows = {r.language: r for r in gap_reasons(labels, reference="ca")}
    assert set(rows) == {"en", "eu"}
    assert {r.reference for r in rows.values()} == {"ca"}
    assert rows["eu"].difference.difference == pytest.approx(-5 / 12)
    with pytest.raises(InputError, match="no language 'fr'") as caught:
        gap_reasons(labels, reference="fr")
    assert caught.value.fix == "name one of its languages: en, ca, eu"


def test_the_gap_and_the_token_tax_are_those_of_their_tables(run: Run) -> None:
    rows = gap_reasons(run)
    known = {(g.model, g.group, g.language): g for g in gaps(run)}
    assert len(rows) == len(known)
    taxes = {(t.model, t.group, t.language): t.ratio for t in token_tax(run)}
    for row in rows:
        gap = known[row.model, row.group, row.language]
        assert row.difference.difference == gap.difference.difference
        assert (row.difference.low, row.difference.high) == (gap.difference.low, gap.difference.high)
        if gap.reason is None:
            assert row.tokens == taxes[row.model, row.group, row.language]
        else:
            assert row.items.reason is not None
            assert row.items.reason == row.kinds.reason == row.tokens.reason


def test_what_does_not_apply_says_why(run: Run) -> None:
    row = next(r for r in gap_reasons(run) if (r.group, r.language) == ("toy_topics", "eu"))
    assert row.wrong_language == Part(None, "answers are not written")
    assert row.kinds.found is None
    assert "name no kind" in (row.kinds.reason or "")


def test_options_in_another_order_are_not_compared_by_place(tmp_path: Path) -> None:
    def turn(cell: Cell, record: Record) -> Record:
        if cell.language == "en" or record.prediction is None:
            return record
        target = str((int(record.target) + 1) % len(record.choices))
        return record.model_copy(update={"target": target})

    plan = Plan(items=30, codes=("en", "es"), models={"m": "M"}, holes=False, record_hook=turn)
    for row in gap_reasons(load_run(build_run(tmp_path / "run", plan))):
        assert row.mistakes.reason == "options stand in another order than in the reference"
        assert row.confusions.reason == "categories stand in another order than in the reference"


_ENGLISH = "The public library opens at nine in the morning on every working day."


def _written(tmp_path: Path, spanish: Sequence[str | None]) -> GapReasons:
    """Return the row of Spanish; none stands for the right answer. In English all answers are right."""

    def write(cell: Cell, index: int) -> str:
        text = spanish[index] if cell.language == "es" else None
        return SENTENCES[cell.language][index % 4] if text is None else text

    plan = Forms(
        items=len(spanish), codes=("en", "es"), models={"m": "M"}, orders=1, wordings=("native",), cluster=None, write=write
    )  # fmt: skip
    run = load_run(build_forms(tmp_path / "run", plan))
    return next(r for r in gap_reasons(run) if (r.group, r.language) == ("toy_answers", "es"))


def test_the_gap_is_divided_by_the_language_of_the_answers(tmp_path: Path) -> None:
    row = _written(tmp_path, [None] * 8 + [_ENGLISH] * 12 + ["sí"] * 4)
    found = row.wrong_language.found
    assert found is not None
    assert row.difference.difference == pytest.approx(-16 / 24)
    assert (found.wrong.value, found.wrong.n) == (12 / 20, 20)
    assert found.not_told.value == 4 / 24
    assert (found.from_right, found.from_wrong, found.from_not_told) == pytest.approx((0, -12 / 24, -4 / 24))
    assert (found.among_right.n, found.among_right.difference) == (8, 0)
    assert found.explains is Explains.YES


def test_wrong_answers_in_the_right_language_are_no_matter_of_language(tmp_path: Path) -> None:
    wrong = "La biblioteca municipal cierra a las ocho de la tarde los lunes."
    found = _written(tmp_path, [wrong] * 16 + [_ENGLISH] * 4).wrong_language.found
    assert found is not None
    assert (found.from_right, found.from_wrong) == pytest.approx((-16 / 20, -4 / 20))
    assert found.explains is Explains.NO


def test_few_answers_in_the_right_language_tell_nothing(tmp_path: Path) -> None:
    found = _written(tmp_path, [None] * 1 + [_ENGLISH] * 19).wrong_language.found
    assert found is not None
    assert found.explains is Explains.OPEN


def test_where_no_gap_is_shown_there_is_nothing_to_explain(tmp_path: Path) -> None:
    found = _written(tmp_path, [None] * 20).wrong_language.found
    assert found is not None
    assert found.explains is None


def test_part_scores_name_no_items(tmp_path: Path) -> None:
    def part(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"score": record.item_index % 3 / 4})

    plan = Plan(items=10, codes=("en", "es"), models={"m": "M"}, holes=False, record_hook=part)
    row = gap_reasons(load_run(build_run(tmp_path / "run", plan)))[0]
    assert row.items.reason == "acc gives part scores, so that an item is not simply right or wrong"


def test_items_of_one_passage_are_one_piece_of_evidence(tmp_path: Path) -> None:
    def pick(cell: Cell, index: int) -> int:
        # Whole passages of four questions are right, or wrong: in English all, in Spanish every second one.
        right = cell.language == "en" or index // 4 % 2 == 0
        return index % 4 if right else (index + 1) % 4

    plan = Forms(items=40, codes=("en", "es"), models={"m": "M"}, orders=1, wordings=("native",), pick=pick)
    run = load_run(build_forms(tmp_path / "run", plan))
    row = next(r for r in gap_reasons(run) if r.group == "toy_reading")
    assert (row.difference.difference, row.difference.clusters) == (-0.5, 10)
    # Five of ten passages are lost: all 2^10 sign flips, of which 2 · 2^5 are as far from 0.
    assert row.difference.p == pytest.approx(2 * 2**5 / 2**10)


def test_a_part_has_a_finding_or_a_reason() -> None:
    with pytest.raises(ValueError, match="not both, not neither"):
        Part(None)
