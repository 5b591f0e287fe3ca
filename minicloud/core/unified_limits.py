"""Unified limits: identity's registered limits, and those of projects, as the quotas of services for which that is switched on.

A limit belongs to a service of the catalog, everywhere or in one region, where that of the region goes first. Names are those
that upstream's services ask oslo.limit for: ``servers`` and ``class:VCPU`` of compute, ``image_size_total`` of image; network
and volume, which have none upstream, take the names of their own quotas.
"""

from collections.abc import Collection, Mapping

from minicloud.base import trace
from minicloud.base.errors import Invalid, OverQuota
from minicloud.engines.database import Transaction

TYPES: Mapping[str, tuple[str, ...]] = {
    "compute": ("compute",),
    "image": ("image",),
    "network": ("network",),
    "volume": ("block-storage", "volumev3"),
}
"""The services that can be limited so, and their types in the catalog."""

UNLIMITED = -1


def named(text: str) -> list[str]:
    """The services that a setting names, separated by commas. Raises Invalid for one that there is not."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in TYPES]
    if unknown:
        raise Invalid(f"The setting unified_limits names {', '.join(unknown)}; there are {', '.join(sorted(TYPES))}")
    return names


def switch(tx: Transaction, services: Collection[str]) -> None:
    """From now on the quotas of just these services are the limits of identity."""
    tx.execute("DELETE FROM unified_limits_services")
    tx.many("INSERT INTO unified_limits_services (service) VALUES (?)", [(service,) for service in sorted(services)])


def switched_on(tx: Transaction, service: str) -> bool:
    """Whether the quotas of a service are the limits of identity."""
    return tx.one("SELECT 1 FROM unified_limits_services WHERE service = ?", [service]) is not None


def limits(tx: Transaction, service: str, project_id: str | None) -> dict[str, int]:
    """The limits of a project for everything that is registered for a service; without a project the registered ones."""
    found: dict[str, int] = {}
    for type_ in TYPES[service]:
        rows = tx.all(
            "SELECT r.resource_name, COALESCE(l.resource_limit, r.default_limit) FROM registered_limits r "
            "JOIN catalog_services s ON s.id = r.service_id "
            "LEFT JOIN limits l ON l.registered_limit_id = r.id AND l.project_id = ? "
            "WHERE s.type = ? ORDER BY CASE WHEN r.region_id IS NULL THEN 0 ELSE 1 END",
            [project_id or "", type_],
        )
        found.update((name, limit) for name, limit in rows)
    return found


def enforce(
    tx: Transaction,
    service: str,
    project_id: str | None,
    deltas: Mapping[str, int],
    used: Mapping[str, int],
    required: Collection[str],
    *,
    strict: bool = False,
) -> None:
    """Whether a project may have so much more, in the words of oslo.limit. What is not registered binds nothing, but that
    ``required`` resources without a registered limit may not be had at all. ``strict``: who has too much already may not
    even have nothing more. Raises OverQuota."""
    allowed = dict.fromkeys(required, 0) | limits(tx, service, project_id)
    if not deltas:
        return
    overs = [
        name
        for name, more in deltas.items()
        if name in allowed and 0 <= allowed[name] < used.get(name, 0) + more and (more > 0 or strict)
    ]
    trace.note("quota", service=service, project=project_id, asked=dict(deltas), used=dict(used), overs=overs)
    if overs:
        told = ", ".join(
            f"Resource {name} is over limit of {allowed[name]} due to current usage {used.get(name, 0)} and delta {deltas[name]}"
            for name in overs
        )
        raise OverQuota(
            f"Project {project_id} is over a limit for [{told}]",
            kind="OverQuota",
            overs=overs,
            requested={name: deltas[name] for name in overs},
            used={name: used.get(name, 0) for name in overs},
            allowed={name: allowed[name] for name in overs},
        )
