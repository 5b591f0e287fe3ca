"""Server groups: servers that shall share a host, or shall not; what the policy of a group is, and who is in it where."""

from collections.abc import Iterable
from typing import Any

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Invalid, NotFound
from minicloud.core import quota, records
from minicloud.core.context import Context
from minicloud.engines.database import Transaction

AFFINITY, ANTI_AFFINITY = "affinity", "anti-affinity"
SOFT_AFFINITY, SOFT_ANTI_AFFINITY = "soft-affinity", "soft-anti-affinity"
POLICIES = (AFFINITY, ANTI_AFFINITY, SOFT_AFFINITY, SOFT_ANTI_AFFINITY)


class ServerGroup(records.Record, kw_only=True):
    """A group of a project. ``rules`` may say ``max_server_per_host`` where the policy is anti-affinity."""

    TABLE = "server_groups"
    MISSING = "Instance group {id} could not be found."

    id: str
    project_id: str
    user_id: str
    name: str
    policy: str
    rules: dict[str, int] = {}
    created_at: str

    @property
    def most_per_host(self) -> int:
        """How many of its servers may live on one host where they shall not share."""
        return self.rules.get("max_server_per_host", 1)


class Members(msgspec.Struct, frozen=True):
    """A group with the ids of its servers that are not deleted."""

    group: ServerGroup
    servers: list[str]


def get(tx: Transaction, context: Context, group_id: str) -> Members:
    """A group that exists for whoever asks. Raises NotFound."""
    found = records.find(tx, ServerGroup, group_id)
    if found is None or not context.sees(found.project_id):
        raise ServerGroup.missing(group_id)
    return Members(found, servers_of(tx, [group_id]).get(group_id, []))


def page(tx: Transaction, project_id: str | None, *, limit: int, offset: int) -> list[Members]:
    """Groups of a project, or of all for None, oldest first."""
    if project_id is None:
        found = records.select(tx, ServerGroup, "1 = 1 ORDER BY created_at, id LIMIT ? OFFSET ?", [limit, offset])
    else:
        found = records.select(
            tx,
            ServerGroup,
            "project_id = ? ORDER BY created_at, id LIMIT ? OFFSET ?",
            [project_id, limit, offset],
        )
    within = servers_of(tx, [group.id for group in found])
    return [Members(group, within.get(group.id, [])) for group in found]


def create(tx: Transaction, context: Context, *, name: str, policy: str, rules: dict[str, int]) -> Members:
    """A new group of this project. Raises OverQuota; Invalid for rules where the policy has none."""
    project_id = context.require_project()
    quota.check(tx, "compute", project_id, {"server_groups": 1}, lambda: {"server_groups": count(tx, project_id)})
    if rules and policy != ANTI_AFFINITY:
        raise Invalid("Only anti-affinity policy supports rules.")
    made = ServerGroup(
        id=tx.ids.uuid(),
        project_id=project_id,
        user_id=context.user_id,
        name=name,
        policy=policy,
        rules=rules,
        created_at=tx.now,
    )
    trace.note("server_group_created", group=made.id, name=name, policy=policy, rules=rules)
    return Members(records.insert(tx, made), [])


def delete(tx: Transaction, context: Context, group_id: str) -> None:
    """Forget a group; its servers stay where they are. Raises NotFound."""
    records.remove(tx, get(tx, context, group_id).group)
    trace.note("server_group_deleted", group=group_id)


def count(tx: Transaction, project_id: str, user_id: str | None = None) -> int:
    """How many groups a project, or one of its users, has."""
    mine = [] if user_id is None else [records.Condition("user_id", "=", user_id)]
    return records.count(tx, ServerGroup, [records.Condition("project_id", "=", project_id), *mine])


def for_boot(tx: Transaction, context: Context, hints: dict[str, Any], servers: int) -> ServerGroup | None:
    """The group that a scheduler hint names, with room for so many more servers; None without the hint.

    Raises Invalid, in Nova's words, for a hint that names none; OverQuota where the group would have too many members.
    """
    hint = hints.get("group")
    if hint is None:
        return None
    try:
        found = get(tx, context, str(hint))
    except NotFound as error:
        raise Invalid(error.message) from error
    deltas = {"server_group_members": servers}

    def used() -> dict[str, int]:
        return {"server_group_members": len(found.servers)}

    quota.check(tx, "compute", context.require_project(), deltas, used)
    return found.group


def join(tx: Transaction, group_id: str, server_id: str, user_id: str) -> None:
    """A server is in a group from now on."""
    tx.execute(
        "INSERT INTO server_group_members (server_id, group_id, user_id) VALUES (?, ?, ?)",
        [server_id, group_id, user_id],
    )


def servers_of(tx: Transaction, group_ids: Iterable[str]) -> dict[str, list[str]]:
    """For each group its servers that are not deleted, oldest first."""
    found: dict[str, list[str]] = {}
    for group_id in group_ids:
        rows = tx.all(
            "SELECT m.server_id FROM server_group_members m JOIN servers s ON s.id = m.server_id "
            "WHERE m.group_id = ? AND s.deleted = 0 ORDER BY s.created_at, s.id",
            [group_id],
        )
        found[group_id] = [row[0] for row in rows]
    return found


def group_of(tx: Transaction, server_id: str) -> ServerGroup | None:
    """The group of a server."""
    found = records.select(
        tx, ServerGroup, "id = (SELECT group_id FROM server_group_members WHERE server_id = ?)", [server_id]
    )
    return found[0] if found else None


def where(tx: Transaction, group_id: str, *, but: str) -> dict[str, int]:
    """How many servers of a group live on each host, without one of them."""
    rows = tx.all(
        "SELECT s.host, count(*) FROM server_group_members m JOIN servers s ON s.id = m.server_id "
        "WHERE m.group_id = ? AND s.deleted = 0 AND s.host IS NOT NULL AND s.id <> ? GROUP BY s.host",
        [group_id, but],
    )
    return dict(rows)
