"""Security groups: the default one that each project gets when it first needs it, and those that users make."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import default_rules, quotas, rbac, standard
from minicloud.core.network.rows import AddressPair, SecurityGroup, SecurityGroupRule
from minicloud.engines.database import Transaction

DEFAULT = "default"


def get(tx: Transaction, context: Context, group_id: str) -> SecurityGroup:
    """A group that exists for whoever asks. Raises NotFound."""
    return rbac.get(tx, context, SecurityGroup, group_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[SecurityGroup]:
    """A page of the groups that exist for whoever asks."""
    return rbac.page(tx, context, "security_group", SecurityGroup, query)


def default_of(tx: Transaction, project_id: str) -> str | None:
    """The id of a project's default group, if it has one already."""
    row = tx.one("SELECT id FROM security_groups WHERE project_id = ? AND is_default = 1", [project_id])
    return None if row is None else str(row[0])


def ensure_default(tx: Transaction, project_id: str) -> str:
    """The id of a project's default group, which is made now if need be."""
    found = default_of(tx, project_id)
    if found is not None:
        return found
    group = _insert(tx, project_id, name=DEFAULT, description="Default security group", is_default=True)
    trace.note("default_security_group", project=project_id, group=group.id)
    return group.id


def create(tx: Transaction, context: Context, *, project_id: str, **values: Any) -> SecurityGroup:
    """A new group, with the rules that templates say. Raises OverQuota, Conflict for the name of the default one."""
    ensure_default(tx, project_id)
    if values.get("name", "").lower() == DEFAULT:
        raise Conflict("Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
    quotas.check(tx, project_id, "security_group")
    quotas.check(tx, project_id, "security_group_rule", len(default_rules.of_new_group(tx, default=False)))
    return _insert(tx, project_id, **values)


def change(tx: Transaction, context: Context, group: SecurityGroup, **values: Any) -> SecurityGroup:
    """Rename or describe a group. Raises Conflict for a new name of the default one, or ``stateful`` on a group in use."""
    if group.is_default and values.get("name", group.name) != group.name:
        raise Conflict("Updating default security group not allowed.", kind="SecurityGroupCannotUpdateDefault")
    if values.get("stateful", group.stateful) != group.stateful and _used(tx, group.id):
        raise _in_use(group.id)
    return standard.change(tx, group, **values)


def delete(tx: Transaction, context: Context, group: SecurityGroup) -> None:
    """Delete a group and its rules. Raises Conflict while ports have it, or for the default one unless an administrator asks."""
    if _used(tx, group.id):
        raise _in_use(group.id)
    if group.is_default and not context.is_admin:
        raise Conflict(
            "Insufficient rights for removing default security group.", kind="SecurityGroupCannotRemoveDefault"
        )
    tx.execute("DELETE FROM security_group_rules WHERE remote_group_id = ?", [group.id])
    rbac.forget(tx, group.id)
    records.remove(tx, group)


def rules_of(tx: Transaction, group_ids: Sequence[str]) -> dict[str, list[SecurityGroupRule]]:
    """The rules of groups, oldest first, by group."""
    found: dict[str, list[SecurityGroupRule]] = {group_id: [] for group_id in group_ids}
    for rule in records.select_in(tx, SecurityGroupRule, "security_group_id", group_ids):
        found[rule.security_group_id].append(rule)
    for rules in found.values():
        rules.sort(key=lambda rule: (rule.created_at, rule.id))
    return found


def of_ports(tx: Transaction, port_ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the groups of ports, by port."""
    if len(port_ids) == 1:
        rows = tx.all("SELECT port_id, security_group_id FROM port_security_groups WHERE port_id = ?", port_ids)
    else:
        rows = tx.all(
            "SELECT port_id, security_group_id FROM port_security_groups WHERE port_id IN (SELECT value FROM json_each(?))",
            [msgspec.json.encode(list(port_ids)).decode()],
        )
    found: dict[str, list[str]] = {}
    for port_id, group_id in rows:
        found.setdefault(port_id, []).append(group_id)
    return found


def addresses_in(tx: Transaction, group_ids: Sequence[str], host: str | None = None) -> dict[str, list[str]]:
    """What the ports of groups send from, by group and in order: their addresses and allowed address pairs.

    With ``host`` only those of the ports that are bound there.
    """
    found: dict[str, list[str]] = {group_id: [] for group_id in group_ids}
    if not found:
        return found
    wanted = [msgspec.json.encode(list(group_ids)).decode()]
    if host is not None:
        # In this order: a group may have thousands of ports where the host has a few.
        rows = tx.all(
            "SELECT b.security_group_id, a.address FROM ports p CROSS JOIN port_security_groups b ON b.port_id = p.id "
            "CROSS JOIN ip_allocations a ON a.port_id = p.id "
            "WHERE p.host = ? AND b.security_group_id IN (SELECT value FROM json_each(?)) ORDER BY a.address",
            [host, *wanted],
        )
        pairs = tx.all(
            "SELECT b.security_group_id, p.allowed_address_pairs FROM ports p CROSS JOIN port_security_groups b "
            "ON b.port_id = p.id WHERE p.host = ? AND p.allowed_address_pairs <> '[]' "
            "AND b.security_group_id IN (SELECT value FROM json_each(?)) ORDER BY p.id",
            [host, *wanted],
        )
    else:
        rows = tx.all(
            "SELECT b.security_group_id, a.address FROM port_security_groups b JOIN ip_allocations a ON a.port_id = b.port_id "
            "WHERE b.security_group_id IN (SELECT value FROM json_each(?)) ORDER BY a.address",
            wanted,
        )
        pairs = tx.all(
            "SELECT b.security_group_id, p.allowed_address_pairs FROM port_security_groups b JOIN ports p ON p.id = b.port_id "
            "WHERE b.security_group_id IN (SELECT value FROM json_each(?)) AND p.allowed_address_pairs <> '[]' ORDER BY p.id",
            wanted,
        )
    for group_id, address in rows:
        found[group_id].append(address)
    for group_id, text in pairs:
        found[group_id] += [pair.ip_address for pair in msgspec.json.decode(text, type=list[AddressPair])]
    return found


def check_exist(tx: Transaction, context: Context, group_ids: Iterable[str]) -> list[str]:
    """Groups that a port may be given, each once. Raises NotFound, Conflict where some are stateful and some not."""
    wanted = list(dict.fromkeys(group_ids))
    if len({get(tx, context, group_id).stateful for group_id in wanted}) > 1:
        raise Conflict(
            "Error Cannot apply both stateful and stateless security groups on the same port at the same time while "
            "attempting the operation.",
            kind="SecurityGroupConflict",
        )
    return wanted


def resolve(tx: Transaction, project_id: str, names: Iterable[str]) -> list[str]:
    """The ids of a project's groups that a server names by name or id.

    Raises NotFound, and Conflict (``NoUniqueMatch``) when several bear the name.
    """
    found: list[str] = []
    for name in names:
        if name == DEFAULT:
            found.append(ensure_default(tx, project_id))
            continue
        rows = tx.all(
            "SELECT id FROM security_groups WHERE project_id = ? AND (name = ? OR id = ?)", [project_id, name, name]
        )
        exact = [row[0] for row in rows if row[0] == name] or [row[0] for row in rows]
        if not exact:
            raise NotFound(f"Security group {name} not found.", kind="SecurityGroupNotFound")
        if len(exact) > 1:
            raise Conflict(
                f"Multiple security groups found matching '{name}'. Use an ID to be more specific.",
                kind="NoUniqueMatch",
            )
        found.append(str(exact[0]))
    return list(dict.fromkeys(found))


def names_of(tx: Transaction, group_ids: Sequence[str]) -> dict[str, str]:
    """Names by id."""
    return {group.id: group.name for group in records.select_in(tx, SecurityGroup, "id", group_ids)}


def _insert(tx: Transaction, project_id: str, **values: Any) -> SecurityGroup:
    group = records.insert(
        tx, SecurityGroup(id=tx.ids.uuid(), project_id=project_id, created_at=tx.now, updated_at=tx.now, **values)
    )
    for template in default_rules.of_new_group(tx, default=group.is_default):
        rule = default_rules.as_rule(template, group_id=group.id, project_id=project_id, rule_id=tx.ids.uuid())
        records.insert(tx, rule.with_(created_at=tx.now, updated_at=tx.now))
    return group


def _used(tx: Transaction, group_id: str) -> bool:
    return tx.one("SELECT 1 FROM port_security_groups WHERE security_group_id = ? LIMIT 1", [group_id]) is not None


def _in_use(group_id: str) -> Conflict:
    return Conflict(f"Security Group {group_id} in use.", kind="SecurityGroupInUse")
