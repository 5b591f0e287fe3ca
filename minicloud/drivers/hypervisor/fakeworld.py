"""What all simulated hosts of a cloud share: where their machines are kept, and the power to make guests misbehave."""

from typing import Any, Protocol

import msgspec

from minicloud.base.errors import NotFound
from minicloud.drivers.faults import FaultScript
from minicloud.drivers.hypervisor import Machine, PowerState
from minicloud.drivers.statelog import StateLog

TABLE = "machines"


class Host(Protocol):
    """A simulated host, as its world knows it."""

    host: str

    async def happen(self, machine_id: str, power: PowerState, event: str) -> bool:
        """A running machine changes by itself; False when there is none of this id here."""

    def lose_power(self) -> None:
        """Every machine here is off, and nobody is told."""

    def kept(self, machine_id: str) -> "Simulated | None":
        """A machine here."""

    def keep(self, simulated: "Simulated") -> None:
        """Remember a machine as it is now."""


class Simulated(msgspec.Struct, frozen=True, omit_defaults=True):
    """A simulated machine: its spec, its power, what happened to its guest lately, and how often it booted.

    ``awaited``: its guest is still elsewhere. ``sent``: its guest stands still, and is about to go on elsewhere.
    """

    machine: Machine
    power: PowerState
    boots: int = 1
    events: list[str] = []
    awaited: bool = False
    sent: bool = False


def simulated_of(row: Any) -> Simulated:
    """A row of the file."""
    return row if isinstance(row, Simulated) else msgspec.convert(row, Simulated)


class FakeWorld:
    """What all simulated hosts of one cloud share: the file with their machines, the script of faults, and power over guests."""

    def __init__(
        self, log: StateLog | None = None, faults: FaultScript | None = None, *, move_seconds: float = 0.0
    ) -> None:
        self.log = log if log is not None else StateLog()
        self.move_seconds = move_seconds
        """How long a guest's memory is on its way to another host."""
        self.faults = faults if faults is not None else FaultScript()
        self.deaf: set[str] = set()
        """Ids of machines whose guests do not listen to the power button: whoever asks politely waits in vain."""
        self.clinging: set[str] = set()
        """Ids of machines whose guests do not let go of a device: whoever detaches one waits in vain."""
        self._hosts: dict[str, Host] = {}

    def join(self, hypervisor: "Host") -> None:
        """Remember a host, so that what happens to its machines can be told to it; the newest of a name counts."""
        self._hosts[hypervisor.host] = hypervisor

    def leave(self, hypervisor: "Host") -> None:
        """Forget a host that was closed; its machines stay in the file."""
        if self._hosts.get(hypervisor.host) is hypervisor:
            del self._hosts[hypervisor.host]

    def open_host(self, host: str) -> Host | None:
        """An open host by name."""
        return self._hosts.get(host)

    async def crash(self, machine_id: str) -> None:
        """The machine's process dies. Raises NotFound when no open host runs it."""
        await self._happen(machine_id, PowerState.CRASHED, "crash")

    async def power_off(self, machine_id: str) -> None:
        """The guest powers itself off. Raises NotFound when no open host runs it."""
        await self._happen(machine_id, PowerState.SHUTDOWN, "poweroff")

    async def pause(self, machine_id: str) -> None:
        """The machine stops by itself, as when its disk is full. Raises NotFound when no open host runs it."""
        await self._happen(machine_id, PowerState.PAUSED, "")

    def power_loss(self, host: str) -> None:
        """The host loses power: all its machines are off, and nobody is told."""
        if host in self._hosts:
            self._hosts[host].lose_power()
            return
        for machine_id, row in self.log.rows(TABLE, host).items():
            known = simulated_of(row)
            if known.power in (PowerState.RUNNING, PowerState.PAUSED):
                off = Simulated(known.machine, PowerState.SHUTDOWN, known.boots, known.events)
                self.log.put(TABLE, host, machine_id, off)

    async def _happen(self, machine_id: str, power: PowerState, event: str) -> None:
        for hypervisor in list(self._hosts.values()):
            if await hypervisor.happen(machine_id, power, event):
                return
        raise NotFound(f"no simulated host runs a machine {machine_id}")
