"""`evalsuite doctor`: what this machine is, what it can measure, and what stands in the way."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import typer

from evalsuite.cli.common import JsonOption, print_json, told
from evalsuite.cli.doctor_checks import Check, kernels, main_checks, measurements, show

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite doctor\n\n"
    "  evalsuite doctor --json\n\n"
    "yes: it is there, or can be measured. no: it cannot be measured here. MEND: no model can be evaluated before this is mended."
)

_EXTRAS = {
    "hf": "transformers", "http": "httpx", "encoder": "onnxruntime", "nvidia": "pynvml", "ja": "MeCab",
    "fleet": "distributed", "notebooks": "nbclient",
}  # fmt: skip
"""Extra → a package that only it brings."""
_TRY = """
import sys, llama_cpp
print("llama-cpp-python", llama_cpp.__version__)
print("flags:", llama_cpp.llama_print_system_info().decode("utf-8", "replace").strip(" |\\n"), flush=True)
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
_BUILD = (
    "build llama-cpp-python as docs/install.md says: `pip install llama-cpp-python`, with its flags for this processor"
)


@told
def command(as_json: JsonOption = False) -> None:
    """Check this machine: device, engine, data, space, and what can be measured. Exit code 1 where something must be mended."""
    from dataclasses import asdict

    from evalsuite.catalog.fetch import cache_dir
    from evalsuite.machine import usable_cores
    from evalsuite.meters.device import read_device
    from evalsuite.meters.source import Site
    from evalsuite.provenance import versions

    device, threads = read_device(), usable_cores()
    cache = cache_dir()
    free = shutil.disk_usage(_existing(cache)).free
    engine, flags = _engine()
    checks = [engine, *main_checks(cache, free), kernels(device, flags), *measurements(Site(), device)]
    if as_json:
        print_json(
            {
                "device": {**device.model_dump(mode="json"), "fingerprint": device.fingerprint},
                "threads": asdict(threads),
                "versions": versions(),
                "cache": str(cache),
                "free_bytes": free,
                "extras": {name: importlib.util.find_spec(module) is not None for name, module in _EXTRAS.items()},
                "engine_flags": flags,
                "checks": [check.as_json() for check in checks],
            }
        )
    else:
        cores = device.cores_physical or device.cores_logical
        typer.echo(f"device   {device.cpu}, {cores} cores, {device.ram_bytes / 2**30:.1f} GiB, {device.os}")
        typer.echo(f"         fingerprint {device.fingerprint}")
        typer.echo(f"threads  {threads.count} by default ({threads.reason})")
        typer.echo("versions " + ", ".join(f"{name} {version}" for name, version in versions().items()))
        typer.echo(f"cache    {cache}\n")
        show(checks)
    if any(check.state == "mend" for check in checks):
        raise typer.Exit(1)


def _engine() -> tuple[Check, str]:
    """Let llama.cpp evaluate a few tokens, in a process of its own: a wrong build crashes only there.

    Returns:
        What came of it, and what the engine was built with, in its own words; empty where it did not tell.
    """
    from evalsuite.catalog.fetch import fetch_model, is_cached
    from evalsuite.catalog.models import load_models

    at_hand = [m for m in load_models().values() if m.backend == "llamacpp" and is_cached(m)]
    smallest = min(at_hand, key=lambda m: m.bytes or 0, default=None)
    arguments = [str(fetch_model(smallest, offline=True).path)] if smallest else []
    command = [sys.executable, "-c", _TRY, *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False, timeout=300
        )
    except subprocess.TimeoutExpired:
        return Check("llama.cpp", "mend", "it evaluated nothing in 300 s", _BUILD), ""
    lines = [line for line in done.stdout.splitlines() if line]
    flags = "".join(line.removeprefix("flags: ") for line in lines if line.startswith("flags: "))
    told = ", ".join(line for line in lines if not line.startswith("flags:"))
    if done.returncode < 0:
        return Check("llama.cpp", "mend", f"{told} crashed while it evaluated a model", _BUILD), flags
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        return Check("llama.cpp", "mend", reason, _BUILD), flags
    return Check("llama.cpp", "yes", told), flags


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)
