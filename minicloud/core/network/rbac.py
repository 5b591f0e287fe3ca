"""Who else may use what a project owns: entries of an object, an action and a project, or ``*`` for all of them.

Networks and subnet pools have a mark ``shared`` besides, and networks one that says ``external``, which are kept in step here:
most reads want no more than the mark.
"""

from typing import ClassVar, LiteralString

import msgspec

from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import standard
from minicloud.core.network.rows import (
    AddressGroup,
    AddressScope,
    Network,
    QosPolicy,
    SecurityGroup,
    SubnetPool,
)
from minicloud.core.network.standard import Mine, Owned, Resource
from minicloud.core.records import AnyOf, Condition
from minicloud.engines.database import Transaction

EVERYBODY = "*"
SHARED = "access_as_shared"
EXTERNAL = "access_as_external"


class RbacPolicy(Owned, kw_only=True):
    """An entry: a project that may use an object, and how."""

    TABLE = "network_rbac"
    MISSING: ClassVar[str] = "RBAC policy of type unknown with ID {id} not found"
    MISSING_KIND: ClassVar[str | None] = "RbacPolicyNotFound"

    object_type: str
    object_id: str
    action: str
    target_project: str


class Shareable(msgspec.Struct, frozen=True):
    """A kind of object. ``users`` selects the projects that use one; ``marked``: its rows have the mark ``shared``."""

    record: type[Owned]
    users: LiteralString
    actions: tuple[str, ...] = (SHARED,)
    marked: bool = False


KINDS = {
    "network": Shareable(
        Network,
        "SELECT DISTINCT project_id FROM ports WHERE network_id = ? AND project_id <> ''",
        (SHARED, EXTERNAL),
        marked=True,
    ),
    "qos_policy": Shareable(
        QosPolicy,
        "SELECT project_id FROM ports WHERE qos_policy_id = ?1 UNION SELECT project_id FROM networks WHERE qos_policy_id = ?1 "
        "UNION SELECT project_id FROM floating_ips WHERE qos_policy_id = ?1 "
        "UNION SELECT project_id FROM routers WHERE gateway_qos_policy_id = ?1",
    ),
    "security_group": Shareable(
        SecurityGroup,
        "SELECT DISTINCT p.project_id FROM port_security_groups b JOIN ports p ON p.id = b.port_id "
        "WHERE b.security_group_id = ?",
    ),
    "address_scope": Shareable(AddressScope, "SELECT DISTINCT project_id FROM subnet_pools WHERE address_scope_id = ?"),
    "subnetpool": Shareable(SubnetPool, "SELECT DISTINCT project_id FROM subnets WHERE subnetpool_id = ?", marked=True),
    "address_group": Shareable(
        AddressGroup, "SELECT DISTINCT project_id FROM security_group_rules WHERE remote_address_group_id = ?"
    ),
}
"""What can be shared, by upstream's names."""


def shared_ids(tx: Transaction, context: Context, object_type: str, *, external: bool = False) -> list[str]:
    """The ids of objects that are shared with whoever asks; of external networks, too, if asked."""
    rows = tx.all(
        "SELECT DISTINCT object_id FROM network_rbac WHERE object_type = ? AND target_project IN ('*', ?) "
        "AND (action = 'access_as_shared' OR ?)",
        [object_type, context.project_id or "", external],
    )
    return [object_id for (object_id,) in rows]


def is_shared(tx: Transaction, context: Context, object_id: str, *, external: bool = False) -> bool:
    """Whether an object is shared with whoever asks, or is an external network of theirs if that counts."""
    row = tx.one(
        "SELECT 1 FROM network_rbac WHERE object_id = ? AND target_project IN ('*', ?) "
        "AND (action = 'access_as_shared' OR ?) LIMIT 1",
        [object_id, context.project_id or "", external],
    )
    return row is not None


def visible(tx: Transaction, context: Context, object_type: str) -> list[Condition | AnyOf]:
    """The condition under which an object exists for whoever asks: own, or shared with them."""
    if context.is_admin:
        return []
    ids = shared_ids(tx, context, object_type, external=True)
    return [AnyOf([Condition("project_id", "=", context.project_id or ""), Condition("id", "in", ids)])]


def sees(tx: Transaction, context: Context, record: Owned) -> bool:
    """Whether an object exists for whoever asks."""
    return context.sees(record.project_id) or is_shared(tx, context, record.id, external=True)


