"""Wordings: golden values from statsmodels and from the stored records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import permutation_test
from statsmodels.stats.contingency_tables import cochrans_q, mcnemar
from statsmodels.stats.multitest import multipletests

from evalsuite.analysis import Run, analyse, load_run, wordings
from evalsuite.analysis.rows import Verdict
from evalsuite.analysis.sensitivity import WordingRow
from evalsuite.records import Cell, PromptForm
from evalsuite.store import RunFolder
from tests.synthetic import MODELS
from tests.synthetic_forms import Forms, build_forms

SMOL, GEMMA = MODELS
OWN = (PromptForm("native"), PromptForm("native-2"), PromptForm("native-3"))


def _matrix(run: Run, row: WordingRow, forms: tuple[PromptForm, ...]) -> np.ndarray:
    columns = []
    for form in forms:
        cell = next(c for c in run.manifest.cells if (c.model, c.task, c.prompt_form) == (row.model, row.task, form))
        columns.append([r.score for r in RunFolder(run.path).records(cell)])
    return np.array(columns, dtype=float).T


def test_rows_are_those_of_the_records(varied: Run) -> None:
    rows = wordings(varied)
    assert [(r.language, r.model) for r in rows] == [(c, m) for c in ("en", "es", "ja") for m in MODELS]
    for row in rows:
        scores = _matrix(varied, row, OWN)
        assert row.own is not None
        assert row.own_forms == OWN
        assert row.own.means == pytest.approx(scores.mean(axis=0))
        assert row.own.p == pytest.approx(cochrans_q(scores).pvalue)
        assert row.own.changed == sum(len(set(r)) > 1 for r in scores.tolist())
        assert (row.low, row.high) == (min(row.own.means), max(row.own.means))
        assert [form for form, _ in row.scores] == sorted([*OWN, PromptForm.ENGLISH], key=lambda f: f.rank)
        assert row.form == PromptForm.NATIVE


def test_english_words_are_compared_with_the_primary_wording(tmp_path: Path) -> None:
    run = load_run(build_forms(tmp_path / "run", Forms(orders=1, cluster=None)))
    rows = wordings(run)
    ps = []
    for row in rows:
        both = _matrix(run, row, (PromptForm.ENGLISH, PromptForm.NATIVE))
        table = [[int(((both[:, 0] == a) & (both[:, 1] == b)).sum()) for b in (1, 0)] for a in (1, 0)]
        assert row.english is not None
        assert row.english.difference == pytest.approx(both[:, 0].mean() - both[:, 1].mean())
        assert row.english.p == pytest.approx(mcnemar(table, exact=True).pvalue)
        ps.append(row.english.p)
    assert [r.english_p_holm for r in rows] == pytest.approx(list(multipletests(ps, method="holm")[1]))
    own = [r.own.p for r in rows if r.own]
    assert [r.p_holm for r in rows] == pytest.approx(list(multipletests(own, method="holm")[1]))


def test_items_of_one_passage_are_taken_together(varied: Run) -> None:
    """The reference is scipy's permutation test of the sums of passages, which hold four items each."""
    for row in wordings(varied):
        sums = _matrix(varied, row, (PromptForm.ENGLISH, PromptForm.NATIVE)).reshape(10, 4, 2).sum(axis=1)
        expected = permutation_test(
            (sums[:, 0], sums[:, 1]),
            lambda a, b, axis: (a - b).sum(axis=axis),
            permutation_type="samples",
            n_resamples=2**10,
            vectorized=True,
        )
        assert row.english is not None
        assert (row.english.clusters, row.english.test_method) == (10, "sign-flip, clusters")
        assert row.english.p == pytest.approx(expected.pvalue)


def test_a_wording_that_matters_is_found(tmp_path: Path) -> None:
    def pick(cell: Cell, index: int) -> int:
        wrong = cell.prompt_form.wording == "native-2" and cell.model == SMOL and index % 2
        return (index + 1) % 4 if wrong or (cell.prompt_form.wording == "english" and index % 4 == 0) else index % 4

    rows = wordings(
        load_run(build_forms(tmp_path / "run", Forms(items=60, codes=("en", "es"), orders=1, cluster=None, pick=pick)))
    )
    for row in rows:
        assert row.own is not None
        assert row.english is not None
        assert (row.low, row.high) == ((0.5, 1.0) if row.model == SMOL else (1.0, 1.0))
        assert row.more_than_chance is (row.model == SMOL)
        assert row.own.expected <= row.own.expected_high < 0.5
        assert (row.english.difference, row.english_verdict) == (-0.25, Verdict.BEHIND)


def test_one_own_wording_has_no_spread_but_a_difference(tmp_path: Path) -> None:
    plan = Forms(items=12, codes=("en",), orders=1, wordings=("native", "english"))
    row = wordings(load_run(build_forms(tmp_path / "run", plan)))[0]
    assert (row.own, row.p_holm, row.low, row.more_than_chance) == (None, None, None, None)
    assert row.reason == "asked in one wording of its own language only"
    assert row.english is not None
    assert row.english.n == 12


def test_a_wording_without_scores_gives_a_reason(tmp_path: Path) -> None:
    path = build_forms(tmp_path / "run", Forms(items=12, codes=("en",), orders=1))
    for folder in (path / "cells").glob(f"{SMOL}*english*"):
        for file in folder.iterdir():
            file.unlink()
    row = next(r for r in wordings(load_run(path)) if r.model == SMOL)
    assert row.own is not None
    assert row.english is not None
    assert (row.english.p, row.english.reason, row.english_verdict) == (None, "not both have scores", None)


def test_other_wordings_and_orders_stay_out_of_the_main_tables(varied: Run) -> None:
    tables = analyse(varied)
    assert varied.forms == (PromptForm.NATIVE,)
    for rows in (tables.scores, tables.gaps, tables.comparisons, tables.tokens, tables.flags):
        assert {row.form for row in rows} <= {PromptForm.NATIVE}
    assert len(tables.scores) == 3 * 3 * 2


def test_failures_of_other_wordings_are_listed(tmp_path: Path) -> None:
    path = build_forms(tmp_path / "run", Forms(items=12, codes=("en",), orders=2))
    for folder in (path / "cells").glob(f"{SMOL}*native~1*"):
        for file in folder.iterdir():
            file.unlink()
    assert [row.form for row in analyse(load_run(path)).failures] == [PromptForm("native~1")]
