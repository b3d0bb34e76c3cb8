"""The power meters of one sitting: which are read, which one counts, and what becomes of looks that fail."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from evalsuite.errors import InputError
from evalsuite.meters import METERS
from evalsuite.meters.source import MeterError, PowerSample, Probe, Site, SourceInfo
from evalsuite.profiling.power import AUTOMATIC, Power, check_meters, probe_all
from evalsuite.records import PowerRow, PowerSourceRow, ReadingLabel

CURVE = "t_s,power_w,energy_j\n0,2,0\n1,4,3\n"


class FakeMeter:
    """`fake:ARGUMENT`: looks only at the beginning and at the end, unless it is told to be fast."""

    closed: ClassVar[list[str]] = []
    opened: ClassVar[list[str]] = []
    broken: ClassVar[bool] = False
    hz: ClassVar[float] = 0.001

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        if argument == "gone":
            return Probe(available=False, told="nothing answers at gone", fix="plug it in")
        if argument == "raises":
            raise MeterError("it cannot even be looked for", fix="install it")
        return Probe(available=True, told=f"a fake of {argument}")

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> FakeSource:
        cls.opened.append(str(argument))
        return FakeSource(site, str(argument))


class FakeSource:
    def __init__(self, site: Site, argument: str) -> None:
        self.info = SourceInfo(
            id=f"fake:{argument}",
            scope="whole device",
            label=ReadingLabel.DERIVED,
            kind="sampler",
            nominal_hz=FakeMeter.hz,
            quantum_w=0.5,
            accuracy=0.01,
            note="made up",
        )
        self._argument, self._site, self._looks = argument, site, 0

    def read(self) -> PowerSample:
        self._looks += 1
        if self._argument == "failing" or (self._argument == "moody" and self._looks == 1):
            raise MeterError(f"look {self._looks} failed")
        rails = {"cpu": 1.25}
        return PowerSample(self._site.clock_ns(), power_w=4.0 + self._looks, rails_w=rails, flags=("stale",))

    def close(self) -> None:
        FakeMeter.closed.append(self._argument)


def no_command(command: Any) -> str:
    raise MeterError(f"the command {command[0]} is not installed")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A machine that shows nothing at all."""
    root = tmp_path / "root"
    root.mkdir()
    return Site(root=root, run=no_command, clock_ns=lambda: 7_000_000_000)


