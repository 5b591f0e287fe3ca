"""What servers have of the network, for many of them at once: addresses, security groups, and who has an address."""

from collections.abc import Sequence

import msgspec

from minicloud.engines.database import Transaction


class ServerAddress(msgspec.Struct, frozen=True):
    """An address of a server; ``kind`` is ``fixed`` or ``floating``."""

    address: str
    version: int
    kind: str
    mac: str
    port_id: str


def addresses_of(tx: Transaction, server_ids: Sequence[str]) -> dict[str, dict[str, list[ServerAddress]]]:
    """The addresses of any number of servers in one query: by server, then by name of the network, in order."""
    rows = tx.all(
        "SELECT p.device_id, n.name, a.address, p.mac_address, p.id, f.floating_ip_address "
        "FROM ports p JOIN networks n ON n.id = p.network_id JOIN ip_allocations a ON a.port_id = p.id "
        "LEFT JOIN floating_ips f ON f.port_id = p.id AND f.fixed_ip_address = a.address "
        "WHERE p.device_id IN (SELECT value FROM json_each(?)) AND p.device_owner LIKE 'compute:%' "
        "ORDER BY p.device_id, p.device_index, p.id, a.position",
        [msgspec.json.encode(list(server_ids)).decode()],
    )
    found: dict[str, dict[str, list[ServerAddress]]] = {}
    for server_id, network, address, mac, port_id, floating in rows:
        place = found.setdefault(server_id, {}).setdefault(network, [])
        place.append(ServerAddress(address, 6 if ":" in address else 4, "fixed", mac, port_id))
        if floating is not None:
            place.append(ServerAddress(floating, 4, "floating", mac, port_id))
    return found


def servers_at(tx: Transaction, text: str) -> list[str]:
    """Ids of the servers with an address that holds this text, as ``--ip`` filters."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = tx.all(
        "SELECT DISTINCT p.device_id FROM ip_allocations a JOIN ports p ON p.id = a.port_id "
        "WHERE p.device_owner LIKE 'compute:%' AND a.address LIKE ? ESCAPE '\\'",
        [f"%{escaped}%"],
    )
    return [server_id for (server_id,) in rows]


def groups_of(tx: Transaction, server_ids: Sequence[str]) -> dict[str, list[str]]:
    """The names of the security groups of any number of servers in one query, by server."""
    rows = tx.all(
        "SELECT DISTINCT p.device_id, g.name, g.id FROM ports p JOIN port_security_groups b ON b.port_id = p.id "
        "JOIN security_groups g ON g.id = b.security_group_id "
        "WHERE p.device_id IN (SELECT value FROM json_each(?)) AND p.device_owner LIKE 'compute:%' ORDER BY g.name, g.id",
        [msgspec.json.encode(list(server_ids)).decode()],
    )
    found: dict[str, list[str]] = {}
    for server_id, name, _ in rows:
        found.setdefault(server_id, []).append(name)
    return found
