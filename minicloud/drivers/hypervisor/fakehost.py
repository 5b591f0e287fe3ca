"""The machines of one simulated host: in memory, and first in the file that survives the process."""

from minicloud.base.errors import NotFound
from minicloud.drivers.hypervisor.fakeworld import TABLE, FakeWorld, Simulated, simulated_of


class FakeHost:
    """What is kept of a host of a ``FakeWorld``."""

    def __init__(self, world: FakeWorld, host: str) -> None:
        self.host = host
        self._world = world
        self._machines: dict[str, Simulated] = {}

    def load(self) -> None:
        """Remember what the file holds of this host."""
        rows = self._world.log.rows(TABLE, self.host)
        self._machines = {machine_id: simulated_of(row) for machine_id, row in rows.items()}

    def kept(self, machine_id: str) -> Simulated | None:
        """A machine here."""
        return self._machines.get(machine_id)

    def known(self, machine_id: str) -> Simulated:
        """A machine here. Raises NotFound."""
        found = self._machines.get(machine_id)
        if found is None:
            raise NotFound(f"host {self.host} has no machine {machine_id}")
        return found

    def keep(self, simulated: Simulated) -> None:
        """Remember a machine as it is now."""
        # The file first: what memory shows must never be lost by a SIGKILL.
        self._world.log.put(TABLE, self.host, simulated.machine.id, simulated)
        self._machines[simulated.machine.id] = simulated

    def drop(self, machine_id: str) -> None:
        """Forget a machine."""
        self._world.log.drop(TABLE, self.host, machine_id)
        self._machines.pop(machine_id, None)
