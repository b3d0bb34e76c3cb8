"""Are the rates of a profile those of llama.cpp? Prefill of 512 tokens and 128 decoded tokens, ours against its own measure.

    python benchmarks/device.py [--json] [--models smollm2-135m-instruct,gemma3-270m] [--llama-bench PATH] [--repeats 5]

"Ours" is `Stream.fill`, which every profile is made with: it chooses each token from the logits. "Bare" is the loop of
llama.cpp's llama-bench, written against the same library in the same process: random tokens, nothing chosen. With
`--llama-bench` the program itself is run as well. They take turns; the
ratios are medians over the turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

# A script finds its neighbours without a package.
from common import model_file

from evalsuite.backends.llamacpp.stream import Stream
from evalsuite.machine import usable_cores

PREFILL = 512
DECODE = 128


def ours(stream: Stream, tokens: list[int]) -> tuple[float, float]:
    """Return prompt and answer tokens per second."""
    prefill_s, _ = stream.fill(tokens, 0)
    # Decoding begins from an empty cache, as in llama-bench: what it looks through costs as much as the rest.
    _, steps_s = stream.fill(tokens[:1], DECODE)
    return PREFILL / prefill_s, DECODE / sum(steps_s)


def bare(stream: Stream, tokens: list[int]) -> tuple[float, float]:
    """Return the same of llama-bench's loop: a cleared cache for each, and nothing read from the logits."""
    memory = llama_cpp.llama_get_memory(stream._context)
    context = stream._context  # the very context that is compared

    def decode(part: list[int]) -> None:
        array = (llama_cpp.llama_token * len(part))(*part)
        assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(part))) == 0
        llama_cpp.llama_synchronize(context)

    llama_cpp.llama_memory_clear(memory, True)
    start = time.perf_counter()
    decode(tokens)
    prefilled = time.perf_counter()
    llama_cpp.llama_memory_clear(memory, True)
    began = time.perf_counter()
    for token in tokens[:DECODE]:
        decode([token])
    end = time.perf_counter()
    return PREFILL / (prefilled - start), DECODE / (end - began)


def llama_bench(program: Path, model: Path, threads: int) -> tuple[float, float]:
    """Return the same of llama.cpp's own program."""
    command = [str(program), "-m", str(model), "-p", str(PREFILL), "-n", str(DECODE), "-t", str(threads)]
    done = subprocess.run([*command, "-r", "1", "-o", "json"], capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)
    rate = {(row["n_prompt"], row["n_gen"]): float(row["avg_ts"]) for row in rows}
    return rate[PREFILL, 0], rate[0, DECODE]


def measure(name: str, repeats: int, program: Path | None) -> list[dict[str, Any]]:
    """Return a row for prefill and one for decoding."""
    path, threads = model_file(name), usable_cores().count
    stream = Stream(path, threads=threads)
    stream.open_context(PREFILL + DECODE)
    # Words would be as good: the work does not depend on which tokens they are.
    tokens = [int(t) for t in np.random.default_rng(1).integers(10, stream.n_vocab - 10, PREFILL)]
    stream.fill(tokens, 8)
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": [], "llama-bench": []}
    for repeat in range(repeats):
        # In turn, and the other way round each time: a machine that drifts would else favour one of them.
        ways = {"bare": lambda: bare(stream, tokens), "ours": lambda: ours(stream, tokens)}
        if program is not None:
            ways["llama-bench"] = lambda: llama_bench(program, path, threads)
        for way in list(ways)[:: -1 if repeat % 2 else 1]:
            found[way].append(ways[way]())
    stream.close()
    rows = []
    for place, what in enumerate((f"prefill {PREFILL}", f"decode {DECODE}")):
        rates = {way: statistics.median(r[place] for r in runs) for way, runs in found.items() if runs}
        row: dict[str, Any] = {"model": name, "what": what, **{f"{way}, tokens/s": r for way, r in rates.items()}}
        for way in rates.keys() - {"ours"}:
            pairs = zip(found["ours"], found[way], strict=True)
            row[f"ours ÷ {way}"] = statistics.median(mine[place] / other[place] for mine, other in pairs)
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--models", default="smollm2-135m-instruct,gemma3-270m")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--llama-bench", type=Path)
    given = parser.parse_args()
    rows = [row for name in given.models.split(",") for row in measure(name, given.repeats, given.llama_bench)]
    if given.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for row in rows:
        print("  ".join(f"{k}: {v:.3g}" if isinstance(v, float) else str(v) for k, v in row.items()))


if __name__ == "__main__":
    main()
