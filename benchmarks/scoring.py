"""What scoring and generation cost: against the machine's own rate, and against the ways that people use today.

    python benchmarks/scoring.py [--json] [--parts limit,unshared,...] [--models smollm2-135m-instruct,gemma3-270m]

Needs the extras `hf` and `dev`, and a mirror of public data (`--data`, or EVALSUITE_DATA). The part `server` also needs
`pip install "llama-cpp-python[server]"`. Each part runs in a process of its own, and compares within it, one after the
other: times of a shared machine mean little, ratios of one run mean something. docs/performance.md has the results.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

# A script finds its neighbours without a package.
from common import (
    RATE_TOKENS,
    AnonymousMemory,
    Pairs,
    Prompts,
    instances,
    items,
    load,
    model_file,
    timed,
    unique_tokens,
    workloads,
)

GENERATED = 64


# --- the parts: each returns rows of a table


def score(lm: Any, pairs: Pairs) -> list[tuple[float, bool]]:
    """Return the log-likelihood of each answer and whether it is the likeliest."""
    found: list[tuple[float, bool]] = lm.loglikelihood(instances(pairs), disable_tqdm=True)
    return found


def part_limit(model: str, limit: int, data: Path | None) -> list[dict[str, Any]]:
    """Unique tokens ÷ rate is the least time; how near do we come, and how much of it is not llama.cpp's?"""
    lm = load(model)
    prompts = Prompts(lm)
    found = []
    for name, pairs in workloads(limit, data).items():
        tokens, rows = unique_tokens(lm, pairs)
        score(lm, pairs[:14])
        before = prompts.rate()
        clock = lm.engine.clock
        decoded, evaluated = clock.decode_s, clock.evaluated
        seconds, _ = timed(partial(score, lm, pairs))
        rate = statistics.median(before + prompts.rate())
        assert clock.evaluated - evaluated == tokens, "a token was evaluated twice, or not at all"
        inside = clock.decode_s - decoded
        found.append(
            {
                "workload": name,
                "requests": len(pairs),
                "tokens": tokens,
                "rows": rows,
                "prompt rate": round(rate),
                "our rate": round(tokens / seconds),
                "of the limit": tokens / rate / seconds,
                "of the limit with its logits": (tokens / rate + rows * prompts.row_s()) / seconds,
                "outside decode": 1 - inside / seconds,
            }
        )
    return found


def part_memory(model: str, limit: int, data: Path | None) -> list[dict[str, Any]]:
    """Anonymous memory beyond the loaded model, cache and logits of one batch."""
    pairs = workloads(limit, data)["sib200 es, 5 examples"]
    lm = load(model)
    watch = AnonymousMemory()
    score(lm, pairs)
    cache = lm.engine._cache
    rows = 4 * lm.engine.n_vocab * cache.piece_tokens
    kept = lm.engine.cache_bytes_per_token * cache.cells
    grown = watch.peak - watch.start_bytes
    return [
        {
            "workload": "sib200 es, 5 examples",
            "grown by MiB": round(grown / 2**20),
            "cache MiB": round(kept / 2**20),
            "logits of one batch MiB": round(rows / 2**20, 1),
            "beyond cache, in batches of logits": (grown - kept) / rows,
        }
    ]


