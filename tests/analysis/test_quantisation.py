"""Quantisations against their base, against scipy and statsmodels, and which model is the base."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from evalsuite.analysis import delta_of_deltas, load_run, quantisation_deltas, tier_deltas
from evalsuite.analysis.export import export_markdown
from evalsuite.analysis.load import Run
from evalsuite.analysis.quantisation import Quantised, quantised_models
from evalsuite.analysis.rows import Scale, Verdict
from evalsuite.stats.equivalence import non_inferiority_p
from evalsuite.store import RunFolder
from tests.synthetic_quantised import BASE, Q2, Q4, build_quantised, file_of

ITEMS = 40
CODES = ("en", "es", "pt", "eu", "gl")
GROUPS = ("toy", "toys")
# Of ten items, how many a model gets right: Q2_K loses most in the low-resource languages (Basque, Galician).
_RIGHT = {
    BASE: {"en": 8, "es": 7, "pt": 7, "eu": 6, "gl": 6},
    Q4: {"en": 8, "es": 7, "pt": 7, "eu": 6, "gl": 6},
    Q2: {"en": 7, "es": 6, "pt": 6, "eu": 1, "gl": 2},
}


def _score(model: str, group: str, code: str, item: int) -> float:
    # Which items are right differs by language and, a little, by model, so that pairs are not nested.
    place = (item * 7 + len(group) + CODES.index(code) + (item % 13 == 0 and model == Q2) * 5) % 10
    return float(place < _RIGHT[model][code])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    path = tmp_path_factory.mktemp("runs") / "quantised"
    return load_run(build_quantised(path, _score, items=ITEMS, codes=CODES, groups=GROUPS))


def _matrix(model: str, group: str) -> np.ndarray:
    """Scores by item and language, made from the function and not from the run."""
    return np.array([[_score(model, group, code, i) for code in CODES] for i in range(ITEMS)])


def test_quantisations_are_held_against_the_file_that_they_were_made_from(run):
    assert quantised_models(run) == (Quantised(Q4, BASE), Quantised(Q2, BASE))


def test_without_the_source_the_most_bits_per_weight_are_the_base(tmp_path):
    run = load_run(build_quantised(tmp_path / "run", _score, models=(file_of(Q2), file_of(Q4)), items=10))
    assert quantised_models(run) == (Quantised(Q2, Q4),)


def test_models_of_other_sources_and_float32_copies_are_in_no_family(tmp_path):
    alone = file_of(Q4).model_copy(update={"name": "other", "made_from": None})
    copy = file_of(BASE).model_copy(update={"name": f"{BASE}+dequantised", "options": {"compute": "dequantised"}})
    models = (file_of(BASE), copy, alone)
    run = load_run(build_quantised(tmp_path / "run", lambda *_: 1.0, models=models, items=4))
    assert quantised_models(run) == ()
    assert not (*quantisation_deltas(run), *delta_of_deltas(run), *tier_deltas(run))


def test_a_quantisation_of_a_quantisation_is_held_against_the_first_source(tmp_path):
    between = file_of(Q4)
    made = file_of(Q2).made_from
    assert made is not None
    changed = made.model_copy(update={"name": Q4, "sha256": between.sha256, "quantisation": "Q4_0"})
    models = (file_of(BASE), between, file_of(Q2).model_copy(update={"made_from": changed}))
    run = load_run(build_quantised(tmp_path / "run", lambda *_: 1.0, models=models, items=4))
    assert quantised_models(run) == (Quantised(Q4, BASE), Quantised(Q2, BASE))


def test_the_cost_is_the_paired_difference_to_the_base_tested_as_by_scipy(run):
    rows = quantisation_deltas(run)
    assert len(rows) == len(GROUPS) * len(CODES) * 2
    for row in rows:
        place = CODES.index(row.language)
        first, second = _matrix(row.model, row.group)[:, place], _matrix(row.base, row.group)[:, place]
        assert row.difference.n == ITEMS
        assert row.difference.difference == pytest.approx(first.mean() - second.mean())
        lost, won = int((second > first).sum()), int((first > second).sum())
        wanted = scipy_stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
        assert row.difference.p == pytest.approx(wanted)
        assert row.scale is Scale.SHARE
    corrected = multipletests([row.difference.p for row in rows], method="holm")[1]
    assert [row.p_holm for row in rows] == pytest.approx(list(corrected))
    worse = {(row.model, row.language) for row in rows if row.verdict is Verdict.BEHIND}
    assert worse == {(Q2, "eu"), (Q2, "gl")}


def test_the_double_difference_is_that_of_the_items_with_scipys_interval_and_test(run):
    rows = delta_of_deltas(run)
    assert [row.language for row in rows if row.group == "toy" and row.model == Q2] == ["es", "pt", "eu", "gl"]
    for row in rows:
        cost = _matrix(row.model, row.group) - _matrix(row.base, row.group)
        double = cost[:, CODES.index(row.language)] - cost[:, 0]
        d = row.difference
        assert (d.n, row.reference) == (ITEMS, "en")
        assert d.difference == pytest.approx(double.mean())
        assert d.first == pytest.approx(cost[:, CODES.index(row.language)].mean())
        assert (d.only_first, d.only_second) == (None, None)
        if row.model == Q4:
            # The same answers in both: no cost anywhere, and an interval that still has a width.
            assert (d.difference, d.p, d.interval_method) == (0.0, 1.0, "newcombe")
            assert (d.low or 0) < 0 < (d.high or 0)
            continue
        signs = scipy_stats.permutation_test(
            (double,), np.mean, permutation_type="samples", n_resamples=5_000, rng=np.random.default_rng(1)
        )
        assert d.p == pytest.approx(signs.pvalue, abs=0.02)
        interval = scipy_stats.ttest_1samp(double, 0.0).confidence_interval(0.95)
        assert (d.low, d.high) == pytest.approx(tuple(interval))
    corrected = multipletests([row.difference.p for row in rows], method="holm")[1]
    assert [row.p_holm for row in rows] == pytest.approx(list(corrected))


def test_low_resource_languages_are_joined_by_item_and_held_against_high_ones_without_the_control(run):
    rows = tier_deltas(run)
    assert [(row.model, row.group) for row in rows] == [
        *((Q4, "toy"), (Q4, "toys"), (Q4, None)),
        *((Q2, "toy"), (Q2, "toys"), (Q2, None)),
    ]
    assert {(row.low, row.high) for row in rows} == {(("eu", "gl"), ("es", "pt"))}
    values = []
    for group in GROUPS:
        cost = _matrix(Q2, group) - _matrix(BASE, group)
        values.append(cost[:, 3:5].mean(axis=1) - cost[:, 1:3].mean(axis=1))
    for row, double in zip(rows[3:], [*values, np.concatenate(values)], strict=True):
        d = row.difference
        assert d.n == len(double)
        assert d.difference == pytest.approx(double.mean())
        test = scipy_stats.permutation_test(
            (double,), np.mean, permutation_type="samples", n_resamples=5_000, rng=np.random.default_rng(3)
        )
        assert d.p == pytest.approx(test.pvalue, abs=0.01)
        assert row.verdict is Verdict.BEHIND
    corrected = multipletests([row.difference.p for row in rows], method="holm")[1]
    assert [row.p_holm for row in rows] == pytest.approx(list(corrected))


def test_a_tier_needs_only_the_languages_that_have_scores(tmp_path):
    def score(model, group, code, item):
        return None if (model, code) == (Q2, "gl") else _score(model, group, code, item)

    run = load_run(build_quantised(tmp_path / "run", score, models=(file_of(BASE), file_of(Q2))))
    (row,) = tier_deltas(run)
    assert (row.low, row.high) == (("eu",), ("es", "pt"))
    lost = next(row for row in quantisation_deltas(run) if row.language == "gl")
    assert (lost.difference.difference, lost.verdict, lost.p_holm) == (None, None, None)
    assert lost.reason == f"{Q2} has no scores on toy_gl (failed: the engine crashed)"
    double = next(row for row in delta_of_deltas(run) if row.language == "gl")
    assert double.reason == lost.reason


def test_only_items_that_all_sides_have_are_compared(tmp_path):
    def score(model, group, code, item):
        missing = (model, code) == (Q2, "en") and item < 10
        return None if missing else _score(model, group, code, item)

    run = load_run(build_quantised(tmp_path / "run", score, models=(file_of(BASE), file_of(Q2))))
    rows = {row.language: row for row in quantisation_deltas(run)}
    assert rows["en"].difference.n == 30
    assert rows["eu"].difference.n == 40
    assert {row.difference.n for row in delta_of_deltas(run)} == {30}
    assert [row.difference.n for row in tier_deltas(run)] == [40]


def test_items_of_one_passage_are_taken_together(run, tmp_path):
    clustered = load_run(build_quantised(tmp_path / "run", _score, items=ITEMS, codes=CODES, groups=GROUPS, shared=4))
    tables: tuple[Callable[[Run], Sequence[Any]], ...] = (quantisation_deltas, delta_of_deltas, tier_deltas)
    for table in tables:
        for row, alone in zip(table(clustered), table(run), strict=True):
            # Over both groups too: passages of one name are one, whichever group asks about them.
            assert row.difference.clusters == ITEMS // 4
            assert row.difference.difference == alone.difference.difference
            # Items of one id are one as well: the same sentence in two groups is no independent one.
            assert alone.difference.clusters == (ITEMS if row.group is None else None)
    # Ten clusters have 1,024 ways to flip their signs: scipy goes through all of them.
    row = next(row for row in delta_of_deltas(clustered) if (row.model, row.language, row.group) == (Q2, "eu", "toy"))
    cost = _matrix(Q2, "toy") - _matrix(BASE, "toy")
    sums = (cost[:, 3] - cost[:, 0]).reshape(-1, 4).sum(axis=1)
    test = scipy_stats.permutation_test((sums,), np.mean, permutation_type="samples", n_resamples=10_000)
    assert row.difference.p == pytest.approx(test.pvalue)


def test_a_loss_below_the_margin_is_told_apart_from_an_open_question(tmp_path):
    # One of 400 items is lost, and in Basque every eighth.
    def score(model, _group, code, item):
        return float(not (model == Q2 and (item == 7 or (code == "eu" and item % 8 == 0))))

    models = (file_of(BASE), file_of(Q2))
    run = load_run(build_quantised(tmp_path / "run", score, models=models, items=400, codes=("en", "eu")))
    rows = {row.language: row for row in quantisation_deltas(run)}
    assert (rows["en"].verdict, rows["eu"].verdict) == (Verdict.WITHIN, Verdict.BEHIND)
    assert rows["en"].margin == 0.05
    ps = [non_inferiority_p([score(Q2, "", c, i) for i in range(400)], [1.0] * 400, 0.05) for c in ("en", "eu")]
    assert [rows[code].p_margin for code in ("en", "eu")] == pytest.approx(list(multipletests(ps, method="holm")[1]))


def test_an_interval_without_width_is_none(tmp_path):
    # Every item loses in both languages: the costs are -1 everywhere, their difference 0.
    run = load_run(
        build_quantised(
            tmp_path / "run", lambda model, *_: float(model == BASE), models=(file_of(BASE), file_of(Q2)), items=6
        )
    )
    rows: tuple[Any, ...] = (*delta_of_deltas(run), *tier_deltas(run))
    for row in rows:
        d = row.difference
        assert (d.difference, d.low, d.high, d.p) == (0.0, None, None, 1.0)
        assert "no width" in row.reason
        assert row.verdict is Verdict.INCONCLUSIVE


def test_scores_that_are_no_shares_stay_out_of_the_row_of_all_groups(tmp_path):
    def score(model, group, code, item):
        return _score(model, group, code, item) * (30.0 if group == "raw" else 1.0)

    models = (file_of(BASE), file_of(Q2))
    run = load_run(build_quantised(tmp_path / "run", score, models=models, groups=("toy", "raw"), items=12))
    rows = tier_deltas(run)
    assert [(row.group, row.scale) for row in rows] == [("toy", Scale.SHARE), ("raw", Scale.RAW)]


def test_numbers_are_the_same_each_time(run):
    assert delta_of_deltas(run) == delta_of_deltas(load_run(run.path))
    assert tier_deltas(run) == tier_deltas(load_run(run.path))


def test_markdown_has_the_tables_where_there_are_quantisations(run, tmp_path):
    text = export_markdown(RunFolder(run.path), tmp_path / "out.md").read_text(encoding="utf-8")
    part = text[text.index("## Quantisation") :]
    heads = [line for line in part.splitlines() if line.startswith("#")]
    assert heads[:4] == [
        "## Quantisation",
        "### What it costs",
        "### Does a language lose more than the reference?",
        "### Do low-resource languages lose more?",
    ]
    assert f"| {Q2} | Q2_K | {BASE} (F16), llama-cpp-python 0.3.36 | no | 14 Q3_K, 5 F32 | 3.45 | 0 |" in part
    eu = next(row for row in quantisation_deltas(run) if (row.model, row.task) == (Q2, "toy_eu"))
    line = next(line for line in part.splitlines() if line.startswith(f"| toy_eu | Basque | {Q2} |"))
    d, p = eu.difference, eu.p_holm
    assert d.first is not None
    assert d.second is not None
    assert p is not None
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[3:6] == [BASE, f"{100 * d.first:.1f}", f"{100 * d.second:.1f}"]
    assert cells[7:] == ["40", "&lt; 0.001" if p < 0.001 else f"{p:.3f}", "behind"]
    assert f"| all groups | {Q2} | Basque, Galician | Spanish, Portuguese |" in part
    alone = build_quantised(tmp_path / "run", _score, models=(file_of(BASE),), items=4)
    plain = export_markdown(RunFolder(alone), tmp_path / "plain.md").read_text(encoding="utf-8")
    assert "Quantisation" not in plain
