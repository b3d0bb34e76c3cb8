"""Ways of naming categories: golden values from statsmodels and the stored records."""

from __future__ import annotations

from pathlib import Path

import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from evalsuite.analysis import Run, category_names, load_run, wordings
from evalsuite.analysis.rows import Verdict
from evalsuite.records import Cell, PromptForm, Record
from evalsuite.store import RunFolder
from tests.synthetic_labels import Labels, build_labels

WAYS = ("listed", "described", "english-names", "english-described", "english")


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two models asked in every way of naming twelve categories, in two languages."""
    return load_run(build_labels(tmp_path_factory.mktemp("runs") / "named", Labels(wordings=("native", *WAYS))))


def _records(run: Run, model: str, task: str, form: PromptForm) -> list[Record]:
    cell = next(c for c in run.manifest.cells if (c.model, c.task, c.prompt_form) == (model, task, form))
    return RunFolder(run.path).records(cell)


def test_rows_are_those_of_the_records(named: Run) -> None:
    rows = category_names(named)
    assert [row.form for row in rows] == [PromptForm(w) for w in ("native", *WAYS)] * 4
    ps = []
    for row in rows:
        made, plain = (_records(named, row.model, row.task, form) for form in (row.form, row.base))
        assert row.base == PromptForm.NATIVE
        assert row.score.value == pytest.approx(sum(r.score or 0 for r in made) / len(made))
        assert row.tokens == pytest.approx(sum(r.context_tokens or 0 for r in made) / len(made))
        if row.form == row.base:
            assert (row.difference, row.tokens_ratio, row.verdict) == (None, None, None)
            continue
        pairs = [(bool(a.score), bool(b.score)) for a, b in zip(made, plain, strict=True)]
        table = [[pairs.count((a, b)) for b in (True, False)] for a in (True, False)]
        assert row.difference is not None
        assert row.difference.p == pytest.approx(mcnemar(table, exact=True).pvalue)
        assert row.difference.difference == pytest.approx((table[0][1] - table[1][0]) / len(pairs))
        assert row.tokens_ratio is not None
        tokens = [sum(r.context_tokens or 0 for r in records) for records in (made, plain)]
        assert row.tokens_ratio.value == pytest.approx(tokens[0] / tokens[1])
        ps.append(row.difference.p)
    found = [row.p_holm for row in rows if row.difference]
    assert found == pytest.approx(list(multipletests(ps, method="holm")[1]))


def test_a_way_that_helps_is_shown_to(tmp_path: Path) -> None:
    def values(cell: Cell, index: int) -> list[float]:
        knows = cell.prompt_form.wording == "listed" or index % 3 == 0
        return [-1.0 if i == (index // 5 + (not knows)) % 12 else -5.0 for i in range(12)]

    plan = Labels(wordings=("native", "listed", "described"), values=values)
    rows = [row for row in category_names(load_run(build_labels(tmp_path / "run", plan))) if row.difference]
    verdicts = {row.form.wording: row.verdict for row in rows}
    assert verdicts == {"listed": Verdict.AHEAD, "described": Verdict.INCONCLUSIVE}


def test_english_words_alone_are_no_way_of_naming(tmp_path: Path) -> None:
    run = load_run(build_labels(tmp_path / "run", Labels(wordings=("native", "english"))))
    assert category_names(run) == ()
    assert len(wordings(run)) == 4


def test_without_the_plain_form_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    listed = PromptForm("listed")
    plan = Labels(wordings=("listed", "described"), forms=(listed,))
    assert category_names(load_run(build_labels(tmp_path / "run", plan))) == ()


def test_chat_forms_stand_apart(tmp_path: Path) -> None:
    forms = (PromptForm.NATIVE, PromptForm.CHAT)
    plan = Labels(codes=("en",), forms=forms, wordings=("listed", "described+chat"))
    rows = category_names(load_run(build_labels(tmp_path / "run", plan)))
    assert [(row.base, row.form) for row in rows[:4]] == [
        ("native", "native"), ("native", "listed"), ("chat", "chat"), ("chat", "described+chat"),
    ]  # fmt: skip


def test_missing_scores_and_counts_say_why(tmp_path: Path) -> None:
    path = build_labels(
        tmp_path / "run",
        Labels(
            codes=("en",),
            wordings=("native", "listed", "described"),
            change=lambda cell, made: made.model_copy(
                update={"context_tokens": None if cell.prompt_form.wording == "described" else 30}
            ),
        ),
    )
    for folder in (path / "cells").glob("*--listed"):
        for file in folder.iterdir():
            file.unlink()
    _, listed, described = category_names(load_run(path))[:3]
    assert (listed.difference, listed.reason) == (None, "not both have scores")
    assert listed.score.reason == "not finished yet"
    assert described.difference is not None
    assert described.tokens is None
    assert described.tokens_ratio is not None
    assert described.tokens_ratio.reason == "no token counts"


def test_ways_of_naming_are_no_paraphrases(named: Run, tmp_path: Path) -> None:
    rows = wordings(named)
    assert [[form for form, _ in row.scores] for row in rows] == [[PromptForm.NATIVE, PromptForm.ENGLISH]] * 4
    assert {row.reason for row in rows} == {"asked in one wording of its own language only"}
    assert wordings(load_run(build_labels(tmp_path / "run", Labels(wordings=("native", *WAYS[:4]))))) == ()
