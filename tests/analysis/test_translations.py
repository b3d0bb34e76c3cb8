"""Corpus scores of translations, against sacrebleu's own scores and bootstrap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from evalsuite.analysis import Run, corpus_translations, load_run
from evalsuite.analysis.translations import _statistics, bleu_scores, chrf_scores
from evalsuite.errors import InputError
from evalsuite.records import PromptForm
from evalsuite.store import RunFolder
from tests.synthetic_forms import SENTENCES, Forms, build_forms


def _texts(run: Run, model: str, name: str) -> tuple[list[str], list[str]]:
    cell = next(c for c in run.manifest.cells if (c.model, c.task) == (model, name))
    records = RunFolder(run.path).records(cell)
    return [(r.output or "").strip() for r in records], [r.target for r in records]


def test_scores_and_signatures_are_those_of_sacrebleu(varied: Run) -> None:
    rows = [r for r in corpus_translations(varied) if r.language != "ja"]
    assert len(rows) == 4
    for row in rows:
        hypotheses, references = _texts(varied, row.model, row.task)
        chrf, bleu = CHRF(word_order=2), BLEU(tokenize="13a")
        assert row.chrf.value == pytest.approx(chrf.corpus_score(hypotheses, [references]).score)
        assert row.bleu.value == pytest.approx(bleu.corpus_score(hypotheses, [references]).score)
        assert (row.chrf_signature, row.bleu_signature) == (str(chrf.get_signature()), str(bleu.get_signature()))
        assert (row.chrf.n, row.target, row.form, row.clusters) == (40, row.language, PromptForm.NATIVE, 10)


def test_japanese_is_segmented(varied: Run) -> None:
    row = next(r for r in corpus_translations(varied) if r.language == "ja")
    hypotheses, references = _texts(varied, row.model, row.task)
    assert row.bleu.value == pytest.approx(BLEU(tokenize="ja-mecab").corpus_score(hypotheses, [references]).score)
    assert "tok:ja-mecab" in row.bleu_signature
    assert "words:ja-mecab" in row.chrf_signature


@pytest.mark.parametrize("code", ["es", "ja"])
def test_sums_of_the_sentences_give_the_corpus_scores(varied: Run, code: str) -> None:
    row = next(r for r in corpus_translations(varied) if r.language == code)
    texts = _texts(varied, row.model, row.task)
    found = [
        metric._compute_score_from_stats(rows.sum(axis=0).astype(int).tolist()).score
        for metric, rows in _statistics(*texts, "13a" if code == "es" else "ja-mecab")
    ]
    assert found == pytest.approx([row.chrf.value, row.bleu.value])


def test_many_corpora_score_at_once_as_sacrebleu_scores_each() -> None:
    rng = np.random.default_rng(4)
    chrf, bleu = CHRF(word_order=2), BLEU()
    for most in (1, 3, 60):
        both = rng.integers(0, most, (300, 8))
        sides = [both + rng.integers(0, most, (300, 8)) for _ in range(2)]
        rows = np.stack([*sides, both], axis=2).reshape(300, 24)
        golden = [chrf._compute_score_from_stats(row).score for row in rows.tolist()]
        assert chrf_scores(rows.astype(float)) == pytest.approx(golden, abs=1e-9)
        matches, words = rng.integers(0, most, (300, 4)), rng.integers(0, 3 * most, (300, 2))
        rows = np.hstack([words, matches, matches + rng.integers(0, most, (300, 4))])
        # Without words there are no n-grams.
        rows[rows[:, 0] == 0, 2:] = 0
        golden = [bleu._compute_score_from_stats(row).score for row in rows.tolist()]
        assert bleu_scores(rows.astype(float)) == pytest.approx(golden, abs=1e-9)


def test_the_interval_is_that_of_sacrebleus_bootstrap(tmp_path: Path) -> None:
    run = load_run(build_forms(tmp_path / "run", Forms(items=80, codes=("es",), models={"m": "M"}, cluster=None)))
    (row,) = corpus_translations(run)
    hypotheses, references = _texts(run, "m", row.task)
    golden = {
        "chrf": CHRF(word_order=2).corpus_score(hypotheses, [references], n_bootstrap=2000),
        "bleu": BLEU().corpus_score(hypotheses, [references], n_bootstrap=2000),
    }
    for name, estimate in (("chrf", row.chrf), ("bleu", row.bleu)):
        assert estimate.low is not None
        assert estimate.high is not None
        # sacrebleu gives half the width of the interval; two bootstraps differ by a few per cent.
        assert (estimate.high - estimate.low) / 2 == pytest.approx(golden[name]._ci, rel=0.1)
        assert (estimate.high + estimate.low) / 2 == pytest.approx(golden[name]._mean, abs=0.5)
        assert estimate.method == "corpus bootstrap"
    assert row.clusters is None


def test_documents_are_drawn_as_a_whole(tmp_path: Path) -> None:
    def write(cell: object, index: int) -> str:
        # Whole documents are right or wrong: as many independent outcomes as documents.
        return SENTENCES["es"][index % 4] if index // 8 % 2 else "???"

    widths = []
    for cluster in (None, 8):
        plan = Forms(items=64, codes=("es",), models={"m": "M"}, cluster=cluster, write=write)
        (row,) = corpus_translations(load_run(build_forms(tmp_path / str(cluster), plan)))
        assert row.chrf.low is not None
        assert row.chrf.high is not None
        widths.append(row.chrf.high - row.chrf.low)
    assert row.chrf.method == "corpus bootstrap of documents"
    # The standard error grows by the root of the cluster size where clusters are all alike inside.
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(8), rel=0.25)


def test_what_cannot_be_scored_gives_its_reason(varied: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise InputError("translation scores need sacrebleu", fix="install it")

    monkeypatch.setattr("evalsuite.texts.translation.signatures", refuse)
    assert {(r.chrf.reason, r.bleu.value) for r in corpus_translations(varied)} == {
        ("translation scores need sacrebleu", None)
    }


def test_samples_that_are_all_alike_give_no_interval(tmp_path: Path) -> None:
    plan = Forms(items=8, codes=("es",), models={"m": "M"}, write=lambda cell, index: "")
    (row,) = corpus_translations(load_run(build_forms(tmp_path / "run", plan)))
    assert (row.chrf.value, row.chrf.low, row.chrf.n) == (0.0, None, 8)
    assert row.chrf.reason == "all samples score the same, so that they give no interval"
