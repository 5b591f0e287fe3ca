"""Builds routers: a namespace each, with ends on networks, translation, limits, a door to metadata, and an advertiser."""

from collections.abc import Mapping
from functools import partial

from minicloud.drivers.fabric import Router
from minicloud.drivers.fabric.checks import router_ports
from minicloud.drivers.fabric.linux import routers, shaping, translation
from minicloud.drivers.fabric.linux.advertisers import Advertisers
from minicloud.drivers.fabric.linux.doors import Doors
from minicloud.drivers.fabric.linux.names import DETOUR, device, network_namespace, router_namespace
from minicloud.drivers.fabric.linux.room import Link, Room
from minicloud.drivers.fabric.linux.shapes import Shapes
from minicloud.drivers.fabric.together import together

ROUTING = {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}
"""What makes a namespace pass packets on."""


class Routing:
    """Routers of a cloud. Callers hold the router's lock."""

    def __init__(self, room: Room, advertisers: Advertisers) -> None:
        self._room = room
        self.advertisers = advertisers
        self._shapes = Shapes(room)

    async def ensure(self, router: Router, mtus: Mapping[str, int], doors: Doors) -> None:
        """The router stands; ``mtus`` are those of its networks, which stand. Raises ToolFailed, Failed."""
        namespace = router_namespace(self._room.cloud_id, router.id)
        fresh = await self._room.ensure_namespace(namespace)
        links = {} if fresh else await self._room.links(namespace)
        routes = [] if fresh else await self._room.routes(namespace)
        homes = {network_id: network_namespace(self._room.cloud_id, network_id) for network_id in mtus}
        await together(
            partial(self._room.nft, namespace, translation.rules(router)),
            partial(self._room.ip, namespace, routers.wish(router, links, routes, homes, mtus)),
        )
        ends = [(homes[port.network_id], routers.far_end(port, mtus[port.network_id])) for port in router_ports(router)]
        await together(*(partial(self._room.ip, home, lines) for home, lines in ends))
        await self._limit(namespace, router, links, fresh=fresh)
        await doors.ensure(
            namespace,
            {"write": ROUTING, "announce": routers.announcements(router, links)},
            anew=fresh,
            router_id=router.id,
        )
        await self.advertisers.ensure(router, mtus)

    async def ensure_none(self, router_id: str) -> None:
        """Nobody speaks for the router any more, whose namespace is about to go."""
        await self.advertisers.ensure_none(router_id)
        self._shapes.forget(router_id)

    async def _limit(self, namespace: str, router: Router, links: Mapping[str, Link], *, fresh: bool) -> None:
        gateway = router.gateway
        own = "" if gateway is None else device(DETOUR, gateway.id)
        # A gateway's queues go with its device; what it lets come in by is a device of its own.
        gone = [name for name in links if name.startswith(DETOUR) and name != own]
        await self._room.ip(namespace, [f"link delete dev {name}" for name in gone])
        if gateway is None:
            self._shapes.forget(router.id)
        else:
            plan = shaping.at_gateway(routers.side(router, gateway), gateway.id, router.limits)
            await self._shapes.ensure(namespace, router.id, plan, fresh=fresh)
