"""Users: who may sign in. Passwords arrive hashed; changing one, or disabling its user, revokes that user's tokens."""

from typing import Any

from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.identity import credentials, domains, revocations, wording
from minicloud.core.identity.projects import Project
from minicloud.core.records import Query
from minicloud.engines.database import Transaction


class User(records.Record, kw_only=True):
    """A user. ``extra`` holds e-mail, description and whatever else clients wrote; ``password_hash`` None cannot sign in."""

    TABLE = "users"
    MISSING = "Could not find user: {id}."

    id: str
    name: str
    domain_id: str
    enabled: bool = True
    default_project_id: str | None = None
    password_hash: str | None = None
    password_set_at: str | None = None
    password_expires_at: str | None = None
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    created_at: str = ""
    failed_sign_ins: int = 0
    failed_at: str | None = None
    active_at: str | None = None


def find(tx: Transaction, user_id: str) -> User | None:
    """The user with this id, or None."""
    return records.find(tx, User, user_id)


def get(tx: Transaction, user_id: str) -> User:
    """The user with this id. Raises NotFound."""
    return records.get(tx, User, user_id)


def find_by_name(tx: Transaction, domain_id: str, name: str) -> User | None:
    """The user of that name in a domain."""
    found = records.select(tx, User, "domain_id = ? AND name = ?", [domain_id, name])
    return found[0] if found else None


def page(tx: Transaction, query: Query) -> list[User]:
    """One page of users."""
    return records.page(tx, User, query)


def create(tx: Transaction, user: User) -> User:
    """Add a user. Raises NotFound when the domain is not there, Invalid, Conflict when the name is taken."""
    domains.get(tx, user.domain_id)
    _check_default_project(tx, user.default_project_id)
    user = user.with_(
        name=user.name.strip(), created_at=tx.now, password_set_at=tx.now if user.password_hash is not None else None
    )
    try:
        return records.insert(tx, user)
    except Conflict as error:
        raise wording.taken("user", user.name, user.domain_id) from error


def update(tx: Transaction, user_id: str, changes: dict[str, Any], extra: dict[str, Any]) -> User:
    """Change a user; ``extra`` is merged. Raises NotFound, Invalid, Conflict when the new name is taken."""
    old = get(tx, user_id)
    if changes.get("domain_id", old.domain_id) != old.domain_id:
        raise Invalid("Cannot change Domain ID")
    _check_default_project(tx, changes.get("default_project_id"))
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    if "options" in changes:
        changes["options"] = wording.with_options(old.options, changes["options"])
    if "password_hash" in changes:
        changes = {"password_expires_at": None, **changes, "password_set_at": tx.now}
        changes |= {"failed_sign_ins": 0, "failed_at": None}
    if extra:
        changes["extra"] = {**old.extra, **extra}
    if (changes.get("enabled") is False and old.enabled) or changes.get("password_hash") is not None:
        forget_tokens(tx, user_id)
    if not changes:
        return old
    try:
        return records.change(tx, old, **changes)
    except Conflict as error:
        raise wording.taken("user", changes.get("name", old.name), old.domain_id) from error


def change_password(tx: Transaction, user_id: str, *, old_hash: str, new_hash: str, expires_at: str | None) -> None:
    """Put a new password in the place of the one that was checked. Raises Unauthenticated when it changed meanwhile."""
    user = get(tx, user_id)
    if user.password_hash != old_hash or not user.enabled:
        raise wording.refused("the user changed while the password was checked")
    update(tx, user_id, {"password_hash": new_hash, "password_expires_at": expires_at}, {})


def delete(tx: Transaction, user_id: str) -> None:
    """Remove a user with assignments, memberships and tokens. Raises NotFound."""
    user = get(tx, user_id)
    tx.execute("DELETE FROM role_assignments WHERE actor_type = 'user' AND actor_id = ?", [user_id])
    forget_tokens(tx, user_id)
    credentials.forget_user(tx, user_id)
    records.remove(tx, user)


def forget_tokens(tx: Transaction, user_id: str) -> None:
    """Revoke all tokens of a user, and those that others have through the user's trusts."""
    revocations.note(tx, user_id=user_id)
    tx.execute("DELETE FROM tokens WHERE user_id = ?", [user_id])
    tx.execute("DELETE FROM tokens WHERE trust_id IN (SELECT id FROM trusts WHERE trustor_user_id = ?)", [user_id])


def _check_default_project(tx: Transaction, project_id: str | None) -> None:
    if project_id is None:
        return
    project = records.find(tx, Project, project_id)
    if project is not None and project.is_domain:
        raise Invalid(
            f"User's default project ID cannot be a domain ID: {project_id}",
        )
