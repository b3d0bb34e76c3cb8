"""Apple's energy counters, through a stand-in for the package that reads them; on a Mac nothing of this was run."""

from __future__ import annotations

import platform
import sys
from types import ModuleType, SimpleNamespace

import pytest

from evalsuite.meters import load_meter
from evalsuite.meters.apple import AppleMeter
from evalsuite.meters.source import MeterError, Site
from evalsuite.records import ReadingLabel

FIELDS = (
    "cpu_total_mj", "efficiency_cores_mj", "performance_cores_mj", "efficiency_core_manager_mj",
    "performance_core_manager_mj", "dram_mj", "gpu_mj", "gpu_sram_mj", "ane_mj",
)  # fmt: skip


def metrics(**given: object) -> SimpleNamespace:
    """Return what the package gives: millijoules, none where the chip does not tell."""
    return SimpleNamespace(**{**dict.fromkeys(FIELDS), **given})


BEFORE = metrics(
    cpu_total_mj=5_000_000, gpu_mj=2_000_000, ane_mj=300, dram_mj=700_000, gpu_sram_mj=40, efficiency_cores_mj=[1, 2]
)
# One second later: 6.5 W + 3.25 W + 0 W + 0.75 W.
AFTER = metrics(
    cpu_total_mj=5_006_500, gpu_mj=2_003_250, ane_mj=300, dram_mj=700_750, gpu_sram_mj=90, efficiency_cores_mj=[3, 4]
)


class Clock:
    """A second passes between two looks."""

    now_ns = 0

    def __call__(self) -> int:
        self.now_ns += 1_000_000_000
        return self.now_ns


@pytest.fixture
def mac(monkeypatch):
    """Make this a Mac whose counters show these values, one look after the other; return a site."""

    def make(*looks: object) -> Site:
        queue = list(looks)

        class AppleEnergyMonitor:
            def get_cumulative_energy(self):
                look = queue.pop(0)
                if isinstance(look, Exception):
                    raise look
                return look

        package = ModuleType("zeus_apple_silicon")
        package.AppleEnergyMonitor = AppleEnergyMonitor  # type: ignore[attr-defined]  # a module made by hand
        monkeypatch.setitem(sys.modules, "zeus_apple_silicon", package)
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setattr(platform, "machine", lambda: "arm64")
        return Site(clock_ns=Clock())

    return make


def test_energy_counts_from_the_opening_and_parts_are_shown_in_watts(mac):
    source = AppleMeter.open(mac(BEFORE, BEFORE, AFTER))
    assert source.read().energy_j == 0
    sample = source.read()
    assert sample.energy_j == pytest.approx(6.5 + 3.25 + 0 + 0.75)
    assert dict(sample.rails_w) == pytest.approx({"cpu": 6.5, "gpu": 3.25, "ane": 0.0, "dram": 0.75})
    assert (sample.t_ns, sample.power_w, sample.flags) == (3_000_000_000, None, ())


def test_two_looks_at_the_same_moment_give_no_power(mac):
    site = Site(clock_ns=lambda: 5, run=mac(BEFORE, AFTER).run)
    sample = AppleMeter.open(site).read()
    assert sample.energy_j == pytest.approx(10.5)
    assert dict(sample.rails_w) == {}


def test_it_is_labelled_estimated(mac):
    assert load_meter("apple") is AppleMeter
    info = AppleMeter.open(mac(BEFORE)).info
    assert info.label is ReadingLabel.ESTIMATED
    assert info.note is not None
    assert "IOReport's figures are believed to be modelled" in info.note
    assert (info.id, info.scope, info.kind, info.quantum_j) == ("apple", "Apple SoC", "counter", 0.001)


def test_parts_that_the_chip_does_not_tell_are_named_and_not_zero(mac):
    site = mac(metrics(cpu_total_mj=1000, gpu_mj=500), metrics(cpu_total_mj=3000, gpu_mj=1500))
    source = AppleMeter.open(site)
    assert source.info.scope == "Apple SoC without ANE, DRAM"
    sample = source.read()
    assert sample.energy_j == pytest.approx(3.0)
    assert set(sample.rails_w) == {"cpu", "gpu"}


