"""`evalsuite doctor`: what this machine has, and what stands in the way."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer

from evalsuite.cli.common import JsonOption, print_json, told

__all__ = ["EXAMPLES", "command"]

EXAMPLES = "Examples:\n\n  evalsuite doctor\n\n  evalsuite doctor --json"

_EXTRAS = {
    "hf": "transformers", "http": "httpx", "encoder": "onnxruntime", "nvidia": "pynvml", "ja": "MeCab",
    "fleet": "distributed", "notebooks": "nbclient",
}  # fmt: skip
"""Extra → a package that only it brings."""
_TRY = """
import sys, llama_cpp
print("llama-cpp-python", llama_cpp.__version__)
if len(sys.argv) > 1:
    from pathlib import Path
    from evalsuite.backends.llamacpp.engine import Engine
    engine = Engine(Path(sys.argv[1]))
    from evalsuite.backends.packing import ScoreRequest
    engine.score([ScoreRequest(tuple(engine.tokenize("Kaixo, mundua!")), 1)])
    print("evaluated some tokens with", Path(sys.argv[1]).name)
else:
    print("no model is at hand to try it with: evalsuite models fetch smollm2-135m-instruct")
"""


@told
def command(as_json: JsonOption = False) -> None:
    """Check this machine: device, engines, catalog, cache, data, free space. Exit code 1 where something must be mended."""
    from dataclasses import asdict

    from evalsuite.catalog.fetch import cache_dir
    from evalsuite.machine import usable_cores
    from evalsuite.meters.device import read_device
    from evalsuite.provenance import versions

    device, threads = read_device(), usable_cores()
    cache = cache_dir()
    free = shutil.disk_usage(_existing(cache)).free
    checks = [_engine(), _catalog(), _mirror(), _space(cache, free)]
    if as_json:
        print_json(
            {
                "device": {**device.model_dump(mode="json"), "fingerprint": device.fingerprint},
                "threads": asdict(threads),
                "versions": versions(),
                "cache": str(cache),
                "free_bytes": free,
                "extras": {name: importlib.util.find_spec(module) is not None for name, module in _EXTRAS.items()},
                "checks": checks,
            }
        )
    else:
        cores = device.cores_physical or device.cores_logical
        typer.echo(f"device   {device.cpu}, {cores} cores, {device.ram_bytes / 2**30:.1f} GiB, {device.os}")
        typer.echo(f"         governor {device.governor or 'unknown'}; fingerprint {device.fingerprint}")
        typer.echo(f"threads  {threads.count} by default ({threads.reason})")
        typer.echo("versions " + ", ".join(f"{name} {version}" for name, version in versions().items()))
        typer.echo(f"cache    {cache}")
        for check in checks:
            typer.echo(f"{'ok' if check['ok'] else 'MEND':<9}{check['what']}: {check['told']}")
    if not all(check["ok"] for check in checks):
        raise typer.Exit(1)


def _engine() -> dict[str, Any]:
    """Let llama.cpp evaluate a few tokens, in a process of its own: a wrong build crashes only there."""
    from evalsuite.catalog.fetch import fetch_model, is_cached
    from evalsuite.catalog.models import load_models

    at_hand = [m for m in load_models().values() if m.backend == "llamacpp" and is_cached(m)]
    smallest = min(at_hand, key=lambda m: m.bytes or 0, default=None)
    arguments = [str(fetch_model(smallest, offline=True).path)] if smallest else []
    command = [sys.executable, "-c", _TRY, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    except subprocess.TimeoutExpired:
        return {"what": "llama.cpp", "ok": False, "told": "it evaluated nothing in 300 s"}
    told = ", ".join(done.stdout.split("\n")).strip(", ")
    if done.returncode < 0:
        told += " crashed while it evaluated a model: build llama-cpp-python as docs/install.md says"
    elif done.returncode:
        told = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
    return {"what": "llama.cpp", "ok": done.returncode == 0, "told": told}


def _catalog() -> dict[str, Any]:
    from evalsuite.catalog.load import load_catalog

    catalog = load_catalog()
    told = f"{len(catalog.languages)} languages, {len(catalog.tasks)} tasks, {len(catalog.models)} models"
    return {"what": "catalog", "ok": True, "told": told}


def _mirror() -> dict[str, Any]:
    given = os.environ.get("EVALSUITE_DATA")
    if not given:
        return {"what": "data mirror", "ok": True, "told": "none (EVALSUITE_DATA is not set); hub data is downloaded"}
    return {"what": "data mirror", "ok": Path(given).is_dir(), "told": given}


def _space(cache: Path, free: int) -> dict[str, Any]:
    return {"what": "free space", "ok": free > 2**30, "told": f"{free / 2**30:.1f} GiB at {cache}"}


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)
