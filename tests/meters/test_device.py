"""What is read of a machine, from copies of what Linux shows on different boards."""

from __future__ import annotations

import hashlib
import json
import mmap
import platform
from pathlib import Path

import psutil
import pytest

from evalsuite.meters.device import power_supply, read_device
from evalsuite.meters.source import MeterError
from evalsuite.records import Device

XEON = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Processor\nflags\t\t: fpu avx2 avx512f avx512_vnni fma f16c\n\n"
PI = "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd asimddp\n\nRevision\t: d04170\nModel\t\t: Raspberry Pi 5\n"


def place(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


VIRTUAL = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 hypervisor lahf_lm\n"
CPU0 = "sys/devices/system/cpu/cpu0"
SUPPLY = "sys/class/power_supply"
MEMINFO = (
    "MemTotal:       24684096 kB\nSwapCached:            8 kB\nSwapTotal:       2097148 kB\nHugePages_Total:       4\n"
    "HugePages_Free:        0\nHugepagesize:       2048 kB\n"
)


def put(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def answering(**told):
    """Return a runner that knows some commands, and fails on all others."""

    def run(command):
        if command[0] not in told:
            raise MeterError(f"the command {command[0]} is not installed")
        return told[command[0]]

    return run


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


def test_a_bare_tree_shows_nothing_and_raises_nothing(tmp_path):
    device = read_device(tmp_path, run=answering())
    shown = device.model_dump(include={
        "cache_l2_bytes", "cache_l3_bytes", "power_mode", "platform_profile", "energy_preference", "container",
        "virtual_machine", "throttle_bits", "supply", "swap_bytes", "huge_pages", "numa_nodes",
    })  # fmt: skip
    assert len(shown) == 12
    assert set(shown.values()) == {None}
    assert device.page_bytes == mmap.PAGESIZE


def test_caches_are_told_by_their_level(tmp_path):
    levels = [(1, "Data", "48K"), (1, "Instruction", "32K"), (2, "Unified", "2048K"), (3, "Unified", "260M")]
    for i, (level, kind, size) in enumerate(levels):
        folder = f"{CPU0}/cache/index{i}"
        put(tmp_path, {f"{folder}/level": f"{level}\n", f"{folder}/type": f"{kind}\n", f"{folder}/size": f"{size}\n"})
    device = read_device(tmp_path, run=answering())
    assert device.cache_l2_bytes == 2 * 2**20
    assert device.cache_l3_bytes == 260 * 2**20


def test_a_cache_without_a_size_is_unknown(tmp_path):
    put(tmp_path, {f"{CPU0}/cache/index2/level": "2\n", f"{CPU0}/cache/index2/size": "\n"})
    assert read_device(tmp_path, run=answering()).cache_l2_bytes is None


@pytest.mark.parametrize(
    ("printed", "mode"),
    [
        ("NV Power Mode: 15W\n0\n", "15W (0)"),
        ("NVPM WARN: fan mode is not set!\nNV Power Mode: MAXN_SUPER\n2\n", "MAXN_SUPER (2)"),
        ("NVPM ERROR: Error opening /var/lib/nvpmodel/status: 13\n", None),
        ("", None),
    ],
)
def test_the_power_mode_of_a_jetson(tmp_path, printed, mode):
    commands = []

    def run(command):
        commands.append(list(command))
        return printed

    assert read_device(tmp_path, run=run).power_mode == mode
    assert ["nvpmodel", "-q"] in commands


@pytest.mark.parametrize(
    ("printed", "bits"), [("throttled=0x50000\n", "0x50000"), ("throttled=0x0\n", "0x0"), ("VCHI failed\n", None)]
)
def test_the_throttle_bits_of_a_raspberry_pi(tmp_path, printed, bits):
    assert read_device(tmp_path, run=answering(vcgencmd=printed)).throttle_bits == bits


def test_profile_preference_memory_and_nodes(tmp_path):
    put(tmp_path, {
        "sys/firmware/acpi/platform_profile": "balanced\n",
        f"{CPU0}/cpufreq/energy_performance_preference": "balance_power\n",
        "proc/meminfo": MEMINFO,
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
        "sys/devices/system/node/node0/cpulist": "0-3\n",
        "sys/devices/system/node/node1/cpulist": "4-7\n",
        "sys/devices/system/node/online": "0-1\n",
    })  # fmt: skip
    device = read_device(tmp_path, run=answering())
    assert (device.platform_profile, device.energy_preference) == ("balanced", "balance_power")
    assert device.swap_bytes == 2097148 * 1024
    assert device.huge_pages == "transparent: madvise; reserved: 4 of 2048 KiB"
    assert device.numa_nodes == 2


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": ""}, "podman"),
        ({"run/.containerenv": "", ".dockerenv": ""}, "podman"),
        ({"proc/1/environ": "PATH=/bin\0container=lxc\0TERM=linux\0"}, "lxc"),
        ({"proc/1/environ": "container=systemd-nspawn\0", ".dockerenv": ""}, "systemd-nspawn"),
        ({"proc/1/environ": "container_name=web\0mycontainer=x\0"}, None),
        ({"run/systemd/container": "lxc\n"}, "lxc"),
        ({"proc/1/cgroup": "9:name=systemd:/docker/0123456789ab\n1:cpu:/docker/0123456789ab\n"}, "docker"),
        ({"proc/1/cgroup": "0::/system.slice/docker-0123456789ab.scope\n"}, "docker"),
        ({"proc/1/cgroup": "0::/machine.slice/libpod-0123456789ab.scope/container\n"}, "podman"),
        ({"proc/1/cgroup": "0::/lxc.payload.web/init.scope\n"}, "lxc"),
        ({"proc/1/cgroup": "11:cpu:/kubepods/besteffort/pod1/0123456789ab\n"}, "kubernetes"),
        ({"proc/1/cgroup": "0::/init.scope\n"}, None),
        ({"proc/1/cgroup": "0::/\n", "proc/1/environ": "HOME=/\0"}, None),
    ],
)
def test_containers(tmp_path, files, kind):
    put(tmp_path, files)
    assert read_device(tmp_path, run=answering()).container == kind


