"""What is read of a Jetson's power monitors, from copies of what Linux shows on different boards."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from evalsuite.meters import load_meter
from evalsuite.meters.jetson import JetsonMeter, power_mode
from evalsuite.meters.source import MeterError, Site
from evalsuite.records import ReadingLabel

CHIP_40 = "ina3221/1-0040/hwmon/hwmon3"
CHIP_41 = "ina3221/1-0041/hwmon/hwmon4"
IIO = "ina3221x/6-0040/iio:device0"


def place(root, files, *, chip=""):
    for name, value in files.items():
        path = root / "sys/bus/i2c/drivers" / chip / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n", encoding="utf-8")


def place_rails(root, chip, *rails):
    """Write rails as the hwmon driver shows them: label, mV, mA; none for a channel with nothing on it."""
    for channel, rail in enumerate(rails, start=1):
        if rail is not None:
            label, millivolts, milliamps = rail
            shown = {"in{}_label": label, "in{}_input": millivolts, "curr{}_input": milliamps}
            place(root, {name.format(channel): value for name, value in shown.items()}, chip=chip)


@pytest.fixture
def site(tmp_path):
    return Site(root=tmp_path, run=no_command, clock_ns=lambda: 1_700)


def no_command(command):
    raise MeterError(f"the command {command[0]} is not installed")


def nano(root):
    # The watts of a tegrastats line: POM_5V_IN 4122/3107 POM_5V_GPU 109/85 POM_5V_CPU 1167/748.
    for channel, (name, milliwatts) in enumerate({"POM_5V_IN": 4122, "POM_5V_GPU": 109, "POM_5V_CPU": 1167}.items()):
        place(root, {f"rail_name_{channel}": name, f"in_power{channel}_input": milliwatts}, chip=IIO)


def orin_nano(root):
    place_rails(root, CHIP_40, ("VDD_IN", 4968, 1144), ("VDD_CPU_GPU_CV", 4976, 168), ("VDD_SOC", 4976, 328))
    sums = {"in4_input": 5720, "in5_input": 840, "in6_input": 1640, "in7_label": "sum of shunt voltages"}
    place(root, {**sums, "in7_input": 8200, "curr4_input": 1640}, chip=CHIP_40)


def agx_orin(root):
    place_rails(root, CHIP_40, ("VDD_GPU_SOC", 19_000, 220), ("VDD_CPU_CV", 19_000, 100), ("VIN_SYS_5V0", 4968, 980))
    place_rails(root, CHIP_41, ("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 4968, 80))


def thor(root):
    place_rails(root, CHIP_40, ("VDD_GPU", 9000, -44), ("VDD_CPU_SOC_MSS", 9000, 436), ("VIN_SYS_5V0", 5000, 1200))
    place(
        root, {"power1_input": 23_125_000, "in1_input": 20_000, "curr1_input": 1156}, chip="ina238/2-0044/hwmon/hwmon5"
    )


def test_a_nano_is_measured_by_its_input_rail(tmp_path, site):
    nano(tmp_path)
    source = load_meter("jetson").open(site)
    sample = source.read()
    assert sample.power_w == pytest.approx(4.122)
    assert sample.rails_w == pytest.approx({"POM_5V_GPU": 0.109, "POM_5V_CPU": 1.167})
    assert sample.t_ns == 1_700 and sample.energy_j is None
    assert (source.info.scope, source.info.label, source.info.kind) == ("whole module", "measured", "sampler")
    assert source.info.nominal_hz == 5
    assert "carrier board" in (source.info.note or "")
    source.close()


def test_an_orin_nano_is_measured_without_the_sum_and_shunt_channels(tmp_path, site):
    orin_nano(tmp_path)
    sample = JetsonMeter.open(site).read()
    assert sample.power_w == pytest.approx(4.968 * 1.144)
    assert sample.rails_w == pytest.approx({"VDD_CPU_GPU_CV": 4.976 * 0.168, "VDD_SOC": 4.976 * 0.328})


def test_an_agx_orin_is_the_sum_of_its_input_rails_and_says_that_it_is_derived(tmp_path, site):
    agx_orin(tmp_path)
    source = JetsonMeter.open(site)
    inputs_w = {"VDD_GPU_SOC": 19 * 0.22, "VDD_CPU_CV": 19 * 0.1, "VIN_SYS_5V0": 4.968 * 0.98}
    sample = source.read()
    assert sample.power_w == pytest.approx(sum(inputs_w.values()))
    assert sample.rails_w == pytest.approx({**inputs_w, "VDDQ_VDD2_1V8AO": 4.968 * 0.08})
    assert source.info.label is ReadingLabel.DERIVED
    assert source.info.scope == "sum of the module's input rails"


def test_thor_is_measured_at_the_input_with_its_carrier_board_and_a_rail_below_zero_stays(tmp_path, site):
    thor(tmp_path)
    source = JetsonMeter.open(site)
    sample = source.read()
    assert sample.power_w == pytest.approx(23.125)
    assert sample.rails_w == pytest.approx({"VDD_GPU": -0.396, "VDD_CPU_SOC_MSS": 3.924, "VIN_SYS_5V0": 6.0})
    assert source.info.scope == "module and carrier board"
    assert source.info.quantum_w is None


def test_an_ina238_with_another_name_is_no_input(tmp_path, site):
    thor(tmp_path)
    place(tmp_path, {"label": "VDD_FAN"}, chip="ina238/2-0044/hwmon/hwmon5")
    with pytest.raises(MeterError, match=r"VIN_SYS_5V0, VDD_FAN; none is known to be a total"):
        JetsonMeter.open(site)


def test_chips_are_found_through_the_links_that_sysfs_has(tmp_path, site):
    place_rails(tmp_path, "../../../devices/platform/c240000.i2c/1-0040/hwmon/hwmon3", ("VDD_IN", 5000, 1000))
    driver = tmp_path / "sys/bus/i2c/drivers/ina3221"
    driver.mkdir(parents=True)
    (driver / "bind").write_text("", encoding="utf-8")
    (driver / "1-0040").symlink_to("../../../../devices/platform/c240000.i2c/1-0040")
    assert JetsonMeter.open(site).read().power_w == pytest.approx(5.0)


def test_the_carrier_board_of_a_tx2_is_beside_the_module(tmp_path, site):
    for address, device, rails in [
        ("0-0040", 0, {"VDD_SYS_GPU": 190, "VDD_SYS_SOC": 380, "VDD_4V0_WIFI": 0}),
        ("0-0041", 1, {"VDD_IN": 2481, "VDD_SYS_CPU": 229, "VDD_SYS_DDR": 496}),
        ("0-0042", 2, {"VDD_MUX": 4010}),
    ]:
        for channel, (name, milliwatts) in enumerate(rails.items()):
            shown = {f"rail_name_{channel}": name, f"in_power{channel}_input": milliwatts}
            place(tmp_path, shown, chip=f"ina3221x/{address}/iio:device{device}")
    sample = JetsonMeter.open(site).read()
    assert sample.power_w == pytest.approx(2.481)
    assert sample.rails_w["VDD_MUX"] == pytest.approx(4.010) and len(sample.rails_w) == 6


@pytest.mark.parametrize(
    ("shunts_uohm", "quantum_w"),
    # 40 µV over the shunt is one step: 8 mA at 5 mΩ, 20 mA at 2 mΩ.
    [({}, 0.008 * 4.968), ({"shunt1_resistor": 5000}, 0.008 * 4.968), ({"shunt1_resistor": 2000}, 0.020 * 4.968)],
)
def test_the_smallest_step_follows_from_the_shunt(tmp_path, site, shunts_uohm, quantum_w):
    orin_nano(tmp_path)
    place(tmp_path, shunts_uohm, chip=CHIP_40)
    assert JetsonMeter.open(site).info.quantum_w == pytest.approx(quantum_w)


def test_the_smallest_step_of_a_sum_is_known_only_where_all_shunts_are(tmp_path, site):
    agx_orin(tmp_path)
    assert JetsonMeter.open(site).info.quantum_w is None
    place(tmp_path, {f"shunt{channel}_resistor": 2000 for channel in (1, 2, 3)}, chip=CHIP_40)
    expected_w = math.sqrt(2 * (0.020 * 19) ** 2 + (0.020 * 4.968) ** 2)
    assert JetsonMeter.open(site).info.quantum_w == pytest.approx(expected_w)


@pytest.mark.parametrize(
    ("interval_ms", "nominal_hz"), [(500, 2), (125, 8), (1, 10), (0, 10), (4000, 1), ("soon", 5), (None, 5)]
)
def test_how_often_to_read_follows_from_the_chip_within_bounds(tmp_path, site, interval_ms, nominal_hz):
    orin_nano(tmp_path)
    if interval_ms is not None:
        place(tmp_path, {"update_interval": interval_ms}, chip=CHIP_40)
    assert JetsonMeter.open(site).info.nominal_hz == nominal_hz


def test_unknown_rails_are_named_and_never_added(tmp_path, site):
    place_rails(tmp_path, CHIP_40, ("GPU", 19_000, 100), ("CPU", 19_000, 100), ("SOC", 19_000, 100))
    place_rails(tmp_path, CHIP_41, ("CV", 19_000, 0), ("VDDRQ", 19_000, 20), ("SYS5V", 5000, 400))
    probe = JetsonMeter.probe(site)
    assert not probe.available
    assert probe.told == "found the rails GPU, CPU, SOC, CV, VDDRQ, SYS5V; none is known to be a total"
    assert "--meter shelly2" in (probe.fix or "")
    with pytest.raises(MeterError, match="none is known to be a total"):
        JetsonMeter.open(site)


def test_an_agx_orin_with_an_input_switched_off_has_no_total(tmp_path, site):
    agx_orin(tmp_path)
    place(tmp_path, {"in1_enable": 1, "in2_enable": 0}, chip=CHIP_40)
    with pytest.raises(MeterError, match="found the rails VDD_GPU_SOC, VIN_SYS_5V0, VDDQ_VDD2_1V8AO; none"):
        JetsonMeter.open(site)


def test_two_rails_of_one_name_are_told_apart_and_neither_is_the_total(tmp_path, site):
    orin_nano(tmp_path)
    place_rails(tmp_path, CHIP_41, ("VDD_IN", 5000, 100))
    with pytest.raises(MeterError, match=r"VDD_IN@1-0040, .*VDD_IN@1-0041; none is known"):
        JetsonMeter.open(site)


@pytest.mark.parametrize("garbage", ["", "N/A", "4122.5 mW"])
def test_garbage_is_reported_with_path_and_value(tmp_path, site, garbage):
    nano(tmp_path)
    source = JetsonMeter.open(site)
    place(tmp_path, {"in_power1_input": garbage}, chip=IIO)
    with pytest.raises(MeterError) as caught:
        source.read()
    assert "iio:device0/in_power1_input" in caught.value.problem and repr(garbage) in caught.value.problem
    assert JetsonMeter.probe(site).told == caught.value.problem


def test_a_file_that_is_gone_fails_that_look_and_not_the_next(tmp_path, site):
    nano(tmp_path)
    source = JetsonMeter.open(site)
    (tmp_path / "sys/bus/i2c/drivers" / IIO / "in_power0_input").unlink()
    with pytest.raises(MeterError, match=r"in_power0_input is not there"):
        source.read()
    nano(tmp_path)
    assert source.read().power_w == pytest.approx(4.122)


@pytest.mark.parametrize(
    ("milliwatts", "told"),
    [(0, "POM_5V_IN reads 0 W, which a running module cannot draw"), (-40, "POM_5V_IN reads -0.04 W")],
)
def test_a_total_of_nothing_is_no_power(tmp_path, site, milliwatts, told):
    nano(tmp_path)
    place(tmp_path, {"in_power0_input": milliwatts}, chip=IIO)
    with pytest.raises(MeterError, match=told):
        JetsonMeter.open(site).read()


@pytest.mark.parametrize(
    ("error", "told", "fix"),
    [
        (PermissionError(13, "Permission denied"), "may not be read", "sudo chmod a+r"),
        (OSError(61, "No data available"), "cannot be read: No data available", None),
    ],
)
@pytest.mark.parametrize("file", ["in1_label", "curr2_input"])
def test_what_may_not_be_read_is_reported_with_its_path(tmp_path, site, monkeypatch, file, error, told, fix):
    orin_nano(tmp_path)
    read_text = Path.read_text

    def refuse(path, *arguments, **options):
        if path.name == file:
            raise error
        return read_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", refuse)
    probe = JetsonMeter.probe(site)
    assert not probe.available
    assert told in probe.told and f"hwmon3/{file}" in probe.told
    assert probe.fix is None if fix is None else fix in (probe.fix or "")
    with pytest.raises(MeterError, match=told):
        JetsonMeter.open(site).read()


def test_a_machine_that_is_no_jetson_says_so_and_what_else_there_is(site):
    probe = JetsonMeter.probe(site)
    assert not probe.available
    assert "no power monitor of a Jetson" in probe.told and "--meter shelly2" in (probe.fix or "")


def test_a_probe_names_the_scope_and_the_rails_beside_it(tmp_path, site):
    orin_nano(tmp_path)
    probe = JetsonMeter.probe(site)
    assert probe.available
    assert probe.told == "whole module, with VDD_CPU_GPU_CV, VDD_SOC"


def test_an_argument_is_refused(tmp_path, site):
    nano(tmp_path)
    assert "takes no argument, but '0x40' was given" in JetsonMeter.probe(site, "0x40").told
    with pytest.raises(MeterError, match="'0x40'"):
        JetsonMeter.open(site, "0x40")


@pytest.mark.parametrize(
    ("told", "mode"),
    [
        ("NV Power Mode: 15W\n0\n", "15W"),
        ("NVPM WARN: fan mode is not set!\nNV Power Mode: MAXN_SUPER\n2\n", "MAXN_SUPER"),
        ("NV Power Mode:\n0\n", None),
        ("NVPM ERROR: failed to read PARAM CPU_ONLINE\n", None),
        ("", None),
    ],
)
def test_the_power_mode_is_read_where_it_is_told(tmp_path, told, mode):
    asked = []

    def run(command):
        asked.append(list(command))
        return told

    assert power_mode(Site(root=tmp_path, run=run)) == mode
    assert asked == [["nvpmodel", "-q"]]


def test_a_machine_without_nvpmodel_has_no_power_mode(site):
    assert power_mode(site) is None
