"""Ports: a tap on a bridge each, guarded, filtered and shaped."""

from collections.abc import Callable
from functools import partial

from minicloud.drivers.fabric import Network, Port, TapPlug
from minicloud.drivers.fabric.linux import shaping
from minicloud.drivers.fabric.linux.filters import Filters
from minicloud.drivers.fabric.linux.hand import Tap
from minicloud.drivers.fabric.linux.names import BRIDGE, DETOUR, TAP, device
from minicloud.drivers.fabric.linux.room import GONE, Room
from minicloud.drivers.fabric.linux.shapes import Shapes
from minicloud.drivers.fabric.together import together
from minicloud.drivers.fabric.wishes import Wishes


class Wires:
    """The ports of a fabric; ``home`` tells the namespace of a network's bridge. Callers hold the network's lock."""

    def __init__(self, room: Room, networks: Wishes[Network], ports: Wishes[Port], home: Callable[[str], str]) -> None:
        self._room = room
        self._ports = ports
        self._home = home
        self.filters = Filters(room, networks, ports)
        self._shapes = Shapes(room)

    async def ensure(self, port: Port) -> TapPlug:
        """The port is wired to its bridge, which stands. Raises ToolFailed."""
        namespace, before = self._home(port.network_id), self._ports.get(port.id)
        self._ports.put(port)
        tap = device(TAP, port.id)
        # Both at once: a tap without rules of its own lets nothing in.
        await together(
            partial(self.filters.port, namespace, port, fresh=before is None),
            partial(
                self._room.tap,
                namespace,
                Tap(name=tap, bridge=BRIDGE, mtu=port.mtu, alias=port.id, up=port.up, queues=port.queues),
            ),
        )
        await self._shapes.ensure(namespace, port.id, shaping.at_tap(port.id, port.quality), fresh=before is None)
        return TapPlug(
            namespace=self._room.path(namespace), name=tap, enter_pid=self._room.holder_pid, queues=port.queues
        )

    async def ensure_none(self, port: Port) -> None:
        """Nothing of the port is left. Raises ToolFailed."""
        namespace = self._home(port.network_id)
        if self._room.stands(namespace):
            lines = [f"link delete dev {device(first, port.id)}" for first in (TAP, DETOUR)]
            await self._room.ip_as_far_as_possible(namespace, lines, may_fail=GONE)
            await self.filters.no_port(namespace, port)
        self._ports.drop(port.id)
        self._shapes.forget(port.id)

    def down(self, network_id: str) -> set[str]:
        """The taps on a network that shall carry nothing."""
        return {device(TAP, port.id) for port in self.on(network_id) if not port.up}

    def on(self, network_id: str) -> list[Port]:
        """The ports on a network."""
        return [port for port in self._ports.all() if port.network_id == network_id]

    async def standing(self, namespace: str) -> list[str]:
        """Ids of the ports whose taps stand in a namespace. Raises ToolFailed."""
        links = await self._room.links(namespace)
        return [link.alias for link in links.values() if link.name.startswith(TAP) and link.alias]
