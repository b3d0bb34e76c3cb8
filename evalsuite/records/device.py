"""The machine that measured."""

from __future__ import annotations

from typing import Literal

from evalsuite.records.base import Frozen, digest

__all__ = ["Device"]


class Device(Frozen):
    """The machine that measured, as read from it; never typed by hand."""

    cpu: str
    architecture: str
    cores_physical: int | None
    cores_logical: int
    ram_bytes: int
    os: str
    kernel: str
    governor: str | None
    """CPU frequency governor; none where the system does not tell."""
    accelerators: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    """CPU features that the engines' kernels use."""
    cache_l2_bytes: int | None = None
    """Of one cache that the first processor uses."""
    cache_l3_bytes: int | None = None
    power_mode: str | None = None
    """Name and id of a Jetson's mode; it caps clocks, and no watts."""
    platform_profile: str | None = None
    """Of the firmware (ACPI): `low-power`, `balanced`, `performance`."""
    energy_preference: str | None = None
    """What the processor is told to prefer (`energy_performance_preference`)."""
    container: str | None = None
    """Kind of container; none where nothing shows one."""
    virtual_machine: str | None = None
    """What the virtual machine says that it is; none where nothing shows one."""
    throttle_bits: str | None = None
    """What a Raspberry Pi's firmware said at the start (`0x50000`)."""
    supply: Literal["ac", "battery"] | None = None
    swap_bytes: int | None = None
    page_bytes: int | None = None
    huge_pages: str | None = None
    numa_nodes: int | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of what makes it this machine; kernel and governor may change without making it another."""
        # RAM is rounded: what the system reserves changes a little between boots.
        gib = round(self.ram_bytes / 2**30)
        return digest([self.cpu, self.architecture, self.cores_logical, gib, self.os, list(self.accelerators)])[:16]