def get(tx: Transaction, context: Context, kind: type[Mine], object_id: str) -> Mine:
    """An object that exists for whoever asks: own, or shared with them. Raises NotFound."""
    found = records.find(tx, kind, object_id)
    if found is None or not sees(tx, context, found):
        raise kind.missing(object_id)
    return found


def page(tx: Transaction, context: Context, object_type: str, kind: type[Mine], query: records.Query) -> list[Mine]:
    """A page of the objects that exist for whoever asks."""
    where = [*query.where, *visible(tx, context, object_type)]
    return records.page(tx, kind, msgspec.structs.replace(query, where=where))


def mark(tx: Transaction, object_type: str, record: Owned, action: str = SHARED) -> None:
    """Share an object with everybody, as the attributes ``shared`` and ``router:external`` do."""
    if tx.one(
        "SELECT 1 FROM network_rbac WHERE object_id = ? AND action = ? AND target_project = '*'", [record.id, action]
    ):
        return
    records.insert(
        tx,
        RbacPolicy(
            id=tx.ids.uuid(),
            project_id=record.project_id,
            object_type=object_type,
            object_id=record.id,
            action=action,
            target_project=EVERYBODY,
        ),
    )


def unmark(tx: Transaction, object_id: str, action: str = SHARED) -> None:
    """Share an object with everybody no more. An external network that is none any more is so for nobody."""
    if action == EXTERNAL:
        tx.execute("DELETE FROM network_rbac WHERE object_id = ? AND action = ?", [object_id, action])
    else:
        tx.execute(
            "DELETE FROM network_rbac WHERE object_id = ? AND action = ? AND target_project = '*'", [object_id, action]
        )


def forget(tx: Transaction, object_id: str) -> None:
    """An object is gone: nobody may use it any more."""
    tx.execute("DELETE FROM network_rbac WHERE object_id = ?", [object_id])


def set_shared(tx: Transaction, object_type: str, record: Owned, shared: bool) -> None:
    """Share an object with everybody, or no more. Raises Conflict (``RbacPolicyInUse``) while others use it by that."""
    if shared:
        mark(tx, object_type, record)
        return
    refuse_in_use(tx, object_type, record, EVERYBODY)
    unmark(tx, record.id)


def refuse_in_use(tx: Transaction, object_type: str, record: Owned, losing: str) -> None:
    """Raises Conflict when a project that is ``losing`` its access uses the object."""
    object_id, owner = record.id, record.project_id
    if losing == owner:
        return
    entries = tx.all(
        "SELECT target_project FROM network_rbac WHERE object_id = ? AND action = 'access_as_shared'", [object_id]
    )
    # Upstream spares an owner's own ports of a network, and not what an owner does with anything else.
    spared = {owner} if object_type == "network" else set()
    allowed = {target for (target,) in entries if target != losing} | spared
    if EVERYBODY in allowed:
        return
    users = {project for (project,) in tx.all(KINDS[object_type].users, [object_id])}
    if (users - allowed) if losing == EVERYBODY else losing in users:
        if object_type == "network":
            details = f"Unable to reconfigure sharing settings for network {object_id}. Multiple projects are using it."
        else:
            details = f"project_id={losing}"
        raise in_use(object_id, details)


def in_use(object_id: str, details: str) -> Conflict:
    """An entry that others depend on."""
    return Conflict(
        f"RBAC policy on object {object_id} cannot be removed because other objects depend on it.\nDetails: {details}",
        kind="RbacPolicyInUse",
    )


def refresh(tx: Transaction, object_type: str, object_id: str) -> None:
    """Bring an object's marks in step with its entries."""
    kind = KINDS[object_type]
    record = records.find(tx, kind.record, object_id)
    if not kind.marked or not isinstance(record, Resource):
        return
    entries = {
        (action, target)
        for action, target in tx.all("SELECT action, target_project FROM network_rbac WHERE object_id = ?", [object_id])
    }
    changes: dict[str, bool] = {"shared": (SHARED, EVERYBODY) in entries}
    if object_type == "network":
        changes["external"] = any(action == EXTERNAL for action, _ in entries)
    standard.change(tx, record, **changes)


def check_action(object_type: str, action: str) -> None:
    """Raises Invalid for an action that objects of this type do not know."""
    known = KINDS[object_type].actions
    if action not in known:
        raise Invalid(
            f"Invalid action '{action}' for object type '{object_type}'. Valid actions: {', '.join(known)}",
            kind="InvalidInput",
        )
