"""What servers have of the network, for many of them at once: addresses, security groups, and who has an address."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from minicloud.engines.database import Row, Transaction


class ServerAddress(msgspec.Struct, frozen=True):
    """An address of a server; ``kind`` is ``fixed`` or ``floating``."""

    address: str
    version: int
    kind: str
    mac: str
    port_id: str


class OnNetworks(msgspec.Struct, frozen=True):
    """What servers have of the network, by server: addresses by name of the network, in the order of their cards, and the names
    of security groups, sorted."""

    addresses: dict[str, dict[str, list[ServerAddress]]]
    security_groups: dict[str, list[str]]


def of_servers(tx: Transaction, server_ids: Sequence[str]) -> OnNetworks:
    """All of it for any number of servers, in as many queries as for one."""
    rows = _rows(tx, server_ids)
    server_of = {port_id: server_id for server_id, port_id, *_ in rows}
    return OnNetworks(_addresses(tx, rows, server_of), _groups(tx, server_of))


def addresses_of(tx: Transaction, server_ids: Sequence[str]) -> dict[str, dict[str, list[ServerAddress]]]:
    """The addresses of any number of servers: by server, then by name of the network, in order."""
    rows = _rows(tx, server_ids)
    return _addresses(tx, rows, [port_id for _, port_id, *_ in rows])


def _rows(tx: Transaction, server_ids: Sequence[str]) -> list[Row]:
    """Server, port, network, MAC and address: of every port each of its addresses, or None. Indexes alone are read."""
    return tx.all(
        "SELECT p.device_id, p.id, p.network_id, p.mac_address, a.address "
        "FROM ports p LEFT JOIN ip_allocations a ON a.port_id = p.id "
        "WHERE p.device_id IN (SELECT value FROM json_each(?)) AND p.device_owner LIKE 'compute:%' "
        "ORDER BY p.device_id, p.device_index, p.id, a.position",
        [_list(server_ids)],
    )


def _addresses(
    tx: Transaction, rows: Sequence[Row], port_ids: Iterable[str]
) -> dict[str, dict[str, list[ServerAddress]]]:
    networks = {network_id for _, _, network_id, _, _ in rows}
    names: dict[str, str] = dict(
        tx.all("SELECT id, name FROM networks WHERE id IN (SELECT value FROM json_each(?))", [_list(networks)])
    )
    floating = {
        (port_id, fixed): outside
        for port_id, fixed, outside in tx.all(
            "SELECT port_id, fixed_ip_address, floating_ip_address FROM floating_ips "
            "WHERE port_id IN (SELECT value FROM json_each(?))",
            [_list(port_ids)],
        )
    }
    found: dict[str, dict[str, list[ServerAddress]]] = {}
    for server_id, port_id, network_id, mac, address in rows:
        if address is None:
            continue
        place = found.setdefault(server_id, {}).setdefault(names[network_id], [])
        place.append(ServerAddress(address, 6 if ":" in address else 4, "fixed", mac, port_id))
        outside = floating.get((port_id, address)) if floating else None
        if outside is not None:
            place.append(ServerAddress(outside, 4, "floating", mac, port_id))
    return found


def _groups(tx: Transaction, server_of: Mapping[str, str]) -> dict[str, list[str]]:
    """The names of the security groups, by server; ``server_of`` are their ports."""
    of_server: dict[str, tuple[str, ...]] = {}
    for port_id, group_id in tx.all(
        "SELECT port_id, security_group_id FROM port_security_groups WHERE port_id IN (SELECT value FROM json_each(?))",
        [_list(server_of)],
    ):
        server_id = server_of[port_id]
        known = of_server.get(server_id, ())
        if group_id not in known:
            of_server[server_id] = (*known, group_id)
    # Most servers have the same groups: each such set is put in order once.
    sets = set(of_server.values())
    names: dict[str, str] = dict(
        tx.all(
            "SELECT id, name FROM security_groups WHERE id IN (SELECT value FROM json_each(?))",
            [_list({group_id for one in sets for group_id in one})],
        )
    )
    words = {one: [name for name, _ in sorted((names[group_id], group_id) for group_id in one)] for one in sets}
    return {server_id: words[one] for server_id, one in of_server.items()}


def _list(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()


def servers_at(tx: Transaction, text: str) -> list[str]:
    """Ids of the servers with an address that holds this text, as ``--ip`` filters."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = tx.all(
        "SELECT DISTINCT p.device_id FROM ip_allocations a JOIN ports p ON p.id = a.port_id "
        "WHERE p.device_owner LIKE 'compute:%' AND a.address LIKE ? ESCAPE '\\'",
        [f"%{escaped}%"],
    )
    return [server_id for (server_id,) in rows]
