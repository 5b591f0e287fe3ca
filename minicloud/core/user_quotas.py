"""Limits of single users within their project: never more than the project's own, and only where somebody set them."""

from collections.abc import Mapping

from minicloud.base import trace
from minicloud.core import quota
from minicloud.core.quota import Usage
from minicloud.engines.database import Transaction


def own_limits(tx: Transaction, service: str, project_id: str, user_id: str) -> dict[str, int]:
    """Only those limits that somebody set for the user in the project."""
    rows = tx.all(
        "SELECT resource, hard_limit FROM user_quotas WHERE service = ? AND project_id = ? AND user_id = ?",
        [service, project_id, user_id],
    )
    return dict(rows)


def limits(tx: Transaction, service: str, project_id: str, user_id: str) -> dict[str, int]:
    """The limits of a user in a project: the project's where nobody set others."""
    return {**quota.limits(tx, service, project_id), **own_limits(tx, service, project_id, user_id)}


def set_limits(tx: Transaction, service: str, project_id: str, user_id: str, values: Mapping[str, int]) -> None:
    """Limits of a user in a project, from now on."""
    trace.note("user_quota_set", service=service, project=project_id, user=user_id, limits=dict(values))
    tx.many(
        "INSERT INTO user_quotas (service, project_id, user_id, resource, hard_limit) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (service, project_id, user_id, resource) DO UPDATE SET hard_limit = excluded.hard_limit",
        [(service, project_id, user_id, resource, limit) for resource, limit in values.items()],
    )


def reset(tx: Transaction, service: str, project_id: str, user_id: str | None = None) -> None:
    """A user, or every user of the project, has the project's limits again."""
    if user_id is None:
        tx.execute("DELETE FROM user_quotas WHERE service = ? AND project_id = ?", [service, project_id])
    else:
        tx.execute(
            "DELETE FROM user_quotas WHERE service = ? AND project_id = ? AND user_id = ?",
            [service, project_id, user_id],
        )


def check(
    tx: Transaction, service: str, project_id: str, user_id: str, deltas: Mapping[str, int], usage: Usage
) -> None:
    """Whether the user may have this much more; ``usage`` is the user's own. Raises OverQuota as ``quota.check`` does."""
    own = own_limits(tx, service, project_id, user_id)
    binding = {resource: more for resource, more in deltas.items() if resource in own}
    if binding:
        quota.check_against(service, project_id, binding, usage, own)
