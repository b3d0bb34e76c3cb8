"""Batteries as Linux shows them: power of the whole device, and no figure while a charger feeds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.meters import load_meter
from evalsuite.meters.battery import BatteryMeter
from evalsuite.meters.source import MeterError, Site
from evalsuite.records import ReadingLabel

# A laptop that gives current and voltage: 812 mA × 11.67 V, by its uevent file alone.
UEVENT = "POWER_SUPPLY_STATUS=Discharging\nPOWER_SUPPLY_VOLTAGE_NOW=11670000\nPOWER_SUPPLY_CURRENT_NOW=-812000\n"


def supply(root: Path, name: str, **files: object) -> Path:
    folder = root / "sys/class/power_supply" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(f"{text}\n", encoding="utf-8")
    return folder


def battery(root: Path, name: str = "BAT0", **files: object) -> Path:
    return supply(root, name, **{"type": "Battery", "present": 1, "status": "Discharging", **files})


def site(root: Path) -> Site:
    return Site(root=root, clock_ns=lambda: 7_000_000_000)


def test_power_in_microwatts(tmp_path):
    battery(tmp_path, power_now=9_476_000, energy_now=41_230_000, voltage_now=11_670_000)
    source = BatteryMeter.open(site(tmp_path))
    sample = source.read()
    assert sample.power_w == pytest.approx(9.476)
    assert (sample.t_ns, sample.energy_j, dict(sample.rails_w), sample.flags) == (7_000_000_000, None, {}, ())
    source.close()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_differs_between_drivers_and_is_ignored(tmp_path, sign):
    battery(tmp_path, power_now=sign * 9_476_000)
    battery(tmp_path, "BAT1", current_now=sign * 812_000, voltage_now=11_670_000)
    assert BatteryMeter.open(site(tmp_path)).read().power_w == pytest.approx(9.476 + 0.812 * 11.67)


def test_the_uevent_file_stands_in_for_single_files(tmp_path):
    supply(tmp_path, "BAT0", type="Battery", uevent=UEVENT)
    assert BatteryMeter.open(site(tmp_path)).read().power_w == pytest.approx(0.812 * 11.67)


def test_a_uevent_file_alone_is_enough(tmp_path):
    supply(tmp_path, "BAT0", uevent="POWER_SUPPLY_TYPE=Battery\n" + UEVENT)
    assert BatteryMeter.open(site(tmp_path)).read().power_w == pytest.approx(0.812 * 11.67)


def test_single_files_go_before_the_uevent_file(tmp_path):
    battery(tmp_path, power_now=5_000_000, uevent="POWER_SUPPLY_POWER_NOW=8000000\n")
    assert BatteryMeter.open(site(tmp_path)).read().power_w == pytest.approx(5.0)


def test_a_value_that_the_driver_does_not_have_just_now_is_taken_from_elsewhere(tmp_path, monkeypatch):
    battery(tmp_path, power_now=1, current_now=812_000, voltage_now=11_670_000)
    plain = Path.read_text

    def no_data(self, *args, **kwargs):
        if self.name == "power_now":
            raise OSError(61, "No data available")
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", no_data)
    assert BatteryMeter.open(site(tmp_path)).read().power_w == pytest.approx(0.812 * 11.67)


def test_several_batteries_are_summed_and_shown_apart(tmp_path):
    battery(tmp_path, "BAT0", power_now=4_000_000)
    battery(tmp_path, "BAT1", power_now=2_500_000)
    sample = BatteryMeter.open(site(tmp_path)).read()
    assert sample.power_w == pytest.approx(6.5)
    assert dict(sample.rails_w) == pytest.approx({"BAT0": 4.0, "BAT1": 2.5})


def test_chargers_mice_and_empty_bays_are_no_batteries_of_the_device(tmp_path):
    supply(tmp_path, "AC", type="Mains", online=0)
    battery(tmp_path, "hidpp_battery_0", scope="Device", status="Discharging", power_now=900_000)
    battery(tmp_path, "BAT1", present=0, status="Unknown")
    battery(tmp_path, "BAT0", scope="System", power_now=4_000_000)
    assert BatteryMeter.open(site(tmp_path)).read().power_w == pytest.approx(4.0)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_beside_a_charger_there_is_no_figure(tmp_path, status):
    battery(tmp_path, status=status, power_now=20_000_000)
    probe = BatteryMeter.probe(site(tmp_path))
    assert not probe.available
    assert probe.told == f"the device is plugged in: BAT0 is {status}"
    assert probe.fix == "unplug the charger and run again"
    with pytest.raises(MeterError, match="plugged in"):
        BatteryMeter.open(site(tmp_path))


@pytest.mark.parametrize("status", ["Unknown", ""])
def test_a_battery_that_does_not_say_is_not_said_to_be_plugged_in(tmp_path, status):
    battery(tmp_path, status=status, power_now=20_000_000)
    probe = BatteryMeter.probe(site(tmp_path))
    assert not probe.available
    assert probe.told == f"the battery does not say that it discharges: BAT0 is {status or 'missing'}"


@pytest.mark.parametrize("status", ["Charging", "Not charging", "Unknown"])
def test_one_battery_of_two_is_not_the_device(tmp_path, status):
    battery(tmp_path, "BAT0", power_now=4_000_000)
    battery(tmp_path, "BAT1", status=status, power_now=0)
    probe = BatteryMeter.probe(site(tmp_path))
    assert not probe.available
    assert probe.told == f"not all batteries discharge: BAT0 is Discharging, BAT1 is {status}"
    assert probe.fix is not None
    assert "unplug the charger" in probe.fix


def test_a_charger_that_is_plugged_in_meanwhile_is_noticed(tmp_path):
    folder = battery(tmp_path, power_now=9_000_000)
    source = BatteryMeter.open(site(tmp_path))
    (folder / "status").write_text("Charging\n", encoding="utf-8")
    with pytest.raises(MeterError, match="plugged in"):
        source.read()
    (folder / "status").write_text("Discharging\n", encoding="utf-8")
    assert source.read().power_w == pytest.approx(9.0)


@pytest.mark.parametrize(("microwatts", "shown"), [(0, "0 W"), (49_000, "0.049 W"), (300_100_000, "300.1 W")])
def test_what_cannot_be_power_is_refused_with_value_and_place(tmp_path, microwatts, shown):
    folder = battery(tmp_path, power_now=microwatts)
    with pytest.raises(MeterError) as error:
        BatteryMeter.open(site(tmp_path))
    assert f"{folder}: {shown} cannot be" in error.value.problem
    assert error.value.fix


@pytest.mark.parametrize("microwatts", [50_000, 300_000_000])
def test_the_bounds_themselves_can_be_power(tmp_path, microwatts):
    battery(tmp_path, power_now=microwatts)
    assert BatteryMeter.open(site(tmp_path)).read().power_w == pytest.approx(microwatts / 1e6)


def test_no_number(tmp_path):
    folder = battery(tmp_path, power_now="garbage")
    with pytest.raises(MeterError) as error:
        BatteryMeter.open(site(tmp_path))
    assert f"{folder / 'power_now'} holds 'garbage'" in error.value.problem


@pytest.mark.parametrize("files", [{}, {"current_now": 812_000}, {"voltage_now": 11_670_000}])
def test_a_battery_that_tells_too_little(tmp_path, files):
    folder = battery(tmp_path, **files)
    with pytest.raises(MeterError) as error:
        BatteryMeter.open(site(tmp_path))
    assert str(folder) in error.value.problem
    assert "neither power_now nor current_now with voltage_now" in error.value.problem


@pytest.mark.parametrize("supplies", [False, True])
def test_a_device_without_battery(tmp_path, supplies):
    if supplies:
        supply(tmp_path, "AC", type="Mains", online=1)
    probe = BatteryMeter.probe(site(tmp_path))
    assert not probe.available
    assert probe.told.startswith("this device has no battery")
    assert probe.fix


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    folder = battery(tmp_path, power_now=9_000_000)
    plain = Path.read_text

    def guarded(self, *args, **kwargs):
        if self.name == "power_now":
            raise PermissionError(13, "Permission denied")
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", guarded)
    probe = BatteryMeter.probe(site(tmp_path))
    assert not probe.available
    assert probe.told == f"{folder / 'power_now'} may not be read"
    assert probe.fix is not None
    assert "termux" in probe.fix


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    battery(tmp_path, power_now=9_000_000)

    def guarded(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", guarded)
    probe = BatteryMeter.probe(site(tmp_path))
    assert (probe.available, probe.told) == (False, f"{tmp_path / 'sys/class/power_supply'} may not be read")


def test_an_argument_is_refused_rather_than_ignored(tmp_path):
    battery(tmp_path, power_now=9_000_000)
    with pytest.raises(MeterError, match="BAT1"):
        BatteryMeter.open(site(tmp_path), "BAT1")
    assert not BatteryMeter.probe(site(tmp_path), "BAT1").available


def test_what_it_says_of_itself(tmp_path):
    battery(tmp_path, power_now=9_476_000)
    assert load_meter("battery") is BatteryMeter
    probe = BatteryMeter.probe(site(tmp_path))
    assert (probe.available, probe.told) == (True, "the battery gives 9.48 W")
    info = BatteryMeter.open(site(tmp_path)).info
    assert (info.id, info.scope) == ("battery", "whole device, from its battery")
    assert (info.label, info.kind, info.nominal_hz) == (ReadingLabel.MEASURED, "sampler", 1.0)
