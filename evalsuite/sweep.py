"""Sweep files: YAML to a validated `Sweep`."""

from __future__ import annotations

from pathlib import Path

from evalsuite.catalog.yamlfile import load_mapping, validate
from evalsuite.errors import InputError
from evalsuite.records import Sweep

__all__ = ["load_sweep"]


def load_sweep(path: Path) -> Sweep:
    """Return the sweep of a file; paths in it are relative to the file.

    Raises:
        InputError: The file is missing or wrong; the message names file, line and field.
    """
    if not path.exists():
        raise InputError(f"{path}: no such sweep file", fix="give a YAML file such as sweeps/quickstart.yaml")
    data, line_of = load_mapping(path, error=InputError)
    sweep = validate(Sweep, {"name": path.stem, **data}, path, line_of, error=InputError)
    base = path.resolve().parent
    return sweep.model_copy(
        update={
            "include": tuple(base / folder for folder in sweep.include),
            "models": tuple(
                ref if ref.path is None else ref.model_copy(update={"path": base / ref.path}) for ref in sweep.models
            ),
        }
    )
