"""Role assignments: who holds which role where, directly, through a group, from above, or because another role implies it."""

from typing import Literal

import msgspec

from minicloud.base.errors import Forbidden, Invalid, NotFound
from minicloud.core import records
from minicloud.core.identity import domains, projects
from minicloud.core.identity.projects import Project
from minicloud.core.identity.roles import Role
from minicloud.core.identity.roles import get as get_role
from minicloud.engines.database import Transaction

ActorType = Literal["user", "group"]
TargetType = Literal["project", "domain", "system"]


class Grant(records.Record, kw_only=True):
    """A role assignment as it is stored. ``inherited`` ones hold not at their target but in all projects below it."""

    TABLE = "role_assignments"
    KEY = ("actor_type", "actor_id", "target_type", "target_id", "role_id", "inherited")

    actor_type: ActorType
    actor_id: str
    target_type: TargetType
    target_id: str
    role_id: str
    inherited: bool = False


class Scope(msgspec.Struct, frozen=True):
    """Where roles are asked for. ``target_id`` is ``all`` for the system."""

    target_type: TargetType
    target_id: str


def project_scope(project_id: str) -> Scope:
    """A project as scope."""
    return Scope("project", project_id)


def domain_scope(domain_id: str) -> Scope:
    """A domain as scope."""
    return Scope("domain", domain_id)


SYSTEM = Scope("system", "all")


def effective_roles(tx: Transaction, user_id: str, scope: Scope) -> list[Role]:
    """All roles that a user holds in a scope, by name: own, of groups, inherited and implied; domain roles are left out."""
    return records.select(
        tx,
        Role,
        """domain_id IS NULL AND id IN (
            WITH RECURSIVE
                above (id, parent_id) AS (
                    SELECT id, parent_id FROM projects WHERE id = ?
                    UNION
                    SELECT p.id, p.parent_id FROM projects p JOIN above a ON p.id = a.parent_id
                ),
                held (role_id) AS (
                    SELECT role_id FROM role_assignments g
                    WHERE ((g.actor_type = 'user' AND g.actor_id = ?)
                           OR (g.actor_type = 'group'
                               AND g.actor_id IN (SELECT group_id FROM group_members WHERE user_id = ?)))
                      AND ((g.target_type = ? AND g.target_id = ? AND g.inherited = 0)
                           OR (g.inherited = 1 AND g.target_id IN (SELECT id FROM above WHERE id <> ?)))
                    UNION
                    SELECT i.implied_role_id FROM implied_roles i JOIN held h ON i.prior_role_id = h.role_id
                )
            SELECT role_id FROM held
        ) ORDER BY name""",
        [
            scope.target_id if scope.target_type == "project" else None,
            user_id,
            user_id,
            scope.target_type,
            scope.target_id,
            scope.target_id,
        ],
    )


def grant(tx: Transaction, wanted: Grant) -> None:
    """Assign a role; content when it is assigned already.

    Raises NotFound when role or target are not there, Forbidden for a role of another domain than the project's, Invalid
    for a domain's role on the system.
    """
    role = get_role(tx, wanted.role_id)
    if wanted.target_type == "system" and role.domain_id is not None:
        raise Invalid(
            f"Role {role.id} is a domain-specific role. Unable to use a domain-specific role in a system assignment."
        )
    target = require_target(tx, Scope(wanted.target_type, wanted.target_id))
    if (
        target is not None
        and role.domain_id is not None
        and not target.is_domain
        and target.domain_id != role.domain_id
    ):
        raise Forbidden(
            f"Project {target.id} must be in the same domain as the role {role.id} being assigned.",
        )
    tx.execute(
        "INSERT INTO role_assignments (actor_type, actor_id, target_type, target_id, role_id, inherited) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [*_key(wanted)],
    )


def require(tx: Transaction, wanted: Grant) -> Role:
    """The role of a grant that is there. Raises NotFound."""
    role = get_role(tx, wanted.role_id)
    require_target(tx, Scope(wanted.target_type, wanted.target_id))
    if records.find(tx, Grant, *_key(wanted)) is None:
        where = "system" if wanted.target_type == "system" else wanted.target_id
        raise NotFound(
            f"Could not find role assignment with role: {wanted.role_id}, user or group: {wanted.actor_id}, "
            f"project, domain, or system: {where}."
        )
    return role


def revoke(tx: Transaction, wanted: Grant) -> None:
    """Take a role away; tokens that stood on it alone are void from now on. Raises NotFound.

    Application credentials for a project do not outlive the loss of a role there.
    """
    require(tx, wanted)
    records.remove(tx, wanted)
    if wanted.target_type == "project":
        who = "= ?" if wanted.actor_type == "user" else "IN (SELECT user_id FROM group_members WHERE group_id = ?)"
        tx.execute(
            f"DELETE FROM application_credentials WHERE project_id = ? AND user_id {who}",
            [wanted.target_id, wanted.actor_id],
        )


def granted(tx: Transaction, actor: ActorType, actor_id: str, scope: Scope, *, inherited: bool = False) -> list[Role]:
    """The roles assigned to an actor at a target itself, by name. Raises NotFound when the target is not there."""
    require_target(tx, scope)
    return records.select(
        tx,
        Role,
        "id IN (SELECT role_id FROM role_assignments WHERE actor_type = ? AND actor_id = ? AND target_type = ? "
        "AND target_id = ? AND inherited = ?) ORDER BY name",
        [actor, actor_id, scope.target_type, scope.target_id, inherited],
    )


def require_target(tx: Transaction, scope: Scope) -> Project | None:
    """The project or domain of a scope; None for the system. Raises NotFound."""
    match scope.target_type:
        case "project":
            return projects.get(tx, scope.target_id)
        case "domain":
            return domains.get(tx, scope.target_id)
        case "system":
            return None


def projects_of(tx: Transaction, user_id: str) -> list[Project]:
    """The projects in which a user holds a role, by name."""
    return records.select(
        tx,
        Project,
        """id IN (
            WITH RECURSIVE
                mine (target_type, target_id, inherited) AS (
                    SELECT target_type, target_id, inherited FROM role_assignments
                    WHERE (actor_type = 'user' AND actor_id = ?)
                       OR (actor_type = 'group' AND actor_id IN (SELECT group_id FROM group_members WHERE user_id = ?))
                ),
                below (id) AS (
                    SELECT p.id FROM projects p JOIN mine m ON p.parent_id = m.target_id WHERE m.inherited = 1
                    UNION
                    SELECT p.id FROM projects p JOIN below b ON p.parent_id = b.id
                )
            SELECT target_id FROM mine WHERE target_type = 'project' AND inherited = 0
            UNION
            SELECT id FROM below
        ) ORDER BY name""",
        [user_id, user_id],
    )


def domains_of(tx: Transaction, user_id: str) -> list[Project]:
    """The domains in which a user holds a role that is not only for what lies below, by name."""
    return records.select(
        tx,
        Project,
        "is_domain = 1 AND id IN (SELECT target_id FROM role_assignments WHERE target_type = 'domain' AND inherited = 0 "
        "AND ((actor_type = 'user' AND actor_id = ?) OR (actor_type = 'group' "
        "AND actor_id IN (SELECT group_id FROM group_members WHERE user_id = ?)))) ORDER BY name",
        [user_id, user_id],
    )


def _key(wanted: Grant) -> tuple[str, str, str, str, str, bool]:
    return (
        wanted.actor_type,
        wanted.actor_id,
        wanted.target_type,
        wanted.target_id,
        wanted.role_id,
        wanted.inherited,
    )
