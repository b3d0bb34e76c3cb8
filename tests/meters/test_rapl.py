"""What is counted, and counted once, in trees such as Linux shows under /sys/class/powercap."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.meters.rapl import RaplMeter
from evalsuite.meters.source import MeterError, Site
from evalsuite.records import ReadingLabel

WRAP_INTEL_UJ = 262143328850
"""An i5-7400."""
WRAP_AMD_UJ = 65532610987
"""An EPYC 7543."""
DESKTOP = {"0": "package-0", "0:0": "core", "0:1": "uncore", "0:2": "dram", "1": "psys"}


class Machine:
    """A tree with counters that can be moved on, and a clock."""

    def __init__(self, root, zones, *, wrap_uj=WRAP_INTEL_UJ, vendor="GenuineIntel", control="intel-rapl"):
        self.root, self.control, self.now_ns = root, control, 1_000_000_000
        self.base = root / "sys/class/powercap"
        (self.base / control).mkdir(parents=True)
        for number, name in zones.items():
            zone = self.base / f"{control}:{number}"
            zone.mkdir()
            (zone / "name").write_text(f"{name}\n", encoding="utf-8")
            (zone / "max_energy_range_uj").write_text(f"{wrap_uj}\n", encoding="utf-8")
            self.put(number, 1_000_000)
        (root / "proc").mkdir(exist_ok=True)
        (root / "proc/cpuinfo").write_text(f"processor\t: 0\nvendor_id\t: {vendor}\n", encoding="utf-8")
        self.site = Site(root=root, clock_ns=lambda: self.now_ns)

    def put(self, number, energy_uj):
        (self.base / f"{self.control}:{number}" / "energy_uj").write_text(f"{energy_uj}\n", encoding="utf-8")

    def open(self, argument=None):
        return RaplMeter.open(self.site, argument)


def deny(monkeypatch, name):
    read_text = Path.read_text

    def read(path, *args, **kwargs):
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", read)


def test_package_and_memory_are_added_and_their_parts_and_the_platform_are_not(tmp_path):
    machine = Machine(tmp_path, DESKTOP)
    source = machine.open()
    for number, energy_uj in {"0": 21e6, "0:0": 13e6, "0:1": 3e6, "0:2": 5e6, "1": 61e6}.items():
        machine.put(number, int(energy_uj))
    machine.now_ns += 2_000_000_000
    sample = source.read()
    assert sample.energy_j == pytest.approx(20 + 4)
    assert sample.power_w is None
    assert sample.t_ns == 3_000_000_000
    assert sample.rails_w == pytest.approx(
        {"package-0": 10, "package-0/core": 6, "package-0/uncore": 1, "package-0/dram": 2, "psys": 30}
    )
    assert source.info.scope == "processor package and memory"
    assert (source.info.label, source.info.kind, source.info.accuracy) == (ReadingLabel.MEASURED, "counter", None)
    assert (source.info.nominal_hz, source.info.quantum_j) == (10, 61e-6)


def test_energy_is_the_total_since_it_was_opened_and_parts_are_means_since_the_last_look(tmp_path):
    machine = Machine(tmp_path, {"0": "package-0", "0:0": "core"})
    source = machine.open()
    first = source.read()
    assert first.energy_j == 0
    assert first.rails_w == {}, "no time has passed"
    for step in (1, 2):
        machine.put("0", 1_000_000 + step * 5_000_000)
        machine.now_ns += 1_000_000_000
        sample = source.read()
        assert sample.energy_j == pytest.approx(5 * step)
        assert sample.rails_w == pytest.approx({"package-0": 5, "package-0/core": 0})


@pytest.mark.parametrize(
    ("zones", "scope"),
    [
        ({"0": "package-0", "0:0": "core"}, "processor package"),
        ({"0": "package-0", "0:0": "dram"}, "processor package and memory"),
        ({"0": "package-0", "0:0": "dram", "1": "package-1", "1:0": "dram"}, "processor package and memory"),
        ({"0": "package-0", "0:0": "dram", "1": "package-1"}, "processor package"),
    ],
)
def test_memory_extends_the_scope_only_where_every_package_counts_it(tmp_path, zones, scope):
    machine = Machine(tmp_path, zones)
    source = machine.open()
    for number in zones:
        machine.put(number, 3_000_000)
    counted = {n for n, name in zones.items() if name.startswith("package") or (name == "dram" and "memory" in scope)}
    assert source.info.scope == scope
    assert source.read().energy_j == pytest.approx(2 * len(counted))


def test_the_copies_of_intel_rapl_mmio_are_not_counted(tmp_path):
    machine = Machine(tmp_path, {"0": "package-0"})
    mmio = Machine(tmp_path, {"0": "package-0"}, control="intel-rapl-mmio")
    source = machine.open()
    for each in (machine, mmio):
        each.put("0", 8_000_000)
    assert source.read().energy_j == pytest.approx(7)


def test_a_machine_with_nothing_but_mmio_has_no_counters(tmp_path):
    machine = Machine(tmp_path, {"0": "package-0"}, control="intel-rapl-mmio")
    assert not RaplMeter.probe(machine.site).available


def test_zones_are_found_as_links_and_as_parts_inside_their_package_and_counted_once(tmp_path):
    """As Linux has it: links in /sys/class to a tree under /sys/devices."""
    real = tmp_path / "sys/devices/virtual/powercap/intel-rapl"
    for place, name in {"intel-rapl:0": "package-0", "intel-rapl:0/intel-rapl:0:0": "dram"}.items():
        (real / place).mkdir(parents=True)
        (real / place / "name").write_text(name, encoding="utf-8")
        (real / place / "energy_uj").write_text("5", encoding="utf-8")
    base = tmp_path / "sys/class/powercap"
    base.mkdir(parents=True)
    (base / "intel-rapl").symlink_to(real)
    (base / "intel-rapl:0").symlink_to(real / "intel-rapl:0")
    site = Site(root=tmp_path, clock_ns=lambda: 0)
    nested = RaplMeter.open(site)
    (base / "intel-rapl:0:0").symlink_to(real / "intel-rapl:0/intel-rapl:0:0")
    both = RaplMeter.open(site)
    (real / "intel-rapl:0/energy_uj").write_text("3000005", encoding="utf-8")
    (real / "intel-rapl:0/intel-rapl:0:0/energy_uj").write_text("1000005", encoding="utf-8")
    assert nested.read().energy_j == pytest.approx(4)
    assert both.read().energy_j == pytest.approx(4)


def test_zones_are_in_the_order_of_their_numbers(tmp_path):
    machine = Machine(tmp_path, {str(n): f"package-{n}" for n in (10, 2, 0)})
    assert "package-0, package-2, package-10" in RaplMeter.probe(machine.site).told


def test_each_zone_wraps_by_itself(tmp_path):
    machine = Machine(tmp_path, {"0": "package-0", "1": "package-1"}, wrap_uj=WRAP_AMD_UJ)
    machine.put("0", WRAP_AMD_UJ - 1_000_000)
    source = machine.open()
    machine.put("0", 2_000_000)
    machine.put("1", 6_000_000)
    machine.now_ns += 1_000_000_000
    sample = source.read()
    assert sample.energy_j == pytest.approx(3 + 5)
    assert sample.rails_w == pytest.approx({"package-0": 3, "package-1": 5})
    assert sample.flags == ()


def test_a_counter_that_falls_without_a_known_range_was_reset(tmp_path):
    machine = Machine(tmp_path, {"0": "package-0", "0:0": "core"})
    (machine.base / "intel-rapl:0/max_energy_range_uj").unlink()
    machine.put("0", 9_000_000)
    source = machine.open()
    machine.put("0", 10)
    machine.now_ns += 1_000_000_000
    sample = source.read()
    assert sample.flags == ("counter_reset",)
    assert sample.energy_j == 0
    assert "package-0" not in sample.rails_w
    machine.put("0", 2_000_010)
    assert source.read().energy_j == pytest.approx(2)


@pytest.mark.parametrize(
    ("vendor", "names", "joules"),
    [
        ("AuthenticAMD", ("package-0-die-0", "package-0-die-1"), 68),
        ("HygonGenuine", ("package-0-die-0", "package-0-die-1"), 68),
        ("GenuineIntel", ("package-0-die-0", "package-0-die-1"), 2 * 68),
        ("AuthenticAMD", ("package-0-die-0", "package-1-die-0"), 2 * 68),
        ("GenuineIntel", ("package-0", "package-0"), 68),
        ("GenuineIntel", ("package-0", "package-1"), 2 * 68),
    ],
)
def test_mirrored_dies_are_counted_once(tmp_path, vendor, names, joules):
    """A Threadripper 1950X shows 68 W for each of its dies, at 125 W from the wall; Cascade Lake-AP has a counter for each."""
    machine = Machine(tmp_path, dict(zip("01", names, strict=True)), vendor=vendor)
    source = machine.open()
    for number in "01":
        machine.put(number, 69_000_000)
    assert source.read().energy_j == pytest.approx(joules)
    assert ("not counted again" in str(source.info.note)) == (joules == 68)


def test_psys_is_counted_when_it_is_asked_for_and_packages_stand_beside(tmp_path):
    machine = Machine(tmp_path, DESKTOP)
    source = machine.open("psys")
    machine.put("0", 21_000_000)
    machine.put("1", 61_000_000)
    machine.now_ns += 2_000_000_000
    sample = source.read()
    assert sample.energy_j == pytest.approx(60)
    assert (sample.rails_w["psys"], sample.rails_w["package-0"]) == (pytest.approx(30), pytest.approx(10))
    assert source.info.scope == "platform (psys)"
    assert source.info.id != machine.open().info.id


@pytest.mark.parametrize(
    ("zones", "argument", "fix"),
    [
        ({"0": "package-0"}, "psys", "`rapl` without an argument"),
        ({"0": "psys"}, None, "rapl:psys"),
        ({"0": "package-0"}, "core", "rapl:package, rapl:psys"),
    ],
)
def test_a_level_that_is_not_there_is_refused(tmp_path, zones, argument, fix):
    probe = RaplMeter.probe(Machine(tmp_path, zones).site, argument)
    assert not probe.available
    assert fix in str(probe.fix)


def test_a_machine_without_counters_is_told_why(tmp_path):
    probe = RaplMeter.probe(Site(root=tmp_path))
    assert not probe.available
    assert "virtual machines" in probe.told
    assert "ARM" in probe.told
    assert "modprobe intel_rapl_msr" in str(probe.fix)


def test_links_that_a_container_runtime_hides_are_no_counters(tmp_path):
    base = tmp_path / "sys/class/powercap"
    base.mkdir(parents=True)
    (base / "intel-rapl:0").symlink_to(tmp_path / "hidden")
    assert "containers" in RaplMeter.probe(Site(root=tmp_path)).told


def test_counters_for_root_only_are_told_with_the_command_that_mends_it(tmp_path, monkeypatch):
    machine = Machine(tmp_path, DESKTOP)
    deny(monkeypatch, "energy_uj")
    probe = RaplMeter.probe(machine.site)
    assert not probe.available
    assert "only root" in probe.told
    assert "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj" in str(probe.fix)
    assert 'SUBSYSTEM=="powercap"' in str(probe.fix)
    with pytest.raises(MeterError, match="CVE-2020-8694"):
        machine.open()


def test_a_probe_tells_what_is_counted(tmp_path):
    probe = RaplMeter.probe(Machine(tmp_path, DESKTOP).site)
    assert probe.available
    assert "package-0, dram" in probe.told


@pytest.mark.parametrize("text", ["", "12.5", "-3", "N/A"])
def test_a_counter_that_holds_no_number_fails_that_look_only(tmp_path, text):
    machine = Machine(tmp_path, {"0": "package-0"})
    source = machine.open()
    machine.put("0", text)
    with pytest.raises(MeterError, match="no number of microjoules"):
        source.read()
    machine.put("0", 4_000_000)
    assert source.read().energy_j == pytest.approx(3)
    source.close()


def test_a_part_that_cannot_be_read_does_not_lose_the_figure(tmp_path):
    machine = Machine(tmp_path, {"0": "package-0", "0:0": "core", "0:1": "uncore"})
    machine.put("0:1", "")
    source = machine.open()
    machine.put("0", 3_000_000)
    machine.put("0:0", "")
    machine.now_ns += 1_000_000_000
    sample = source.read()
    assert sample.energy_j == pytest.approx(2)
    assert sample.rails_w == pytest.approx({"package-0": 2})
