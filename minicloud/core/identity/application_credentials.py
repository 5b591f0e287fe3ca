"""Application credentials: a user's secrets for programs, good for one project, some roles and, if so wished, few requests."""

import msgspec

from minicloud.base.errors import Conflict, Forbidden, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.identity import access_rules, assignments, credentials, roles, users
from minicloud.core.identity.access_rules import AccessRule
from minicloud.core.identity.assignments import project_scope
from minicloud.core.identity.roles import Role
from minicloud.core.records import Query
from minicloud.engines.database import Transaction


class ApplicationCredential(records.Record, kw_only=True):
    """An application credential. ``unrestricted`` ones may make further ones, and trusts."""

    TABLE = "application_credentials"
    MISSING = "Could not find Application Credential: {id}."

    id: str
    user_id: str
    project_id: str
    name: str
    description: str | None = None
    secret_hash: str
    expires_at: str | None = None
    unrestricted: bool = False
    role_ids: list[str] = []


class RoleNamed(msgspec.Struct, frozen=True):
    """A role as a request names it: by id, or by name."""

    id: str | None = None
    name: str | None = None


class RuleNamed(msgspec.Struct, frozen=True, kw_only=True):
    """An access rule as a request names it: by the id of one that is there, or spelled out."""

    id: str | None = None
    service: str | None = None
    path: str | None = None
    method: str | None = None


class Shown(msgspec.Struct, frozen=True):
    """An application credential with what it refers to."""

    credential: ApplicationCredential
    roles: list[Role]
    rules: list[AccessRule]


def require_manager(context: Context, *, changing: bool = False) -> None:
    """Raises Forbidden when the token was delegated in a way that may not see, or (``changing``) not make and remove them."""
    if "application_credential" in context.methods:
        if changing and not context.unrestricted:
            raise Forbidden(
                "You are not authorized to perform the requested action: Using method 'application_credential' is not "
                "allowed for managing additional application credentials."
            )
    elif credentials.is_delegated(context):
        raise Forbidden("Cannot manage application credentials with a token issued via delegation.")


def find(tx: Transaction, credential_id: str) -> ApplicationCredential | None:
    """The credential with this id, or None."""
    return records.find(tx, ApplicationCredential, credential_id)


def find_by_name(tx: Transaction, user_id: str, name: str) -> ApplicationCredential | None:
    """A user's credential of that name."""
    found = records.select(tx, ApplicationCredential, "user_id = ? AND name = ?", [user_id, name])
    return found[0] if found else None


def get(tx: Transaction, credential_id: str) -> ApplicationCredential:
    """The credential with this id. Raises NotFound."""
    return records.get(tx, ApplicationCredential, credential_id)


def page(tx: Transaction, query: Query) -> list[ApplicationCredential]:
    """One page of credentials."""
    return records.page(tx, ApplicationCredential, query)


def shown(tx: Transaction, found: list[ApplicationCredential]) -> list[Shown]:
    """Credentials with their roles and rules; roles that are gone are left out."""
    known = {role.id: role for role in records.select_in(tx, Role, "id", {id for one in found for id in one.role_ids})}
    rules = access_rules.of_credentials(tx, [one.id for one in found])
    return [Shown(one, [known[id] for id in one.role_ids if id in known], rules[one.id]) for one in found]


def create(
    tx: Transaction,
    context: Context,
    credential: ApplicationCredential,
    wanted_roles: list[RoleNamed],
    wanted_rules: list[RuleNamed],
) -> Shown:
    """Add a credential with the roles that are named (by default those of the token) and its rules.

    Raises NotFound, Invalid for a role that the token does not bear, Conflict when the user has one of that name.
    """
    users.get(tx, credential.user_id)
    held = assignments.effective_roles(tx, credential.user_id, project_scope(credential.project_id))
    borne = [role for role in held if role.name.lower() in context.roles]
    if wanted_roles:
        chosen = _with_implied(tx, [_role(tx, named) for named in wanted_roles])
        if not {role.id for role in chosen} <= {role.id for role in borne}:
            raise Invalid(
                "Invalid application credential: Cannot create an application credential with unassigned role."
            )
    else:
        chosen = borne
    credential = credential.with_(role_ids=[role.id for role in chosen])
    try:
        records.insert(tx, credential)
    except Conflict as error:
        raise Conflict(
            "Conflict occurred attempting to store application_credential - Duplicate entry found with name "
            f"{credential.name}.",
            kind="duplicate",
        ) from error
    for position, named in enumerate(wanted_rules):
        rule = _rule(tx, credential.user_id, named)
        tx.execute(
            "INSERT INTO application_credential_access_rules (application_credential_id, access_rule_id, position) "
            "VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [credential.id, rule.id, position],
        )
    return shown(tx, [credential])[0]


def _role(tx: Transaction, named: RoleNamed) -> Role:
    if named.id is not None:
        return roles.get(tx, named.id)
    found = roles.find_by_name(tx, named.name or "")
    if found is None:
        raise NotFound(f"Could not find role: {named.name}.")
    return found


def _with_implied(tx: Transaction, chosen: list[Role]) -> list[Role]:
    for role in chosen:
        known = {one.id for one in chosen}
        chosen.extend(one for one in roles.implied_by(tx, role.id) if one.id not in known)
    return chosen


def _rule(tx: Transaction, user_id: str, named: RuleNamed) -> AccessRule:
    if named.service is None or named.path is None or named.method is None:
        if named.id is None:
            raise Invalid("An access rule needs an id, or service, path and method")
        return access_rules.get(tx, user_id, named.id)
    return access_rules.ensure(
        tx,
        AccessRule(id=tx.ids.hex(), user_id=user_id, service=named.service, path=named.path, method=named.method),
    )


def delete(tx: Transaction, credential_id: str) -> None:
    """Remove a credential; tokens got with it are void from now on. Raises NotFound."""
    records.remove(tx, get(tx, credential_id))


def forget(tx: Transaction, user_id: str, project_id: str) -> None:
    """Remove a user's credentials for a project, as losing a role there does."""
    tx.execute("DELETE FROM application_credentials WHERE user_id = ? AND project_id = ?", [user_id, project_id])
