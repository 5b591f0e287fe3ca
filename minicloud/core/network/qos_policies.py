"""Policies of quality of service, which ports, networks, floating addresses and gateways of routers may have."""

from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec

from minicloud.base.errors import Conflict, Forbidden
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import rbac, standard
from minicloud.core.network.rows import QosPolicy
from minicloud.engines.database import Transaction

_USERS: list[tuple[str, LiteralString]] = [
    ("network", "SELECT id FROM networks WHERE qos_policy_id = ? ORDER BY id LIMIT 1"),
    ("port", "SELECT id FROM ports WHERE qos_policy_id = ? ORDER BY id LIMIT 1"),
    ("fip", "SELECT id FROM floating_ips WHERE qos_policy_id = ? ORDER BY id LIMIT 1"),
    ("router", "SELECT id FROM routers WHERE gateway_qos_policy_id = ? ORDER BY id LIMIT 1"),
]


def get(tx: Transaction, context: Context, policy_id: str) -> QosPolicy:
    """A policy that exists for whoever asks. Raises NotFound."""
    return rbac.get(tx, context, QosPolicy, policy_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[QosPolicy]:
    """A page of the policies that exist for whoever asks."""
    return rbac.page(tx, context, "qos_policy", QosPolicy, query)


def create(tx: Transaction, context: Context, *, project_id: str, shared: bool = False, **values: Any) -> QosPolicy:
    """A new policy. Raises Conflict (``QoSPolicyDefaultAlreadyExists``) for a second default one of a project."""
    if values.get("is_default"):
        _refuse_second_default(tx, project_id)
    policy = records.insert(
        tx, QosPolicy(id=tx.ids.uuid(), project_id=project_id, created_at=tx.now, updated_at=tx.now, **values)
    )
    if shared:
        rbac.mark(tx, "qos_policy", policy)
    return policy


def change(tx: Transaction, context: Context, policy: QosPolicy, **values: Any) -> QosPolicy:
    """Change a policy. Raises Conflict for a second default one, or one that others use and that shall be shared no more."""
    shared: bool | None = values.pop("shared", None)
    if values.get("is_default") and not policy.is_default:
        _refuse_second_default(tx, policy.project_id)
    if shared is not None:
        rbac.set_shared(tx, "qos_policy", policy, shared)
    return standard.change(tx, policy, **values)


def delete(tx: Transaction, context: Context, policy: QosPolicy) -> None:
    """Delete a policy and its rules. Raises Conflict (``QosPolicyInUse``) while something has it."""
    for kind, query in _USERS:
        row = tx.one(query, [policy.id])
        if row is not None:
            raise Conflict(f"QoS Policy {policy.id} is used by {kind} {row[0]}.", kind="QosPolicyInUse")
    rbac.forget(tx, policy.id)
    records.remove(tx, policy)


def default_of(tx: Transaction, project_id: str) -> str | None:
    """The policy that new networks of a project get, if it has one."""
    row = tx.one("SELECT id FROM qos_policies WHERE project_id = ? AND is_default = 1", [project_id])
    return None if row is None else str(row[0])


def check(tx: Transaction, context: Context, policy_id: str | None) -> None:
    """Raises NotFound unless a policy exists for whoever wants to use it."""
    if policy_id is not None:
        get(tx, context, policy_id)


def check_change(tx: Transaction, context: Context, old_id: str | None, new_id: str | None) -> None:
    """Raises NotFound for a new policy that is not there, Forbidden where the old one is another's to take away."""
    check(tx, context, new_id)
    if old_id is None or old_id == new_id:
        return
    old = records.find(tx, QosPolicy, old_id)
    if old is not None and not rbac.sees(tx, context, old):
        raise Forbidden(
            f"Failed to remove provided policy {old_id} because you are not authorized.",
            kind="PolicyRemoveAuthorizationError",
        )


def of_networks(tx: Transaction, network_ids: Sequence[str]) -> dict[str, str]:
    """The policies of networks, by network; those without one are left out."""
    rows = tx.all(
        "SELECT id, qos_policy_id FROM networks WHERE qos_policy_id IS NOT NULL "
        "AND id IN (SELECT value FROM json_each(?))",
        [msgspec.json.encode(list(network_ids)).decode()],
    )
    return dict(rows)


def _refuse_second_default(tx: Transaction, project_id: str) -> None:
    if default_of(tx, project_id) is not None:
        raise Conflict(f"A default QoS policy exists for project {project_id}.", kind="QoSPolicyDefaultAlreadyExists")
