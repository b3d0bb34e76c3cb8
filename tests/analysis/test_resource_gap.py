"""Low against high tier: means by pandas, intervals and p-values by scipy and statsmodels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import permutation_test, ttest_1samp
from statsmodels.stats.multitest import multipletests

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.resource_gap import ResourceGapRow, larger_models, resource_gaps
from evalsuite.analysis.rows import Verdict
from evalsuite.records import Cell, Record
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_forms import Forms, build_forms

SMOL, GEMMA = MODELS
LOW, HIGH = ["ca", "gl", "eu"], ["es", "pt", "ja"]
CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load_run(build_run(tmp_path_factory.mktemp("runs") / "whole", Plan(items=40, holes=False)))


@pytest.fixture(scope="module")
def rows(whole: Run) -> tuple[ResourceGapRow, ...]:
    return resource_gaps(whole)


def _wide(run: Run, model: str, group: str) -> pd.DataFrame:
    """Return the difference of the tiers by item, made with pandas."""
    table = run.items[(run.items["model"] == model) & (run.items["group"] == group)]
    wide = table.pivot_table(index="item_id", columns="language", values="score")
    return pd.DataFrame({"low": wide[LOW].mean(axis=1), "high": wide[HIGH].mean(axis=1)})


def test_the_unit_is_the_item_and_english_is_in_neither_class(whole: Run, rows: tuple[ResourceGapRow, ...]) -> None:
    row = next(r for r in rows if (r.model, r.group) == (GEMMA, "toy_topics"))
    table = _wide(whole, GEMMA, "toy_topics")
    assert (row.low, row.high) == (("ca", "gl", "eu"), ("es", "pt", "ja"))
    assert (row.difference.n, row.difference.interval_method) == (40, "t")
    assert row.difference.first == pytest.approx(table["low"].mean())
    assert row.difference.second == pytest.approx(table["high"].mean())
    gap = (table["low"] - table["high"]).to_numpy()
    expected = permutation_test(
        (gap,), np.sum, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    assert row.difference.p == pytest.approx(expected.pvalue, abs=0.01)
    interval = ttest_1samp(gap, 0).confidence_interval(0.95)
    assert (row.difference.low, row.difference.high) == pytest.approx((interval.low, interval.high))


def test_over_groups_each_group_counts_alike(whole: Run, rows: tuple[ResourceGapRow, ...]) -> None:
    row = next(r for r in rows if (r.model, r.group) == (GEMMA, None))
    tables = {g: _wide(whole, GEMMA, g) for g in ("toy_topics", "toy_facts")}
    gaps = {g: t["low"] - t["high"] for g, t in tables.items()}
    assert set(row.groups) == set(gaps)
    assert row.difference.difference == pytest.approx(np.mean([g.mean() for g in gaps.values()]))
    # Both groups have items of the same ids, which count once: the interval is that of the items' means.
    interval = ttest_1samp((gaps["toy_topics"] + gaps["toy_facts"]) / 2, 0).confidence_interval(0.95)
    assert (row.difference.low, row.difference.high) == pytest.approx((interval.low, interval.high))


def test_over_models_each_item_has_the_mean_of_the_models(whole: Run, rows: tuple[ResourceGapRow, ...]) -> None:
    row = next(r for r in rows if (r.model, r.group) == (None, "toy_facts"))
    means = [_wide(whole, m, "toy_facts") for m in MODELS]
    assert row.models == (SMOL, GEMMA)
    assert row.difference.n == 40
    assert row.difference.difference == pytest.approx(np.mean([(t["low"] - t["high"]).mean() for t in means]))


def test_the_correction_is_over_the_whole_table(rows: tuple[ResourceGapRow, ...]) -> None:
    assert len(rows) == 3 * 3
    expected = multipletests([r.difference.p for r in rows], method="holm")[1]
    assert [r.p_holm for r in rows] == pytest.approx(expected)
    assert next(r for r in rows if r.model is None and r.group is None).verdict is Verdict.BEHIND


def test_languages_without_scores_are_left_out_and_items_are_those_of_all(run: Run) -> None:
    found = {(r.model, r.group): r for r in resource_gaps(run)}
    # Failed in Japanese for one model, skipped in Basque for both; Galician has 20 of 60 items for one model.
    assert (found[SMOL, "toy_facts"].low, found[SMOL, "toy_facts"].high) == (("ca", "gl"), ("es", "pt"))
    assert found[GEMMA, "toy_facts"].high == ("es", "pt", "ja")
    assert found[SMOL, "toy_topics"].difference.n == 20
    # The models were not asked in the same languages, so there is no mean of both.
    assert (None, "toy_facts") not in found
    assert found[None, None].groups == ("toy_topics",)


def test_a_class_without_languages_has_a_reason(tmp_path: Path) -> None:
    run = load_run(build_run(tmp_path / "run", Plan(items=5, codes=("en", "eu"), models={"m": "M"}, holes=False)))
    rows = resource_gaps(run)
    assert [r.reason for r in rows[:2]] == ["no scores in a high-resource language beside the control"] * 2
    assert rows[2].group is None
    assert rows[2].reason == "no group with scores between 0 and 1 has both low-resource and high-resource languages"
    assert {r.p_holm for r in rows} == {None}
    assert {r.verdict for r in rows} == {None}


def test_scores_that_are_no_shares_are_in_no_mean_over_groups(tmp_path: Path) -> None:
    def raw(cell: Cell, record: Record) -> Record:
        change = {"score": 40.0 + record.item_index} if cell.task.startswith("toy_facts") else {}
        return record.model_copy(update=change)

    plan = Plan(items=8, codes=("en", "es", "eu"), models={"m": "M"}, holes=False, record_hook=raw)
    rows = {r.group: r for r in resource_gaps(load_run(build_run(tmp_path / "run", plan)))}
    assert rows["toy_facts"].difference.first == pytest.approx(43.5)
    assert rows[None].groups == ("toy_topics",)


def test_one_language_a_side_is_a_difference_of_shares(tmp_path: Path) -> None:
    plan = Plan(items=20, codes=("en", "es", "eu"), models={"m": "M"}, holes=False)
    row = resource_gaps(load_run(build_run(tmp_path / "run", plan)))[0]
    assert (row.difference.interval_method, row.difference.test_method) == ("newcombe", "mcnemar")


def test_items_of_one_passage_are_one_piece_of_evidence(tmp_path: Path) -> None:
    plan = Forms(items=24, codes=("en", "es"), models={"m": "M"}, orders=1, wordings=("native",))
    run = load_run(build_forms(tmp_path / "run", plan))
    low = run.manifest.languages["es"].model_copy(update={"tier": "low"})
    spoken = {"en": low.model_copy(update={"code": "en", "tier": "high"}), "es": low}
    run = replace(run, manifest=run.manifest.model_copy(update={"languages": spoken}))
    row = next(r for r in resource_gaps(run) if r.group == "toy_reading")
    assert (row.low, row.high) == (("es",), ("en",))
    assert row.difference.clusters == 6


def test_a_larger_model_is_compared_on_the_same_items(whole: Run) -> None:
    rows = {r.group: r for r in larger_models(whole)}
    row = rows["toy_topics"]
    large, small = _wide(whole, GEMMA, "toy_topics"), _wide(whole, SMOL, "toy_topics")
    double = (large["low"] - large["high"]) - (small["low"] - small["high"])
    assert (row.larger, row.smaller, row.sizes) == ((GEMMA,), (SMOL,), (270_000_000, 135_000_000))
    assert row.difference.difference == pytest.approx(double.mean())
    assert row.high_scores == pytest.approx((large["high"].mean(), small["high"].mean()))
    interval = ttest_1samp(double, 0).confidence_interval(0.95)
    assert (row.difference.low, row.difference.high) == pytest.approx((interval.low, interval.high))
    expected = multipletests([r.difference.p for r in rows.values()], method="holm")[1]
    assert [r.p_holm for r in rows.values()] == pytest.approx(expected)
    over = [r.difference.difference or 0.0 for g, r in rows.items() if g is not None]
    assert rows[None].difference.difference == pytest.approx(np.mean(over))


def test_models_of_one_size_or_of_unknown_size_are_not_compared(whole: Run) -> None:
    def sized(*parameters: int | None) -> Run:
        models = {
            name: model.model_copy(update={"parameters": size})
            for (name, model), size in zip(whole.manifest.models.items(), parameters, strict=True)
        }
        return replace(whole, manifest=whole.manifest.model_copy(update={"models": models}))

    (alike,), (unknown,) = larger_models(sized(9, 9)), larger_models(sized(9, None))
    assert (alike.reason, alike.verdict) == ("all models are of one size", None)
    assert (unknown.reason, unknown.unknown) == ("parameters of fewer than two models are known", (GEMMA,))
    assert unknown.difference.difference is None


def test_models_that_were_asked_in_unlike_languages_are_not_compared(run: Run) -> None:
    found = {r.group: r.reason for r in larger_models(run)}
    assert found["toy_facts"] == "the larger and the smaller model have scores in unlike languages"
