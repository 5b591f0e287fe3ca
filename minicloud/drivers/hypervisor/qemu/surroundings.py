"""What one machine needs from the driver that keeps it."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from minicloud.drivers.hypervisor import HostCell, Machine, PowerState
from minicloud.drivers.hypervisor.qemu.command import Emulator


class Surroundings(Protocol):
    """What a machine needs from its driver."""

    async def emulator(self, machine: Machine) -> Emulator:
        """How to run it. Raises ToolMissing, Unavailable."""

    def cells(self) -> list[HostCell]:
        """The host's NUMA cells."""

    def watch(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        """Do this in the background, until the driver closes."""

    async def tell(self, machine_id: str, power: PowerState) -> None:
        """It changed by itself."""
