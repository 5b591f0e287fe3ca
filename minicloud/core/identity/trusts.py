"""Trusts: a user lets another act in one project with some of the roles, perhaps under the first one's name, and hand that on."""

from typing import Any

import msgspec

from minicloud.base.errors import Forbidden, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.identity import assignments, credentials, projects, revocations, roles, users
from minicloud.core.identity.application_credentials import RoleNamed
from minicloud.core.identity.assignments import project_scope
from minicloud.core.identity.roles import Role
from minicloud.engines.database import Transaction

DEEPEST_REDELEGATION = 3
"""How often a trust may be handed on: Keystone's ``max_redelegation_count``."""


class Trust(records.Record, kw_only=True):
    """A trust. ``remaining_uses`` None is without limit; ``redelegation_count`` 0 cannot be handed on."""

    TABLE = "trusts"
    MISSING = "Could not find trust: {id}."

    id: str
    trustor_user_id: str
    trustee_user_id: str
    project_id: str | None = None
    impersonation: bool
    expires_at: str | None = None
    remaining_uses: int | None = None
    redelegated_trust_id: str | None = None
    redelegation_count: int = 0
    role_ids: list[str] = []
    extra: dict[str, Any] = {}


class TrustWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A trust as a request asks for it."""

    trustor_user_id: str
    trustee_user_id: str
    impersonation: bool
    project_id: str | None = None
    expires_at: str | None = None
    remaining_uses: int | None = None
    allow_redelegation: bool = False
    redelegation_count: int | None = None
    roles: list[RoleNamed] = []
    extra: dict[str, Any] = {}


def require_manager(context: Context) -> None:
    """Raises Forbidden for a token that was delegated, other than by a trust (which is how trusts are handed on)."""
    if credentials.OWN_METHODS.issuperset(context.methods) and context.methods:
        return
    raise Forbidden("You are not authorized to perform the requested action: Delegated tokens cannot manage trusts.")


def get(tx: Transaction, trust_id: str) -> Trust:
    """A trust that can be used. Raises NotFound when it is not there, has ended or is used up; Forbidden when its chain broke."""
    found = records.find(tx, Trust, trust_id)
    if found is None or (found.expires_at is not None and found.expires_at < tx.now):
        raise Trust.missing(trust_id)
    if found.remaining_uses is not None and found.remaining_uses <= 0:
        raise Trust.missing(trust_id)
    child = found
    for parent in pedigree(tx, found)[1:]:
        _check_redelegation(parent, child)
        agent = users.find(tx, parent.trustee_user_id)
        if agent is None or not agent.enabled:
            raise Forbidden("One of the trust agents is disabled or deleted")
        child = parent
    return found


def listed(tx: Transaction, *, trustor: str | None = None, trustee: str | None = None) -> list[Trust]:
    """All trusts, or those of a trustor or else of a trustee, used up ones and ended ones too."""
    if trustor is not None:
        return records.select(tx, Trust, "trustor_user_id = ? ORDER BY id", [trustor])
    if trustee is not None:
        return records.select(tx, Trust, "trustee_user_id = ? ORDER BY id", [trustee])
    return records.select(tx, Trust, "1 = 1 ORDER BY id")


def roles_of(tx: Transaction, trust: Trust) -> list[Role]:
    """The roles of a trust that are still there, in the order given."""
    known = {role.id: role for role in records.select_in(tx, Role, "id", trust.role_ids)}
    return [known[id] for id in trust.role_ids if id in known]


def pedigree(tx: Transaction, trust: Trust) -> list[Trust]:
    """A trust and those that it was handed on from, the first one last."""
    chain = [trust]
    while (above := chain[-1].redelegated_trust_id) is not None:
        chain.append(records.get(tx, Trust, above))
    return chain


def create(tx: Transaction, context: Context, wanted: TrustWanted) -> Trust:
    """Add a trust; with a token of a trust, hand that one on.

    Raises NotFound when user, project or role are not there or the trustor does not hold the role, Invalid, Forbidden.
    """
    if wanted.project_id and not wanted.roles:
        raise _refusal("At least one role should be specified")
    if context.user_id != wanted.trustor_user_id:
        raise _refusal("The authenticated user should match the trustor")
    users.get(tx, wanted.trustee_user_id)
    source = None if context.trust_id is None else get(tx, context.trust_id)
    chosen = [_role(tx, named) for named in wanted.roles]
    held: set[str] = set()
    if wanted.project_id:
        projects.get(tx, wanted.project_id)
        first = wanted.trustor_user_id if source is None else pedigree(tx, source)[-1].trustor_user_id
        held = {role.id for role in assignments.effective_roles(tx, first, project_scope(wanted.project_id))}
    for role in chosen:
        if role.id not in held:
            raise NotFound(f"Could not find role: {role.id}.")
    trust = Trust(
        id=tx.ids.hex(),
        trustor_user_id=wanted.trustor_user_id,
        trustee_user_id=wanted.trustee_user_id,
        project_id=wanted.project_id or None,
        impersonation=wanted.impersonation,
        expires_at=wanted.expires_at,
        remaining_uses=wanted.remaining_uses,
        redelegation_count=_depth(wanted, source),
        role_ids=[role.id for role in chosen],
        extra=wanted.extra,
    )
    if source is not None:
        if trust.expires_at is None:
            trust = trust.with_(expires_at=source.expires_at)
        for above in pedigree(tx, source):
            _check_redelegation(above, trust)
        trust = trust.with_(redelegated_trust_id=source.id)
    return records.insert(tx, trust)


def _depth(wanted: TrustWanted, source: Trust | None) -> int:
    """How often the new trust may be handed on. Raises Invalid, Forbidden."""
    count = wanted.redelegation_count
    if not wanted.allow_redelegation or count == 0:
        if wanted.remaining_uses is not None and wanted.remaining_uses <= 0:
            raise Invalid("remaining_uses must be a positive integer or null.")
        return 0
    if count is not None and count > DEEPEST_REDELEGATION:
        raise Forbidden(f"Requested redelegation depth of {count} is greater than allowed {DEEPEST_REDELEGATION}")
    if wanted.remaining_uses is not None:
        raise Invalid("remaining_uses must not be set if redelegation is allowed")
    if source is None:
        return DEEPEST_REDELEGATION if count is None else count
    if count is not None and count != source.redelegation_count - 1:
        raise Forbidden(
            'Modifying "redelegation_count" upon redelegation is forbidden. Omitting this parameter is advised.'
        )
    return source.redelegation_count - 1


def _check_redelegation(above: Trust, trust: Trust) -> None:
    """Raises Forbidden when a trust gives more than the one that it was handed on from."""
    if not 0 < above.redelegation_count <= DEEPEST_REDELEGATION:
        raise Forbidden(
            f"Remaining redelegation depth of {above.redelegation_count} out of allowed range of "
            f"[0..{DEEPEST_REDELEGATION}]"
        )
    if trust.remaining_uses is not None:
        raise Forbidden(
            f'Field "remaining_uses" is set to {trust.remaining_uses} while it must not be set in order to redelegate a trust'
        )
    if above.expires_at is not None and (trust.expires_at is None or above.expires_at < trust.expires_at):
        raise Forbidden("Requested expiration time is more than redelegated trust can provide")
    if not set(trust.role_ids) <= set(above.role_ids):
        raise Forbidden("Some of requested roles are not in redelegated trust")
    if trust.impersonation and not above.impersonation:
        raise Forbidden(
            "Impersonation is not allowed because redelegated trust does not specify impersonation. "
            f"Redelegated trust id: {above.id}"
        )


def _role(tx: Transaction, named: RoleNamed) -> Role:
    if named.id is not None:
        return roles.get(tx, named.id)
    found = roles.find_by_name(tx, named.name or "")
    if found is None:
        raise NotFound(f"Could not find role: {named.name}.")
    return found


def _refusal(why: str) -> Forbidden:
    return Forbidden(f"You are not authorized to perform the requested action: {why}.")


def consume(tx: Transaction, trust: Trust) -> None:
    """Count a token that was got with a trust."""
    if trust.remaining_uses is not None:
        tx.execute("UPDATE trusts SET remaining_uses = remaining_uses - 1 WHERE id = ?", [trust.id])


def delete(tx: Transaction, trust_id: str) -> None:
    """Remove a trust with those handed on from it and their tokens. Raises NotFound."""
    trust = records.get(tx, Trust, trust_id)
    revocations.note(tx, trust_id=trust_id)
    records.remove(tx, trust)


def delegated_roles(tx: Transaction, trust: Trust) -> list[Role]:
    """The roles that a token of the trust bears, implied ones too.

    Raises Forbidden when the first trustor no longer holds one of them.
    """
    if trust.project_id is None:
        return []
    first = pedigree(tx, trust)[-1].trustor_user_id
    held = {role.id: role for role in assignments.effective_roles(tx, first, project_scope(trust.project_id))}
    if not held.keys() >= set(trust.role_ids):
        raise Forbidden("Trustee has no delegated roles.")
    return [held[role_id] for role_id in roles.with_implied(tx, trust.role_ids) if role_id in held]
