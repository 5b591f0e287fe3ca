"""Roles, and which role implies which: whoever holds the prior role holds the implied one, however far."""

from collections.abc import Iterable
from typing import Any

from minicloud.base.errors import Conflict, Forbidden, Invalid, NotFound
from minicloud.core import records
from minicloud.core.identity import domains, wording
from minicloud.core.records import Query
from minicloud.engines.database import Transaction


class Role(records.Record, kw_only=True):
    """A role. One with a domain only serves to imply others there; it is never in a token."""

    TABLE = "roles"
    MISSING = "Could not find role: {id}."

    id: str
    name: str
    domain_id: str | None = None
    description: str | None = None
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    created_at: str = ""


class ImpliedRole(records.Record, kw_only=True):
    """The holder of one role holds another."""

    TABLE = "implied_roles"
    KEY = ("prior_role_id", "implied_role_id")

    prior_role_id: str
    implied_role_id: str


def find(tx: Transaction, role_id: str) -> Role | None:
    """The role with this id, or None."""
    return records.find(tx, Role, role_id)


def get(tx: Transaction, role_id: str) -> Role:
    """The role with this id. Raises NotFound."""
    return records.get(tx, Role, role_id)


def find_by_name(tx: Transaction, name: str) -> Role | None:
    """The global role of that name."""
    found = records.select(tx, Role, "name = ? AND domain_id IS NULL", [name])
    return found[0] if found else None


def page(tx: Transaction, query: Query) -> list[Role]:
    """One page of roles."""
    return records.page(tx, Role, query)


def create(tx: Transaction, role: Role) -> Role:
    """Add a role. Raises NotFound when its domain is not there, Conflict when the name is taken."""
    if role.domain_id is not None:
        domains.get(tx, role.domain_id)
    try:
        return records.insert(tx, role.with_(created_at=tx.now))
    except Conflict as error:
        raise wording.taken("role", role.name, role.domain_id) from error


def update(tx: Transaction, role_id: str, changes: dict[str, Any], extra: dict[str, Any]) -> Role:
    """Change a role; ``extra`` is merged. Raises NotFound, Invalid, Forbidden (immutable), Conflict."""
    old = get(tx, role_id)
    wording.keep_immutable_still("role", old.id, old.options, {**changes, **extra})
    if changes.get("domain_id", old.domain_id) != old.domain_id:
        raise Invalid("Update of `domain_id` is not allowed.")
    if "options" in changes:
        changes["options"] = wording.with_options(old.options, changes["options"])
    if extra:
        changes["extra"] = {**old.extra, **extra}
    if not changes:
        return old
    try:
        return records.change(tx, old, **changes)
    except Conflict as error:
        raise wording.taken("role", changes.get("name", old.name), old.domain_id) from error


def delete(tx: Transaction, role_id: str) -> None:
    """Remove a role with its assignments and implications. Raises NotFound, Forbidden (immutable)."""
    role = get(tx, role_id)
    wording.keep_immutable_alive("role", role.id, role.options)
    records.remove(tx, role)


def implied_by(tx: Transaction, prior_role_id: str) -> list[Role]:
    """The roles that a role implies directly, by name. Raises NotFound."""
    get(tx, prior_role_id)
    return records.select(
        tx,
        Role,
        "id IN (SELECT implied_role_id FROM implied_roles WHERE prior_role_id = ?) ORDER BY name",
        [prior_role_id],
    )


def with_implied(tx: Transaction, role_ids: Iterable[str]) -> list[str]:
    """These roles and all that they imply, however indirectly; roles of a domain are in no token, and left out."""
    found = list(dict.fromkeys(role_ids))
    for role_id in found:  # grows while it is walked
        found += [role.id for role in implied_by(tx, role_id) if role.id not in found and role.domain_id is None]
    return found


def inferences(tx: Transaction) -> list[tuple[Role, list[Role]]]:
    """Every role that implies others, with those."""
    known = {role.id: role for role in records.select(tx, Role)}
    found: dict[str, list[Role]] = {}
    for rule in records.select(tx, ImpliedRole, "1 = 1 ORDER BY prior_role_id, implied_role_id"):
        found.setdefault(rule.prior_role_id, []).append(known[rule.implied_role_id])
    return [(known[prior], implied) for prior, implied in found.items()]


def require_implied(tx: Transaction, prior_role_id: str, implied_role_id: str) -> tuple[Role, Role]:
    """Both roles of a rule. Raises NotFound when a role or the rule is not there."""
    prior, implied = get(tx, prior_role_id), get(tx, implied_role_id)
    if records.find(tx, ImpliedRole, prior_role_id, implied_role_id) is None:
        raise NotFound(f"{prior_role_id} does not imply {implied_role_id}.")
    return prior, implied


def imply(tx: Transaction, prior_role_id: str, implied_role_id: str) -> tuple[Role, Role]:
    """Let one role imply another.

    Raises NotFound, Conflict; Forbidden for admin, which nothing may imply, and for a domain's role behind a global one.
    """
    prior, implied = get(tx, prior_role_id), get(tx, implied_role_id)
    if implied.name == "admin" or (prior.domain_id is None and implied.domain_id is not None):
        raise Forbidden(f"{implied_role_id} cannot be an implied roles.")
    try:
        records.insert(tx, ImpliedRole(prior_role_id=prior_role_id, implied_role_id=implied_role_id))
    except Conflict as error:
        raise Conflict("Conflict occurred attempting to store implied_role - Duplicate entry.") from error
    return prior, implied


def imply_no_more(tx: Transaction, prior_role_id: str, implied_role_id: str) -> None:
    """Take an implication away. Raises NotFound."""
    require_implied(tx, prior_role_id, implied_role_id)
    records.remove(tx, ImpliedRole(prior_role_id=prior_role_id, implied_role_id=implied_role_id))
