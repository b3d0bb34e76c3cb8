"""What is read of a machine, from copies of what Linux shows on different boards."""

from __future__ import annotations

import platform

import psutil

from evalsuite.meters.device import read_device

XEON = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Processor\nflags\t\t: fpu avx2 avx512f avx512_vnni fma f16c\n\n"
PI = "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd asimddp\n\nRevision\t: d04170\nModel\t\t: Raspberry Pi 5\n"


def place(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_server(tmp_path):
    place(tmp_path, proc__cpuinfo=XEON * 2)
    device = read_device(tmp_path)
    assert device.cpu == "Intel(R) Xeon(R) Processor"
    assert device.features == ("avx2", "avx512f", "avx512_vnni", "fma", "f16c")
    assert device.governor is None
    assert device.accelerators == ()


def test_a_board_is_named_by_its_model(tmp_path):
    place(tmp_path, proc__cpuinfo=PI)
    assert read_device(tmp_path).cpu == "Raspberry Pi 5"
    assert read_device(tmp_path).features == ("asimd", "asimddp")
    (tmp_path / "proc" / "device-tree").mkdir()
    (tmp_path / "proc" / "device-tree" / "model").write_text("Raspberry Pi 5 Model B Rev 1.0\0", encoding="utf-8")
    assert read_device(tmp_path).cpu == "Raspberry Pi 5 Model B Rev 1.0"


def test_governor_system_and_graphics_card_are_read(tmp_path):
    place(tmp_path, proc__cpuinfo=XEON)
    (tmp_path / "sys/devices/system/cpu/cpu0/cpufreq").mkdir(parents=True)
    (tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").write_text("powersave\n", encoding="utf-8")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('NAME="x"\nPRETTY_NAME="Debian GNU/Linux 12"\n', encoding="utf-8")
    (tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0").mkdir(parents=True)
    device = read_device(tmp_path)
    assert (device.governor, device.os) == ("powersave", "Debian GNU/Linux 12")
    assert device.accelerators == ("NVIDIA (0000:01:00.0)",)


def test_a_fingerprint_tells_machines_apart_and_not_kernels(tmp_path):
    place(tmp_path, proc__cpuinfo=XEON)
    device = read_device(tmp_path)
    assert device.fingerprint == read_device(tmp_path).fingerprint
    assert device.model_copy(update={"kernel": "9.9", "governor": "x"}).fingerprint == device.fingerprint
    assert device.model_copy(update={"cpu": "other"}).fingerprint != device.fingerprint
    assert device.model_copy(update={"ram_bytes": 2 * device.ram_bytes}).fingerprint != device.fingerprint


def test_this_machine():
    device = read_device()
    assert device.architecture == platform.machine()
    assert device.ram_bytes == psutil.virtual_memory().total
