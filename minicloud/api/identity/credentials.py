"""Credentials of users: EC2 key pairs, seeds of one-time passwords, certificates, whatever a client keeps here."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.targets import ADMIN, OF_ALL, SYSTEM_READER
from minicloud.api.identity.views import View
from minicloud.api.listing import equal
from minicloud.api.routes import Delete, Get, Patch, Post, scoped
from minicloud.core.identity import credentials
from minicloud.core.identity.credentials import Credential
from minicloud.core.policy import Target
from minicloud.core.records import Transaction

OWNER = "user_id:%(target.credential.user_id)s"
READ = f"({ADMIN}) or {SYSTEM_READER} or {OWNER}"
CHANGE = f"({ADMIN}) or {OWNER}"

CREDENTIALS = lists.listing("credentials", {"user_id": equal("user_id"), "type": equal("type")}, sort="id")


class CredentialDocument(Body, open=True):
    """A document with a credential."""

    credential: dict[str, Any]


class CredentialFields(msgspec.Struct):
    """What a credential has by the API's definition; anything else is kept as it comes."""

    blob: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    project_id: str | UnsetType | None = UNSET


class NewCredentialFields(CredentialFields, kw_only=True):
    """A new credential says what it is and whose."""

    blob: str
    type: str
    user_id: str


def about(user_id: Any) -> Target:
    """The target of a policy about a user's credential."""
    return {} if user_id is None else {"target.credential.user_id": user_id}


def _judged(tx: Transaction, call: Call, credential_id: str) -> Credential:
    """The credential, if whoever asks may. Raises Forbidden before NotFound, and for delegated tokens."""
    found = credentials.find(tx, credential_id)
    call.judge(about(None if found is None else found.user_id))
    found = found or credentials.get(tx, credential_id)
    credentials.require_own(call.context)
    return found


async def index(call: Call) -> View:
    """``GET /v3/credentials``: those that whoever asks may see one by one."""
    call.judge(about(call.context.user_id) if call.context.system_scope is None else {})
    query = call.page.query
    delegated = credentials.is_delegated(call.context)
    found = [
        one
        for one in ([] if delegated else await call.read(lambda tx: credentials.page(tx, query)))
        if call.allows("identity:get_credential", about(one.user_id))
    ]
    return views.listed(call, found, views.credential)


async def create(call: Call, body: CredentialDocument) -> View:
    """``POST /v3/credentials``"""
    fields, extra = documents.read(NewCredentialFields, body.credential)
    call.judge(about(fields["user_id"]))
    credentials.require_own(call.context)
    made = await call.write(lambda tx: credentials.create(tx, Credential(id=tx.ids.hex(), extra=extra, **fields)))
    return {"credential": views.credential(call, made)}


async def show(call: Call, credential_id: str) -> View:
    """``GET /v3/credentials/{credential_id}``"""
    return {"credential": views.credential(call, await call.read(lambda tx: _judged(tx, call, credential_id)))}


async def update(call: Call, credential_id: str, body: CredentialDocument) -> View:
    """``PATCH /v3/credentials/{credential_id}``: nobody may make it somebody else's whose credentials are not theirs to change."""
    fields, extra = documents.read(CredentialFields, body.credential)

    def change(tx: Transaction) -> Credential:
        old = _judged(tx, call, credential_id)
        documents.require_same_id(body.credential, credential_id)
        call.judge(about(fields.get("user_id", old.user_id)))
        return credentials.update(tx, credential_id, fields, extra)

    return {"credential": views.credential(call, await call.write(change))}


async def delete(call: Call, credential_id: str) -> None:
    """``DELETE /v3/credentials/{credential_id}``"""

    def remove(tx: Transaction) -> None:
        _judged(tx, call, credential_id)
        credentials.delete(tx, credential_id)

    await call.write(remove)


_ONE = "/credentials/{credential_id}"

routes = scoped(
    OF_ALL,
    [
        Get("/credentials", index, policy="identity:list_credentials", allow=READ, late=True, listing=CREDENTIALS),
        Post("/credentials", create, policy="identity:create_credential", allow=CHANGE, late=True, status=201),
        Get(_ONE, show, policy="identity:get_credential", allow=READ, late=True),
        Patch(_ONE, update, policy="identity:update_credential", allow=CHANGE, late=True),
        Delete(_ONE, delete, policy="identity:delete_credential", allow=CHANGE, late=True),
    ],
)
