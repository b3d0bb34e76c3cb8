"""What a run folder says about itself."""

from __future__ import annotations

from pydantic import Field

from evalsuite.records.base import Frozen
from evalsuite.records.catalog import Language, Model, Task
from evalsuite.records.device import Device
from evalsuite.records.profile import ProfileCell
from evalsuite.records.results import Cell, Skip
from evalsuite.records.sweep import Sweep

__all__ = ["SCHEMA_VERSION", "Manifest"]

SCHEMA_VERSION = 3
"""Version of the run folder. History: 1, the first (manifest.json, cells/*/cell.json, Parquet records); 2 adds
profiles (profiles/*)."""


class Manifest(Frozen):
    """What a run folder says about itself: enough to trace every number in it, and to run it again."""

    schema_version: int = SCHEMA_VERSION
    created: str
    """UTC, ISO 8601."""
    evalsuite: str
    """Version that made the folder."""
    versions: dict[str, str]
    """Versions of Python, lm-eval, llama-cpp-python, Babel, datasets, NumPy."""
    device: Device
    """What the scores were measured on; the only one, unless runs were merged."""
    sweep: Sweep
    command: str
    models: dict[str, Model]
    """As resolved: every sha256 is set."""
    tasks: dict[str, Task]
    languages: dict[str, Language]
    skips: tuple[Skip, ...] = ()
    cells: tuple[Cell, ...] = ()
    """All cells of the plan, in order."""
    profiles: tuple[ProfileCell, ...] = ()
    """All profiles of the plan, in order."""
    devices: dict[str, Device] = Field(default_factory=dict)
    """Fingerprint → device, of all runs that were merged; empty where none were."""
    notes: tuple[str, ...] = ()
    """What a reader must know about how this folder came about."""
