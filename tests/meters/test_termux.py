"""Termux's battery command: real fake commands on PATH, in each way in which they answer and fail."""

from __future__ import annotations

import functools
import itertools
import json
import os

import pytest

from evalsuite.meters import load_meter
from evalsuite.meters.source import MeterError, Site, run_command
from evalsuite.meters.termux import TermuxMeter
from evalsuite.records import ReadingLabel

# 4099 mV and 820 000 µA.
STATUS = {
    "present": True,
    "status": "DISCHARGING",
    "temperature": "22.3",
    "voltage": 4099,
    "current": -820000,
    "charge_counter": 3194654,
    "energy": None,
}
WATTS = 4.099 * 0.82


@pytest.fixture
def phone(tmp_path, monkeypatch):
    """Put a script of the command's name on PATH, and return a site that runs it."""

    def make(script: str, timeout_s: float = 30.0) -> Site:
        command = tmp_path / "termux-battery-status"
        command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return Site(root=tmp_path, run=functools.partial(run_command, timeout_s=timeout_s))

    return make


def answers(*statuses: object, **changes: object) -> Site:
    """Return a site whose command gives these answers, one after the other, the last one for ever."""
    given = [json.dumps(s) for s in statuses or ({**STATUS, **changes},)]
    queue = itertools.chain(given[:-1], itertools.repeat(given[-1]))
    return Site(run=lambda command: next(queue), clock_ns=itertools.count(0, 500_000_000).__next__)


def test_a_real_command_is_run_and_read(phone):
    site = phone(f"cat <<'END'\n{json.dumps(STATUS, indent=2)}\nEND")
    probe = TermuxMeter.probe(site)
    assert (probe.available, probe.told, probe.fix) == (True, "the battery gives 3.36 W", None)
    sample = TermuxMeter.open(site).read()
    assert sample.power_w == pytest.approx(WATTS)
    assert sample.energy_j is None


def test_a_command_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    probe = TermuxMeter.probe(Site(root=tmp_path))
    assert not probe.available
    assert probe.told == "the command termux-battery-status is not installed"
    assert probe.fix is not None
    assert "pkg install termux-api" in probe.fix
    assert "app Termux:API" in probe.fix


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exec sleep 5", "`termux-battery-status` did not end within 0.2 s"),
        (
            "echo 'Connection refused' >&2; exit 1",
            "`termux-battery-status` failed with exit code 1: Connection refused",
        ),
        ("echo garbage", "termux-battery-status printed no battery status: 'garbage'"),
        ("exit 0", "termux-battery-status printed no battery status: ''"),
        ("echo '[1, 2]'", "termux-battery-status printed no battery status: '[1, 2]'"),
        ('echo \'{"API_ERROR": "x"}\'', 'termux-battery-status printed no battery status: \'{"API_ERROR": "x"}\''),
    ],
)
def test_a_command_that_hangs_fails_or_prints_something_else(phone, script, told):
    # Only what hangs may run into the limit, however slow the machine is.
    probe = TermuxMeter.probe(phone(script, 0.2 if "sleep" in script else 30.0))
    assert (probe.available, probe.told) == (False, told)
    assert probe.fix is not None
    assert "Termux:API" in probe.fix


@pytest.mark.parametrize(
    ("argument", "current"), [(None, -820_000), ("ua", 820_000), ("ua", -820_000), ("ma", -820), ("ma", 820)]
)
def test_scale_and_sign_of_the_current(argument, current):
    source = TermuxMeter.open(answers(current=current), argument)
    assert source.read().power_w == pytest.approx(WATTS)


@pytest.mark.parametrize(
    ("argument", "current", "shown", "fix"),
    [
        (None, -820, "0.00336 W", "write `termux:ma`: it would be 3.36 W then"),
        ("ma", -820_000, "3.36e+03 W", "write `termux:ua`: it would be 3.36 W then"),
    ],
)
def test_the_wrong_scale_is_refused_and_the_other_proposed(argument, current, shown, fix):
    with pytest.raises(MeterError) as error:
        TermuxMeter.open(answers(current=current), argument)
    assert shown in error.value.problem
    assert str(abs(current))[:3] in error.value.problem
    assert error.value.fix == fix


@pytest.mark.parametrize("argument", ["ua", "ma"])
@pytest.mark.parametrize("current", [0, -(2**31)])
def test_what_is_no_power_in_any_scale_gets_no_such_advice(argument, current):
    with pytest.raises(MeterError, match="no running phone draws") as error:
        TermuxMeter.open(answers(current=current), argument)
    assert error.value.fix is not None
    assert "termux:" not in error.value.fix


@pytest.mark.parametrize(("current", "fine"), [(9_990, False), (10_000, True), (6_000_000, True), (6_010_000, False)])
def test_the_bounds_of_plausible_power(current, fine):
    # At 5 V: 10 mA is 0.05 W, and 6 A is 30 W.
    assert TermuxMeter.probe(answers(voltage=5000, current=current)).available is fine


@pytest.mark.parametrize("status", ["CHARGING", "FULL", "NOT_CHARGING"])
def test_beside_a_charger_there_is_no_figure(status):
    probe = TermuxMeter.probe(answers(status=status, current=820_000))
    assert not probe.available
    assert probe.told == f"the device is plugged in: its status is {status}"
    assert probe.fix == "unplug the charger and run again"


def test_an_unknown_status_is_no_discharge():
    probe = TermuxMeter.probe(answers(status="UNKNOWN"))
    assert not probe.available
    assert probe.told == "the battery does not say that it discharges: its status is UNKNOWN"


def test_a_charger_that_is_plugged_in_meanwhile_is_noticed():
    source = TermuxMeter.open(answers(STATUS, {**STATUS, "status": "CHARGING"}, STATUS))
    with pytest.raises(MeterError, match="plugged in"):
        source.read()
    assert source.read().power_w == pytest.approx(WATTS)
    source.close()


@pytest.mark.parametrize("key", ["voltage", "current"])
@pytest.mark.parametrize("value", [None, "4099", True])
def test_a_phone_that_does_not_tell(key, value):
    probe = TermuxMeter.probe(answers(**{key: value}))
    assert not probe.available
    assert probe.told == f"termux-battery-status gives no {key}: {value!r}"


def test_no_battery():
    assert "no battery is present" in TermuxMeter.probe(answers(present=False)).told


def test_an_unknown_scale():
    with pytest.raises(MeterError, match="'mA'") as error:
        TermuxMeter.open(answers(), "mA")
    assert error.value.fix is not None
    assert "`termux:ma`" in error.value.fix


def test_the_time_of_a_look_is_the_middle_of_the_command():
    # The clock gives 0 and 0.5 s around the opening look, and 1 and 1.5 s around the next.
    assert TermuxMeter.open(answers()).read().t_ns == 1_250_000_000


def test_a_probe_looks_once_only():
    asked: list[list[str]] = []

    def run(command):
        asked.append(list(command))
        return json.dumps(STATUS)

    site = Site(run=run)
    assert TermuxMeter.probe(site).available
    assert asked == [["termux-battery-status"]]


def test_what_it_says_of_itself():
    assert load_meter("termux") is TermuxMeter
    info = TermuxMeter.open(answers(current=-820), "ma").info
    assert (info.id, info.scope) == ("termux", "whole device, from its battery")
    assert (info.label, info.kind, info.nominal_hz) == (ReadingLabel.MEASURED, "sampler", 0.2)
    assert info.note is not None
    assert "in ma" in info.note
