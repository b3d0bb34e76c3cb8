"""Translation scores of the whole corpus, chrF++ and BLEU, from the stored texts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.analysis.load import Run, clusters_of
from evalsuite.analysis.replies import answer_language, written_tasks
from evalsuite.analysis.rows import ALPHA
from evalsuite.errors import InputError
from evalsuite.records import CellStatus, PromptForm, Task
from evalsuite.stats.clusters import cluster_sums, resampled_sums
from evalsuite.stats.intervals import Estimate
from evalsuite.store import RunFolder

__all__ = ["TranslationRow", "bleu_scores", "chrf_scores", "corpus_translations"]

_FAMILY = "translation"
_TOKENIZER = "13a"
"""sacrebleu's default, for a language that the run does not describe."""
_WORD_ORDER = 2
_BETA = 2
_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class TranslationRow:
    """The translations of one model in one direction, as a corpus; scores are 0 to 100."""

    model: str
    task: str
    group: str
    language: str
    form: PromptForm
    target: str
    """Code of the language that is translated into."""
    chrf: Estimate
    """chrF++."""
    bleu: Estimate
    clusters: int | None
    """Documents that were drawn as a whole for the intervals; none where sentences were drawn."""
    chrf_signature: str
    bleu_signature: str


def corpus_translations(run: Run) -> tuple[TranslationRow, ...]:
    """Return a row for every model × translation task × main prompt form with stored texts.

    The intervals are percentile bootstraps: sentences, or the documents that they stand in, are drawn with replacement,
    and each sample is scored as a corpus from sacrebleu's statistics of its sentences.

    Source: P. Koehn (2004), EMNLP, 388-395 (bootstrap of corpus scores); M. Post (2018), WMT, 186-191 (sacrebleu).
    """
    folder = RunFolder(run.path)
    return tuple(
        row
        for task in written_tasks(run)
        if task.family == _FAMILY
        for model in run.models
        for form in run.forms
        if (row := _row(run, folder, task, model, form)) is not None
    )


def _row(run: Run, folder: RunFolder, task: Task, model: str, form: PromptForm) -> TranslationRow | None:
    from evalsuite.texts.normalise import clean
    from evalsuite.texts.translation import signatures

    result = run.result(model, task.name, form)
    if result is None or result.status is CellStatus.SKIPPED:
        return None
    columns = ("output", "target", *(("doc",) if task.cluster_column else ()))
    stored = folder.table(result.cell, columns=columns).to_pydict()
    kept = [i for i, output in enumerate(stored["output"]) if output is not None]
    if not kept:
        return None
    # The texts as the score of a single sentence sees them.
    hypotheses = [clean(stored["output"][i]).strip() for i in kept]
    references = [clean(stored["target"][i]).strip() for i in kept]
    target = answer_language(task)
    known = run.language(target)
    tokenizer = known.metric_tokenizer if known else _TOKENIZER
    signed = ("", "")
    documents: int | None = None
    try:
        signed = signatures(tokenizer)
        found = clusters_of(task, [stored["doc"][i] for i in kept]) if task.cluster_column else []
        clusters: Sequence[Hashable] = range(len(kept))
        if found and None not in found and len(set(found)) < len(found):
            clusters, documents = found, len(set(found))
        rng = run.rng("translation", model, task.name, form.value)
        counted = _statistics(hypotheses, references, tokenizer)
        chrf, bleu = (
            _estimate(metric, scores, rows, clusters, rng)
            for scores, (metric, rows) in zip((chrf_scores, bleu_scores), counted, strict=True)
        )
    except InputError as error:
        chrf = bleu = Estimate(None, None, None, 0, "", error.problem)
    return TranslationRow(
        model=model,
        task=task.name,
        group=run.group_of(task.name),
        language=task.language,
        form=form,
        target=target,
        chrf=chrf,
        bleu=bleu,
        clusters=documents,
        chrf_signature=signed[0],
        bleu_signature=signed[1],
    )


