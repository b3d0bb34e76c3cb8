"""Reads what machine this is and how it is set up: processor, memory, system, modes, container, virtual machine."""

from __future__ import annotations

import mmap
import os
import platform
import re
from pathlib import Path
from typing import Literal

from evalsuite.machine import read_text
from evalsuite.meters.source import CommandRunner, MeterError, run_command
from evalsuite.records import Device

__all__ = ["power_supply", "read_device"]

_FEATURES = (
    "avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16", "fma", "f16c",
    "asimd", "asimddp", "i8mm", "sve", "sve2", "bf16",
)  # fmt: skip
"""Processor features that llama.cpp has kernels for, as Linux names them."""

_CONTAINERS = {
    "libpod": "podman",
    "docker": "docker",
    "kubepods": "kubernetes",
    "containerd": "containerd",
    "lxc": "lxc",
}
"""Word in the path of a cgroup → kind of container."""

_VIRTUAL = re.compile(
    r"\b(QEMU|KVM|VMware|VirtualBox|Xen|HVM domU|Bochs|BHYVE|Parallels|Google Compute Engine|Amazon EC2|OpenStack|"
    r"Virtual Machine|Firecracker)\b",
    re.IGNORECASE,
)
"""Names that hypervisors give to the machine they show; ARM has no processor flag that would tell."""


def read_device(root: Path = Path("/"), *, run: CommandRunner = run_command) -> Device:
    """Return the device that this runs on; what it does not show is none.

    Args:
        root: Where /proc and /sys are; tests point it at a copy.
        run: Runs `nvpmodel` (Jetson) and `vcgencmd` (Raspberry Pi).
    """
    import psutil

    info = _cpuinfo(root / "proc/cpuinfo")
    flags = set((info.get("flags") or info.get("Features") or "").split())
    cpu0 = root / "sys/devices/system/cpu/cpu0"
    supply, _ = power_supply(root)
    return Device(
        cpu=_cpu_name(info, root),
        architecture=platform.machine(),
        cores_physical=psutil.cpu_count(logical=False),
        cores_logical=os.cpu_count() or 1,
        ram_bytes=psutil.virtual_memory().total,
        os=_os_name(root),
        kernel=platform.release(),
        governor=read_text(cpu0 / "cpufreq/scaling_governor"),
        accelerators=_accelerators(root),
        features=tuple(f for f in _FEATURES if f in flags),
        cache_l2_bytes=_cache(cpu0, 2),
        cache_l3_bytes=_cache(cpu0, 3),
        power_mode=_power_mode(run),
        platform_profile=read_text(root / "sys/firmware/acpi/platform_profile"),
        energy_preference=read_text(cpu0 / "cpufreq/energy_performance_preference"),
        container=_container(root),
        virtual_machine=_virtual_machine(root, hypervisor_flag="hypervisor" in flags),
        throttle_bits=_throttle_bits(run),
        supply=supply,
        swap_bytes=_swap(root),
        page_bytes=mmap.PAGESIZE,
        huge_pages=_huge_pages(root),
        numa_nodes=len(list(root.glob("sys/devices/system/node/node[0-9]*"))) or None,
    )


def power_supply(root: Path) -> tuple[Literal["ac", "battery"] | None, str | None]:
    """Return what the machine runs on, and the status of its battery; none where it does not tell.

    Args:
        root: Where /sys is.
    """
    online: list[bool] = []
    statuses: list[str] = []
    for folder in sorted(root.glob("sys/class/power_supply/*")):
        kind = read_text(folder / "type") or ""
        # Batteries of a mouse or a pen do not feed the machine.
        if kind == "Battery" and read_text(folder / "scope") != "Device":
            statuses.append(read_text(folder / "status") or "Unknown")
        elif kind in {"Mains", "Wireless"} or kind.startswith("USB"):
            told = read_text(folder / "online")
            online += [told != "0"] if told else []
    status = "Discharging" if "Discharging" in statuses else next(iter(statuses), None)
    if any(online):
        return "ac", status
    # A desktop's USB sockets are power supplies too, offline ones; without a battery they say nothing.
    if status == "Discharging" or (online and statuses):
        return "battery", status
    return ("ac" if status in {"Charging", "Full", "Not charging"} else None), status