@pytest.fixture(autouse=True)
def meters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake meter has a name; of the machine that runs the tests no graphics card is seen, and no Mac."""
    monkeypatch.setitem(METERS, "fake", f"{__name__}:FakeMeter")
    for lists in ("opened", "closed"):
        monkeypatch.setattr(FakeMeter, lists, [])
    for module in ("pynvml", "zeus_apple_silicon"):
        monkeypatch.setitem(sys.modules, module, None)


@pytest.fixture
def opened() -> Iterator[list[Power]]:
    """What is put here is stopped at the end."""
    powers: list[Power] = []
    yield powers
    for power in powers:
        power.stop()


@pytest.fixture
def curve(tmp_path: Path) -> str:
    path = tmp_path / "curve.csv"
    path.write_text(CURVE, encoding="utf-8")
    return f"replay:{path}?hz=0.001"


def rows(told: dict[str, Any]) -> list[PowerRow]:
    return [PowerRow.model_validate(row) for row in told["rows"]]


def sources(told: dict[str, Any]) -> list[PowerSourceRow]:
    return [PowerSourceRow.model_validate(source) for source in told["sources"]]


def battery(root: Path) -> None:
    folder = root / "sys/class/power_supply/BAT0"
    folder.mkdir(parents=True)
    for name, value in {"type": "Battery", "present": 1, "status": "Discharging", "power_now": 9_476_000}.items():
        (folder / name).write_text(f"{value}\n", encoding="utf-8")


# --- which are read


def test_a_machine_without_a_sensor_has_no_source(site: Site) -> None:
    power = Power(site, ("auto",))
    found = power.open()
    assert [one.name for one in found] == list(AUTOMATIC)
    assert not any(one.available for one in found)
    assert all(one.told for one in found)
    assert power.primary is None
    assert power.update_hz is None
    assert power.drain() == power.stop() == {"sources": [], "rows": []}


def test_what_this_machine_has_is_found_without_being_named(site: Site, opened: list[Power]) -> None:
    battery(site.root)
    power = Power(site, ("auto",))
    opened.append(power)
    assert [one.name for one in power.open() if one.available] == ["battery"]
    assert power.primary is not None
    assert power.primary.id.startswith("battery")
    assert {row.power_w for row in rows(power.drain())} == {9.476}


@pytest.mark.parametrize("asked", [("none",), ()])
def test_no_meter_is_looked_for_where_none_is_wanted(site: Site, asked: tuple[str, ...]) -> None:
    battery(site.root)
    power = Power(site, asked)
    assert power.open() == []
    assert power.primary is None


def test_the_first_that_was_named_counts(site: Site, opened: list[Power], curve: str) -> None:
    battery(site.root)
    power = Power(site, ("auto", "fake:b", curve))
    opened.append(power)
    names = [one.name for one in power.open()]
    assert names == ["fake:b", curve, *AUTOMATIC]
    assert power.primary is not None
    assert power.primary.id == "fake:b"
    found = sources(power.drain())
    assert [(one.id.partition(":")[0], one.primary) for one in found] == [
        ("fake", True),
        ("replay", False),
        ("battery", False),
    ]


def test_a_meter_that_is_named_and_found_is_read_once(site: Site, opened: list[Power]) -> None:
    battery(site.root)
    power = Power(site, ("battery", "auto", "battery"))
    opened.append(power)
    assert [one.name for one in power.open()].count("battery") == 1
    assert len(power.drain()["sources"]) == 1


def test_the_rate_is_that_of_the_source_that_counts(
    site: Site, opened: list[Power], curve: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeMeter, "hz", 0.25)
    for asked, hz in (((curve, "fake:a"), 0.001), (("fake:a", curve), 0.25)):
        power = Power(site, asked)
        opened.append(power)
        power.open()
        assert power.update_hz == hz


# --- what cannot be read


@pytest.mark.parametrize(
    ("meter", "told"),
    [
        ("fake:gone", "the power meter fake:gone: nothing answers at gone"),
        ("fake:raises", "the power meter fake:raises: it cannot even be looked for"),
        ("replay:/no/such/curve.csv", "/no/such/curve.csv cannot be read"),
        ("battery", "the power meter battery: "),
    ],
)
def test_a_named_meter_that_cannot_be_read_is_refused(site: Site, meter: str, told: str) -> None:
    for refuse in (lambda: check_meters((meter,), site), lambda: Power(site, (meter,)).open()):
        with pytest.raises(MeterError) as caught:
            refuse()
        assert told in caught.value.problem
        assert caught.value.fix


def test_what_was_opened_before_one_that_fails_is_let_go_of(site: Site) -> None:
    power = Power(site, ("fake:a", "fake:gone"))
    with pytest.raises(MeterError, match="gone"):
        power.open()
    assert FakeMeter.opened == ["a"]
    power.stop()
    assert FakeMeter.closed == ["a"]


@pytest.mark.parametrize("meter", ["shely2:192.168.1.20", "rappl", ":x"])
def test_an_unknown_meter_is_refused_before_anything_is_measured(site: Site, meter: str) -> None:
    for refuse in (lambda: check_meters((meter,), site), lambda: Power(site, ("fake:a", meter))):
        with pytest.raises(InputError, match="unknown power meter") as caught:
            refuse()
        assert caught.value.fix
    assert FakeMeter.opened == []


def test_what_can_be_read_passes_the_check(site: Site, curve: str) -> None:
    check_meters(("auto", "none", curve, "fake:a"), site)
    assert FakeMeter.opened == []


def test_looking_for_meters_tells_why_one_is_not_there(site: Site) -> None:
    found = probe_all(site, ("fake:gone", "fake:a", "fake:raises"))
    assert [(one.name, one.available, one.told, one.fix) for one in found] == [
        ("fake:gone", False, "nothing answers at gone", "plug it in"),
        ("fake:a", True, "a fake of a", None),
        ("fake:raises", False, "it cannot even be looked for", "install it"),
    ]


# --- what is read


def test_looks_come_once_and_keep_all_that_the_source_said(site: Site, opened: list[Power]) -> None:
    power = Power(site, ("fake:a",))
    opened.append(power)
    power.open()
    (row,) = rows(power.drain())
    assert row == PowerRow(
        source="fake:a", t_ns=7_000_000_000, power_w=5.0, energy_j=None, rails_w={"cpu": 1.25}, flags=("stale",)
    )
    assert rows(power.drain()) == []
    told = power.stop()
    # A look when it ends, so that what was measured lies between two.
    assert [row.power_w for row in rows(told)] == [6.0]
    (source,) = sources(told)
    assert source.sampler_cpu_s is not None
    assert source.model_copy(update={"sampler_cpu_s": None}) == PowerSourceRow(
        id="fake:a",
        scope="whole device",
        label="derived",
        kind="sampler",
        nominal_hz=0.001,
        quantum_w=0.5,
        accuracy=0.01,
        note="made up",
        primary=True,
    )
    assert FakeMeter.closed == ["a"]


def test_the_rows_of_several_sources_are_told_apart(site: Site, opened: list[Power], curve: str) -> None:
    power = Power(site, ("fake:a", "fake:b", curve))
    opened.append(power)
    power.open()
    found = rows(power.drain())
    assert [row.source.partition("?")[0] for row in found][:2] == ["fake:a", "fake:b"]
    assert found[2].source.startswith("replay:")
    assert found[2].energy_j == 0.0
    assert len(rows(power.stop())) == 3


def test_stopping_twice_tells_nothing_more(site: Site) -> None:
    power = Power(site, ("fake:a",))
    power.open()
    power.stop()
    assert power.stop() == {"sources": [], "rows": []}
    assert FakeMeter.closed == ["a"]


def test_looks_that_fail_are_counted_and_the_others_kept(site: Site, opened: list[Power]) -> None:
    power = Power(site, ("fake:moody", "fake:failing"))
    opened.append(power)
    power.open()
    told = power.drain()
    assert rows(told) == []
    assert [(one.failed_looks, one.failures) for one in sources(told)] == [(1, ("look 1 failed",))] * 2
    told = power.stop()
    assert [row.source for row in rows(told)] == ["fake:moody"]
    assert [(one.failed_looks, one.failures) for one in sources(told)] == [
        (1, ("look 1 failed",)),
        (2, ("look 1 failed", "look 2 failed")),
    ]


def test_only_the_first_failures_are_told_but_all_are_counted(
    site: Site, opened: list[Power], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeMeter, "hz", 1000.0)
    ticking = Site(root=site.root, run=no_command)
    power = Power(ticking, ("fake:failing",))
    opened.append(power)
    power.open()
    deadline = time.monotonic() + 30
    (source,) = sources(power.drain())
    while source.failed_looks < 7 and time.monotonic() < deadline:
        time.sleep(0.005)
        (source,) = sources(power.drain())
    assert source.failed_looks >= 7
    assert source.failures == tuple(f"look {number} failed" for number in range(1, 6))
