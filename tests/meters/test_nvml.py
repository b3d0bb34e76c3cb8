"""NVIDIA cards, by a stand-in for `pynvml` that answers and fails as nvidia-ml-py does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

from evalsuite.meters.nvml import NvmlMeter, vram_bytes
from evalsuite.meters.source import MeterError, Site
from evalsuite.records import ReadingLabel

ERRORS = {
    "NotSupported": (3, "Not Supported"),
    "InvalidArgument": (2, "Invalid Argument"),
    "Uninitialized": (1, "Uninitialized"),
    "LibraryNotFound": (12, "NVML Shared Library Not Found"),
    "FunctionNotFound": (13, "Function Not Found"),
    "GpuIsLost": (15, "GPU is lost"),
}
MIB = 1024**2


class Card:
    def __init__(self, name="NVIDIA GeForce RTX 3060", *, energy_mj=5_000_000, power_mw=42_500):
        self.name, self.energy_mj, self.power_mw = name, energy_mj, power_mw
        self.compute: object = []
        self.graphics: object = []


class FakeNvml(ModuleType):
    """The part of the module that is used; what is an error instead of a value is raised."""

    def __init__(self, *cards, fails=None):
        super().__init__("pynvml")
        self.cards, self.fails, self.started = cards, fails, 0

        class NVMLError(Exception):
            def __str__(self):
                return ERRORS[type(self).__name__.partition("_")[2]][1]

        self.NVMLError = NVMLError
        for name in ERRORS:
            setattr(self, f"NVMLError_{name}", type(f"NVMLError_{name}", (NVMLError,), {}))

    def error(self, name):
        return getattr(self, f"NVMLError_{name}")()

    def answer(self, value):
        if not self.started:
            raise self.error("Uninitialized")
        if isinstance(value, str) and value in ERRORS:
            raise self.error(value)
        return value

    def nvmlInit(self):
        if self.fails:
            raise self.error(self.fails)
        self.started += 1

    def nvmlShutdown(self):
        self.answer(None)
        self.started -= 1

    def nvmlDeviceGetCount(self):
        return self.answer(len(self.cards))

    def nvmlDeviceGetHandleByIndex(self, index):
        return self.answer(self.cards[index] if index < len(self.cards) else "InvalidArgument")

    def nvmlDeviceGetName(self, handle):
        return self.answer(handle.name)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        return self.answer(handle.energy_mj)

    def nvmlDeviceGetPowerUsage(self, handle):
        return self.answer(handle.power_mw)

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return self.answer(handle.compute)

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle):
        return self.answer(handle.graphics)


@pytest.fixture
def use(monkeypatch):
    def place(*cards, fails=None):
        nvml = FakeNvml(*cards, fails=fails)
        monkeypatch.setitem(sys.modules, "pynvml", nvml)
        return nvml

    return place


def site():
    return Site(clock_ns=lambda: 77)


def process(pid, used):
    return SimpleNamespace(pid=pid, usedGpuMemory=used)


def test_energy_is_counted_since_it_was_opened(use):
    card = Card()
    use(card)
    source = NvmlMeter.open(site())
    card.energy_mj += 12_345
    sample = source.read()
    assert sample.t_ns == 77
    assert sample.energy_j == pytest.approx(12.345)
    assert sample.power_w == pytest.approx(42.5)
    assert (source.info.kind, source.info.scope, source.info.quantum_j) == ("counter", "GPU board", 1e-3)
    assert (source.info.id, source.info.label) == ("nvml:0", ReadingLabel.MEASURED)
    assert "RTX 3060" in str(source.info.note)


@pytest.mark.parametrize("missing", ["NotSupported", "FunctionNotFound"])
def test_a_card_before_volta_is_sampled(use, missing):
    use(Card("NVIDIA GeForce GTX 1080", energy_mj=missing, power_mw=180_250))
    source = NvmlMeter.open(site())
    sample = source.read()
    assert sample.power_w == pytest.approx(180.25)
    assert sample.energy_j is None
    assert (source.info.kind, source.info.quantum_j, source.info.quantum_w) == ("sampler", None, 1e-3)


def test_a_card_that_counts_energy_and_tells_no_power_is_a_counter(use):
    card = Card(power_mw="NotSupported")
    use(card)
    source = NvmlMeter.open(site())
    card.energy_mj += 1000
    sample = source.read()
    assert sample.energy_j == pytest.approx(1)
    assert sample.power_w is None


def test_a_counter_that_falls_was_reset_with_the_driver(use):
    card = Card()
    use(card)
    source = NvmlMeter.open(site())
    card.energy_mj = 10
    assert source.read().flags == ("counter_reset",)
    card.energy_mj = 510
    sample = source.read()
    assert sample.energy_j == pytest.approx(0.5)
    assert sample.flags == ()


def test_the_argument_chooses_the_card(use):
    use(Card(), Card("NVIDIA L4", power_mw=30_000))
    source = NvmlMeter.open(site(), "1")
    assert source.info.id == "nvml:1"
    assert source.read().power_w == pytest.approx(30)


@pytest.mark.parametrize("argument", ["2", "-1", "x", "²"])
def test_a_card_that_is_not_there_is_refused_and_nvml_let_go(use, argument):
    nvml = use(Card(), Card())
    probe = NvmlMeter.probe(site(), argument)
    assert not probe.available
    assert argument in probe.told
    assert "nvidia-smi -L" in str(probe.fix)
    assert nvml.started == 0


def test_without_the_package_the_probe_tells_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    probe = NvmlMeter.probe(site())
    assert not probe.available
    assert str(probe.fix).startswith("pip install")
    assert "nvidia-ml-py" in str(probe.fix)
    assert vram_bytes(os.getpid()) is None


def test_without_a_driver_the_probe_says_so(use):
    use(fails="LibraryNotFound")
    probe = NvmlMeter.probe(site())
    assert not probe.available
    assert "NVML Shared Library Not Found" in probe.told
    assert "driver" in str(probe.fix)
    assert vram_bytes(os.getpid()) is None


def test_a_jetson_is_sent_to_its_own_meter(use):
    """NVML starts on an Orin, shows one card, and supports nothing."""
    nvml = use(Card("Orin (nvgpu)", energy_mj="NotSupported", power_mw="NotSupported"))
    probe = NvmlMeter.probe(site())
    assert not probe.available
    assert "Orin (nvgpu)" in probe.told
    assert "`jetson`" in str(probe.fix)
    assert nvml.started == 0


def test_a_probe_tells_the_card_and_lets_nvml_go(use):
    nvml = use(Card(b"Tesla V100"))
    probe = NvmlMeter.probe(site())
    assert probe.available
    assert "Tesla V100" in probe.told
    assert nvml.started == 0


def test_closing_twice_shuts_down_once(use):
    nvml = use(Card())
    first, second = NvmlMeter.open(site()), NvmlMeter.open(site())
    first.close()
    first.close()
    assert nvml.started == 1
    second.close()
    assert nvml.started == 0


@pytest.mark.parametrize("energy_mj", ["GpuIsLost", "NotSupported"])
def test_a_card_that_is_lost_fails_that_look(use, energy_mj):
    card = Card()
    use(card)
    source = NvmlMeter.open(site())
    card.energy_mj = energy_mj
    with pytest.raises(MeterError, match="GPU 0"):
        source.read()
    card.energy_mj = 5_002_000
    assert source.read().energy_j == pytest.approx(2)


def test_power_that_cannot_be_is_refused(use):
    card = Card(energy_mj="NotSupported")
    use(card)
    source = NvmlMeter.open(site())
    card.power_mw = 2**32 - 1
    with pytest.raises(MeterError, match=r"4\.29497e\+06 W"):
        source.read()


def test_the_counter_is_read_though_power_cannot_be(use):
    card = Card()
    use(card)
    source = NvmlMeter.open(site())
    card.energy_mj, card.power_mw = 5_003_000, 2**32 - 1
    sample = source.read()
    assert sample.energy_j == pytest.approx(3)
    assert sample.power_w is None


def test_memory_of_a_process_and_its_descendants_is_added_over_all_cards(use):
    first, second = Card(), Card()
    nvml = use(first, second)
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        try:
            first.compute = [process(os.getpid(), 100 * MIB), process(1, 7 * MIB)]
            second.compute = [process(child.pid, 20 * MIB), process(grandchild, 3 * MIB)]
            assert vram_bytes(os.getpid()) == 123 * MIB
            assert vram_bytes(grandchild) == 3 * MIB
        finally:
            os.kill(grandchild, signal.SIGKILL)
    assert nvml.started == 0


def test_a_process_in_both_lists_is_counted_once(use):
    card = Card()
    use(card)
    card.compute = [process(os.getpid(), 64 * MIB)]
    card.graphics = [process(os.getpid(), 64 * MIB)]
    assert vram_bytes(os.getpid()) == 64 * MIB


def test_parts_of_a_divided_card_are_added(use):
    card = Card()
    use(card)
    card.compute = [process(os.getpid(), 64 * MIB), process(os.getpid(), 16 * MIB)]
    card.graphics = "NotSupported"
    assert vram_bytes(os.getpid()) == 80 * MIB


@pytest.mark.parametrize("used", [None, 2**64 - 1])
def test_memory_that_the_driver_does_not_tell_is_missing_and_not_nothing(use, used):
    card = Card()
    use(card)
    card.compute = [process(os.getpid(), used)]
    assert vram_bytes(os.getpid()) is None
    card.compute = [process(os.getpid(), 5 * MIB), process(os.getpid(), used)]
    assert vram_bytes(os.getpid()) is None
    card.compute, card.graphics = [process(os.getpid(), 5 * MIB)], [process(os.getpid(), used)]
    assert vram_bytes(os.getpid()) is None


@pytest.mark.parametrize("compute", [[], [process(2**22 + 7, MIB)], "NotSupported", "GpuIsLost"])
def test_a_process_that_no_card_shows_has_no_figure(use, compute):
    card = Card()
    nvml = use(card)
    card.compute = compute
    assert vram_bytes(os.getpid()) is None
    assert nvml.started == 0


def test_a_process_that_has_ended_is_still_looked_up(use):
    card = Card()
    use(card)
    gone = 2**22 + 7  # above the greatest process id of Linux
    card.compute = [process(gone, 3 * MIB)]
    assert vram_bytes(gone) == 3 * MIB
