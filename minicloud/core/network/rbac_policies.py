"""RBAC policies: the entries by which projects share what they own, as a resource."""

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import quotas, rbac, standard
from minicloud.core.network.rbac import EVERYBODY, EXTERNAL, RbacPolicy
from minicloud.core.network.rows import Network, SubnetPool
from minicloud.core.network.standard import Owned
from minicloud.engines.database import Transaction


def get(tx: Transaction, context: Context, policy_id: str) -> RbacPolicy:
    """An entry that exists for whoever asks: of their project, or for it. Raises NotFound."""
    return standard.own(tx, context, RbacPolicy, policy_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[RbacPolicy]:
    """A page of the entries that exist for whoever asks."""
    return standard.own_page(tx, context, RbacPolicy, query)


def create(
    tx: Transaction,
    context: Context,
    *,
    project_id: str,
    object_type: str,
    object_id: str,
    action: str,
    target_project: str,
) -> RbacPolicy:
    """Share an object. Raises OverQuota, NotFound, Invalid (another's, unknown action), Conflict (``DuplicateRbacPolicy``)."""
    rbac.check_action(object_type, action)
    record = _object(tx, context, object_type, object_id)
    if isinstance(record, SubnetPool) and record.address_scope_id is not None:
        _refuse_without_scope(tx, record, record.address_scope_id, target_project)
    quotas.check(tx, project_id, "rbac_policy")
    if tx.one(
        "SELECT 1 FROM network_rbac WHERE object_id = ? AND action = ? AND target_project = ?",
        [object_id, action, target_project],
    ):
        raise Conflict("An RBAC policy already exists with those values.", kind="DuplicateRbacPolicy")
    made = records.insert(
        tx,
        RbacPolicy(
            id=tx.ids.uuid(),
            project_id=project_id,
            object_type=object_type,
            object_id=object_id,
            action=action,
            target_project=target_project,
        ),
    )
    rbac.refresh(tx, object_type, object_id)
    trace.note("shared", object=object_id, kind=type(record).__name__, with_=target_project, action=action)
    return made


def change(tx: Transaction, context: Context, policy: RbacPolicy, *, target_project: str | None = None) -> RbacPolicy:
    """Share with another project instead. Raises Conflict (``RbacPolicyInUse``) while the present one uses it."""
    if target_project is None or target_project == policy.target_project:
        return policy
    _object(tx, context, policy.object_type, policy.object_id)
    if tx.one(
        "SELECT 1 FROM network_rbac WHERE object_id = ? AND action = ? AND target_project = ?",
        [policy.object_id, policy.action, target_project],
    ):
        raise Conflict("An RBAC policy already exists with those values.", kind="DuplicateRbacPolicy")
    _refuse_in_use(tx, policy, target_project)
    changed = records.change(tx, policy, target_project=target_project)
    rbac.refresh(tx, policy.object_type, policy.object_id)
    return changed


def delete(tx: Transaction, context: Context, policy: RbacPolicy) -> None:
    """Share no more. Raises Conflict (``RbacPolicyInUse``) while the other project uses it."""
    _refuse_in_use(tx, policy, None)
    records.remove(tx, policy)
    rbac.refresh(tx, policy.object_type, policy.object_id)
    trace.note("unshared", object=policy.object_id, with_=policy.target_project, action=policy.action)


def _object(tx: Transaction, context: Context, object_type: str, object_id: str) -> Owned:
    """What is shared, which must be one's own. Raises NotFound, Invalid."""
    kind = rbac.KINDS[object_type].record
    record = records.find(tx, kind, object_id)
    if record is None or not rbac.sees(tx, context, record):
        raise kind.missing(object_id)
    if not context.is_admin and record.project_id != context.project_id:
        what = "networks" if object_type == "network" else "objects"
        raise Invalid(
            f"Invalid input for operation: Only admins can manipulate policies on {what} they do not own.",
            kind="InvalidInput",
        )
    return record


def _refuse_without_scope(tx: Transaction, pool: SubnetPool, scope_id: str, target_project: str) -> None:
    """Raises Invalid where a pool would be shared with a project that has no access to its address scope."""
    if not tx.one(
        "SELECT 1 FROM network_rbac WHERE object_id = ? AND target_project IN ('*', ?)", [scope_id, target_project]
    ):
        raise Invalid(
            f"Invalid input for operation: Failed to create RBAC policy on object {pool.id} because target project doesn't "
            "have access to associated address scope..",
            kind="InvalidInput",
        )


def _refuse_in_use(tx: Transaction, policy: RbacPolicy, target_project: str | None) -> None:
    record = records.find(tx, rbac.KINDS[policy.object_type].record, policy.object_id)
    if record is None:
        return
    if policy.action == EXTERNAL:
        assert isinstance(record, Network)
        _refuse_routers(tx, record, policy.target_project, target_project)
    elif target_project != EVERYBODY:
        # Whoever gains access by the change is not spared: upstream counts what there is without it.
        rbac.refuse_in_use(tx, policy.object_type, record, policy.target_project)


def _refuse_routers(tx: Transaction, network: Network, losing: str, gaining: str | None) -> None:
    """Raises Conflict when a router of a project that loses an external network has its gateway there."""
    if losing == EVERYBODY and network.is_default:
        raise rbac.in_use(network.id, "Default external networks must be shared to everyone.")
    rows = tx.all(
        "SELECT target_project FROM network_rbac WHERE object_id = ? AND action = 'access_as_external'", [network.id]
    )
    allowed = {target for (target,) in rows if target != losing} | ({gaining} if gaining else set())
    if EVERYBODY in allowed:
        return
    routers = tx.all(
        "SELECT DISTINCT r.project_id FROM routers r JOIN ports p ON p.id = r.gateway_port_id WHERE p.network_id = ?",
        [network.id],
    )
    using = {project for (project,) in routers}
    if (using - allowed) if losing == EVERYBODY else losing in using:
        raise rbac.in_use(
            network.id, "There are routers attached to this network that depend on this policy for access."
        )
