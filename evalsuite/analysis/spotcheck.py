"""Spot checks: items that were scored again on a device, against what the run stored of them, item by item."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evalsuite.analysis.rows import Scale
from evalsuite.likeness import changed_versions
from evalsuite.records import Cell, CellStatus, Manifest, PromptForm, Record, SpotCheck
from evalsuite.spot_store import StoredCheck, read_checks
from evalsuite.stats.intervals import Estimate, wilson
from evalsuite.store import RunFolder

__all__ = [
    "CLEAR_NATS",
    "LOWEST_AGREEMENT",
    "ItemRow",
    "SpotCounts",
    "SpotRow",
    "SpotTable",
    "SpotTotal",
    "compare",
    "margin",
    "spot_table",
    "spot_tables",
]

CLEAR_NATS = 0.5
"""An item whose answer leads by more is clear. Kernels of different processors round activations differently and can
move a log-likelihood by some tenths of a nat (docs/scoring.md)."""
LOWEST_AGREEMENT = 0.95
"""A model's agreement is lower than it should be where its whole interval lies below."""


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item, there and here."""

    task: str
    item_id: str
    same_item: bool
    """Whether the model was asked the same; otherwise nothing of it is compared."""
    same: bool | None
    """Whether the answer is the same: the choice, or the generated text after the task's filter, with its score. None
    where there is no answer to compare."""
    margin: float | None
    """Nats by which the stored choice led; none where there are no choices."""
    difference: float | None
    """Largest absolute difference of one log-likelihood, in nats."""
    stored_score: float | None
    score: float | None

    @property
    def clear(self) -> bool:
        """Whether rounding cannot explain another answer."""
        return self.margin is not None and self.margin > CLEAR_NATS

    @property
    def flipped(self) -> bool:
        """Whether the answer is another one though the item is clear."""
        return self.clear and self.same is False


@dataclass(frozen=True, slots=True)
class SpotCounts:
    """What was found over some items."""

    n: int
    """Items with an answer there and here."""
    agreement: Estimate
    """Share of them with the same answer."""
    clear: Estimate
    """The same share among clear items."""
    largest: float | None
    """Largest difference of one log-likelihood, in nats."""
    score_change: float | None
    """Mean score here minus mean stored score, over items that have both; none where scales are mixed."""
    scale: Scale


@dataclass(frozen=True, slots=True)
class SpotRow:
    """One cell of the run: a model on a task in one prompt form."""

    model: str
    task: str
    language: str
    form: PromptForm
    drawn: int
    """Items that were to be scored again."""
    counts: SpotCounts
    items: tuple[ItemRow, ...]
    unlike: tuple[str, ...]
    """Ids of items that the model was asked otherwise than in the run."""
    reason: str | None
    """Why it was not scored again."""


@dataclass(frozen=True, slots=True)
class SpotTotal:
    """One model over all its cells of a check."""

    model: str
    counts: SpotCounts
    flipped: tuple[ItemRow, ...]
    """Clear items with another answer, the clearest first."""
    low: bool
    """Whether the agreement is lower than rounding can explain."""

    @property
    def warned(self) -> bool:
        """Whether something is lower than it should be."""
        return self.low or bool(self.flipped)


@dataclass(frozen=True, slots=True)
class SpotTable:
    """One spot check against its run."""

    check: SpotCheck
    same_device: bool
    """Whether the run itself was measured there, and nowhere else."""
    versions: tuple[tuple[str, str | None, str | None], ...]
    """Packages that may change a score and are of another version here: (name, run's, here)."""
    totals: tuple[SpotTotal, ...]
    rows: tuple[SpotRow, ...]

    @property
    def incomplete(self) -> tuple[SpotRow, ...]:
        """Cells that could not, or not wholly, be compared."""
        return tuple(row for row in self.rows if row.reason or row.unlike)

    @property
    def well(self) -> bool:
        """Whether everything was compared, and nothing is lower than it should be."""
        return bool(self.rows) and not self.incomplete and not any(total.warned for total in self.totals)


def spot_tables(folder: RunFolder) -> tuple[SpotTable, ...]:
    """Return the tables of all spot checks of a run.

    Raises:
        StoreError: A check, or a cell that it is held against, is damaged.
    """
    stored = read_checks(folder)
    return tuple(spot_table(folder, one) for one in stored)


def spot_table(folder: RunFolder, stored: StoredCheck) -> SpotTable:
    """Return the table of one spot check. Cells that the run no longer has, or has not finished, are left out.

    Raises:
        StoreError: A cell that it is held against is damaged.
    """
    manifest = folder.manifest
    made = {cell.cell: cell for cell in stored.check.cells}
    held = [cell for cell in manifest.cells if cell.id in made and folder.result(cell).status is CellStatus.DONE]
    rows = []
    for cell in held:
        spot = made[cell.id]
        kept = {record.item_index: record for record in folder.records(cell)}
        again = stored.records.get(cell.id, ())
        metric = manifest.tasks[cell.task].primary_metric
        items = [compare(cell.task, metric, kept[r.item_index], r) for r in again if r.item_index in kept]
        rows.append(
            _row(cell, items, len(spot.item_indices), spot.reason if spot.status is CellStatus.FAILED else None)
        )
    models = [name for name in manifest.models if any(row.model == name for row in rows)]
    devices = {manifest.device.fingerprint, *manifest.devices}
    return SpotTable(
        check=stored.check,
        same_device=devices == {stored.check.device.fingerprint},
        versions=_versions(manifest, models, stored.check),
        totals=tuple(_total(name, [row for row in rows if row.model == name]) for name in models),
        rows=tuple(sorted(rows, key=lambda row: models.index(row.model))),
    )


def compare(task: str, metric: str, stored: Record, again: Record) -> ItemRow:
    """Return what is the same about an item's two records.

    Args:
        task: Name of its task.
        metric: The task's primary metric.
        stored: What the run holds.
        again: What was scored on the device.
    """
    asked = [(r.item_id, r.prompt_hash, r.choices, r.target) for r in (stored, again)]
    if asked[0] != asked[1]:
        return ItemRow(task, stored.item_id, False, None, None, None, None, None)  # noqa: FBT003  # a field's value
    return ItemRow(
        task=task,
        item_id=stored.item_id,
        same_item=True,
        same=_same(stored, again),
        margin=margin(metric, stored.choices, stored.logprobs, stored.prior_logprobs),
        difference=_largest_difference(stored, again),
        stored_score=stored.score,
        score=again.score,
    )


def margin(
    metric: str, choices: Sequence[str], logprobs: Sequence[float], prior_logprobs: Sequence[float]
) -> float | None:
    """Return by how many nats one log-likelihood would have to move for another choice to win; none without choices.

    For `acc` that is the highest log-likelihood minus the second; for `acc_mutual_info` the same after the priors are
    taken off. Where log-likelihoods are divided by a length (`acc_norm`, `acc_bytes`), a difference of quotients is
    turned back into nats by the shorter of the two lengths, because the shorter choice is the easier to move.

    Args:
        metric: The task's primary metric; an unknown one is taken for `acc`, as the harness does.
        choices: Their texts.
        logprobs: Log-likelihood of each choice.
        prior_logprobs: The same with no context; only for `acc_mutual_info`.
    """
    if len(logprobs) < 2 or len(logprobs) != len(choices):
        return None
    priors: Sequence[float] = [0.0] * len(choices)
    lengths = [1] * len(choices)
    if metric == "acc_mutual_info":
        if len(prior_logprobs) != len(choices):
            return None
        priors = prior_logprobs
    elif metric == "acc_norm":
        lengths = [max(1, len(text)) for text in choices]
    elif metric == "acc_bytes":
        lengths = [max(1, len(text.encode())) for text in choices]
    values = [(ll - prior) / n for ll, prior, n in zip(logprobs, priors, lengths, strict=True)]
    best = max(range(len(values)), key=values.__getitem__)
    leads = [
        (values[best] - value) * min(lengths[best], length)
        for place, (value, length) in enumerate(zip(values, lengths, strict=True))
        if place != best
    ]
    # A difference of infinities says nothing.
    return None if any(map(math.isnan, leads)) else min(leads)


def _same(stored: Record, again: Record) -> bool | None:
    if stored.prediction is not None or again.prediction is not None:
        return stored.prediction == again.prediction
    if stored.output is None or again.output is None:
        return None
    return (stored.filtered, stored.score) == (again.filtered, again.score)


def _largest_difference(stored: Record, again: Record) -> float | None:
    pairs = [
        *zip(stored.logprobs, again.logprobs, strict=False),
        *zip(stored.prior_logprobs, again.prior_logprobs, strict=False),
    ]
    # Equal infinities do not differ, though their difference is no number.
    return max((0.0 if first == second else abs(first - second) for first, second in pairs), default=None)


def _row(cell: Cell, items: Sequence[ItemRow], drawn: int, reason: str | None) -> SpotRow:
    if reason is None and len(items) < drawn:
        reason = f"{drawn - len(items)} of {drawn} items have no record to compare (fix: check again)"
    return SpotRow(
        model=cell.model,
        task=cell.task,
        language=cell.language,
        form=cell.prompt_form,
        drawn=drawn,
        counts=_count(items),
        items=tuple(items),
        unlike=tuple(item.item_id for item in items if not item.same_item),
        reason=reason,
    )


def _total(model: str, rows: Sequence[SpotRow]) -> SpotTotal:
    items = [item for row in rows for item in row.items]
    counts = _count(items)
    if len({row.counts.scale for row in rows if row.counts.score_change is not None}) > 1:
        counts = _count(items, one_scale=False)
    flipped = sorted((item for item in items if item.flipped), key=lambda item: -(item.margin or 0.0))
    high = counts.agreement.high
    return SpotTotal(model, counts, tuple(flipped), low=high is not None and high < LOWEST_AGREEMENT)


def _count(items: Iterable[ItemRow], *, one_scale: bool = True) -> SpotCounts:
    compared = [item for item in items if item.same_item]
    answered = [item for item in compared if item.same is not None]
    clear = [item for item in answered if item.clear]
    scores = [(i.stored_score, i.score) for i in compared if i.stored_score is not None and i.score is not None]
    known = [value for pair in scores for value in pair]
    change = math.fsum(here - there for there, here in scores) / len(scores) if scores and one_scale else None
    return SpotCounts(
        n=len(answered),
        agreement=wilson(sum(item.same is True for item in answered), len(answered)),
        clear=wilson(sum(item.same is True for item in clear), len(clear)),
        largest=max((item.difference for item in compared if item.difference is not None), default=None),
        score_change=change,
        scale=Scale.RAW if known and (min(known) < 0 or max(known) > 1) else Scale.SHARE,
    )


def _versions(
    manifest: Manifest, models: Iterable[str], check: SpotCheck
) -> tuple[tuple[str, str | None, str | None], ...]:
    backends: Mapping[str, None] = dict.fromkeys(manifest.models[name].backend for name in models)
    names = changed_versions(backends, manifest.versions, check.versions)
    return tuple((name, manifest.versions.get(name), check.versions.get(name)) for name in names)
