"""Registered limits."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.documents import Name
from minicloud.api.identity.targets import ADMIN, OF_ALL
from minicloud.api.identity.views import View
from minicloud.api.listing import equal
from minicloud.api.routes import Delete, Get, Patch, Post
from minicloud.core.identity import registered_limits
from minicloud.core.identity.registered_limits import RegisteredLimit
from minicloud.core.policy import ANYONE
from minicloud.core.records import Transaction

REGISTERED_LIMITS = lists.listing(
    "registered_limits", {name: equal(name) for name in ("service_id", "region_id", "resource_name")}, sort="id"
)

Amount = Annotated[int, msgspec.Meta(ge=-1, le=0x7FFFFFFF)]
"""How much of something; -1 is without limit."""


class NewRegisteredLimit(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One registered limit of a document."""

    service_id: str
    resource_name: Name
    default_limit: Amount
    region_id: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class RegisteredLimitsCreate(Body, open=False):
    """New registered limits."""

    registered_limits: Annotated[list[NewRegisteredLimit], msgspec.Meta(min_length=1)]


class RegisteredLimitUpdate(Body, wrap="registered_limit", open=False):
    """Changes of a registered limit."""

    service_id: str | UnsetType = UNSET
    resource_name: Name | UnsetType = UNSET
    default_limit: Amount | UnsetType = UNSET
    region_id: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


async def index(call: Call) -> View:
    """``GET /v3/registered_limits``"""
    return await lists.show(call, registered_limits.page, views.registered_limit)


async def create(call: Call, body: RegisteredLimitsCreate) -> View:
    """``POST /v3/registered_limits``: all of them, or none."""

    def add(tx: Transaction) -> list[RegisteredLimit]:
        wanted = [RegisteredLimit(id=tx.ids.hex(), **documents.given(one)) for one in body.registered_limits]
        return registered_limits.create(tx, wanted)

    return {"registered_limits": [views.registered_limit(call, made) for made in await call.write(add)]}


async def show(call: Call, registered_limit_id: str) -> View:
    """``GET /v3/registered_limits/{registered_limit_id}``"""
    found = await call.read(lambda tx: registered_limits.get(tx, registered_limit_id))
    return {"registered_limit": views.registered_limit(call, found)}


async def update(call: Call, registered_limit_id: str, body: RegisteredLimitUpdate) -> View:
    """``PATCH /v3/registered_limits/{registered_limit_id}``"""
    changes = documents.given(body)
    made = await call.write(lambda tx: registered_limits.update(tx, registered_limit_id, changes))
    return {"registered_limit": views.registered_limit(call, made)}


async def delete(call: Call, registered_limit_id: str) -> None:
    """``DELETE /v3/registered_limits/{registered_limit_id}``"""
    await call.write(lambda tx: registered_limits.delete(tx, registered_limit_id))


_ALL, _ONE = "/registered_limits", "/registered_limits/{registered_limit_id}"

routes = [
    Get(_ALL, index, policy="identity:list_registered_limits", allow=ANYONE, listing=REGISTERED_LIMITS, scopes=OF_ALL),
    Post(_ALL, create, policy="identity:create_registered_limits", allow=ADMIN, status=201),
    Get(_ONE, show, policy="identity:get_registered_limit", allow=ANYONE, scopes=OF_ALL),
    Patch(_ONE, update, policy="identity:update_registered_limit", allow=ADMIN),
    Delete(_ONE, delete, policy="identity:delete_registered_limit", allow=ADMIN),
]
