"""Application credentials of a user; the secret is told once, when one is made."""

import secrets
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import lists, views
from minicloud.api.identity.documents import Id, Name
from minicloud.api.identity.passwords import Passwords
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER
from minicloud.api.identity.views import View
from minicloud.api.routes import Delete, Get, Post, Route
from minicloud.base.errors import Forbidden, Invalid
from minicloud.core.identity import application_credentials, expiry
from minicloud.core.identity.application_credentials import ApplicationCredential, RoleNamed, RuleNamed, Shown
from minicloud.core.policy import OF_PROJECTS
from minicloud.core.records import Condition, Transaction

READ = f"{ADMIN_OR_SYSTEM_READER} or rule:owner"
OWNER = "user_id:%(user_id)s"
DELETE = f"{ADMIN} or rule:owner"

APPLICATION_CREDENTIALS = lists.listing("application_credentials", lists.text_filter("name"))


class RoleReference(msgspec.Struct, forbid_unknown_fields=True):
    """A role by id or by name."""

    id: Id | UnsetType = UNSET
    name: Name | UnsetType = UNSET


class RuleReference(msgspec.Struct):
    """An access rule by id, or spelled out."""

    id: Id | UnsetType = UNSET
    service: Id | UnsetType = UNSET
    path: Annotated[str, msgspec.Meta(max_length=225, pattern="^/")] | UnsetType = UNSET
    method: Literal["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"] | UnsetType = UNSET


class ApplicationCredentialCreate(Body, wrap="application_credential", open=True):
    """A new application credential."""

    name: Name
    description: str | UnsetType | None = UNSET
    secret: str | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    unrestricted: bool | UnsetType | None = UNSET
    roles: list[RoleReference] | UnsetType = UNSET
    access_rules: list[RuleReference] | UnsetType = UNSET


def _text(value: str | UnsetType) -> str | None:
    return None if value is UNSET else value


def role_named(given: RoleReference) -> RoleNamed:
    """A role as core takes it. Raises Invalid unless it has exactly one of id and name."""
    if (given.id is UNSET) == (given.name is UNSET):
        raise Invalid("A role is named by exactly one of id and name", kind="body")
    return RoleNamed(id=_text(given.id), name=_text(given.name))


def _judged(tx: Transaction, call: Call, user_id: str, credential_id: str) -> ApplicationCredential:
    """The credential, if whoever asks may; it is its owner that counts, not the user that the path names."""
    found = application_credentials.find(tx, credential_id)
    call.judge({"user_id": user_id if found is None else found.user_id})
    return found or application_credentials.get(tx, credential_id)


async def index(call: Call, user_id: str) -> View:
    """``GET /v3/users/{user_id}/application_credentials``"""
    call.judge({"user_id": user_id})
    application_credentials.require_manager(call.context)
    query = call.page.query
    query.where.append(Condition("user_id", "=", user_id))
    found = await call.read(lambda tx: application_credentials.shown(tx, application_credentials.page(tx, query)))
    kept, more = call.page.cut(found)
    items = [views.application_credential(call, one) for one in kept]
    return call.page.document(items, more=more, last_id=kept[-1].credential.id if kept else None)


async def show(call: Call, user_id: str, application_credential_id: str) -> View:
    """``GET /v3/users/{user_id}/application_credentials/{application_credential_id}``"""

    def read(tx: Transaction) -> Shown:
        found = _judged(tx, call, user_id, application_credential_id)
        application_credentials.require_manager(call.context)
        return application_credentials.shown(tx, [found])[0]

    return {"application_credential": views.application_credential(call, await call.read(read))}


async def delete(call: Call, user_id: str, application_credential_id: str) -> None:
    """``DELETE /v3/users/{user_id}/application_credentials/{application_credential_id}``"""

    def remove(tx: Transaction) -> None:
        found = _judged(tx, call, user_id, application_credential_id)
        application_credentials.require_manager(call.context, changing=True)
        application_credentials.delete(tx, found.id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(remove)


def routes(passwords: Passwords) -> list[Route]:
    """The lines of this file, which know how secrets are hashed."""

    async def create(call: Call, user_id: str, body: ApplicationCredentialCreate) -> View:
        """``POST /v3/users/{user_id}/application_credentials``"""
        call.judge({"user_id": user_id})
        context = call.context
        application_credentials.require_manager(context, changing=True)
        if context.user_id != user_id:
            raise Forbidden(
                "You are not authorized to perform the requested action: Cannot create an application credential for "
                "another user."
            )
        if context.project_id is None:
            raise Invalid("An application credential is for a project: ask with a token that is scoped to one")
        project_id = context.project_id
        secret = body.secret if isinstance(body.secret, str) and body.secret else secrets.token_urlsafe(64)
        hashed = await passwords.hash(secret)
        roles = [role_named(one) for one in ([] if body.roles is UNSET else body.roles)]
        rules = [
            RuleNamed(id=_text(one.id), service=_text(one.service), path=_text(one.path), method=_text(one.method))
            for one in ([] if body.access_rules is UNSET else body.access_rules)
        ]

        def add(tx: Transaction) -> Shown:
            made = ApplicationCredential(
                id=tx.ids.hex(),
                user_id=user_id,
                project_id=project_id,
                name=body.name,
                description=None if body.description is UNSET else body.description,
                secret_hash=hashed,
                expires_at=expiry.end_named(tx, None if body.expires_at is UNSET else body.expires_at),
                unrestricted=body.unrestricted is True,
            )
            return application_credentials.create(tx, context, made, roles, rules)

        made: dict[str, Any] = views.application_credential(call, await call.write(add))
        return {"application_credential": {**made, "secret": secret}}

    all_ = "/users/{user_id}/application_credentials"
    one = f"{all_}/{{application_credential_id}}"
    return [
        Get(
            all_,
            index,
            policy="identity:list_application_credentials",
            allow=READ,
            late=True,
            listing=APPLICATION_CREDENTIALS,
        ),
        Post(
            all_,
            create,
            policy="identity:create_application_credential",
            allow=OWNER,
            scopes=OF_PROJECTS,
            late=True,
            status=201,
        ),
        Get(one, show, policy="identity:get_application_credential", allow=READ, late=True),
        Delete(one, delete, policy="identity:delete_application_credential", allow=DELETE, late=True),
    ]
