"""The machine's own legs on external networks, so that floating addresses answer from a shell without further routes.

Two clouds side by side often wish for the same external range: whoever comes second goes without, and says so.
"""

from minicloud.base import trace
from minicloud.drivers.fabric import Network
from minicloud.drivers.fabric.linux.names import BRIDGE, HOST_LEG, host_side, network_namespace
from minicloud.drivers.fabric.linux.networks import collision, host_leg
from minicloud.drivers.fabric.linux.room import GONE, Link, Room
from minicloud.drivers.fabric.together import together


class HostLegs:
    """A veth per external network between its bridge and the machine (rootless: the holder)."""

    def __init__(self, room: Room, *, wished: bool) -> None:
        self._room = room
        self._wished = wished
        self._known: set[str] = set()

    async def ensure(self, network: Network) -> None:
        """The leg stands if it is wished and its range is free on the machine. Raises ToolFailed."""
        leg = host_leg(self._room.cloud_id, network) if self._wished else None
        if leg is None:
            if network.id in self._known:
                await self.ensure_none(network.id)
            return
        name, address = leg
        links: dict[str, Link] = {}
        routes: list[str] = []

        async def look_at_links() -> None:
            links.update(await self._room.links(None))

        async def look_at_routes() -> None:
            routes.extend(await self._room.routes(None))

        await together(look_at_links, look_at_routes)
        why = collision(address, name, links, routes)
        if why is not None:
            trace.note("host_leg", network=network.id, address=address, did="left out", why=why)
            if name in links:
                await self.ensure_none(network.id)
            return
        await self._build(network, name, address, links.get(name))
        self._known.add(network.id)

    async def ensure_none(self, network_id: str) -> None:
        """No leg on this network is left. Raises ToolFailed."""
        name = host_side(self._room.cloud_id, network_id)
        await self._room.ip_as_far_as_possible(None, [f"link delete dev {name}"], may_fail=GONE)
        self._known.discard(network_id)

    async def purge(self) -> None:
        """No leg of this cloud is left, known or not. Raises ToolFailed."""
        links = await self._room.links(None)
        ours = [link.name for link in links.values() if link.alias.startswith(f"minicloud/{self._room.cloud_id}/")]
        await self._room.ip(None, [f"link delete dev {name}" for name in ours])
        self._known.clear()

    async def _build(self, network: Network, name: str, address: str, there: Link | None) -> None:
        namespace = network_namespace(self._room.cloud_id, network.id)
        lines = []
        if there is None:
            lines.append(f"link add name {name} type veth peer name {HOST_LEG} netns {namespace}")
        alias = f"minicloud/{self._room.cloud_id}/{network.id}"
        if there is None or not there.up or there.mtu != network.mtu or there.alias != alias:
            lines.append(f"link set dev {name} mtu {network.mtu} addrgenmode none alias {alias} up")
        had = there.addresses if there else frozenset()
        lines += [f"address delete {a} dev {name}" for a in sorted(had) if a != address]
        lines += [f"address add {address} dev {name}"] if address not in had else []
        await self._room.ip(None, lines)
        if there is None:
            far = f"link set dev {HOST_LEG} mtu {network.mtu} master {BRIDGE} addrgenmode none up"
            await self._room.ip(namespace, [far])
            trace.note("host_leg", network=network.id, address=address, device=name, did="built")
