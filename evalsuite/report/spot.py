"""The part of the report on spot checks: whether the scores hold on a device, in tables and plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import split_fix
from evalsuite.analysis.spotcheck import CLEAR_NATS, LOWEST_AGREEMENT, ItemRow, SpotRow, SpotTable, SpotTotal
from evalsuite.report.names import Names
from evalsuite.report.text import MISSING, Text
from evalsuite.stats.intervals import Estimate

__all__ = ["SpotBlock", "SpotSection", "SpotShown", "build_spot"]

_NAMED = 5
"""Items that a warning names."""


@dataclass(frozen=True, slots=True)
class SpotBlock:
    """One spot check, with what is to be said of it."""

    table: SpotTable
    title: str
    """The device."""
    facts: str
    """When and how it was made."""
    warnings: tuple[str, ...]
    """What is lower than it should be; what to do about it stands once, after them."""
    missing: tuple[str, ...]
    """What could not be compared, and why."""
    verdict: str
    """All of it in a sentence, for the summary."""

    lines: tuple[str, ...]
    """What is lower than it should be or missing, a line each, for a terminal."""


@dataclass(frozen=True, slots=True)
class SpotSection:
    """All spot checks of a run."""

    intro: str
    blocks: tuple[SpotBlock, ...]
    action: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """For the summary."""
        return tuple(block.verdict for block in self.blocks)

    @property
    def lines(self) -> tuple[str, ...]:
        """For a terminal."""
        return tuple(line for block in self.blocks for line in block.lines)


def build_spot(run: Run, tables: Sequence[SpotTable], names: Names, text: Text) -> SpotSection | None:
    """Return the part on spot checks; none where there are none."""
    if not tables:
        return None
    return SpotSection(
        intro=text("spot.intro", nats=text.number(CLEAR_NATS)),
        blocks=tuple(_Words(run, table, names, text).block() for table in tables),
        action=text("spot.action"),
    )


class SpotShown:
    """Figures of a spot check as they are shown."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def nats(self, value: float | None) -> str:
        """Return a difference of log-likelihoods; what is too small to show is a bound, since zero is something else."""
        if value is None:
            return MISSING
        if 0 < value < 0.001:
            return f"<\N{NO-BREAK SPACE}{self._text.number(0.001, 3)}"
        return self._text.number(value, 3 if value < 10 else 1)

    def span(self, estimate: Estimate) -> str:
        """Return the interval of a share."""
        if estimate.low is None or estimate.high is None:
            return MISSING
        shown = self._text.span(100 * estimate.low, 100 * estimate.high)
        return self._text.percent_sign(shown)

    def of(self, estimate: Estimate) -> str:
        """Return a share as a count of a count."""
        if estimate.value is None:
            return MISSING
        return self._text("spot.of", hits=round(estimate.value * estimate.n), total=estimate.n)


class _Words:
    def __init__(self, run: Run, table: SpotTable, names: Names, text: Text) -> None:
        self._run, self._table, self._names, self._text = run, table, names, text
        self._shown = SpotShown(text)

    def block(self) -> SpotBlock:
        device = self._table.check.device
        warnings = tuple(said for total in self._table.totals for said in self._warn(total))
        missing = tuple(said for row in self._table.incomplete for said in self._lack(row))
        return SpotBlock(
            table=self._table,
            title=self._text("spot.device", device=device.cpu, gib=round(device.ram_bytes / 2**30)),
            facts=" ".join(self._facts()),
            warnings=warnings,
            missing=missing,
            verdict=self._verdict(),
            lines=tuple(self._text("spot.line", device=device.cpu, said=said) for said in (*warnings, *missing)),
        )

    def _facts(self) -> Iterator[str]:
        check = self._table.check
        yield self._text("spot.facts", date=check.created[:10], items=check.items, seed=str(check.seed))
        if self._table.same_device:
            yield self._text("spot.same_device")
        else:
            devices = self._run.manifest.devices or {"": self._run.manifest.device}
            yield self._text("spot.other_device", devices=self._text.join([d.cpu for d in devices.values()]))
        if self._table.versions:
            differ = [
                self._text("spot.version", name=name, here=here or MISSING, there=there or MISSING)
                for name, there, here in self._table.versions
            ]
            yield self._text("spot.versions", versions=self._text.join(differ))

    def _warn(self, total: SpotTotal) -> Iterator[str]:
        model = self._names.model(total.model)
        if total.flipped:
            n = len(total.flipped)
            more = "spot.flipped_more" if n > _NAMED else "spot.flipped"
            yield self._text(more, model=model, n=n, items=self._items(total.flipped))
        if total.low:
            agreement = total.counts.agreement
            other = [i for row in self._table.rows if row.model == total.model for i in row.items if i.same is False]
            yield self._text(
                "spot.low_more" if len(other) > _NAMED else "spot.low",
                model=model,
                share=self._text.percent(agreement.value),
                range=self._shown.span(agreement),
                least=self._text.percent(LOWEST_AGREEMENT),
                items=self._items(other),
            )

    def _items(self, items: Sequence[ItemRow]) -> str:
        return self._text.join([self._text("spot.item", task=i.task, id=i.item_id) for i in items[:_NAMED]])

    def _lack(self, row: SpotRow) -> Iterator[str]:
        where = {"model": self._names.model(row.model), "task": row.task}
        if row.reason:
            problem, fix = split_fix(row.reason)
            key = "spot.not_scored" if fix is None else "spot.not_scored_fix"
            yield self._text(key, reason=problem, fix=fix, **where)
        if row.unlike:
            ids = self._text.join(list(row.unlike[:_NAMED]))
            yield self._text("spot.unlike", n=len(row.unlike), items=ids, **where)

    def _verdict(self) -> str:
        table = self._table
        device = table.check.device.cpu
        warned = [self._names.model(total.model) for total in table.totals if total.warned]
        if warned:
            return self._text("spot.summary.low", device=device, models=self._text.join(warned))
        answered = [item for row in table.rows for item in row.items if item.same is not None]
        if not answered:
            return self._text("spot.summary.none", device=device)
        clear = [item for item in answered if item.clear]
        return self._text(
            "spot.summary.partly" if table.incomplete else "spot.summary.well",
            device=device,
            same=sum(item.same is True for item in answered),
            n=len(answered),
            clear=self._text("spot.of", hits=sum(item.same is True for item in clear), total=len(clear)),
        )
