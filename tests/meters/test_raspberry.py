"""What is read of a Raspberry Pi, through commands that print what `vcgencmd` prints on different boards."""

from __future__ import annotations

import functools
import os

import pytest

from evalsuite.meters import load_meter
from evalsuite.meters.raspberry import Pi5Meter, ThrottleBits, throttled
from evalsuite.meters.source import MeterError, Site, run_command
from evalsuite.records import ReadingLabel

IDLE = """\
 3V7_WL_SW_A current(0)=0.07709848A
   3V3_SYS_A current(1)=0.04782057A
   1V8_SYS_A current(2)=0.11515970A
  DDR_VDD2_A current(3)=0.00780744A
  DDR_VDDQ_A current(4)=0.00000000A
   1V1_SYS_A current(5)=0.17664330A
    0V8_SW_A current(6)=0.33084030A
  VDD_CORE_A current(7)=0.94657990A
   3V3_DAC_A current(17)=0.00146520A
   3V3_ADC_A current(18)=0.00140415A
   0V8_AON_A current(16)=0.00494505A
      HDMI_A current(22)=0.01697190A
 3V7_WL_SW_V volt(8)=3.69049700V
   3V3_SYS_V volt(9)=3.29982600V
   1V8_SYS_V volt(10)=1.79633500V
  DDR_VDD2_V volt(11)=1.10805800V
  DDR_VDDQ_V volt(12)=0.60329610V
   1V1_SYS_V volt(13)=1.10146400V
    0V8_SW_V volt(14)=0.80219700V
  VDD_CORE_V volt(15)=0.72097620V
   3V3_DAC_V volt(20)=3.30402600V
   3V3_ADC_V volt(21)=3.29670000V
   0V8_AON_V volt(19)=0.79941320V
      HDMI_V volt(23)=5.11612000V
     EXT5V_V volt(24)=5.11478000V
      BATT_V volt(25)=0.01880340V
"""
"""A Raspberry Pi 5 that does nothing."""

IDLE_RAILS_W = {
    "3V7_WL_SW": 0.07709848 * 3.69049700,  # 0.2845
    "3V3_SYS": 0.04782057 * 3.29982600,  # 0.1578
    "1V8_SYS": 0.11515970 * 1.79633500,  # 0.2069
    "DDR_VDD2": 0.00780744 * 1.10805800,  # 0.0087
    "DDR_VDDQ": 0.0,
    "1V1_SYS": 0.17664330 * 1.10146400,  # 0.1946
    "0V8_SW": 0.33084030 * 0.80219700,  # 0.2654
    "VDD_CORE": 0.94657990 * 0.72097620,  # 0.6825
    "3V3_DAC": 0.00146520 * 3.30402600,  # 0.0048
    "3V3_ADC": 0.00140415 * 3.29670000,  # 0.0046
    "0V8_AON": 0.00494505 * 0.79941320,  # 0.0040
    "HDMI": 0.01697190 * 5.11612000,  # 0.0868
}
"""0.2845 + 0.1578 + 0.2069 + 0.0087 + 0.1946 + 0.2654 + 0.6825 + 0.0048 + 0.0046 + 0.0040 + 0.0868 = 1.9006,
of rounded summands; 1.9005 without rounding them."""

NO_DEVICE = "Can't open device file: /dev/vcio\nTry creating a device file with: sudo mknod /dev/vcio c 100 0"


@pytest.fixture
def site(tmp_path):
    return Site(root=tmp_path, run=functools.partial(run_command, timeout_s=0.3), clock_ns=lambda: 42)


