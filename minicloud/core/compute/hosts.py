"""Compute hosts: the service that runs on each, the node that it offers, and what the scheduler has to know of it."""

import secrets
from collections.abc import Callable, Collection
from typing import Any, ClassVar

import msgspec

from minicloud.base import trace
from minicloud.core import records
from minicloud.core.placement import traits
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.engines.database import Transaction

COMPUTE = "nova-compute"
DEFAULT_ZONE = "nova"
INTERNAL_ZONE = "internal"
DISABLED = "COMPUTE_STATUS_DISABLED"


class Service(records.Record, kw_only=True):
    """A service on a host, as ``GET /os-services`` lists it."""

    TABLE = "services"
    MISSING: ClassVar[str] = "Service {id} could not be found."

    id: int
    uuid: str
    binary: str
    host: str
    zone: str = DEFAULT_ZONE
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    created_at: str
    updated_at: str | None = None
    generation: int = 0


class ComputeNode(records.Record, kw_only=True):
    """What a host offers; ``uuid`` is also the id of its resource provider. Memory in MiB, disk in GiB."""

    TABLE = "compute_nodes"
    MISSING: ClassVar[str] = "Hypervisor {id} could not be found."

    id: int
    uuid: str
    host: str
    node: str
    hypervisor_type: str
    hypervisor_version: int
    cpu_arch: str
    cpu_model: str
    accelerator: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    free_disk_gb: int
    fabric: str
    created_at: str
    updated_at: str


class HostRow(msgspec.Struct, frozen=True, kw_only=True):
    """A host as the scheduler sees it, without what it has left: that is Placement's to know."""

    host: str
    node: str
    provider_id: str
    zone: str
    disabled: bool
    disabled_reason: str | None
    forced_down: bool
    hypervisor_type: str
    hypervisor_version: int
    cpu_arch: str


def member(host: str) -> str:
    """The name under which a host's compute service beats in the servicegroup."""
    return f"{COMPUTE}@{host}"


def up_unless(down: Collection[str]) -> Callable[[str], bool]:
    """Tells of a host whether its service beats; ``down`` are the members of the servicegroup that do not."""
    if not down:
        return lambda host: True
    return lambda host: member(host) not in down


def register(
    tx: Transaction,
    host: str,
    *,
    hypervisor_type: str,
    hypervisor_version: int,
    cpu_arch: str,
    cpu_model: str,
    accelerator: str,
    vcpus: int,
    memory_mb: int,
    disk_gb: int,
    free_disk_gb: int,
    fabric: str,
) -> ComputeNode:
    """Write down what a host reports of itself: new the first time, brought up to date later."""
    ensure_service(tx, host, COMPUTE, DEFAULT_ZONE)
    said: dict[str, Any] = {
        "hypervisor_type": hypervisor_type,
        "hypervisor_version": hypervisor_version,
        "cpu_arch": cpu_arch,
        "cpu_model": cpu_model,
        "accelerator": accelerator,
        "vcpus": vcpus,
        "memory_mb": memory_mb,
        "disk_gb": disk_gb,
        "free_disk_gb": free_disk_gb,
        "fabric": fabric,
    }
    found = node_of(tx, host)
    if found is not None:
        known = {name: getattr(found, name) for name in said}
        if known == said:
            return found
        _changed(tx)
        return records.change(tx, found, **said, updated_at=tx.now)
    _changed(tx)
    trace.note("host_registered", host=host, vcpus=vcpus, memory_mb=memory_mb, disk_gb=disk_gb)
    node = ComputeNode(
        id=_next_id(tx, "compute_nodes"),
        uuid=tx.ids.uuid(),
        host=host,
        node=host,
        created_at=tx.now,
        updated_at=tx.now,
        **said,
    )
    return records.insert(tx, node)


def ensure_service(tx: Transaction, host: str, binary: str, zone: str) -> Service:
    """The service is known."""
    found = service_of(tx, host, binary)
    if found is not None:
        return found
    _changed(tx)
    service = Service(
        id=_next_id(tx, "services"), uuid=tx.ids.uuid(), binary=binary, host=host, zone=zone, created_at=tx.now
    )
    return records.insert(tx, service)


def service_of(tx: Transaction, host: str, binary: str = COMPUTE) -> Service | None:
    """The service of this kind on a host, if there is one."""
    found = records.select(tx, Service, 'host = ? AND "binary" = ?', [host, binary])
    return found[0] if found else None


def forced_down(tx: Transaction) -> frozenset[str]:
    """The hosts of which somebody has said that they are down, whatever they report."""
    rows = tx.all('SELECT host FROM services WHERE "binary" = ? AND forced_down = 1', [COMPUTE])
    return frozenset(host for (host,) in rows)


