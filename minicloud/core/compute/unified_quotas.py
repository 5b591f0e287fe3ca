"""Compute's quotas as identity's unified limits: servers, and each resource class that they take of Placement."""

from collections.abc import Mapping

from minicloud.core import records, unified_limits
from minicloud.core.compute import lifecycle
from minicloud.core.compute.servers import Server, ServerFlavor
from minicloud.core.compute.topology import wanted_topology
from minicloud.core.placement import usages
from minicloud.core.quota import REQUIRED
from minicloud.engines.database import Transaction

SERVERS = "servers"
PREFIX = "class:"
LEGACY = {"instances": SERVERS, "cores": f"{PREFIX}VCPU", "ram": f"{PREFIX}MEMORY_MB"}
"""The names that quota sets have for them."""


def allowed_count(
    tx: Transaction, project_id: str, flavor: ServerFlavor, properties: Mapping[str, str], least: int, most: int
) -> int:
    """How many servers of a flavor a project may have more: as many as fit of ``most``. Raises OverQuota for fewer than ``least``."""
    one = _limited(taken(flavor, properties))
    used = in_use(tx, project_id)
    allowed = unified_limits.limits(tx, "compute", project_id)
    rooms = [
        (allowed[name] - used.get(name, 0)) // each for name, each in one.items() if each and allowed.get(name, -1) >= 0
    ]
    count = max(least, min([most, *rooms]))
    deltas = {name: each * count for name, each in one.items()}
    unified_limits.enforce(tx, "compute", project_id, deltas, used, REQUIRED)
    return count


def in_use(tx: Transaction, project_id: str) -> dict[str, int]:
    """What a project has by the names of limits: Placement's figures, and what servers take that are not placed yet."""
    used = {f"{PREFIX}{name}": amount for name, amount in usages.of_project(tx, project_id).items()}
    row = tx.one("SELECT count(*) FROM servers WHERE project_id = ? AND deleted = 0", [project_id])
    used[SERVERS] = int(row[0]) if row else 0
    waiting = records.select(
        tx,
        Server,
        "project_id = ? AND deleted = 0 AND vm_state = ? "
        "AND NOT EXISTS (SELECT 1 FROM placement_consumers c WHERE c.id = servers.id)",
        [project_id, lifecycle.BUILDING],
    )
    for server in waiting:
        for name, amount in taken(server.flavor, server.image_properties.properties).items():
            used[f"{PREFIX}{name}"] = used.get(f"{PREFIX}{name}", 0) + amount
    return used


def taken(flavor: ServerFlavor, properties: Mapping[str, str]) -> dict[str, int]:
    """What a server of a flavor takes by resource class. Memory in MiB, disk in GiB."""
    topology = wanted_topology(flavor.vcpus, flavor.memory_mb, flavor.extra_specs, properties)
    pinned = 0 if topology is None else topology.pinned
    amounts = {
        "VCPU": flavor.vcpus - pinned,
        "PCPU": pinned,
        "MEMORY_MB": flavor.memory_mb,
        "DISK_GB": flavor.disk + flavor.ephemeral + -(-flavor.swap // 1024),
    }
    named: dict[str, int] = {}
    for key, value in flavor.extra_specs.items():
        group, colon, name = key.partition(":")
        if colon and group.startswith("resources") and value.isdigit():
            named[name] = named.get(name, 0) + int(value)
    if "PCPU" in named:
        amounts["VCPU"] = 0
    return {name: amount for name, amount in (amounts | named).items() if amount}


def _limited(amounts: Mapping[str, int]) -> dict[str, int]:
    return {SERVERS: 1, **{f"{PREFIX}{name}": amount for name, amount in amounts.items()}}
