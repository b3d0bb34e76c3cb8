"""The power sources of one sitting: which are here, which is the primary one, and what they read meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evalsuite.errors import EvalsuiteError, InputError
from evalsuite.meters import load_meter, split_meter
from evalsuite.meters.sampler import Failure, Sampler
from evalsuite.meters.source import MeterError, PowerSample, PowerSource, Site, SourceInfo
from evalsuite.records import MeterFound, PowerRow, PowerSourceRow

__all__ = ["AUTOMATIC", "LATER", "Power", "check_meters", "probe_all"]

AUTOMATIC = ("jetson", "pi5", "battery", "rapl", "nvml", "termux", "apple")
"""Meters that are looked for without being named, the widest scope first. The first one found is the primary source."""
LATER = "log"
"""Stands for a meter that writes a file of its own, which is imported when all is measured."""
_LATER_HZ = 1.0
"""How often such a meter is taken to write: the slowest that are in use."""
_NO_METERS = ("auto", "none", LATER)
"""What may be named and is nothing that can be read."""
_SHOWN_FAILURES = 5


def probe_all(site: Site, names: tuple[str, ...] = AUTOMATIC) -> list[MeterFound]:
    """Return what comes of looking for each meter."""
    found = []
    for text in names:
        name, argument = split_meter(text)
        try:
            probe = load_meter(name).probe(site, argument)
        except InputError:
            raise
        except EvalsuiteError as error:
            found.append(MeterFound(name=text, available=False, told=error.problem, fix=error.fix))
            continue
        found.append(MeterFound(name=text, available=probe.available, told=probe.told, fix=probe.fix))
    return found


def check_meters(meters: tuple[str, ...], site: Site | None = None) -> None:
    """Refuse what cannot be measured, before anything is.

    Raises:
        InputError: There is no meter of a name.
        MeterError: A meter that was named cannot be read.
    """
    for found in probe_all(site or Site(), _to_read(meters)):
        if not found.available:
            raise MeterError(f"the power meter {found.name}: {found.told}", fix=found.fix)


def _to_read(meters: tuple[str, ...]) -> tuple[str, ...]:
    """Return the meters that were named and are read while it is measured."""
    for text in meters:
        if text.startswith(f"{LATER}:"):
            fix = "write `--meter log` now; when all is measured, `evalsuite meter import RUN LOG`"
            raise InputError(f"the meter `{LATER}` takes no file, but was given {text!r}", fix=fix)
    return tuple(text for text in meters if text not in _NO_METERS)


class Power:
    """Opens the power meters that were asked for, and reads them until it is closed.

    Args:
        site: What they are read from.
        meters: `NAME` or `NAME:ARGUMENT`; `auto` stands for what this machine has, `none` for nothing, `log` for a file that is
            imported later.

    Raises:
        InputError: There is no meter of a name.
    """

    def __init__(self, site: Site, meters: tuple[str, ...]) -> None:
        self._site = site
        self._later = LATER in meters
        named = _to_read(meters)
        for text in named:
            load_meter(split_meter(text)[0])
        self._asked = tuple(dict.fromkeys([*named, *(AUTOMATIC if "auto" in meters else ())]))
        self._named = set(named)
        self._open: list[_Open] = []

    @property
    def primary(self) -> SourceInfo | None:
        """The source that figures of energy are taken from; none where nothing is read."""
        return self._open[0].source.info if self._open else None

    @property
    def update_hz(self) -> float | None:
        """How often the source that figures of energy are taken from has a new value; none where there will be no such figure.

        Where a log is imported later, it may be the one.
        """
        rates = [self.primary.nominal_hz] if self.primary else []
        return min((*rates, *([_LATER_HZ] if self._later else [])), default=None)

    def open(self) -> list[MeterFound]:
        """Open what is here, and begin to read; return what came of each.

        Raises:
            MeterError: A meter that was named cannot be read.
        """
        found = probe_all(self._site, self._asked)
        for looked in found:
            name, argument = split_meter(looked.name)
            if not looked.available:
                if looked.name in self._named:
                    raise MeterError(f"the power meter {looked.name}: {looked.told}", fix=looked.fix)
                continue
            source = load_meter(name).open(self._site, argument)
            sampler = Sampler(source, self._site.clock_ns)
            sampler.start()
            self._open.append(_Open(source, sampler))
        if self._later:
            told = "the log of a meter that writes its own file is not imported yet"
            found.append(MeterFound(name=LATER, available=False, told=told, fix="`evalsuite meter import RUN LOG`"))
        return found

    def drain(self) -> dict[str, Any]:
        """Return the sources, and what they read since the last call, as the fields of an event."""
        rows = [row for one in self._open for row in one.take(*one.sampler.drain())]
        return self._told(rows)

    def stop(self) -> dict[str, Any]:
        """Stop reading; return what `drain` would."""
        rows = []
        for one in self._open:
            rows += one.take(*one.sampler.stop())
            one.source.close()
        told = self._told(rows)
        self._open = []
        return told

    def _told(self, rows: list[PowerRow]) -> dict[str, Any]:
        sources = [one.row(primary=place == 0) for place, one in enumerate(self._open)]
        return {
            "sources": [source.model_dump(mode="json") for source in sources],
            "rows": [row.model_dump(mode="json") for row in rows],
        }


@dataclass
class _Open:
    """A source that is being read."""

    source: PowerSource
    sampler: Sampler
    failures: list[str] = field(default_factory=list)
    failed: int = 0

    def take(self, samples: Sequence[PowerSample], failures: Sequence[Failure]) -> list[PowerRow]:
        """Count the failures; return the samples as rows."""
        self.failed += len(failures)
        self.failures += [failure.message for failure in failures[: _SHOWN_FAILURES - len(self.failures)]]
        return [_row(self.source.info.id, sample) for sample in samples]

    def row(self, *, primary: bool) -> PowerSourceRow:
        """Return what is to be stored about the source."""
        info = self.source.info
        return PowerSourceRow(
            id=info.id,
            scope=info.scope,
            label=info.label,
            kind=info.kind,
            nominal_hz=info.nominal_hz,
            quantum_j=info.quantum_j,
            quantum_w=info.quantum_w,
            accuracy=info.accuracy,
            note=info.note,
            primary=primary,
            sampler_cpu_s=self.sampler.cpu_s,
            failures=tuple(self.failures),
            failed_looks=self.failed,
        )


def _row(source: str, sample: PowerSample) -> PowerRow:
    return PowerRow(
        source=source,
        t_ns=sample.t_ns,
        power_w=sample.power_w,
        energy_j=sample.energy_j,
        rails_w=dict(sample.rails_w),
        flags=sample.flags,
    )
