"""What the user asks for: models, tasks, languages, and how a device is to be measured."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from evalsuite.records.base import Frozen, Name
from evalsuite.records.form import PromptForm

__all__ = ["DEQUANTISED", "Kind", "Limits", "ModelRef", "ProfileSettings", "Sweep"]


DEQUANTISED = "+dequantised"
"""Behind a model's name: its weights are evaluated as float32 numbers of the same values."""

_Quantisation = Annotated[str, BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)]
"""As llama.cpp names it (`Q4_K_M`); case does not matter."""


class ModelRef(Frozen):
    """A model as a sweep names it: a catalog name or a path, with backend options.

    `NAME+dequantised` and `PATH+dequantised` stand for the option `compute: dequantised`.
    """

    name: str
    path: Path | None = None
    backend: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    quantise: tuple[_Quantisation, ...] | None = None
    """Quantisations to make of this model, in place of the sweep's; none where the sweep's count."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            stem = value.removesuffix(DEQUANTISED)
            value = {"path" if stem.endswith(".gguf") or "/" in stem else "name": value}
        if not isinstance(value, dict):
            return value
        fields = dict(value)
        for key in ("name", "path"):
            text = str(fields.get(key, ""))
            if text.endswith(DEQUANTISED):
                fields[key] = text.removesuffix(DEQUANTISED)
                fields["options"] = {**(fields.get("options") or {}), "compute": "dequantised"}
        if "name" not in fields and "path" in fields:
            fields["name"] = Path(str(fields["path"])).stem
        return fields

    @property
    def compute(self) -> str:
        """What is to be put behind the name, so that a model and its dequantised copy can be told apart."""
        return DEQUANTISED if self.options.get("compute") == "dequantised" else ""


class Limits(Frozen):
    """When to give up on something that hangs, in seconds."""

    load_timeout_s: Annotated[float, Field(gt=0)] = 900.0
    chunk_timeout_s: Annotated[float, Field(gt=0)] = 1800.0
    """Longest silence between two results of one cell."""


class Kind(StrEnum):
    """What is asked."""

    CLASSIFICATION = "classification"
    """A short message; one of twelve categories is chosen, token by token."""
    READING = "reading"
    """A passage and a question; the right answer is written."""
    TRANSLATION = "translation"
    """A sentence; its right translation is written."""
    ANSWER = "answer"
    """An open question; 64 tokens are written."""


class ProfileSettings(Frozen):
    """How a profile is measured."""

    rounds: Annotated[int, Field(gt=0, le=1000)] = 3
    """Every round asks each language for the same requests, in an order of its own."""
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = tuple(Kind)
    """What is asked."""
    own_messages: bool = False
    """Whether the messages are a user's own, with the user's categories; in another language they may be other messages."""
    classifications: Annotated[int, Field(gt=0, le=120)] = 3
    """Messages in a round; of the longer kinds there is one each."""
    answer_tokens: Annotated[int, Field(gt=1, le=4096)] = 64
    curve: tuple[Annotated[int, Field(gt=0)], ...] = (128, 512, 1024, 2048, 5120)
    """Lengths of context, in tokens; those that the model was not trained for are left out."""
    curve_steps: Annotated[int, Field(gt=0)] = 16
    threads: Annotated[int, Field(gt=0)] | None = None
    threads_sweep: tuple[Annotated[int, Field(gt=0)], ...] = ()
    """Numbers of threads to compare."""
    meters: tuple[str, ...] = ("auto",)
    """Power meters, as NAME or NAME:ADDRESS; the first is the primary one. `auto` takes what this machine has, `none` nothing."""
    energy_kinds: tuple[Kind, ...] = (Kind.CLASSIFICATION,)
    """What is repeated for as long as an energy figure needs, where there is a power meter."""
    energy_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    """Shortest stretch of requests for which an energy figure is given."""
    idle_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    """Time without work before and after, with the model loaded, where there is a power meter."""
    watts: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Power under load, given by the user: energy is then estimated, and labelled so."""
    grid: str | None = None
    """Carbon intensity in g/kWh, or a country (ISO 3166-1 alpha-3)."""
    ambient_c: float | None = None
    """Temperature of the room, given by the user."""
    cool_down_s: Annotated[float, Field(ge=0)] = 120.0
    """Longest wait between two models for the device to cool down to its temperature at the start."""
    prove_memory: bool = True
    """Whether the need for memory is proven by another run under a limit, where the system allows one."""
    seed: int = 20260401

    @model_validator(mode="after")
    def _energy_of_what_is_asked(self) -> ProfileSettings:
        if set(self.energy_kinds) - set(self.kinds):
            raise ValueError(f"energy_kinds: not all of {', '.join(self.energy_kinds)} are among the kinds")
        return self

    @field_validator("curve", "threads_sweep")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(value)))


class Sweep(Frozen):
    """What the user asks for: models × tasks × languages × prompt forms."""

    name: Name
    title: str | None = None
    models: Annotated[tuple[ModelRef, ...], Field(min_length=1)]
    tasks: tuple[str, ...] = ()
    """Task names, parallel groups, families or suites; none where only the device is measured."""
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    prompt_forms: Annotated[tuple[PromptForm, ...], Field(min_length=1)] = (PromptForm.NATIVE,)
    reference: str | None = None
    """Language of every gap; by default each language's own reference from `langs/`."""
    margin: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Gap that matters, as a share of items: 0.05 is five points. What is shown to be smaller is called within the margin."""
    limit: Annotated[int, Field(gt=0)] | None = None
    """Items per task, drawn with `seed`; the same ids in every language of a parallel group."""
    limits_of: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    """Items per task for some tasks, parallel groups, families or suites, in place of `limit`."""
    all_wordings: tuple[str, ...] = ()
    """Tasks, groups, families or suites that are also asked in every other wording that they have."""
    option_orders: tuple[str, ...] = ()
    """Tasks, groups, families or suites whose listed options are also put into every other order of a circle."""
    baselines: tuple[str, ...] = ()
    """Classifiers that are trained for each task which says how, and shown beside the models."""
    quantise: tuple[_Quantisation, ...] = ()
    """Quantisations that are made of every GGUF model and measured beside it."""
    seed: int = 20260401
    threads: Annotated[int, Field(gt=0)] | None = None
    include: tuple[Path, ...] = ()
    """Folders with the user's own `tasks/`, `langs/` or `models/`."""
    profile: ProfileSettings | None = None
    """How the device is measured; none where it is not."""
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _asks_for_something(self) -> Sweep:
        if not self.tasks and self.profile is None:
            raise ValueError("tasks: name at least one task, or give `profile` settings to measure the device")
        return self

    @field_validator("models", "tasks", "languages", "prompt_forms", "baselines", "quantise")
    @classmethod
    def _no_repeats(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [f"{v.name}{v.compute}" if isinstance(v, ModelRef) else str(v) for v in value]
        repeated = sorted({n for n in names if names.count(n) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return value
