"""Moves of running guests between QEMU hosts: not there yet, and said so before anything is touched."""

from minicloud.base.errors import Conflict, NotOffered
from minicloud.drivers.hypervisor import Machine, MoveProgress
from minicloud.drivers.hypervisor.qemu.vm import Vm

WORDS = "QEMU hosts of this cloud cannot hand a running guest over to each other yet: migrate it while it is off"


class QemuMoves:
    """The part of the hypervisor promise that is about moves: what ``QemuHypervisor`` inherits."""

    _vms: dict[str, Vm]

    async def ensure_awaited(self, machine: Machine) -> str:
        raise NotOffered(WORDS)

    async def ensure_not_awaited(self, machine_id: str) -> None:
        if await self.arrived(machine_id):
            raise Conflict(f"the guest of machine {machine_id} is here")

    async def arrived(self, machine_id: str) -> bool:
        return machine_id in self._vms

    async def ensure_sent(self, machine_id: str, address: str) -> None:
        raise NotOffered(WORDS)

    async def ensure_switched(self, machine_id: str, address: str) -> None:
        raise NotOffered(WORDS)

    async def ensure_not_sent(self, machine_id: str) -> None:
        """Nothing is ever sent."""

    async def hurry(self, machine_id: str) -> None:
        raise Conflict(f"machine {machine_id} is not being sent anywhere")

    async def move_progress(self, machine_id: str) -> MoveProgress | None:
        return None
