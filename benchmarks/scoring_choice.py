"""Which scoring suits a task: accuracy under each, for every language, from one pass over the items.

    python benchmarks/scoring_choice.py labels gemma3-270m [--limit 60]

Prints a table: raw log-likelihood, per character, per byte, minus the log-likelihood after the bare answer label, and
minus that after prompts with no content (Zhao et al., 2021). The last column is the share of items that get the most
frequent raw answer: 1.00 means that the model answers always alike. docs/scoring.md states what was decided on it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from lm_eval.api.instance import Instance

from evalsuite.backends.llamacpp.lm import LlamaCppLM
from evalsuite.catalog.data import DataFinder, mirror_from
from evalsuite.catalog.fetch import fetch_model
from evalsuite.catalog.load import load_catalog
from evalsuite.harness import build_task
from evalsuite.plan import sample
from evalsuite.records import PromptForm

EMPTY = ("", "N/A", "…")
"""Texts with no content, in place of the item's."""


def loglikelihoods(lm: LlamaCppLM, pairs: list[tuple[str, str]]) -> np.ndarray:
    """Return the log-likelihood of each (context, answer)."""
    found = lm.loglikelihood([Instance("loglikelihood", {}, pair, 0) for pair in pairs], disable_tqdm=True)
    return np.array([value for value, _ in found])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group")
    parser.add_argument("model")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--langs", default="en,es,pt,ca,gl,eu,ja")
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    catalog, finder = load_catalog(), DataFinder(mirror_from(options.data))
    lm = LlamaCppLM(fetch_model(catalog.models[options.model]).path)
    print(f"{'':4}{'n':>5}{'raw':>7}{'char':>7}{'byte':>7}{'label':>7}{'empty':>7}{'same':>7}")
    for code in options.langs.split(","):
        task = catalog.tasks[f"{options.group}_{code}"]
        built = build_task(task, finder, PromptForm.NATIVE)
        items = built.prompts(sample(finder.item_ids(task), options.limit, 20260401))
        delimiter = " " if catalog.languages[code].spaced else ""
        scores: dict[str, list[bool]] = {}
        raw_answers: Counter[int] = Counter()
        for item in items:
            choices, gold = item["choices"], item["choices"].index(item["target"])
            answers = [delimiter + choice for choice in choices]
            # The text of the item is what stands after the first label; the answer label is the last line.
            head, _, tail = item["context"].rpartition("\n")
            label = head[: head.index(catalog.languages[code].colon.strip()) + 1]
            empties = [f"{label}{delimiter if empty else ''}{empty}\n{tail}" for empty in EMPTY]
            contexts = [item["context"], tail, *empties]
            values = loglikelihoods(lm, [(c, a) for c in contexts for a in answers]).reshape(len(contexts), -1)
            raw, prior, empty = values[0], values[1], values[2:].mean(axis=0)
            raw_answers[int(raw.argmax())] += 1
            for name, value in (
                ("raw", raw),
                ("char", raw / [len(c) for c in choices]),
                ("byte", raw / [len(c.encode()) for c in choices]),
                ("label", raw - prior),
                ("empty", raw - empty),
            ):
                scores.setdefault(name, []).append(int(value.argmax()) == gold)
        means = "".join(f"{np.mean(values):7.2f}" for values in scores.values())
        print(f"{code:4}{len(items):5}{means}{max(raw_answers.values()) / len(items):7.2f}", flush=True)


if __name__ == "__main__":
    main()
