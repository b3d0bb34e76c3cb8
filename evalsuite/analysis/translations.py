"""Translation scores of the whole corpus, chrF++ and BLEU, from the stored texts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
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

__all__ = ["TranslationRow", "corpus_translations"]

_FAMILY = "translation"
_TOKENIZER = "13a"
"""sacrebleu's default, for a language that the run does not describe."""
_WORD_ORDER = 2
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
        chrf, bleu = (
            _estimate(metric, rows, clusters, rng) for metric, rows in _statistics(hypotheses, references, tokenizer)
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
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    from evalsuite.texts.translation import segmenter

    bleu, chrf = BLEU(tokenize=tokenizer, force=True), CHRF(word_order=_WORD_ORDER)
    words = segmenter(tokenizer)
    split = [[words(text) for text in side] for side in (hypotheses, references)]
    # sacrebleu has no public way to the counts that its own bootstrap uses.
    counted = (
        (chrf, chrf._extract_corpus_statistics(split[0], [split[1]])),  # noqa: SLF001
        (bleu, bleu._extract_corpus_statistics(hypotheses, [references])),  # noqa: SLF001
    )
    return [(metric, np.array(rows, dtype=np.float64)) for metric, rows in counted]


def _estimate(
    metric: Any, rows: NDArray[np.float64], clusters: Sequence[Hashable], rng: np.random.Generator
) -> Estimate:
    # A corpus is scored by the sums of its sentences' counts, as sacrebleu does it.
    value = float(metric._compute_score_from_stats(rows.sum(axis=0).astype(int).tolist()).score)  # noqa: SLF001
    sums = cluster_sums(rows, clusters)
    method = "corpus bootstrap" if len(sums) == len(rows) else "corpus bootstrap of documents"
    if len(sums) < 2:
        return Estimate(value, None, None, len(rows), method, "one sentence or document has no interval")
    drawn = [
        metric._compute_score_from_stats(sample).score  # noqa: SLF001
        for part in resampled_sums(sums, rng, _RESAMPLES)
        # BLEU counts in whole numbers.
        for sample in part.astype(int).tolist()
    ]
    if min(drawn) == max(drawn):
        return Estimate(
            value, None, None, len(rows), method, "all samples score the same, so that they give no interval"
        )
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    return Estimate(value, float(low), float(high), len(rows), method)
