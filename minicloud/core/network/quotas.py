"""Network quotas: how many of each resource a project may have; -1 means any number. Neutron's defaults.

Where unified limits are switched on for the network, those that identity has registered go before the ones kept here.
"""

from typing import ClassVar, LiteralString

from minicloud.base.errors import Invalid, NotFound, OverQuota
from minicloud.core import records, unified_limits
from minicloud.engines.database import Transaction

DEFAULTS = {
    "network": 100,
    "subnet": 100,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "security_group": 10,
    "security_group_rule": 100,
    "rbac_policy": 10,
    "subnetpool": -1,
}
UNLIMITED = -1

_COUNTS: dict[str, LiteralString] = {
    "network": "SELECT count(*) FROM networks WHERE project_id = ?",
    "subnet": "SELECT count(*) FROM subnets WHERE project_id = ?",
    "port": "SELECT count(*) FROM ports WHERE project_id = ?",
    "router": "SELECT count(*) FROM routers WHERE project_id = ?",
    "floatingip": "SELECT count(*) FROM floating_ips WHERE project_id = ?",
    "security_group": "SELECT count(*) FROM security_groups WHERE project_id = ?",
    "security_group_rule": "SELECT count(*) FROM security_group_rules WHERE project_id = ?",
    "rbac_policy": "SELECT count(*) FROM network_rbac WHERE project_id = ?",
    "subnetpool": "SELECT count(*) FROM subnet_pools WHERE project_id = ?",
}


class NetworkQuota(records.Record, kw_only=True):
    """A project's own limit for one resource."""

    TABLE = "network_quotas"
    KEY: ClassVar[tuple[str, ...]] = ("project_id", "resource")

    project_id: str
    resource: str
    quota: int


def limit(tx: Transaction, project_id: str, resource: str) -> int:
    """How many a project may have; -1 for any number."""
    if unified_limits.switched_on(tx, "network"):
        return unified_limits.limits(tx, "network", project_id).get(resource, DEFAULTS[resource])
    row = tx.one("SELECT quota FROM network_quotas WHERE project_id = ? AND resource = ?", [project_id, resource])
    return DEFAULTS[resource] if row is None else int(row[0])


def used(tx: Transaction, project_id: str, resource: str) -> int:
    """How many a project has."""
    row = tx.one(_COUNTS[resource], [project_id])
    return int(row[0]) if row else 0


def check(tx: Transaction, project_id: str, resource: str, more: int = 1) -> None:
    """Raises OverQuota when a project may not have ``more`` of a resource. The cloud's own things belong to no project."""
    if not project_id:
        return
    most = limit(tx, project_id, resource)
    if most != UNLIMITED and used(tx, project_id, resource) + more > most:
        raise OverQuota(f"Quota exceeded for resources: ['{resource}'].", kind="OverQuota", limit=most)


def of_project(tx: Transaction, project_id: str) -> dict[str, int]:
    """All limits of a project."""
    if unified_limits.switched_on(tx, "network"):
        found = unified_limits.limits(tx, "network", project_id)
        return {resource: found.get(resource, default) for resource, default in DEFAULTS.items()}
    own = records.select(tx, NetworkQuota, "project_id = ?", [project_id])
    return DEFAULTS | {row.resource: row.quota for row in own}


def overridden(tx: Transaction) -> dict[str, dict[str, int]]:
    """All limits of each project that has one of its own."""
    projects: dict[str, dict[str, int]] = {}
    for row in records.select(tx, NetworkQuota, "1 = 1 ORDER BY project_id"):
        projects.setdefault(row.project_id, dict(DEFAULTS))[row.resource] = row.quota
    return projects


def change(tx: Transaction, project_id: str, limits: dict[str, int], *, force: bool = False) -> None:
    """Set limits of a project. Raises Invalid where it has more already, unless ``force``."""
    for resource, most in limits.items():
        has = used(tx, project_id, resource)
        if not force and most != UNLIMITED and has > most:
            raise Invalid(
                f"Quota limit {most} for {resource} must be greater than or equal to already used {has}",
                kind="HTTPBadRequest",
            )
        tx.execute("DELETE FROM network_quotas WHERE project_id = ? AND resource = ?", [project_id, resource])
        records.insert(tx, NetworkQuota(project_id=project_id, resource=resource, quota=most))


def reset(tx: Transaction, project_id: str) -> None:
    """Back to the defaults. Raises NotFound when the project has no limits of its own."""
    if tx.execute("DELETE FROM network_quotas WHERE project_id = ?", [project_id]) == 0:
        raise NotFound(f"Quota for project {project_id} could not be found.", kind="ProjectQuotaNotFound")
