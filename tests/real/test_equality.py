"""Every kind of task, on both real models: packed scores are those of one request at a time.

`EVALSUITE_EQUALITY_ITEMS=20 pytest tests/real/test_equality.py -s` does more items, and prints the greatest differences.
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from lm_eval.api.instance import Instance
from scipy.special import log_softmax

from evalsuite.backends.llamacpp.cache import LONG
from evalsuite.backends.llamacpp.lm import LlamaCppLM
from evalsuite.backends.packing import ScoreRequest
from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.load import load_catalog
from evalsuite.harness import build_task
from evalsuite.machine import usable_cores
from evalsuite.plan import sample
from evalsuite.records import PromptForm

ITEMS = int(os.environ.get("EVALSUITE_EQUALITY_ITEMS", "1"))
CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")
PIECE = 63
LEAST = 8


def from_catalog(name: str, mirror) -> list[list[tuple[str, str]]]:
    """The (context, answer) pairs of a few items, as lm-eval asks them."""
    catalog = load_catalog()
    finder = DataFinder(mirror)
    task = finder.locate(catalog.tasks[name])
    built = build_task(task, finder, PromptForm.NATIVE)
    space = " " if catalog.languages[task.language].spaced else ""
    shown = built.prompts(sample(finder.item_ids(task), ITEMS, 1))
    return [[(item["context"], space + choice) for choice in item["choices"]] for item in shown]


def xnli_es(mirror) -> list[list[tuple[str, str]]]:
    """The form of lm-eval's xnli_es: nothing before the answer, which is the whole text."""
    rows = pd.read_parquet(mirror / "facebook" / "xnli" / "es" / "test.parquet").iloc[:: 5010 // ITEMS][:ITEMS]
    words = ("Sí", "Así que", "No")
    return [
        [("", f"{p.rstrip('.')}, ¿correcto? {word}, {h[0].lower()}{h[1:]}") for word in words]
        for p, h in zip(rows["premise"], rows["hypothesis"], strict=True)
    ]


def bmlama(code: str, mirror) -> list[list[tuple[str, str]]]:
    rows = pd.read_parquet(mirror / "Betswish" / "BMLAMA53" / code / "test.parquet").iloc[50 :: 3000 // ITEMS][:ITEMS]
    return [
        [("", prompt.replace("<mask>", candidate)) for candidate in candidates.split(", ")]
        for prompt, candidates in zip(rows["Prompt"], rows["Candidate Ans"], strict=True)
    ]


class OneAtATime:
    """llama-cpp-python's own class: each request alone in a cleared cache, logits of all its tokens."""

    def __init__(self, path, monkeypatch, cells: int = 1024, most: int = PIECE) -> None:
        import llama_cpp

        # The class has no argument for it, and repacked weights are multiplied by other kernels.
        params = llama_cpp.llama_model_default_params()
        params.use_extra_bufts = False
        monkeypatch.setattr(llama_cpp.llama_cpp, "llama_model_default_params", lambda: params)
        # Flash attention as in the engine: the order of summation is part of what is compared.
        # By default it takes a thread for each core of the machine, more than this process may have.
        threads = usable_cores().count
        self._llm = llama_cpp.Llama(
            str(path), n_ctx=cells, n_batch=most, n_ubatch=most, n_threads=threads, n_threads_batch=threads,
            logits_all=True, flash_attn=True, verbose=False,
        )  # fmt: skip

    def token_logprobs(self, tokens: list[int], start: int, blocked: int = 0) -> np.ndarray:
        self._llm.reset()
        if blocked:
            self._llm.n_batch = LONG.size
            self._llm.eval(tokens[:blocked])
        evaluated = tokens[blocked:-1]
        if len(evaluated) < LEAST:
            evaluated = evaluated + [tokens[0]] * (LEAST - len(evaluated))  # what follows cannot change what was before
        # A last piece of a few tokens would take other kernels.
        self._llm.n_batch = next(
            n for n in range(PIECE, LEAST, -1) if len(evaluated) % n == 0 or len(evaluated) % n >= LEAST
        )
        self._llm.eval(evaluated)
        logs = log_softmax(self._llm.scores[start - 1 : len(tokens) - 1].astype(np.float64), axis=1)
        return np.asarray(logs[np.arange(len(tokens) - start), tokens[start:]])


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_packed_scores_are_those_of_one_request_at_a_time(name, request, mirror, monkeypatch):
    path = request.getfixturevalue(name)
    tasks = {f"{group}_{code}": None for group in ("labels", "lexicon", "sib200") for code in CODES}
    asked = {task: from_catalog(task, mirror) for task in (tasks if ITEMS > 1 else list(tasks)[:: len(CODES) - 1])}
    asked["xnli_es"] = xnli_es(mirror)
    asked |= {f"bmlama_{code}": bmlama(code, mirror) for code in (CODES if ITEMS > 1 else ("es", "ja"))}
    backend = LlamaCppLM(path)
    pairs = [pair for items in asked.values() for item in items for pair in item]
    scored = iter(backend.loglikelihood([Instance("loglikelihood", {}, p, 0) for p in pairs], disable_tqdm=True))
    alone = OneAtATime(path, monkeypatch)
    worst, ties = 0.0, 0
    for task, items in asked.items():
        most = 0.0
        for item in items:
            ours, theirs = [], []
            for context, answer in item:
                before, after = (
                    backend._encode_pair(context, answer)
                    if context
                    else ([backend.prefix_token_id], backend.tok_encode(answer, add_special_tokens=False))
                )
                logs = alone.token_logprobs([*before, *after], len(before))
                total, _ = next(scored)
                most = max(most, abs(total - logs.sum()) / len(after))
                ours.append(total)
                theirs.append(float(logs.sum()))
            first, second = np.sort(theirs)[::-1][:2]
            if int(np.argmax(ours)) != int(np.argmax(theirs)):
                assert first - second < 1e-3, f"{task}: another answer, and no tie"
                ties += 1
        print(f"{name} {task}: greatest difference {most:.2e} nat a token")
        worst = max(worst, most)
    print(f"{name}: greatest difference {worst:.2e} nat a token over {len(pairs)} requests, {ties} ties")
    backend.close()
    assert worst < 1e-3


def test_scores_after_long_texts_are_those_of_one_request_at_a_time(smollm2, monkeypatch):
    """What goes in tiles: the same to the bit in any company, and what llama-cpp-python's own class gives."""
    backend = LlamaCppLM(smollm2)
    catalog = load_catalog()
    task = catalog.tasks["long_topic_en"]
    shown = build_task(DataFinder().locate(task), DataFinder(), PromptForm.NATIVE).prompts(range(40, 44))
    # Two questions on one document, and one of another length on a document that begins alike.
    first, second = (item["context"] for item in shown[:2])
    texts = [first, second, first[:7500] + "\n\nThe message is about"]
    encoded = [backend._encode_pair(text, " " + shown[0]["choices"][i]) for i, text in enumerate(texts)]
    requests = [ScoreRequest((*before, *after), len(before)) for before, after in encoded]
    blocked = [LONG.of(request.scored_from) for request in requests]
    assert blocked[0] == blocked[1] > blocked[2] >= LONG.least - LONG.left - LONG.size
    together = backend.engine.score(requests)
    evaluated = backend.engine.evaluated
    assert evaluated < 1.3 * len(requests[0].tokens), "one document is read once"
    assert backend.engine.score(requests[1:2]) == together[1:2]
    backend.close()
    alone = OneAtATime(smollm2, monkeypatch, cells=2304, most=LONG.size)
    request = requests[1]
    logs = alone.token_logprobs(list(request.tokens), request.scored_from, blocked[1])
    assert together[1][0] == pytest.approx(logs.tolist(), abs=1e-3)
