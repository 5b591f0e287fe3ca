"""What the records wish for on a host at one moment, as the structs that hosts are sent."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from minicloud.agent import calls
from minicloud.base.errors import CloudError, NotFound
from minicloud.conductor.network import cards
from minicloud.core.compute import hosts
from minicloud.core.network import router_wishes, wishes
from minicloud.engines.database import Transaction

T = TypeVar("T")


class Wanted(msgspec.Struct, frozen=True):
    """Networks by id, the routers that each needs, and what could not be read."""

    networks: dict[str, calls.Network]
    routers: dict[str, list[calls.Router]]
    missing: dict[str, CloudError]


class Current(msgspec.Struct, frozen=True):
    """What a host that was told of these things shall have of them now; what is no more stands in ``gone_...``."""

    networks: dict[str, calls.Network]
    routers: dict[str, calls.Router]
    ports: dict[str, calls.Port]
    gone_networks: list[str]
    gone_routers: list[str]


def spec(wish: msgspec.Struct, kind: type[T]) -> T:
    """A wish as the struct of the same shape that hosts are sent."""
    return msgspec.convert(wish, kind, from_attributes=True)


def agents_at(tx: Transaction, host: str, *, shared: bool) -> list[str]:
    """The hosts whose agents serve networks and routers for a host; ``shared``: hosts have their networks together."""
    return list(dict.fromkeys([host, *(node.host for node in hosts.nodes(tx))])) if shared else [host]


def for_networks(tx: Transaction, networks: Iterable[str], host: str, *, shared: bool) -> Wanted:
    """Networks, the routers on them, and the other networks of those routers. ``shared``: with the leases of all hosts."""
    agents, leases_of = agents_at(tx, host, shared=shared), None if shared else host
    wanted = Wanted({}, {}, {})
    for network_id in sorted(networks):
        try:
            wanted.networks[network_id] = spec(wishes.network_wish(tx, network_id, leases_of, agents), calls.Network)
        except NotFound as error:
            wanted.missing[network_id] = error
            continue
        routers = router_wishes.routers_of_network(tx, network_id, agents)
        for other in dict.fromkeys(other for router in routers for other in router.network_ids):
            if other not in wanted.networks:
                wanted.networks[other] = spec(wishes.network_wish(tx, other, leases_of, agents), calls.Network)
        wanted.routers[network_id] = [spec(router, calls.Router) for router in routers]
    return wanted


def for_host(
    tx: Transaction, host: str, *, networks: Iterable[str], routers: Iterable[str], ports: Iterable[str], shared: bool
) -> Current:
    """What a host was told of, and what that needs besides, as it shall be now."""
    known_networks, known_routers = set(wishes.all_networks(tx)), set(router_wishes.all_routers(tx))
    lives_on = wishes.networks_on(tx, host)
    told = sorted(set(networks) & known_networks)
    # Where hosts share networks, no one of them can be without what the others have.
    leases_of, agents = None if shared else host, agents_at(tx, host, shared=shared)
    served = {
        router_id for router_id in set(routers) & known_routers if router_wishes.serves_router(tx, agents, router_id)
    }
    found = {router_id: router_wishes.router_wish(tx, router_id) for router_id in sorted(served)}
    for network_id in told:
        if network_id in lives_on:
            found |= {router.id: router for router in router_wishes.routers_of_network(tx, network_id, agents)}
    needed = {network_id for router in found.values() for network_id in router.network_ids}
    return Current(
        networks={
            network_id: spec(wishes.network_wish(tx, network_id, leases_of, agents), calls.Network)
            for network_id in sorted(needed.union(told))
        },
        routers={router.id: spec(router, calls.Router) for router in found.values()},
        ports={wish.id: spec(wish, calls.Port) for wish in cards.wishes_for(tx, ports) if wish.host == host},
        gone_networks=sorted(set(networks) - known_networks),
        gone_routers=sorted(set(routers) - served),
    )
