"""Tables of a run, against values worked out from the stored records by other means."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis import Run, analyse, comparisons, failures, gaps, load_run, scores, token_tax
from evalsuite.analysis.gap_table import verdict_of
from evalsuite.analysis.rows import Scale, Verdict, split_fix
from evalsuite.analysis.token_table import family_token_tax
from evalsuite.errors import InputError
from evalsuite.records import Cell, CellStatus, PromptForm, Record
from evalsuite.stats import PairedDifference
from evalsuite.store import RunFolder
from tests.synthetic import CODES, MODELS, Plan, build_run
from tests.synthetic_forms import Forms, build_forms

SMOL, GEMMA = MODELS


def _by_id(run: Run, model: str, task: str) -> dict[str, Record]:
    cell = next(c for c in run.manifest.cells if (c.model, c.task) == (model, task))
    return {r.item_id: r for r in RunFolder(run.path).records(cell)}


def test_scores_are_counts_of_the_records(run: Run) -> None:
    row = next(r for r in scores(run) if (r.model, r.task) == (GEMMA, "toy_topics_eu"))
    values = [r.score for r in _by_id(run, GEMMA, "toy_topics_eu").values()]
    right = sum(1 for v in values if v == 1)
    assert row.estimate.value == right / 60
    assert (row.estimate.low, row.estimate.high) == pytest.approx(proportion_confint(right, 60, method="wilson"))
    assert (row.estimate.n, row.planned, row.not_scored, row.metric) == (60, 60, 0, "acc")
    assert row.chance == pytest.approx(1 / 7)
    assert row.above_chance is (row.estimate.low is not None and row.estimate.low > 1 / 7)


def test_scores_have_a_row_for_every_hole(run: Run) -> None:
    rows = scores(run)
    assert len(rows) == 2 * 14
    missing = {(r.model, r.task): r.estimate.reason for r in rows if r.estimate.value is None}
    assert missing == {
        (SMOL, "toy_facts_ja"): "failed: the engine crashed: SIGSEGV",
        (SMOL, "toy_facts_eu"): "skipped: the data set has no test split in Basque",
        (GEMMA, "toy_facts_eu"): "skipped: the data set has no test split in Basque",
    }
    partial = next(r for r in rows if (r.model, r.task) == (SMOL, "toy_topics_gl"))
    assert (partial.status, partial.estimate.n, partial.not_scored) == (CellStatus.PENDING, 20, 40)


def test_alternatives_say_what_was_in_use_and_reproduce_it(run: Run) -> None:
    for row in scores(run):
        if row.estimate.value is None:
            continue
        used = next(a for a in row.alternatives if a.metric == row.metric)
        assert used.value == pytest.approx(row.estimate.value)
        assert row.reproduced == row.estimate.n
        prior = next(a for a in row.alternatives if a.metric == "acc_mutual_info")
        assert (prior.value is None) == (row.group == "toy_topics")
        assert (prior.reason is None) == (prior.value is not None)


def test_a_score_that_cannot_be_reproduced_is_counted(tmp_path: Path) -> None:
    def flip(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"score": 1 - (record.score or 0)}) if record.item_index == 0 else record

    run = load_run(build_run(tmp_path / "run", Plan(items=5, codes=("en",), holes=False, record_hook=flip)))
    assert {row.reproduced for row in scores(run)} == {4}


def test_gaps_are_paired_by_item(run: Run) -> None:
    row = next(g for g in gaps(run) if (g.model, g.group, g.language) == (SMOL, "toy_topics", "gl"))
    here, there = _by_id(run, SMOL, "toy_topics_gl"), _by_id(run, SMOL, "toy_topics_en")
    common = here.keys() & there.keys()
    only_here = sum(1 for i in common if here[i].score == 1 and there[i].score == 0)
    only_there = sum(1 for i in common if here[i].score == 0 and there[i].score == 1)
    d = row.difference
    assert (d.n, d.only_first, d.only_second) == (20, only_here, only_there)
    assert d.difference == pytest.approx((only_here - only_there) / 20)
    assert d.p == pytest.approx(float(mcnemar([[0, only_here], [only_there, 0]], exact=True).pvalue))
    assert row.reference == "en"


def test_pairing_uses_ids_and_not_positions(tmp_path: Path) -> None:
    def shuffle(cell: Cell, record: Record) -> Record:
        # The same item is in another place of the Spanish data; scores follow the item.
        place = record.item_index if cell.language == "en" else 29 - record.item_index
        return record.model_copy(update={"item_id": f"q{place}", "score": float(place % 3 == 0)})

    run = load_run(build_run(tmp_path / "run", Plan(items=30, codes=("en", "es"), holes=False, record_hook=shuffle)))
    for row in gaps(run):
        assert (row.difference.n, row.difference.only_first, row.difference.only_second) == (30, 0, 0)
        assert (row.difference.p, row.verdict) == (1.0, Verdict.INCONCLUSIVE)


def test_the_correction_is_over_all_gaps(run: Run) -> None:
    rows = gaps(run)
    known = [r for r in rows if r.difference.p is not None]
    assert len(rows) == 2 * 12
    assert len(known) == 2 * 12 - 3
    expected = multipletests([r.difference.p for r in known], method="holm")[1]
    assert [r.p_holm for r in known] == pytest.approx(expected)
    for row in known:
        behind = row.p_holm is not None and row.p_holm < 0.05 and (row.difference.high or 0) < 0
        assert (row.verdict is Verdict.BEHIND) == behind
    assert any(r.verdict is Verdict.BEHIND and r.language == "eu" for r in known)


def test_a_gap_without_data_has_a_reason(run: Run) -> None:
    found = {(r.model, r.language): r.reason for r in gaps(run) if r.difference.difference is None}
    assert found == {
        (SMOL, "eu"): "no scores in Basque (skipped: the data set has no test split in Basque)",
        (GEMMA, "eu"): "no scores in Basque (skipped: the data set has no test split in Basque)",
        (SMOL, "ja"): "no scores in Japanese (failed: the engine crashed: SIGSEGV)",
    }
    assert all(r.verdict is None and r.p_holm is None for r in gaps(run) if r.difference.difference is None)


def test_a_reference_that_was_not_run_gives_reasons_not_numbers(tmp_path: Path) -> None:
    run = load_run(build_run(tmp_path / "run", Plan(items=10, codes=("es", "eu"), holes=False)))
    rows = gaps(run)
    assert len(rows) == 2 * 2 * 2
    assert {r.reason for r in rows} == {"this group has no task in en in this run"}
    assert {r.difference.difference for r in rows} == {None}


def test_the_sweep_may_name_the_reference(tmp_path: Path) -> None:
    plan = Plan(items=20, codes=("en", "es", "eu"), holes=False, reference="es")
    run = load_run(build_run(tmp_path / "run", plan))
    assert {(r.language, r.reference) for r in gaps(run)} == {("en", "es"), ("eu", "es")}
    assert {r.reference for r in token_tax(run) if r.language == "es"} == {None}


def test_ids_that_repeat_are_not_paired(tmp_path: Path) -> None:
    plan = Plan(
        items=6, codes=("en", "es"), holes=False, record_hook=lambda _, r: r.model_copy(update={"item_id": "same"})
    )
    run = load_run(build_run(tmp_path / "run", plan))
    assert {r.reason for r in gaps(run)} == {
        f"item ids of {name} are not unique, so items cannot be paired" for name in ("toy_topics_es", "toy_facts_es")
    }
    assert {r.ratio.value for r in token_tax(run)} == {None}
    assert comparisons(run) == ()


def test_real_scores_get_a_t_interval_that_knows_skewness(tmp_path: Path) -> None:
    def grade(cell: Cell, record: Record) -> Record:
        value = (record.item_index % 10) / 10 * (0.5 if cell.language == "eu" else 1.0)
        return record.model_copy(update={"score": value})

    run = load_run(build_run(tmp_path / "run", Plan(items=40, codes=("en", "eu"), holes=False, record_hook=grade)))
    row = next(r for r in scores(run) if r.language == "en")
    assert (row.estimate.method, row.scale) == ("skew-t", Scale.SHARE)
    assert row.estimate.value == pytest.approx(0.45)
    gap = gaps(run)[0]
    assert gap.difference.difference == pytest.approx(-0.225)
    assert (gap.difference.test_method, gap.difference.only_first, gap.verdict) == ("sign-flip", None, Verdict.BEHIND)
    assert gaps(run) == gaps(load_run(run.path))


def test_scores_outside_0_to_1_are_not_percentages(tmp_path: Path) -> None:
    plan = Plan(
        items=10,
        codes=("en",),
        holes=False,
        record_hook=lambda _, r: r.model_copy(update={"score": 40.0 + r.item_index}),
    )
    assert {r.scale for r in scores(load_run(build_run(tmp_path / "run", plan)))} == {Scale.RAW}


def test_models_are_compared_on_the_same_items(run: Run) -> None:
    row = next(r for r in comparisons(run) if r.task == "toy_topics_eu")
    a, b = _by_id(run, row.model, row.task), _by_id(run, row.other, row.task)
    diff = [(a[i].score or 0) - (b[i].score or 0) for i in a]
    assert row.difference.difference == pytest.approx(float(np.mean(diff)))
    assert (row.model, row.other) == (SMOL, GEMMA)
    assert len(comparisons(run)) == 12  # 14 tasks, less the skipped one and the one that failed for one model


def test_token_tax_is_the_ratio_of_the_same_items(run: Run) -> None:
    row = next(r for r in token_tax(run) if (r.model, r.group, r.language) == (SMOL, "toy_topics", "gl"))
    here, there = _by_id(run, SMOL, "toy_topics_gl"), _by_id(run, SMOL, "toy_topics_en")
    top = sum(r.context_tokens or 0 for r in here.values())
    bottom = sum(there[i].context_tokens or 0 for i in here)
    assert row.ratio.value == pytest.approx(top / bottom)
    assert (row.ratio.n, row.items) == (20, 20)
    assert row.tokens_per_item == pytest.approx(top / 20)
    assert row.chars_per_token == pytest.approx(sum(r.context_chars for r in here.values()) / top)
    english = next(r for r in token_tax(run) if r.language == "en")
    assert (english.ratio.value, english.ratio.reason) == (None, "no reference")


def test_the_tasks_of_a_family_are_taken_together(run: Run) -> None:
    tasks = {name: task.model_copy(update={"family": "choice"}) for name, task in run.manifest.tasks.items()}
    one = replace(run, manifest=run.manifest.model_copy(update={"tasks": tasks}))
    row = next(r for r in family_token_tax(one) if (r.model, r.language) == (GEMMA, "es"))
    here, there = (
        [_by_id(run, GEMMA, f"{group}_{code}") for group in ("toy_topics", "toy_facts")] for code in ("es", "en")
    )
    counted = [
        (r.context_tokens or 0, there[i][key].context_tokens or 0) for i, d in enumerate(here) for key, r in d.items()
    ]
    top, bottom = (sum(side) for side in zip(*counted, strict=True))
    assert (row.task, row.group, row.items) == ("choice", "choice", 120)
    assert row.tokens_per_item == pytest.approx(top / 120)
    assert row.ratio.value == pytest.approx(top / bottom)
    assert row.ratio.n == 120
    apart = {(r.group, r.language, r.model): r for r in token_tax(run)}
    for both in family_token_tax(run):
        group = {"classification": "toy_topics", "facts": "toy_facts"}[both.group]
        alone = apart[group, both.language, both.model]
        assert (both.tokens_per_item, both.ratio.value) == (alone.tokens_per_item, alone.ratio.value)


def test_an_engine_without_token_counts_is_missing_not_zero(tmp_path: Path) -> None:
    plan = Plan(
        items=5, codes=("en", "eu"), holes=False, record_hook=lambda _, r: r.model_copy(update={"context_tokens": None})
    )
    rows = token_tax(load_run(build_run(tmp_path / "run", plan)))
    assert {(r.tokens_per_item, r.ratio.value, r.reason) for r in rows} == {
        (None, None, "the engine gave no token counts")
    }


def test_failures_say_why_and_what_to_do(run: Run) -> None:
    rows = failures(run)
    assert [(r.status, r.model, r.task, r.done, r.planned) for r in rows] == [
        (CellStatus.FAILED, SMOL, "toy_facts_ja", 0, 60),
        (CellStatus.PENDING, SMOL, "toy_topics_gl", 20, 60),
        (CellStatus.SKIPPED, None, "toy_facts_eu", 0, None),
    ]
    assert (rows[0].reason, rows[0].fix) == ("the engine crashed: SIGSEGV", "build llama-cpp-python without AMX")
    assert (rows[1].reason, rows[1].fix) == (None, None)
    assert rows[2].fix == "give a folder that holds it with --data"


def test_prompt_forms_are_kept_apart(tmp_path: Path) -> None:
    plan = Plan(items=8, codes=("en", "eu"), holes=False, forms=(PromptForm.NATIVE, PromptForm.CHAT))
    tables = analyse(load_run(build_run(tmp_path / "run", plan)))
    assert len(tables.scores) == 2 * 4 * 2
    assert len(tables.gaps) == 2 * 2 * 2
    assert {r.form for r in tables.gaps} == {PromptForm.NATIVE, PromptForm.CHAT}
    assert all(r.difference.n == 8 for r in tables.comparisons)


def _difference(low: float, high: float) -> PairedDifference:
    middle = (low + high) / 2
    return PairedDifference(50, 0.5, 0.5, middle, low, high, 1, 1, 0.01, "newcombe", "mcnemar")


@pytest.mark.parametrize(
    ("low", "high", "p", "expected"),
    [
        (-0.3, -0.1, 0.01, Verdict.BEHIND),
        (0.1, 0.3, 0.01, Verdict.AHEAD),
        (-0.3, -0.1, 0.05, Verdict.INCONCLUSIVE),
        (-0.3, 0.01, 0.01, Verdict.INCONCLUSIVE),
        (-0.3, -0.1, None, None),
    ],
)
def test_a_verdict_needs_both_test_and_interval(
    low: float, high: float, p: float | None, expected: Verdict | None
) -> None:
    assert verdict_of(_difference(low, high), p) is expected


def test_every_language_of_the_plan_is_in_the_tables(run: Run) -> None:
    assert {r.language for r in scores(run)} == set(CODES)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("the worker ended (fix: see logs/ in the run folder)", ("the worker ended", "see logs/ in the run folder")),
        ("too long: 9 tokens\n  fix: give --context", ("too long: 9 tokens", "give --context")),
        ("crashed (SIGSEGV)", ("crashed (SIGSEGV)", None)),
        (None, (None, None)),
    ],
)
def test_a_stored_reason_holds_its_fix(stored: str | None, expected: tuple[str | None, str | None]) -> None:
    assert split_fix(stored) == expected


def test_a_comparison_reads_the_same_from_the_other_side(run: Run) -> None:
    row = next(r for r in comparisons(run) if r.verdict is Verdict.BEHIND)
    turned = row.turned()
    assert (turned.model, turned.other, turned.verdict) == (row.other, row.model, Verdict.AHEAD)
    assert turned.difference.difference == -(row.difference.difference or 0)
    assert turned.difference.low == -(row.difference.high or 0)
    assert (turned.difference.only_first, turned.p_holm) == (row.difference.only_second, row.p_holm)
    assert turned.turned() == row


def test_the_spread_of_answers_is_counted_from_the_records(run: Run) -> None:
    for row in scores(run):
        if row.estimate.value is None:
            assert row.spread is None
            continue
        kept = list(_by_id(run, row.model, row.task).values())
        places = Counter(r.prediction for r in kept)
        s = row.spread
        assert s is not None
        assert (s.n, places[s.place], s.place_share) == (len(kept), max(places.values()), places[s.place] / len(kept))
        assert s.place_right == sum(int(r.target) == s.place for r in kept) / len(kept)
        # Every item of these tasks offers the same choices in the same order.
        assert (s.answer, s.answer_share, s.answer_right) == (kept[0].choices[s.place], s.place_share, s.place_right)


def test_an_answer_and_its_place_are_counted_apart(tmp_path: Path) -> None:
    def turn(cell: Cell, record: Record) -> Record:
        by = record.item_index % len(record.choices)
        choices = record.choices[by:] + record.choices[:by]
        place = choices.index("travel") if cell.language == "en" else 1
        targets = [choices.index("travel"), 1] if record.item_index % 2 else [0]
        return record.model_copy(update={"choices": choices, "prediction": place, "target": json.dumps(targets)})

    run = load_run(build_run(tmp_path / "run", Plan(items=28, codes=("en", "es"), holes=False, record_hook=turn)))
    rows = [r for r in scores(run) if r.group == "toy_facts" and r.model == GEMMA]
    english, spanish = (r.spread for r in rows)
    assert english is not None
    assert spanish is not None
    # Right by turns: “travel” and place 1 on odd items, place 0 on even ones; there, turned by 1 of 4, “travel” is never.
    assert (english.answer, english.answer_share, english.place_share) == ("travel", 1.0, 0.25)
    assert english.answer_right == 0.5
    assert (spanish.place, spanish.place_share, spanish.answer_share) == (1, 1.0, 0.25)
    assert spanish.place_right == 0.5


def test_items_without_a_choice_have_no_spread(tmp_path: Path) -> None:
    plan = Plan(items=5, codes=("en",), holes=False, record_hook=lambda _, r: r.model_copy(update={"prediction": None}))
    assert {r.spread for r in scores(load_run(build_run(tmp_path / "run", plan)))} == {None}


def test_items_of_one_document_are_drawn_together(varied: Run) -> None:
    row = next(r for r in scores(varied) if (r.model, r.task) == (GEMMA, "toy_reading_es"))
    values = np.array([r.score for r in _by_id(varied, GEMMA, "toy_reading_es").values()]).reshape(10, 4)
    # Another path to the interval: the shares whose score statistic, with the variance of the documents' means, is t.
    p, error = values.mean(), values.mean(axis=1).std(ddof=1) / np.sqrt(10)
    k = t.ppf(0.975, 9) ** 2 * error**2 / (p * (1 - p))
    golden = np.sort(np.roots([1 + k, -2 * p - k, p**2]))
    assert row.estimate.value == p
    assert (row.estimate.low, row.estimate.high) == pytest.approx(tuple(golden), abs=1e-9)
    assert (row.estimate.method, row.estimate.n, row.binary) == ("wilson, clusters", 40, True)


def test_items_that_share_nothing_keep_wilson(tmp_path: Path) -> None:
    path = build_forms(tmp_path / "run", Forms(items=8, codes=("en",), cluster=1, orders=1))
    assert {r.estimate.method for r in scores(load_run(path)) if r.group == "toy_reading"} == {"wilson"}


@pytest.mark.parametrize("cluster", [None, 4])
def test_a_score_of_0_on_another_scale_is_no_share(tmp_path: Path, cluster: int | None) -> None:
    path = build_forms(tmp_path / "run", Forms(items=8, codes=("en", "es"), cluster=cluster, orders=1))
    run = load_run(path)
    translated = run.items["group"] == "toy_translation"
    run.items.loc[translated, "score"] = np.where(run.items.loc[translated, "language"] == "en", 55.5, 0.0)
    rows = [r for r in scores(run) if r.group == "toy_translation"]
    assert {(r.estimate.value, r.estimate.low, r.binary, r.scale) for r in rows} == {
        (55.5, None, False, Scale.RAW),
        (0.0, None, False, Scale.RAW),
    }
    assert {r.estimate.reason for r in rows} == {"all items score the same, so that the interval has no width"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [({"margin": 0.0}, "margin of 0 "), ({"margin": 5}, "margin of 5 "), ({"reference": "xx"}, "'xx'")],
)
def test_a_margin_or_reference_that_cannot_be_is_refused(run: Run, asked: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        gaps(run, **asked)
