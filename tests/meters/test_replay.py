"""Curves from files on a clock of our own; every error names file and row."""

from __future__ import annotations

import pytest

from evalsuite.meters import load_meter
from evalsuite.meters.replay import ReplayMeter
from evalsuite.meters.source import MeterError, Site
from evalsuite.records import ReadingLabel

CURVE = "t_s,power_w\n100,2\n101,4\n104,1\n"
COUNTED = "t_s,power_w,energy_j\n0,2,50\n1,4,53\n4,1,60.5\n"


class Clock:
    """A monotonic clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_ns = 7_000_000_000

    def __call__(self) -> int:
        return self.now_ns

    def after(self, seconds: float) -> None:
        self.now_ns = 7_000_000_000 + round(seconds * 1e9)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def write(tmp_path):
    def place(text: str, encoding: str = "utf-8") -> str:
        path = tmp_path / "curve.csv"
        path.write_text(text, encoding=encoding)
        return str(path)

    return place


@pytest.mark.parametrize(
    ("seconds", "watts"),
    [(0, 2.0), (0.5, 3.0), (1, 4.0), (2, 3.0), (3.5, 1.5), (4, 2.0), (4.5, 3.0), (8.25, 2.5), (4001, 4.0)],
)
def test_power_is_linear_between_rows_and_starts_again_at_the_end(write, clock, seconds, watts) -> None:
    source = ReplayMeter.open(Site(clock_ns=clock), write(CURVE))
    clock.after(seconds)
    sample = source.read()
    assert sample.power_w == pytest.approx(watts)
    assert sample.energy_j is None
    assert sample.t_ns == clock.now_ns


@pytest.mark.parametrize(
    ("seconds", "joules"), [(0, 0.0), (0.5, 1.5), (1, 3.0), (2.5, 6.75), (4, 10.5), (4.5, 12.0), (9, 24.0)]
)
def test_the_counter_goes_on_growing(write, clock, seconds, joules) -> None:
    source = ReplayMeter.open(Site(clock_ns=clock), write(COUNTED))
    clock.after(seconds)
    assert source.read().energy_j == pytest.approx(joules)
    source.close()


def test_it_says_that_it_is_no_measurement(write, clock) -> None:
    file = write(CURVE)
    info = ReplayMeter.open(Site(clock_ns=clock), file).info
    assert info.id == f"replay:{file}"
    assert info.note == f"replayed from {file}, not measured now"
    assert (info.label, info.kind, info.scope) == (ReadingLabel.MEASURED, "sampler", "as recorded")
    assert (info.quantum_j, info.quantum_w, info.accuracy) == (None, None, None)
    assert ReplayMeter.open(Site(clock_ns=clock), write(COUNTED)).info.kind == "counter"


def test_settings_stand_behind_a_question_mark(write, clock) -> None:
    file = write(CURVE)
    query = "hz=4&label=estimated&scope=at%20the%20wall&quantum_j=3.6&quantum_w=0.1&accuracy=0.02"
    info = ReplayMeter.open(Site(clock_ns=clock), f"{file}?{query}").info
    assert info.id == f"replay:{file}"
    assert (info.nominal_hz, info.label, info.scope) == (4.0, ReadingLabel.ESTIMATED, "at the wall")
    assert (info.quantum_j, info.quantum_w, info.accuracy) == (3.6, 0.1, 0.02)


@pytest.mark.parametrize(("step", "hz"), [(0.01, 10.0), (0.25, 4.0), (60, 1.0)])
def test_without_a_setting_it_is_read_as_often_as_it_has_rows(write, clock, step, hz) -> None:
    text = "t_s,power_w\n" + "".join(f"{i * step},3\n" for i in range(9))
    assert ReplayMeter.open(Site(clock_ns=clock), write(text)).info.nominal_hz == pytest.approx(hz)


def test_columns_may_stand_in_any_order_beside_others_and_after_a_byte_order_mark(write, clock) -> None:
    text = "power_w, note ,t_s\n2,a,0\n\n4,b,1\n"
    source = ReplayMeter.open(Site(clock_ns=clock), write(text, "utf-8-sig"))
    clock.after(0.5)
    assert source.read().power_w == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("t_s,power_w\n0,2\n1,two\n", "row 3: power_w is 'two', not a number"),
        ("t_s,power_w\n0,2\n1,nan\n", "row 3: power_w is 'nan', not a number"),
        ("t_s,power_w\n0,2\n1\n", "row 3: power_w is '', not a number"),
        ("t_s,power_w\n0,2\n\n1,-3\n", "row 4: power_w is -3"),
        ("t_s,power_w\n0,2\n0,3\n", "row 3: t_s is 0, after 0"),
        ("t_s,power_w\n5,2\n4,3\n", "row 3: t_s is 4, after 5"),
        ("t_s,power_w,energy_j\n0,2,9\n1,2,3\n", "row 3: energy_j falls from 9 to 3"),
        ("time,watts\n0,2\n", "row 1: no column t_s and no column power_w, but time,watts"),
        ("", "row 1: no column t_s and no column power_w, but nothing"),
        ("t_s,power_w\n0,2\n", " has 1 rows below its header"),
    ],
)
def test_what_is_no_curve_is_refused_with_file_and_row(write, text, told) -> None:
    file = write(text)
    with pytest.raises(MeterError) as caught:
        ReplayMeter.open(Site(), file)
    assert caught.value.problem.startswith(file)
    assert told in caught.value.problem
    assert caught.value.fix


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("hertz=10", "no setting 'hertz'"),
        ("hz=0", "hz of replay is '0'"),
        ("hz", "hz of replay is ''"),
        ("accuracy=2%25", "accuracy of replay is '2%'"),
        ("label=unavailable", "label of replay is 'unavailable'"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(write, query, told) -> None:
    with pytest.raises(MeterError, match="replay") as caught:
        ReplayMeter.open(Site(), f"{write(CURVE)}?{query}")
    assert told in caught.value.problem
    assert caught.value.fix


@pytest.mark.parametrize("argument", [None, "", "?hz=10"])
def test_without_a_file_there_is_nothing_to_replay(argument) -> None:
    probe = ReplayMeter.probe(Site(), argument)
    assert (probe.available, probe.told) == (False, "replay was given no file")
    assert probe.fix is not None
    assert "t_s,power_w" in probe.fix


def test_a_probe_tells_how_long_the_curve_is(write) -> None:
    file = write(CURVE)
    probe = ReplayMeter.probe(Site(), file)
    assert (probe.available, probe.told) == (True, f"replayed from {file}, not measured now: 3 rows over 4 s")


@pytest.mark.parametrize("name", ["none.csv", "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path, name) -> None:
    probe = ReplayMeter.probe(Site(), str(tmp_path / name))
    assert not probe.available
    assert f"{tmp_path / name} cannot be read" in probe.told


def test_a_file_that_is_no_text_is_told(tmp_path) -> None:
    (tmp_path / "curve.csv").write_bytes(b"\xff\xfe\x00t_s")
    assert "cannot be read" in ReplayMeter.probe(Site(), str(tmp_path / "curve.csv")).told


def test_it_is_found_by_its_name() -> None:
    assert load_meter("replay") is ReplayMeter
