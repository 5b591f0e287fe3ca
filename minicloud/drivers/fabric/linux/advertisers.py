"""The advertiser of each router that has IPv6 neighbours: how they learn of their router and make their addresses."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path

import msgspec

from minicloud.drivers.fabric import Router
from minicloud.drivers.fabric.background import Background
from minicloud.drivers.fabric.linux import advertise
from minicloud.drivers.fabric.linux.daemons import Daemons, Kind
from minicloud.drivers.fabric.linux.holder import PYTHON
from minicloud.drivers.fabric.linux.names import ROUTER_SIDE, device, router_namespace
from minicloud.drivers.fabric.linux.room import Room

_ADVERTISE = str(Path(advertise.__file__).resolve())


def _argv(folder: Path) -> list[str]:
    return [*PYTHON, _ADVERTISE, str(folder / "told.json")]


ADVERTISER = Kind(
    name="advertiser",
    serves="router",
    argv=_argv,
    main="program",
    ready=b"advertising",
    rights=["net_raw"],
    namespace=router_namespace,
)


class Advertisers:
    """All advertisers of a cloud."""

    def __init__(self, room: Room, folder: Path, background: Background) -> None:
        self._daemons = Daemons(ADVERTISER, room, folder, background)
        self.adopt = self._daemons.adopt
        self.ensure_none = self._daemons.ensure_none
        self.known = self._daemons.known

    async def ensure(self, router: Router, mtus: Mapping[str, int]) -> None:
        """Neighbours hear of the router's prefixes, if it has any to tell of; ``mtus`` by network. Raises ToolFailed."""
        told = told_by(router, mtus)
        if not told:
            await self.ensure_none(router.id)
            return
        files = {"program": _ADVERTISE, "told.json": msgspec.json.encode(told).decode()}
        await self._daemons.ensure(router.id, files, anew=False)


def told_by(router: Router, mtus: Mapping[str, int]) -> dict[str, advertise.Told]:
    """What the router tells on each of its devices. Pure."""
    told: dict[str, advertise.Told] = {}
    for port in router.interfaces:
        modes = {advert.mode for advert in port.adverts}
        if modes:
            told[device(ROUTER_SIDE, port.id)] = advertise.Told(
                mtu=mtus[port.network_id],
                managed="dhcpv6-stateful" in modes,
                other=bool(modes & {"dhcpv6-stateful", "dhcpv6-stateless"}),
                prefixes=[(str(ipaddress.ip_network(a.cidr)), a.mode != "dhcpv6-stateful") for a in port.adverts],
                dns=[server for advert in port.adverts if advert.mode == "slaac" for server in advert.dns_servers],
            )
    return told
