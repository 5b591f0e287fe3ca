"""Filters: what of anti-spoofing and security groups is loaded in each network's namespace, and the way to the next state."""

from collections.abc import Callable

from minicloud.base import trace
from minicloud.base.errors import ToolFailed
from minicloud.drivers.fabric import Network, Port
from minicloud.drivers.fabric.linux import guard, security
from minicloud.drivers.fabric.linux.room import Room
from minicloud.drivers.fabric.linux.security import Table
from minicloud.drivers.fabric.wishes import Wishes


class Filters:
    """Loads rule sets. Callers hold the network's lock.

    What was loaded is remembered for as long as this process lives; a network of which nothing is known gets all of it.
    """

    def __init__(self, room: Room, networks: Wishes[Network], ports: Wishes[Port]) -> None:
        self._room = room
        self._networks = networks
        self._ports = ports
        self._tables: dict[str, Table] = {}

    async def network(self, namespace: str, network: Network, *, fresh: bool) -> None:
        """The network's groups are as wished; wishing what is loaded already loads all of it again. Raises ToolFailed."""
        if fresh:
            self._tables.pop(network.id, None)
        known = self._tables.get(network.id)
        if known is not None and security.with_network(known, network) == known:
            self._tables.pop(network.id)
        await self._load(
            namespace, network.id, guard.base(network.id), lambda table: security.with_network(table, network)
        )

    async def port(self, namespace: str, port: Port, *, fresh: bool) -> None:
        """The port may send and get what it is wished to. Raises ToolFailed."""
        # A first load into the standing table takes 4 ms, replacing rules 16 (the kernel waits for their last readers).
        text = guard.allow(port) if fresh else guard.base(port.network_id) + guard.allow(port)
        await self._load(namespace, port.network_id, text, lambda table: security.with_port(table, port))

    async def no_port(self, namespace: str, port: Port) -> None:
        """Nothing of the port is left. Raises ToolFailed."""
        text = guard.base(port.network_id) + guard.forbid(port.id)
        await self._load(namespace, port.network_id, text, lambda table: security.without_port(table, port.id))

    def forget(self, network_id: str) -> None:
        """The network is gone."""
        self._tables.pop(network_id, None)

    def forget_all(self) -> None:
        """Whatever was loaded may be gone."""
        self._tables.clear()

    async def _load(self, namespace: str, network_id: str, text: str, step: Callable[[Table], Table]) -> None:
        # Until it is loaded nobody knows what stands: a cancelled or failed load is followed by a whole one.
        before = self._tables.pop(network_id, None)
        if before is not None:
            after = step(before)
            try:
                await self._room.nft(namespace, text + security.change(before, after))
            except ToolFailed as error:
                trace.note("filters", network=network_id, did="not changed: load all", why=error.message)
            else:
                self._tables[network_id] = after
                return
        after = step(self._wished(network_id))
        await self._room.nft(namespace, text + security.whole(after))
        self._tables[network_id] = after

    def _wished(self, network_id: str) -> Table:
        network = self._networks.get(network_id)
        table = Table() if network is None else security.with_network(Table(), network)
        for port in self._ports.all():
            if port.network_id == network_id:
                table = security.with_port(table, port)
        return table
