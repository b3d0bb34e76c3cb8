"""Temperatures, clocks and throttle signs of several boards, and the wait for a cool machine."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from evalsuite.meters import thermal
from evalsuite.meters.raspberry import ThrottleBits
from evalsuite.meters.source import MeterError, Site
from evalsuite.meters.thermal import ThermalState, ThermalTrack, cool_down, read_thermal

S = 1_000_000_000
ZONES = "sys/class/thermal/thermal_zone"
CPU = "sys/devices/system/cpu/cpu"


def place(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")


def not_there(command):
    raise MeterError(f"the command {command[0]} is not installed")


def site(root, run=not_there, t_ns=0):
    return Site(root=root, run=run, clock_ns=lambda: t_ns)


def zones(*pairs):
    return {
        f"{ZONES}{i}/{name}": value
        for i, (kind, temp) in enumerate(pairs)
        for name, value in [("type", kind), ("temp", temp)]
    }


def cpufreq(now, limit, highest, governor="ondemand", cpu=0):
    names = ("scaling_cur_freq", "scaling_max_freq", "cpuinfo_max_freq", "scaling_governor")
    return {f"{CPU}{cpu}/cpufreq/{n}": v for n, v in zip(names, (now, limit, highest, governor), strict=True)}


def track(*states):
    collected = ThermalTrack()
    for state in states:
        collected.add(state)
    return collected


@pytest.fixture(autouse=True)
def _no_nvml(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    thermal._nvml.cache_clear()
    yield
    thermal._nvml.cache_clear()


def test_a_machine_that_shows_nothing_gives_an_empty_state(tmp_path):
    state = read_thermal(site(tmp_path, t_ns=7))
    assert state == ThermalState(t_ns=7)
    assert (state.hottest_c, state.relative_frequency, state.supply) == (None, None, None)


def test_zones_of_a_jetson_nano_without_its_dummy(tmp_path):
    place(tmp_path, zones(("CPU-therm", 42000), ("GPU-therm", 41500), ("PMIC-Die", 100000), ("thermal-fan-est", 41750)))
    state = read_thermal(site(tmp_path))
    assert state.temperature_c == {"CPU-therm": 42.0, "GPU-therm": 41.5, "thermal-fan-est": 41.75}
    assert state.hottest_c == 42.0


@pytest.mark.parametrize("value", ["-274000", "-256000", "151000", "-40001", "", "N/A"])
def test_values_that_are_no_temperature_are_dropped(tmp_path, value):
    place(tmp_path, zones(("cpu", 50000), ("cv0", value)))
    assert read_thermal(site(tmp_path)).temperature_c == {"cpu": 50.0}


@pytest.mark.parametrize(("kind", "value"), [("cpu", 100000), ("PMIC-Die", 61000), ("cpu", 150000), ("cpu", -40000)])
def test_a_hundred_degrees_is_a_dummy_only_of_a_power_chip(tmp_path, kind, value):
    place(tmp_path, zones((kind, value)))
    assert read_thermal(site(tmp_path)).temperature_c == {kind: value / 1000}


def test_zones_of_one_kind_are_told_apart_in_the_order_of_their_numbers(tmp_path):
    place(tmp_path, zones(*[("acpitz", 20000 + 1000 * i) for i in range(11)]))
    found = read_thermal(site(tmp_path)).temperature_c
    assert list(found.items())[:3] == [
        ("acpitz (thermal_zone0)", 20.0), ("acpitz (thermal_zone1)", 21.0), ("acpitz (thermal_zone2)", 22.0),
    ]  # fmt: skip
    assert list(found)[-1] == "acpitz (thermal_zone10)"


def test_hwmon_is_read_only_where_no_zone_gives_a_temperature(tmp_path):
    hwmon = "sys/class/hwmon/hwmon1"
    place(tmp_path, {f"{hwmon}/name": "k10temp", f"{hwmon}/temp1_input": 65250, f"{hwmon}/temp1_label": "Tctl"})
    place(tmp_path, {f"{hwmon}/temp3_input": 51000, "sys/class/hwmon/hwmon2/temp1_input": -128000})
    assert read_thermal(site(tmp_path)).temperature_c == {"k10temp Tctl": 65.25, "k10temp temp3": 51.0}
    place(tmp_path, zones(("PMIC-Die", 100000)))
    assert read_thermal(site(tmp_path)).hottest_c == 65.25
    place(tmp_path, zones(("x86_pkg_temp", 58000)))
    assert read_thermal(site(tmp_path)).temperature_c == {"x86_pkg_temp": 58.0}


def test_clocks_and_governors(tmp_path):
    place(tmp_path, cpufreq(600000, 1400000, 1800000, governor="schedutil", cpu=0))
    place(tmp_path, cpufreq(1500000, 1600000, 2400000, governor="performance", cpu=10))
    place(tmp_path, {"sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": 1})
    state = read_thermal(site(tmp_path))
    assert state.frequency_khz == {0: 600000, 10: 1500000}
    assert state.limit_khz == {0: 1400000, 10: 1600000}
    assert state.hardware_max_khz == {0: 1800000, 10: 2400000}
    assert state.governor == "performance, schedutil"
    assert state.relative_frequency == 1500000 / 2400000


def test_what_may_not_be_read_is_missing(tmp_path, monkeypatch):
    place(tmp_path, zones(("cpu", 50000)))
    place(tmp_path, cpufreq(1000000, 1000000, 2000000))
    read_text = Path.read_text

    def refuse(path, *args, **kwargs):
        if path.name in {"cpuinfo_max_freq", "temp"}:
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    state = read_thermal(site(tmp_path))
    assert state.temperature_c == {} and state.hardware_max_khz == {}
    assert state.relative_frequency == 1.0


def test_throttle_counters_of_x86(tmp_path):
    place(tmp_path, {f"{CPU}0/thermal_throttle/core_throttle_count": 41912})
    place(tmp_path, {f"{CPU}0/thermal_throttle/package_throttle_count": 67565})
    place(tmp_path, {f"{CPU}1/thermal_throttle/core_throttle_count": 0})
    found = read_thermal(site(tmp_path)).throttle_counts
    assert found == {"cpu0/core": 41912, "cpu0/package": 67565, "cpu1/core": 0}


def test_throttle_bits_of_a_raspberry_pi_are_asked_for(tmp_path, monkeypatch):
    commands = []

    def run(command):
        commands.append(list(command))
        return "throttled=0x50000\n"

    assert read_thermal(site(tmp_path, run)).board_bits == ThrottleBits.from_word(0x50000)
    assert commands == [["vcgencmd", "get_throttled"]]
    assert read_thermal(site(tmp_path, run), board_bits=lambda _: None).board_bits is None
    monkeypatch.setitem(sys.modules, "evalsuite.meters.raspberry", None)
    assert read_thermal(site(tmp_path, run)).board_bits is None


def fake_nvml(readings):
    class NVMLError(Exception):
        pass

    def read(handle):
        if readings[handle] is None:
            raise NVMLError
        return readings[handle]

    return types.SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: len(readings),
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetCurrentClocksThrottleReasons=read,
    )


@pytest.mark.parametrize(
    ("readings", "bits"), [([0x1], 0x1), ([0x4, 0x40], 0x44), ([], None), ([None], None), ([0x20, None], 0x20)]
)
def test_clock_events_of_all_gpus_together(tmp_path, monkeypatch, readings, bits):
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(readings))
    assert read_thermal(site(tmp_path)).gpu_event_bits == bits


def test_a_driver_that_is_not_running_is_no_gpu(tmp_path, monkeypatch):
    module = fake_nvml([0x4])

    def fail():
        raise module.NVMLError

    module.nvmlInit = fail
    monkeypatch.setitem(sys.modules, "pynvml", module)
    assert read_thermal(site(tmp_path)).gpu_event_bits is None


def test_temperatures_and_clocks_of_a_stretch():
    states = [
        ThermalState(
            t_ns=i * S, temperature_c={"cpu": t, "gpu": 15.0}, frequency_khz={0: f, 1: 600}, hardware_max_khz={0: 2400}
        )
        for i, (t, f) in enumerate([(20.0, 2400), (45.0, 2400), (60.0, 1800), (82.5, 1200), (99.0, 600)])
    ]
    summary = track(*states).summary(1 * S, 3 * S)
    assert (summary.states, summary.start_c, summary.max_c) == (3, 45.0, 82.5)
    assert (summary.min_frequency, summary.median_frequency) == (0.5, 0.75)
    whole = track(*states).summary()
    assert (whole.states, whole.start_c, whole.max_c, whole.min_frequency) == (5, 20.0, 99.0, 0.25)


def test_what_is_missing_has_a_reason():
    summary = track(ThermalState(t_ns=0), ThermalState(t_ns=S)).summary()
    assert summary.throttled is None
    assert (summary.max_c, summary.median_frequency) == (None, None)
    assert summary.missing.keys() == {"start_c", "max_c", "min_frequency", "median_frequency", "throttled"}
    assert summary.missing["max_c"] == "the system shows no temperature"
    empty = track(ThermalState(t_ns=0, temperature_c={"cpu": 40.0})).summary(5 * S, 6 * S)
    assert empty.states == 0
    assert set(empty.missing.values()) == {"no look fell into this time"}
    assert ThermalTrack().summary().states == 0


def test_new_throttle_events_are_counted_up_to_the_looks_around_the_stretch():
    counts = [(100, 5), (101, 5), (103, 5), (103, 9), (150, 9)]
    states = [
        ThermalState(t_ns=i * S, throttle_counts={"cpu0/core": core, "cpu0/package": package})
        for i, (core, package) in enumerate(counts)
    ]
    summary = track(*states).summary(1 * S + 1, 2 * S + 1)
    assert summary.throttled is True
    # From the look at 1 s (101, 5) to that at 3 s (103, 9).
    assert summary.reasons == ("processor core: 2 throttle events", "processor package: 4 throttle events")
    assert summary.watched == ("processor throttle counters",)


def test_counters_that_stand_still_say_that_nothing_was_throttled():
    states = [ThermalState(t_ns=i * S, throttle_counts={"cpu0/core": 41912}) for i in range(3)]
    summary = track(*states).summary()
    assert (summary.throttled, summary.reasons) == (False, ())
    assert "throttled" not in summary.missing


def test_states_that_come_out_of_order_are_put_in_order():
    late, early = (ThermalState(t_ns=t * S, limit_khz={0: khz}) for t, khz in [(2, 2400000), (1, 1500000)])
    assert track(late, early).summary().reasons == ()


def test_one_look_at_a_counter_says_nothing():
    assert track(ThermalState(t_ns=0, throttle_counts={"cpu0/core": 7})).summary().throttled is None


@pytest.mark.parametrize(
    ("words", "throttled", "reasons"),
    [
        ((0x0, 0x0), False, ()),
        ((0x50000, 0x50000), False, ()),
        ((0x50000, 0xD0000), True, ("board: soft temperature limit",)),
        ((0x0, 0x50005), True, ("board: under voltage", "board: throttled")),
        ((0x20002, 0x20000), True, ("board: arm capped",)),
        ((0x40004,), True, ("board: throttled",)),
        ((0x40000,), None, ()),
    ],
)
def test_only_new_or_present_bits_of_a_raspberry_pi_count(words, throttled, reasons):
    states = [ThermalState(t_ns=i * S, board_bits=ThrottleBits.from_word(word)) for i, word in enumerate(words)]
    summary = track(*states).summary()
    assert (summary.throttled, summary.reasons) == (throttled, reasons)


@pytest.mark.parametrize(
    ("bits", "throttled", "reasons"),
    [
        (0x0, False, ()),
        (0x1 | 0x2 | 0x10 | 0x100, False, ()),
        (0x4, True, ("GPU: power cap",)),
        (0x8 | 0x40, True, ("GPU: hardware slowdown", "GPU: hardware thermal slowdown")),
        (0x20, True, ("GPU: software thermal slowdown",)),
    ],
)
def test_clock_events_that_mean_less_speed(bits, throttled, reasons):
    summary = track(ThermalState(t_ns=0, gpu_event_bits=0), ThermalState(t_ns=S, gpu_event_bits=bits)).summary()
    assert (summary.throttled, summary.reasons, summary.watched) == (throttled, reasons, ("GPU clock events",))


@pytest.mark.parametrize(
    ("limits", "reasons"),
    [
        ((2400000, 2400000), ()),
        ((1500000, 1500000), ()),
        ((1500000, 2400000), ()),
        ((2400000, 2000000, 1500000, 2400000), ("the frequency limit fell from 2400 to 1500 MHz",)),
        ((1500000, 2400000, 1500000), ("the frequency limit fell from 2400 to 1500 MHz",)),
    ],
)
def test_a_limit_that_falls_is_throttling_and_one_that_stays_says_nothing(limits, reasons):
    states = [ThermalState(t_ns=i * S, limit_khz={0: 1800000, 4: limit}) for i, limit in enumerate(limits)]
    summary = track(*states).summary()
    assert summary.reasons == reasons
    assert summary.throttled is (True if reasons else None)


@pytest.mark.parametrize(("hottest", "cool"), [(41.9, True), (42.0, True), (42.1, False), (20.0, True)])
def test_cooled_compares_the_last_look_with_the_target(hottest, cool):
    states = track(
        ThermalState(t_ns=0, temperature_c={"cpu": 90.0}),
        ThermalState(t_ns=S, temperature_c={"cpu": hottest, "board": 15.0}),
    )
    assert states.cooled(40.0) is cool


def test_without_a_temperature_nobody_knows_whether_it_cooled():
    assert ThermalTrack().cooled(40.0) is None
    assert track(ThermalState(t_ns=0)).cooled(40.0) is None


class Cooling:
    """A machine that has one temperature after another, and a clock that only sleeping moves."""

    def __init__(self, *temperatures):
        self.temperatures = iter(temperatures)
        self.t_ns = 5 * S

    def read(self):
        now = next(self.temperatures)
        return ThermalState(t_ns=self.t_ns, temperature_c={} if now is None else {"cpu": now})

    def sleep(self, seconds):
        self.t_ns += int(seconds * S)

    def wait(self, target_c, **options):
        return cool_down(self.read, self.sleep, target_c, clock_ns=lambda: self.t_ns, **options)


def test_it_waits_until_the_machine_is_cool():
    ended = Cooling(60.0, 50.0, None, 42.1, 42.0, 30.0).wait(40.0)
    # Looks at 0, 1, 2, 3 and 4 s; the fifth is within 2 °C.
    assert (ended.outcome, ended.from_c, ended.to_c, ended.waited_s) == ("reached", 60.0, 42.0, 4.0)


def test_a_cool_machine_is_not_waited_for():
    ended = Cooling(35.0).wait(40.0)
    assert (ended.outcome, ended.to_c, ended.waited_s) == ("reached", 35.0, 0.0)


def test_it_gives_up_in_the_end():
    ended = Cooling(*[70.0] * 50).wait(40.0, timeout_s=9.0, interval_s=2.0)
    assert (ended.outcome, ended.from_c, ended.to_c, ended.waited_s) == ("timed_out", 70.0, 70.0, 10.0)


def test_a_look_that_fails_does_not_make_it_cool():
    ended = Cooling(70.0, 65.0, None, None).wait(40.0, timeout_s=3.0)
    assert (ended.outcome, ended.to_c, ended.waited_s) == ("timed_out", 65.0, 3.0)


def test_without_a_sensor_it_does_not_wait():
    ended = Cooling(None).wait(40.0)
    assert (ended.outcome, ended.from_c, ended.waited_s) == ("no_sensor", None, 0.0)


def test_this_machine():
    state = read_thermal(Site())
    assert state.t_ns > 0
    assert all(-40 <= value <= 150 for value in state.temperature_c.values())