def part_unshared(model: str, limit: int, data: Path | None) -> list[dict[str, Any]]:
    """The same requests one at a time on the same llama.cpp, context and answer in one batch each."""
    lm = load(model)
    prompts = Prompts(lm)
    found = []
    for name, pairs in workloads(max(4, limit // 4), data).items():
        encoded = [lm._encode_pair(context, answer) for context, answer in pairs]

        def alone(encoded: list[tuple[list[int], list[int]]] = encoded) -> None:
            for context, answer in encoded:
                prompts.clear()
                # lm-eval evaluates all of context and answer but the last token.
                prompts.evaluate([*context, *answer][:-1][:RATE_TOKENS], 0)

        first, _ = timed(partial(score, lm, pairs))
        seconds, _ = timed(alone)
        second, _ = timed(partial(score, lm, pairs))
        found.append(
            {"workload": name, "requests": len(pairs), "times faster": seconds / statistics.mean((first, second))}
        )
    return found


def part_hf(model: str, limit: int, data: Path | None) -> list[dict[str, Any]]:
    """Stock lm-eval `hf` on the same GGUF, dequantised, and our transformers backend on the same weights."""
    import torch
    from lm_eval.models.huggingface import HFLM

    from evalsuite.backends.hf.lm import TransformersLM

    path = model_file(model)
    lm = load(model)
    torch.set_num_threads(lm.engine.threads)
    stock = HFLM(
        pretrained=str(path.parent), gguf_file=path.name, device="cpu", dtype="float32", batch_size=8, max_length=2048
    )
    ours = TransformersLM(path=path, dtype="float32")
    found = []
    pairs = workloads(max(8, limit // 3), data)["sib200 es"]
    ratios: dict[str, list[float]] = {}
    answers: dict[str, np.ndarray] = {}
    for _ in range(2):
        times = {}
        for name, backend in (("stock hf", stock), ("llamacpp", lm), ("transformers", ours)):
            times[name], result = timed(partial(score, backend, pairs))
            answers[name] = np.array([value for value, _ in result]).reshape(-1, 7).argmax(axis=1)
        for name in ("llamacpp", "transformers"):
            ratios.setdefault(name, []).append(times["stock hf"] / times[name])
    for name, values in ratios.items():
        same = float((answers[name] == answers["stock hf"]).mean())
        found.append(
            {
                "workload": f"sib200 es, {name}",
                "requests": len(pairs),
                "times faster than lm-eval hf": statistics.mean(values),
                "same answer": same,
            }
        )
    return found


def part_server(model: str, limit: int, data: Path | None) -> list[dict[str, Any]]:
    """Stock lm-eval `gguf` against llama-cpp-python's server: two items, as one takes half a minute."""
    from lm_eval.models.gguf import GGUFLM

    pairs = workloads(2, data)["sib200 es"]
    many = workloads(limit, data)["sib200 es"]
    lm = load(model)
    ours, _ = timed(partial(score, lm, many))
    lm.close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model_file(model)), "--port", str(port)]
    command += ["--n_ctx", "512", "--logits_all", "true", "--n_threads", "2", "--verbose", "false"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while server.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        else:
            raise SystemExit('the server does not start: pip install "llama-cpp-python[server]"')
        stock = GGUFLM(base_url=f"http://127.0.0.1:{port}")
        theirs, _ = timed(partial(score, stock, pairs))
    finally:
        server.terminate()
        server.wait()
    each, ours_each = theirs / len(pairs), ours / len(many)
    return [
        {
            "workload": "sib200 es",
            "requests": len(pairs),
            "server s a request": each,
            "ours s a request": ours_each,
            "times faster": each / ours_each,
        }
    ]


def part_generation(model: str, _: int, data: Path | None) -> list[dict[str, Any]]:
    """64 tokens for 64 prompts, against one sequence at a time with one-token steps."""
    from lm_eval.api.instance import Instance

    lm = load(model)
    prompts = Prompts(lm)
    contexts = [context for context, _ in items("labels_es", GENERATED, data)]
    options = {"max_gen_toks": GENERATED, "until": []}
    asked = [Instance("generate_until", {}, (context, options), 0) for context in contexts]

    def single(texts: list[str]) -> int:
        made = 0
        for text in texts:
            tokens = lm.tok_encode(text)
            prompts.clear()
            logits = prompts.evaluate(tokens, 0)
            for step in range(GENERATED):
                token = int(logits.argmax())
                made += 1
                if lm.engine.is_end(token) or step + 1 == GENERATED:
                    break
                logits = prompts.evaluate([token], len(tokens) + step)
        return made

    few = contexts[:: GENERATED // 4]
    before, made_before = timed(lambda: single(few))
    seconds, texts = timed(lambda: lm.generate_until(asked))
    after, made_after = timed(lambda: single(few))
    made = sum(min(GENERATED, len(lm.engine.tokenize(text)) + 1) for text in texts)
    one = (made_before + made_after) / (before + after)
    return [
        {
            "workload": f"{GENERATED} prompts",
            "one at a time, tokens/s": round(one, 1),
            "together, tokens/s": round(made / seconds, 1),
            "times faster": made / seconds / one,
        }
    ]


def part_flips(model: str, limit: int, data: Path | None) -> list[dict[str, Any]]:
    """How many answers change where the same weights are computed in float32, and what that takes."""
    found = []
    for name, pairs in workloads(limit, data).items():
        width = 7 if name.startswith("sib200") else 4
        answers, times = {}, {}
        for kind in (model, f"{model}+dequantised"):
            lm = load(kind)
            times[kind], result = timed(partial(score, lm, pairs))
            answers[kind] = np.array([value for value, _ in result]).reshape(-1, width).argmax(axis=1)
            lm.close()
        stored, float32 = answers.values()
        found.append(
            {
                "workload": name,
                "items": len(stored),
                "flips": int((stored != float32).sum()),
                "times faster": times[model] / times[f"{model}+dequantised"],
            }
        )
    return found


PARTS = {
    "limit": part_limit,
    "memory": part_memory,
    "unshared": part_unshared,
    "flips": part_flips,
    "generation": part_generation,
    "hf": part_hf,
    "server": part_server,
}
DEQUANTISED_TOO = ("limit", "generation", "hf")


def child(part: str, model: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run a part in a process of its own; a failure is told and costs this part only."""
    command = [sys.executable, __file__, "--child", part, "--models", model, "--items", str(options.items)]
    command += ["--data", str(options.data)] if options.data else []
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TQDM_DISABLE": "1"}, check=False)
    if done.returncode != 0:
        print(f"{part} of {model} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
        return []
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return [{"part": part, "model": model, **row} for row in rows]


def show(rows: list[dict[str, Any]]) -> None:
    """Print rows of one part as a Markdown table."""
    heads = [head for head in rows[0] if head != "part"]
    print(f"\n### {rows[0]['part']}\n\n| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for row in rows:
        cells = [f"{row[head]:.3g}" if isinstance(row[head], float) else str(row[head]) for head in heads]
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print all rows as JSON")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--models", default="smollm2-135m-instruct,gemma3-270m")
    parser.add_argument("--items", type=int, default=48, help="items of a workload")
    parser.add_argument("--data", type=Path, help="mirror of public data")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(PARTS[options.child](options.models, options.items, options.data)))
        return
    everything = []
    for part in options.parts.split(","):
        if part not in PARTS:
            parser.error(f"unknown part {part!r}; known: {', '.join(PARTS)}")
        rows: list[dict[str, Any]] = []
        for model in options.models.split(","):
            kinds = [model, f"{model}+dequantised"] if part in DEQUANTISED_TOO else [model]
            for kind in kinds:
                rows += child(part, kind, options)
        everything += rows
        if rows and not options.json:
            show(rows)
    if options.json:
        print(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
