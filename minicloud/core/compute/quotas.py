"""Compute's quotas of a project: limits, what is in use of them, and changes that must not fall below it."""

from collections.abc import Mapping

from minicloud.base.errors import Invalid, NotFound
from minicloud.core import quota, unified_limits
from minicloud.core.compute import server_groups, unified_quotas
from minicloud.core.compute.requests import usage
from minicloud.core.identity import projects
from minicloud.engines.database import Transaction

SERVICE = "compute"


def require_project(tx: Transaction, project_id: str) -> None:
    """Raises Invalid when there is no such project, as every call that names one in a path or body is answered."""
    try:
        found = projects.get(tx, project_id)
    except NotFound as error:
        raise Invalid(f"Project ID {project_id} is not a valid project.") from error
    if found.is_domain:
        raise Invalid(f"Project ID {project_id} is not a valid project.")


def in_use(tx: Transaction, project_id: str) -> dict[str, int]:
    """How much of each resource the project has; 0 for those that are counted per server or per user."""
    groups = {"server_groups": server_groups.count(tx, project_id)}
    return {**dict.fromkeys(quota.DEFAULTS[SERVICE], 0), **_servers(tx, project_id), **groups}


def _servers(tx: Transaction, project_id: str) -> dict[str, int]:
    if not unified_limits.switched_on(tx, SERVICE):
        return usage(tx, project_id)
    used = unified_quotas.in_use(tx, project_id)
    return {resource: used.get(name, 0) for resource, name in unified_quotas.LEGACY.items()}


def change(tx: Transaction, project_id: str, values: Mapping[str, int], *, force: bool) -> None:
    """Other limits for a project. Unless forced, none below what it has already: raises Invalid.

    Where unified limits are switched on nothing is changed, as by upstream: identity keeps the limits then.
    """
    require_project(tx, project_id)
    if unified_limits.switched_on(tx, SERVICE):
        return
    if not force:
        used = in_use(tx, project_id)
        for resource, limit in values.items():
            if limit != quota.UNLIMITED and limit < used[resource]:
                raise Invalid(
                    f"Quota limit {limit} for {resource} must be greater than or equal to already used and reserved "
                    f"{used[resource]}."
                )
    quota.set_limits(tx, SERVICE, project_id, values)
