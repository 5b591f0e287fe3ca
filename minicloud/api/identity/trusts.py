"""Trusts (OS-TRUST): one user lets another act in a project."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, views
from minicloud.api.identity.application_credentials import RoleReference, role_named
from minicloud.api.identity.documents import Id
from minicloud.api.identity.targets import ADMIN, SYSTEM_READER
from minicloud.api.identity.views import View
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import NotFound
from minicloud.core.identity import expiry, trusts
from minicloud.core.identity.roles import Role
from minicloud.core.identity.trusts import Trust, TrustWanted
from minicloud.core.policy import OF_PROJECTS
from minicloud.core.records import Transaction

TRUSTOR = "user_id:%(target.trust.trustor_user_id)s"
TRUSTEE = "user_id:%(target.trust.trustee_user_id)s"
ADMIN_OR_READER = f"({ADMIN}) or {SYSTEM_READER}"
READ = f"{ADMIN_OR_READER} or {TRUSTOR} or {TRUSTEE}"


class TrustDocument(Body, open=True):
    """A document with a trust."""

    trust: dict[str, Any]


class TrustFields(msgspec.Struct, kw_only=True):
    """What a new trust has by the API's definition; anything else is kept as it comes."""

    trustor_user_id: Id
    trustee_user_id: Id
    impersonation: bool
    project_id: Id | UnsetType | None = UNSET
    remaining_uses: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    allow_redelegation: bool | UnsetType | None = UNSET
    redelegation_count: Annotated[int, msgspec.Meta(ge=0, le=2**31)] | UnsetType | None = UNSET
    redelegated_trust_id: str | UnsetType | None = UNSET
    roles: list[RoleReference] | UnsetType = UNSET


def _about(found: Trust) -> dict[str, Any]:
    return {
        "target.trust.trustor_user_id": found.trustor_user_id,
        "target.trust.trustee_user_id": found.trustee_user_id,
    }


def _judged(tx: Transaction, call: Call, trust_id: str) -> Trust:
    """The trust, if whoever asks may; here a missing one is told before what may not be done, as upstream does."""
    try:
        found = trusts.get(tx, trust_id)
    except NotFound:
        call.judged = True
        raise
    call.judge(_about(found))
    trusts.require_manager(call.context)
    return found


async def index(call: Call) -> View:
    """``GET /v3/OS-TRUST/trusts``: all, or those of a trustor or a trustee."""
    trustor, trustee = call.parameter("trustor_user_id") or None, call.parameter("trustee_user_id") or None
    if trustor is not None:
        call.judge({"target.trust.trustor_user_id": trustor}, rule="identity:list_trusts_for_trustor")
    elif trustee is not None:
        call.judge({"target.trust.trustee_user_id": trustee}, rule="identity:list_trusts_for_trustee")
    else:
        call.judge({})
    trusts.require_manager(call.context)
    found = await call.read(lambda tx: trusts.listed(tx, trustor=trustor, trustee=trustee))
    return views.collection(call, "trusts", [views.trust(call, one) for one in found])


async def create(call: Call, body: TrustDocument) -> View:
    """``POST /v3/OS-TRUST/trusts``"""
    given = body.trust.get("roles")
    fields, extra = documents.read(TrustFields, body.trust)
    call.judge({"target.trust.trustor_user_id": fields["trustor_user_id"]})
    trusts.require_manager(call.context)
    fields.pop("redelegated_trust_id", None)
    named = [role_named(one) for one in fields.pop("roles", [])] if given is not None else []
    fields["allow_redelegation"] = bool(fields.get("allow_redelegation"))
    ends = fields.pop("expires_at", None)

    def add(tx: Transaction) -> tuple[Trust, list[Role]]:
        wanted = TrustWanted(roles=named, extra=extra, expires_at=expiry.end_named(tx, ends), **fields)
        made = trusts.create(tx, call.context, wanted)
        return made, trusts.roles_of(tx, made)

    return {"trust": views.trust(call, *await call.write(add))}


async def show(call: Call, trust_id: str) -> View:
    """``GET /v3/OS-TRUST/trusts/{trust_id}``"""

    def read(tx: Transaction) -> tuple[Trust, list[Role]]:
        found = _judged(tx, call, trust_id)
        return found, trusts.roles_of(tx, found)

    return {"trust": views.trust(call, *await call.read(read))}


async def delete(call: Call, trust_id: str) -> None:
    """``DELETE /v3/OS-TRUST/trusts/{trust_id}``"""

    def remove(tx: Transaction) -> None:
        trusts.delete(tx, _judged(tx, call, trust_id).id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(remove)


async def list_roles(call: Call, trust_id: str) -> View:
    """``GET /v3/OS-TRUST/trusts/{trust_id}/roles``"""
    found = await call.read(lambda tx: trusts.roles_of(tx, _judged(tx, call, trust_id)))
    return views.collection(call, "roles", [views.role(call, role) for role in found])


async def show_role(call: Call, trust_id: str, role_id: str) -> View:
    """``GET /v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}``"""
    found = await call.read(lambda tx: trusts.roles_of(tx, _judged(tx, call, trust_id)))
    for role in found:
        if role.id == role_id:
            return {"role": views.role(call, role)}
    raise NotFound(f"Could not find role: {role_id}.")


_ALL, _ONE = "/OS-TRUST/trusts", "/OS-TRUST/trusts/{trust_id}"

routes = [
    Get(
        _ALL,
        index,
        policy="identity:list_trusts",
        allow=ADMIN_OR_READER,
        late=True,
        extra=[
            ("identity:list_trusts_for_trustor", f"{ADMIN_OR_READER} or {TRUSTOR}"),
            ("identity:list_trusts_for_trustee", f"{ADMIN_OR_READER} or {TRUSTEE}"),
        ],
    ),
    Post(_ALL, create, policy="identity:create_trust", allow=TRUSTOR, scopes=OF_PROJECTS, late=True, status=201),
    Get(_ONE, show, policy="identity:get_trust", allow=READ, late=True),
    Delete(_ONE, delete, policy="identity:delete_trust", allow=f"{ADMIN} or {TRUSTOR}", late=True),
    Get(f"{_ONE}/roles", list_roles, policy="identity:list_roles_for_trust", allow=READ, late=True),
    Get(f"{_ONE}/roles/{{role_id}}", show_role, policy="identity:get_role_for_trust", allow=READ, late=True),
]
