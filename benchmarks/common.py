"""What the benchmarks share: what is scored, llama.cpp's own rate, and a watch on memory."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evalsuite.backends.packing import PackLimits, ScoreRequest, pack
from evalsuite.catalog.data import DataFinder, mirror_from
from evalsuite.catalog.fetch import fetch_model
from evalsuite.catalog.load import load_catalog
from evalsuite.plan import sample

Pairs = list[tuple[str, str]]
"""(context, answer)."""
RATE_TOKENS = 512
_SEED = 20260401
_ANSWERS = 4


def items(task: str, limit: int | None, data: Path | None) -> list[tuple[str, list[str]]]:
    """Return (context, answers) of a task's items, as lm-eval would ask them."""
    from evalsuite.harness import build_task
    from evalsuite.records import PromptForm

    catalog, finder = load_catalog(), DataFinder(mirror_from(data))
    spec = finder.locate(catalog.tasks[task])
    built = build_task(spec, finder, PromptForm.NATIVE)
    shown = built.prompts(sample(finder.item_ids(spec), limit, _SEED))
    space = " " if catalog.languages[spec.language].spaced else ""
    return [(item["context"], [space + choice for choice in item["choices"]]) for item in shown]


def reading(limit: int, data: Path | None) -> list[tuple[str, list[str]]]:
    """Return items with a long passage and four answers: XQuAD in Spanish, with answers to other questions beside."""
    import pandas as pd

    folder = mirror_from(data)
    if folder is None:
        raise SystemExit("the workload `reading` needs a mirror of public data: --data FOLDER")
    table = pd.read_parquet(next((folder / "google" / "xquad" / "xquad.es").glob("validation*.parquet")))
    made = []
    for passage, rows in table.groupby("context", sort=False):
        answers = [str(row["text"][0]) for row in rows["answers"]]
        if len(set(answers)) < _ANSWERS:
            continue
        for question, answer in zip(rows["question"], answers, strict=True):
            others = [a for a in dict.fromkeys(answers) if a != answer][: _ANSWERS - 1]
            choices = sorted([answer, *others])
            made.append((f"{passage}\nPregunta: {question}\nRespuesta:", [f" {choice}" for choice in choices]))
    return made[:limit]


def workloads(limit: int, data: Path | None) -> dict[str, Pairs]:
    """Return what is scored, by name."""
    sib = items("sib200_es", None, data)
    examples = "\n\n".join(context + answers[0] for context, answers in sib[-5:])
    asked = {
        "sib200 es": sib[:limit],
        "sib200 es, 5 examples": [(f"{examples}\n\n{context}", answers) for context, answers in sib[:limit]],
        "reading es": reading(limit, data),
        "lexicon eu": items("lexicon_eu", 2 * limit, data),
    }
    return {name: [(c, a) for c, answers in rows for a in answers] for name, rows in asked.items()}


def load(name: str) -> Any:
    """Return our llama.cpp backend with a model of the catalog; `+dequantised` behind its name is understood."""
    from evalsuite.backends.llamacpp.lm import LlamaCppLM

    base, plus, _ = name.partition("+")
    return LlamaCppLM(model_file(base), compute="dequantised" if plus else "stored")


def model_file(name: str) -> Path:
    """Return the file of a model of the catalog."""
    return fetch_model(load_catalog().models[name.partition("+")[0]]).path


def instances(pairs: Pairs) -> list[Any]:
    """Return lm-eval's requests."""
    from lm_eval.api.instance import Instance

    return [Instance("loglikelihood", {}, pair, 0) for pair in pairs]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that some work takes, and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def unique_tokens(lm: Any, pairs: Pairs) -> tuple[int, int]:
    """Return how many tokens the tree of all requests has, and after how many of them logits are needed."""
    made = [lm._encode_pair(context, answer) for context, answer in pairs]
    requests = [ScoreRequest((*context, *answer), len(context)) for context, answer in made]
    packing = pack(requests, PackLimits(512, 248, 512))
    return packing.tokens, sum(len(batch.rows) for batch in packing.batches)


class Prompts:
    """llama.cpp's own rate on prompts: batches of 512 tokens, one row of logits, its defaults but for repacked weights."""

    def __init__(self, lm: Any) -> None:
        import llama_cpp

        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = RATE_TOKENS
        params.n_threads = params.n_threads_batch = lm.engine.threads
        self._context = llama_cpp.llama_init_from_model(lm.engine.handle, params)
        text = " ".join(context for context, _ in items("labels_es", 30, None))
        self._tokens = np.resize(np.asarray(lm.tok_encode(text), dtype=np.int32), RATE_TOKENS)

    def evaluate(self, tokens: list[int], start: int, *, all_rows: bool = False) -> np.ndarray:
        """Evaluate tokens of one sequence from position `start`; return the logits after the last one (or the first)."""
        import llama_cpp

        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i] = token, start + i
            batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = 1, 0, all_rows or i == len(tokens) - 1
        assert llama_cpp.llama_decode(self._context, batch) == 0
        pointer = llama_cpp.llama_get_logits(self._context)
        llama_cpp.llama_batch_free(batch)
        vocabulary = llama_cpp.llama_vocab_n_tokens(
            llama_cpp.llama_model_get_vocab(llama_cpp.llama_get_model(self._context))
        )
        return np.ctypeslib.as_array(pointer, shape=(vocabulary,))

    def clear(self) -> None:
        """Forget everything."""
        import llama_cpp

        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)

    def row_s(self) -> float:
        """Return the seconds that the logits after one token cost, without the token."""
        count = 64
        tokens = [int(token) for token in self._tokens[:count]]
        times = []
        for every in (False, True) * 3:
            self.clear()
            times.append(timed(lambda all_rows=every: self.evaluate(tokens, 0, all_rows=all_rows))[0])  # type: ignore[misc]
        return max(0.0, (min(times[1::2]) - min(times[::2])) / (count - 1))

    def rate(self, times: int = 2) -> list[float]:
        """Return tokens per second, of `times` batches."""
        found = []
        for _ in range(times):
            self.clear()
            found.append(RATE_TOKENS / timed(lambda: self.evaluate(list(self._tokens), 0))[0])
        return found


class AnonymousMemory(threading.Thread):
    """Watches the most anonymous memory of this process (without the mapped model file)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = self.start_bytes = self.now()
        self.start()

    @staticmethod
    def now() -> int:
        """Return bytes."""
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def run(self) -> None:
        """Look twenty times a second."""
        while True:
            self.peak = max(self.peak, self.now())
            time.sleep(0.05)