def _statistics(
    hypotheses: Sequence[str], references: Sequence[str], tokenizer: str
) -> list[tuple[Any, NDArray[np.float64]]]:
    """Return chrF++ and BLEU of sacrebleu, each with its counts of n-grams: one row per sentence."""
    from evalsuite.texts.translation import segmenter

    words = segmenter(tokenizer)
    chrf, bleu = _metrics(tuple(references), tokenizer)
    # sacrebleu has no public way to the counts that its own bootstrap uses.
    counted = (
        (chrf, chrf._extract_corpus_statistics([words(text) for text in hypotheses], None)),  # noqa: SLF001
        (bleu, bleu._extract_corpus_statistics(hypotheses, None)),  # noqa: SLF001
    )
    return [(metric, np.array(rows, dtype=np.float64)) for metric, rows in counted]


@lru_cache(maxsize=1)
def _metrics(references: tuple[str, ...], tokenizer: str) -> tuple[Any, Any]:
    """Return chrF++ and BLEU of sacrebleu, which have counted the references; they serve all models of a task."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    from evalsuite.texts.translation import segmenter

    words = segmenter(tokenizer)
    chrf = CHRF(word_order=_WORD_ORDER, references=[[words(text) for text in references]])
    return chrf, BLEU(tokenize=tokenizer, force=True, references=[list(references)])


def chrf_scores(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chrF++ of each row of counts as sacrebleu has it with its defaults, 0 to 100.

    Source: M. Popović (2017), WMT, 612-618: precision and recall are means over the orders of n-grams of which both sides
    have some; recall counts beta² = 4 times.

    Args:
        sums: N-grams of the hypothesis, of the reference and of both, order after order.
    """
    ours, theirs, both = (sums[:, i::3] for i in range(3))
    has = (ours > 0) & (theirs > 0)
    orders = np.maximum(has.sum(axis=1), 1)
    precision, recall = (
        np.divide(both, side, out=np.zeros_like(both), where=has).sum(axis=1) / orders for side in (ours, theirs)
    )
    below = _BETA**2 * precision + recall
    scores = 100 * (1 + _BETA**2) * precision * recall
    return np.asarray(np.divide(scores, below, out=np.zeros_like(scores), where=below > 0))


def bleu_scores(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the BLEU of each row of counts as sacrebleu has it with its defaults, 0 to 100.

    Sources: K. Papineni et al. (2002), ACL, 311-318; orders without a match are smoothed by method 3 of B. Chen and
    C. Cherry (2014), WMT, 362-367: each halves what one match would give once more.

    Args:
        sums: Words of the hypothesis and of the reference, matches of each order, n-grams of each order.
    """
    ours, theirs = sums[:, 0], sums[:, 1]
    matches, every = np.split(sums[:, 2:], 2, axis=1)
    halvings = (matches == 0).cumsum(axis=1)
    counted = np.where(matches > 0, matches, 0.5**halvings)
    # Shorter than an order of n-grams is a score of 0, and so is one without any match.
    scored = (every > 0).all(axis=1) & (matches > 0).any(axis=1)
    logs = np.log(counted[scored] / every[scored]).mean(axis=1)
    brevity = np.minimum(0.0, 1 - theirs[scored] / ours[scored])
    scores = np.zeros(len(sums))
    scores[scored] = 100 * np.exp(brevity + logs)
    return scores


def _estimate(
    metric: Any,
    scores: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    rows: NDArray[np.float64],
    clusters: Sequence[Hashable],
    rng: np.random.Generator,
) -> Estimate:
    # A corpus is scored by the sums of its sentences' counts, as sacrebleu does it.
    value = float(metric._compute_score_from_stats(rows.sum(axis=0).astype(int).tolist()).score)  # noqa: SLF001
    sums = cluster_sums(rows, clusters)
    method = "corpus bootstrap" if len(sums) == len(rows) else "corpus bootstrap of documents"
    if len(sums) < 2:
        return Estimate(value, None, None, len(rows), method, "one sentence or document has no interval")
    # As sacrebleu scores each sample, but all at once; up to rounding, which must not make a width.
    drawn = np.round(np.concatenate([scores(part) for part in resampled_sums(sums, rng, _RESAMPLES)]), 9)
    if drawn.min() == drawn.max():
        return Estimate(
            value, None, None, len(rows), method, "all samples score the same, so that they give no interval"
        )
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    return Estimate(value, float(low), float(high), len(rows), method)
