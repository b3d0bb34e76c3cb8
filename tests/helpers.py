"""What several tests need: the command line in a process of its own, and sweeps over the fake backend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


def evalsuite(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, with no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "evalsuite", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", **environment},
        timeout=600,
        check=False,
    )


def fake_model(folder: Path, name: str = "fake", **options: Any) -> dict[str, Any]:
    """Return a model of a sweep file that the fake backend answers for."""
    path = folder / f"{name}.bin"
    path.write_bytes(name.encode())
    return {"name": name, "path": str(path), "backend": "fake", "options": options}


def write_sweep(folder: Path, **fields: Any) -> Path:
    """Write a small sweep over the fake backend; `fields` replace its own."""
    sweep = {
        "name": "small",
        "models": [fake_model(folder)],
        "tasks": ["labels", "lexicon"],
        "languages": ["en", "eu"],
        "limit": 40,
        **fields,
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep, allow_unicode=True), encoding="utf-8")
    return path
