"""Translation scores from sacrebleu: chrF++ of a sentence, chrF++ and BLEU of a corpus, with their signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from evalsuite.errors import InputError

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

__all__ = ["TranslationScores", "chrf_signature", "corpus", "segmenter", "sentence_chrf", "signatures"]

_WORD_ORDER = 2
_INSTALL = "pip install 'sacrebleu[ja]>=2.6,<3'"


@dataclass(frozen=True, slots=True)
class TranslationScores:
    """A corpus's scores: chrF++ and BLEU (0 to 100), their signatures, and the number of sentences."""

    chrf: float
    bleu: float
    chrf_signature: str
    bleu_signature: str
    n: int


def sentence_chrf(hypothesis: str, reference: str, tokenizer: str) -> float:
    """Return the chrF++ of one sentence, 0 to 100; an empty hypothesis has 0.

    chrF++ (Popović, 2017) is the F-score (beta 2) over character n-grams of order 1 to 6 and word n-grams of order 1
    and 2, of which spaces are no part. Words are what stands between spaces. Japanese has none: a sentence is then one
    or two "words" that hardly ever agree, and the score says little more than that. With `ja-mecab` both sides are
    therefore segmented by MeCab first. This leaves the character n-grams as they are, and the word n-grams mean what
    they mean elsewhere; the signature then ends in `words:ja-mecab-...`. Such scores are not comparable with published
    Japanese chrF++ of unsegmented text, which is lower. docs/texts.md has the measurements behind this choice.

    Args:
        hypothesis: The translation.
        reference: The right translation.
        tokenizer: sacrebleu's name of the BLEU tokenizer of the target language (`13a`, `ja-mecab`).

    Raises:
        InputError: sacrebleu has no such tokenizer, or what it needs is not installed.
    """
    words = segmenter(tokenizer)
    return float(_chrf().sentence_score(words(hypothesis), [words(reference)]).score)


def chrf_signature(tokenizer: str) -> str:
    """Return the signature of both chrF++ scores: sacrebleu's, and how words were found where spaces do not say.

    Raises:
        InputError: sacrebleu has no such tokenizer, or what it needs is not installed.
    """
    words = segmenter(tokenizer)
    # A signature is complete only once the metric has seen references.
    metric = _new_chrf()
    metric.corpus_score(["a"], [["a"]])
    suffix = f"|words:{_tokenizer(tokenizer).signature()}" if words is not _plain else ""
    return f"{metric.get_signature()}{suffix}"


@lru_cache(maxsize=8)
def signatures(tokenizer: str) -> tuple[str, str]:
    """Return the signatures of a corpus's chrF++ and BLEU, with one reference a sentence.

    Raises:
        InputError: sacrebleu has no such tokenizer, or what it needs is not installed.
    """
    bleu = _new_bleu(tokenizer)
    bleu.corpus_score(["a"], [["a"]])
    return chrf_signature(tokenizer), str(bleu.get_signature())


def corpus(hypotheses: Sequence[str], references: Sequence[str], tokenizer: str) -> TranslationScores:
    """Return chrF++ and BLEU of a corpus; one reference a sentence, empty hypotheses allowed.

    Corpus scores pool n-gram counts over sentences, so they are no means of sentence scores. BLEU is Papineni et al.
    (2002) as sacrebleu (Post, 2018) computes it.

    Args:
        hypotheses: The translations.
        references: The right translations, in the same order.
        tokenizer: sacrebleu's name of the BLEU tokenizer of the target language (`13a`, `ja-mecab`). For `ja-mecab`,
            see `sentence_chrf` on how words are found for chrF++.

    Raises:
        InputError: There are no sentences, the numbers differ, or the tokenizer cannot be had.
    """
    if not references or len(hypotheses) != len(references):
        raise InputError(
            f"{len(hypotheses)} hypotheses and {len(references)} references",
            fix="give one reference for each hypothesis, and at least one",
        )
    words = segmenter(tokenizer)
    bleu = _new_bleu(tokenizer)
    bleu_score = float(bleu.corpus_score(list(hypotheses), [list(references)]).score)
    split = [words(h) for h in hypotheses], [words(r) for r in references]
    return TranslationScores(
        chrf=float(_new_chrf().corpus_score(split[0], [split[1]]).score),
        bleu=bleu_score,
        chrf_signature=signatures(tokenizer)[0],
        bleu_signature=signatures(tokenizer)[1],
        n=len(references),
    )


def _plain(text: str) -> str:
    return text


@lru_cache(maxsize=8)
def segmenter(tokenizer: str) -> Callable[[str], str]:
    """Return what puts spaces between words before chrF++ looks for them."""
    made: Callable[[str], str] = _tokenizer(tokenizer)
    return made if tokenizer == "ja-mecab" else _plain


@lru_cache(maxsize=8)
def _tokenizer(name: str) -> Any:
    return _new_bleu(name).tokenizer


def _new_bleu(tokenizer: str) -> BLEU:
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise InputError(f"translation scores need sacrebleu: {error}", fix=_INSTALL) from error
    known = sorted(BLEU.TOKENIZERS)
    if tokenizer not in known:
        raise InputError(
            f"metric_tokenizer: sacrebleu has no tokenizer {tokenizer!r}", fix=f"use one of {', '.join(known)}"
        )
    try:
        # `force` only silences a remark about text that looks tokenised; it changes no score.
        return BLEU(tokenize=tokenizer, force=True)
    except (ImportError, RuntimeError) as error:
        raise InputError(f"the tokenizer {tokenizer!r} needs a package that is not installed", fix=_INSTALL) from error


def _new_chrf() -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(word_order=_WORD_ORDER)


_chrf = lru_cache(maxsize=1)(_new_chrf)