def test_without_the_processor_there_is_no_figure(mac):
    with pytest.raises(MeterError, match="no energy of the CPU"):
        AppleMeter.open(mac(metrics(gpu_mj=500)))


def test_a_part_that_is_gone_is_an_error_and_the_next_look_may_succeed(mac):
    source = AppleMeter.open(mac(BEFORE, metrics(cpu_total_mj=5_006_000), AFTER))
    with pytest.raises(MeterError, match="gpu, ane, dram"):
        source.read()
    assert source.read().energy_j == pytest.approx(10.5)


def test_a_counter_that_was_reset_is_flagged_and_the_total_does_not_fall(mac):
    reset = metrics(cpu_total_mj=10, gpu_mj=2_003_250, ane_mj=300, dram_mj=700_750)
    later = metrics(cpu_total_mj=1_010, gpu_mj=2_003_250, ane_mj=300, dram_mj=700_750)
    source = AppleMeter.open(mac(BEFORE, reset, later))
    first, second = source.read(), source.read()
    assert first.flags == ("counter_reset",)
    assert first.energy_j == pytest.approx(3.25 + 0.75)
    assert dict(first.rails_w) == {}
    assert second.flags == ()
    assert second.energy_j == pytest.approx(3.25 + 0.75 + 1.0)


@pytest.mark.parametrize("value", [-1, "12", 1.5])
def test_what_cannot_be_energy_is_refused(mac, value):
    with pytest.raises(MeterError, match="cannot be energy") as error:
        AppleMeter.open(mac(metrics(cpu_total_mj=value)))
    assert repr(value) in error.value.problem


def test_counters_that_cannot_be_read(mac):
    source = AppleMeter.open(mac(BEFORE, RuntimeError("no sample")))
    with pytest.raises(MeterError, match="no sample"):
        source.read()


def test_a_monitor_that_cannot_be_made(mac, monkeypatch):
    site = mac()

    def fail():
        raise RuntimeError("Failed to create IOReport subscription.")

    monkeypatch.setattr(sys.modules["zeus_apple_silicon"], "AppleEnergyMonitor", fail)
    probe = AppleMeter.probe(site)
    assert not probe.available
    assert "Failed to create IOReport subscription" in probe.told


def test_a_closed_source_is_not_read(mac):
    source = AppleMeter.open(mac(BEFORE, AFTER))
    source.close()
    with pytest.raises(MeterError):
        source.read()


def test_a_probe_on_a_mac(mac):
    probe = AppleMeter.probe(mac(BEFORE))
    assert (probe.available, probe.fix) == (True, None)
    assert "Apple SoC" in probe.told


@pytest.mark.parametrize("system", ["linux", "win32", "android"])
def test_other_systems(mac, monkeypatch, system):
    site = mac(BEFORE)
    monkeypatch.setattr(sys, "platform", system)
    probe = AppleMeter.probe(site)
    assert not probe.available
    assert probe.told == f"Apple's energy counters are in macOS only, and this is {system}"


def test_an_intel_mac(mac, monkeypatch):
    site = mac(BEFORE)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    probe = AppleMeter.probe(site)
    assert not probe.available
    assert "x86_64" in probe.told
    assert probe.fix is not None
    assert "arm64" in probe.fix


def test_a_mac_without_the_package(mac, monkeypatch):
    site = mac(BEFORE)
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", None)
    probe = AppleMeter.probe(site)
    assert not probe.available
    assert "zeus-apple-silicon" in probe.told
    assert probe.fix == "pip install 'zeus-apple-silicon>=1.1'"


def test_an_argument_is_refused_rather_than_ignored(mac):
    with pytest.raises(MeterError, match="'gpu'"):
        AppleMeter.open(mac(BEFORE), "gpu")
