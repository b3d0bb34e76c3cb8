"""Reads what machine this is: processor, memory, system, governor, accelerators."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from evalsuite.records import Device

__all__ = ["read_device"]

_FEATURES = (
    "avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16", "fma", "f16c",
    "asimd", "asimddp", "i8mm", "sve", "sve2", "bf16",
)  # fmt: skip
"""Processor features that llama.cpp has kernels for, as Linux names them."""


def read_device(root: Path = Path("/")) -> Device:
    """Return the device that this runs on.

    Args:
        root: Where /proc and /sys are; tests point it at a copy.
    """
    import psutil

    info = _cpuinfo(root / "proc/cpuinfo")
    flags = set((info.get("flags") or info.get("Features") or "").split())
    return Device(
        cpu=_cpu_name(info, root),
        architecture=platform.machine(),
        cores_physical=psutil.cpu_count(logical=False),
        cores_logical=os.cpu_count() or 1,
        ram_bytes=psutil.virtual_memory().total,
        os=_os_name(root),
        kernel=platform.release(),
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        accelerators=_accelerators(root),
        features=tuple(f for f in _FEATURES if f in flags),
    )


def _cpuinfo(path: Path) -> dict[str, str]:
    """Return the fields of the first processor, and those that stand after the last (board model on ARM)."""
    fields: dict[str, str] = {}
    for line in (_text(path) or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    return fields


def _cpu_name(info: dict[str, str], root: Path) -> str:
    board = (_text(root / "proc/device-tree/model") or "").rstrip("\0")
    return board or info.get("model name") or info.get("Model") or platform.processor() or "unknown processor"


def _os_name(root: Path) -> str:
    for line in (_text(root / "etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()


def _accelerators(root: Path) -> tuple[str, ...]:
    """Return accelerators that the system shows without a vendor's library."""
    found = [f"NVIDIA ({p.name})" for p in sorted((root / "proc/driver/nvidia/gpus").glob("*"))]
    found += [p.name for p in sorted((root / "dev").glob("nvhost-gpu")) + sorted((root / "dev").glob("accel[0-9]*"))]
    return tuple(found)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
