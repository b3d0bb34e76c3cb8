"""The frozen data models that every other part speaks in: what is asked for, and what was measured."""

from __future__ import annotations

from evalsuite.records.base import Frozen, Name, Sha256, digest
from evalsuite.records.catalog import TRAINED, DataRef, Language, MadeFrom, Model, Source, StoredAs, Task, TrainedOn
from evalsuite.records.device import Device
from evalsuite.records.form import PromptForm
from evalsuite.records.manifest import SCHEMA_VERSION, Manifest
from evalsuite.records.profile import (
    BASELINE_PHASE,
    SERVING_PHASE,
    CurvePoint,
    Load,
    MemoryPhase,
    MeterFound,
    PowerRow,
    PowerSourceRow,
    ProfileCell,
    ProfileFacts,
    ProfileText,
    RequestRow,
    Stretch,
    ThreadPoint,
    needed_memory,
)
from evalsuite.records.results import (
    BEYOND_CONTEXT,
    LONG_FAMILY,
    Cell,
    CellResult,
    CellStatus,
    Reading,
    ReadingLabel,
    Record,
    Skip,
)
from evalsuite.records.spot import SpotCell, SpotCheck
from evalsuite.records.sweep import DEQUANTISED, Kind, Limits, ModelRef, ProfileSettings, Sweep

__all__ = [
    "BASELINE_PHASE",
    "BEYOND_CONTEXT",
    "DEQUANTISED",
    "LONG_FAMILY",
    "SCHEMA_VERSION",
    "SERVING_PHASE",
    "TRAINED",
    "Cell",
    "CellResult",
    "CellStatus",
    "CurvePoint",
    "DataRef",
    "Device",
    "Frozen",
    "Kind",
    "Language",
    "Limits",
    "Load",
    "MadeFrom",
    "Manifest",
    "MemoryPhase",
    "MeterFound",
    "Model",
    "ModelRef",
    "Name",
    "PowerRow",
    "PowerSourceRow",
    "ProfileCell",
    "ProfileFacts",
    "ProfileSettings",
    "ProfileText",
    "PromptForm",
    "Reading",
    "ReadingLabel",
    "Record",
    "RequestRow",
    "Sha256",
    "Skip",
    "Source",
    "SpotCell",
    "SpotCheck",
    "StoredAs",
    "Stretch",
    "Sweep",
    "Task",
    "ThreadPoint",
    "TrainedOn",
    "digest",
    "needed_memory",
]
