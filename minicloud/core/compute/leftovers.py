"""What is left over of servers that are no more, as the records tell: machines on hosts, wires, claims, ports.

``busy`` are the resources that open sagas are about: they are left alone.
"""

from collections.abc import Collection

from minicloud.core.compute import hosts, migrations
from minicloud.core.network import ports
from minicloud.core.placement import allocations
from minicloud.engines.database import Transaction


def strangers(tx: Transaction, host: str, present: Collection[str], busy: Collection[str]) -> list[str]:
    """Of the machines and disks that a host has, those that belong to no server on it."""
    rows = tx.all("SELECT id FROM servers WHERE host = ? AND deleted = 0", [host])
    at_home = {server_id for (server_id,) in rows} | migrations.guests(tx, host)
    return sorted(set(present) - at_home - set(busy))


def loose_ports(tx: Transaction, host: str, present: Collection[str], busy: Collection[str]) -> list[str]:
    """Of the ports that a host's fabric has, those that are bound to nothing on it.

    None while anything is busy: a port whose row is gone may belong to a server that is being built or deleted this moment.
    """
    if busy:
        return []
    rows = tx.all("SELECT id FROM ports WHERE host = ?", [host])
    return sorted(set(present) - {port_id for (port_id,) in rows})


def unneeded(tx: Transaction, checksums: Collection[str]) -> list[str]:
    """Those of the images' checksums that no living server needs, be it as disk, kernel or ramdisk."""
    return [
        checksum
        for checksum in checksums
        if tx.one("SELECT 1 FROM servers WHERE deleted = 0 AND image_properties LIKE ? LIMIT 1", [f"%{checksum}%"])
        is None
    ]


def free_claims(tx: Transaction, busy: Collection[str]) -> list[str]:
    """Take back what servers claim on compute nodes although they are deleted or have no host; whose it was."""
    nodes = {node.uuid for node in hosts.nodes(tx)}
    rows = tx.all(
        "SELECT DISTINCT a.consumer_id, a.provider_id FROM placement_allocations a "
        "JOIN servers s ON s.id = a.consumer_id WHERE s.deleted = 1 OR s.host IS NULL"
    )
    stale = sorted({consumer_id for consumer_id, provider_id in rows if provider_id in nodes} - set(busy))
    for server_id in stale:
        allocations.free(tx, server_id)
    return stale


def free_held(tx: Transaction, busy: Collection[str]) -> list[str]:
    """Take back what moves that have ended still hold; the servers that moved."""
    rows = tx.all("SELECT id FROM placement_consumers WHERE consumer_type = ?", [allocations.MIGRATION])
    freed = []
    for uuid in migrations.closed(tx, [row[0] for row in rows]):
        server_id = migrations.get(tx, uuid).server_id
        if server_id not in busy:
            allocations.free(tx, uuid)
            freed.append(server_id)
    return freed


def release_ports(tx: Transaction, busy: Collection[str]) -> list[str]:
    """Release the ports that still name deleted servers; whose they were."""
    rows = tx.all(
        "SELECT DISTINCT p.device_id FROM ports p JOIN servers s ON s.id = p.device_id "
        "WHERE s.deleted = 1 AND p.device_owner LIKE 'compute:%'"
    )
    stale = sorted({server_id for (server_id,) in rows} - set(busy))
    for server_id in stale:
        ports.release_of_server(tx, server_id)
    return stale
