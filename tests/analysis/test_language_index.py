"""The language index: means by hand and by pandas, the interval by statsmodels, the correction by statsmodels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import permutation_test
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.language_index import LanguageIndexRow, language_indices
from evalsuite.analysis.rows import Verdict
from evalsuite.records import Cell, Record
from evalsuite.stats.index import Index, IndexDifference
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_forms import SENTENCES, Forms, build_forms

SMOL, GEMMA = MODELS
Rows = dict[tuple[str, str], LanguageIndexRow]
CHANCE = {"toy_topics": 1 / 7, "toy_facts": 1 / 4}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    plan = Plan(items=40, codes=("en", "es", "eu"), holes=False)
    return load_run(build_run(tmp_path_factory.mktemp("runs") / "whole", plan))


@pytest.fixture(scope="module")
def rows(whole: Run) -> Rows:
    return {(r.model, r.language): r for r in language_indices(whole)}


def _index(row: LanguageIndexRow) -> Index:
    assert row.index is not None
    return row.index


def _difference(row: LanguageIndexRow) -> IndexDifference:
    assert row.difference is not None
    return row.difference


def _scores(run: Run, model: str, language: str) -> pd.DataFrame:
    table = run.items[(run.items["model"] == model) & (run.items["language"] == language)]
    return table.pivot_table(index="item_id", columns="group", values="score")


def test_each_group_counts_alike_with_its_chance_taken_off(whole: Run, rows: Rows) -> None:
    row, scores = rows[GEMMA, "eu"], _scores(whole, GEMMA, "eu")
    parts = {g: (scores[g].mean() - c) / (1 - c) for g, c in CHANCE.items()}
    assert row.groups == ("toy_topics", "toy_facts")
    assert _index(row).estimate.value == pytest.approx(np.mean(list(parts.values())))
    assert {g: e.value for g, e in _index(row).parts.items()} == pytest.approx(parts)
    assert _index(row).without == pytest.approx({"toy_topics": parts["toy_facts"], "toy_facts": parts["toy_topics"]})
    # Zou, Huang and Zhang (2009): distances of each part's own ends, squared and added.
    below = 0.0
    for group, chance in CHANCE.items():
        right = scores[group].sum()
        low = proportion_confint(right, 40, method="wilson")[0]
        below += ((scores[group].mean() - low) / (1 - chance)) ** 2
    assert _index(row).estimate.low == pytest.approx((_index(row).estimate.value or 0) - below**0.5 / 2)


def test_the_difference_to_the_reference_is_made_item_by_item(whole: Run, rows: Rows) -> None:
    row = rows[GEMMA, "eu"]
    own, english = (_scores(whole, GEMMA, code) for code in ("eu", "en"))
    weighted = np.concatenate([(own[g] - english[g]) / (1 - c) / 2 / 40 for g, c in CHANCE.items()])
    assert (row.reference, _difference(row).paired) == ("en", ("toy_topics", "toy_facts"))
    assert _difference(row).estimate.value == pytest.approx(weighted.sum())
    expected = permutation_test(
        (weighted,), np.sum, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(2)
    )
    assert _difference(row).p == pytest.approx(expected.pvalue, abs=0.01)
    assert rows[GEMMA, "en"].difference is None


def test_the_correction_is_over_all_models_and_languages(rows: Rows) -> None:
    known = [r for r in rows.values() if r.difference is not None]
    assert len(known) == 4
    expected = multipletests([_difference(r).p for r in known], method="holm")[1]
    assert [r.p_holm for r in known] == pytest.approx(expected)
    assert {r.verdict for r in rows.values() if r.difference is None} == {None}
    assert rows[GEMMA, "eu"].verdict is Verdict.BEHIND


def test_a_group_that_a_language_lacks_is_in_no_index(run: Run) -> None:
    rows = {(r.model, r.language): r for r in language_indices(run)}
    assert {r.groups for r in rows.values()} == {("toy_topics",)}
    assert rows[GEMMA, "es"].left_out == (("toy_facts", "no scores in Basque"),)
    assert rows[SMOL, "es"].left_out == (("toy_facts", "no scores in Basque, Japanese"),)
    # Galician has 20 items of one model, so that all its languages have 20.
    assert (_index(rows[SMOL, "es"]).estimate.n, _index(rows[GEMMA, "es"]).estimate.n) == (20, 60)
    assert _index(rows[SMOL, "ca"]).without == {}


def test_written_answers_have_no_chance_and_scores_that_are_no_shares_are_left_out(tmp_path: Path) -> None:
    def write(cell: Cell, index: int) -> str:
        return SENTENCES[cell.language][index % 4] if index % 2 else "?"

    plan = Forms(items=8, codes=("en", "es"), models={"m": "M"}, orders=1, wordings=("native",), write=write)
    row = next(r for r in language_indices(load_run(build_forms(tmp_path / "run", plan))) if r.language == "es")
    assert row.groups == ("toy_reading", "toy_answers")
    assert row.left_out == (("toy_translation", "chrf_pp is no share of 1"),)
    assert _index(row).parts["toy_answers"].value == 0.5

    def raw(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"score": 60.0} if cell.task.startswith("toy_facts") else {})

    other = Plan(items=8, codes=("en", "es"), models={"m": "M"}, holes=False, record_hook=raw)
    row = language_indices(load_run(build_run(tmp_path / "raw", other)))[0]
    assert row.left_out == (("toy_facts", "acc_norm is no share of 1"),)


def test_a_model_without_a_common_group_has_no_index(tmp_path: Path) -> None:
    def part(cell: Cell, record: Record) -> Record:
        other = cell.task.endswith("es")
        return record.model_copy(update={"item_id": f"es-{record.item_index}"} if other else {})

    plan = Plan(items=6, codes=("en", "es"), models={"m": "M"}, holes=False, record_hook=part)
    rows = language_indices(load_run(build_run(tmp_path / "run", plan)))
    assert [r.language for r in rows] == ["en", "es"]
    for row in rows:
        assert (row.index, row.difference, row.verdict) == (None, None, None)
        assert row.reason == "no group that all its languages have"
        assert dict(row.left_out)["toy_topics"] == "no item that all the languages have"
