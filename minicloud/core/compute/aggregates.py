"""Aggregates: named groups of hosts with metadata; they make availability zones and tell filters who may go where.

Placement has the same groups by their UUIDs. A host's zone is the ``availability_zone`` of the aggregates that it is in, and
is written down with its service at each change here, so that whoever asks for zones need not know of aggregates.
"""

from collections.abc import Iterable, Mapping

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.compute import details, hosts
from minicloud.core.placement import aggregates as placed
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.engines.database import Transaction

ZONE = "availability_zone"


class Aggregate(records.Record, kw_only=True):
    """An aggregate; its hosts stand in a table of their own."""

    TABLE = "aggregates"
    MISSING = "Aggregate {id} could not be found."

    id: int
    uuid: str
    name: str
    metadata: dict[str, str] = {}
    created_at: str
    updated_at: str | None = None

    @property
    def zone(self) -> str | None:
        """The availability zone that it makes, if it makes one."""
        return self.metadata.get(ZONE)


class Members(msgspec.Struct, frozen=True):
    """An aggregate with its hosts, in the order in which they came."""

    aggregate: Aggregate
    hosts: list[str]


def get(tx: Transaction, aggregate_id: int) -> Members:
    """An aggregate. Raises NotFound."""
    return Members(records.get(tx, Aggregate, aggregate_id), _hosts(tx, aggregate_id))


def listed(tx: Transaction) -> list[Members]:
    """All aggregates, oldest first."""
    within: dict[int, list[str]] = {}
    for aggregate_id, host in tx.all("SELECT aggregate_id, host FROM aggregate_hosts ORDER BY position, host"):
        within.setdefault(aggregate_id, []).append(host)
    return [Members(one, within.get(one.id, [])) for one in records.select(tx, Aggregate, "1 = 1 ORDER BY id")]


def of_host(tx: Transaction, host: str) -> list[Aggregate]:
    """The aggregates that a host is in."""
    return records.select(
        tx, Aggregate, "id IN (SELECT aggregate_id FROM aggregate_hosts WHERE host = ?) ORDER BY id", [host]
    )


def by_host(tx: Transaction) -> dict[str, list[Aggregate]]:
    """For each host that is in any: its aggregates."""
    found: dict[str, list[Aggregate]] = {}
    for members in listed(tx):
        for host in members.hosts:
            found.setdefault(host, []).append(members.aggregate)
    return found


def create(tx: Transaction, name: str, zone: str | None = None) -> Members:
    """A new aggregate without hosts. Raises Conflict for a name in use."""
    _expect_free(tx, name)
    row = tx.one("SELECT COALESCE(max(id), 0) + 1 FROM aggregates")
    assert row is not None
    made = Aggregate(
        id=int(row[0]),
        uuid=tx.ids.uuid(),
        name=name,
        metadata={} if zone is None else {ZONE: zone},
        created_at=tx.now,
    )
    records.insert(tx, made)
    hosts.touched(tx)
    trace.note("aggregate_created", aggregate=made.id, name=name, zone=zone)
    return Members(made, [])


def update(
    tx: Transaction, aggregate_id: int, *, name: str | None = None, zone: str | msgspec.UnsetType | None = msgspec.UNSET
) -> Members:
    """Another name or zone. Raises NotFound, Conflict for a name in use, Invalid where the zone cannot change."""
    found = get(tx, aggregate_id)
    if name is not None and name != found.aggregate.name:
        _expect_free(tx, name)
    metadata = dict(found.aggregate.metadata)
    if zone is not msgspec.UNSET:
        _expect_zone_may_change(tx, found, zone, f"Cannot update aggregate {aggregate_id}.")
        metadata[ZONE] = zone or ""
    return _changed(tx, found, name=name or found.aggregate.name, metadata=metadata)


def set_metadata(tx: Transaction, aggregate_id: int, metadata: Mapping[str, str | None]) -> Members:
    """Add or change keys; None removes one. Raises NotFound, Invalid where the zone cannot change."""
    found = get(tx, aggregate_id)
    if ZONE in metadata:
        _expect_zone_may_change(tx, found, metadata[ZONE], f"Cannot update metadata of aggregate {aggregate_id}.")
    kept = {key: value for key, value in found.aggregate.metadata.items() if key not in metadata}
    kept.update({key: value for key, value in metadata.items() if value is not None})
    return _changed(tx, found, name=found.aggregate.name, metadata=kept)


def delete(tx: Transaction, aggregate_id: int) -> None:
    """Forget an aggregate. Raises NotFound; Invalid while it has hosts."""
    found = get(tx, aggregate_id)
    if found.hosts:
        # Upstream's words, though no host is removed.
        raise Invalid(f"Cannot remove host from aggregate {aggregate_id}. Reason: Host aggregate is not empty.")
    records.remove(tx, found.aggregate)
    hosts.touched(tx)
    trace.note("aggregate_deleted", aggregate=aggregate_id, name=found.aggregate.name)


def add_host(tx: Transaction, aggregate_id: int, host: str) -> Members:
    """Put a host in. Raises NotFound; Conflict where it is in, or would move between zones."""
    _expect_host(tx, host)
    found = get(tx, aggregate_id)
    because = f"Cannot add host to aggregate {aggregate_id}."
    zone = found.aggregate.zone
    if zone is not None:
        others = _other_zones(tx, [host], found.aggregate, zone)
        if others:
            raise Conflict(f"{because} Reason: One or more hosts already in availability zone(s) {others}.")
        _expect_no_move(tx, host, _zone_of(of_host(tx, host)), zone, "added to", because)
    if host in found.hosts:
        raise Conflict(f"Aggregate {aggregate_id} already has host {host}.")
    tx.execute(
        "INSERT INTO aggregate_hosts (aggregate_id, host, position) VALUES (?, ?, "
        "(SELECT COALESCE(max(position), 0) + 1 FROM aggregate_hosts))",
        [aggregate_id, host],
    )
    trace.note("aggregate_host_added", aggregate=aggregate_id, name=found.aggregate.name, host=host)
    return _moved(tx, found.aggregate, host)


