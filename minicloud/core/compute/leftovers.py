"""What is left over of servers that are no more, as the records tell: machines on hosts, wires, claims, ports."""

from collections.abc import Iterable

from minicloud.core.compute import hosts
from minicloud.engines.database import Transaction


def machines(tx: Transaction, host: str, present: Iterable[str]) -> set[str]:
    """Of the machines and disks that a host has, those that belong to no server on it."""
    rows = tx.all("SELECT id FROM servers WHERE host = ? AND deleted = 0", [host])
    return set(present) - {server_id for (server_id,) in rows}


def wires(tx: Transaction, host: str, present: Iterable[str], *, shared: bool) -> set[str]:
    """Of the ports that a host's fabric has, those that are bound to nothing on it; ``shared``: to nothing on any host."""
    if shared:
        rows = tx.all("SELECT id FROM ports WHERE host <> ''")
    else:
        rows = tx.all("SELECT id FROM ports WHERE host = ?", [host])
    return set(present) - {port_id for (port_id,) in rows}


def claims(tx: Transaction) -> list[str]:
    """Servers that still hold a claim on a compute node although they are deleted or have no host."""
    nodes = {node.uuid for node in hosts.nodes(tx)}
    rows = tx.all(
        "SELECT DISTINCT a.consumer_id, a.provider_id FROM placement_allocations a "
        "JOIN servers s ON s.id = a.consumer_id WHERE s.deleted = 1 OR s.host IS NULL"
    )
    return sorted({consumer_id for consumer_id, provider_id in rows if provider_id in nodes})


def owners_of_ports(tx: Transaction) -> list[str]:
    """Deleted servers that ports still name."""
    rows = tx.all(
        "SELECT DISTINCT p.device_id FROM ports p JOIN servers s ON s.id = p.device_id "
        "WHERE s.deleted = 1 AND p.device_owner LIKE 'compute:%'"
    )
    return sorted(server_id for (server_id,) in rows)
