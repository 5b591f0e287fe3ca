"""Compute's quotas of a project: limits, what is in use of them, and changes that must not fall below it."""

from collections.abc import Mapping

from minicloud.base.errors import Invalid, NotFound
from minicloud.core import quota
from minicloud.core.compute import server_groups
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
    return {**dict.fromkeys(quota.DEFAULTS[SERVICE], 0), **usage(tx, project_id), **groups}


def change(tx: Transaction, project_id: str, values: Mapping[str, int], *, force: bool) -> None:
    """Other limits for a project. Unless forced, none below what it has already: raises Invalid."""
    require_project(tx, project_id)
    if not force:
        used = in_use(tx, project_id)
        for resource, limit in values.items():
            if limit != quota.UNLIMITED and limit < used[resource]:
                raise Invalid(
                    f"Quota limit {limit} for {resource} must be greater than or equal to already used and reserved "
                    f"{used[resource]}."
                )
    quota.set_limits(tx, SERVICE, project_id, values)