def dmi(vendor, product):
    return {"sys/class/dmi/id/sys_vendor": f"{vendor}\n", "sys/class/dmi/id/product_name": f"{product}\n"}


@pytest.mark.parametrize(
    ("cpuinfo", "files", "told"),
    [
        (XEON, {}, None),
        (XEON, dmi("Dell Inc.", "XPS 13 7390"), None),
        (XEON, dmi("Amazon EC2", "m5.metal"), None),
        (XEON, dmi("Microsoft Corporation", "Surface Laptop"), None),
        (VIRTUAL, {}, "unknown hypervisor"),
        (VIRTUAL, dmi("Acme", "Cloud 9"), "Acme Cloud 9"),
        (VIRTUAL, dmi("Amazon EC2", "t3.small"), "Amazon EC2 t3.small"),
        (VIRTUAL, {"sys/hypervisor/type": "xen\n"}, "xen"),
        (PI, dmi("QEMU", "KVM Virtual Machine"), "QEMU KVM Virtual Machine"),
        (PI, {"proc/device-tree/hypervisor/compatible": "linux,kvm\0"}, "linux,kvm"),
        (PI, {}, None),
    ],
)
def test_virtual_machines(tmp_path, cpuinfo, files, told):
    put(tmp_path, {"proc/cpuinfo": cpuinfo, **files})
    assert read_device(tmp_path, run=answering()).virtual_machine == told


