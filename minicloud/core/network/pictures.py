"""What a way may lead through, read from the records: networks, their routers, and who is on them."""

from collections.abc import Collection

import msgspec

from minicloud.core import records
from minicloud.core.network import router_wishes, wishes
from minicloud.core.network.rows import Network, Router, SecurityGroup
from minicloud.core.network.verdicts import Picture
from minicloud.core.network.wished import NetworkWish, RouterWish
from minicloud.engines.database import Transaction


def around(tx: Transaction, network_id: str, destination: str, agents: Collection[str] | None = None) -> Picture:
    """What guests of a network reach by routers, and the router that has a destination outside. Raises NotFound.

    An external network is a border: of the many routers on it only the one that answers to the destination is looked at.
    ``agents`` are the hosts whose agents serve networks and routers; None: they are all served.
    """
    networks: dict[str, NetworkWish] = {}
    routers: dict[str, RouterWish] = {}
    waiting = [network_id]
    _meet(tx, _owners(tx, destination), agents, routers, waiting)
    while waiting:
        now = waiting.pop()
        if now in networks:
            continue
        networks[now] = wishes.network_wish(tx, now, None, agents)
        if not networks[now].external:
            rows = tx.all(
                "SELECT DISTINCT device_id FROM ports WHERE network_id = ? AND device_owner = 'network:router_interface'",
                [now],
            )
            _meet(tx, [row[0] for row in rows], agents, routers, waiting)
    on_them = tx.all(
        "SELECT id FROM ports WHERE network_id IN (SELECT value FROM json_each(?)) AND device_owner LIKE 'compute:%'",
        [msgspec.json.encode(sorted(networks)).decode()],
    )
    return Picture(
        networks=networks,
        routers=[routers[router_id] for router_id in sorted(routers)],
        cards=wishes.port_wishes(tx, [row[0] for row in on_them]),
        names=_names(tx, list(networks), list(routers), sorted({g.id for n in networks.values() for g in n.groups})),
    )


def _owners(tx: Transaction, destination: str) -> list[str]:
    rows = tx.all(
        "SELECT router_id FROM floating_ips WHERE floating_ip_address = ?1 AND router_id IS NOT NULL UNION "
        "SELECT p.device_id FROM ports p JOIN ip_allocations a ON a.port_id = p.id "
        "WHERE a.address = ?1 AND p.device_owner = 'network:router_gateway'",
        [destination],
    )
    return [row[0] for row in rows]


def _meet(
    tx: Transaction,
    found: list[str],
    agents: Collection[str] | None,
    routers: dict[str, RouterWish],
    waiting: list[str],
) -> None:
    for router_id in found:
        if router_id not in routers and router_wishes.serves_router(tx, agents, router_id):
            routers[router_id] = router_wishes.router_wish(tx, router_id)
            waiting += routers[router_id].network_ids


def _names(tx: Transaction, networks: list[str], routers: list[str], groups: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    found |= {row.id: row.name for row in records.select_in(tx, Network, "id", networks)}
    found |= {row.id: row.name for row in records.select_in(tx, Router, "id", routers)}
    return found | {row.id: row.name for row in records.select_in(tx, SecurityGroup, "id", groups)}
