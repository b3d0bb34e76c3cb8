"""chrF++ against its definition, BLEU against NLTK; Japanese segmented by MeCab."""

from __future__ import annotations

import pytest

from evalsuite.errors import InputError
from evalsuite.texts.translation import chrf_signature, corpus, sentence_chrf

_HYPOTHESES = ["The cat sat on the mat.", "", "A dog barks loudly"]
_REFERENCES = ["The cat is sitting on the mat.", "Yes.", "The dog barks loudly."]
_JA = "猫がマットの上に座っている。"


def _needs_mecab():
    pytest.importorskip("MeCab")
    pytest.importorskip("ipadic")


def _chrf(hypothesis: str, reference: str, word_order: int, beta: float = 2) -> float:
    """Return chrF from its definition: the F of mean precision and recall over orders (sacrebleu's `eff:yes`)."""
    from collections import Counter

    def grams(tokens, n):
        return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))

    def words(text):
        # Punctuation at one end of a word stands alone, as in chrF++.py.
        for word in text.split():
            if len(word) > 1 and word[-1] in ".,!?":
                yield from (word[:-1], word[-1])
            else:
                yield word

    precisions, recalls = [], []
    pairs = [("".join(t.split()) for t in (hypothesis, reference)), (list(words(t)) for t in (hypothesis, reference))]
    for (one, two), orders in zip(map(tuple, pairs), (6, word_order), strict=True):
        for n in range(1, orders + 1):
            given, right = grams(one, n), grams(two, n)
            if given and right:
                same = (given & right).total()
                precisions.append(same / given.total())
                recalls.append(same / right.total())
    p, r = (sum(x) / len(x) if x else 0 for x in (precisions, recalls))
    return 100 * (1 + beta**2) * p * r / (beta**2 * p + r) if p + r else 0


@pytest.mark.parametrize(("hypothesis", "reference"), [*zip(_HYPOTHESES, _REFERENCES, strict=True)])
def test_sentence_chrf_is_chrf_with_word_pairs(hypothesis, reference):
    """The reference is the definition of chrF++, written down here a second time."""
    assert sentence_chrf(hypothesis, reference, "13a") == pytest.approx(_chrf(hypothesis, reference, 2))


def test_sentence_chrf_ends():
    assert sentence_chrf("Bai.", "Bai.", "13a") == 100
    assert sentence_chrf("", "Bai.", "13a") == 0
    assert sentence_chrf("xyz", "Bai.", "13a") == 0


def test_corpus_scores_agree_with_nltk():
    """The reference is NLTK's corpus BLEU, on text that every tokenizer splits alike."""
    bleu = pytest.importorskip("nltk.translate.bleu_score")
    hypotheses = ["the cat sat on the mat today", "a dog barks loudly at the man"]
    references = ["the cat sat on the red mat", "the dog barks loudly at the man"]
    scores = corpus(hypotheses, references, "13a")
    expected = bleu.corpus_bleu([[r.split()] for r in references], [h.split() for h in hypotheses])
    assert scores.bleu == pytest.approx(100 * expected)
    assert scores.n == 2


def test_corpus_takes_empty_hypotheses():
    scores = corpus(_HYPOTHESES, _REFERENCES, "13a")
    assert 0 < scores.chrf < 100
    assert 0 < scores.bleu < 100
    assert corpus([""], ["x"], "13a").chrf == 0


def test_signatures_name_the_metric_and_the_tokenizer():
    scores = corpus(_HYPOTHESES, _REFERENCES, "13a")
    assert "nc:6|nw:2" in scores.chrf_signature
    assert "words:" not in scores.chrf_signature
    assert "tok:13a" in scores.bleu_signature
    assert scores.chrf_signature == chrf_signature("13a")


def test_japanese_is_segmented_for_its_words_only():
    _needs_mecab()
    worse = _JA.replace("上", "下")
    segmented = "猫 が マット の 上 に 座っ て いる 。"
    assert sentence_chrf(_JA, segmented, "ja-mecab") == 100
    # One word of ten is wrong; unsegmented, the only word is.
    assert sentence_chrf(worse, _JA, "ja-mecab") > sentence_chrf(worse, _JA, "13a") + 10
    expected = _chrf("猫 が マット の 下 に 座っ て いる 。", segmented, 2)
    assert sentence_chrf(worse, _JA, "ja-mecab") == pytest.approx(expected)


def test_japanese_signatures_name_mecab():
    _needs_mecab()
    scores = corpus([_JA, ""], [_JA, _JA], "ja-mecab")
    assert "|words:ja-mecab-" in scores.chrf_signature
    assert "|tok:ja-mecab-" in scores.bleu_signature
    assert corpus([_JA], [_JA], "ja-mecab").chrf == 100


@pytest.mark.parametrize(("hypotheses", "references"), [([], []), (["a"], ["a", "b"])])
def test_every_hypothesis_needs_a_reference(hypotheses, references):
    with pytest.raises(InputError, match=f"{len(hypotheses)} hypotheses and {len(references)} references"):
        corpus(hypotheses, references, "13a")


def test_an_unknown_tokenizer_is_refused():
    for score in (lambda: sentence_chrf("a", "a", "klingon"), lambda: corpus(["a"], ["a"], "klingon")):
        with pytest.raises(InputError, match="'klingon'") as error:
            score()
        assert "13a" in str(error.value.fix)