def remove_host(tx: Transaction, aggregate_id: int, host: str) -> Members:
    """Take a host out. Raises NotFound; Conflict where its servers would change their zone."""
    found = records.find(tx, Aggregate, aggregate_id)
    within = [] if found is None else _hosts(tx, aggregate_id)
    if found is None or host not in within or hosts.service_of(tx, host) is None:
        raise NotFound(f"Cannot remove host {host} in aggregate {aggregate_id}")
    if found.zone is not None:
        left = _zone_of([one for one in of_host(tx, host) if one.id != aggregate_id])
        because = f"Cannot remove host from aggregate {aggregate_id}."
        _expect_no_move(tx, host, found.zone, left, "removed from", because)
    tx.execute("DELETE FROM aggregate_hosts WHERE aggregate_id = ? AND host = ?", [aggregate_id, host])
    trace.note("aggregate_host_removed", aggregate=aggregate_id, name=found.name, host=host)
    return _moved(tx, found, host)


def settle(tx: Transaction, host: str) -> None:
    """Bring what follows from a host's aggregates in step: its provider's groups, its zone, the ratios it offers."""
    mine = of_host(tx, host)
    node = hosts.node_of(tx, host)
    if node is not None and records.find(tx, ResourceProvider, node.uuid) is not None:
        known = {row[0] for row in tx.all("SELECT uuid FROM aggregates")}
        had = placed.of_provider(tx, node.uuid)
        # Groups that were made through Placement's own API are nobody's business here.
        wanted = {*(one.uuid for one in mine), *(uuid for uuid in had if uuid not in known)}
        if wanted != set(had):
            placed.set_of_provider(tx, node.uuid, wanted)
        details.settle_ratios(tx, host, node.uuid, [one.metadata for one in mine])
    service = hosts.service_of(tx, host)
    zone = _zone_of(mine) or hosts.DEFAULT_ZONE
    if service is not None and service.zone != zone:
        hosts.change_service(tx, service, zone=zone)
    hosts.touched(tx)


def _changed(tx: Transaction, found: Members, *, name: str, metadata: dict[str, str]) -> Members:
    made = records.change(tx, found.aggregate, name=name, metadata=metadata, updated_at=tx.now)
    trace.note("aggregate_changed", aggregate=made.id, name=name, metadata=metadata)
    for host in found.hosts:
        settle(tx, host)
    hosts.touched(tx)
    return Members(made, found.hosts)


def _moved(tx: Transaction, aggregate: Aggregate, host: str) -> Members:
    changed = records.change(tx, aggregate, updated_at=tx.now)
    settle(tx, host)
    return Members(changed, _hosts(tx, aggregate.id))


def _hosts(tx: Transaction, aggregate_id: int) -> list[str]:
    rows = tx.all("SELECT host FROM aggregate_hosts WHERE aggregate_id = ? ORDER BY position, host", [aggregate_id])
    return [row[0] for row in rows]


def _zone_of(aggregates: Iterable[Aggregate]) -> str | None:
    return next((one.zone for one in aggregates if one.zone is not None), None)


def _expect_free(tx: Transaction, name: str) -> None:
    if tx.one("SELECT 1 FROM aggregates WHERE name = ?", [name]) is not None:
        raise Conflict(f"Aggregate {name} already exists.")


def _expect_host(tx: Transaction, host: str) -> None:
    if hosts.service_of(tx, host) is None:
        raise NotFound(f"Compute host {host} could not be found.")


def _other_zones(tx: Transaction, within: Iterable[str], aggregate: Aggregate, zone: str) -> list[str]:
    """The zones, but for this one, that other aggregates put these hosts in."""
    return [
        other.zone
        for host in within
        for other in of_host(tx, host)
        if other.id != aggregate.id and other.zone is not None and other.zone != zone
    ]


def _expect_zone_may_change(tx: Transaction, found: Members, zone: str | None, because: str) -> None:
    aggregate = found.aggregate
    if not zone:
        raise Invalid(f"{because} Reason: Aggregate {aggregate.name} does not support empty named availability zone.")
    others = _other_zones(tx, found.hosts, aggregate, zone)
    if others:
        raise Invalid(f"{because} Reason: One or more hosts already in availability zone(s) {others}.")
    if zone != aggregate.zone and any(_servers_on(tx, host) for host in found.hosts):
        raise Invalid(f"{because} Reason: One or more hosts contain instances in this zone.")


def _expect_no_move(tx: Transaction, host: str, old: str | None, new: str | None, verb: str, because: str) -> None:
    count = _servers_on(tx, host) if old != new else 0
    if count:
        raise Conflict(
            f"{because} Reason: The host cannot be {verb} the aggregate as the availability zone of the host would change "
            f"from '{old}' to '{new}' but the host already has {count} instance(s). Changing the AZ of an existing "
            "instance is not supported by this action. Move the instances away from this host then try again. If you need "
            "to move the instances between AZs then you can use shelve_offload and unshelve to achieve this.."
        )


def _servers_on(tx: Transaction, host: str) -> int:
    row = tx.one("SELECT count(*) FROM servers WHERE host = ? AND deleted = 0", [host])
    return 0 if row is None else int(row[0])
