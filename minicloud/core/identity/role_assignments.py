"""The list of role assignments: as they are stored, or in effect, with groups, inheritance and implication spelled out."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from minicloud.core import records
from minicloud.core.identity import projects
from minicloud.core.identity.assignments import Grant
from minicloud.core.identity.groups import Group
from minicloud.core.identity.projects import Project
from minicloud.core.identity.roles import ImpliedRole, Role
from minicloud.core.identity.users import User
from minicloud.engines.database import Transaction


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which assignments are asked for; None asks for all."""

    role_id: str | None = None
    user_id: str | None = None
    group_id: str | None = None
    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    inherited: bool | None = None
    effective: bool = False
    subtree: bool = False


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """An assignment of the list. ``via_...`` tell where one in effect comes from: group, place above, prior role."""

    grant: Grant
    via_group: str | None = None
    via_target: tuple[str, str] | None = None
    via_role: str | None = None


class Names(msgspec.Struct, frozen=True):
    """What the ids of a list stand for."""

    users: dict[str, User]
    groups: dict[str, Group]
    projects: dict[str, Project]
    roles: dict[str, Role]


def listed(tx: Transaction, wanted: Wanted) -> list[Assigned]:
    """The assignments that are asked for, in a fixed order. Raises NotFound when the project of a subtree is not there."""
    places = None
    if wanted.project_id is not None:
        places = {wanted.project_id}
        if wanted.subtree:
            projects.get(tx, wanted.project_id)
            places |= {project.id for project in projects.subtree(tx, wanted.project_id)}
    stored = records.select(
        tx, Grant, "1 = 1 ORDER BY target_type, target_id, actor_type, actor_id, role_id, inherited"
    )
    if wanted.effective:
        found: Iterable[Assigned] = _in_effect(tx, [grant for grant in stored if grant.target_type != "system"])
        if wanted.inherited is not None:
            found = (assigned for assigned in found if (assigned.via_target is not None) == wanted.inherited)
    else:
        found = (Assigned(grant=grant) for grant in stored)
        if wanted.inherited is not None:
            found = (
                assigned
                for assigned in found
                if assigned.grant.target_type == "system" or assigned.grant.inherited == wanted.inherited
            )
    return [assigned for assigned in found if _meets(assigned.grant, wanted, places)]


def _meets(grant: Grant, wanted: Wanted, places: set[str] | None) -> bool:
    if wanted.role_id is not None and grant.role_id != wanted.role_id:
        return False
    if wanted.user_id is not None and (grant.actor_type, grant.actor_id) != ("user", wanted.user_id):
        return False
    if wanted.group_id is not None and (grant.actor_type, grant.actor_id) != ("group", wanted.group_id):
        return False
    if places is not None and (grant.target_type != "project" or grant.target_id not in places):
        return False
    if wanted.domain_id is not None and (grant.target_type, grant.target_id) != ("domain", wanted.domain_id):
        return False
    return not wanted.system or wanted.effective or grant.target_type == "system"


def _in_effect(tx: Transaction, stored: list[Grant]) -> Iterator[Assigned]:
    """Groups as their members, inherited ones as what they give below, prior roles with what they imply."""
    members: dict[str, list[str]] = {}
    for group_id, user_id in tx.all("SELECT group_id, user_id FROM group_members ORDER BY group_id, user_id"):
        members.setdefault(group_id, []).append(user_id)
    implied: dict[str, list[str]] = {}
    for rule in records.select(tx, ImpliedRole, "1 = 1 ORDER BY prior_role_id, implied_role_id"):
        implied.setdefault(rule.prior_role_id, []).append(rule.implied_role_id)
    global_roles = {row[0] for row in tx.all("SELECT id FROM roles WHERE domain_id IS NULL")}
    below: dict[str, list[str]] = {}
    for grant in stored:
        for assigned in _spread(tx, grant, members, below):
            for one in _with_implied(assigned, implied):
                if one.grant.role_id in global_roles:
                    yield one


def _spread(
    tx: Transaction, grant: Grant, members: dict[str, list[str]], below: dict[str, list[str]]
) -> Iterator[Assigned]:
    if grant.inherited:
        if grant.target_id not in below:
            below[grant.target_id] = [project.id for project in projects.subtree(tx, grant.target_id)]
        at = [("project", target_id) for target_id in below[grant.target_id]]
        via: tuple[str, str] | None = (grant.target_type, grant.target_id)
    else:
        at, via = [(grant.target_type, grant.target_id)], None
    who = members.get(grant.actor_id, []) if grant.actor_type == "group" else [grant.actor_id]
    for user_id in who:
        for target_type, target_id in at:
            yield Assigned(
                grant=grant.with_(
                    actor_type="user", actor_id=user_id, target_type=target_type, target_id=target_id, inherited=False
                ),
                via_group=grant.actor_id if grant.actor_type == "group" else None,
                via_target=via,
            )


def _with_implied(assigned: Assigned, implied: dict[str, list[str]]) -> Iterator[Assigned]:
    yield assigned
    seen, waiting = {assigned.grant.role_id}, [assigned.grant.role_id]
    while waiting:
        prior = waiting.pop()
        for role_id in implied.get(prior, []):
            if role_id not in seen:
                seen.add(role_id)
                waiting.append(role_id)
                yield msgspec.structs.replace(assigned, grant=assigned.grant.with_(role_id=role_id), via_role=prior)


def names(tx: Transaction, found: list[Assigned]) -> Names:
    """The things that a list of assignments mentions, with the domains they are in."""
    grants = [assigned.grant for assigned in found]
    named_users = _by_id(tx, User, (g.actor_id for g in grants if g.actor_type == "user"))
    named_groups = _by_id(tx, Group, (g.actor_id for g in grants if g.actor_type == "group"))
    named_roles = _by_id(tx, Role, (g.role_id for g in grants))
    named_projects = _by_id(tx, Project, (g.target_id for g in grants if g.target_type != "system"))
    domain_ids = [
        thing.domain_id
        for group in (named_users, named_groups, named_projects, named_roles)
        for thing in group.values()
        if thing.domain_id is not None
    ]
    return Names(named_users, named_groups, named_projects | _by_id(tx, Project, domain_ids), named_roles)


N = TypeVar("N", User, Group, Role, Project)


def _by_id(tx: Transaction, kind: type[N], ids: Iterable[str]) -> dict[str, N]:
    return {row.id: row for row in records.select_in(tx, kind, "id", set(ids))}