def _cpuinfo(path: Path) -> dict[str, str]:
    """Return the fields of the first processor, and those that stand after the last (board model on ARM)."""
    fields: dict[str, str] = {}
    for line in (read_text(path) or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    return fields


def _cpu_name(info: dict[str, str], root: Path) -> str:
    board = (read_text(root / "proc/device-tree/model") or "").rstrip("\0")
    return board or info.get("model name") or info.get("Model") or platform.processor() or "unknown processor"


def _os_name(root: Path) -> str:
    for line in (read_text(root / "etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()


def _accelerators(root: Path) -> tuple[str, ...]:
    """Return accelerators that the system shows without a vendor's library."""
    found = [f"NVIDIA ({p.name})" for p in sorted((root / "proc/driver/nvidia/gpus").glob("*"))]
    found += [p.name for p in sorted((root / "dev").glob("nvhost-gpu")) + sorted((root / "dev").glob("accel[0-9]*"))]
    return tuple(found)


def _cache(cpu: Path, level: int) -> int | None:
    """Return the size of one cache that this processor uses, in bytes; others may share it."""
    for folder in sorted(cpu.glob("cache/index[0-9]*")):
        size = re.fullmatch(r"(\d+)([KM]?)", read_text(folder / "size") or "")
        if size and read_text(folder / "level") == str(level):
            return int(size[1]) * {"": 1, "K": 2**10, "M": 2**20}[size[2]]
    return None


def _power_mode(run: CommandRunner) -> str | None:
    """Return name and id of a Jetson's power mode; the same name has other ids on other boards."""
    found = re.search(r"NV Power Mode:[ \t]*(\S+)\s+(\d+)\s*$", _told(run, "nvpmodel", "-q"))
    return f"{found[1]} ({found[2]})" if found else None


def _throttle_bits(run: CommandRunner) -> str | None:
    found = re.search(r"throttled=(0x[0-9a-fA-F]+)", _told(run, "vcgencmd", "get_throttled"))
    return found[1] if found else None


def _container(root: Path) -> str | None:
    """Return the kind of container; what a runtime says of itself goes before what it leaves behind."""
    for variable in (read_text(root / "proc/1/environ") or "").split("\0"):
        name, _, value = variable.partition("=")
        if name == "container" and value:
            return value
    if (told := read_text(root / "run/systemd/container")) is not None and told:
        return told
    for mark, kind in (("run/.containerenv", "podman"), (".dockerenv", "docker")):
        if _exists(root / mark):
            return kind
    cgroup = read_text(root / "proc/1/cgroup") or ""
    return next((kind for word, kind in _CONTAINERS.items() if re.search(rf"[/-]{word}\b", cgroup)), None)


def _virtual_machine(root: Path, *, hypervisor_flag: bool) -> str | None:
    """Return what a virtual machine says that it is; none for what looks like a machine of its own."""
    parts = [read_text(root / "sys/class/dmi/id" / name) or "" for name in ("sys_vendor", "product_name")]
    shown = " ".join(filter(None, parts))
    # Amazon's bare machines (m5.metal) bear the same vendor as its virtual ones.
    if shown and not shown.endswith(".metal") and (hypervisor_flag or _VIRTUAL.search(shown)):
        return shown
    told = read_text(root / "sys/hypervisor/type") or read_text(root / "proc/device-tree/hypervisor/compatible")
    return (told or "").rstrip("\0") or ("unknown hypervisor" if hypervisor_flag else None)


def _swap(root: Path) -> int | None:
    found = re.search(r"^SwapTotal:\s+(\d+) kB$", read_text(root / "proc/meminfo") or "", re.MULTILINE)
    return int(found[1]) * 2**10 if found else None


def _huge_pages(root: Path) -> str | None:
    """Return how transparent huge pages are set, and how many others are reserved."""
    chosen = re.search(r"\[(\w+)\]", read_text(root / "sys/kernel/mm/transparent_hugepage/enabled") or "")
    memory = read_text(root / "proc/meminfo") or ""
    count = re.search(r"^HugePages_Total:\s+(\d+)$", memory, re.MULTILINE)
    size = re.search(r"^Hugepagesize:\s+(\d+) kB$", memory, re.MULTILINE)
    parts = [f"transparent: {chosen[1]}"] if chosen else []
    parts += [f"reserved: {count[1]} of {size[1]} KiB"] if count and size else []
    return "; ".join(parts) or None


def _told(run: CommandRunner, *command: str) -> str:
    try:
        return run(command)
    except MeterError:
        return ""


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
