"""How much servers used in a stretch of time: exact hours, and what follows from them (nova 34.0.0: simple_tenant_usage.py)."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.compute import lifecycle
from minicloud.core.compute.servers import Server
from minicloud.core.records import AnyOf, Condition, Query
from minicloud.engines.database import Transaction


class ServerUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One server's part. ``hours`` within the period, ``uptime`` in seconds of its whole life."""

    hours: float
    flavor: str
    instance_id: str
    name: str
    tenant_id: str
    memory_mb: int
    local_gb: int
    vcpus: int
    started_at: str
    ended_at: str | None
    state: str
    uptime: int


class ProjectUsage(msgspec.Struct, kw_only=True):
    """The sum of a project's servers. The totals are GiB-hours, MiB-hours, vCPU-hours and hours."""

    tenant_id: str
    server_usages: list[ServerUsage]
    total_local_gb_usage: float = 0.0
    total_vcpus_usage: float = 0.0
    total_memory_mb_usage: float = 0.0
    total_hours: float = 0.0


def active(
    tx: Transaction, begin: str, end: str, *, project_id: str | None, limit: int | None, marker: str | None
) -> list[Server]:
    """The servers that lived between two stamps, those of one project together.

    Raises Invalid when the marker is no server.
    """
    where: list[Condition | AnyOf] = [
        AnyOf([Condition("terminated_at", "is null"), Condition("terminated_at", ">", begin)]),
        Condition("launched_at", "<", end),
    ]
    if project_id is not None:
        where.append(Condition("project_id", "=", project_id))
    query = Query(where=where, sort=[("project_id", False), ("id", False)], limit=limit, marker=marker)
    try:
        return records.page(tx, Server, query)
    except Invalid as error:
        raise Invalid(f"Marker {marker} could not be found.", kind="marker") from error


def by_project(servers: Sequence[Server], begin: datetime, end: datetime, now: datetime) -> list[ProjectUsage]:
    """The usage of servers between two moments, by project in their order."""
    found: dict[str, ProjectUsage] = {}
    for server in servers:
        used = of_server(server, begin, end, now)
        total = found.setdefault(server.project_id, ProjectUsage(tenant_id=server.project_id, server_usages=[]))
        total.server_usages.append(used)
        total.total_local_gb_usage += used.local_gb * used.hours
        total.total_vcpus_usage += used.vcpus * used.hours
        total.total_memory_mb_usage += used.memory_mb * used.hours
        total.total_hours += used.hours
    return list(found.values())


def of_server(server: Server, begin: datetime, end: datetime, now: datetime) -> ServerUsage:
    """The usage of one server that was launched."""
    assert server.launched_at is not None
    launched = _moment(server.launched_at)
    terminated = None if server.terminated_at is None else _moment(server.terminated_at)
    start, stop = max(launched, begin), end if terminated is None else min(end, terminated)
    lived = (terminated or now) - launched
    return ServerUsage(
        hours=max(0.0, (stop - start).total_seconds() / 3600.0),
        flavor=server.flavor.name,
        instance_id=server.id,
        name=server.name,
        tenant_id=server.project_id,
        memory_mb=server.memory_mb,
        local_gb=server.disk_gb,
        vcpus=server.vcpus,
        started_at=_told(launched),
        ended_at=None if terminated is None else _told(terminated),
        state="terminated" if terminated is not None else _state(server),
        uptime=max(0, int(lived.total_seconds())),
    )


def _state(server: Server) -> str:
    return lifecycle.ACTIVE if server.vm_state in (lifecycle.DELETED, lifecycle.SOFT_DELETED) else server.vm_state


def _moment(stamp: str) -> datetime:
    at = datetime.fromisoformat(stamp)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _told(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