def supply(name, kind, **files):
    return {f"{SUPPLY}/{name}/{file}": f"{text}\n" for file, text in {"type": kind, **files}.items()}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, (None, None)),
        (supply("AC", "Mains", online=1), ("ac", None)),
        ({**supply("AC", "Mains", online=0), **supply("BAT0", "Battery", status="Discharging")}, ("battery", "Discharging")),
        ({**supply("AC", "Mains", online=1), **supply("BAT0", "Battery", status="Charging")}, ("ac", "Charging")),
        # A charger that is too weak: the machine is plugged in, and its battery empties.
        ({**supply("AC", "Mains", online=1), **supply("BAT0", "Battery", status="Discharging")}, ("ac", "Discharging")),
        (
            {**supply("ADP", "Mains", online=0), **supply("usb", "USB_C", online=1), **supply("BAT0", "Battery", status="Full")},
            ("ac", "Full"),
        ),
        (supply("BAT0", "Battery", status="Discharging"), ("battery", "Discharging")),
        (supply("BAT0", "Battery", status="Not charging"), ("ac", "Not charging")),
        (supply("BAT0", "Battery", status="Unknown"), (None, "Unknown")),
        ({**supply("AC", "Mains", online=0), **supply("BAT0", "Battery")}, ("battery", "Unknown")),
        (
            {**supply("BAT0", "Battery", status="Not charging"), **supply("BAT1", "Battery", status="Discharging")},
            ("battery", "Discharging"),
        ),
        # A desktop: sockets that could feed it, and the battery of a mouse.
        (
            {**supply("ucsi", "USB", online=0), **supply("hid", "Battery", scope="Device", status="Discharging")},
            (None, None),
        ),
    ],
)  # fmt: skip
def test_what_feeds_the_machine(tmp_path, files, expected):
    put(tmp_path, files)
    assert power_supply(tmp_path) == expected
    assert read_device(tmp_path, run=answering()).supply == expected[0]


def test_what_may_not_be_read_is_missing(tmp_path, monkeypatch):
    put(tmp_path, {"proc/1/environ": "container=lxc\0", "proc/1/cgroup": "0::/docker/1\n", "proc/meminfo": MEMINFO})
    read_text = Path.read_text

    def refuse(path, *args, **kwargs):
        if path.name in {"environ", "meminfo"}:
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    device = read_device(tmp_path, run=answering())
    assert (device.container, device.swap_bytes, device.huge_pages) == ("docker", None, None)


OLD = {
    "cpu": "Example CPU", "architecture": "x86_64", "cores_physical": 2, "cores_logical": 4, "ram_bytes": 16 * 2**30,
    "os": "Debian GNU/Linux 12", "kernel": "6.1.0", "governor": None, "accelerators": ["NVIDIA (0000:01:00.0)"],
    "features": ["avx2"],
}  # fmt: skip


def test_the_device_of_an_older_run_folder_can_be_read_and_keeps_its_fingerprint():
    text = json.dumps(
        ["Example CPU", "x86_64", 4, 16, "Debian GNU/Linux 12", ["NVIDIA (0000:01:00.0)"]], separators=(",", ":")
    )
    device = Device.model_validate(OLD)
    assert device.fingerprint == hashlib.sha256(text.encode()).hexdigest()[:16]
    assert device.cache_l2_bytes is None and device.container is None


def test_how_a_machine_is_set_up_does_not_make_it_another():
    changed = {
        "cache_l2_bytes": 1, "cache_l3_bytes": 1, "power_mode": "15W (0)", "platform_profile": "balanced",
        "energy_preference": "power", "container": "docker", "virtual_machine": "QEMU", "throttle_bits": "0x50000",
        "supply": "battery", "swap_bytes": 1, "page_bytes": 16384, "huge_pages": "x", "numa_nodes": 2,
    }  # fmt: skip
    assert OLD.keys() | changed.keys() == Device.model_fields.keys()
    device = Device.model_validate({**OLD, **changed})
    assert device.fingerprint == Device.model_validate(OLD).fingerprint
    assert Device.model_validate_json(device.model_dump_json()) == device


def test_this_machine():
    device = read_device()
    assert device.architecture == platform.machine()
    assert device.ram_bytes == psutil.virtual_memory().total