def status_of(service: Service, *, up: bool) -> str:
    """Nova's word for the state of a compute host: what somebody said of it counts more than whether it is heard of."""
    if service.forced_down:
        return "DOWN"
    if service.disabled:
        return "MAINTENANCE"
    return "UP" if up else "UNKNOWN"


def node_of(tx: Transaction, host: str) -> ComputeNode | None:
    """The node of a host, if it has registered."""
    found = records.select(tx, ComputeNode, "host = ?", [host])
    return found[0] if found else None


def services(tx: Transaction) -> list[Service]:
    """All services, oldest first."""
    return records.select(tx, Service, "1 = 1 ORDER BY id")


def zone_offered(tx: Transaction, zone: str) -> bool:
    """Whether servers may ask for this zone: one of its compute hosts is enabled."""
    found = tx.one('SELECT 1 FROM services WHERE "binary" = ? AND zone = ? AND disabled = 0 LIMIT 1', [COMPUTE, zone])
    return found is not None


def nodes(tx: Transaction) -> list[ComputeNode]:
    """All nodes, oldest first."""
    return records.select(tx, ComputeNode, "1 = 1 ORDER BY id")


def change_service(tx: Transaction, service: Service, **changes: Any) -> Service:
    """Enable, disable, force down: whatever the scheduler has to hear of. Placement hears who is disabled by a trait."""
    _changed(tx)
    disabled = changes.get("disabled", service.disabled)
    if disabled != service.disabled and service.binary == COMPUTE:
        node = node_of(tx, service.host)
        if node is not None:
            mark_disabled(tx, node.uuid, disabled)
    trace.note("service_changed", host=service.host, binary=service.binary, **changes)
    return records.change(tx, service, **changes, updated_at=tx.now)


def mark_disabled(tx: Transaction, provider_id: str, disabled: bool) -> None:
    """Let the provider of a host have the trait of disabled ones, or not; content when there is no provider."""
    if records.find(tx, ResourceProvider, provider_id) is None:
        return
    had = {trait.name for trait in traits.of_provider(tx, provider_id)}
    wanted = had | {DISABLED} if disabled else had - {DISABLED}
    if wanted != had:
        traits.set_of_provider(tx, provider_id, wanted)


def touched(tx: Transaction) -> None:
    """Something was changed that the scheduler remembers of hosts."""
    _changed(tx)


def hosts_version(tx: Transaction) -> int:
    """A number that is another one whenever ``scheduling_hosts`` would answer differently."""
    row = tx.one("SELECT value FROM compute_changes WHERE name = 'hosts'")
    return int(row[0]) if row else 0


def scheduling_hosts(tx: Transaction) -> list[HostRow]:
    """Every compute host, for the scheduler."""
    rows = tx.all(
        "SELECT n.host, n.node, n.uuid, s.zone, s.disabled, s.disabled_reason, s.forced_down, n.hypervisor_type, "
        'n.hypervisor_version, n.cpu_arch FROM compute_nodes n JOIN services s ON s.host = n.host AND s."binary" = ?',
        [COMPUTE],
    )
    return [
        HostRow(
            host=host,
            node=node,
            provider_id=provider_id,
            zone=zone,
            disabled=bool(disabled),
            disabled_reason=reason,
            forced_down=bool(forced_down),
            hypervisor_type=kind,
            hypervisor_version=version,
            cpu_arch=arch,
        )
        for host, node, provider_id, zone, disabled, reason, forced_down, kind, version, arch in rows
    ]


def _changed(tx: Transaction) -> None:
    # Drawn at random, not counted: a count would come again after a rollback, and name two different sets of hosts.
    tx.execute(
        "INSERT INTO compute_changes (name, value) VALUES ('hosts', ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [secrets.randbits(62)],
    )


def _next_id(tx: Transaction, table: str) -> int:
    """The next small number of a table whose API shows numbers."""
    row = (
        tx.one("SELECT COALESCE(max(id), 0) + 1 FROM services")
        if table == "services"
        else tx.one("SELECT COALESCE(max(id), 0) + 1 FROM compute_nodes")
    )
    assert row is not None
    return int(row[0])


def used(tx: Transaction) -> dict[str, tuple[int, int, int, int]]:
    """For each host what its servers take: how many, vCPUs, MiB, GiB."""
    rows = tx.all(
        "SELECT host, count(*), sum(vcpus), sum(memory_mb), sum(disk_gb) FROM servers "
        "WHERE host IS NOT NULL AND deleted = 0 GROUP BY host"
    )
    return {host: (servers, vcpus, memory_mb, disk_gb) for host, servers, vcpus, memory_mb, disk_gb in rows}
