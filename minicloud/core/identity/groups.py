"""Groups of users: what is assigned to a group holds for each of its members."""

from typing import Any

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.identity import domains, users, wording
from minicloud.core.identity.users import User
from minicloud.core.records import Query
from minicloud.engines.database import Transaction


class Group(records.Record, kw_only=True):
    """A group."""

    TABLE = "user_groups"
    MISSING = "Could not find group: {id}."

    id: str
    name: str
    domain_id: str
    description: str = ""
    extra: dict[str, Any] = {}
    created_at: str = ""


def find(tx: Transaction, group_id: str) -> Group | None:
    """The group with this id, or None."""
    return records.find(tx, Group, group_id)


def get(tx: Transaction, group_id: str) -> Group:
    """The group with this id. Raises NotFound."""
    return records.get(tx, Group, group_id)


def page(tx: Transaction, query: Query) -> list[Group]:
    """One page of groups."""
    return records.page(tx, Group, query)


def create(tx: Transaction, group: Group) -> Group:
    """Add a group. Raises NotFound when the domain is not there, Conflict when the name is taken."""
    domains.get(tx, group.domain_id)
    group = group.with_(name=group.name.strip(), created_at=tx.now)
    try:
        return records.insert(tx, group)
    except Conflict as error:
        raise wording.taken("group", group.name, group.domain_id) from error


def update(tx: Transaction, group_id: str, changes: dict[str, Any], extra: dict[str, Any]) -> Group:
    """Change a group; ``extra`` is merged. Raises NotFound, Invalid, Conflict."""
    old = get(tx, group_id)
    if changes.get("domain_id", old.domain_id) != old.domain_id:
        raise Invalid("Cannot change Domain ID")
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    if extra:
        changes["extra"] = {**old.extra, **extra}
    if not changes:
        return old
    try:
        return records.change(tx, old, **changes)
    except Conflict as error:
        raise wording.taken("group", changes.get("name", old.name), old.domain_id) from error


def delete(tx: Transaction, group_id: str) -> None:
    """Remove a group, its memberships and its assignments; its members' tokens are revoked. Raises NotFound."""
    group = get(tx, group_id)
    tx.execute("DELETE FROM tokens WHERE user_id IN (SELECT user_id FROM group_members WHERE group_id = ?)", [group_id])
    tx.execute("DELETE FROM role_assignments WHERE actor_type = 'group' AND actor_id = ?", [group_id])
    records.remove(tx, group)


def members(tx: Transaction, group_id: str) -> list[User]:
    """The users in a group, by name. Raises NotFound."""
    get(tx, group_id)
    return records.select(
        tx, User, "id IN (SELECT user_id FROM group_members WHERE group_id = ?) ORDER BY name", [group_id]
    )


def of_user(tx: Transaction, user_id: str) -> list[Group]:
    """The groups a user is in, by name. Raises NotFound when there is no such user."""
    users.get(tx, user_id)
    return records.select(
        tx, Group, "id IN (SELECT group_id FROM group_members WHERE user_id = ?) ORDER BY name", [user_id]
    )


def add_member(tx: Transaction, group_id: str, user_id: str) -> None:
    """Put a user into a group; content when it is there already. Raises NotFound."""
    get(tx, group_id)
    users.get(tx, user_id)
    tx.execute(
        "INSERT INTO group_members (group_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING", [group_id, user_id]
    )


def require_member(tx: Transaction, group_id: str, user_id: str) -> None:
    """Raises NotFound when the user is not in the group."""
    get(tx, group_id)
    users.get(tx, user_id)
    if tx.one("SELECT 1 FROM group_members WHERE group_id = ? AND user_id = ?", [group_id, user_id]) is None:
        raise NotFound(f"User '{user_id}' not found in group '{group_id}'")


def remove_member(tx: Transaction, group_id: str, user_id: str) -> None:
    """Take a user out of a group and revoke the user's tokens. Raises NotFound."""
    require_member(tx, group_id, user_id)
    tx.execute("DELETE FROM group_members WHERE group_id = ? AND user_id = ?", [group_id, user_id])
    users.forget_tokens(tx, user_id)
