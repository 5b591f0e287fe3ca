"""Limits of projects and domains, and the model by which they are kept."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.documents import Name
from minicloud.api.identity.registered_limits import Amount
from minicloud.api.identity.targets import ADMIN, OF_ALL, SYSTEM_READER
from minicloud.api.identity.views import View
from minicloud.api.listing import equal
from minicloud.api.routes import Delete, Get, Patch, Post, Route
from minicloud.core.identity import limits
from minicloud.core.identity.limits import Limit
from minicloud.core.identity.registered_limits import Model
from minicloud.core.policy import ANYONE
from minicloud.core.records import Transaction

SHOW = (
    f"({ADMIN}) or {SYSTEM_READER} or (domain_id:%(target.limit.domain.id)s or "
    "domain_id:%(target.limit.project.domain_id)s) or (project_id:%(target.limit.project_id)s and not "
    "None:%(target.limit.project_id)s)"
)
LIMITS = lists.listing(
    "limits",
    {name: equal(name) for name in ("service_id", "region_id", "resource_name", "project_id", "domain_id")},
    sort="id",
)


class NewLimit(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One limit of a document."""

    service_id: str
    resource_name: Name
    resource_limit: Amount
    project_id: str | UnsetType | None = UNSET
    domain_id: str | UnsetType | None = UNSET
    region_id: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class LimitsCreate(Body, open=False):
    """New limits."""

    limits: Annotated[list[NewLimit], msgspec.Meta(min_length=1)]


class LimitUpdate(Body, wrap="limit", open=False):
    """Changes of a limit."""

    resource_limit: Amount | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


async def index(call: Call) -> View:
    """``GET /v3/limits``"""
    return await lists.show(call, lambda tx, query: limits.page(tx, call.context, query), views.limit)


async def show(call: Call, limit_id: str) -> View:
    """``GET /v3/limits/{limit_id}``"""

    def read(tx: Transaction) -> Limit:
        found = limits.find(tx, limit_id)
        about: dict[str, Any] = {}
        owner = None if found is None else limits.owner(tx, found)
        if found is not None and owner is not None:
            about["target.limit.project_id"] = found.project_id
            if owner.is_domain:
                about["target.limit.domain.id"] = owner.id
            else:
                about["target.limit.project.domain_id"] = owner.domain_id
        call.judge(about)
        return found or limits.get(tx, limit_id)

    return {"limit": views.limit(call, await call.read(read))}


async def delete(call: Call, limit_id: str) -> None:
    """``DELETE /v3/limits/{limit_id}``"""
    await call.write(lambda tx: limits.delete(tx, limit_id))


def routes(model: Model) -> list[Route]:
    """The lines of this file, which know by which model limits are kept."""

    async def show_model(call: Call) -> View:
        """``GET /v3/limits/model``"""
        return {"model": {"name": model.name, "description": model.description}}

    async def create(call: Call, body: LimitsCreate) -> View:
        """``POST /v3/limits``: all of them, or none."""

        def add(tx: Transaction) -> list[Limit]:
            return limits.create(tx, model, [Limit(id=tx.ids.hex(), **documents.given(one)) for one in body.limits])

        return {"limits": [views.limit(call, made) for made in await call.write(add)]}

    async def update(call: Call, limit_id: str, body: LimitUpdate) -> View:
        """``PATCH /v3/limits/{limit_id}``"""
        made = await call.write(lambda tx: limits.update(tx, model, limit_id, documents.given(body)))
        return {"limit": views.limit(call, made)}

    return [
        Get("/limits/model", show_model, policy="identity:get_limit_model", allow=ANYONE, scopes=OF_ALL),
        Get("/limits", index, policy="identity:list_limits", allow=ANYONE, listing=LIMITS, scopes=OF_ALL),
        Post("/limits", create, policy="identity:create_limits", allow=ADMIN, status=201),
        Get("/limits/{limit_id}", show, policy="identity:get_limit", allow=SHOW, late=True, scopes=OF_ALL),
        Patch("/limits/{limit_id}", update, policy="identity:update_limit", allow=ADMIN),
        Delete("/limits/{limit_id}", delete, policy="identity:delete_limit", allow=ADMIN),
    ]