@pytest.fixture
def vcgencmd(tmp_path, monkeypatch):
    """Return what puts a shell script on the path, as the command `vcgencmd`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def place(script):
        command = folder / "vcgencmd"
        command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        command.chmod(0o755)

    return place


@pytest.fixture
def prints(vcgencmd):
    """Return what makes `vcgencmd pmic_read_adc` print a text; other arguments fail."""

    def place(text, code=0):
        vcgencmd(f"[ \"$*\" = pmic_read_adc ] || exit 9\ncat <<'END'\n{text}\nEND\nexit {code}")

    return place


def name_board(root, model):
    path = root / "proc/device-tree/model"
    path.parent.mkdir(parents=True)
    path.write_text(f"{model}\0", encoding="utf-8")


def test_the_rails_of_an_idle_board_are_summed(site, prints):
    prints(IDLE)
    source = load_meter("pi5").open(site)
    sample = source.read()
    assert sample.power_w == pytest.approx(1.9005, abs=5e-5)
    assert sample.power_w == pytest.approx(sum(IDLE_RAILS_W.values()), abs=1e-9)
    assert sample.rails_w == pytest.approx(IDLE_RAILS_W, abs=1e-9)
    assert sample.t_ns == 42 and sample.energy_j is None
    assert source.info.label is ReadingLabel.MEASURED
    assert source.info.scope == "PMIC rails (without USB, HAT, NVMe and converter losses)"
    assert (source.info.kind, source.info.nominal_hz) == ("sampler", 5)
    source.close()


def test_the_fit_is_an_estimate_of_the_whole_board_and_names_its_source(site, prints):
    prints(IDLE)
    source = Pi5Meter.open(site, "fitted")
    sample = source.read()
    assert sample.power_w == pytest.approx(1.1451 * 1.9005 + 0.5879, abs=1e-4)
    assert sample.rails_w == pytest.approx(IDLE_RAILS_W, abs=1e-9)
    assert source.info.label is ReadingLabel.ESTIMATED
    assert source.info.scope == "whole board, by a published fit"
    assert "jfikar" in (source.info.note or "")
    assert source.info.id != Pi5Meter.open(site).info.id


def test_an_older_firmware_has_other_rails(site, prints):
    prints("   0V8_SYS_A current(6)=0.26935670A\n   0V8_SYS_V volt(14)=0.80000000V\n   EXT5V_V volt(24)=5.10000000V")
    sample = Pi5Meter.open(site).read()
    assert sample.rails_w == pytest.approx({"0V8_SYS": 0.26935670 * 0.8})
    assert sample.power_w == pytest.approx(0.26935670 * 0.8)


def test_a_current_without_a_voltage_is_left_out_and_named(site, prints):
    prints(IDLE + " NEW_RAIL_A current(30)=0.50000000A")
    source = Pi5Meter.open(site)
    assert source.read().power_w == pytest.approx(1.9005, abs=5e-5)
    assert "without NEW_RAIL" in (source.info.note or "")


def test_a_look_that_misses_a_rail_fails_and_the_next_one_may_not(site, prints):
    prints(IDLE)
    source = Pi5Meter.open(site)
    prints(IDLE.replace("VDD_CORE_V volt(15)=0.72097620V", ""))
    with pytest.raises(MeterError, match=r"did not print the rails that it printed at first: VDD_CORE$"):
        source.read()
    prints(IDLE)
    assert source.read().power_w == pytest.approx(1.9005, abs=5e-5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hello", "no rail with current and voltage, but 'hello'"),
        ("", "no rail with current and voltage, but ''"),
        ("EXT5V_V volt(24)=5.11478000V", "no rail with current and voltage"),
        ("VDD_CORE_A current(7)=nanA\nVDD_CORE_V volt(15)=0.7V", "printed 'VDD_CORE_A current(7)=nanA'"),
        ("VDD_CORE_A current(7)=0.9V\nVDD_CORE_V volt(15)=0.7V", "printed 'VDD_CORE_A current(7)=0.9V'"),
        ("VDD_CORE_A current(7)=0.0A\nVDD_CORE_V volt(15)=0.7V", "gives 0 W"),
        ("VDD_CORE_A current(7)=-1.0A\nVDD_CORE_V volt(15)=0.7V", "gives -0.7 W"),
        ("VDD_CORE_A current(7)=400.0A\nVDD_CORE_V volt(15)=0.7V", "gives 280 W"),
    ],
)
def test_what_cannot_be_power_is_refused(site, prints, text, told):
    prints(text)
    with pytest.raises(MeterError) as caught:
        Pi5Meter.open(site).read()
    assert told in caught.value.problem
    probe = Pi5Meter.probe(site)
    assert (probe.available, probe.told) == (False, caught.value.problem)


def test_a_command_that_fails_tells_its_code(site, prints):
    prints("something broke", code=1)
    probe = Pi5Meter.probe(site)
    assert not probe.available
    assert "failed with exit code 1: something broke" in probe.told
    assert probe.fix is None


def test_a_command_that_hangs_is_given_up(site, vcgencmd):
    vcgencmd("exec sleep 5")
    with pytest.raises(MeterError, match=r"`vcgencmd pmic_read_adc` did not end within 0\.3 s"):
        Pi5Meter.open(site)


@pytest.mark.parametrize("code", [0, 255])
@pytest.mark.parametrize("text", [NO_DEVICE, "VCHI initialization failed", "/dev/vchiq: Permission denied"])
def test_a_user_without_access_is_told_of_the_group(site, prints, text, code):
    prints(text, code)
    probe = Pi5Meter.probe(site)
    assert not probe.available
    assert "usermod -aG video" in (probe.fix or "")


def test_a_firmware_that_does_not_know_the_command_is_told_to_be_updated(site, prints):
    prints('error=1 error_msg="Command not registered"')
    probe = Pi5Meter.probe(site)
    assert "Command not registered" in probe.told and "rpi-eeprom-update" in (probe.fix or "")


def test_a_machine_without_the_command_is_told_how_to_get_it(tmp_path, site, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    probe = Pi5Meter.probe(site)
    assert not probe.available
    assert probe.told == "the command vcgencmd is not installed"
    assert "apt install" in (probe.fix or "")


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("Raspberry Pi 4 Model B Rev 1.5", "Raspberry Pi 4"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "Raspberry Pi 3"),
        ("Raspberry Pi 400 Rev 1.0", "Raspberry Pi 400"),
        ("Raspberry Pi Compute Module 4 Rev 1.1", "Raspberry Pi Compute Module 4"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "Raspberry Pi Zero 2 W"),
        ("Raspberry Pi Model B Rev 2", "Raspberry Pi Model B"),
    ],
)
def test_older_boards_have_no_sensor_and_need_an_external_meter(tmp_path, site, prints, model, named):
    prints(IDLE)
    name_board(tmp_path, model)
    probe = Pi5Meter.probe(site)
    assert (probe.available, probe.told) == (False, f"{named} has no power sensor")
    assert "--meter shelly2:ADDRESS" in (probe.fix or "") and "USB meter" in (probe.fix or "")
    with pytest.raises(MeterError, match="has no power sensor"):
        Pi5Meter.open(site)


@pytest.mark.parametrize(
    "model",
    ["Raspberry Pi 5 Model B Rev 1.0", "Raspberry Pi 500 Rev 1.0", "Raspberry Pi Compute Module 5 Lite Rev 1.0"],
)
def test_boards_with_the_sensor_are_probed_by_reading_it(tmp_path, site, prints, model):
    prints(IDLE)
    name_board(tmp_path, model)
    probe = Pi5Meter.probe(site)
    assert probe.available
    assert probe.told == "PMIC rails (without USB, HAT, NVMe and converter losses), 12 rails"


def test_an_unknown_argument_is_refused(site, prints):
    prints(IDLE)
    probe = Pi5Meter.probe(site, "corrected")
    assert not probe.available
    assert "'corrected'" in probe.told and "pi5:fitted" in (probe.fix or "")
    with pytest.raises(MeterError, match="corrected"):
        Pi5Meter.open(site, "corrected")


def test_throttle_bits_are_those_of_the_firmware(site, vcgencmd):
    vcgencmd('[ "$*" = get_throttled ] && echo throttled=0x50000')
    bits = throttled(site)
    # 0x50000 is bits 16 and 18.
    assert bits == ThrottleBits(
        under_voltage_now=False,
        arm_capped_now=False,
        throttled_now=False,
        soft_temperature_limit_now=False,
        under_voltage_since_boot=True,
        arm_capped_since_boot=False,
        throttled_since_boot=True,
        soft_temperature_limit_since_boot=False,
    )


@pytest.mark.parametrize(
    ("bit", "field"),
    [
        (0, "under_voltage_now"),
        (1, "arm_capped_now"),
        (2, "throttled_now"),
        (3, "soft_temperature_limit_now"),
        (16, "under_voltage_since_boot"),
        (17, "arm_capped_since_boot"),
        (18, "throttled_since_boot"),
        (19, "soft_temperature_limit_since_boot"),
    ],
)
def test_each_bit_is_one_field(bit, field):
    assert [name for name, is_set in vars(ThrottleBits.from_word(1 << bit)).items() if is_set] == [field]


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        (0x0, 0x0, ()),
        (0x50000, 0x50000, ()),  # seen before: says nothing
        (0x0, 0x50000, ("under_voltage", "throttled")),  # came and went between the looks
        (0x50000, 0x50005, ("under_voltage", "throttled")),  # holds now, whatever was seen before
        (0x50000, 0xD0008, ("soft_temperature_limit",)),
        (0x10000, 0x30002, ("arm_capped",)),
        (0x50000, 0x0, ()),  # cleared
    ],
)
def test_only_what_holds_now_or_came_up_since_is_new(before, after, new):
    assert ThrottleBits.from_word(after).new_since(ThrottleBits.from_word(before)) == new


@pytest.mark.parametrize(
    "script", ["echo nonsense", "echo throttled=0x", "echo throttled=0x50000; exit 1", "exec sleep 5"]
)
def test_throttle_bits_that_are_not_told_are_none(site, vcgencmd, script):
    vcgencmd(script)
    assert throttled(site) is None
