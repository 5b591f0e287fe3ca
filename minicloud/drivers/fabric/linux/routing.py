"""Builds routers: a namespace each, with ends on networks, translation, a door to metadata, and an advertiser."""

from collections.abc import Mapping
from functools import partial

from minicloud.drivers.fabric import Router
from minicloud.drivers.fabric.checks import router_ports
from minicloud.drivers.fabric.linux import routers, translation
from minicloud.drivers.fabric.linux.advertisers import Advertisers
from minicloud.drivers.fabric.linux.doors import Doors
from minicloud.drivers.fabric.linux.names import network_namespace, router_namespace
from minicloud.drivers.fabric.linux.room import Room
from minicloud.drivers.fabric.together import together

ROUTING = {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}
"""What makes a namespace pass packets on."""


class Routing:
    """Routers of a cloud. Callers hold the router's lock."""

    def __init__(self, room: Room, advertisers: Advertisers) -> None:
        self._room = room
        self.advertisers = advertisers

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
        await doors.ensure(
            namespace,
            {"write": ROUTING, "announce": routers.announcements(router, links)},
            anew=fresh,
            router_id=router.id,
        )
        await self.advertisers.ensure(router, mtus)
