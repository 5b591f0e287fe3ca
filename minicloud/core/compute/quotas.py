"""Compute's quotas of a project and of its users: limits, what is in use of them, and changes that must not fall below it."""

from collections.abc import Mapping

from minicloud.base.errors import Invalid, NotFound
from minicloud.core import quota, unified_limits, user_quotas
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


def in_use(tx: Transaction, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """How much of each resource the project, or one of its users, has; 0 for those that are counted per server or per user."""
    groups = {"server_groups": server_groups.count(tx, project_id, user_id)}
    return {**dict.fromkeys(quota.DEFAULTS[SERVICE], 0), **_servers(tx, project_id, user_id), **groups}


def _servers(tx: Transaction, project_id: str, user_id: str | None) -> dict[str, int]:
    if user_id is not None or not unified_limits.switched_on(tx, SERVICE):
        return usage(tx, project_id, user_id)
    used = unified_quotas.in_use(tx, project_id)
    return {resource: used.get(name, 0) for resource, name in unified_quotas.LEGACY.items()}


def limits(tx: Transaction, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """The limits of a project, or of one of its users."""
    if user_id is None or unified_limits.switched_on(tx, SERVICE):
        return quota.limits(tx, SERVICE, project_id)
    return user_quotas.limits(tx, SERVICE, project_id, user_id)


def change(
    tx: Transaction, project_id: str, values: Mapping[str, int], *, force: bool, user_id: str | None = None
) -> None:
    """Other limits for a project, or for one of its users.

    Where unified limits are switched on nothing is changed, as by upstream: identity keeps the limits then.
    Unless forced, none below what is in use already, nor a user's above the project's: raises Invalid.
    """
    require_project(tx, project_id)
    if unified_limits.switched_on(tx, SERVICE):
        return
    if not force:
        used = in_use(tx, project_id, user_id)
        most = {} if user_id is None else limits(tx, project_id)
        for resource, limit in values.items():
            if limit != quota.UNLIMITED and limit < used.get(resource, 0):
                raise Invalid(
                    f"Quota limit {limit} for {resource} must be greater than or equal to already used and reserved "
                    f"{used.get(resource, 0)}."
                )
            top = most.get(resource, quota.UNLIMITED)
            if top != quota.UNLIMITED and (limit == quota.UNLIMITED or limit > top):
                raise Invalid(f"Quota limit {limit} for {resource} must be less than or equal to {top}.")
    if user_id is None:
        quota.set_limits(tx, SERVICE, project_id, values)
    else:
        user_quotas.set_limits(tx, SERVICE, project_id, user_id, values)


def reset(tx: Transaction, project_id: str, user_id: str | None = None) -> None:
    """The defaults again: of a project and all its users, or the project's for one user."""
    if user_id is None:
        quota.reset(tx, SERVICE, project_id)
    user_quotas.reset(tx, SERVICE, project_id, user_id)
