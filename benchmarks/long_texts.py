"""What blocks gain on a long document: the same requests with and without them, on one loaded model, by turns.

    python benchmarks/long_texts.py [--model smollm2-135m-instruct] [--tokens 5000] [--questions 10] [--threads 1]

A document of the task `long_topic_en` is scored with its questions, twelve categories each. Without blocks, all tokens go
cell by cell, as those of short requests do. Ratios are of processor time. docs/scoring.md says what blocks are.
"""

from __future__ import annotations

import argparse
import sys
import time

from evalsuite.backends.llamacpp.lm import LlamaCppLM
from evalsuite.backends.packing import Blocks, ScoreRequest
from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.fetch import fetch_model
from evalsuite.catalog.load import load_catalog
from evalsuite.catalog.models import load_models
from evalsuite.harness import build_task
from evalsuite.records import PromptForm

FIRST_ITEM = {2048: 40, 5000: 60, 8000: 80}
"""Where the items on the first document of a size begin."""


def requests_of(lm: LlamaCppLM, tokens: int, questions: int) -> list[ScoreRequest]:
    """Return the requests of some questions on one document."""
    finder = DataFinder()
    built = build_task(finder.locate(load_catalog().tasks["long_topic_en"]), finder, PromptForm.NATIVE)
    first = FIRST_ITEM[tokens]
    found = []
    for item in built.prompts(range(first, first + questions)):
        pairs = [lm._encode_pair(item["context"], f" {choice}") for choice in item["choices"]]
        found += [ScoreRequest((*before, *after), len(before)) for before, after in pairs]
    return found


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--tokens", type=int, choices=sorted(FIRST_ITEM), default=5000)
    parser.add_argument("--questions", type=int, choices=range(1, 11), metavar="1-10", default=10)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    lm = LlamaCppLM(fetch_model(load_models()[asked.model]).path, threads=asked.threads)
    requests = requests_of(lm, asked.tokens, asked.questions)
    blocks: Blocks | None = lm.engine._blocks
    print("| | tokens evaluated | processor s | of which the document s | times less |\n|" + " --- |" * 5)
    spent: list[float] = []
    for name, used in (("cell by cell", None), ("in blocks", blocks)):
        lm.engine._blocks = used
        lm.engine.score(requests[:1])  # loads the pages, and makes the cache
        lm.engine._empty_cache(0)
        start, before = time.process_time(), lm.engine.evaluated
        lm.engine.score(requests[:1])
        document = time.process_time() - start
        lm.engine._empty_cache(0)
        start, before = time.process_time(), lm.engine.evaluated
        lm.engine.score(requests)
        spent.append(time.process_time() - start)
        evaluated = lm.engine.evaluated - before
        print(f"| {name} | {evaluated} | {spent[-1]:.1f} | {document:.1f} | {spent[0] / spent[-1]:.2f} |", flush=True)
    lm.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
