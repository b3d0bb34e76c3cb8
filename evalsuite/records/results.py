"""What came of the work: cells, records and readings."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, model_validator

from evalsuite.records.base import Frozen, Sha256
from evalsuite.records.form import PromptForm

__all__ = [
    "BEYOND_CONTEXT",
    "LONG_FAMILY",
    "Cell",
    "CellResult",
    "CellStatus",
    "Reading",
    "ReadingLabel",
    "Record",
    "Skip",
]

LONG_FAMILY = "long"
"""Family of tasks on long texts. Their items name a `size` in tokens, and a `depth` (0 to 1) of what is asked for."""
BEYOND_CONTEXT = "beyond_context"
"""Key of a record's `metrics`: the item did not fit the model's context, and was not asked (`needs_tokens`, `context_tokens`)."""


class Cell(Frozen):
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


class Skip(Frozen):
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


class CellResult(Frozen):
    """What became of a cell."""

    cell: Cell
    status: CellStatus
    reason: str | None = None
    items: int = 0
    wall_s: float | None = None
    """Time spent on scoring, summed over the sessions that it took; without loading the model."""
    tokens: int | None = None
    """Tokens that the engine evaluated."""


class Record(Frozen):
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


class Reading(Frozen):
    """One measured number, or the reason why there is none."""

    name: str
    value: float | None
    unit: str
    scope: str
    label: ReadingLabel
    reason: str | None = None
    """Why there is no value, or no interval; of a value, how it was come by."""
    model: str | None = None
    language: str | None = None
    kind: str | None = None
    """Kind of request."""
    low: float | None = None
    """Ends of the 95 % interval."""
    high: float | None = None
    n: int | None = None
    """Values that it was made from."""
    flags: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _missing_has_reason(self) -> Reading:
        if (self.value is None) != (self.label is ReadingLabel.UNAVAILABLE):
            raise ValueError("a reading has a value, or the label 'unavailable'; not both, not neither")
        if self.value is None and not self.reason:
            raise ValueError("an unavailable reading needs a reason")
        return self
